//! The same thing as different sources spell it.

use risk::{Act, Outcome, Why};
use serde_json::{Value, json};

use super::{check, line, read};
use crate::login::Login;

const FACTOR: Outcome = Outcome::Failure(Why::Factor);

/// What an event with these keys is, by a part of it.
fn part<T: PartialEq + std::fmt::Debug>(over: Value, of: fn(&Login<'_>) -> T, wanted: T) {
    let line = line(over);
    match read(line.as_bytes()) {
        Ok(Some(login)) => assert_eq!(of(&login), wanted, "{line}"),
        other => panic!("{line}: {other:?}"),
    }
}

/// An event with these keys is a logon or prompt of this outcome, whatever else it is.
fn ends(over: Value, act: Act, outcome: Outcome) {
    let is_mfa = over["is_mfa"] == true || over["auth_factors"].as_array().is_some_and(|all| all.len() > 1);
    check(over, |of| (of.act, of.outcome, of.is_mfa) = (act, outcome, is_mfa));
}

fn failed(mut over: Value, why: Why) {
    over["status_id"] = json!(2);
    ends(over, Act::Logon, Outcome::Failure(why));
}

#[test]
fn a_second_factor_that_failed_is_known_by_its_words() {
    for said in [
        "MFA denied by user",
        "MFA timed out",
        "User declined push",
        "No response to push",
        "Push notification rejected",
        "Push notification expired",
        "PUSH_DENIED",
        "PUSH_TIMEOUT",
        "MFA_TIMEOUT",
        "user.mfa.okta_verify.deny_push",
        "2FA prompt denied",
        "OTP code invalid",
        "Invalid TOTP",
        "One-time password incorrect",
        "One-time password expired",
        "Wrong passcode",
        "Second factor rejected",
        "Authenticator approval denied",
        "Approval timed out",
        "Verification failed",
        "Declined",
        "Denied by user",
        "Duo: no answer",
        "FIDO2 assertion failed",
        "WebAuthn failure",
        "Authentication failed during strong authentication request.",
    ] {
        failed(json!({ "status_detail": said }), Why::Factor);
        failed(json!({ "message": said, "is_mfa": false }), Why::Factor);
        failed(json!({ "status_detail": said, "is_mfa": true }), Why::Factor);
    }
}

#[test]
fn a_failure_at_a_second_factor_is_that_ones_unless_something_else_is_named() {
    let push = json!([{ "factor_type": "Push Notification", "factor_type_id": 5 }]);
    let both = json!([{ "factor_type_id": 11 }, { "factor_type_id": 7 }]);
    let spelt = json!([{ "factor_type": "Password", "factor_type_id": 9 }, { "factor_type": "Push" }]);
    for at in [
        json!({ "is_mfa": true }),
        json!({ "auth_factors": push }),
        json!({ "auth_factors": both }),
        json!({ "auth_factors": spelt }),
        json!({ "auth_factors": [{ "factor_type": "One-time password" }] }),
    ] {
        for (said, why) in [
            (json!(null), Why::Factor),
            (json!("Authentication failed"), Why::Factor),
            (json!("Denied"), Why::Factor),
            (json!("Timed out"), Why::Factor),
            (json!("Access denied"), Why::Factor),
            (json!("Wrong password"), Why::Password),
            (json!("INVALID_CREDENTIALS"), Why::Password),
            (json!("PASSWORD_EXPIRED"), Why::Other),
            (json!("Account locked"), Why::Locked),
            (json!("User not found"), Why::UnknownUser),
        ] {
            let mut over = at.clone();
            over["status_detail"] = said;
            failed(over, why);
        }
    }
    for at in [
        json!({ "is_mfa": false }),
        json!({ "auth_factors": [] }),
        json!({ "auth_factors": [{ "factor_type": "Password", "factor_type_id": 11 }] }),
        json!({ "auth_factors": [{ "factor_type_id": 11 }] }),
        json!({ "auth_factors": [{ "factor_type_id": 0 }] }),
    ] {
        for (said, why) in [
            ("Authentication failed", Why::Other),
            ("Access denied", Why::Other),
            ("Password verification failed", Why::Password),
        ] {
            let mut over = at.clone();
            over["status_detail"] = json!(said);
            failed(over, why);
        }
    }
}

#[test]
fn a_prompt_is_known_by_its_name_or_by_what_is_said_of_no_outcome() {
    for name in
        ["Prompt", "MFA Challenge", "mfa_challenge_sent", "Push sent", "2FA", "Send OTP", "Second factor"]
    {
        for activity in [json!(99), json!(0), json!(null)] {
            let over = |status: u32, detail: Value| {
                json!({ "activity_id": activity, "activity_name": name, "status_id": status, "status_detail": detail,
                    "is_mfa": true })
            };
            ends(over(1, json!("push sent")), Act::Prompt, Outcome::Unknown);
            ends(over(1, json!("approved")), Act::Prompt, Outcome::Success);
            ends(over(1, json!(null)), Act::Prompt, Outcome::Success);
            ends(over(0, json!("push sent")), Act::Prompt, Outcome::Unknown);
            ends(over(2, json!("denied")), Act::Prompt, FACTOR);
            ends(over(2, json!(null)), Act::Prompt, FACTOR);
        }
    }
    for (status, is_mfa, detail, act, outcome) in [
        (json!(99), true, json!("MFA challenge denied"), Act::Logon, FACTOR),
        (json!(99), true, json!("timeout"), Act::Logon, FACTOR),
        (json!(0), false, json!("Push notification timed out"), Act::Logon, FACTOR),
        (json!(0), true, json!("MFA pending"), Act::Prompt, Outcome::Unknown),
        (json!(0), false, json!("MFA challenge"), Act::Prompt, Outcome::Unknown),
        (json!(null), false, json!("Push sent"), Act::Prompt, Outcome::Unknown),
        (json!(0), true, json!(null), Act::Prompt, Outcome::Unknown),
        (json!(99), true, json!(null), Act::Prompt, Outcome::Unknown),
        (json!(null), true, json!(null), Act::Logon, Outcome::Unknown),
        (json!(0), false, json!(null), Act::Logon, Outcome::Unknown),
        (json!(0), true, json!("MFA satisfied"), Act::Logon, Outcome::Unknown),
        (json!(0), false, json!("A challenge"), Act::Logon, Outcome::Unknown),
    ] {
        ends(json!({ "status_id": status, "is_mfa": is_mfa, "status_detail": detail }), act, outcome);
    }
}

#[test]
fn a_change_is_known_by_its_number_its_type_or_its_name() {
    let act = |over: Value, wanted: Act| part(over, |login| login.act, wanted);
    for (type_uid, wanted) in [
        (300_201, Act::Logon),
        (300_202, Act::Logoff),
        (300_205, Act::Reuse),
        (300_103, Act::PasswordChange),
        (300_104, Act::PasswordChange),
        (300_110, Act::FactorChange),
        (300_111, Act::FactorChange),
        (300_708, Act::PasswordChange),
        (300_713, Act::FactorChange),
    ] {
        act(json!({ "class_uid": null, "activity_id": null, "type_uid": type_uid }), wanted);
        act(json!({ "class_uid": type_uid / 100, "activity_id": null, "type_uid": type_uid }), wanted);
    }
    // A type of another class says nothing of this one.
    act(json!({ "activity_id": null, "type_uid": 300_102 }), Act::Logon);
    for (name, wanted) in [
        ("MFA Factor Added", Act::FactorChange),
        ("MFA Factor Removed", Act::FactorChange),
        ("MFA Factor Enable", Act::FactorChange),
        ("User registered security info", Act::FactorChange),
        ("User deleted security info", Act::FactorChange),
        ("Authenticator app enrolled", Act::FactorChange),
        ("Passkey registered", Act::FactorChange),
        ("Password Change", Act::PasswordChange),
        ("Change user password", Act::PasswordChange),
        ("Reset user password", Act::PasswordChange),
        ("Self-service password reset", Act::PasswordChange),
    ] {
        for class in [3001, 3002, 3007] {
            act(json!({ "class_uid": class, "activity_id": 99, "activity_name": name }), wanted);
        }
        act(
            json!({ "class_uid": 3001, "activity_id": 99, "activity_name": "Other", "message": name }),
            wanted,
        );
        act(json!({ "class_uid": 3004, "activity_id": 3, "message": name }), wanted);
    }
    for class in [3001, 3004, 3007] {
        let line = line(json!({ "class_uid": class, "activity_id": 99, "activity_name": "Rename" }));
        assert_eq!(read(line.as_bytes()), Ok(None), "{line}");
    }
}

#[test]
fn a_change_without_a_status_was_done() {
    let change = |status_id: Value, status: Value, wanted: Outcome| {
        let over = json!({ "class_uid": 3001, "activity_id": 10, "status_id": status_id, "status": status });
        part(over, |login| login.outcome, wanted);
    };
    change(json!(null), json!(null), Outcome::Success);
    change(json!(1), json!(null), Outcome::Success);
    change(json!(0), json!(null), Outcome::Unknown);
    change(json!(2), json!(null), Outcome::Failure(Why::Other));
    change(json!(null), json!("Failed"), Outcome::Failure(Why::Other));
}

#[test]
fn a_session_is_known_by_any_of_its_identifiers() {
    let session = |over: Value, wanted: Option<&str>| {
        let line = line(over);
        let login = read(line.as_bytes()).unwrap().unwrap();
        assert_eq!(login.session.as_deref(), wanted, "{line}");
    };
    for key in ["uid", "uuid", "uid_alt", "credential_uid"] {
        session(json!({ "session": { key: "s1" } }), Some("s1"));
        session(json!({ "session": { "uid": "", key: "s1" } }), Some("s1"));
        session(json!({ "actor": { "session": { key: "s1" } } }), Some("s1"));
        session(json!({ "session": {}, "actor": { "session": { key: "s1" } } }), Some("s1"));
    }
    session(json!({ "session": { "uid": "s1", "uuid": "s2", "uid_alt": "s3" } }), Some("s1"));
    session(json!({ "session": "s1" }), Some("s1"));
    session(json!({ "session": { "uid": 17 } }), Some("17"));
    let change = |actor: Value, wanted: Option<&str>| {
        session(json!({ "class_uid": 3001, "activity_id": 3, "actor": actor }), wanted);
    };
    change(json!({ "session": { "uid": "s1" } }), Some("s1"));
    change(json!({ "session": { "uid": "s1" }, "user": { "name": "Ana" } }), Some("s1"));
    change(json!({ "session": { "uid": "s1" }, "user": { "uid": "7" } }), Some("s1"));
    change(json!({ "session": { "uid": "s1" }, "user": { "name": "helpdesk" } }), None);
}

#[test]
fn who_uses_a_session_was_let_in_unless_it_says_otherwise_and_of_a_logon_nobody_knows() {
    for (activity, unsaid) in [(1, Outcome::Unknown), (5, Outcome::Success)] {
        let ended = |status: Value, detail: Value, wanted: Outcome| {
            let over = json!({
                "activity_id": activity, "status_id": status, "status_detail": detail, "session": { "uid": "s1" },
            });
            part(over, |login| login.outcome, wanted);
        };
        for status in [json!(0), json!(99), json!(null), json!(3)] {
            ended(status.clone(), json!(null), unsaid);
            ended(status.clone(), json!("Token refreshed"), unsaid);
            ended(status.clone(), json!("Token expired"), Outcome::Failure(Why::Other));
            ended(status, json!("MFA denied"), FACTOR);
        }
        ended(json!(2), json!(null), Outcome::Failure(Why::Other));
    }
    for (status, wanted) in [("Succeeded", Outcome::Success), ("Denied", Outcome::Failure(Why::Other))] {
        part(json!({ "status_id": 99, "status": status }), |login| login.outcome, wanted);
    }
}

#[test]
fn an_optional_field_of_another_kind_loses_itself_alone() {
    for key in [
        "status",
        "status_code",
        "status_detail",
        "message",
        "src_endpoint",
        "dst_endpoint",
        "device",
        "http_request",
        "session",
        "actor",
        "metadata",
        "is_mfa",
        "auth_factors",
        "unmapped",
        "activity_name",
        "time_dt",
        "type_uid",
    ] {
        for value in [json!([]), json!([1]), json!(true), json!({ "x": [1] }), json!(null), json!(1.5)] {
            let over = json!({ key: value });
            if (key, &over[key]) != ("is_mfa", &json!(true)) {
                check(over, |_| {});
            }
        }
    }
    for endpoint in [
        json!({ "ip": "203.0.113" }),
        json!({ "ip": true }),
        json!({ "ip": {} }),
        json!({ "location": "Berlin" }),
        json!({ "location": { "country": "Germany" } }),
        json!({ "location": { "country": "QQQ" } }),
        json!({ "location": { "country": 49 } }),
        json!({ "location": { "lat": 91, "long": 0 } }),
        json!({ "location": { "lat": "north", "long": 0 } }),
        json!({ "location": { "coordinates": [1] } }),
        json!({ "location": { "coordinates": [1, 2, 3] } }),
        json!({ "location": { "coordinates": { "lat": 1 } } }),
        json!({ "autonomous_system": 3320 }),
        json!({ "autonomous_system": { "number": "DTAG" } }),
        json!({ "autonomous_system": { "number": -1 } }),
    ] {
        check(json!({ "src_endpoint": endpoint }), |_| {});
    }
    check(json!({ "unmapped": { "rtt_ms": -1, "network": "dial-up" } }), |_| {});
    check(json!({ "unmapped": { "rtt_ms": "fast", "network": 7 } }), |_| {});
    check(json!({ "unmapped": { "rtt_ms": 1e40 } }), |_| {});
    check(json!({ "is_mfa": "maybe" }), |_| {});
    check(json!({ "user": { "name": "ana", "groups": "ops", "org": 7 } }), |_| {});
}

#[test]
fn values_are_read_as_they_are_meant() {
    for time in [
        json!(1_700_000_000_000.0),
        json!("1700000000000"),
        json!(1_700_000_000),
        json!("1700000000"),
        json!(1_700_000_000.0),
        json!("2023-11-14T22:13:20Z"),
    ] {
        check(json!({ "time": time }), |_| {});
    }
    check(json!({ "time": 1_700_000_000.25 }), |of| of.time_ms = 1_700_000_000_250);
    check(json!({ "time": "2023-11-14", "time_dt": "2023-11-14T22:13:20Z" }), |_| {});
    check(json!({ "class_uid": "3002", "activity_id": "1", "status_id": "1" }), |_| {});
    check(json!({ "user": "ana" }), |_| {});
    check(json!({ "service": "vpn" }), |_| {});
    check(json!({ "user": { "name": "ana", "groups": ["ops"] } }), |of| of.group = Some("ops".into()));
    for (said, wanted) in [("true", true), ("True", true), ("1", true), ("false", false), ("no", false)] {
        check(json!({ "is_mfa": said }), |of| of.is_mfa = wanted);
    }
    for asn in [json!("3320"), json!("AS3320"), json!("AS 3320"), json!(3320.0)] {
        let over = json!({ "src_endpoint": { "autonomous_system": { "number": asn } } });
        part(over, |login| login.place.asn, Some(3320));
    }
    for (said, wanted) in [("DE", *b"DE"), ("deu", *b"DE"), ("USA", *b"US"), ("FRA", *b"FR"), ("ZWE", *b"ZW")]
    {
        let over = json!({ "src_endpoint": { "location": { "country": said } } });
        part(over, |login| login.place.country, Some(wanted));
    }
    let over = json!({ "src_endpoint": { "location": { "lat": "48.5", "long": "9" } } });
    part(over, |login| login.place.point, Some((48.5, 9.0)));
    part(json!({ "unmapped": { "rtt_ms": "35.5" } }), |login| login.rtt_ms, Some(35.5));
    for (said, wanted) in [
        ("203.0.113.7:51234", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ] {
        part(json!({ "src_endpoint": { "ip": said } }), |login| login.ip, wanted.parse().ok());
        part(json!({ "src_endpoint": said }), |login| login.ip, wanted.parse().ok());
    }
}

#[test]
fn a_host_is_a_workstation_that_stands_for_the_client() {
    const AGENT: Option<&str> = Some("Mozilla/5.0");
    let host = |agent: Option<&str>, endpoint: Value, device: Value, wanted: Option<&str>| {
        let line = line(json!({
            "src_endpoint": endpoint, "device": device, "http_request": { "user_agent": agent },
        }));
        let login = read(line.as_bytes()).unwrap().unwrap();
        assert_eq!(login.host.as_deref(), wanted, "{line}");
    };
    let named = |name: &str| json!({ "ip": "203.0.113.7", "hostname": name });
    host(None, named("LAP-17"), json!(null), Some("LAP-17"));
    host(AGENT, named("LAP-17"), json!(null), None);
    host(AGENT, json!({ "ip": "203.0.113.7", "uid": "3f", "name": "x" }), json!(null), None);
    for name in [
        "203.0.113.7",
        "198.51.100.1",
        "host-203-0-113-7.isp.example",
        "7.113.0.203.in-addr.arpa",
        "ip203.0.113.7.dyn.example",
        "dyn-203-000-113-007.example",
        "cb007107.isp.example",
        "pCB007107.dip.example",
    ] {
        host(None, named(name), json!(null), None);
        host(None, json!({ "ip": "203.0.113.7", "hostname": name, "uid": "W7" }), json!(null), Some("W7"));
    }
    for name in ["pc-203-0-113-8", "srv-7", "113.example", "LAP-203-7"] {
        host(None, named(name), json!(null), Some(name));
    }
    let six = |name: &str| json!({ "ip": "2001:db8::a:b:c:d", "hostname": name });
    host(None, six("2001-db8--a-b-c-d.isp.example"), json!(null), None);
    host(None, six("h000a000b000c000d.isp.example"), json!(null), None);
    host(None, six("LAP-17"), json!(null), Some("LAP-17"));
    for (kind, with_agent, without) in [
        (json!(2), Some("d1"), Some("d1")),
        (json!(5), Some("d1"), Some("d1")),
        (json!(1), None, None),
        (json!(6), None, Some("d1")),
        (json!(null), None, Some("d1")),
    ] {
        host(AGENT, json!({}), json!({ "uid": "d1", "name": "x", "type_id": kind }), with_agent);
        host(None, json!({}), json!({ "uid": "d1", "name": "x", "type_id": kind }), without);
    }
}
