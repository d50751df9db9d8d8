//! What was folded, written down now and then, so that a start needs not fold the whole copy again. A snapshot names the
//! place of the copy, the size and the root that it is of, and is sealed with a key that follows from the monitor's own
//! identity: whoever has not the folder's secrets can neither read nor alter it. It is never needed: without it, or when
//! anything of it does not hold, the copy is folded from its beginning (`resume`).
//!
//! Whoever else folds the copy (the detectors) writes down what they folded in the same form, in a file of their own.
//!
//! The file: `magic | u64be size | root | u64be segment | u64be offset | nonce | sealed((u32be len, name | u64be len,
//! bytes)*) | tag`, with everything before the nonce as associated data.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce};
use rand::{TryRngCore, rngs::OsRng};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tlog::hash::Hash;

use crate::{
    copy::Position,
    folder::{self, FolderError},
};

/// A snapshot is written when so many entries have come since the last one…
pub const SNAPSHOT_ENTRIES_MIN: u64 = 16_384;
/// …and so many that it costs no more than this an entry.
pub const SNAPSHOT_BYTES_PER_ENTRY_MAX: u64 = 64;
/// A longer file is no snapshot.
pub const SNAPSHOT_BYTES_MAX: u64 = 1 << 30;

/// Changes with the format: a file of another is no snapshot.
const MAGIC: &[u8; 28] = b"trefoil-monitor snapshot v1\n";
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// Why a snapshot cannot be used or written.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{}: not a snapshot of this version", .0.display())]
    Form(PathBuf),
    #[error("{}: damaged, or of another monitor", .0.display())]
    Sealed(PathBuf),
    #[error("it cannot be sealed")]
    Seal,
    #[error("no randomness: {0}")]
    Random(#[from] rand::rand_core::OsError),
}

/// What was folded, in parts by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sections(BTreeMap<String, Vec<u8>>);

impl Sections {
    /// Keeps these bytes under a name, in place of those before.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.insert(name.to_owned(), bytes);
    }

    /// As [`Sections::put`], of a value. One that has no JSON is not kept: the start after does without.
    pub fn put_json(&mut self, name: &str, value: &impl Serialize) {
        if let Ok(bytes) = serde_json::to_vec(value) {
            self.put(name, bytes);
        }
    }

    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// A value that was kept, if it still is one.
    pub fn get_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(self.get(name)?).ok()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for (name, bytes) in &self.0 {
            out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend(name.as_bytes());
            out.extend(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            out.extend(bytes);
        }
    }

    fn decode(mut rest: &[u8]) -> Option<Sections> {
        let mut sections = Sections::default();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (name, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
            let (length, after) = after.split_first_chunk::<8>()?;
            let (bytes, after) =
                after.split_at_checked(usize::try_from(u64::from_be_bytes(*length)).ok()?)?;
            sections.put(std::str::from_utf8(name).ok()?, bytes.to_vec());
            rest = after;
        }
        Some(sections)
    }
}

/// Everything that was folded up to a place of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub size: u64,
    pub root: Hash,
    pub position: Position,
    pub sections: Sections,
}

