//! Inclusion and consistency proofs of RFC 6962, made from [`Hashes`] and checked from hashes alone.

use thiserror::Error;

use super::{Hashes, fold_peaks};
use crate::hash::{EMPTY_ROOT, Hash, node_hash};

/// Most hashes in a proof: a tree of 2^63 leaves has paths of 63 (tlog-witness allows no more lines).
pub const PROOF_HASHES_MAX: usize = 63;

/// Why a proof could not be made or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    #[error("leaf {index} is not in a tree of {size}; ask for a leaf below the size")]
    NoSuchLeaf { index: u64, size: u64 },
    #[error("a tree of {old} cannot precede a tree of {new}; the old size must not be above the new one")]
    Backwards { old: u64, new: u64 },
    #[error("the hash at level {level}, index {index} is not held; load the tiles up to the tree's size")]
    Missing { level: u8, index: u64 },
    #[error("the proof has {got} hashes, which cannot fit these sizes")]
    Length { got: usize },
    #[error("the proof leads to another root")]
    Root,
}

/// Root of the first `size` leaves.
pub fn root_at(source: &impl Hashes, size: u64) -> Result<Hash, ProofError> {
    range_root(source, 0, size)
}

/// Inclusion proof of leaf `index` in the tree of `size` leaves, from leaf to root (RFC 6962, section 2.1.1).
pub fn inclusion_proof(source: &impl Hashes, index: u64, size: u64) -> Result<Vec<Hash>, ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962, section 2.1.2).
/// Empty when `old` is zero or equal to `new`.
pub fn consistency_proof(source: &impl Hashes, old: u64, new: u64) -> Result<Vec<Hash>, ProofError> {
    if old > new {
        return Err(ProofError::Backwards { old, new });
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            proof.push(range_root(source, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(source, start, middle)?);
            start = middle;
        }
    }
    // The verifier knows the old root; it needs the last subtree only if that is not the whole old tree.
    if start != 0 {
        proof.push(range_root(source, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an inclusion proof (RFC 9162, section 2.1.3.2).
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::NoSuchLeaf { index, size });
    }
    let wrong_length = ProofError::Length { got: proof.len() };
    let mut walk = Walk { first: index, last: size - 1 };
    let mut computed = *leaf;
    for sibling in proof {
        computed = match walk.step().ok_or(wrong_length)? {
            Side::Left => node_hash(sibling, &computed),
            Side::Right => node_hash(&computed, sibling),
        };
    }
    walk.finish(wrong_length)?;
    if computed == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks a consistency proof (RFC 9162, section 2.1.4.2). The empty tree precedes every tree, with an empty proof.
pub fn verify_consistency(
    old: u64,
    new: u64,
    proof: &[Hash],
    old_root: &Hash,
    new_root: &Hash,
) -> Result<(), ProofError> {
    let wrong_length = ProofError::Length { got: proof.len() };
    if old > new {
        return Err(ProofError::Backwards { old, new });
    }
    if old == 0 || old == new {
        let roots_agree = if old == new { old_root == new_root } else { *old_root == EMPTY_ROOT };
        let empty_root_agrees = old != 0 || *old_root == EMPTY_ROOT;
        return match (proof.is_empty(), roots_agree && empty_root_agrees) {
            (true, true) => Ok(()),
            (true, false) => Err(ProofError::Root),
            (false, _) => Err(wrong_length),
        };
    }
    // When the old tree is one complete subtree, its root is where the proof starts and is left out of it.
    let (seed, rest) = if old.is_power_of_two() {
        (*old_root, proof)
    } else {
        let (seed, rest) = proof.split_first().ok_or(wrong_length)?;
        (*seed, rest)
    };
    let complete_levels = (old - 1).trailing_ones();
    let mut walk = Walk { first: shift(old - 1, complete_levels), last: shift(new - 1, complete_levels) };
    let (mut computed_old, mut computed_new) = (seed, seed);
    for sibling in rest {
        match walk.step().ok_or(wrong_length)? {
            Side::Left => {
                computed_old = node_hash(sibling, &computed_old);
                computed_new = node_hash(sibling, &computed_new);
            }
            Side::Right => computed_new = node_hash(&computed_new, sibling),
        }
    }
    walk.finish(wrong_length)?;
    if computed_old == *old_root && computed_new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}

/// The way up from a node to the root: `fn` and `sn` of RFC 9162.
struct Walk {
    first: u64,
    last: u64,
}

/// Side on which a proof's next hash stands.
enum Side {
    Left,
    Right,
}

impl Walk {
    /// One hash up; `None` when the root has been reached already.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.first & 1 == 1 || self.first == self.last {
            if self.first & 1 == 0 {
                // The last node of an odd row has no sibling until a row where it stands on the right.
                let skipped = self.first.trailing_zeros().min(u64::BITS - 1);
                self.first = shift(self.first, skipped);
                self.last = shift(self.last, skipped);
            }
            Side::Left
        } else {
            Side::Right
        };
        self.first >>= 1;
        self.last >>= 1;
        Some(side)
    }

    /// The proof must end exactly at the root.
    fn finish(&self, otherwise: ProofError) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(otherwise) }
    }
}

fn shift(value: u64, bits: u32) -> u64 {
    value.checked_shr(bits).unwrap_or(0)
}

/// The largest power of two smaller than `count`, for `count` of at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count.max(2) - 1).leading_zeros())
}

/// Root over leaves `start..end`, where `start` is a multiple of the power of two that covers the range.
fn range_root(source: &impl Hashes, start: u64, end: u64) -> Result<Hash, ProofError> {
    let count = end.saturating_sub(start);
    let mut peaks = Vec::new();
    let mut at = start;
    for level in (0..64u8).rev() {
        let width = 1u64 << level;
        if count & width != 0 {
            let index = at >> level;
            peaks.push(source.node(level, index).ok_or(ProofError::Missing { level, index })?);
            at += width;
        }
    }
    Ok(fold_peaks(&peaks))
}
