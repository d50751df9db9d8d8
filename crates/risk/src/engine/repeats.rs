//! Events that were seen before: the identifiers of the last million or so, as hashes. Not here: events without one.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::everybody::Mix;
use crate::key::Tag;

/// Identifiers of one generation; of two that are held the older goes when the younger is full.
const GENERATION: usize = 524_288;

type Set = HashSet<u64, BuildHasherDefault<Mix>>;

/// Identifiers that came lately.
#[derive(Debug, Clone, Default)]
pub struct Repeats {
    young: Set,
    old: Set,
}

impl Repeats {
    /// Whether an identifier came before; from now on it has.
    pub fn is_repeat(&mut self, id: Tag) -> bool {
        if self.old.contains(&id.0) || !self.young.insert(id.0) {
            return true;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        false
    }

    /// Bytes of memory held, about.
    pub fn bytes(&self) -> usize {
        (self.young.capacity() + self.old.capacity()) * 8 / 7 * (size_of::<u64>() + 1)
    }

    /// Appends them to a snapshot.
    pub fn write(&self, into: &mut Vec<u8>) {
        for set in [&self.young, &self.old] {
            let mut sorted: Vec<u64> = set.iter().copied().collect();
            sorted.sort_unstable();
            into.extend_from_slice(&(sorted.len() as u64).to_le_bytes());
            sorted.iter().for_each(|id| into.extend_from_slice(&id.to_le_bytes()));
        }
    }

    /// Reads what [`Repeats::write`] wrote, from the front of `bytes`.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut new = Self::default();
        for set in [&mut new.young, &mut new.old] {
            for _ in 0..crate::bytes::u64(bytes)? {
                set.insert(crate::bytes::u64(bytes)?);
            }
        }
        Some(new)
    }
}
