//! The fold alone: which state may follow which, what belongs to one incident, and that a fold over the same entries
//! ends the same. Through a record on a disk it is tried in `tests/incidents.rs`.

use super::*;

const NOON: Micros = Micros(1_795_608_000_000_000);
const DAY_US: i64 = 24 * HOUR_US;

fn found(detector: &str, principal: &str, evidence: &[u64]) -> Found {
    Found {
        detector: detector.to_owned(),
        severity: Severity::Medium,
        about: About { principal: Some(principal.to_owned()), ..About::default() },
        at: NOON,
        evidence: evidence.to_vec(),
        reasons: vec![Reason {
            what: "rows".to_owned(),
            observed: evidence.len().to_string(),
            baseline: "0".to_owned(),
            factor: None,
        }],
        exhibit: None,
    }
}

/// A store and the entries that made it.
#[derive(Default)]
struct Scene {
    store: Store,
    entries: Vec<Plan>,
}

impl Scene {
    /// Plans and folds; answers the incident's id.
    fn find(&mut self, found: Found, now: Micros) -> String {
        let plan = self.store.plan(found, "europe.example/access", now);
        self.fold(plan)
    }

    fn fold(&mut self, plan: Plan) -> String {
        let index = u64::try_from(self.entries.len()).unwrap();
        let id = match plan.clone() {
            Plan::Known(id) => return id,
            Plan::Open(opened) => {
                let id = opened.id.clone();
                self.store.opened(index, *opened).unwrap();
                id
            }
            Plan::Add(changed) => {
                let id = changed.id.clone();
                self.store.changed(index, NOON, changed).unwrap();
                id
            }
        };
        self.entries.push(plan);
        id
    }

    fn change(&mut self, id: &str, change: Change) -> Result<(), Refusal> {
        let changed = self.store.change(id, change)?;
        self.fold(Plan::Add(changed));
        Ok(())
    }
}

fn ack() -> Change {
    Change::Acknowledged { by: "N. Murphy".to_owned() }
}

fn report() -> Change {
    Change::Reported { by: None, notification: "00".to_owned() }
}

fn close() -> Change {
    Change::Closed { by: "N. Murphy".to_owned(), because: "a drill".to_owned() }
}

fn more() -> Change {
    Change::Evidence { severity: Severity::High, evidence: vec![9], reasons: Vec::new(), exhibit: None }
}

/// Every state and every change: what it becomes, or that it is refused and stays.
#[test]
fn which_state_follows_which() {
    use Status::{Acknowledged, Closed, Open, Reported};
    type Make = fn() -> Change;
    let before: [(Status, &[Make]); 4] =
        [(Open, &[]), (Acknowledged, &[ack]), (Reported, &[report]), (Closed, &[close])];
    let table: [(&str, Make, [Option<Status>; 4]); 4] = [
        ("acknowledged", ack, [Some(Acknowledged), None, None, None]),
        ("reported", report, [Some(Reported), Some(Reported), Some(Reported), None]),
        ("closed", close, [Some(Closed), Some(Closed), Some(Closed), None]),
        ("given evidence", more, [Some(Open), Some(Acknowledged), Some(Reported), None]),
    ];
    for (name, change, expected) in table {
        for ((from, way), expected) in before.iter().zip(expected) {
            let mut scene = Scene::default();
            let id = scene.find(found("new-place", "aoife", &[1]), NOON);
            way.iter().for_each(|make| scene.change(&id, make()).unwrap());
            assert_eq!(scene.store.get(&id).unwrap().status, *from);
            let outcome = scene.change(&id, change());
            let after = scene.store.get(&id).unwrap().status;
            match expected {
                Some(expected) => assert_eq!((outcome, after), (Ok(()), expected), "{from:?} {name}"),
                None => {
                    let refusal = Refusal::Status { id: id.clone(), status: *from, wanted: name };
                    assert_eq!((outcome, after), (Err(refusal), *from), "{from:?} {name}");
                }
            }
        }
    }
}

#[test]
fn who_says_nothing_changes_nothing() {
    let mut scene = Scene::default();
    let id = scene.find(found("new-place", "aoife", &[1]), NOON);
    let long = "x".repeat(SAID_CHARS_MAX + 1);
    for (change, what) in [
        (Change::Acknowledged { by: " ".to_owned() }, "--by"),
        (Change::Acknowledged { by: long.clone() }, "--by"),
        (Change::Closed { by: "N. Murphy".to_owned(), because: String::new() }, "--because"),
        (Change::Reported { by: Some(long), notification: String::new() }, "--by"),
    ] {
        assert_eq!(scene.change(&id, change), Err(Refusal::Said(what)));
    }
    let unknown = Refusal::Unknown("2026-01-01-0001".to_owned());
    assert_eq!(scene.change("2026-01-01-0001", ack()), Err(unknown));
}

