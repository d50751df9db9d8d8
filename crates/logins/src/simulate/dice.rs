//! Chance, by seed: the same seed throws the same, whatever else was thrown. Not here: what is drawn.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A source of chance for one thing: a user, a user's day, an attack.
pub(super) struct Dice(ChaCha8Rng);

/// What dice are for, so that no two things throw the same.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    Plan,
    Person,
    Household,
    Company,
    Lease,
    Trip,
    Days,
    Day,
    Traps,
    Attacks,
    Attack,
    Session,
}

impl Dice {
    /// The dice of a thing: a world's seed, what kind of thing it is, and two numbers that say which.
    pub(super) fn of(world: u64, of: Of, which: u64, part: u64) -> Self {
        let mut seed = [0; 32];
        for (slot, part) in seed.chunks_exact_mut(8).zip([world, of as u64, which, part]) {
            slot.copy_from_slice(&part.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(seed))
    }

    /// From 0 up to 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// From 0 up to a bound, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0.random_range(0..bound.max(1))
    }

    /// Any number.
    pub(super) fn number(&mut self) -> u64 {
        self.0.random()
    }

    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Around 0 with a deviation of 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Half below the median; 84% below the median times e to the spread.
    pub(super) fn lognormal(&mut self, median: f64, spread: f64) -> f64 {
        median * (spread * self.normal()).exp()
    }

    /// A wait of this mean.
    pub(super) fn wait(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// How many of what happens this often on average (Knuth; fit for means of some dozens).
    pub(super) fn count(&mut self, mean: f64) -> usize {
        let bound = (-mean).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > bound && count < 500 {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// One of some; the first where there is nothing to choose.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// A place in a list of weights.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (place, weight) in weights.enumerate() {
            last = place;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        last
    }
}
