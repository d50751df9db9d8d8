//! The detectors as the monitor runs them: from what a gate posts to incidents and brakes, over a restart; what two bundles
//! say of each other; and the table of the documentation. What each detector catches is measured in `detect::world`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use lab::{AOIFE, LUKAS, Lab, Sealed};
use monitor::{
    bundle, clock,
    detect::{
        Honey, NAMES, Observation, compare,
        feed::{Feed, Parts, Seen},
        honey, probing, thresholds,
        world::{self, Plan},
    },
    folder,
    incident::{Incident, Incidents},
    snapshot::Snapshot,
};
use policy::Bundle;
use serde_json::{Value, json};
use tlog::{detail::Stage, entry::CountState};

const PLANTED: &str = "abababababababababababababababab";

/// Starts the detectors of a monitor; they count what they are shown.
fn start(lab: &mut Lab, shown: &Arc<AtomicU64>) -> Feed {
    let shown = shown.clone();
    let beside = Box::new(move |_: &Observation| {
        shown.fetch_add(1, Ordering::SeqCst);
    });
    let planted =
        Box::new(|key: &str| if key == "5a".repeat(32) { Honey::new([PLANTED]) } else { Honey::default() });
    Feed::start(Parts::of(lab.monitor(), planted, beside).unwrap())
}

/// A result that shows the planted subject.
fn touch(lab: &mut Lab, session: &str) -> Sealed {
    let mut piece = lab.gate.release(session, "SELECT * FROM users", CountState::Exact, 1, 10);
    let subjects = json!({ "state": "exact", "n": 1, "digests": [PLANTED] });
    if let Some(detail) = &mut piece.detail {
        detail["statements"][0]["subjects"] = subjects;
    }
    lab.gate.seal(piece)
}

/// The incidents of a detector, once there are so many.
fn wait(incidents: &Incidents, detector: &str, many: usize) -> Vec<Incident> {
    for _ in 0..400 {
        let found = incidents.read(|store| {
            let all = store.iter().filter(|incident| incident.opened.detector == detector);
            all.cloned().collect::<Vec<_>>()
        });
        let found = found.unwrap();
        if found.len() >= many {
            return found;
        }
        sleep(Duration::from_millis(25));
    }
    panic!("no incident of {detector}");
}

/// What the detectors wrote down when they ended.
fn state(lab: &Lab) -> Value {
    let folder = lab.folder();
    let identity = folder::read_secret(&folder.identity()).unwrap();
    let snapshot = Snapshot::read(&folder.path().join("detect.snapshot"), identity.trim()).unwrap().unwrap();
    let mut state: Value = snapshot.sections.get_json("detect").unwrap();
    state["size"] = json!(snapshot.size);
    state
}

#[test]
fn what_a_gate_posts_becomes_incidents_and_brakes_and_nothing_is_seen_twice_or_missed() {
    let mut lab = Lab::at(clock::now());
    let shown = Arc::new(AtomicU64::new(0));
    let feed = start(&mut lab, &shown);
    let items = lab.gate.first();
    lab.accept(&items);
    let (one, other) = (lab.open(&AOIFE), lab.open(&LUKAS));
    let texts: Vec<String> = (0..8).map(|n| format!("SELECT * FROM hidden_{n}")).collect();
    for text in &texts {
        let piece = lab.gate.refusal(&AOIFE, Some(&one), Stage::Statement, Some(text));
        let item = lab.gate.seal(piece);
        lab.accept(&[item]);
    }
    let incidents = lab.monitor().incidents().clone();
    let probed = wait(&incidents, probing::NAME, 1);
    assert_eq!(probed[0].opened.about.principal.as_deref(), Some("aoife"));
    assert_eq!(probed[0].opened.evidence, [4, 5, 6, 7, 8, 9], "after a key, a start and two sessions");

    let (touched, item) = (lab.monitor().size(), touch(&mut lab, &one));
    lab.accept(&[item]);
    let found = wait(&incidents, honey::NAME, 1);
    assert_eq!(found[0].opened.evidence, [touched]);
    assert_eq!(found[0].opened.about.session.as_deref(), Some(one.as_str()));
    let brakes = lab.monitor().brakes().clone();
    let stopped = (0..400).find(|_| {
        sleep(Duration::from_millis(10));
        !brakes.orders().is_empty()
    });
    assert!(stopped.is_some(), "a rule stops whoever touches a planted subject");

    // Posted in good order while nobody looked, and read when somebody does again.
    feed.stop();
    let item = touch(&mut lab, &other);
    lab.accept(&[item]);
    let feed = start(&mut lab, &shown);
    let found = wait(&incidents, honey::NAME, 2);
    assert_eq!(found.len(), 2);
    feed.outside().try_send(Seen::Elsewhere { first: 900, size: 3 }).unwrap();
    wait(&incidents, "record-order", 1);
    feed.stop();
    assert_eq!(shown.load(Ordering::SeqCst), lab.monitor().size() + 1, "every entry once, and the policy");

    // The whole copy makes the same state as what was written down on the way.
    let before = state(&lab);
    fs::remove_file(lab.folder().path().join("detect.snapshot")).unwrap();
    start(&mut lab, &shown).stop();
    let after = state(&lab);
    assert_eq!((&before["size"], &before["policies"]), (&after["size"], &after["policies"]));
    for part in ["people", "volume", "person", "probing", "hours", "place", "dormant", "logins", "unmatched"]
    {
        assert_eq!(before["detectors"][part], after["detectors"][part], "{part}");
    }
    assert_eq!(wait(&incidents, honey::NAME, 2).len(), 2, "what is found again is not opened again");
}

