//! Limits, and what a day's limit survives.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::meter::usage::UsageError;

const DAY_FILE: &str = "2026-01-31.jsonl";

fn tomorrow() -> tlog::entry::Micros {
    tlog::entry::Micros(noon().0 + 86_400_000_000)
}

/// How many rows of users go out, each of one subject, before the statement is cut, and by what.
fn rows_until_cut(
    meter: &mut Meter,
    shape: &Arc<Shape>,
    ids: std::ops::Range<u32>,
) -> (u32, Option<Exceeded>) {
    let mut counter = match meter.begin(Arc::clone(shape)) {
        Ok(counter) => counter,
        Err(exceeded) => return (0, Some(exceeded)),
    };
    let mut rows = 0;
    for id in ids {
        if let Err(exceeded) = meter.row(&mut counter, &texts(&[&id.to_string()]), 100) {
            return (rows, Some(exceeded));
        }
        rows += 1;
    }
    (rows, None)
}

struct Case {
    lab: Lab,
    shape: Arc<Shape>,
    permit: Permit,
}

const ID: Columns<'_> = &[("users.id", INT8, T)];

fn case(limit: &str) -> Case {
    let lab = Lab::new(&format!("{{ name = \"l\", {limit} }}"));
    let permit = support(&lab.bundle);
    let shape = lab.shape(&permit, "SELECT id FROM users", ID).into();
    Case { lab, shape, permit }
}

#[test]
fn each_kind_of_limit_cuts() {
    // The limit; rows of one statement, of the next in the session, of one in another session.
    for (limit, rows) in [
        ("per = \"statement\", rows = 3", [3, 3, 3]),
        ("per = \"session\", rows = 5", [5, 0, 5]),
        ("per = \"day\", rows = 5", [5, 0, 0]),
        ("per = \"statement\", bytes = 399", [3, 3, 3]),
        ("per = \"day\", bytes = 1000", [10, 0, 0]),
        ("per = \"statement\", subjects = 4", [4, 4, 4]),
        ("per = \"session\", subjects = 4", [4, 4, 4]),
        ("per = \"day\", subjects = 4", [4, 4, 4]),
        ("per = \"day\", subjects = 2, rows = 9", [2, 2, 2]),
        ("per = \"day\", class = \"personal\", rows = 2", [2, 0, 0]),
        ("per = \"day\", class = \"restricted\", rows = 2", [20, 20, 20]),
        ("per = \"day\", role = \"analyst\", rows = 2", [20, 20, 20]),
    ] {
        let Case { lab, shape, permit } = case(limit);
        let mut meter = lab.metering.session(SITE, &permit);
        let (first, exceeded) = rows_until_cut(&mut meter, &shape, 0..20);
        let (second, _) = rows_until_cut(&mut meter, &shape, 0..20);
        let (third, _) = rows_until_cut(&mut lab.metering.session(SITE, &permit), &shape, 0..20);
        assert_eq!([first, second, third], rows, "{limit}");
        assert_eq!(exceeded.is_some(), first < 20, "{limit}");
    }
    let (_, exceeded) = {
        let Case { lab, shape, permit } = case("per = \"day\", class = \"personal\", subjects = 2");
        rows_until_cut(&mut lab.metering.session(SITE, &permit), &shape, 0..20)
    };
    let exceeded = exceeded.unwrap();
    assert_eq!(exceeded.limit, "l");
    assert_eq!(exceeded.sentence, "the limit \"l\" is reached: 2 subjects of class personal a day");
}

#[test]
fn subjects_are_counted_once_and_what_cannot_be_told_apart_each_time() {
    let Case { lab, shape, permit } = case("per = \"day\", subjects = 10");
    let mut meter = lab.metering.session(SITE, &permit);
    for _ in 0..5 {
        assert_eq!(rows_until_cut(&mut meter, &shape, 0..8), (8, None));
    }
    // Rows that do not say whom they show count as somebody new each; joined rows as one for each relation.
    let handle = [("users.handle", TEXT, T)];
    let unknown: Arc<Shape> = lab.shape(&permit, "SELECT handle FROM users", &handle).into();
    assert_eq!(rows_until_cut(&mut meter, &unknown, 0..5).0, 2);
}

