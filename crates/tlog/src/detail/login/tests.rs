//! What a login's details may say, and which of the three a detail is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use serde_json::{Value, json};

use super::*;

fn judged() -> Value {
    json!({
        "score": "4.250", "action": "step_up",
        "reasons": [{ "term": "place", "log_odds": "4.250", "observed": "SG", "expected": "0.00 of logins" }],
        "findings": [{
            "kind": "spray", "id": "00000000000000a1", "since": "2026-03-01T12:00:00.000000Z", "attempts": 30,
            "users": 30, "sources": 1, "successes": 0, "action": "block",
        }],
    })
}

fn own() -> Value {
    json!({
        "principal": "aoife", "listener": "ireland", "address": "192.0.2.7", "proof": "held", "confirmed": false,
        "observed": false, "judged": judged(),
    })
}

fn handed() -> Value {
    json!({
        "watch": "vpn", "sequence": 7,
        "logins": [{ "user": "aoife", "time": "2026-03-01T12:00:00.000000Z", "succeeded": true, "judged": judged() }],
    })
}

fn responded() -> Value {
    json!({
        "response": {
            "id": "00000000000000a1", "kind": "block", "source": "192.0.2.7", "since": "2026-03-01T12:00:00.000000Z",
            "until": "2026-03-01T13:00:00.000000Z", "because": "spray",
        },
        "change": "begun",
    })
}

type Change = fn(&mut Value);

#[test]
fn a_judged_detail_is_one_of_three() {
    let failed = json!({
        "principal": "aoife", "listener": "ireland", "stage": "login", "rule": "authentication", "sentence": "no",
    });
    let read = |value: Value| serde_json::from_value::<LoginJudged>(value);
    assert!(matches!(read(failed).unwrap(), LoginJudged::Refused(_)));
    assert!(matches!(read(handed()).unwrap(), LoginJudged::Handed(_)));
    let LoginJudged::Own(own_login) = read(own()).unwrap() else { panic!("not a login of its own") };
    assert_eq!(
        crate::json::canonical_of(&own_login),
        crate::json::canonical(&own()),
        "written as it is read"
    );
    let mut more = own();
    more["password"] = json!("secret");
    assert!(read(more).is_err(), "nothing lies in a detail that nobody looks at");
}

#[test]
fn a_gate_lets_in_what_it_judges_so() {
    // Proof, action, confirmed, observed: let in.
    let cases = [
        ("held", "step_up", false, false, false),
        ("held", "step_up", true, false, true),
        ("held", "throttle", true, false, true),
        ("held", "block", true, false, false),
        ("held", "revoke", true, false, false),
        ("held", "revoke", false, true, true),
        ("held", "allow", false, false, true),
        ("failed", "allow", true, true, false),
        ("unknown", "step_up", true, true, false),
    ];
    for (proof, action, confirmed, observed, expected) in cases {
        let mut login = own();
        (login["proof"], login["confirmed"], login["observed"]) =
            (json!(proof), json!(confirmed), json!(observed));
        login["judged"]["action"] = json!(action);
        let login: JudgedLogin = serde_json::from_value(login).unwrap();
        assert_eq!(login.is_let_in(), expected, "{proof} {action} {confirmed} {observed}");
    }
}

