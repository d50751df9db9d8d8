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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

    use super::*;
    use crate::hash::leaf_hash;
    use crate::note::{KeyType, SigningKey};
    use crate::tree::{Levels, consistency_proof, root_at};

    const ORIGIN: &str = "example.com/log";

    fn tree() -> Levels {
        let mut tree = Levels::new();
        (0u8..20).for_each(|number| tree.push(leaf_hash(&[number])));
        tree
    }

    fn checkpoint(size: u64, root: Hash) -> Checkpoint {
        Checkpoint { origin: ORIGIN.to_owned(), size, root }
    }

    #[test]
    fn statuses() {
        let tree = tree();
        let root = |size| root_at(&tree, size).unwrap();
        let proof = |old, new| consistency_proof(&tree, old, new).unwrap();
        let other = leaf_hash(b"other");
        let at = |size| Held { size, root: root(size) };
        for (held, old, proof, size, next, status) in [
            (Held::NOTHING, 0, vec![], 0, EMPTY_ROOT, 200),
            (Held::NOTHING, 0, vec![], 13, root(13), 200),
            (at(6), 6, proof(6, 13), 13, root(13), 200),
            (at(8), 8, proof(8, 16), 16, root(16), 200),
            (at(6), 6, vec![], 6, root(6), 200),
            (at(6), 6, vec![], 5, root(5), 400),
            (at(6), 7, vec![], 6, root(6), 400),
            (at(6), 6, vec![other; 64], 13, root(13), 400),
            (at(6), 5, proof(5, 13), 13, root(13), 409),
            (at(6), 7, proof(7, 13), 13, root(13), 409),
            (at(6), 0, vec![], 13, root(13), 409),
            (Held::NOTHING, 6, proof(6, 13), 13, root(13), 409),
            (Held::NOTHING, 0, vec![], 0, other, 422),
            (Held::NOTHING, 0, vec![other], 13, root(13), 422),
            (at(6), 6, vec![], 6, other, 422),
            (at(6), 6, vec![other], 6, root(6), 422),
            (at(6), 6, vec![], 13, root(13), 422),
            (at(6), 6, proof(6, 13), 13, other, 422),
            (at(6), 6, proof(5, 13), 13, root(13), 422),
            (Held { size: 6, root: other }, 6, proof(6, 13), 13, root(13), 422),
        ] {
            let judged = judge(&held, old, &proof, &checkpoint(size, next));
            let got = judged.as_ref().map_or_else(Rejection::status, |()| 200);
            assert_eq!(got, status, "{held:?} old {old} to {size}: {judged:?}");
        }
        let conflict = judge(&at(6), 5, &[], &checkpoint(13, root(13))).unwrap_err();
        assert_eq!(conflict.body(), "6\n");
    }

    #[test]
    fn only_the_log_itself_may_ask() {
        let key = |name, seed| SigningKey::from_seed(name, KeyType::Ed25519, [seed; 32]).unwrap();
        let (log, stranger) = (key(ORIGIN, 1), key(ORIGIN, 2));
        let keys = [log.verifier().clone()];
        let text = checkpoint(1, EMPTY_ROOT).to_string();
        let note = log.sign_note(&text).unwrap();
        let status = |note: &SignedNote, origin| {
            authenticate(note, origin, &keys).as_ref().map_or_else(Rejection::status, |_| 200)
        };
        assert_eq!(status(&note, ORIGIN), 200);
        assert_eq!(status(&note, "example.com/other"), 404);
        assert_eq!(status(&stranger.sign_note(&text).unwrap(), ORIGIN), 403);
        let altered = SignedNote { text: text.replace("\n1\n", "\n2\n"), ..note.clone() };
        assert_eq!(status(&altered, ORIGIN), 403);
        assert_eq!(status(&log.sign_note("no checkpoint\n").unwrap(), ORIGIN), 400);
    }

    #[test]
    fn requests() {
        let log = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [1; 32]).unwrap();
        let tree = tree();
        let note = log.sign_note(&checkpoint(13, root_at(&tree, 13).unwrap()).to_string()).unwrap();
        for (old, proof) in [(0, vec![]), (6, consistency_proof(&tree, 6, 13).unwrap())] {
            let request = AddCheckpoint { old, proof, note: note.clone() };
            assert_eq!(AddCheckpoint::parse(request.to_string().as_bytes()), Ok(request));
        }
        let hash = leaf_hash(b"").to_base64();
        for body in [
            String::new(),
            format!("old 0\n{note}"),
            format!("old 00\n\n{note}"),
            format!("old\n\n{note}"),
            format!("old  0\n\n{note}"),
            format!("new 0\n\n{note}"),
            format!("old 6\nnothing\n\n{note}"),
            format!("old 6\n{}\n{note}", format!("{hash}\n").repeat(64)),
            format!("old 0\n\n{}", note.text),
        ] {
            let rejected = AddCheckpoint::parse(body.as_bytes()).unwrap_err();
            assert_eq!(rejected.status(), 400, "{body}");
        }
    }
}
