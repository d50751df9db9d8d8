//! What a detector says: how bad, about whom, on which entries, and why. Incidents are made from findings elsewhere.

use tlog::{
    detail::{About, Reason, Severity},
    entry::Micros,
};

/// Most entries that a finding names.
pub const EVIDENCE_MAX: usize = 32;

/// What a detector found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Name of the detector: one of [`super::NAMES`].
    pub detector: &'static str,
    pub severity: Severity,
    /// When it was found, by the monitor's clock.
    pub at: Micros,
    pub about: About,
    /// Numbers of the entries that show it, at most [`EVIDENCE_MAX`].
    pub evidence: Vec<u64>,
    pub reasons: Vec<Reason>,
}

impl Finding {
    /// With the entries that led to it.
    pub fn shown_by(mut self, trail: &[u64]) -> Finding {
        if !trail.is_empty() {
            self.evidence = trail.to_vec();
        }
        self
    }
}

/// Notes an entry that may become evidence; the oldest goes when there are more than `most`.
pub fn note(trail: &mut Vec<u64>, index: u64, most: usize) {
    if trail.last() == Some(&index) {
        return;
    }
    if trail.len() >= most {
        trail.remove(0);
    }
    trail.push(index);
}

/// A reason in words.
pub fn said(what: &str, observed: impl Into<String>, baseline: impl Into<String>) -> Reason {
    Reason { what: what.to_owned(), observed: observed.into(), baseline: baseline.into(), factor: None }
}

/// A reason in numbers: by how much is how many times the baseline.
pub fn counted(what: &str, observed: f64, baseline: f64) -> Reason {
    let factor = (baseline > 0.0).then(|| format!("{:.1}", observed / baseline));
    Reason { what: what.to_owned(), observed: number(observed), baseline: number(baseline), factor }
}

/// An amount of anything as a number that can be divided.
pub fn amount(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
