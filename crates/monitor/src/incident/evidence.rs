//! The evidence of an incident, out of the monitor's copy of the record: the entries, what is sealed of them, and
//! receipts that prove to anybody that the log holds them. One pass over the copy, whatever its length.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use thiserror::Error;
use tlog::{
    checkpoint::Checkpoint,
    detail::{self, DayKey, DetailError},
    entry::{Entry, EntryError, Micros},
    hash::{Hash, leaf_hash},
    note::{NoteError, SignedNote, SigningKey},
    proof::Receipt,
    tree::{Hashes, Levels, ProofError, inclusion_proof},
};

use crate::{
    batch::Batch,
    copy::{self, CopyError, Frame, Replay},
    folder::{Folder, FolderError},
    forget::Wrapped,
};

/// Leaves of the tree that are kept or dropped together: 2^8.
const BLOCK_LEVEL: u8 = 8;
const BLOCK: u64 = 1 << BLOCK_LEVEL;
const SECOND_US: i64 = 1_000_000;

/// Why the evidence cannot be had.
#[derive(Debug, Error)]
pub enum EvidenceError {
    #[error("the copy of the record: {0}")]
    Copy(#[from] CopyError),
    #[error("entry {index}: {error}")]
    Entry { index: u64, error: EntryError },
    #[error("entry {index}: {error}")]
    Detail { index: u64, error: DetailError },
    #[error("a day key: {0}")]
    Key(DetailError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("the copy holds no checkpoint")]
    Empty,
    #[error("the checkpoint of the copy: {0}")]
    Note(#[from] NoteError),
    #[error("no receipt can be made: {0}")]
    Proof(#[from] ProofError),
}

/// An entry that was asked for.
struct Item {
    line: Vec<u8>,
    blob: Option<Vec<u8>>,
}

/// What was asked for of the copy.
pub struct Evidence {
    items: BTreeMap<u64, Item>,
    tree: Sparse,
    /// The log's signed checkpoint over all that is held.
    note: String,
}

impl Evidence {
    /// Reads a copy, which a monitor may be writing to: what is not cosigned yet is left out.
    pub fn read(dir: &Path, wanted: &BTreeSet<u64>) -> Result<Evidence, EvidenceError> {
        let cosigned = copy::read_mark(dir)?.unwrap_or(0);
        let evidence = Evidence { items: BTreeMap::new(), tree: Sparse::default(), note: String::new() };
        let mut reading = Reading { evidence, wanted, cosigned };
        copy::verify(dir, &mut reading)?;
        Ok(reading.evidence)
    }

    /// The entries that were asked for and are held, in order.
    pub fn entries(&self) -> impl Iterator<Item = Result<(u64, Entry), EvidenceError>> {
        self.items.iter().map(|(index, item)| {
            let entry = Entry::parse(&item.line);
            entry.map(|entry| (*index, entry)).map_err(|error| EvidenceError::Entry { index: *index, error })
        })
    }

    /// What is sealed of an entry; none if nothing is, or if its key was destroyed.
    pub fn open(&self, index: u64, keys: &mut Keys) -> Result<Option<serde_json::Value>, EvidenceError> {
        let wrong = |error| EvidenceError::Detail { index, error };
        let Some(blob) = self.items.get(&index).and_then(|item| item.blob.as_deref()) else {
            return Ok(None);
        };
        let Some(key) = keys.get(detail::key_id(blob).map_err(wrong)?)? else { return Ok(None) };
        Ok(Some(detail::open(key, blob).map_err(wrong)?.value))
    }

    /// A receipt for each entry, under the newest checkpoint, cosigned by these keys now.
    pub fn receipts(&self, keys: &[&SigningKey], now: Micros) -> Result<Vec<(u64, Receipt)>, EvidenceError> {
        if self.items.is_empty() {
            return Ok(Vec::new());
        }
        let mut note = SignedNote::parse(&self.note)?;
        let size = Checkpoint::parse(&note.text).map_err(|_| EvidenceError::Empty)?.size;
        let seconds = u64::try_from(now.0.div_euclid(SECOND_US)).unwrap_or(0);
        for key in keys {
            note.signatures.push(key.cosign(&note.text, seconds)?);
        }
        let receipt = |(index, item): (&u64, &Item)| {
            let hashes = inclusion_proof(&self.tree, *index, size)?;
            let extra = Some(item.line.clone());
            Ok((*index, Receipt { extra, index: *index, hashes, note: note.clone() }))
        };
        self.items.iter().map(receipt).collect()
    }
}

/// The day keys, as far as the monitor holds them.
pub struct Keys {
    wrapped: Wrapped,
    identity: String,
    held: BTreeMap<String, Option<DayKey>>,
}

impl Keys {
    /// The keys in a monitor's folder, opened by its identity.
    pub fn open(folder: &Folder, identity: &str) -> Result<Keys, EvidenceError> {
        let wrapped = Wrapped::open(folder.keys())?;
        Ok(Keys { wrapped, identity: identity.to_owned(), held: BTreeMap::new() })
    }

    fn get(&mut self, id: &str) -> Result<Option<&DayKey>, EvidenceError> {
        if !self.held.contains_key(id) {
            let opened =
                self.wrapped.get(id)?.map(|wrapped| detail::unwrap_day_key(&self.identity, &wrapped));
            let key = opened.transpose().map_err(EvidenceError::Key)?.map(|(key, ..)| key);
            self.held.insert(id.to_owned(), key);
        }
        Ok(self.held.get(id).and_then(Option::as_ref))
    }
}

struct Reading<'a> {
    evidence: Evidence,
    wanted: &'a BTreeSet<u64>,
    cosigned: u64,
}

impl Replay for Reading<'_> {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), String> {
        let batch = Batch::parse(frame.batch).map_err(|e| e.to_string())?;
        let Evidence { items, tree, note } = &mut self.evidence;
        if batch.first >= self.cosigned && !batch.items.is_empty() {
            return Ok(());
        }
        for (item, index) in batch.items.iter().zip(batch.first..) {
            let wanted = self.wanted.contains(&index);
            tree.push(leaf_hash(item.entry), wanted);
            if wanted {
                let blob = item.blob.map(<[u8]>::to_vec);
                items.insert(index, Item { line: item.entry.to_vec(), blob });
            }
        }
        *note = batch.note.to_owned();
        Ok(())
    }