#[test]
fn what_a_bundle_permits_beyond_the_one_before() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    let files: BTreeMap<String, Vec<u8>> = bundle::read_files(&example).unwrap();
    let old = Bundle::read(&files).unwrap();
    let check = |file: &str, from: &str, to: &str, expected: &str| {
        let mut files = files.clone();
        let text = String::from_utf8(files.remove(file).unwrap()).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
        let new = Bundle::read(&files).unwrap_or_else(|errors| panic!("{file}: {to}: {errors:?}"));
        let said = compare::widened(&old, &new);
        if expected.is_empty() {
            assert!(said.is_empty(), "{to}: {said:?}");
        } else {
            assert!(said.iter().any(|sentence| sentence.contains(expected)), "{to}: {said:?}");
        }
        let back = compare::widened(&new, &old);
        assert_eq!(expected.is_empty(), back.is_empty() && said.is_empty(), "{to}: and back: {back:?}");
    };
    let trainee = "when { [Table::\"users\", Table::\"posts\"].contains(resource) }";
    let devices = "when { [Table::\"users\", Table::\"posts\", Table::\"devices\"].contains(resource) }";
    check(
        "enclave.toml",
        "name = \"trainee-day\"",
        "name = \"trainees-day\"",
        "the limit trainee-day is gone",
    );
    check("enclave.toml", "subjects = 50 }", "subjects = 500 }", "the limit trainee-day is gone");
    check("enclave.toml", "\"10.4.0.0/16\"", "\"10.6.0.0/16\"", "the place united-states");
    check(
        "enclave.toml",
        "reads = [\"payments\"]",
        "reads = [\"payments\", \"users\"]",
        "direct service payouts",
    );
    check(
        "policy/trainee.cedar",
        trainee,
        devices,
        "maeve from ireland for support: devices.identifier masked",
    );
    check("directory.toml", "display = \"Zhang Wei\"", "display = \"Wei Zhang\"", "");
    let joiner = "[[principals]]\nname = \"orla\"\ndisplay = \"Orla\"\nkind = \"person\"\n\
        employer = \"fernway-ireland\"\noffice = \"ireland\"\nroles = [\"ROLE\"]\n\n[[principals]]\nname = \"lukas\"";
    let like = joiner.replace("ROLE", "support_agent");
    let unlike = joiner.replace("ROLE", "security_analyst");
    check("directory.toml", "[[principals]]\nname = \"lukas\"", &like, "");
    check("directory.toml", "[[principals]]\nname = \"lukas\"", &unlike, "orla: person security_analyst");
}

#[test]
fn the_documentation_has_the_table_that_evaluate_prints() {
    let plan = Plan { seed: world::SEED, days: 30, principals: 200, thresholds: thresholds::SHIPPED };
    let report = world::evaluate(&plan);
    let names: Vec<&str> = report.detectors.iter().map(|one| one.name).collect();
    assert_eq!(names, NAMES);
    for one in &report.detectors {
        assert!(one.recall >= 0.75, "{}: {}", one.name, one.recall);
    }
    assert!(report.false_alarms_per_day <= 1.0, "{}", report.false_alarms_per_day);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/monitor.md");
    let text = fs::read_to_string(docs).unwrap();
    assert!(
        text.contains(report.to_string().trim()),
        "put what `trefoil-monitor evaluate` prints into docs/monitor.md"
    );
}
