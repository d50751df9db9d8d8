//! Entries: the exact bytes, what is refused, and that whatever is written is read back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::json;

const LEAST: &str = r#"{"gate":"dublin-1","kind":"gate.start","time":"2026-01-31T23:59:59.000001Z","v":1}"#;

fn full() -> Entry {
    let digits = |digit: &str, count| Some(digit.repeat(count));
    Entry {
        session: digits("a", 32),
        principal: digits("1", 64),
        request: digits("2", 64),
        place: Some("IE".to_owned()),
        decision: Some(Decision::Permit),
        policy: digits("3", 64),
        profile: digits("4", 64),
        classes: vec!["public".to_owned(), "personal".to_owned()],
        count: Some(Count { state: CountState::Exact, rows: 3, bytes: 4_096 }),
        key: Some("2026-01-31.access".to_owned()),
        detail: digits("5", 64),
        ..Entry::new(Micros(1_769_903_999_000_001), Kind::AccessRelease, "dublin-1")
    }
}

#[test]
fn exact_bytes() {
    let least = Entry::new(Micros(1_769_903_999_000_001), Kind::GateStart, "dublin-1");
    assert_eq!(least.encode().unwrap(), LEAST.as_bytes());
    let [a, one, two, three, four, five] =
        ["a".repeat(32), "1".repeat(64), "2".repeat(64), "3".repeat(64), "4".repeat(64), "5".repeat(64)];
    let text = format!(
        "{{\"classes\":[\"public\",\"personal\"],\"count\":{{\"bytes\":4096,\"rows\":3,\"state\":\"exact\"}},\
         \"decision\":\"permit\",\"detail\":\"{five}\",\"gate\":\"dublin-1\",\"key\":\"2026-01-31.access\",\
         \"kind\":\"access.release\",\"place\":\"IE\",\"policy\":\"{three}\",\"principal\":\"{one}\",\
         \"profile\":\"{four}\",\"request\":\"{two}\",\"session\":\"{a}\",\
         \"time\":\"2026-01-31T23:59:59.000001Z\",\"v\":1}}"
    );
    assert_eq!(String::from_utf8(full().encode().unwrap()).unwrap(), text);
    let checks = Some(Checks { pass: 120, fail: 1, unknown: 2 });
    let evidence = Entry { checks, kind: Kind::ResidencyEvidence, ..least.clone() };
    let said = LEAST.replace("gate.start", "residency.evidence");
    let text = said.replacen('{', "{\"checks\":{\"fail\":1,\"pass\":120,\"unknown\":2},", 1);
    assert_eq!(String::from_utf8(evidence.encode().unwrap()).unwrap(), text);
    for entry in [least, full(), evidence] {
        let bytes = entry.encode().unwrap();
        assert_eq!(direct::read(&bytes).as_ref(), Some(&entry));
        assert_eq!(Entry::parse_any(&bytes), Ok(entry));
        // The hand-written order is the one that RFC 8785 asks for.
        assert!(json::parse_canonical(&bytes).is_ok());
    }
}

#[test]
fn kinds() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert!(kind.as_str().split_once('.').is_some());
    }
    for name in ["", "gate", "gate.Start", "GateStart", "grant.made"] {
        assert_eq!(Kind::parse(name), None, "{name}");
    }
}

#[test]
fn counts_of_checks_are_whole_and_of_evidence_alone() {
    for checks in ["{}", "{\"fail\":0,\"pass\":1}", "{\"fail\":0,\"more\":1,\"pass\":1,\"unknown\":0}"] {
        let text = LEAST.replace("gate.start", "residency.evidence");
        let text = text.replacen('{', &format!("{{\"checks\":{checks},"), 1);
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
    let checks = Some(Checks { pass: 1 << 53, ..Checks::default() });
    let evidence = Entry::new(Micros(0), Kind::ResidencyEvidence, "dublin-1");
    assert!(Entry { checks, ..evidence }.encode().is_err());
    assert!(Entry { checks: Some(Checks::default()), ..full() }.encode().is_err());
}

/// The least entry with one field set; `Null` takes it away.
fn with(field: &str, value: Value) -> String {
    let mut entry: Value = serde_json::from_str(LEAST).unwrap();
    let fields = entry.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value);
    }
    json::canonical(&entry).unwrap()
}