#[test]
fn a_row_that_can_show_many_counts_as_many() {
    let Case { lab, permit, .. } = case("per = \"statement\", subjects = 60");
    let mut meter = lab.metering.session(SITE, &permit);
    for (rows_most, text) in [
        (1, "SELECT upper(handle) FROM users"),
        (1, "SELECT count(*) FROM users GROUP BY country"),
        (2, "SELECT max(handle) FROM users GROUP BY country"),
        (2, "SELECT lead(handle) OVER (ORDER BY id) FROM users"),
        (3, "SELECT max(handle) FILTER (WHERE id = 1) || max(handle) FILTER (WHERE id = 2) FROM users"),
        (2, "SELECT a.handle || b.handle FROM users a, users b"),
        (2, "SELECT handle || (SELECT handle FROM users LIMIT 1) FROM users"),
        (
            3,
            "WITH x AS (SELECT handle FROM users) SELECT a.handle || b.handle || c.handle FROM x a, x b, x c",
        ),
        (6, "WITH x AS (SELECT max(handle) AS h FROM users) SELECT a.h || b.h || c.h FROM x a, x b, x c"),
        (4, "SELECT max(handle) FROM (SELECT a.handle FROM users a, users b) c"),
        (2, "SELECT handle FROM users UNION SELECT handle FROM users"),
    ] {
        let shape: Arc<Shape> = lab.shape(&permit, text, &[("-", TEXT, T)]).into();
        assert_eq!(shape.rows_most, rows_most, "{text}");
        assert_eq!(u64::from(rows_until_cut(&mut meter, &shape, 0..99).0), 60 / rows_most, "{text}");
    }
    // Beside those, the subject whose key it shows.
    let joined: Arc<Shape> = lab.shape(&permit, "SELECT u.id FROM users u, users v", ID).into();
    assert_eq!(rows_until_cut(&mut meter, &joined, 0..99).0, 20);
}

#[test]
fn a_result_of_unknown_origin_counts_against_every_class() {
    for class in ["public", "internal", "personal", "restricted"] {
        let Case { lab, permit, .. } = case(&format!("per = \"day\", class = \"{class}\", rows = 1"));
        let mut meter = lab.metering.session(SITE, &permit);
        let shape = lab.shape(&permit, "SELECT upper(handle) FROM users", &[("-", TEXT, T)]).into();
        assert_eq!(rows_until_cut(&mut meter, &shape, 0..5).0, 1, "{class}");
        // Nothing of the profile: no class.
        let shape = lab.shape(&permit, "SELECT 1", &[("-", INT4, T)]).into();
        assert_eq!(rows_until_cut(&mut meter, &shape, 0..5), (5, None), "{class}");
    }
}

#[test]
fn a_large_limit_of_subjects_is_kept_by_a_sketch() {
    let Case { lab, shape, permit } = case("per = \"session\", subjects = 100_000");
    let mut meter = lab.metering.session(SITE, &permit);
    let (rows, exceeded) = rows_until_cut(&mut meter, &shape, 0..200_000);
    assert!(exceeded.is_some() && (90_000..=100_000).contains(&rows), "{rows}");
}

