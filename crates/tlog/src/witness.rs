//! The witness rule of C2SP tlog-witness, as pure functions: who may ask, and whether a checkpoint may be cosigned.
//! Storing the new size before answering, atomically with the comparison, is the caller's duty.

use std::fmt;

use thiserror::Error;

use crate::checkpoint::{Checkpoint, parse_decimal};
use crate::hash::{EMPTY_ROOT, Hash};
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tree::{PROOF_HASHES_MAX, verify_consistency};

/// The largest checkpoint that a witness has cosigned for a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub size: u64,
    pub root: Hash,
}

impl Held {
    /// Nothing cosigned yet for this log.
    pub const NOTHING: Held = Held { size: 0, root: EMPTY_ROOT };
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    #[error("the request is malformed: {0}")]
    Malformed(&'static str),
    #[error("the old size {old} is above the checkpoint's size {size}")]
    OldAboveSize { old: u64, size: u64 },
    #[error("the origin is not one this witness knows")]
    UnknownOrigin,
    #[error("no signature by a trusted key of this log, or one that does not verify")]
    Signature,
    #[error("the last size cosigned is {held}; ask again with that as the old size")]
    Conflict { held: u64 },
    #[error("a tree of size zero must have the root of the empty tree")]
    EmptyRoot,
    #[error("this size was cosigned with another root: the log has shown two trees")]
    SplitView,
    #[error("the consistency proof does not hold")]
    Proof,
}

impl Rejection {
    /// HTTP status that tlog-witness assigns.
    pub fn status(&self) -> u16 {
        match self {
            Rejection::Malformed(_) | Rejection::OldAboveSize { .. } => 400,
            Rejection::Signature => 403,
            Rejection::UnknownOrigin => 404,
            Rejection::Conflict { .. } => 409,
            Rejection::EmptyRoot | Rejection::SplitView | Rejection::Proof => 422,
        }
    }

    /// Body of the HTTP answer; of a conflict it is the size held, of type `text/x.tlog.size`.
    pub fn body(&self) -> String {
        match self {
            Rejection::Conflict { held } => format!("{held}\n"),
            _ => format!("{self}\n"),
        }
    }
}

/// Checks that a log signed the checkpoint: its origin is `origin` and one of `keys` signed it. Lines by unknown keys
/// are ignored; a trusted key's line that does not verify rejects.
pub fn authenticate(note: &SignedNote, origin: &str, keys: &[VerifierKey]) -> Result<Checkpoint, Rejection> {
    let checkpoint =
        Checkpoint::parse(&note.text).map_err(|_| Rejection::Malformed("the text is no checkpoint"))?;
    if checkpoint.origin != origin {
        return Err(Rejection::UnknownOrigin);
    }
    note.verify(keys).map_err(|_| Rejection::Signature)?;
    Ok(checkpoint)
}

/// Whether an authenticated checkpoint may be cosigned after `held`, given a proof from size `old`.
///
/// The same size again, with the same root and no proof, is allowed: it renews the time of the cosignature.
pub fn judge(held: &Held, old: u64, proof: &[Hash], next: &Checkpoint) -> Result<(), Rejection> {
    if proof.len() > PROOF_HASHES_MAX {
        return Err(Rejection::Malformed("more than 63 proof lines"));
    }
    if old > next.size {
        return Err(Rejection::OldAboveSize { old, size: next.size });
    }
    if old != held.size {
        return Err(Rejection::Conflict { held: held.size });
    }
    if next.size == 0 && next.root != EMPTY_ROOT {
        return Err(Rejection::EmptyRoot);
    }
    if old == next.size && held.root != next.root {
        return Err(Rejection::SplitView);
    }
    verify_consistency(old, next.size, proof, &held.root, &next.root).map_err(|_| Rejection::Proof)
}

/// Body of an `add-checkpoint` request. Displays as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the proof starts from.
    pub old: u64,
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by its log.
    pub note: SignedNote,
}

impl AddCheckpoint {
    /// Reads a request body.
    pub fn parse(body: &[u8]) -> Result<AddCheckpoint, Rejection> {
        let text = std::str::from_utf8(body).map_err(|_| Rejection::Malformed("not UTF-8"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or(Rejection::Malformed("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(parse_decimal)
            .ok_or(Rejection::Malformed("the first line is not \"old\" and a size"))?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == PROOF_HASHES_MAX {
                return Err(Rejection::Malformed("more than 63 proof lines"));
            }
            proof.push(Hash::from_base64(line).ok_or(Rejection::Malformed("a proof line is no hash"))?);
        }
        let note = SignedNote::parse(note).map_err(|error: NoteError| match error {
            NoteError::TooLarge => Rejection::Malformed("the checkpoint is too large"),
            _ => Rejection::Malformed("the checkpoint is no signed note"),
        })?;
        Ok(AddCheckpoint { old, proof, note })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.note)
    }
}
