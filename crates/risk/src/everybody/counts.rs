//! Counts of values, exact while there are not too many of them: in a table where they are few and small, by hash where
//! they are not.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::bytes;

/// Logins before all counts are halved, so that what is common now weighs more.
const TOTAL_MAX: u64 = 1 << 24;

/// How often each value was seen.
#[derive(Debug, Clone)]
pub struct Counts<K> {
    counts: HashMap<K, u32, BuildHasherDefault<Mix>>,
    total: u64,
    values_max: usize,
}

impl<K: Copy + Ord + Hash + Into<u64> + TryFrom<u64>> Counts<K> {
    /// Counts that hold at most so many values.
    pub fn new(values_max: usize) -> Self {
        Self { counts: HashMap::default(), total: 0, values_max }
    }

    /// How often a value was seen.
    pub fn get(&self, value: K) -> u32 {
        self.counts.get(&value).copied().unwrap_or(0)
    }

    /// All that was counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The share of a value among all, as if `allowance` more logins were spread over `values` values.
    pub fn share(&self, value: K, allowance: f64, values: f64) -> f64 {
        (f64::from(self.get(value)) + allowance / values) / (self.total as f64 + allowance)
    }

    /// One more.
    pub fn add(&mut self, value: K) {
        *self.counts.entry(value).or_insert(0) += 1;
        self.total += 1;
        if self.total > TOTAL_MAX || self.counts.len() > self.values_max {
            self.counts.retain(|_, count| {
                *count /= 2;
                *count > 0
            });
            self.total /= 2;
        }
    }

    /// Bytes of memory held, about: a slot in eight is empty at best, and each has a byte of its own.
    pub fn bytes(&self) -> usize {
        self.counts.capacity() * 8 / 7 * (size_of::<(K, u32)>() + 1)
    }

    /// Appends the counts to a snapshot, by value.
    pub fn write(&self, into: &mut Vec<u8>) {
        let mut sorted: Vec<(K, u32)> = self.counts.iter().map(|(value, count)| (*value, *count)).collect();
        sorted.sort_unstable();
        into.extend_from_slice(&self.total.to_le_bytes());
        into.extend_from_slice(&(sorted.len() as u64).to_le_bytes());
        for (value, count) in sorted {
            let value: u64 = value.into();
            into.extend_from_slice(&value.to_le_bytes());
            into.extend_from_slice(&count.to_le_bytes());
        }
    }

    /// Reads what [`Counts::write`] wrote, from the front of `from`.
    pub fn read(&mut self, from: &mut &[u8]) -> Option<()> {
        self.total = bytes::u64(from)?;
        for _ in 0..bytes::u64(from)? {
            let value = K::try_from(bytes::u64(from)?).ok()?;
            self.counts.insert(value, bytes::u32(from)?);
        }
        (self.counts.len() <= self.values_max).then_some(())
    }
}

/// How often each of a few small values was seen.
#[derive(Debug, Clone)]
pub struct Few {
    counts: Vec<u32>,
    total: u64,
}

impl Few {
    /// Counts of the values below a bound; what is not is not counted.
    pub fn new(bound: usize) -> Self {
        Self { counts: vec![0; bound], total: 0 }
    }

    /// How often a value was seen.
    pub fn get(&self, value: u16) -> u32 {
        self.counts.get(usize::from(value)).copied().unwrap_or(0)
    }

    /// All that was counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The share of a value among all, as if `allowance` more logins were spread over `values` values.
    pub fn share(&self, value: u16, allowance: f64, values: f64) -> f64 {
        (f64::from(self.get(value)) + allowance / values) / (self.total as f64 + allowance)
    }

    /// One more.
    pub fn add(&mut self, value: u16) {
        if let Some(count) = self.counts.get_mut(usize::from(value)) {
            *count += 1;
            self.total += 1;
        }
        if self.total > TOTAL_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total /= 2;
        }
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u32>()
    }

    /// Appends the counts to a snapshot.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.total.to_le_bytes());
        self.counts.iter().for_each(|count| into.extend_from_slice(&count.to_le_bytes()));
    }

    /// Reads what [`Few::write`] wrote, from the front of `from`.
    pub fn read(&mut self, from: &mut &[u8]) -> Option<()> {
        self.total = bytes::u64(from)?;
        for count in &mut self.counts {
            *count = bytes::u32(from)?;
        }
        Some(())
    }
}

/// A hash of small numbers: they come from a list or are hashes already, so that one multiplication is enough.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}
