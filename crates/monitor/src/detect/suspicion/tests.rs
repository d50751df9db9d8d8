//! Stories of logins, and what is told of them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::detect::{Asker, Observation, people::People};

/// What happens, and at which minute.
struct Story {
    people: People,
    suspicion: Suspicion,
    told: Vec<(i64, Severity)>,
}

fn asker(principal: &str, address: &str) -> Asker {
    Asker {
        principal: principal.to_owned(),
        known: true,
        service: false,
        employer: String::new(),
        roles: Vec::new(),
        office: None,
        place: "IE".to_owned(),
        address: Some(address.to_owned()),
        purpose: None,
        ticket: None,
        profile: String::new(),
        site: String::new(),
        role: String::new(),
    }
}

fn judgement(action: &str, findings: &Value) -> Value {
    let reason = json!({ "term": "place", "log_odds": "6.0", "observed": "SG", "expected": "IE" });
    json!({ "score": "6.0", "action": action, "reasons": [reason], "findings": findings })
}

fn finding(kind: &str, successes: u64) -> Value {
    json!([{
        "kind": kind, "id": "00000000000000a1", "since": "2026-03-01T12:00:00.000000Z", "attempts": 30, "users": 30,
        "sources": 1, "successes": successes, "action": "block",
    }])
}

impl Story {
    fn new() -> Story {
        Story { people: People::default(), suspicion: Suspicion::default(), told: Vec::new() }
    }

    fn see(&mut self, minute: i64, what: What) {
        let time = Micros(minute * MINUTE_US);
        let session = matches!(what, What::Opened(_)).then(|| "4f".repeat(16));
        let o = Observation { index: 7, time, received: time, gate: Arc::from("gate-1"), session, what };
        self.people.enter(&o);
        let mut found = Vec::new();
        self.suspicion.observe(&SHIPPED, &self.people.seen(&o), &mut found);
        self.people.leave(&o);
        self.told.extend(found.into_iter().map(|finding| (minute, finding.severity)));
        // What is kept is what is gone on with.
        let kept = serde_json::to_string(&self.suspicion).unwrap();
        self.suspicion = serde_json::from_str(&kept).unwrap();
    }

    fn judged(&mut self, minute: i64, proof: &str, action: &str, confirmed: bool, findings: &Value) {
        let login = json!({
            "principal": "aoife", "listener": "ireland", "address": "203.0.113.7", "proof": proof,
            "confirmed": confirmed, "observed": false, "judged": judgement(action, findings),
        });
        let login = serde_json::from_value(login).unwrap();
        self.see(minute, What::Judged { asker: Box::new(asker("aoife", "203.0.113.7")), login });
    }

    fn handed(&mut self, minute: i64, action: &str, succeeded: bool, findings: &Value) {
        let login = json!({
            "user": "bob", "time": "2026-03-01T12:00:00.000000Z", "succeeded": succeeded,
            "judged": judgement(action, &json!([])),
        });
        let handed = json!({ "watch": "vpn", "sequence": 1, "logins": [login], "findings": findings });
        self.see(minute, What::Handed(Box::new(serde_json::from_value(handed).unwrap())));
    }

    fn responded(&mut self, minute: i64, kind: &str, source: &str, principal: Option<&str>, change: &str) {
        let time = |minute: i64| Micros(minute * MINUTE_US).to_string();
        let mut response = json!({
            "id": "00000000000000b1", "kind": kind, "source": source, "since": time(minute), "until": time(60),
            "because": "spray",
        });
        if let Some(principal) = principal {
            response["principal"] = json!(principal);
        }
        let responded = json!({ "response": response, "change": change });
        self.see(minute, What::Responded(Box::new(serde_json::from_value(responded).unwrap())));
    }

    fn opened(&mut self, minute: i64, principal: &str, address: &str) {
        self.see(minute, What::Opened(Box::new(asker(principal, address))));
    }
}

fn check(name: &str, tell: impl FnOnce(&mut Story), expected: &[(i64, Severity)]) {
    let mut story = Story::new();
    tell(&mut story);
    story.see(300, What::Tick);
    assert_eq!(story.told, expected, "{name}");
}

#[test]
fn what_is_told_and_when() {
    use Severity::{Critical, High, Medium};
    let none = json!([]);
    check(
        "a campaign, once",
        |s| {
            s.judged(1, "failed", "block", false, &finding("spray", 0));
            s.judged(2, "unknown", "block", false, &finding("spray", 0));
        },
        &[(1, Medium)],
    );
    check(
        "a campaign that gets in",
        |s| {
            s.judged(1, "failed", "block", false, &finding("stuffing", 0));
            s.judged(2, "failed", "block", false, &finding("stuffing", 1));
            s.judged(3, "failed", "block", false, &finding("stuffing", 2));
        },
        &[(1, Medium), (2, High)],
    );
    check(
        "a takeover elsewhere",
        |s| s.handed(1, "step_up", true, &finding("takeover", 1)),
        &[(1, Critical)],
    );
    check("a login elsewhere that was let in", |s| s.handed(1, "block", true, &none), &[(1, High)]);
    check("one that was not", |s| s.handed(1, "block", false, &none), &[]);
    check("a right password from nowhere", |s| s.judged(1, "held", "block", false, &none), &[(1, High)]);
    check("a wrong one", |s| s.judged(1, "failed", "block", false, &none), &[]);
    check(
        "no second proof",
        |s| {
            s.judged(1, "held", "step_up", false, &none);
            s.judged(5, "held", "step_up", false, &none);
        },
        &[(300, Medium)],
    );
    check(
        "a second proof",
        |s| {
            s.judged(1, "held", "step_up", false, &none);
            s.responded(3, "pass", "203.0.113.7", Some("aoife"), "begun");
            s.judged(4, "held", "step_up", true, &none);
        },
        &[],
    );
    check(
        "another's second proof",
        |s| {
            s.judged(1, "held", "step_up", false, &none);
            s.responded(3, "pass", "203.0.113.7", Some("lukas"), "begun");
        },
        &[(300, Medium)],
    );
}

#[test]
fn a_gate_does_as_it_says() {
    let critical = [(9, Severity::Critical)];
    let blocked =
        |source: &'static str, principal: Option<&'static str>, who: &'static str, from: &'static str| {
            move |s: &mut Story| {
                s.responded(1, "block", source, principal, "begun");
                s.opened(9, who, from);
            }
        };
    check("from there", blocked("203.0.113.7", None, "aoife", "203.0.113.7"), &critical);
    check("from elsewhere", blocked("203.0.113.7", None, "aoife", "203.0.113.8"), &[]);
    check("from the network", blocked("2001:db8::/64", None, "aoife", "2001:db8::5"), &critical);
    check("from the next one", blocked("2001:db8::/64", None, "aoife", "2001:db8:0:1::5"), &[]);
    check("its principal", blocked("203.0.113.7", Some("aoife"), "aoife", "203.0.113.7"), &critical);
    check("another from there", blocked("203.0.113.7", Some("aoife"), "lukas", "203.0.113.7"), &[]);
    check(
        "when it is over",
        |s| {
            s.responded(1, "block", "203.0.113.7", None, "begun");
            s.opened(61, "aoife", "203.0.113.7");
        },
        &[],
    );
    check(
        "when it is undone",
        |s| {
            s.responded(1, "block", "203.0.113.7", None, "begun");
            s.responded(2, "block", "203.0.113.7", None, "undone");
            s.opened(9, "aoife", "203.0.113.7");
        },
        &[],
    );
}