#[test]
fn what_is_refused() {
    for (field, value) in [
        ("v", json!(2)),
        ("v", json!("1")),
        ("v", Value::Null),
        ("gate", Value::Null),
        ("gate", json!("")),
        ("gate", json!("a\nb")),
        ("gate", json!("x".repeat(129))),
        ("time", json!("2026-01-31T23:59:59Z")),
        ("time", json!(0)),
        ("kind", json!("gate.started")),
        ("session", json!("A".repeat(32))),
        ("session", json!("a".repeat(31))),
        ("principal", json!("aoife")),
        ("request", json!("")),
        ("policy", json!("3".repeat(63))),
        ("profile", json!("g".repeat(64))),
        ("detail", json!("5".repeat(66))),
        ("place", json!("ie")),
        ("place", json!("IRL")),
        ("decision", json!("allow")),
        ("classes", json!([])),
        ("classes", json!(["public", "public"])),
        ("classes", json!(["Public"])),
        ("classes", json!("public")),
        ("count", json!({"rows": 1, "bytes": 1})),
        ("count", json!({"rows": 1, "bytes": 1, "state": "about"})),
        ("count", json!({"rows": -1, "bytes": 1, "state": "exact"})),
        ("count", json!({"rows": 1, "bytes": 1, "state": "exact", "more": 1})),
        ("key", json!("2026-01-31")),
        ("key", json!("2026-01-31.")),
        ("key", json!("20260131.access")),
        ("extra", json!(1)),
    ] {
        let text = with(field, value);
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
    for text in [
        format!("{LEAST}\n"),
        format!(" {LEAST}"),
        LEAST.replace(":1}", ": 1}"),
        LEAST.replace("gate.start", "gate.\\u0073tart"),
        LEAST.replace("\"v\":1", "\"session\":null,\"v\":1"),
        LEAST.replace("{\"gate\":\"dublin-1\",", "{\"gate\":\"dublin-1\",\"gate\":\"dublin-1\","),
        LEAST.replace("{\"gate\":\"dublin-1\",", "{").replace("\"v\"", "\"gate\":\"dublin-1\",\"v\""),
        "[]".to_owned(),
        String::new(),
    ] {
        assert!(Entry::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(
        Entry::parse(&vec![b' '; ENTRY_BYTES_MAX + 1]),
        Err(EntryError::TooLong { got: ENTRY_BYTES_MAX + 1 })
    );
    let beyond = Count { state: CountState::Total, rows: 1 << 53, bytes: 0 };
    assert!(Entry { count: Some(beyond), ..full() }.encode().is_err());
    assert!(Entry { time: Micros(i64::MAX), ..full() }.encode().is_err());
}

proptest! {
    #[test]
    fn written_is_read_back(
        time in -62_167_219_200_000_000i64..253_402_300_800_000_000,
        kind in prop::sample::select(Kind::ALL.as_slice()),
        gate in "[^\\p{C}]{1,32}",
        session in prop::option::of("[0-9a-f]{32}"),
        count in prop::option::of((0u64..1 << 53, 0u64..1 << 53)),
    ) {
        let count = count.map(|(rows, bytes)| Count { state: CountState::Window, rows, bytes });
        let entry = Entry { session, count, ..Entry::new(Micros(time), kind, &gate) };
        let bytes = entry.encode().unwrap();
        prop_assert_eq!(Entry::parse_any(&bytes), Ok(entry.clone()));
        let plain = !gate.contains(['"', '\\']);
        prop_assert_eq!(direct::read(&bytes), plain.then(|| entry.clone()));
        prop_assert_eq!(Entry::parse(&bytes), Ok(entry));
        prop_assert!(json::parse_canonical(&bytes).is_ok());
    }

    /// One flipped bit makes another entry or none; what is still read is still canonical.
    #[test]
    fn altered_bytes_are_refused_or_canonical(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = full().encode().unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        if let Ok(entry) = Entry::parse(&bytes) {
            prop_assert_eq!(entry.encode().unwrap(), bytes);
        }
    }

    /// What is read the short way is what is read the long way, whatever is cut out, doubled or moved.
    #[test]
    fn both_ways_of_reading_are_one(
        from in any::<prop::sample::Index>(),
        length in 0usize..40,
        to in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = full().encode().unwrap();
        let start = from.index(bytes.len());
        let end = (start + length).min(bytes.len());
        let piece = bytes[start..end].to_vec();
        if cut {
            bytes.drain(start..end);
        }
        let at = to.index(bytes.len() + 1);
        bytes.splice(at..at, piece);
        if let Some(entry) = direct::read(&bytes) {
            prop_assert_eq!(Entry::parse_any(&bytes), Ok(entry));
        }
    }
}
