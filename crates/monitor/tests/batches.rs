//! What a gate may and may not have cosigned: one table of batches, each with one thing forged. The monitor's state
//! must not change with any of them. Not here: the disk (`copy`), HTTP and the program (`program`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod lab;

use lab::{
    AOIFE, AOIFE_WITHOUT, CLEARED, LUKAS, Lab, NOWHERE, ORIGIN, Piece, REFUSED, SECOND, SITE, START, Sealed,
    Who, csr, encode, sign,
};
use monitor::monitor::Answer;
use serde_json::{Value, json};
use tlog::{
    checkpoint::Checkpoint,
    detail::Stage,
    entry::{CountState, Decision, Entry, Kind, Micros},
    hash::Hash,
    note::{KeyType, SigningKey},
};

/// A started gate with an open session of Aoife's, one with an open window, and a closed one.
struct Scene {
    lab: Lab,
    open: String,
    windowed: String,
    closed: String,
}

impl Scene {
    fn new() -> Scene {
        let mut lab = Lab::started();
        let (open, windowed, closed) = (lab.open(&AOIFE), lab.open(&AOIFE), lab.open(&LUKAS));
        let released = [
            lab.gate.release(&open, CLEARED, CountState::Exact, 3, 90),
            lab.gate.release(&windowed, CLEARED, CountState::Window, 100, 4_000),
            lab.gate.close(&closed, 0, 0),
        ];
        let items = released.map(|piece| lab.gate.seal(piece));
        lab.accept(&items);
        Scene { lab, open, windowed, closed }
    }

    fn opening(&mut self, who: &Who) -> Piece {
        let id = self.lab.gate.session_id();
        self.lab.gate.open(who, &id)
    }

    fn release(&mut self, text: &str) -> Piece {
        let open = self.open.clone();
        self.lab.gate.release(&open, text, CountState::Exact, 1, 10)
    }

    fn seal(&mut self, piece: Piece) -> Vec<Sealed> {
        vec![self.lab.gate.seal(piece)]
    }

    /// Seals an opening whose entry was changed.
    fn forged(&mut self, who: &Who, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
        let mut piece = self.opening(who);
        forge(&mut piece.entry, piece.detail.as_mut().unwrap());
        self.seal(piece)
    }

    fn forged_release(&mut self, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
        let mut piece = self.release(CLEARED);
        forge(&mut piece.entry, piece.detail.as_mut().unwrap());
        self.seal(piece)
    }

    fn refused_statement(&mut self, text: &str) -> Piece {
        let open = self.open.clone();
        self.lab.gate.refusal(&AOIFE, Some(&open), Stage::Statement, Some(text))
    }

    fn others_profile(&self, who: &Who) -> String {
        let gate = &self.lab.gate;
        gate.bundle.decide(&gate.ask(who)).unwrap().profile().hash.to_string()
    }
}

