//! What is said of an event, as a line of JSON: what `trefoil logins score` prints, and what goes on to other tools. Keys
//! and words are promises: added, never renamed. Not here: findings as OCSF (`ocsf::finding`), which get a line of their
//! own.
//!
//! ```json
//! {"index":7,"user":"ana","time":1700000000000,"score":4.1,"action":"step_up",
//!  "reasons":[{"term":"place","log_odds":3.2,"observed":"BR","expected":"DE"}]}
//! {"index":7,"finding":{"class_uid":2004}}
//! ```

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use risk::{Action, Event, Finding, Judgement, Reason, Value};
use serde::{Serialize, Serializer};

use crate::ocsf;

/// Which event of an input it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Its index, from 0.
    Index(u64),
    /// A message of a stream.
    Stream {
        /// Its share.
        share: u32,
        /// Its sequence in the stream.
        sequence: u64,
        /// Which line of the message, from 0.
        line: u64,
    },
}

impl From<u64> for At {
    fn from(index: u64) -> Self {
        Self::Index(index)
    }
}

/// `17`, or `3:1200` for the first line of a stream's message and `3:1200:7` for its eighth: what `trefoil logins mark` takes.
impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Stream { share, sequence, line: 0 } => write!(f, "{share}:{sequence}"),
            Self::Stream { share, sequence, line } => write!(f, "{share}:{sequence}:{line}"),
        }
    }
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<Vec<u64>> = text.split(':').map(|part| part.parse().ok()).collect();
        let stream = |share: u64, sequence, line| {
            u32::try_from(share).ok().map(|share| Self::Stream { share, sequence, line })
        };
        let at = match parts.as_deref() {
            Some([index]) => Some(Self::Index(*index)),
            Some([share, sequence]) => stream(*share, *sequence, 0),
            Some([share, sequence, line]) => stream(*share, *sequence, *line),
            _ => None,
        };
        at.ok_or_else(|| format!("{text:?} is no event: write 17, or share:sequence as 3:1200"))
    }
}

/// From where on a judgement is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Above {
    /// All are.
    Everything,
    /// From this action on.
    Action(Action),
    /// From this score on.
    Score(f64),
}

impl Above {
    /// Whether a judgement is told.
    pub fn has(self, judgement: &Judgement) -> bool {
        match self {
            Self::Everything => true,
            Self::Action(action) => judgement.action >= action,
            Self::Score(score) => judgement.score >= score,
        }
    }
}

/// Writes what is said of an event as a line. `baseline` is the baseline's score, where it was asked for.
///
/// # Errors
/// When it cannot be written.
pub fn write_judgement(
    out: &mut impl Write,
    at: impl Into<At>,
    event: &Event<'_>,
    judgement: &Judgement,
    baseline: Option<Option<f64>>,
) -> io::Result<()> {
    write_about(out, at.into(), Some(event.user), event, judgement, baseline)
}

/// The same, naming nobody.
pub(crate) fn write_nameless(
    out: &mut impl Write,
    at: At,
    event: &Event<'_>,
    judgement: &Judgement,
) -> io::Result<()> {
    write_about(out, at, None, event, judgement, None)
}

fn write_about(
    out: &mut impl Write,
    at: At,
    user: Option<&str>,
    event: &Event<'_>,
    judgement: &Judgement,
    baseline: Option<Option<f64>>,
) -> io::Result<()> {
    let Place { index, share, sequence, line } = at.into();
    let line = Line {
        index,
        share,
        sequence,
        line,
        user,
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

/// Writes a finding, and which event showed it, as a line.
///
/// # Errors
/// When it cannot be written.
pub fn write_finding(
    out: &mut impl Write,
    at: impl Into<At>,
    finding: &Finding,
    at_ms: i64,
) -> io::Result<()> {
    let Place { index, share, sequence, line } = at.into().into();
    let line = Found { index, share, sequence, line, finding: ocsf::finding(finding, at_ms) };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// An event's place, as the keys that a line has of it.
struct Place {
    index: Option<u64>,
    share: Option<u32>,
    sequence: Option<u64>,
    line: Option<u64>,
}

impl From<At> for Place {
    fn from(at: At) -> Self {
        match at {
            At::Index(index) => Self { index: Some(index), share: None, sequence: None, line: None },
            At::Stream { share, sequence, line } => Self {
                index: None,
                share: Some(share),
                sequence: Some(sequence),
                line: (line > 0).then_some(line),
            },
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
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
    use risk::{Act, Kind, Outcome, Term};
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
    fn an_event_is_named_as_it_is_printed() {
        for at in [At::Index(17), stream(0), stream(7)] {
            assert_eq!(at.to_string().parse(), Ok(at));
        }
        assert!(["", "x", "1:2:3:4", "-1", "4294967296:1"].iter().all(|text| text.parse::<At>().is_err()));
        let login = Login::new(5, "ana", Act::Logon, Outcome::Success);
        let mut line = Vec::new();
        write_nameless(&mut line, stream(7), &login.event(), &judgement()).unwrap();
        let line: Json = serde_json::from_slice(&line).unwrap();
        let place = ["share", "sequence", "line", "index", "user"].map(|key| line.get(key).cloned());
        assert_eq!(place, [Some(json!(3)), Some(json!(1_200)), Some(json!(7)), None, None]);
    }

    fn stream(line: u64) -> At {
        At::Stream { share: 3, sequence: 1_200, line }
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
