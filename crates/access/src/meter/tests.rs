//! The meter's tests: what they share, and counting by DataRow.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on should stop"
)]

mod copying;
mod limiting;
mod speed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use policy::{Ask, Bundle, Permit};
use proptest::prelude::*;
use tempfile::TempDir;
use tlog::detail::{Counted, SUBJECTS_EXACT_MAX};
use wire::codec::Format;

use super::sketch::{Distinct, Sketch};
use super::views::LiveColumn;
use super::*;

const SITE: &str = "dublin-1";
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;

/// The example enclave with other limits.
fn bundle(limits: &str) -> Bundle {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    let mut files: BTreeMap<_, _> = crate::config::bundle_files(&example).unwrap();
    let enclave = String::from_utf8(files.remove("enclave.toml").unwrap()).unwrap();
    let (before, after) = enclave.split_once("limits = [").unwrap();
    let (_, after) = after.split_once("\n]").unwrap();
    files.insert("enclave.toml".to_owned(), format!("{before}limits = [{limits}\n]{after}").into_bytes());
    Bundle::read(&files).unwrap()
}

fn permit(bundle: &Bundle, principal: &str, place: &str, purpose: &str, ticket: Option<&str>) -> Permit {
    let place = bundle.place_of(place);
    bundle.decide(&Ask { principal, place, purpose: Some(purpose), ticket }).unwrap()
}

fn support(bundle: &Bundle) -> Permit {
    permit(bundle, "aoife", "ireland", "support", Some("SUP-1"))
}

fn analyst(bundle: &Bundle) -> Permit {
    permit(bundle, "lukas", "germany", "analytics", None)
}

/// Views as a site could have them: numbers are invented, names are the bundle's.
fn live(bundle: &Bundle) -> Vec<LiveColumn> {
    let mut live = Vec::new();
    for profile in bundle.profiles() {
        for table in &profile.tables {
            let oid = 20_000 + live.len() as u32;
            live.extend(table.columns.iter().zip(1..).map(|(column, number)| LiveColumn {
                schema: profile.name.clone(),
                view: table.table.clone(),
                oid,
                column: column.name.clone(),
                number,
            }));
        }
    }
    live
}

fn noon() -> tlog::entry::Micros {
    tlog::entry::Micros(1_769_860_800_000_000)
}

/// A gate with the views of one site.
struct Lab {
    bundle: Bundle,
    live: Vec<LiveColumn>,
    metering: Metering,
    _folder: TempDir,
}

impl Lab {
    fn new(limits: &str) -> Lab {
        let bundle = bundle(limits);
        let live = live(&bundle);
        let folder = tempfile::tempdir().unwrap();
        let metering = Metering::new(SubjectKey::new([7; 32]), Usage::open(folder.path(), noon).unwrap());
        metering.set_views(SITE, Views::of(&bundle, &live));
        Lab { bundle, live, metering, _folder: folder }
    }

    /// The description of a result: names of the profile's columns as `table.column`, or `-` for an expression.
    fn description(&self, permit: &Permit, columns: &[(&str, u32, Format)]) -> Vec<u8> {
        let mut body = (columns.len() as u16).to_be_bytes().to_vec();
        for (name, type_oid, format) in columns {
            let found = name.split_once('.').map(|(table, column)| {
                let is = |live: &&LiveColumn| {
                    live.schema == permit.profile().name && live.view == table && live.column == column
                };
                self.live.iter().find(is).unwrap_or_else(|| panic!("{name} is not shown"))
            });
            body.extend(b"c\0");
            body.extend(found.map_or(0, |live| live.oid).to_be_bytes());
            body.extend(found.map_or(0, |live| live.number).to_be_bytes());
            body.extend(type_oid.to_be_bytes());
            body.extend([0; 6]);
            body.extend([0, u8::from(*format == Format::Binary)]);
        }
        body
    }

    fn shape(&self, permit: &Permit, text: &str, columns: &[(&str, u32, Format)]) -> Shape {
        let cleared = sql::judge(permit, text).unwrap();
        let description = self.description(permit, columns);
        let description = RowDescription::read(&description).unwrap();
        self.metering.session(SITE, permit).shape(&description, cleared.statements()[0].reads())
    }
}

/// The body of a DataRow.
fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        body.extend(value.map_or(-1, |value| value.len() as i32).to_be_bytes());
        body.extend(value.unwrap_or_default());
    }
    body
}

fn texts(values: &[&str]) -> Vec<u8> {
    row(&values.iter().map(|value| Some(value.as_bytes())).collect::<Vec<_>>())
}