/// Entries that are not cosigned: what is forged, the batch, the kind of incident, a part of the reason.
type Case = (&'static str, fn(&mut Scene) -> Vec<Sealed>, &'static str, &'static str);

const OPENINGS: &[Case] = &[
    (
        "another profile's hash",
        |s| {
            let other = s.others_profile(&LUKAS);
            s.forged(&AOIFE, |e, _| e.profile = Some(other))
        },
        "decision",
        "the gate gave profile",
    ),
    (
        "another profile's name",
        |s| s.forged(&AOIFE, |_, d| d["profile"] = json!("analytics")),
        "decision",
        "the gate gave profile",
    ),
    (
        "a role of another profile",
        |s| {
            let role = s.lab.gate.role(&LUKAS, 1);
            s.forged(&AOIFE, |_, d| {
                d["csr"] = json!(csr(&role));
                d["role"] = json!(role);
            })
        },
        "decision",
        "is not one of the 8 roles of profile support",
    ),
    (
        "a role beyond the pool",
        |s| {
            let role = s.lab.gate.role(&AOIFE, 9);
            s.forged(&AOIFE, |_, d| {
                d["csr"] = json!(csr(&role));
                d["role"] = json!(role);
            })
        },
        "decision",
        "is not one of the 8 roles",
    ),
    (
        "role number spelled otherwise",
        |s| s.forged(&AOIFE, |_, d| d["role"] = json!(d["role"].as_str().unwrap().replace("_001", "_1"))),
        "decision",
        "is not one of the 8 roles",
    ),
    (
        "a role at another site",
        |s| s.forged(&AOIFE, |_, d| d["site"] = json!("hamar")),
        "decision",
        "at hamar",
    ),
    ("an unknown site", |s| s.forged(&AOIFE, |_, d| d["site"] = json!("virginia")), "decision", "no site"),
    (
        "a request for another role",
        |s| s.forged(&AOIFE, |_, d| d["csr"] = json!(csr("trefoil_admin"))),
        "detail",
        "names \"trefoil_admin\"",
    ),
    (
        "a request whose signature is altered",
        |s| {
            s.forged(&AOIFE, |_, d| {
                let pem = d["csr"].as_str().unwrap().to_owned();
                let end = pem.rfind("\n-----END").unwrap();
                let at = end - 8;
                let other = if pem.as_bytes()[at] == b'A' { "B" } else { "A" };
                d["csr"] = json!(format!("{}{other}{}", &pem[..at], &pem[at + 1..]));
            })
        },
        "detail",
        "the certificate request",
    ),
    ("no request", |s| s.forged(&AOIFE, |_, d| d["csr"] = json!("")), "detail", "the certificate request"),
    (
        "a denied principal",
        |s| {
            let mut piece = s.opening(&AOIFE);
            let detail = piece.detail.as_mut().unwrap();
            detail.as_object_mut().unwrap().remove("purpose");
            s.seal(piece)
        },
        "decision",
        "is denied by",
    ),
    (
        "an unknown principal",
        |s| s.forged(&AOIFE, |_, d| d["principal"] = json!("mallory")),
        "decision",
        "is denied by unknown-principal",
    ),
    (
        "an unmapped listener",
        |s| s.forged(&AOIFE, |_, d| d["listener"] = json!("unmapped")),
        "decision",
        "is denied by",
    ),
    (
        "another place",
        |s| s.forged(&AOIFE, |e, _| e.place = Some("DE".to_owned())),
        "decision",
        "the place is IE, not DE",
    ),
    ("no place", |s| s.forged(&AOIFE, |e, _| e.place = None), "decision", "the place is IE, not none"),
    (
        "a policy that was never accepted",
        |s| s.forged(&AOIFE, |e, _| e.policy = Some("0".repeat(64))),
        "decision",
        "the policy in force is",
    ),
    ("no policy", |s| s.forged(&AOIFE, |e, _| e.policy = None), "decision", "without a policy"),
    (
        "a denial that opens",
        |s| s.forged(&AOIFE, |e, _| e.decision = Some(Decision::Deny)),
        "decision",
        "opened by a denial",
    ),
    (
        "a class it does not have",
        |s| s.forged(&LUKAS, |e, _| e.classes.push("secret".to_owned())),
        "decision",
        "no class \"secret\"",
    ),
    (
        "another principal's hash",
        |s| {
            let other = s.lab.gate.key.principal("lukas");
            s.forged(&AOIFE, |e, _| e.principal = Some(other))
        },
        "identity",
        "principal's hash",
    ),
    ("no principal", |s| s.forged(&AOIFE, |e, _| e.principal = None), "identity", "without the hashes"),
    (
        "another request's hash",
        |s| s.forged(&AOIFE, |e, _| e.request = Some("0".repeat(64))),
        "identity",
        "request's hash",
    ),
    (
        "a session id of before",
        |s| {
            let open = s.open.clone();
            s.forged(&AOIFE, |e, _| e.session = Some(open))
        },
        "session",
        "was used before",
    ),
    (
        "the id of a closed session",
        |s| {
            let closed = s.closed.clone();
            s.forged(&AOIFE, |e, _| e.session = Some(closed))
        },
        "session",
        "was used before",
    ),
    ("no session id", |s| s.forged(&AOIFE, |e, _| e.session = None), "session", "names no session"),
    (
        "no detail",
        |s| {
            let mut piece = s.opening(&AOIFE);
            piece.detail = None;
            s.seal(piece)
        },
        "detail",
        "without a detail",
    ),
    ("a field too many", |s| s.forged(&AOIFE, |_, d| d["extra"] = json!(1)), "detail", "unknown field"),
];

const RELEASES: &[Case] = &[
    (
        "a statement that is refused",
        |s| {
            let piece = s.release(REFUSED);
            s.seal(piece)
        },
        "verdict",
        "a statement was released that is refused by",
    ),
    (
        "a refused statement behind a cleared one",
        |s| {
            s.forged_release(|_, d| {
                let mut second = d["statements"][0].clone();
                second["text"] = json!("COPY data.users TO PROGRAM 'id'");
                second["rows"] = json!(0);
                second["bytes"] = json!(0);
                d["statements"].as_array_mut().unwrap().push(second);
            })
        },
        "verdict",
        "refused by",
    ),
    (
        "text that cannot be parsed",
        |s| {
            let piece = s.release("SELEC 1");
            s.seal(piece)
        },
        "verdict",
        "refused by unparsable",
    ),
    (
        "a session that was never opened",
        |s| s.forged_release(|e, _| e.session = Some("0".repeat(32))),
        "session",
        "never opened",
    ),
    (
        "a closed session",
        |s| {
            let closed = s.closed.clone();
            s.forged_release(|e, _| e.session = Some(closed))
        },
        "session",
        "is closed",
    ),
    (
        "another policy than at the open",
        |s| s.forged_release(|e, _| e.policy = Some("1".repeat(64))),
        "decision",
        "the policy is",
    ),
    (
        "another profile than at the open",
        |s| s.forged_release(|e, _| e.profile = Some("1".repeat(64))),
        "decision",
        "the profile is",
    ),
    (
        "another place than at the open",
        |s| s.forged_release(|e, _| e.place = Some("CN".to_owned())),
        "decision",
        "the place is CN",
    ),
    (
        "another principal than at the open",
        |s| {
            let other = s.lab.gate.key.principal("wei");
            s.forged_release(|e, _| e.principal = Some(other))
        },
        "identity",
        "principal's hash",
    ),
    ("no count", |s| s.forged_release(|e, _| e.count = None), "count", "without a count"),
    (
        "fewer rows than its statements",
        |s| s.forged_release(|_, d| d["statements"][0]["rows"] = json!(2)),
        "count",
        "the statements released 2 rows",
    ),
    (
        "rows of no statement",
        |s| s.forged_release(|_, d| d["statements"] = json!([])),
        "detail",
        "without a statement",
    ),
    (
        "no detail",
        |s| {
            let mut piece = s.release(CLEARED);
            piece.detail = None;
            s.seal(piece)
        },
        "detail",
        "without a detail",
    ),
    (
        "a total without a window",
        |s| {
            let open = s.open.clone();
            let piece = s.lab.gate.release(&open, CLEARED, CountState::Total, 1, 10);
            s.seal(piece)
        },
        "count",
        "without a window",
    ),
    (
        "a total beyond its windows",
        |s| {
            let id = s.windowed.clone();
            let window = s.lab.gate.release(&id, CLEARED, CountState::Window, 100, 4_000);
            let total = s.lab.gate.release(&id, CLEARED, CountState::Total, 200, 8_001);
            [window, total].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "count",
        "a total of 200 rows, 8001 bytes after windows of 200 rows, 8000 bytes",
    ),
    (
        "a second total",
        |s| {
            let id = s.windowed.clone();
            let totals = [1, 1].map(|rows| s.lab.gate.release(&id, CLEARED, CountState::Total, rows, 10));
            totals.map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "count",
        "without a window",
    ),
    (
        "a close that says more than was recorded",
        |s| {
            let open = s.open.clone();
            let piece = s.lab.gate.close(&open, 4, 90);
            s.seal(piece)
        },
        "count",
        "closes with 4 rows, 90 bytes, but 3 rows, 90 bytes",
    ),
    (
        "a release after the close",
        |s| {
            let open = s.open.clone();
            let close = s.lab.gate.close(&open, 3, 90);
            let after = s.release(CLEARED);
            [close, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "session",
        "is closed",
    ),
    (
        "a second close",
        |s| {
            let closed = s.closed.clone();
            let piece = s.lab.gate.close(&closed, 0, 0);
            s.seal(piece)
        },
        "session",
        "is closed",
    ),
    (
        "a release after the gate started again",
        |s| {
            let start = s.lab.gate.start();
            let after = s.release(CLEARED);
            [start, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "session",
        "the gate ended",
    ),
];

const REFUSALS: &[Case] = &[
    (
        "a cleared statement refused",
        |s| {
            let piece = s.refused_statement(CLEARED);
            s.seal(piece)
        },
        "verdict",
        "that is cleared",
    ),
    (
        "refused by another rule",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap()["rule"] = json!("whim");
            s.seal(piece)
        },
        "verdict",
        "refused by \"whim\"",
    ),
    (
        "a refused statement without its text",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap().as_object_mut().unwrap().remove("statement");
            s.seal(piece)
        },
        "detail",
        "without its text",
    ),
    (
        "a refusal that permits",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.entry.decision = Some(Decision::Permit);
            s.seal(piece)
        },
        "decision",
        "must carry the decision deny",
    ),
    (
        "a refusal of another's session",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap()["principal"] = json!("wei");
            s.seal(piece)
        },
        "detail",
        "another principal",
    ),
    (
        "refused at connect, but permitted",
        |s| {
            let piece = s.lab.gate.refusal(&AOIFE, None, Stage::Connect, None);
            s.seal(piece)
        },
        "decision",
        "the decision is profile support",
    ),
    (
        "refused at connect by another rule",
        |s| {
            let mut piece = s.lab.gate.refusal(&NOWHERE, None, Stage::Connect, None);
            piece.detail.as_mut().unwrap()["rule"] = json!("whim");
            s.seal(piece)
        },
        "decision",
        "refused by \"whim\"",
    ),
    (
        "refused at connect, another place",
        |s| {
            let mut piece = s.lab.gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None);
            piece.entry.place = Some("CN".to_owned());
            s.seal(piece)
        },
        "decision",
        "the place is IE, not CN",
    ),
    (
        "refused at connect, another request",
        |s| {
            let mut piece = s.lab.gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None);
            piece.entry.request = Some("0".repeat(64));
            s.seal(piece)
        },
        "identity",
        "request's hash",
    ),
    (
        "a login judged with another's name",
        |s| {
            let mut piece = s.lab.gate.refusal(&LUKAS, None, Stage::Login, None);
            piece.detail.as_mut().unwrap()["principal"] = json!("wei");
            s.seal(piece)
        },
        "identity",
        "principal's hash",
    ),
    (
        "a login at a later stage",
        |s| {
            let mut piece = s.lab.gate.refusal(&LUKAS, None, Stage::Login, None);
            piece.detail.as_mut().unwrap()["stage"] = json!("wall");
            s.seal(piece)
        },
        "detail",
        "another stage",
    ),
];

const ENTRIES: &[Case] = &[
    (
        "another detail than committed to",
        |s| {
            let piece = s.release(CLEARED);
            let other = s.release(REFUSED);
            let (entry, _) = s.lab.gate.seal(piece);
            vec![(entry, s.lab.gate.seal(other).1)]
        },
        "detail",
        "not the detail committed to",
    ),
    (
        "a detail that does not open",
        |s| {
            let piece = s.release(CLEARED);
            let (entry, blob) = s.lab.gate.seal(piece);
            let mut blob = blob.unwrap();
            *blob.last_mut().unwrap() ^= 1;
            vec![(entry, Some(blob))]
        },
        "detail",
        "does not open",
    ),
    (
        "the detail withheld",
        |s| {
            let piece = s.release(CLEARED);
            vec![(s.lab.gate.seal(piece).0, None)]
        },
        "detail",
        "is missing",
    ),
    (
        "a detail that nothing commits to",
        |s| {
            let piece = s.release(CLEARED);
            let (_, blob) = s.lab.gate.seal(piece);
            let id = s.windowed.clone();
            let mut bare = s.lab.gate.release(&id, CLEARED, CountState::Window, 1, 1);
            bare.detail = None;
            vec![(s.lab.gate.seal(bare).0, blob)]
        },
        "detail",
        "does not commit to",
    ),
    (
        "a day key that was never made",
        |s| s.forged_release(|e, _| e.key = Some("2026-03-02.access".to_owned())),
        "key",
        "no key 2026-03-02.access was ever made",
    ),
    ("the same day key again", |s| vec![s.lab.gate.key_made()], "key", "a second key"),
    (
        "a day key for someone else",
        |s| {
            let recipient = age::x25519::Identity::generate().to_public().to_string();
            let ours = std::mem::replace(&mut s.lab.gate.recipient, recipient);
            let made = s.lab.gate.key_made();
            s.lab.gate.recipient = ours;
            vec![made]
        },
        "key",
        "does not open",
    ),
    (
        "a day key of yesterday",
        |s| {
            let id = std::mem::replace(&mut s.lab.gate.key.id, "2026-02-28.access".to_owned());
            let made = s.lab.gate.key_made();
            s.lab.gate.key.id = id;
            vec![made]
        },
        "key",
        "not a key of that day",
    ),
    (
        "a time before the last entry",
        |s| s.forged_release(|e, _| e.time = Micros(START.0 + 1)),
        "clock",
        "before that of the entry before it",
    ),
    (
        "a time ahead",
        |s| s.forged_release(|e, _| e.time.0 += 301 * SECOND),
        "clock",
        "ahead of the monitor's clock",
    ),
    (
        "a kind that a gate does not write yet",
        |s| {
            let piece = s.lab.gate.piece(Kind::BrakeLifted, json!({}));
            s.seal(piece)
        },
        "unexpected",
        "brake.lifted is not expected",
    ),
    (
        "another gate's name",
        |s| s.forged_release(|e, _| e.gate = "gate-2".to_owned()),
        "unexpected",
        "writes into the log of gate",
    ),
    ("not an entry", |_| vec![(b"{\"v\":1}".to_vec(), None)], "malformed", "not an entry"),
    (
        "an unknown kind",
        |s| {
            let (entry, blob) = s.forged_release(|_, _| ()).remove(0);
            vec![(
                String::from_utf8(entry).unwrap().replace("access.release", "access.nothing").into_bytes(),
                blob,
            )]
        },
        "malformed",
        "kind",
    ),
    (
        "a gate with other profiles",
        |s| {
            let mut piece = s.lab.gate.start();
            piece.detail.as_mut().unwrap()["profiles"]["support"] = json!("0".repeat(64));
            s.seal(piece)
        },
        "decision",
        "profiles are not those",
    ),
    (
        "a gate with a site of its own",
        |s| {
            let mut piece = s.lab.gate.start();
            piece.detail.as_mut().unwrap()["sites"] = json!([SITE, "virginia"]);
            s.seal(piece)
        },
        "decision",
        "no site \"virginia\"",
    ),
    (
        "an entry after the stop",
        |s| {
            let stop = s.lab.gate.stop();
            let after = s.opening(&AOIFE);
            [stop, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "unexpected",
        "has not said that it started",
    ),
];

#[test]
fn what_is_not_cosigned() {
    let mut scene = Scene::new();
    for (name, build, kind, reason) in [OPENINGS, RELEASES, REFUSALS, ENTRIES].concat() {
        let forged = build(&mut scene);
        check(&mut scene, name, &forged, kind, reason);
    }
    // After all of that the log goes on as if nothing had been tried.
    let good = scene.release(CLEARED);
    let items = scene.seal(good);
    scene.lab.accept(&items);
}

/// The batch is refused at its last entry, leaves everything as it was, and makes one incident.
fn check(scene: &mut Scene, name: &str, items: &[Sealed], kind: &str, reason: &str) {
    let lab = &mut scene.lab;
    let before = (lab.monitor().size(), lab.monitor().root(), lab.incidents().len());
    let index = before.0 + u64::try_from(items.len()).unwrap() - 1;
    let Answer::Refused(refused) = lab.post(items) else { panic!("{name}: cosigned or not judged") };
    assert!(refused.reason.contains(reason), "{name}: {}", refused.reason);
    assert_eq!(refused.index, index, "{name}");
    assert!(matches!(lab.post(items), Answer::Refused(_)), "{name}: refused again");
    let incidents = lab.incidents();
    assert_eq!(incidents.len(), before.2 + 1, "{name}: one incident, however often it is posted");
    let incident = incidents.last().unwrap();
    assert_eq!((&incident["kind"], &incident["index"]), (&json!(kind), &json!(index)), "{name}");
    assert_eq!(incident["evidence"]["entry"].as_str().unwrap().as_bytes(), items.last().unwrap().0, "{name}");
    assert_eq!((lab.monitor().size(), lab.monitor().root()), (before.0, before.1), "{name}");
}

#[test]
fn what_is_cosigned() {
    let mut scene = Scene::new();
    let (open, windowed) = (scene.open.clone(), scene.windowed.clone());
    let gate = &mut scene.lab.gate;
    let mut bare_window = gate.release(&windowed, CLEARED, CountState::Window, 50, 2_000);
    bare_window.detail = None;
    let mut bare_total = gate.release(&windowed, CLEARED, CountState::Total, 150, 6_000);
    bare_total.detail = None;
    let pieces = vec![
        bare_window,
        bare_total,
        gate.release(&windowed, CLEARED, CountState::Exact, 0, 0),
        gate.refusal(&AOIFE, Some(&open), Stage::Statement, Some(REFUSED)),
        gate.refusal(&AOIFE, Some(&open), Stage::Wall, Some(CLEARED)),
        gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None),
        gate.refusal(&NOWHERE, None, Stage::Connect, None),
        gate.refusal(&LUKAS, None, Stage::Login, None),
        gate.close(&windowed, 150, 6_000),
        // A gate that was killed starts again without a stop, and may close what it had open.
        gate.start(),
        gate.close(&open, 3, 90),
        gate.stop(),
        gate.start(),
    ];
    let items: Vec<Sealed> = pieces.into_iter().map(|piece| scene.lab.gate.seal(piece)).collect();
    scene.lab.accept(&items);
    scene.lab.open(&AOIFE);
    assert_eq!(scene.lab.incidents(), Vec::<Value>::new());
}

#[test]
fn statuses_of_the_witness_rule() {
    let mut scene = Scene::new();
    let good = scene.release(CLEARED);
    let items = scene.seal(good);
    let lab = &mut scene.lab;
    let (size, root) = (lab.monitor().size(), lab.monitor().root());
    let next = lab.gate.tree_with(&items);
    let at = |origin: &str, size: u64, root: Hash| Checkpoint { origin: origin.to_owned(), size, root };
    let signed = |checkpoint: Checkpoint| sign(&lab.gate.log, &checkpoint);
    let stranger = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [9; 32]).unwrap();
    let grown = at(ORIGIN, next.size(), next.root());
    let other = Hash([7; 32]);
    let extended = lab.gate.log.sign_note(&format!("{grown}extension\n")).unwrap().to_string();
    let bodies: Vec<(&str, Vec<u8>, Answer)> = vec![
        (
            "another log",
            encode(&signed(at("elsewhere", next.size(), next.root())), size, &items),
            Answer::UnknownOrigin(String::new()),
        ),
        ("another key", encode(&sign(&stranger, &grown), size, &items), Answer::Unsigned(String::new())),
        ("an extension", encode(&extended, size, &items), Answer::Malformed(String::new())),
        (
            "a size without its entries",
            encode(&signed(at(ORIGIN, size + 2, next.root())), size, &items),
            Answer::Malformed(String::new()),
        ),
        (
            "a smaller size",
            encode(&signed(at(ORIGIN, size - 1, other)), size, &[]),
            Answer::Malformed(String::new()),
        ),
        ("a rollback", encode(&signed(at(ORIGIN, 1, other)), 0, &items), Answer::Elsewhere(size)),
        ("a gap", encode(&signed(at(ORIGIN, size + 9, other)), size + 8, &items), Answer::Elsewhere(size)),
        ("a batch again", encode(&signed(at(ORIGIN, size, root)), size - 1, &items), Answer::Elsewhere(size)),
    ];
    for (name, body, expected) in bodies {
        let answer = lab.submit(&body);
        let same = std::mem::discriminant(&answer) == std::mem::discriminant(&expected);
        assert!(same, "{name}: {answer:?}");
        if let Answer::Elsewhere(_) = expected {
            assert_eq!(answer, expected, "{name}");
        }
    }
    assert_eq!(lab.incidents(), Vec::<Value>::new(), "none of these proves anything against the log");

    for (name, size, first, entries) in
        [("other entries of the same size", size, size, &[][..]), ("another past", next.size(), size, &items)]
    {
        let note = sign(&lab.gate.log, &at(ORIGIN, size, other));
        let answer = lab.submit(&encode(&note, first, entries));
        assert!(matches!(answer, Answer::Refused(_)), "{name}: {answer:?}");
        let incident = lab.incidents().pop().unwrap();
        assert_eq!(incident["kind"], "fork", "{name}");
        assert_eq!(incident["evidence"]["checkpoint"], note, "{name}");
        assert!(incident["evidence"]["held"].as_str().unwrap().starts_with(ORIGIN), "{name}");
    }
    lab.accept(&items);
}

#[test]
fn an_incident_has_a_clock() {
    let mut scene = Scene::new();
    let forged = scene.release(REFUSED);
    let items = scene.seal(forged);
    scene.lab.post(&items);
    let incident = scene.lab.incidents().pop().unwrap();
    let time = |key: &str| Micros::parse_rfc3339(incident[key].as_str().unwrap()).unwrap().0;
    assert_eq!(time("report_by") - time("time"), 72 * 3_600 * SECOND);
}

/// A gate that the monitor could not hear may be late; one that it hears may not.
#[test]
fn what_was_staged_while_the_monitor_was_away() {
    let mut scene = Scene::new();
    let late = scene.release(CLEARED);
    let staged = scene.seal(late);
    let hour = 3_600 * SECOND;
    scene.lab.gate.now.0 += hour;
    scene.lab.restart();
    scene.lab.accept(&staged);
    let forged = scene.forged_release(|e, _| e.time.0 -= hour / 2);
    check(
        &mut scene,
        "an old time from a gate that is heard",
        &forged,
        "clock",
        "behind the monitor's clock",
    );
}