/// What is found again, in any order and after anything, is one incident and one entry.
#[test]
fn the_same_is_found_once() {
    let mut scene = Scene::default();
    let later = Micros(NOON.0 + DAY_US);
    let other = |mut found: Found, change: fn(&mut Found)| {
        change(&mut found);
        found
    };
    let base = || found("new-place", "aoife", &[1, 2]);
    let first = scene.find(base(), NOON);
    assert_eq!(first, "2026-11-25-0001");
    let cases: [(&str, Found, Micros, &str, usize); 8] = [
        ("again", base(), NOON, "0001", 0),
        (
            "a part of it, found after a restart on another day",
            found("new-place", "aoife", &[2]),
            later,
            "0001",
            0,
        ),
        ("more of it", found("new-place", "aoife", &[2, 3]), NOON, "0001", 1),
        ("worse", other(base(), |found| found.severity = Severity::Critical), NOON, "0001", 1),
        ("somebody else", found("new-place", "lukas", &[1, 2]), NOON, "0002", 1),
        ("another detector", found("volume", "aoife", &[1, 2]), NOON, "0003", 1),
        ("the next day", other(base(), |found| found.at.0 += DAY_US), NOON, "0004", 1),
        ("all of it again", found("new-place", "aoife", &[1, 2, 3]), NOON, "0001", 0),
    ];
    for (name, found, now, id, entries) in cases {
        let before = scene.entries.len();
        assert_eq!(scene.find(found, now), format!("2026-11-25-{id}"), "{name}");
        assert_eq!(scene.entries.len() - before, entries, "{name}");
    }
    let incident = scene.store.get(&first).unwrap();
    assert_eq!((incident.severity, incident.evidence.len()), (Severity::Critical, 3));

    // After it is closed, the same stays closed; more of it is another incident.
    scene.change(&first, close()).unwrap();
    assert_eq!(scene.find(base(), later), first);
    assert_eq!(scene.find(found("new-place", "aoife", &[4]), later), "2026-11-26-0001");
    assert_eq!(scene.find(found("new-place", "aoife", &[3, 4]), later), "2026-11-26-0001");
}

/// A refused entry is kept once; more of them than an incident holds open another.
#[test]
fn refused_entries_are_kept() {
    let mut scene = Scene::default();
    let refused = |n: usize| {
        let exhibit = Exhibit {
            entry: Some(format!("{{{n}}}")),
            blob: None,
            checkpoint: "europe\n1\n\nsigned".to_owned(),
            proof: None,
            held: None,
        };
        Found { exhibit: Some(exhibit), ..found("decision-mismatch", "gate", &[7]) }
    };
    let ids: Vec<_> = (0..=EXHIBITS_MAX).map(|n| scene.find(refused(n), NOON)).collect();
    assert_eq!(ids.first(), ids.get(EXHIBITS_MAX - 1));
    assert_ne!(ids.first(), ids.last());
    let before = scene.entries.len();
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(scene.find(refused(n), NOON), *id, "posted again");
    }
    // What a detector says of the same entry adds nothing.
    assert_eq!(scene.find(found("decision-mismatch", "gate", &[7]), NOON), ids[0]);
    assert_eq!(scene.entries.len(), before);
}

/// An incident is bounded, however long it goes on.
#[test]
fn evidence_is_bounded() {
    let mut scene = Scene::default();
    for n in 0..2_000 {
        scene.find(found("volume", "aoife", &[n]), NOON);
    }
    let incident = scene.store.iter().next().unwrap();
    assert_eq!((scene.store.iter().count(), incident.evidence.len()), (1, EVIDENCE_MAX));
    assert_eq!(scene.entries.len(), EVIDENCE_MAX);
    let long = Found {
        reasons: vec![Reason { what: "ä".repeat(9_999), ..found("x", "x", &[]).reasons[0].clone() }; 99],
        evidence: (0..9_999).collect(),
        ..found("volume", "lukas", &[])
    };
    let id = scene.find(long, NOON);
    let opened = &scene.store.get(&id).unwrap().opened;
    assert_eq!((opened.reasons.len(), opened.evidence.len()), (REASONS_MAX, EVIDENCE_MAX));
    assert_eq!(opened.reasons[0].what.chars().count(), REASON_CHARS_MAX);
}

/// Folding the entries again gives the same incidents, and each message the incident as it was then.
#[test]
fn a_fold_is_the_same_every_time() {
    let mut scene = Scene::default();
    let id = scene.find(found("volume", "aoife", &[1]), NOON);
    scene.find(found("volume", "lukas", &[2]), NOON);
    scene.find(found("volume", "aoife", &[3]), NOON);
    scene.change(&id, ack()).unwrap();
    scene.change(&id, report()).unwrap();
    scene.change(&id, close()).unwrap();
    let mut again = Scene::default();
    scene.entries.clone().into_iter().for_each(|plan| drop(again.fold(plan)));
    assert!(scene.store.iter().eq(again.store.iter()));
    let mut events = Vec::new();
    let mut from = 0;
    while let Some((index, incident)) = scene.store.event(from) {
        events.push((index, incident.status, incident.evidence.len()));
        from = index + 1;
    }
    use Status::{Acknowledged, Closed, Open, Reported};
    let expected =
        [(0, Open, 1), (1, Open, 1), (2, Open, 2), (3, Acknowledged, 2), (4, Reported, 2), (5, Closed, 2)];
    assert_eq!(events, expected);
}

#[test]
fn the_clock_runs_72_hours_from_finding_it() {
    let mut scene = Scene::default();
    let found_at = Micros(NOON.0 + 5 * HOUR_US);
    let id = scene.find(found("volume", "aoife", &[1]), found_at);
    let incident = scene.store.get(&id).unwrap().clone();
    assert_eq!((incident.opened_at, incident.due_at.0 - found_at.0), (found_at, 72 * HOUR_US));
    let overdue = |scene: &Scene, after: i64| {
        scene.store.get(&id).unwrap().is_overdue(Micros(incident.due_at.0 + after))
    };
    assert!(!overdue(&scene, 0) && overdue(&scene, 1));
    scene.change(&id, report()).unwrap();
    assert!(!overdue(&scene, DAY_US));
}
