//! Logistic regression with a penalty, by Newton's method: small, and the same on every run. Weights are never negative,
//! because a feature that speaks against the user must not speak for them in company.

use risk::engine::FEATURES;

const SIZE: usize = FEATURES + 1;
/// What the penalty draws weights towards: a feature counts a bit less than it says, as features say some things twice.
const CENTRE: f64 = 0.9;
/// How many rows' worth of evidence a weight needs to leave it.
const PENALTY: f64 = 1_000.0;
/// What a row of attackers weighs at most.
const MOST: f64 = 200.0;
const STEPS: usize = 40;

/// Rows of one bucket: the class (0 is users) and the features.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: Vec<(usize, [f64; FEATURES])>,
}

impl Rows {
    pub(super) fn push(&mut self, class: usize, features: [f64; FEATURES]) {
        self.rows.push((class, features));
    }

    /// Rows of users, and of attackers.
    pub(super) fn counts(&self) -> (usize, usize) {
        let attackers = self.rows.iter().filter(|(class, _)| *class > 0).count();
        (self.rows.len() - attackers, attackers)
    }

    /// What a row of each class weighs: users count as much as all attackers do, attackers' kinds as they are given; of a
    /// class of few rows, each counts for no more than [`MOST`] of the users'.
    fn weights(&self, attackers: &[f64]) -> Vec<f64> {
        let classes = attackers.len() + 1;
        let mut counts = vec![0.0_f64; classes];
        for (class, _) in &self.rows {
            if let Some(count) = counts.get_mut(*class) {
                *count += 1.0;
            }
        }
        let users = counts.first().copied().unwrap_or(0.0).max(1.0);
        let all: f64 = attackers.iter().sum();
        let shares = attackers.iter().zip(counts.iter().skip(1));
        let of_attackers = shares.map(|(share, count)| (users * share / all / count.max(1.0)).min(MOST));
        std::iter::once(1.0).chain(of_attackers).collect()
    }
}

/// The bias at even odds, and the weights.
pub(super) fn fit(rows: &Rows, attackers: &[f64]) -> (f64, [f64; FEATURES]) {
    let of_class = rows.weights(attackers);
    let mut at = [CENTRE; SIZE];
    at[FEATURES] = 0.0;
    for _ in 0..STEPS {
        let (gradient, curve) = slopes(rows, &of_class, &at);
        let Some(step) = solve(curve, gradient) else { break };
        for (place, (value, step)) in at.iter_mut().zip(step).enumerate() {
            // A step too far would never come back.
            *value -= step.clamp(-1.0, 1.0);
            if place < FEATURES {
                *value = value.max(0.0);
            }
        }
    }
    // What the odds of the rows add to the bias is taken off: the caller knows the true ones.
    let mut odds = [0.0_f64; 2];
    for (class, _) in &rows.rows {
        odds[usize::from(*class > 0)] += of_class.get(*class).copied().unwrap_or(0.0);
    }
    let mut weights = [0.0; FEATURES];
    weights.copy_from_slice(&at[..FEATURES]);
    (at[FEATURES] - ((odds[1] + 1.0) / (odds[0] + 1.0)).ln(), weights)
}

type Vector = [f64; SIZE];
type Matrix = [Vector; SIZE];

/// Gradient and curvature of the penalised loss.
fn slopes(rows: &Rows, of_class: &[f64], at: &Vector) -> (Vector, Matrix) {
    let (mut gradient, mut curve) = ([0.0; SIZE], [[0.0; SIZE]; SIZE]);
    for (class, features) in &rows.rows {
        let weight = of_class.get(*class).copied().unwrap_or(0.0);
        let mut row = [1.0; SIZE];
        row[..FEATURES].copy_from_slice(features);
        let score: f64 = row.iter().zip(at).map(|(value, weight)| value * weight).sum();
        let chance = 1.0 / (1.0 + (-score).exp());
        let off = weight * (chance - f64::from(u8::from(*class > 0)));
        let bend = weight * chance * (1.0 - chance);
        for (i, value) in row.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            gradient[i] += off * value;
            for (slot, other) in curve[i].iter_mut().zip(&row) {
                *slot += bend * value * other;
            }
        }
    }
    for i in 0..SIZE {
        let (penalty, centre) = if i == FEATURES { (1e-6, 0.0) } else { (PENALTY, CENTRE) };
        gradient[i] += penalty * (at[i] - centre);
        curve[i][i] += penalty;
        // What is at its bound and would go beyond it stays, and nothing else moves on its account.
        if i < FEATURES && at[i] <= 0.0 && gradient[i] > 0.0 {
            gradient[i] = 0.0;
            curve.iter_mut().for_each(|line| line[i] = 0.0);
            curve[i] = [0.0; SIZE];
            curve[i][i] = 1.0;
        }
    }
    (gradient, curve)
}

/// Solves by Gauss' elimination; the matrix is symmetric and positive.
fn solve(mut matrix: Matrix, mut right: Vector) -> Option<Vector> {
    for i in 0..SIZE {
        let pivot = matrix[i][i];
        if pivot <= 0.0 || !pivot.is_finite() {
            return None;
        }
        let line = matrix[i];
        for j in i + 1..SIZE {
            let share = matrix[j][i] / pivot;
            for (slot, value) in matrix[j].iter_mut().zip(&line) {
                *slot -= share * value;
            }
            right[j] -= share * right[i];
        }
    }
    let mut solved = [0.0; SIZE];
    for i in (0..SIZE).rev() {
        let known: f64 = (i + 1..SIZE).map(|j| matrix[i][j] * solved[j]).sum();
        solved[i] = (right[i] - known) / matrix[i][i];
    }
    Some(solved)
}

#[cfg(test)]
mod tests {
    use super::{FEATURES, Rows, fit};

    /// Rows drawn from known weights give about these weights back, and a feature that says nothing weighs little.
    #[test]
    fn known_weights_are_found_again() {
        let mut state = 7_u64;
        let mut unit = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut rows = Rows::default();
        for _ in 0..20_000 {
            let mut features = [0.0; FEATURES];
            features[0] = 4.0 * unit() - 2.0;
            features[1] = 4.0 * unit() - 2.0;
            features[2] = 4.0 * unit() - 2.0;
            let score = 1.5 * features[0] + 0.5 * features[1] - 1.0 * features[2];
            rows.push(usize::from(unit() < 1.0 / (1.0 + (-score).exp())), features);
        }
        let (bias, weights) = fit(&rows, &[1.0]);
        assert!((weights[0] - 1.3).abs() < 0.25, "{weights:?}");
        assert!((weights[1] - 0.45).abs() < 0.15, "{weights:?}");
        assert_eq!(weights[2], 0.0, "a weight is never negative");
        assert!(bias.abs() < 0.2, "{bias}");
        assert_eq!(fit(&rows, &[1.0]), (bias, weights));
    }
}
