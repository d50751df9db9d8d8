//! A plain C2SP tlog-witness for any logs: it cosigns that a log only grew, and knows nothing of what its entries say.
//! A monitor that follows a log says so itself under every batch (`monitor`), and serves none of this: its witness key
//! must not get ahead of its copy.
//!
//! The rule is `tlog::witness`; durable storage of what was cosigned is `held`, HTTP is `http`.
//!
//! Commit order, for each log one request at a time:
//!   1. judge by what is held            crash here: nothing happened
//!   2. store size and root, fdatasync   crash here: it is held; the log asks again and is told the size
//!   3. answer the cosignature

pub mod config;
pub mod held;
pub mod http;
pub mod init;

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{Mutex, MutexGuard, PoisonError},
};

use thiserror::Error;
use tlog::{
    checkpoint::Checkpoint,
    entry::Micros,
    hash::Hash,
    note::{SignedNote, SigningKey, VerifierKey},
    witness::{AddCheckpoint, Held, Rejection, authenticate, judge},
};

use crate::{
    config::{ConfigError, Cosigners},
    folder::{self, Folder, FolderError},
};
use config::WitnessConfig;
use held::{HeldError, Slots};

const SECOND_US: i64 = 1_000_000;

/// Why the witness does not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Held(#[from] HeldError),
}

/// Why a checkpoint is not cosigned.
#[derive(Debug, Error)]
pub enum NotCosigned {
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// What was cosigned cannot be kept, or the time is not known.
    #[error("{0}")]
    Ours(String),
}

/// The witness, with its folder locked.
pub struct Witness {
    key: SigningKey,
    /// By origin.
    logs: BTreeMap<String, Log>,
    _lock: File,
}

struct Log {
    keys: Vec<VerifierKey>,
    last: Mutex<Last>,
}

/// The last checkpoint that was cosigned.
struct Last {
    slots: Slots,
    held: Held,
    /// With the log's signatures and the cosignature; empty when nothing was cosigned yet.
    note: String,
}

impl Witness {
    /// Reads the configuration, the key, and for each log what was cosigned last.
    pub fn open(folder: &Folder, config: &WitnessConfig) -> Result<Witness, StartError> {
        let lock = folder.lock()?;
        let key = Cosigners::read(folder)?.witness;
        folder::make_dir(&folder.held())?;
        let mut logs = BTreeMap::new();
        for (origin, keys) in &config.logs {
            let path = folder.held().join(Hash::of(origin.as_bytes()).to_hex());
            let (slots, note) = Slots::open(&path)?;
            let (held, note) = match note {
                None => (Held::NOTHING, String::new()),
                Some(note) => (read_held(origin, &note).ok_or(HeldError::Damaged(path))?, note),
            };
            let last = Mutex::new(Last { slots, held, note });
            logs.insert(origin.clone(), Log { keys: keys.clone(), last });
        }
        Ok(Witness { key, logs, _lock: lock })
    }

    /// The verifier key of what is cosigned.
    pub fn key(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// Origins of the logs that it cosigns for.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// One request to `add-checkpoint`: the signature line to answer, once what it says is on the disk.
    pub fn add_checkpoint(&self, body: &[u8], now: Micros) -> Result<String, NotCosigned> {
        let request = AddCheckpoint::parse(body)?;
        let no_checkpoint = |_| Rejection::Malformed("the text is no checkpoint");
        let origin = Checkpoint::parse(&request.note.text).map_err(no_checkpoint)?.origin;
        let log = self.logs.get(&origin).ok_or(Rejection::UnknownOrigin)?;
        let next = authenticate(&request.note, &origin, &log.keys)?;
        let mut last = log.last();
        judge(&last.held, request.old, &request.proof, &next)?;
        let seconds = u64::try_from(now.0.div_euclid(SECOND_US)).unwrap_or(0);
        let wrong_clock = |e| NotCosigned::Ours(format!("cannot cosign: {e}; check the witness's clock"));
        let line = self.key.cosign(&request.note.text, seconds).map_err(wrong_clock)?;
        // What strangers wrote under the checkpoint is not repeated.
        let of_log = |name: &str, id: u32| log.keys.iter().any(|key| key.name() == name && key.id() == id);
        let SignedNote { text, mut signatures } = request.note;
        signatures.retain(|signature| of_log(signature.name(), signature.key_id()));
        signatures.push(line.clone());
        let note = SignedNote { text, signatures }.to_string();
        let next = Held { size: next.size, root: next.root };
        if next != last.held {
            last.slots.store(&note).map_err(|e| NotCosigned::Ours(e.to_string()))?;
        }
        // The same size again says only that it is still the newest, which nobody has to remember.
        last.held = next;
        last.note = note;
        Ok(line.to_string())
    }

    /// The last checkpoint cosigned for the log whose origin has this hash, in hexadecimal.
    pub fn checkpoint(&self, hash: &str) -> Option<String> {
        let mut logs = self.logs.iter();
        let (_, log) = logs.find(|(origin, _)| Hash::of(origin.as_bytes()).to_hex() == hash)?;
        let note = log.last().note.clone();
        (!note.is_empty()).then_some(note)
    }
}

impl Log {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_held(origin: &str, note: &str) -> Option<Held> {
    let checkpoint = Checkpoint::parse(&SignedNote::parse(note).ok()?.text).ok()?;
    (checkpoint.origin == origin).then_some(Held { size: checkpoint.size, root: checkpoint.root })
}