type Columns<'a> = &'a [(&'a str, u32, Format)];

/// What a statement's result of these rows counts as.
fn check(
    lab: &Lab,
    permit: &Permit,
    text: &str,
    columns: Columns<'_>,
    rows: &[Vec<u8>],
) -> Option<(Counted, u64)> {
    let mut meter = lab.metering.session(SITE, permit);
    let mut counter = meter.begin(lab.shape(permit, text, columns).into()).unwrap();
    for row in rows {
        meter.row(&mut counter, row, row.len() + 5).unwrap();
    }
    assert_eq!(counter.rows(), rows.len() as u64);
    let subjects = meter.end(&counter);
    assert_eq!(subjects, meter.total(), "a session of one statement");
    subjects.map(|subjects| {
        assert_eq!(subjects.digests.len() as u64, subjects.n);
        assert!(subjects.digests.is_sorted());
        (subjects.state, subjects.n)
    })
}

const T: Format = Format::Text;
const B: Format = Format::Binary;

#[test]
fn exact_at_least_and_unknown() {
    use Counted::{AtLeast, Exact, Unknown};
    let lab = Lab::new("");
    let support = support(&lab.bundle);
    let user = &[("users.id", INT8, T), ("users.handle", TEXT, T)][..];
    let three = [texts(&["1", "a"]), texts(&["2", "b"]), texts(&["1", "c"])];
    let one = "SELECT id, handle FROM users";
    let is = |text, columns, rows: &[Vec<u8>]| check(&lab, &support, text, columns, rows);
    assert_eq!(is(one, user, &three), Some((Exact, 2)));
    assert_eq!(is(one, user, &[]), None);
    // A joined row can be about more people than its key says; an expression's rows say nothing.
    assert_eq!(is("SELECT u.id, u.handle FROM users u, users v", user, &three), Some((AtLeast, 2)));
    assert_eq!(is("SELECT id, min(handle) FROM users GROUP BY 1", user, &three), Some((AtLeast, 2)));
    let count = &[("-", INT8, T)][..];
    assert_eq!(is("SELECT count(*) FROM users", count, &[texts(&["3"])]), Some((Unknown, 0)));
    let handle = &[("users.handle", TEXT, T)][..];
    assert_eq!(is("SELECT handle FROM users", handle, &[texts(&["a"])]), Some((Unknown, 0)));
    // What reads nothing of the profile is about nobody.
    assert_eq!(is("SELECT 1", count, &[texts(&["1"])]), Some((Exact, 0)));
    // A row that does not say whose it is.
    let null = row(&[None, Some(b"x")]);
    assert_eq!(is(one, user, &[three[0].clone(), null.clone()]), Some((AtLeast, 1)));
    assert_eq!(is(one, user, &[null]), Some((Unknown, 0)));
    // A row that is there in part says what is there: the key comes first.
    assert_eq!(is(one, user, &[three[0][..7].to_vec(), three[1].clone()]), Some((Exact, 2)));
    assert_eq!(is(one, user, &[three[0][..6].to_vec(), three[1].clone()]), Some((AtLeast, 1)));
    let long = row(&[Some(&[b'1'; 300]), Some(b"x")]);
    assert_eq!(is(one, user, &[long]), Some((Unknown, 0)));
}

#[test]
fn the_format_makes_no_difference() {
    let lab = Lab::new("");
    let permit = support(&lab.bundle);
    let text = "SELECT handle, id FROM users";
    let ids = [0, 1, -7, i64::from(i32::MAX), i64::MAX, i64::MIN];
    let digests = |type_oid, format, write: &dyn Fn(i64) -> Option<Vec<u8>>| {
        let mut meter = lab.metering.session(SITE, &permit);
        let columns = [("users.handle", TEXT, T), ("users.id", type_oid, T)];
        let shape = lab.shape(&permit, text, &columns).in_formats(&[T, format]);
        let mut counter = meter.begin(shape.into()).unwrap();
        for value in ids.iter().filter_map(|id| write(*id)) {
            meter.row(&mut counter, &row(&[None, Some(&value)]), 0).unwrap();
        }
        meter.end(&counter).unwrap().digests
    };
    let as_text = digests(INT8, T, &|id| Some(id.to_string().into_bytes()));
    let as_int8 = digests(INT8, B, &|id| Some(id.to_be_bytes().to_vec()));
    assert_eq!(as_text.len(), 6);
    assert_eq!(as_text, as_int8);
    let as_int4 = digests(INT4, B, &|id| Some(i32::try_from(id).ok()?.to_be_bytes().to_vec()));
    assert!(as_int4.len() == 4 && as_int4.iter().all(|digest| as_text.contains(digest)));
    // 17 is the OID of bytea: no key has it, so nothing is known.
    assert_eq!(digests(17, B, &|id| Some(id.to_be_bytes().to_vec())), Vec::<String>::new());
    // HMAC-SHA-256 of "\n1" under 32 bytes of 7, from another implementation; the scope of clear keys is empty.
    assert!(as_text.contains(&"907a4452f9be5d5c8f9dbdacdf2c2e0e".to_owned()), "{as_text:?}");
}

#[test]
fn pseudonyms_have_the_scope_in_their_digest() {
    let lab = Lab::new("");
    let permit = analyst(&lab.bundle);
    let mut meter = lab.metering.session(SITE, &permit);
    let shape = lab.shape(&permit, "SELECT id FROM users", &[("users.id", TEXT, B)]);
    let mut counter = meter.begin(shape.into()).unwrap();
    meter.row(&mut counter, &texts(&["1"]), 0).unwrap();
    let subjects = meter.end(&counter).unwrap();
    assert_eq!((subjects.state, subjects.n), (Counted::Exact, 1));
    assert_eq!(subjects.digests, ["f00a4a3abf55e0bd244d99c4abc196f3"]);
}

#[test]
fn a_row_can_name_other_people_too() {
    let lab = Lab::new("");
    let permit = support(&lab.bundle);
    let columns = &[("messages.sender_id", INT8, T), ("messages.recipient_id", INT8, T)];
    let rows = [texts(&["1", "2"]), texts(&["1", "3"]), row(&[Some(b"2"), None])];
    let text = "SELECT sender_id, recipient_id FROM messages";
    assert_eq!(check(&lab, &permit, text, columns, &rows), Some((Counted::Exact, 3)));
    // Without the sender nobody knows whose message it is.
    let text = "SELECT recipient_id FROM messages";
    let rows = [texts(&["2"]), texts(&["2"])];
    assert_eq!(check(&lab, &permit, text, &columns[1..], &rows), Some((Counted::AtLeast, 1)));
}

#[test]
fn many_are_sketched() {
    let lab = Lab::new("");
    let permit = support(&lab.bundle);
    let mut meter = lab.metering.session(SITE, &permit);
    let shape = Arc::new(lab.shape(&permit, "SELECT id FROM users", &[("users.id", INT8, T)]));
    let count = |meter: &mut Meter, ids: std::ops::Range<u32>| {
        let mut counter = meter.begin(Arc::clone(&shape)).unwrap();
        ids.for_each(|id| meter.row(&mut counter, &texts(&[&id.to_string()]), 0).unwrap());
        meter.end(&counter).unwrap()
    };
    let most = SUBJECTS_EXACT_MAX as u32;
    let listed = count(&mut meter, 0..most);
    assert_eq!((listed.state, listed.n, listed.sketch), (Counted::Exact, u64::from(most), None));
    let sketched = count(&mut meter, 0..most + 1);
    assert_eq!((sketched.state, sketched.n), (Counted::AtLeast, u64::from(most) + 1));
    assert!(sketched.digests.is_empty() && sketched.sketch.is_some());
    count(&mut meter, 0..50_000);
    count(&mut meter, 40_000..60_000);
    let total = meter.total().unwrap();
    assert!((54_000..=60_000).contains(&total.n), "{}", total.n);
}

#[test]
fn the_sketch_is_near() {
    let key = SubjectKey::new([3; 32]).of_scope("");
    let mut sketch = Sketch::default();
    for n in 1..=100_000_u32 {
        sketch.insert(key.quick(n.to_string().as_bytes()) as u64);
        if [100, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000].contains(&n) {
            let bounds = sketch.count();
            let off = (bounds.estimate as f64 / f64::from(n) - 1.0).abs();
            assert!(off <= 0.03, "{n}: {bounds:?}");
            assert!((bounds.least..=bounds.most).contains(&u64::from(n)), "{n}: {bounds:?}");
        }
    }
    let mut halves = [Sketch::default(), Sketch::default()];
    (1..=100_000_u32).for_each(|n| {
        halves[n as usize % 2].insert(key.quick(n.to_string().as_bytes()) as u64);
    });
    let [mut one, other] = halves;
    one.merge(&other);
    assert_eq!((one.count(), one.to_base64()), (sketch.count(), sketch.to_base64()));
}

proptest! {
    #[test]
    fn distinct_is_a_set_up_to_its_bound(values in prop::collection::vec(0_u128..64, 0..200), most in 1_usize..80) {
        let mut distinct = Distinct::new(most);
        let mut set = BTreeSet::new();
        for value in values {
            let known = !set.insert(value);
            let changed = distinct.insert(value << 64 | (value * 0x9e37_79b9_7f4a_7c15), || value);
            prop_assert!(distinct.sketch().is_some() || changed != known);
        }
        prop_assert_eq!(distinct.sketch().is_some(), set.len() > most);
        if distinct.sketch().is_none() {
            prop_assert_eq!(distinct.each().copied().collect::<BTreeSet<_>>(), set);
        }
    }

    #[test]
    fn no_row_does_harm(body in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..30) {
        let lab = LAB.with(std::rc::Rc::clone);
        let permit = support(&lab.bundle);
        let columns = [("users.handle", TEXT, T), ("users.id", INT8, B)];
        let mut meter = lab.metering.session(SITE, &permit);
        let shape = lab.shape(&permit, "SELECT handle, id FROM users", &columns);
        let mut counter = meter.begin(shape.into()).unwrap();
        meter.row(&mut counter, &body, body.len()).unwrap();
        let whole = row(&[Some(b"a"), Some(&7_i64.to_be_bytes())]);
        meter.row(&mut counter, &whole[..cut.min(whole.len() - 1)], 0).unwrap();
        let subjects = meter.end(&counter).unwrap();
        prop_assert!(subjects.state != Counted::Exact);
        prop_assert_eq!(counter.rows(), 2);
    }
}

thread_local! {
    static LAB: std::rc::Rc<Lab> = std::rc::Rc::new(Lab::new(""));
}