#[test]
fn a_day_goes_on_where_it_was_reserved() {
    let Case { lab, shape, permit } = case("per = \"day\", rows = 1_600");
    let folder = tempfile::tempdir().unwrap();
    let gate = |clock| {
        let metering = Metering::new(SubjectKey::new([9; 32]), Usage::open(folder.path(), clock).unwrap());
        metering.set_views(SITE, Views::of(&lab.bundle, &lab.live));
        metering
    };
    let rows =
        |metering: &Metering, most| rows_until_cut(&mut metering.session(SITE, &permit), &shape, 0..most).0;
    let file = folder.path().join(DAY_FILE);
    // Killed: what was reserved counts as used, one row and a sixteenth of the limit.
    let first = gate(noon);
    assert!(Usage::open(folder.path(), noon).is_err(), "two gates do not share a folder");
    assert_eq!(rows(&first, 1), 1);
    drop(first);
    // A line that the gate was writing when it died is no line, and the next is not damaged by it.
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, [&whole[..], b"{\"principal\":\"aoi"].concat()).unwrap();
    let second = gate(noon);
    assert_eq!(rows(&second, 200), 200);
    // Stopped in good order: what was really taken counts.
    second.close().unwrap();
    assert_eq!(rows(&second, 1), 0, "a gate that has stopped gives nothing");
    drop(second);
    let third = gate(noon);
    assert_eq!(rows(&third, 2_000), 1_600 - 101 - 200);
    drop(third);
    assert_eq!(rows(&gate(tomorrow), 2_000), 1_600, "another day");
    assert!(!file.exists());
    std::fs::write(&file, "{}\n").unwrap();
    assert!(matches!(Usage::open(folder.path(), noon), Err(UsageError::Damaged { line: 1, .. })));
}

/// The process that is killed: takes rows from a day's limit, and says each as the client would see it.
#[test]
#[ignore = "run by `nothing_released_is_forgotten`, as a process of its own"]
fn child() {
    let Some(folder) = std::env::var_os("TREFOIL_TEST_USAGE") else { return };
    let Case { lab, shape, permit } = case("per = \"day\", rows = 100_000");
    let metering = Metering::new(SubjectKey::new([1; 32]), Usage::open(folder.as_ref(), noon).unwrap());
    metering.set_views(SITE, Views::of(&lab.bundle, &lab.live));
    let mut meter = metering.session(SITE, &permit);
    let mut counter = meter.begin(shape).unwrap();
    for released in 1..100_000_u32 {
        meter.row(&mut counter, &texts(&["1"]), 1).unwrap();
        println!("released {released}");
    }
}

#[test]
fn nothing_released_is_forgotten() {
    let Case { lab, shape, permit } = case("per = \"day\", rows = 100_000");
    let folder = tempfile::tempdir().unwrap();
    let mut released_in_all = 0;
    for round in 0..4_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "meter::tests::limiting::child", "--ignored", "--nocapture"])
            .env("TREFOIL_TEST_USAGE", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut released = 0;
        let mut follow = |until: Option<u64>| {
            for line in &mut lines {
                let Ok(line) = line else { break };
                if let Some((_, count)) = line.rsplit_once("released ") {
                    released = count.parse::<u64>().unwrap_or(released);
                }
                if until.is_some_and(|until| released >= until) {
                    break;
                }
            }
            released
        };
        follow(Some(1 + round * 3_000));
        child.kill().unwrap();
        child.wait().unwrap();
        released_in_all += follow(None);
        // What is left of the limit now, without taking it: a copy of what the killed gate left.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join(DAY_FILE), copy.path().join(DAY_FILE)).unwrap();
        let metering = Metering::new(SubjectKey::new([2; 32]), Usage::open(copy.path(), noon).unwrap());
        metering.set_views(SITE, Views::of(&lab.bundle, &lab.live));
        let (left, _) = rows_until_cut(&mut metering.session(SITE, &permit), &shape, 0..200_000);
        let used = 100_000 - u64::from(left);
        assert!(used >= released_in_all, "round {round}: {used} used, {released_in_all} released");
        // Each killing costs at most a reservation and the row it was made for.
        assert!(
            used <= released_in_all + (round + 1) * (6_250 + 2),
            "round {round}: {used}, {released_in_all}"
        );
    }
}
