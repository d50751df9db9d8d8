//! What is ordered, kept, lifted and told, and what detectors lead to by rule.

use tlog::{brake::Target, detail::About};

use super::{
    rules::{RawBrakes, RawRule, Rules, Stop, lasts},
    *,
};
use crate::folder::write_file;

const HOUR_US: i64 = 3_600_000_000;
const START: Micros = Micros(1_770_000_000_000_000);

fn folder() -> (tempfile::TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    let key = SigningKey::from_seed("monitor.example/brake", KeyType::Ed25519, [7; 32]).unwrap();
    write_file(&folder.brake_key(), key.to_secret_text().as_bytes(), 0o600).unwrap();
    (dir, folder)
}

fn rules(observe: bool) -> Rules {
    let rule = |stop| RawRule { stop, lasts: "1h".into() };
    let rules =
        [("honey", rule(Stop::Principal)), ("fork", rule(Stop::Gate)), ("volume", rule(Stop::Session))];
    let rules = rules.map(|(name, rule)| (name.to_owned(), rule)).into();
    Rules::check(&RawBrakes { observe, rules }, &["honey", "fork", "volume", "quiet"]).unwrap()
}

fn wish(name: &str) -> Wish {
    let target = Target::Principal(name.into());
    Wish { target, for_us: HOUR_US, because: "b".into(), by: "ada".into() }
}

fn later(hours: i64) -> Micros {
    Micros(START.0 + hours * HOUR_US)
}

fn stopped(brakes: &Brakes) -> Vec<String> {
    let mut names: Vec<_> = brakes.orders().iter().map(|s| s.order.target.name().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn orders_end_by_the_monitors_time_and_survive_its_restart() {
    let (_dir, folder) = folder();
    let brakes = Brakes::open(&folder, Rules::default(), None, START).unwrap();
    let eve = brakes.apply(wish("eve"), START).unwrap();
    brakes.apply(Wish { for_us: 3 * HOUR_US, ..wish("mallory") }, START).unwrap();
    brakes.obeyed(&[eve.id.clone(), "00f1e2d3c4b5a697".to_owned()]).unwrap();
    let again = Brakes::open(&folder, Rules::default(), None, START).unwrap();
    assert_eq!(stopped(&again), ["eve", "mallory"]);
    // What the gate carried out is known, and of nothing else that it did.
    let obeyed: Vec<_> = again.state().obeyed.iter().cloned().collect();
    assert_eq!(obeyed, [eve.id.as_str()]);
    assert!(again.state().force.sequence() > brakes.state().force.sequence());
    again.expire(later(1)).unwrap();
    assert_eq!(stopped(&again), ["mallory"]);
    assert!(!again.is_obeyed(&eve.id));
    assert!(matches!(again.lift(&eve.id, "b".into(), "ada".into(), later(1)), Err(BrakesError::Unknown(_))));
    let subject = |principal| Subject { session: None, principal, gate: "gate" };
    assert!(again.stops(subject("mallory")).is_some() && again.stops(subject("eve")).is_none());
    // A clock that was set back makes no word older than the last one.
    again.apply(wish("trudy"), Micros(1)).unwrap();
    assert_eq!(stopped(&again), ["mallory", "trudy"]);
}

#[test]
fn a_gate_that_listens_knows_what_is_in_force() {
    let (_dir, folder) = folder();
    let brakes = Brakes::open(&folder, Rules::default(), None, START).unwrap();
    brakes.apply(wish("eve"), START).unwrap();
    let (first, mut words) = brakes.listen().unwrap();
    let id = brakes.apply(wish("mallory"), START).unwrap().id;
    brakes.lift(&id, "b".into(), "ada".into(), START).unwrap();
    let mut gate = InForce::default();
    let mut hear = |line: &str| {
        let note: String = serde_json::from_str(line).unwrap();
        let word = Word::verify(&note, brakes.verifier()).unwrap();
        gate.take(&word, &note, brakes.verifier())
    };
    hear(&first).unwrap();
    let beat = brakes.beat(START).unwrap();
    // What was said is on its way: a beat that overtook it would be out of step.
    assert!(hear(&beat).is_err());
    hear(&words.try_recv().unwrap()).unwrap();
    hear(&words.try_recv().unwrap()).unwrap();
    hear(&beat).unwrap();
    assert_eq!(gate.orders().count(), 1);
}

#[test]
fn rules_stop_whom_a_finding_names() {
    let session = "4f000000000000000000000000000001";
    let about = About { session: Some(session.into()), principal: Some("eve".into()), ..About::default() };
    for (detector, observe, expected) in [
        ("honey", false, Some(Target::Principal("eve".into()))),
        ("volume", false, Some(Target::Session(session.into()))),
        // The finding names no gate, there is no rule, or nothing is to be stopped.
        ("fork", false, None),
        ("quiet", false, None),
        ("honey", true, None),
    ] {
        let (_dir, folder) = folder();
        let brakes = Brakes::open(&folder, rules(observe), None, START).unwrap();
        let stopped = brakes.by_rule(detector, &about, START).unwrap().map(|order| order.target);
        assert_eq!(stopped, expected, "{detector}");
        // A second finding about them changes nothing.
        assert!(brakes.by_rule(detector, &about, later(0)).unwrap().is_none(), "{detector}");
    }
    let raw = RawBrakes {
        observe: false,
        rules: [("honey".to_owned(), RawRule { stop: Stop::Gate, lasts: "2 hours".into() })].into(),
    };
    assert!(Rules::check(&raw, &["honey"]).unwrap_err().contains("2h"));
    assert!(Rules::check(&raw, &["other"]).unwrap_err().contains("no such detector"));
}

#[test]
fn times_are_a_number_and_a_unit() {
    for (text, seconds) in [("1s", 1), ("90m", 5_400), ("2h", 7_200), ("90d", 7_776_000)] {
        assert_eq!(lasts(text), Ok(seconds * 1_000_000), "{text}");
    }
    for text in ["", "2", "h", "0s", "-1h", "2 h", "91d", "1h30m", "99999999999d", "2é"] {
        assert!(lasts(text).is_err(), "{text}");
    }
}
