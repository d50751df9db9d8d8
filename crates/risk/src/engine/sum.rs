//! The sum of contributions that is a score, by term. Not here: where they come from.

use arrayvec::ArrayVec;

use crate::judgement::{Reason, Term, Value};
use crate::weights::Weights;

use super::features::{Features, Raw};
use super::settings::Terms;

/// As many as there are terms.
const TERMS: usize = Term::ALL.len();

/// Contributions so far, at most one a term.
#[derive(Debug, Default)]
pub struct Sum {
    reasons: ArrayVec<Reason, TERMS>,
    /// By term: its place among the reasons, one more than that, and its largest single contribution, whose values are
    /// shown.
    places: [(u8, f64); TERMS],
}

impl Sum {
    /// Begins with what is known of the user, and adds every feature by its weight. In place: a sum is large.
    pub fn begin(&mut self, features: &Features, weights: &Weights, off: Terms, logins: u16) {
        self.add(Term::Prior, weights.bias(features.bucket), Value::Count(logins.into()), Value::None);
        for Raw { feature, value, observed, expected } in &features.raw {
            let term = feature.term();
            if !off.has(term) {
                self.add(term, value * weights.of(*feature, features.bucket), *observed, *expected);
            }
        }
    }

    /// Adds reasons of others, but of terms that are off.
    pub fn extend(&mut self, reasons: impl IntoIterator<Item = Reason>, off: Terms) {
        for reason in reasons {
            if !off.has(reason.term) {
                self.add(reason.term, reason.log_odds, reason.observed, reason.expected);
            }
        }
    }

    /// What a term says for the user counts for nothing.
    pub fn is_no_excuse(&mut self, term: Term) {
        for reason in self.reasons.iter_mut().filter(|reason| reason.term == term) {
            reason.log_odds = reason.log_odds.max(0.0);
        }
    }

    /// The score so far.
    pub fn score(&self) -> f64 {
        self.reasons.iter().map(|reason| reason.log_odds).sum()
    }

    /// The score, and the reasons that sum to it, the largest first.
    pub fn end(&self) -> (f64, Vec<Reason>) {
        // Small keys are put in order, and each reason is moved once.
        let mut order: ArrayVec<(f64, u8), TERMS> = ArrayVec::new();
        let says_something = |reason: &Reason| reason.log_odds != 0.0 || reason.term == Term::Prior;
        for (at, reason) in (0u8..).zip(&self.reasons).filter(|(_, reason)| says_something(reason)) {
            let mut held = (reason.log_odds, at);
            for slot in &mut order {
                if slot.0 < held.0 {
                    std::mem::swap(slot, &mut held);
                }
            }
            let _ = order.try_push(held);
        }
        let mut reasons = Vec::with_capacity(order.len());
        reasons.extend(order.iter().filter_map(|(_, at)| self.reasons.get(usize::from(*at))));
        (order.iter().map(|(log_odds, _)| log_odds).sum(), reasons)
    }

    fn add(&mut self, term: Term, log_odds: f64, observed: Value, expected: Value) {
        // No contribution is no reason, but that a score begins somewhere.
        if !log_odds.is_finite() || (log_odds == 0.0 && term != Term::Prior) {
            return;
        }
        let Some((place, largest)) = self.places.get_mut(term as usize) else { return };
        match self.reasons.get_mut(usize::from(*place).wrapping_sub(1)) {
            None => {
                // There are no more reasons than terms.
                let _ = self.reasons.try_push(Reason { term, log_odds, observed, expected });
                (*place, *largest) = (self.reasons.len() as u8, log_odds.abs());
            }
            Some(reason) => {
                reason.log_odds += log_odds;
                if log_odds.abs() >= *largest {
                    *largest = log_odds.abs();
                    (reason.observed, reason.expected) = (observed, expected);
                }
            }
        }
    }
}
