//! `[brakes]` of monitor.toml: which detector leads to which brake, for how long, or that it is only observed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tlog::{brake::Target, detail::About};

use super::Wish;
use crate::detect;

/// The longest brake: after it, somebody has to say so again.
pub const BRAKE_DAYS_MAX: i64 = 90;
const SECOND_US: i64 = 1_000_000;

/// `[brakes]`, as written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawBrakes {
    /// Rules stop nothing: what they would have stopped is an incident alone.
    pub observe: bool,
    /// By detector.
    #[serde(default)]
    pub rules: BTreeMap<String, RawRule>,
}

impl RawBrakes {
    /// What a new monitor's configuration says: somebody who touches a subject that does not exist is stopped.
    pub fn at_first() -> RawBrakes {
        let rule = RawRule { stop: Stop::Principal, lasts: "24h".to_owned() };
        RawBrakes { observe: false, rules: [(detect::honey::NAME.to_owned(), rule)].into() }
    }
}

/// `[brakes.rules.NAME]`, as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRule {
    pub stop: Stop,
    /// Such as 2h.
    pub lasts: String,
}

/// What of a finding is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    Session,
    Principal,
    Gate,
}

/// The rules, checked.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    observe: bool,
    rules: BTreeMap<String, (Stop, i64)>,
}

impl Rules {
    /// Checks what was written; `known` are the detectors there are.
    ///
    /// # Errors
    /// Which rule is wrong, and how.
    pub fn check(raw: &RawBrakes, known: &[&str]) -> Result<Rules, String> {
        let mut rules = BTreeMap::new();
        for (name, rule) in &raw.rules {
            if !known.contains(&name.as_str()) {
                return Err(format!("rules.{name}: no such detector; there are {}", known.join(", ")));
            }
            let lasts = lasts(&rule.lasts).map_err(|problem| format!("rules.{name}: {problem}"))?;
            rules.insert(name.clone(), (rule.stop, lasts));
        }
        Ok(Rules { observe: raw.observe, rules })
    }

    /// What is to be stopped upon a finding; none where nothing is, or where the finding does not say whom.
    pub fn wish(&self, detector: &str, about: &About) -> Option<Wish> {
        let (stop, for_us) = self.rules.get(detector).filter(|_| !self.observe)?;
        let target = match stop {
            Stop::Session => Target::Session(about.session.clone()?),
            Stop::Principal => Target::Principal(about.principal.clone()?),
            Stop::Gate => Target::Gate(about.gate.clone()?),
        };
        let because = format!("found by the detector {detector}");
        Some(Wish { target, for_us: *for_us, because, by: detector.to_owned() })
    }
}

/// How long `2h` is in microseconds: a number and one of s, m, h, d.
///
/// # Errors
/// When it is not one, or too long.
pub fn lasts(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is no time; write a number and s, m, h or d, such as 2h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let seconds = i64::from(number).saturating_mul(seconds);
    if !(1..=BRAKE_DAYS_MAX * 86_400).contains(&seconds) {
        return Err(format!("{text:?} is not between a second and {BRAKE_DAYS_MAX} days"));
    }
    Ok(seconds.saturating_mul(SECOND_US))
}
