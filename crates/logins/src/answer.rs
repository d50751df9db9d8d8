//! What is said of an event, as a line of JSON: what `trefoil logins score` prints, and what goes on to other tools. Keys
//! and words are promises: added, never renamed. Not here: findings as OCSF (`ocsf::finding`), which get a line of their
//! own.
//!
//! ```json
//! {"index":7,"user":"ana","time":1700000000000,"score":4.1,"action":"step_up",
//!  "reasons":[{"term":"place","log_odds":3.2,"observed":"BR","expected":"DE"}]}
//! {"index":7,"finding":{"class_uid":2004}}
//! ```

use std::io::{self, Write};

use risk::{Event, Finding, Judgement, Reason, Value};
use serde::{Serialize, Serializer};

use crate::ocsf;

/// Writes what is said of an event as a line. `baseline` is the baseline's score, where it was asked for.
///
/// # Errors
/// When it cannot be written.
pub fn write_judgement(
    out: &mut impl Write,
    index: u64,
    event: &Event<'_>,
    judgement: &Judgement,
    baseline: Option<Option<f64>>,
) -> io::Result<()> {
    let line = Line {
        index,
        user: event.user,
        time: event.time_ms,
        score: rounded(judgement.score),
        action: judgement.action.word(),
        baseline,
        repeat: judgement.is_repeat,
        reasons: Reasons(&judgement.reasons),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Writes a finding, and the index of the event that showed it, as a line.
///
/// # Errors
/// When it cannot be written.
pub fn write_finding(out: &mut impl Write, index: u64, finding: &Finding, at_ms: i64) -> io::Result<()> {
    let line = Found { index, finding: ocsf::finding(finding, at_ms) };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    user: &'a str,
    time: i64,
    score: f64,
    action: &'static str,
    /// Null where the baseline has nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<Option<f64>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repeat: bool,
    reasons: Reasons<'a>,
}

#[derive(Serialize)]
struct Found {
    index: u64,
    finding: serde_json::Value,
}

struct Reasons<'a>(&'a [Reason]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(|reason| One {
            term: reason.term.word(),
            log_odds: rounded(reason.log_odds),
            observed: Shown(reason.observed),
            expected: Shown(reason.expected),
        }))
    }
}

#[derive(Serialize)]
struct One {
    term: &'static str,
    log_odds: f64,
    observed: Shown,
    expected: Shown,
}

/// A value in words, or null.
struct Shown(Value);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::None => to.serialize_none(),
            value => to.collect_str(&value),
        }
    }
}

/// To a millionth: the same everywhere, and shorter.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use risk::{Act, Action, Kind, Outcome, Term};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::login::Login;

    fn judgement() -> Judgement {
        let reason = |term, log_odds, observed, expected| Reason { term, log_odds, observed, expected };
        Judgement {
            score: 4.100_000_04,
            action: Action::StepUp,
            reasons: vec![
                reason(Term::Place, 3.2, Value::Country(*b"BR"), Value::Country(*b"DE")),
                reason(Term::Prior, 0.9, Value::Count(3), Value::None),
            ],
            findings: Vec::new(),
            is_repeat: false,
        }
    }

    #[test]
    fn a_line_says_what_was_promised() {
        let login = Login::new(1_700_000_000_000, "a\"na", Act::Logon, Outcome::Success);
        let check = |baseline, wanted: Json| {
            let mut line = Vec::new();
            write_judgement(&mut line, 7, &login.event(), &judgement(), baseline).unwrap();
            assert_eq!(line.pop(), Some(b'\n'));
            assert_eq!(serde_json::from_slice::<Json>(&line).unwrap(), wanted);
        };
        let mut line = json!({
            "index": 7, "user": "a\"na", "time": 1_700_000_000_000_i64, "score": 4.1, "action": "step_up",
            "reasons": [
                { "term": "place", "log_odds": 3.2, "observed": "BR", "expected": "DE" },
                { "term": "prior", "log_odds": 0.9, "observed": "3", "expected": null },
            ],
        });
        check(None, line.clone());
        line["baseline"] = json!(0.5);
        check(Some(Some(0.5)), line.clone());
        line["baseline"] = Json::Null;
        check(Some(None), line);
    }

    #[test]
    fn a_finding_has_a_line_of_its_own() {
        let finding = Finding {
            kind: Kind::Spray,
            id: 1,
            is_new: true,
            since_ms: 5,
            attempts: 9,
            users: 9,
            sources: 1,
            successes: 0,
            action: Action::Throttle,
        };
        let mut line = Vec::new();
        write_finding(&mut line, 8, &finding, 10).unwrap();
        let line: Json = serde_json::from_slice(&line).unwrap();
        assert_eq!(line, json!({ "index": 8, "finding": ocsf::finding(&finding, 10) }));
    }
}