impl Snapshot {
    /// The snapshot in a folder; none when there is none.
    pub fn read(path: &Path, identity: &str) -> Result<Option<Snapshot>, SnapshotError> {
        let form = || SnapshotError::Form(path.to_owned());
        match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(folder::at(path)(e).into()),
            Ok(file) if file.len() > SNAPSHOT_BYTES_MAX => return Err(form()),
            Ok(_) => {}
        }
        let mut bytes = fs::read(path).map_err(folder::at(path))?;
        let (head, body) = bytes.split_at_mut_checked(HEAD_BYTES).ok_or_else(form)?;
        let (size, root, position) = read_head(head).ok_or_else(form)?;
        let (nonce, body) = body.split_at_mut_checked(NONCE_BYTES).ok_or_else(form)?;
        let length = body.len().checked_sub(TAG_BYTES).ok_or_else(form)?;
        let (body, tag) = body.split_at_mut_checked(length).ok_or_else(form)?;
        cipher(identity)
            .decrypt_in_place_detached(XNonce::from_slice(nonce), head, body, (&*tag).into())
            .map_err(|_| SnapshotError::Sealed(path.to_owned()))?;
        let sections = Sections::decode(body).ok_or_else(form)?;
        Ok(Some(Snapshot { size, root, position, sections }))
    }

    /// Writes the snapshot whole or not at all.
    pub fn write(&self, path: &Path, identity: &str) -> Result<u64, SnapshotError> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.try_fill_bytes(&mut nonce)?;
        let mut bytes = self.head();
        bytes.extend(nonce);
        let from = bytes.len();
        self.sections.encode(&mut bytes);
        let tag = cipher(identity)
            .encrypt_in_place_detached(
                XNonce::from_slice(&nonce),
                &self.head(),
                bytes.get_mut(from..).unwrap_or_default(),
            )
            .map_err(|_| SnapshotError::Seal)?;
        bytes.extend_from_slice(&tag);
        folder::write_file(path, &bytes, 0o600)?;
        Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX))
    }

    fn head(&self) -> Vec<u8> {
        let Position { segment, offset } = self.position;
        let mut head = MAGIC.to_vec();
        head.extend(self.size.to_be_bytes());
        head.extend(self.root.as_bytes());
        head.extend(segment.to_be_bytes());
        head.extend(offset.to_be_bytes());
        head
    }
}

const HEAD_BYTES: usize = MAGIC.len() + 8 + 32 + 8 + 8;

fn read_head(head: &[u8]) -> Option<(u64, Hash, Position)> {
    let rest = head.strip_prefix(MAGIC)?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let (root, rest) = rest.split_first_chunk::<32>()?;
    let (segment, rest) = rest.split_first_chunk::<8>()?;
    let (offset, _) = rest.split_first_chunk::<8>()?;
    let [size, segment, offset] = [size, segment, offset].map(|number| u64::from_be_bytes(*number));
    Some((size, Hash(*root), Position { segment, offset }))
}

fn cipher(identity: &str) -> XChaCha20Poly1305 {
    let key = Sha256::new().chain_update(MAGIC).chain_update(identity).finalize();
    XChaCha20Poly1305::new(&key)
}

/// Writes snapshots on a thread of their own: no cosignature waits for one.
pub struct Writer {
    path: PathBuf,
    identity: String,
    /// Size of the last snapshot's tree, and after how many entries the next one is due.
    last: u64,
    every: u64,
    writing: Option<JoinHandle<Result<u64, SnapshotError>>>,
}

impl Writer {
    /// For a monitor whose copy has this size and whose snapshot is of `last` of it.
    pub fn new(path: PathBuf, identity: &str, last: u64) -> Writer {
        Writer { path, identity: identity.to_owned(), last, every: SNAPSHOT_ENTRIES_MIN, writing: None }
    }

    /// Whether another snapshot is due at this size.
    pub fn is_due(&mut self, size: u64) -> bool {
        size.saturating_sub(self.last) >= self.every
            && self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Writes it beside whatever else is done.
    pub fn begin(&mut self, snapshot: Snapshot) {
        self.finish();
        self.last = snapshot.size;
        let (path, identity) = (self.path.clone(), self.identity.clone());
        self.writing = Some(std::thread::spawn(move || snapshot.write(&path, &identity)));
    }

    /// Waits for the one that is being written.
    pub fn finish(&mut self) {
        match self.writing.take().map(JoinHandle::join) {
            None => {}
            Some(Ok(Ok(bytes))) => {
                self.every = SNAPSHOT_ENTRIES_MIN.max(bytes / SNAPSHOT_BYTES_PER_ENTRY_MAX);
            }
            // The start after takes longer, and nothing else is lost.
            Some(Ok(Err(e))) => eprintln!("no snapshot was written: {e}"),
            Some(Err(_)) => eprintln!("no snapshot was written"),
        }
    }
}