    fn size(&self) -> u64 {
        self.evidence.tree.size()
    }
}

/// A tree of which only the parts around some leaves are kept: enough to prove these.
#[derive(Default)]
struct Sparse {
    /// Complete blocks and what is above them.
    upper: Levels,
    /// The blocks of the leaves that are to be proved.
    blocks: BTreeMap<u64, Levels>,
    /// The block that is being filled, and whether it is to be kept.
    last: Levels,
    keep: bool,
}

impl Sparse {
    fn size(&self) -> u64 {
        self.upper.size() * BLOCK + self.last.size()
    }

    fn push(&mut self, leaf: Hash, keep: bool) {
        self.last.push(leaf);
        self.keep |= keep;
        if self.last.size() == BLOCK
            && let Some(root) = self.last.node(BLOCK_LEVEL, 0)
        {
            let (block, full) = (self.upper.size(), std::mem::take(&mut self.last));
            self.upper.push(root);
            if std::mem::take(&mut self.keep) {
                self.blocks.insert(block, full);
            }
        }
    }
}

impl Hashes for Sparse {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let Some(below) = BLOCK_LEVEL.checked_sub(level).filter(|below| *below > 0) else {
            return self.upper.node(level - BLOCK_LEVEL, index);
        };
        let block = index >> below;
        let levels = if block == self.upper.size() { Some(&self.last) } else { self.blocks.get(&block) };
        levels?.node(level, index - (block << below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::tree::Levels;

    /// Every leaf that was kept is proved as the whole tree proves it.
    #[test]
    fn a_sparse_tree_proves_what_it_keeps() {
        for size in [1u64, 2, 255, 256, 257, 1000, 2048, 2049] {
            let kept: Vec<u64> =
                [0, 1, 7, 255, 256, 700, 999, 2047, 2048].into_iter().filter(|i| *i < size).collect();
            let (mut whole, mut sparse) = (Levels::new(), Sparse::default());
            for leaf in 0..size {
                let hash = leaf_hash(&leaf.to_be_bytes());
                whole.push(hash);
                sparse.push(hash, kept.contains(&leaf));
            }
            assert_eq!(sparse.size(), size);
            for index in kept {
                let expected = inclusion_proof(&whole, index, size).unwrap();
                assert_eq!(inclusion_proof(&sparse, index, size).unwrap(), expected, "{index} of {size}");
            }
        }
    }
}
