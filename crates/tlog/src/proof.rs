//! Receipts (C2SP tlog-proof@v1): one text that proves, to whoever has a rule, that an entry is in the record. How the
//! hashes of one are made from tiles is in `reader::Tiles`.
//!
//! A receipt of ours carries its entry: the `extra` line holds exactly the entry's bytes, and the leaf is
//! SHA-256(0x00 ‖ extra), as RFC 6962 says. So a receipt needs nothing beside it but the keys to trust. `extra` is
//! believed only because the proof leads from its hash to a root under the signatures.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use thiserror::Error;

use crate::checkpoint::parse_decimal;
use crate::entry::ENTRY_BYTES_MAX;
use crate::hash::{Hash, leaf_hash};
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote};
use crate::rule::{Accepted, ReleaseRule, RuleError};
use crate::tree::{PROOF_HASHES_MAX, ProofError, verify_inclusion};

/// First line of every receipt.
pub const RECEIPT_START: &str = "c2sp.org/tlog-proof@v1";
/// Name ending that receipts are stored under.
pub const RECEIPT_EXTENSION: &str = "tlog-proof";
/// Longest receipt that is read.
pub const RECEIPT_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    #[error("the receipt is longer than {RECEIPT_BYTES_MAX} bytes")]
    TooLong,
    #[error("the receipt is not UTF-8")]
    NotUtf8,
    #[error("line 1 is not {RECEIPT_START}")]
    Start,
    #[error("the extra line is not \"extra\", a space and standard Base 64")]
    Extra,
    #[error("there is no line \"index\", a space and a decimal number without leading zeros")]
    Index,
    #[error("proof line {line} is not a hash of 32 bytes in Base 64")]
    Hash { line: usize },
    #[error("the receipt has more than {PROOF_HASHES_MAX} proof lines")]
    TooManyHashes,
    #[error("there is no empty line between the proof and the checkpoint")]
    NoCheckpoint,
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint does not satisfy the rule: {0}")]
    Rule(#[from] RuleError),
    #[error("the entry is not where the receipt says: {0}")]
    Proof(#[from] ProofError),
    #[error("the receipt carries no entry of 1 to {ENTRY_BYTES_MAX} bytes; give the entry's file beside it")]
    NoEntry,
}

/// A receipt, which proves nothing until [`Receipt::verify`]. Displays as the whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Opaque; the entry's bytes in receipts of ours.
    pub extra: Option<Vec<u8>>,
    /// Number of the entry, from 0.
    pub index: u64,
    /// Inclusion proof, from the leaf's sibling to the root's child.
    pub hashes: Vec<Hash>,
    /// The checkpoint with its signatures, as the log published it.
    pub note: SignedNote,
}

impl Receipt {
    /// Reads a receipt. What it says is unverified.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Receipt, ReceiptError> {
        let bytes = bytes.as_ref();
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ReceiptError::NotUtf8)?;
        let mut rest = text.strip_prefix(RECEIPT_START).and_then(|rest| rest.strip_prefix('\n'));
        let mut next = || {
            let (line, after) = rest?.split_once('\n')?;
            rest = Some(after);
            Some(line)
        };
        let mut line = next().ok_or(ReceiptError::Start)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(STANDARD.decode(encoded).map_err(|_| ReceiptError::Extra)?);
            line = next().ok_or(ReceiptError::Index)?;
        }
        let index = line.strip_prefix("index ").and_then(parse_decimal).ok_or(ReceiptError::Index)?;
        let mut hashes = Vec::new();
        loop {
            let line = next().ok_or(ReceiptError::NoCheckpoint)?;
            if line.is_empty() {
                break;
            }
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(ReceiptError::TooManyHashes);
            }
            let number = hashes.len() + 1;
            hashes.push(Hash::from_base64(line).ok_or(ReceiptError::Hash { line: number })?);
        }
        let note = SignedNote::parse(rest.ok_or(ReceiptError::NoCheckpoint)?)?;
        Ok(Receipt { extra, index, hashes, note })
    }

    /// The entry that a receipt of ours carries, unverified.
    pub fn entry(&self) -> Result<&[u8], ReceiptError> {
        let entry = self.extra.as_deref().filter(|entry| (1..=ENTRY_BYTES_MAX).contains(&entry.len()));
        entry.ok_or(ReceiptError::NoEntry)
    }

    /// Checks that the leaf is entry [`Receipt::index`] under a checkpoint that satisfies the rule. For a receipt of
    /// ours the leaf is [`leaf_hash`] of [`Receipt::entry`]; for another it is known from elsewhere.
    pub fn verify(&self, rule: &ReleaseRule, leaf: &Hash) -> Result<Accepted, ReceiptError> {
        let accepted = rule.check(&self.note)?;
        let checkpoint = &accepted.checkpoint;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(accepted)
    }

    /// As [`Receipt::verify`], for the entry that the receipt carries, which it returns.
    pub fn verify_entry(&self, rule: &ReleaseRule) -> Result<(Accepted, &[u8]), ReceiptError> {
        let entry = self.entry()?;
        Ok((self.verify(rule, &leaf_hash(entry))?, entry))
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{RECEIPT_START}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests;
