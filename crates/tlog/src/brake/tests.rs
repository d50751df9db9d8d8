//! Words of the channel of brakes: which are taken, which are refused, and what is then in force.

use super::*;
use crate::note::KeyType;

const SESSION: &str = "4f000000000000000000000000000001";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed("monitor.example/brake", KeyType::Ed25519, [seed; 32]).unwrap()
}

fn order(id: u8, target: Target) -> Order {
    Order {
        id: format!("{id:016x}"),
        target,
        given: "2026-01-31T10:00:00.000000Z".into(),
        until: "2026-01-31T12:00:00.000000Z".into(),
        because: "asked for everybody".into(),
        by: "ada".into(),
    }
}

fn principal(id: u8, name: &str) -> Order {
    order(id, Target::Principal(name.into()))
}

/// Plays words into a gate's list: `3+a` brakes principal a under sequence 3, `4-a` lifts it, `5=ab` is all of it,
/// `5~ab` a beat. Says who is stopped after each, `!` where a word is not taken.
fn play(script: &str) -> String {
    let key = key(7);
    let mut known = InForce::default();
    let mut said = Vec::new();
    let brake = |sequence: u64, name: char| Word::Brake {
        sequence,
        order: principal(u8::try_from(name).unwrap(), &name.to_string()),
    };
    for step in script.split(' ') {
        let at = step.find(['+', '-', '=', '~']).unwrap();
        let sequence: u64 = step[..at].parse().unwrap();
        let names = &step[at + 1..];
        let list = || {
            let mut list = InForce::default();
            for (n, name) in (1..).zip(names.chars()) {
                let word = brake(n, name);
                list.take(&word, &word.sign(&key).unwrap(), key.verifier()).unwrap();
            }
            list
        };
        let first = names.chars().next().unwrap_or('?');
        let word = match step.as_bytes()[at] {
            b'+' => brake(sequence, first),
            b'-' => Word::Lift {
                sequence,
                id: format!("{:016x}", u32::from(first)),
                because: "b".into(),
                by: "c".into(),
            },
            b'=' => match list().whole() {
                Word::Whole { orders, .. } => Word::Whole { sequence, orders },
                other => other,
            },
            _ => Word::Beat { sequence, hash: list().hash(), time: "t".into() },
        };
        let note = word.sign(&key).unwrap();
        assert_eq!(Word::verify(&note, key.verifier()), Ok(word.clone()), "{step}");
        let taken = known.take(&word, &note, key.verifier());
        let stopped: String = known.orders().map(|stopped| stopped.order.target.name().to_owned()).collect();
        said.push(if taken.is_ok() { stopped } else { format!("{stopped}!") });
    }
    said.join(" ")
}

#[test]
fn a_list_follows_the_words_and_notices_what_it_missed() {
    for (script, expected) in [
        ("1+a 2+b 3-a 4+a", "a ab b ab"),
        // An old word changes nothing, and neither does an old list.
        ("5+a 5-a 4-a 4=b", "a a! a! a!"),
        ("5+a 6=b 6=a 7=ab", "a b b! ab"),
        // A dropped word shows in the next beat; then all of it is asked for.
        ("1+a 1~a 3~a 3=a 3~a", "a a a! a a"),
        // The hash is over the words themselves: a beat is in step over the very same orders alone.
        ("2=a 2~a 2~b 2~", "a a a! a!"),
    ] {
        assert_eq!(play(script), expected, "{script}");
    }
    let key = key(7);
    let mut known = InForce::default();
    let word = Word::Brake { sequence: 1, order: principal(1, "eve") };
    known.take(&word, &word.sign(&key).unwrap(), key.verifier()).unwrap();
    assert_eq!(known.take(&known.clone().beat("t".into()), "", key.verifier()), Ok(Change::default()));
}

#[test]
fn a_brake_stops_whom_it_names() {
    let subject = Subject { session: Some(SESSION), principal: "eve", gate: "gate" };
    for (target, stops) in [
        (Target::Session(SESSION.into()), true),
        (Target::Session(SESSION.replace('1', "2")), false),
        (Target::Principal("eve".into()), true),
        (Target::Principal("ev".into()), false),
        (Target::Gate("gate".into()), true),
        (Target::Gate("other".into()), false),
        (Target::Destination("eve".into()), false),
    ] {
        assert_eq!(target.stops(subject), stops, "{target}");
    }
}

#[test]
fn words_of_others_and_other_words_are_refused() {
    let (ours, theirs) = (key(7), key(8));
    let word = Word::Brake { sequence: 1, order: principal(1, "eve") };
    let note = word.sign(&theirs).unwrap();
    assert!(matches!(Word::verify(&note, ours.verifier()), Err(BrakeError::Note(_))));
    // There is no word that grants, and none that says more than it should.
    for line in [
        r#"{"grant":{"order":{},"sequence":1}}"#,
        r#"{"policy":{"sequence":1}}"#,
        r#"{"lift":{"because":"b","by":"c","grant":"eve","id":"0000000000000001","sequence":1}}"#,
        r#"{"beat":{"hash":"","sequence":1,"time":""},"lift":{}}"#,
        r#"{ "beat":{"hash":"","sequence":1,"time":""}}"#,
    ] {
        let note = ours.sign_note(&format!("{TITLE}\n{line}\n")).unwrap().to_string();
        assert!(matches!(Word::verify(&note, ours.verifier()), Err(BrakeError::Json(_))), "{line}");
    }
    for text in ["trefoil bundle v1\n{}\n", "trefoil brake v1\n", "trefoil brake v1\n{}\n{}\n"] {
        let note = ours.sign_note(text).unwrap().to_string();
        assert!(Word::verify(&note, ours.verifier()).is_err(), "{text:?}");
    }
}

#[test]
fn orders_have_forms_and_bounds() {
    let check = |change: fn(&mut Order), problem: &str| {
        let mut order = principal(1, "eve");
        assert_eq!(order.check(), Ok(()));
        change(&mut order);
        let said = order.check().unwrap_err().to_string();
        assert!(said.contains(problem), "{said}");
    };
    check(|order| order.id = "1".into(), "is not the id of a brake");
    check(|order| order.id = order.id.replace('0', "A"), "is not the id of a brake");
    check(|order| order.target = Target::Session("eve".into()), "is not a session");
    check(|order| order.target = Target::Principal(String::new()), "is not a name");
    check(|order| order.target = Target::Gate("a\nb".into()), "is not a name");
    check(|order| order.because = String::new(), "the reason has 0 bytes");
    check(|order| order.because = "x".repeat(BECAUSE_BYTES_MAX + 1), "the reason has 501 bytes");
    check(|order| order.by = String::new(), "who orders has 0 bytes");
    check(|order| order.until = "tomorrow".into(), "is not a time");
    check(|order| order.until.clone_from(&order.given), "ends after it was given");
}
