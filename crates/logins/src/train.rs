//! Weights of the model, learnt from made-up worlds: the features of every login that succeeded, the user's or an
//! attacker's, go into a regression by how much was known of the user. The same worlds give the same weights, digit for
//! digit; those that are shipped are what [`Recipe::shipped`] gives. Not here: the regression itself (`regression`).
//!
//! Attack data is used with caution. What an attacker looks like is drawn from published statistics; several worlds differ
//! in what is not published (how often addresses change, how many attackers rent machines, where home is, who the users
//! are); weights are drawn towards each other, are never negative, and are few. Figures are from worlds of other seeds.

mod regression;

use std::convert::Infallible;

use risk::engine::{Bucket, FEATURES, Feature, Settings};
use risk::{Act, Engine, Key, Outcome, Weights};

use self::regression::Rows;
use crate::evaluate::Log;
use crate::simulate::{Attacker, People, Shape, World, WorldLog};

/// Users of each world that the shipped weights were learnt from.
pub const USERS: u32 = 12_000;

/// What weights are learnt from.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The worlds.
    pub worlds: Vec<Shape>,
    /// How often they are judged and learnt from: what is learnt of a login depends on how it was judged.
    pub rounds: u32,
}

/// Log-odds at which a score begins: one login of a thousand is an attacker's. Of logins that succeed at a real service
/// one in 89,000 is a takeover that somebody noticed; services that are under attack see far more.
const PRIOR: f64 = -6.9;
/// What each kind of attacker counts in all, whatever their number: those who are hard to tell count more.
const KINDS: [(Attacker, f64); 5] = [
    (Attacker::Naive, 1.0),
    (Attacker::Vpn, 1.0),
    (Attacker::Targeted, 1.5),
    (Attacker::Takeover, 0.5),
    (Attacker::Stuffing, 0.5),
];
const BUCKETS: [Bucket; 3] = [Bucket::None, Bucket::Few, Bucket::Many];
const KEY: [u8; 16] = *b"train the model!";

impl Recipe {
    /// The recipe of the weights that come with this program, if each world has [`USERS`] users.
    pub fn shipped(users: u32) -> Self {
        Self::of(&[1001, 1002, 1003, 1004], users)
    }

    /// Worlds of these seeds, each different from the one before.
    pub fn of(seeds: &[u64], users: u32) -> Self {
        let worlds = seeds.iter().zip(0..).map(|(seed, at)| {
            let mut shape = Shape::new(*seed, users, 45);
            shape.attackers = 0.03;
            shape.rented = 0.5;
            match at % 4 {
                0 => {}
                1 => (shape.home, shape.churn, shape.rented) = (*b"DE", 2.0, 0.2),
                2 => (shape.home, shape.rented) = (*b"US", 0.7),
                _ => (shape.people, shape.users, shape.days) = (People::Employees, (users / 12).max(50), 30),
            }
            shape
        });
        Self { worlds: worlds.collect(), rounds: 2 }
    }
}

/// Learns weights. It says how far it is: worlds done, of how many.
pub fn train(recipe: &Recipe, mut told: impl FnMut(usize, usize)) -> Weights {
    let mut weights = Weights::even();
    let of = recipe.worlds.len() * recipe.rounds as usize;
    for round in 0..recipe.rounds as usize {
        let mut rows: [Rows; 3] = Default::default();
        for (at, shape) in recipe.worlds.iter().enumerate() {
            told(round * recipe.worlds.len() + at, of);
            collect(shape, &weights, &mut rows);
        }
        weights = fit(&rows);
    }
    told(of, of);
    weights
}

/// The features of a world's logins, by bucket.
fn collect(shape: &Shape, weights: &Weights, rows: &mut [Rows; 3]) {
    let labels: Vec<_> = World::new(shape.clone()).map(|drawn| drawn.label).collect();
    let mut engine = Engine::new(Key::new(KEY), weights.clone(), Settings::default());
    let read: Result<(), Infallible> = WorldLog(shape.clone()).read(&mut |index, event| {
        let (_, features) = engine.judge_by(event);
        if event.act != Act::Logon || event.outcome != Outcome::Success {
            return;
        }
        let Some(label) = labels.get(index) else { return };
        let kind = label.attack().map(|(kind, _)| kind);
        let class = match kind {
            None => Some(0),
            Some(kind) => KINDS.iter().position(|(counted, _)| *counted == kind).map(|at| at + 1),
        };
        if let (Some(class), Some(rows)) = (class, rows.get_mut(features.bucket.place())) {
            rows.push(class, features.values());
        }
    });
    let Ok(()) = read;
}

fn fit(rows: &[Rows; 3]) -> Weights {
    let mut weights = Weights { bias: [0.0; 3], features: [[0.0; 3]; FEATURES] };
    let attackers: Vec<f64> = KINDS.iter().map(|(_, counts)| *counts).collect();
    let all = odds(rows.iter().map(Rows::counts));
    for (rows, bucket) in rows.iter().zip(BUCKETS) {
        let (bias, fitted) = regression::fit(rows, &attackers);
        if let Some(slot) = weights.bias.get_mut(bucket.place()) {
            *slot = rounded(bias + PRIOR + (odds(std::iter::once(rows.counts())) / all).ln());
        }
        for (feature, weight) in Feature::ALL.iter().zip(fitted) {
            let slot =
                weights.features.get_mut(*feature as usize).and_then(|slots| slots.get_mut(bucket.place()));
            if let Some(slot) = slot {
                *slot = rounded(weight);
            }
        }
    }
    weights
}

/// Attackers for each login of users. Attackers choose among users, and not among logins: of whoever logs in often, fewer
/// logins are attackers'. The first login of an account is left as it is, as few attack what nobody uses yet.
fn odds(counts: impl Iterator<Item = (usize, usize)>) -> f64 {
    let (users, attackers) = counts.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
    (attackers as f64 + 1.0) / (users as f64 + 1.0)
}

/// To three digits: more are noise.
fn rounded(weight: f64) -> f64 {
    (weight * 1000.0).round() / 1000.0 + 0.0
}

#[cfg(test)]
mod tests {
    use super::{Recipe, train};

    #[test]
    fn the_same_worlds_give_the_same_weights_and_they_tell_attackers() {
        let mut recipe = Recipe::of(&[1, 2], 500);
        recipe.rounds = 1;
        let weights = train(&recipe, |_, _| {});
        assert_eq!(weights.to_json().unwrap(), train(&recipe, |_, _| {}).to_json().unwrap());
        assert_ne!(weights, train(&Recipe { rounds: 1, ..Recipe::of(&[3, 4], 500) }, |_, _| {}));
        let all = weights.features.as_flattened();
        assert!(all.iter().all(|weight| (0.0..10.0).contains(weight)), "{weights:?}");
        assert!(weights.bias.iter().all(|bias| (-12.0..0.0).contains(bias)), "{weights:?}");
    }

    /// Some seconds of computing: [`super::USERS`] keeps it so.
    #[test]
    fn the_shipped_weights_are_what_the_recipe_gives() {
        let trained = train(&Recipe::shipped(super::USERS), |_, _| {});
        assert!(
            trained == risk::Weights::shipped(),
            "worlds or features changed: `trefoil logins train --out crates/risk/src/weights.json`, then evaluate on others"
        );
    }
}
