//! The sum of contributions that is a score, by term. Not here: where they come from.

use crate::judgement::{Reason, Term, Value};
use crate::weights::Weights;

use super::features::{Features, Raw};
use super::settings::Terms;

/// As many as there are terms.
const TERMS: usize = Term::ALL.len();

/// Contributions so far, at most one a term.
#[derive(Debug)]
pub struct Sum {
    parts: [Part; TERMS],
}

#[derive(Debug, Clone, Copy)]
struct Part {
    log_odds: f64,
    /// The largest single contribution, whose values are shown.
    largest: f64,
    observed: Value,
    expected: Value,
}

const NOTHING: Part = Part { log_odds: 0.0, largest: 0.0, observed: Value::None, expected: Value::None };

impl Sum {
    /// Begins with what is known of the user, and adds every feature by its weight.
    pub fn new(features: &Features, weights: &Weights, off: Terms, logins: u16) -> Self {
        let mut sum = Self { parts: [NOTHING; TERMS] };
        sum.add(Term::Prior, weights.bias(features.bucket), Value::Count(logins.into()), Value::None);
        for Raw { feature, value, observed, expected } in &features.raw {
            let term = feature.term();
            if !off.has(term) {
                sum.add(term, value * weights.of(*feature, features.bucket), *observed, *expected);
            }
        }
        sum
    }

    /// Adds reasons of others, but of terms that are off.
    pub fn extend(&mut self, reasons: impl IntoIterator<Item = Reason>, off: Terms) {
        for reason in reasons {
            if !off.has(reason.term) {
                self.add(reason.term, reason.log_odds, reason.observed, reason.expected);
            }
        }
    }

    /// The score so far.
    pub fn score(&self) -> f64 {
        self.parts.iter().map(|part| part.log_odds).sum()
    }

    /// The score, and the reasons that sum to it, the largest first.
    pub fn end(self) -> (f64, Vec<Reason>) {
        let mut order = [(f64::NEG_INFINITY, 0u8); TERMS];
        let mut count = 0usize;
        for (at, part) in (0u8..).zip(&self.parts) {
            if part.log_odds == 0.0 && at != Term::Prior as u8 {
                continue;
            }
            // Insertion: there are few.
            let mut held = (part.log_odds, at);
            count += 1;
            for slot in order.iter_mut().take(count) {
                if slot.0 < held.0 {
                    std::mem::swap(slot, &mut held);
                }
            }
        }
        let mut reasons = Vec::with_capacity(count);
        for (log_odds, at) in order.iter().take(count) {
            let at = usize::from(*at);
            if let (Some(term), Some(part)) = (Term::ALL.get(at), self.parts.get(at)) {
                let (observed, expected) = (part.observed, part.expected);
                reasons.push(Reason { term: *term, log_odds: *log_odds, observed, expected });
            }
        }
        (reasons.iter().map(|reason| reason.log_odds).sum(), reasons)
    }

    fn add(&mut self, term: Term, log_odds: f64, observed: Value, expected: Value) {
        let Some(part) = self.parts.get_mut(term as usize).filter(|_| log_odds.is_finite()) else { return };
        part.log_odds += log_odds;
        if log_odds.abs() >= part.largest {
            *part = Part { largest: log_odds.abs(), observed, expected, ..*part };
        }
    }
}
