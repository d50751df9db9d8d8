//! The Merkle tree of RFC 6962: growing it and its roots. Proofs are in `tree::proof`; tiles are in `tile`.

mod proof;

pub use proof::{
    PROOF_HASHES_MAX, ProofError, consistency_proof, inclusion_proof, root_at, verify_consistency,
    verify_inclusion,
};

use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Where the hashes of complete subtrees come from.
pub trait Hashes {
    /// Hash of the complete subtree over leaves `index * 2^level .. (index + 1) * 2^level`; level 0 is a leaf.
    /// `None` when that subtree is not complete or not held.
    fn node(&self, level: u8, index: u64) -> Option<Hash>;
}

/// The right edge of a growing tree: one hash per complete subtree, largest first. Constant memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// A frontier stored earlier. `None` when the number of peaks does not fit the size.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Frontier> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (peaks.len() == expected).then_some(Frontier { size, peaks })
    }

    /// The hashes of the complete subtrees that make up the tree, largest (leftmost) first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            // A frontier has as many peaks as its size has ones, so the pop always finds one.
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root of the tree as it is now.
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks)
    }
}

/// Joins the hashes of complete subtrees, largest first, into the root over them.
fn fold_peaks(peaks: &[Hash]) -> Hash {
    let mut from_right = peaks.iter().rev();
    let Some(last) = from_right.next() else { return EMPTY_ROOT };
    from_right.fold(*last, |right, left| node_hash(left, &right))
}

/// All nodes of a tree in memory: for proofs over short logs, and for tests.
#[derive(Clone, Debug, Default)]
pub struct Levels {
    levels: Vec<Vec<Hash>>,
}

impl Levels {
    pub fn new() -> Levels {
        Levels::default()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| u64::try_from(leaves.len()).unwrap_or(u64::MAX))
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(row) = self.levels.get_mut(level) else { return };
            row.push(node);
            // An even number of nodes means that the last two have a parent now.
            match row.as_slice() {
                [.., left, right] if row.len() % 2 == 0 => node = node_hash(left, right),
                _ => return,
            }
        }
    }
}

impl Hashes for Levels {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.levels.get(usize::from(level))?.get(usize::try_from(index).ok()?).copied()
    }
}

#[cfg(test)]
mod tests;
