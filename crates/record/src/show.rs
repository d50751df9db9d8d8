//! Reading a record by index, for people: published entries and what is staged after them, and their details for
//! who has an identity that opens the day keys. Changes nothing and checks no signatures (`tlog::reader` does).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde_json::Value;
use tlog::checkpoint::Checkpoint;
use tlog::detail::{self, DayKey, DetailError};
use tlog::entry::{Entry, EntryError, Kind};
use tlog::hash::hex;
use tlog::note::SignedNote;

use crate::batch::Batch;
use crate::durable;
use crate::forget::{self, Gone};
use crate::history::History;
use crate::publish::CHECKPOINT;
use crate::wal::{self, WalError};

/// How often reading starts again because the writer removed a segment meanwhile.
const READ_AGAIN_MAX: usize = 8;

/// A record as it is at one moment.
pub struct Reading {
    history: History,
    published: u64,
    staged: Vec<Batch>,
}

/// An entry as it lies in the record.
#[derive(Clone, Debug)]
pub struct Shown {
    pub index: u64,
    /// Whether it is in the published folder. One that is not may still lack its cosignatures.
    pub published: bool,
    /// The canonical line.
    pub line: Vec<u8>,
    /// The sealed detail; empty if there is none.
    pub sealed: Vec<u8>,
}

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("{}: {problem}; see what trefoil record verify says", path.display())]
    Published { path: PathBuf, problem: String },
    #[error("entry {index}: {error}")]
    Entry { index: u64, error: EntryError },
    #[error("entry {index}: {error}")]
    Detail { index: u64, error: DetailError },
    #[error("entry {index}: the day key {key} is not in {}; the folder is another record's", dir.display())]
    Key { index: u64, key: String, dir: PathBuf },
    #[error("entry {index}: the day key {} was forgotten at {}, by entry {}: nobody can open this detail", gone.key, gone.time, gone.entry)]
    Forgotten { index: u64, gone: Gone },
    #[error("entry {index}: the detail is not the one that the entry commits to")]
    Commitment { index: u64 },
}