#[test]
fn what_is_judged_is_whole_and_bounded() {
    let cases: [(&str, Change); 9] = [
        ("", |_| ()),
        ("a judgement is", |v| v["judged"]["score"] = json!("NaN")),
        ("a judgement is", |v| v["judged"]["reasons"] = json!([])),
        ("a judgement is", |v| v["judged"]["reasons"][0]["log_odds"] = json!("much")),
        ("a judgement is", |v| v["judged"]["reasons"][0]["observed"] = json!("x".repeat(600))),
        ("does not name a finding", |v| v["judged"]["findings"][0]["id"] = json!("a1")),
        ("does not name a finding", |v| v["judged"]["findings"][0]["since"] = json!("yesterday")),
        ("more than 64 findings", |v| {
            let one = v["judged"]["findings"][0].clone();
            v["judged"]["findings"] = json!(vec![one; 65]);
        }),
        ("a judgement is", |v| {
            let one = v["judged"]["reasons"][0].clone();
            v["judged"]["reasons"] = json!(vec![one; 33]);
        }),
    ];
    check(own, &cases, |value| serde_json::from_value::<LoginJudged>(value).unwrap().check());
    let cases: [(&str, Change); 7] = [
        ("", |_| ()),
        ("is not named", |v| v["watch"] = json!("")),
        ("neither a login", |v| v["logins"] = json!([])),
        ("is not a time", |v| v["logins"][0]["time"] = json!("noon")),
        ("the user is named", |v| v["logins"][0]["user"] = json!("")),
        ("the user is named", |v| v["logins"][0]["target"] = json!("x".repeat(600))),
        ("more than 512", |v| {
            let one = v["logins"][0].clone();
            v["logins"] = json!(vec![one; 513]);
        }),
    ];
    check(handed, &cases, |value| serde_json::from_value::<LoginJudged>(value).unwrap().check());
}

#[test]
fn a_response_has_a_source_a_reason_and_an_end() {
    let cases: [(&str, Change); 14] = [
        ("", |_| ()),
        ("", |v| v["response"]["source"] = json!("2001:db8::/64")),
        ("", |v| (v["change"], v["because"]) = (json!("undone"), json!("a drill"))),
        ("not a response's id", |v| v["response"]["id"] = json!("7")),
        ("neither an IPv4", |v| v["response"]["source"] = json!("everybody")),
        ("neither an IPv4", |v| v["response"]["source"] = json!("2001:db8::7")),
        ("a beginning and an end", |v| v["response"]["until"] = json!("never")),
        ("does not end within", |v| v["response"]["until"] = json!("2027-03-01T12:00:00.000000Z")),
        ("does not end within", |v| v["response"]["until"] = v["response"]["since"].clone()),
        ("does not say why", |v| v["response"]["because"] = json!("")),
        ("a pass for nobody", |v| v["response"]["kind"] = json!("pass")),
        ("says why", |v| v["change"] = json!("undone")),
        ("says why", |v| v["because"] = json!("a drill")),
        ("", |v| (v["response"]["kind"], v["response"]["principal"]) = (json!("pass"), json!("aoife"))),
    ];
    check(responded, &cases, |value| serde_json::from_value::<LoginResponded>(value).unwrap().check());
    let mut endless = responded();
    endless["response"].as_object_mut().unwrap().remove("until");
    assert!(serde_json::from_value::<LoginResponded>(endless).is_err());
}

#[test]
fn a_verdict_says_whose_and_why() {
    let marked = || json!({ "entry": 7, "principal": "aoife", "verdict": "attack", "because": "she called" });
    let cases: [(&str, Change); 5] = [
        ("", |_| ()),
        ("", |v| (v["undone"], v["verdict"]) = (json!(true), json!("legitimate"))),
        ("and why", |v| v["because"] = json!("")),
        ("and why", |v| v["because"] = json!("x".repeat(600))),
        ("and why", |v| v["principal"] = json!("")),
    ];
    check(marked, &cases, |value| serde_json::from_value::<LoginMarked>(value).unwrap().check());
    let read: LoginMarked = serde_json::from_value(marked()).unwrap();
    assert_eq!(crate::json::canonical_of(&read), crate::json::canonical(&marked()), "written as it is read");
}

fn check(of: fn() -> Value, cases: &[(&str, Change)], checked: impl Fn(Value) -> Result<(), String>) {
    for (number, (problem, change)) in cases.iter().enumerate() {
        let mut value = of();
        change(&mut value);
        match checked(value) {
            Ok(()) => assert_eq!(*problem, "", "case {number}"),
            Err(said) => assert!(!problem.is_empty() && said.contains(problem), "case {number}: {said}"),
        }
    }
}
