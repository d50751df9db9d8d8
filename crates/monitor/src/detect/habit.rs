//! What somebody usually does, in few bytes: amounts as logarithms, the last days in a ring, the days of many people in a
//! histogram, distinct subjects in a sketch. What is unusual is the detectors' business.

use serde::{Deserialize, Serialize};
use tlog::entry::Micros;

/// Days that a ring holds.
pub const RING_DAYS: usize = 28;
/// Amounts in a histogram before all are halved: older ones weigh less.
const SPREAD_MAX: u32 = 4_096;
/// Steps of a level to a doubling.
pub const STEPS: f64 = 8.0;
/// Registers of the sketch of distinct subjects: a standard error of 6.5 %.
const REGISTERS: usize = 256;

pub const HOUR_US: i64 = 3_600 * 1_000_000;
pub const DAY_US: i64 = 24 * HOUR_US;
pub const WEEK_HOURS: usize = 168;

/// Days since 1970.
pub fn day(time: Micros) -> i64 {
    time.0.div_euclid(DAY_US)
}

/// So many days, with their fraction to the hour.
pub fn amount_days(micros: i64) -> f64 {
    f64::from(i32::try_from(micros / HOUR_US).unwrap_or(i32::MAX)) / 24.0
}

/// Hours since Monday, midnight UTC.
pub fn hour_of_week(time: Micros) -> usize {
    // 1970 began on a Thursday.
    let hours = time.0.div_euclid(HOUR_US).saturating_add(72);
    usize::try_from(hours.rem_euclid(168)).unwrap_or(0)
}

/// The logarithm of an amount, in eighths of a doubling; everything from 2^31 on is alike.
pub fn level(amount: f64) -> u8 {
    ((1.0 + amount.max(0.0)).log2() * STEPS).round().clamp(0.0, 255.0) as u8
}

/// The amount of a level.
pub fn amount_of(level: u8) -> f64 {
    (f64::from(level) / STEPS).exp2() - 1.0
}

/// Levels of the last active days, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ring(Vec<u8>);

impl Ring {
    pub fn push(&mut self, level: u8) {
        if self.0.len() >= RING_DAYS {
            self.0.remove(0);
        }
        self.0.push(level);
    }

    pub fn days(&self) -> usize {
        self.0.len()
    }

    /// The level that so many hundredths of the days do not exceed, without the last few days.
    pub fn quantile(&self, hundredths: usize, without_last: usize) -> Option<u8> {
        let mut days: Vec<u8> =
            self.0.iter().take(self.0.len().saturating_sub(without_last)).copied().collect();
        days.sort_unstable();
        let at = days.len().saturating_sub(1) * hundredths / 100;
        days.get(at).copied()
    }
}

/// Levels of many people's days, older ones weighing less.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Spread {
    bins: Vec<u32>,
    total: u32,
}

impl Spread {
    pub fn add(&mut self, level: u8) {
        if self.bins.is_empty() {
            self.bins = vec![0; 256];
        }
        if self.total >= SPREAD_MAX {
            self.bins.iter_mut().for_each(|bin| *bin /= 2);
            self.total = self.bins.iter().sum();
        }
        if let Some(bin) = self.bins.get_mut(usize::from(level)) {
            *bin += 1;
            self.total += 1;
        }
    }

    pub fn total(&self) -> u32 {
        self.total
    }

    /// The level that so many hundredths of the days do not exceed.
    pub fn quantile(&self, hundredths: u32) -> Option<u8> {
        let wanted = u64::from(self.total) * u64::from(hundredths) / 100;
        let mut below = 0u64;
        (0..=u8::MAX).zip(&self.bins).find_map(|(level, bin)| {
            below += u64::from(*bin);
            (below > wanted).then_some(level)
        })
    }
}

/// About how many different subjects there were: HyperLogLog over digests, which are random already.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Distinct {
    registers: Vec<u8>,
    estimate: f64,
    changed: bool,
}

impl Distinct {
    pub fn add(&mut self, digest: u64) {
        if self.registers.is_empty() {
            self.registers = vec![0; REGISTERS];
        }
        let [register, ..] = digest.to_be_bytes();
        let rank = u8::try_from((digest << 8).leading_zeros()).unwrap_or(0).min(56) + 1;
        if let Some(held) = self.registers.get_mut(usize::from(register)).filter(|held| **held < rank) {
            *held = rank;
            self.changed = true;
        }
    }

    pub fn estimate(&mut self) -> f64 {
        if std::mem::take(&mut self.changed) {
            self.estimate = estimate(&self.registers);
        }
        self.estimate
    }

    pub fn clear(&mut self) {
        *self = Distinct::default();
    }
}

fn estimate(registers: &[u8]) -> f64 {
    let m = 256.0;
    let mut sum = 0.0;
    let mut empty = 0.0;
    for rank in registers {
        sum += (-f64::from(*rank)).exp2();
        empty += if *rank == 0 { 1.0 } else { 0.0 };
    }
    let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
    if raw <= 2.5 * m && empty > 0.0 { m * (m / empty).ln() } else { raw }
}

/// The leading 64 bits of a digest in hexadecimal.
pub fn digest(text: &str) -> Option<u64> {
    text.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok())
}

/// A text's hash, for telling texts apart: FNV-1a, mixed.
pub fn hash(text: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_there_and_back() {
        for amount in [0.0, 1.0, 10.0, 1_000.0, 1e6, 1e9] {
            let back = amount_of(level(amount));
            assert!((back - amount).abs() <= 0.05 * amount + 0.001, "{amount} {back}");
        }
        assert_eq!((level(-1.0), level(1e30)), (0, 255));
    }

    #[test]
    fn distinct_is_near() {
        for many in [1, 30, 500, 20_000] {
            let mut distinct = Distinct::default();
            (0..many).for_each(|n| distinct.add(hash(&n.to_string())));
            let said = distinct.estimate();
            assert!((said / f64::from(many) - 1.0).abs() < 0.2, "{many} {said}");
        }
    }

    #[test]
    fn quantiles_of_days() {
        let mut ring = Ring::default();
        (0..40).for_each(|n| ring.push(n));
        assert_eq!((ring.days(), ring.quantile(50, 0), ring.quantile(100, 5)), (28, Some(25), Some(34)));
        let mut spread = Spread::default();
        (0..100).for_each(|n| spread.add(n));
        assert_eq!((spread.quantile(50), spread.quantile(95)), (Some(50), Some(95)));
        assert_eq!(hour_of_week(Micros(0)), 72);
    }
}