impl Reading {
    /// Reads how far the record is. `wal_dir` and `details_dir` are the gate's. Where there is no `wal_dir`, staged
    /// entries are not seen.
    pub fn open(record_dir: PathBuf, details_dir: PathBuf, wal_dir: PathBuf) -> Result<Self, ShowError> {
        let mut failed = None;
        for _ in 0..READ_AGAIN_MAX {
            let mut staged = Vec::new();
            // The checkpoint is read first: if it is newer when the segments are read, they overlap.
            let published = published_size(&record_dir)?;
            if !wal_dir.exists() {
                let history = History { record_dir, details_dir, keys_dir: None };
                return Ok(Self { history, published, staged });
            }
            match wal::read_dir(&wal_dir, &mut |batch| staged.push(batch)) {
                Ok(_) => {
                    let history = History { record_dir, details_dir, keys_dir: None };
                    staged.retain(|batch| batch.next() > published);
                    return Ok(Self { history, published, staged });
                }
                Err(WalError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                    failed = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        let error = failed.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(ShowError::Io { path: wal_dir, error })
    }

    /// How many entries are published.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// How many entries there are, staged ones included.
    pub fn size(&self) -> u64 {
        self.staged.last().map_or(self.published, Batch::next)
    }

    /// Gives the entries `from..to`, as far as there are any, to `each`, in order. Stops when `each` fails.
    pub fn each<E: From<ShowError>>(
        &self,
        from: u64,
        to: u64,
        mut each: impl FnMut(Shown) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut index = from;
        while index < to.min(self.published) {
            let records = self.history.bundle_from(index, self.published).map_err(|error| {
                ShowError::Published { path: self.history.record_dir.clone(), problem: error.to_string() }
            })?;
            for (line, sealed) in records {
                if index < to {
                    each(Shown { index, published: true, line, sealed })?;
                }
                index += 1;
            }
        }
        for batch in &self.staged {
            let from = from.max(self.published).max(batch.first());
            for (index, (line, sealed)) in (from..).zip(batch.iter(from, to)) {
                each(Shown { index, published: false, line: line.to_vec(), sealed: sealed.to_vec() })?;
            }
        }
        Ok(())
    }

    /// The entry at `index`, if there is one.
    pub fn get(&self, index: u64) -> Result<Option<Shown>, ShowError> {
        let mut found = None;
        self.each(index, index.saturating_add(1), |shown| {
            found = Some(shown);
            Ok::<(), ShowError>(())
        })?;
        Ok(found)
    }
}

impl Shown {
    /// The entry, checked.
    pub fn entry(&self) -> Result<Entry, ShowError> {
        Entry::parse(&self.line).map_err(|error| ShowError::Entry { index: self.index, error })
    }
}

/// Opens details with an age identity.
pub struct Opener {
    identity: String,
    keys_dir: PathBuf,
    /// Keys that were unwrapped before.
    keys: BTreeMap<String, DayKey>,
}

impl Opener {
    /// Opens with `identity` (`AGE-SECRET-KEY-1…`) the wrapped day keys in `keys_dir`.
    pub fn new(identity: &str, keys_dir: PathBuf) -> Self {
        Self { identity: identity.trim().to_owned(), keys_dir, keys: BTreeMap::new() }
    }

    /// The detail of an entry, checked against the entry's commitment. None if it has none, and for `key.made`,
    /// whose detail is the key itself.
    pub fn open(&mut self, shown: &Shown) -> Result<Option<Value>, ShowError> {
        let entry = shown.entry()?;
        let Some(commitment) = entry.detail.filter(|_| entry.kind != Kind::KeyMade) else { return Ok(None) };
        let index = shown.index;
        let wrong = |error| ShowError::Detail { index, error };
        let id = detail::key_id(&shown.sealed).map_err(wrong)?.to_owned();
        let opened = detail::open(self.key(index, &id)?, &shown.sealed).map_err(wrong)?;
        if hex(&opened.commitment) != commitment {
            return Err(ShowError::Commitment { index });
        }
        Ok(Some(opened.value))
    }

    /// Why a wrapped key is not there.
    fn no_key(&self, index: u64, id: &str) -> Result<ShowError, ShowError> {
        let gone = forget::forgotten(&self.keys_dir, id);
        let gone = gone.map_err(|error| ShowError::Io { path: self.keys_dir.clone(), error })?;
        let dir = self.keys_dir.clone();
        Ok(match gone {
            Some(gone) => ShowError::Forgotten { index, gone },
            None => ShowError::Key { index, key: id.to_owned(), dir },
        })
    }

    fn key(&mut self, index: u64, id: &str) -> Result<&DayKey, ShowError> {
        let missing = || ShowError::Key { index, key: id.to_owned(), dir: self.keys_dir.clone() };
        if !self.keys.contains_key(id) {
            let path = self.keys_dir.join(format!("{id}.age"));
            let wrapped = durable::read(&path).map_err(|error| ShowError::Io { path, error })?;
            let Some(wrapped) = wrapped else { return Err(self.no_key(index, id)?) };
            let (key, _, _) = detail::unwrap_day_key(&self.identity, &wrapped)
                .map_err(|error| ShowError::Detail { index, error })?;
            self.keys.insert(id.to_owned(), key);
        }
        self.keys.get(id).filter(|key| key.id == id).ok_or_else(missing)
    }
}

fn published_size(record_dir: &std::path::Path) -> Result<u64, ShowError> {
    let path = record_dir.join(CHECKPOINT);
    let Some(bytes) = durable::read(&path).map_err(|error| ShowError::Io { path: path.clone(), error })?
    else {
        return Ok(0);
    };
    let wrong = |problem: String| ShowError::Published { path: path.clone(), problem };
    let note = SignedNote::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(Checkpoint::parse(&note.text).map_err(|error| wrong(error.to_string()))?.size)
}
