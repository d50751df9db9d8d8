//! Lines as they should be read, and what is written read again.

mod spelt;

use std::borrow::Cow;
use std::net::IpAddr;

use proptest::option::of;
use proptest::prelude::*;
use risk::{Act, Action, Finding, Kind, Network, Outcome, Place, Why};
use serde_json::{Value, json};

use super::*;
use crate::login::{Login, TIME_MS_MAX};

/// The smallest event of authentication that has everything it needs, with some keys over it.
fn line(over: Value) -> String {
    let mut event = json!({
        "class_uid": 3002, "activity_id": 1, "time": 1_700_000_000_000_i64, "status_id": 1,
        "user": { "name": "ana" }, "service": { "name": "vpn" },
    });
    let (Some(event), Value::Object(over)) = (event.as_object_mut(), over) else { panic!("objects") };
    for (key, value) in over {
        if value.is_null() {
            event.remove(&key)
        } else {
            event.insert(key, value)
        };
    }
    json!(event).to_string()
}

fn ana() -> Login<'static> {
    let mut ana = Login::new(1_700_000_000_000, "ana", Act::Logon, Outcome::Success);
    ana.target = Some("vpn".into());
    ana
}

/// A line reads as a login.
fn check(over: Value, wanted: impl FnOnce(&mut Login<'static>)) {
    let line = line(over);
    let mut expected = ana();
    wanted(&mut expected);
    match read(line.as_bytes()) {
        Ok(Some(read)) => assert_eq!(read, expected, "{line}"),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_is_there_is_read() {
    check(json!({}), |_| {});
    check(json!({ "service": null }), |of| of.target = None);
    check(json!({ "activity_id": 2 }), |of| of.act = Act::Logoff);
    check(json!({ "activity_id": 3 }), |_| {});
    check(json!({ "activity_id": 5 }), |of| of.act = Act::Reuse);
    check(json!({ "activity_id": 99, "activity_name": "prompt" }), |of| of.act = Act::Prompt);
    check(json!({ "activity_id": 99, "activity_name": "Impersonate" }), |_| {});
    check(json!({ "class_uid": null, "type_uid": 300_201 }), |_| {});
    check(json!({ "time": null, "time_dt": "2023-11-14T22:13:20Z" }), |_| {});
    check(json!({ "time": null, "time_dt": "2023-11-14T23:13:20.000+01:00" }), |_| {});
    check(json!({ "user": { "name": "ana", "uid": "7", "email_addr": "a@b.example" } }), |_| {});
    check(json!({ "user": { "name": "", "uid": 7 } }), |of| of.user = "7".into());
    check(json!({ "user": { "email_addr": "a@b.example" } }), |of| of.user = "a@b.example".into());
    check(json!({ "user": { "name": "ana", "groups": [{ "name": "ops" }, { "name": "all" }] } }), |of| {
        of.group = Some("ops".into());
    });
    check(
        json!({ "user": { "name": "ana", "groups": [], "org": { "name": "Ex", "ou_name": "Sales" } } }),
        |of| {
            of.group = Some("Sales".into());
        },
    );
    check(json!({ "user": { "name": "a\"n\u{e4}" } }), |of| of.user = "a\"n\u{e4}".into());
    check(json!({ "is_mfa": true }), |of| of.is_mfa = true);
    check(json!({ "auth_factors": [{ "factor_type_id": 11 }] }), |_| {});
    check(json!({ "auth_factors": [{ "factor_type_id": 11 }, { "factor_type_id": 7 }] }), |of| {
        of.is_mfa = true;
    });
    check(json!({ "session": { "uid": "s1", "is_mfa": true } }), |of| {
        of.session = Some("s1".into());
        of.is_mfa = true;
    });
    check(json!({ "http_request": { "user_agent": "curl/8" } }), |of| of.agent = Some("curl/8".into()));
    check(json!({ "metadata": { "uid": "e1", "version": "1.1.0" } }), |of| of.id = Some("e1".into()));
    check(json!({ "unmapped": { "rtt_ms": 35.5, "network": "mobile" } }), |of| {
        of.rtt_ms = Some(35.5);
        of.place.network = Network::Mobile;
    });
    check(json!({ "service": null, "dst_endpoint": { "ip": "10.0.0.1", "hostname": "db" } }), |of| {
        of.target = Some("db".into());
    });
    check(json!({ "device": { "uid": "d1", "type_id": 5 } }), |of| of.host = Some("d1".into()));
}

#[test]
fn where_it_came_from_is_read() {
    let from = |endpoint: Value, wanted: fn(&mut Login<'static>)| {
        check(json!({ "src_endpoint": endpoint }), wanted);
    };
    from(json!({}), |_| {});
    from(json!({ "ip": "" }), |_| {});
    from(json!({ "ip": "203.0.113.7" }), |of| of.ip = "203.0.113.7".parse().ok());
    from(json!({ "ip": "2001:db8::1", "port": 4 }), |of| of.ip = "2001:db8::1".parse().ok());
    from(json!({ "ip": "::ffff:203.0.113.7" }), |of| of.ip = "203.0.113.7".parse().ok());
    from(json!({ "hostname": "lap1", "uid": "x" }), |of| of.host = Some("lap1".into()));
    from(json!({ "location": { "country": "de" } }), |of| of.place.country = Some(*b"DE"));
    from(json!({ "location": { "lat": 48.5, "long": 9.0 } }), |of| of.place.point = Some((48.5, 9.0)));
    from(json!({ "location": { "coordinates": [9.0, 48.5] } }), |of| of.place.point = Some((48.5, 9.0)));
    from(json!({ "autonomous_system": { "number": 3320, "name": "DTAG" } }), |of| {
        of.place.asn = Some(3320);
    });
}

#[test]
fn a_failure_says_why() {
    let failed = |over: Value, wanted: Why| {
        let mut over = over;
        over["status_id"] = json!(2);
        check(over, |of| of.outcome = Outcome::Failure(wanted));
    };
    failed(json!({}), Why::Other);
    failed(json!({ "status_detail": "USER_DOES_NOT_EXIST" }), Why::UnknownUser);
    failed(json!({ "status_detail": "INVALID_CREDENTIALS" }), Why::Password);
    failed(json!({ "status_detail": "ACCOUNT_LOCKED_OUT" }), Why::Locked);
    failed(json!({ "status_detail": "PASSWORD_EXPIRED" }), Why::Other);
    failed(json!({ "status_code": "0xC0000064" }), Why::UnknownUser);
    failed(json!({ "status_code": "0xc000006a" }), Why::Password);
    failed(json!({ "status_code": "0x18" }), Why::Password);
    failed(json!({ "status_code": 50126 }), Why::Password);
    failed(json!({ "status_code": "AADSTS500121" }), Why::Factor);
    failed(json!({ "status_code": "0x0", "status_detail": "Bad password." }), Why::Password);
    failed(json!({ "status_detail": "MFA denied; user declined the authentication" }), Why::Factor);
    failed(json!({ "status_detail": "Unknown user name or bad password." }), Why::Password);
    failed(json!({ "message": "The specified user account has expired." }), Why::Locked);
    failed(json!({ "message": "User account is locked" }), Why::Locked);
    check(json!({ "status_id": 0 }), |of| of.outcome = Outcome::Unknown);
    check(json!({ "status_id": null }), |of| of.outcome = Outcome::Unknown);
    check(json!({ "status_id": null, "status": "success" }), |_| {});
    check(json!({ "status_id": null, "status": "Failure" }), |of| of.outcome = Outcome::Failure(Why::Other));
}

#[test]
fn changes_of_an_account_are_read_and_other_classes_passed_over() {
    let change = |class: u32, activity: u32, act| {
        check(json!({ "class_uid": class, "activity_id": activity, "service": null }), |of| {
            of.act = act;
            of.target = None;
        });
    };
    change(3001, 3, Act::PasswordChange);
    change(3001, 4, Act::PasswordChange);
    change(3001, 10, Act::FactorChange);
    change(3001, 11, Act::FactorChange);
    change(3007, 9, Act::PasswordChange);
    change(3007, 12, Act::FactorChange);
    for (class, activity) in
        [(3001, 1), (3001, 7), (3001, 8), (3001, 99), (3007, 3), (3004, 3), (4001, 1), (2004, 1)]
    {
        let line = line(json!({ "class_uid": class, "activity_id": activity, "user": null }));
        assert_eq!(read(line.as_bytes()), Ok(None), "{line}");
    }
}

#[test]
fn what_is_wrong_is_named_by_its_key() {
    let wrong = |over: Value, key: &str, why: &str| {
        let line = line(over);
        match read(line.as_bytes()) {
            Err(wrong) => assert!(wrong.key == key && wrong.why.contains(why), "{line}: {wrong:?}"),
            other => panic!("{line}: {other:?}"),
        }
    };
    wrong(json!({ "class_uid": null }), "class_uid", "missing");
    wrong(json!({ "class_uid": "Authentication" }), "class_uid", "no number");
    wrong(json!({ "time": null }), "time", "missing");
    wrong(json!({ "time": "yesterday" }), "time", "no number");
    wrong(json!({ "time": [1_700_000_000_000_i64] }), "time", "no number");
    wrong(json!({ "time": -1 }), "time", "milliseconds since 1970");
    wrong(json!({ "time": 1_700_000_000_000_000_i64 }), "time", "milliseconds since 1970");
    wrong(json!({ "time": 600_000_000_000_i64 }), "time", "milliseconds since 1970");
    wrong(json!({ "time": null, "time_dt": "yesterday" }), "time_dt", "RFC 3339");
    wrong(json!({ "time": null, "time_dt": "1980-01-01T00:00:00Z" }), "time_dt", "since 1990");
    wrong(json!({ "user": null }), "user", "name");
    wrong(json!({ "user": { "name": "" } }), "user", "name");
    wrong(json!({ "user": { "name": ["ana"] } }), "user", "name");
    wrong(json!({ "user": ["ana"] }), "user", "name");
    for text in ["", "{", "[]", "null", "nonsense", "{\"class_uid\":3002,\"class_uid\":3002}"] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(read(b"{\"user\":\"\xff\"}").is_err());
}

#[test]
fn an_error_shows_no_control_characters() {
    let line = line(json!({ "time": null, "time_dt": "\u{1b}[2J".repeat(100) }));
    let wrong = read(line.as_bytes()).unwrap_err();
    assert!(!wrong.why.contains('\u{1b}') && wrong.why.len() < 500, "{wrong:?}");
}

#[test]
fn lines_are_read_quickly_unless_there_is_something_about_them() {
    let is_quick = |text: &str| both(text).0.is_some();
    assert!(is_quick(&line(
        json!({ "unmapped": { "a": [1, -2.5e-3, { "b": [] }], "rtt_ms": 3 }, "session": null })
    )));
    assert!(is_quick(&serde_json::to_string_pretty(&json!({ "class_uid": 3002, "x": {} })).unwrap()));
    for text in [
        "{\"time\":1,\"time\":1}",
        "{\"time\":null,\"time\":1}",
        "{\"time\":-0}",
        "{\"time\":01}",
        "{\"time\":1.0}",
        "{\"x\":\"\\n\"}",
        "{\"x\":\"\u{1}\"}",
        "{\"x\":1,}",
        "{\"x\":[1,]}",
        "{\"x\":tru}",
        "{\"x\":1}x",
        "{\"x\":1",
        "{\"x\"",
    ] {
        assert!(!is_quick(text), "{text}");
    }
}

#[test]
fn strings_are_borrowed_unless_escaped() {
    let line = line(json!({ "user": { "name": "ana" }, "session": { "uid": "a\tb" } }));
    let login = read(line.as_bytes()).unwrap().unwrap();
    assert!(matches!(login.user, Cow::Borrowed(_)));
    assert!(matches!(login.target, Some(Cow::Borrowed(_))));
    assert!(matches!(login.session, Some(Cow::Owned(_))));
}

/// What is in `unmapped.label`, or anywhere else that is no field of a login, changes nothing.
#[test]
fn labels_are_not_read() {
    let plain = line(json!({ "unmapped": { "rtt_ms": 12.0 } }));
    let plain = read(plain.as_bytes()).unwrap();
    for label in [json!("legitimate"), json!("spray-7"), json!(7), json!({ "kind": "spray" }), json!(["a"])] {
        let labelled = line(json!({
            "unmapped": { "label": label, "rtt_ms": 12.0 }, "label": label, "metadata": { "labels": [label] },
        }));
        assert_eq!(read(labelled.as_bytes()).unwrap(), plain, "{labelled}");
    }
}

/// Keys that every event of the schema has, with values that belong together.
fn check_schema(event: &Value) {
    let number = |key: &str| event[key].as_u64().unwrap_or_else(|| panic!("{key} in {event}"));
    assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
    assert_eq!(number("category_uid"), number("class_uid") / 1000);
    assert!(number("severity_id") <= 6 && event["time"].is_i64());
    assert!(number("status_id") <= 4);
    assert_eq!(event["metadata"]["version"], SCHEMA);
    assert!(event["metadata"]["product"]["name"].is_string());
}

#[test]
fn findings_are_events_of_the_schema() {
    for kind in Kind::ALL {
        for (is_new, action, successes) in [(true, Action::Throttle, 0), (false, Action::Revoke, 3)] {
            let found = Finding {
                kind,
                id: u64::MAX,
                is_new,
                since_ms: 1_000,
                attempts: 7,
                users: 5,
                sources: 2,
                successes,
                action,
            };
            let event = finding(&found, 9_000);
            check_schema(&event);
            assert_eq!(event["class_uid"], 2004);
            assert_eq!(event["activity_id"], if is_new { 1 } else { 2 });
            assert_eq!(event["finding_info"]["uid"], "ffffffffffffffff");
            assert_eq!(event["finding_info"]["types"], json!([kind.word()]));
            assert_eq!(event["unmapped"]["action"], action.word());
            assert_eq!(event["evidences"][0]["data"]["successes"], successes);
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let why = [Why::UnknownUser, Why::Password, Why::Factor, Why::Locked, Why::Other];
    prop_oneof![
        Just(Outcome::Success),
        Just(Outcome::Unknown),
        proptest::sample::select(why.to_vec()).prop_map(Outcome::Failure),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let acts = [Act::Logon, Act::Logoff, Act::Reuse, Act::Prompt, Act::PasswordChange, Act::FactorChange];
    proptest::sample::select(acts.to_vec())
}

fn text() -> impl Strategy<Value = Option<Cow<'static, str>>> {
    of("\\PC{1,20}|[a-z\"\\\\\u{1}\n]{1,9}".prop_map(Cow::Owned))
}

fn place() -> impl Strategy<Value = Place> {
    (
        of(proptest::array::uniform2(b'A'..=b'Z')),
        of(any::<u32>()),
        of((-90f32..=90.0, -180f32..=180.0)),
        proptest::sample::select(Network::ALL.to_vec()),
    )
        .prop_map(|(country, asn, point, network)| Place { country, asn, point, network })
}

/// Logins that their class has every field for.
pub fn login() -> impl Strategy<Value = Login<'static>> {
    let what =
        (631_152_000_000..=TIME_MS_MAX, act(), outcome(), text().prop_filter_map("a user", |user| user));
    let whence = (of(any::<IpAddr>()), place(), text(), text(), of(0f32..1e6));
    (what, whence, text(), text(), text(), text(), any::<bool>()).prop_map(
        |((time_ms, act, outcome, user), whence, target, session, group, id, is_mfa)| {
            let (ip, place, agent, host, rtt_ms) = whence;
            let mut login = Login::new(time_ms, user, act, outcome);
            login.ip = ip.map(|ip| ip.to_canonical());
            (login.place, login.agent, login.host) = (place, agent, host);
            (login.session, login.group, login.id) = (session, group, id);
            if !matches!(act, Act::PasswordChange | Act::FactorChange) {
                (login.target, login.rtt_ms, login.is_mfa) = (target, rtt_ms, is_mfa);
            }
            login
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_reads_the_same(login in login(), label in of("\\PC{0,9}")) {
        let product = Product::new("tests", "Trefoil");
        let mut line = Vec::new();
        match &label {
            None => write(&mut line, &login.event(), &login.aside, &product).unwrap(),
            Some(label) => write_labelled(&mut line, &login.event(), &product, Told { label, trap: None }).unwrap(),
        }
        prop_assert_eq!(line.pop(), Some(b'\n'));
        prop_assert!(!line.contains(&b'\n'));
        let event: Value = serde_json::from_slice(&line).unwrap();
        check_schema(&event);
        prop_assert!(event["class_uid"] != AUTHENTICATION || event["service"]["name"].is_string());
        prop_assert_eq!(event["unmapped"]["label"].as_str(), label.as_deref());
        prop_assert_eq!(read(&line), Ok(Some(login)));
    }

    /// Of lines that were written, as they are and with a piece of them exchanged for something else.
    #[test]
    fn the_quick_reader_reads_what_the_other_reads(
        login in login(),
        (from, length) in (0_usize..900, 0_usize..12),
        piece in "[\\]\\[{}:,\"\\\\ 0-9a-z.-]{0,4}|null|true|-0|1e5|\"name\":|\"time\":7,",
        is_broken in any::<bool>(),
    ) {
        let mut line = Vec::new();
        write(&mut line, &login.event(), &login.aside, &Product::new("tests", "Trefoil")).unwrap();
        let mut line = String::from_utf8(line).unwrap();
        if is_broken {
            let chars: Vec<char> = line.chars().collect();
            let (from, to) = (from.min(chars.len()), (from + length).min(chars.len()));
            line = chars[..from].iter().copied().chain(piece.chars()).chain(chars[to..].iter().copied()).collect();
        }
        let (quick, slow) = both(&line);
        if let Some(quick) = quick {
            prop_assert_eq!(quick, slow, "{}", line);
        }
    }

    #[test]
    fn no_line_ends_the_reader(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&line);
    }
}
