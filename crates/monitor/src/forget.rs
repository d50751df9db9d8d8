//! The wrapped day keys, and destroying them. The copy never holds a wrapped key: it is taken out of a batch before the
//! batch is stored, and lies in a file of its own, so that a key can be destroyed and the copy stay as it was written,
//! byte for byte, under the tree that was signed.
//!
//! A key's life, each step durable before the next:
//!
//! 1. `key.made` is posted: the wrapped key is written to `ID.age`, then the batch to the copy. Crash between: a file
//!    that no entry speaks of, which the next start destroys; the gate posts the batch again.
//! 2. `key.forgotten` is posted: the batch is written to the copy, then `ID.forgotten`, which says by which entry; `ID.age`
//!    is overwritten and removed; only then is the entry cosigned. Crash between: the next start goes on from the copy.
//! 3. The monitor's own record gets a `key.forgotten` of its own, and `ID.forgotten` becomes `ID.attested`. Crash between:
//!    said again at the next start.
//!
//! Which keys may be forgotten is decided in `entries::gate`. What disks and backups keep is out of reach.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tlog::{
    detail::{Forgotten, is_key_id},
    entry::{Entry, Kind},
};

use crate::{
    batch::{Batch, Item},
    folder::{self, FolderError},
};

const WRAPPED: &str = "age";
const FORGOTTEN: &str = "forgotten";
const ATTESTED: &str = "attested";
/// What the name of a file that is being destroyed ends with.
const DESTROYING: &str = "gone";
const ZEROS: [u8; 4_096] = [0; 4_096];

/// The folder of wrapped keys.
#[derive(Debug, Clone)]
pub struct Wrapped {
    dir: PathBuf,
}

impl Wrapped {
    /// The keys in this folder, which is made when it is not there.
    pub fn open(dir: PathBuf) -> Result<Wrapped, FolderError> {
        folder::make_dir(&dir)?;
        Ok(Wrapped { dir })
    }

    /// Keeps a wrapped key.
    pub fn put(&self, id: &str, wrapped: &[u8]) -> Result<(), FolderError> {
        folder::write_file(&self.path(id, WRAPPED), wrapped, 0o600)
    }

    /// The blob of an entry as it was posted: that of a `key.made` is here and not in the copy. None where there is none,
    /// and for a key that was destroyed.
    pub fn blob(&self, entry: &Entry, stored: Option<&[u8]>) -> Result<Option<Vec<u8>>, FolderError> {
        match entry.key.as_deref().filter(|id| entry.kind == Kind::KeyMade && is_key_id(id)) {
            None => Ok(stored.map(<[u8]>::to_vec)),
            Some(id) => self.get(id),
        }
    }

    /// A wrapped key; none if it was destroyed.
    pub fn get(&self, id: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.path(id, WRAPPED);
        if path.exists() { folder::read_bytes(&path).map(Some) } else { Ok(None) }
    }

    /// Destroys a key that an entry of the log at `origin` forgets. Can be done again.
    pub fn destroy(&self, origin: &str, key: &str, entry: u64) -> Result<(), FolderError> {
        let path = self.path(key, FORGOTTEN);
        if !path.exists() && !self.path(key, ATTESTED).exists() {
            let said = Forgotten { origin: origin.to_owned(), key: key.to_owned(), entry };
            let bytes = serde_json::to_vec(&said).map_err(io::Error::other).map_err(folder::at(&path))?;
            folder::write_file(&path, &bytes, 0o600)?;
        }
        let path = self.path(key, WRAPPED);
        destroy(&path).map_err(folder::at(&path))
    }

    /// Destroys what is left of keys that nothing needs: all but those that `is_needed` names.
    pub fn tidy(&self, is_needed: impl Fn(&str) -> bool) -> Result<(), FolderError> {
        for id in self.ids(WRAPPED)?.iter().filter(|id| !is_needed(id)) {
            let path = self.path(id, WRAPPED);
            destroy(&path).map_err(folder::at(&path))?;
        }
        for id in self.ids(DESTROYING)? {
            let path = self.path(&id, DESTROYING);
            finish(&path).map_err(folder::at(&path))?;
        }
        Ok(())
    }

    /// Attests to every key that was destroyed and not attested to yet: `attest` says it durably. What cannot be said
    /// stays to be said.
    pub fn attest<E: fmt::Display>(
        &self,
        mut attest: impl FnMut(&Forgotten) -> Result<(), E>,
    ) -> Result<(), FolderError> {
        for id in self.ids(FORGOTTEN)? {
            let path = self.path(&id, FORGOTTEN);
            let said = serde_json::from_slice::<Forgotten>(&folder::read_bytes(&path)?);
            let said = said.map_err(io::Error::other).map_err(folder::at(&path))?;
            match attest(&said) {
                Ok(()) => fs::rename(&path, self.path(&id, ATTESTED))
                    .and_then(|()| folder::sync_parent(&path))
                    .map_err(folder::at(&path))?,
                Err(e) => eprintln!("{id} is forgotten, and the own record does not say so yet: {e}"),
            }
        }
        Ok(())
    }

    fn path(&self, id: &str, what: &str) -> PathBuf {
        self.dir.join(format!("{id}.{what}"))
    }

    fn ids(&self, what: &str) -> Result<Vec<String>, FolderError> {
        let listed = fs::read_dir(&self.dir).and_then(|items| {
            items
                .map(|item| Ok(item?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()
        });
        let names = listed.map_err(folder::at(&self.dir))?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(what)?.strip_suffix('.'));
        let mut ids: Vec<String> = ids.filter(|id| is_key_id(id)).map(str::to_owned).collect();
        ids.sort();
        Ok(ids)
    }
}

/// A batch as the copy keeps it: without the wrapped keys of these entries.
pub fn without_keys(batch: &Batch<'_>, made: &BTreeMap<u64, String>) -> Vec<u8> {
    let items = batch.items.iter().zip(batch.first..);
    let kept =
        items.map(|(item, index)| Item { blob: item.blob.filter(|_| !made.contains_key(&index)), ..*item });
    Batch { note: batch.note, first: batch.first, items: kept.collect() }.encode()
}

/// Overwrites a file and removes it; one that is not there is no error.
fn destroy(path: &Path) -> io::Result<()> {
    let gone = path.with_extension(DESTROYING);
    match fs::rename(path, &gone) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed.and_then(|()| finish(&gone)),
    }
}

fn finish(gone: &Path) -> io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).open(gone)?;
    let mut left = file.metadata()?.len();
    while left > 0 {
        let part =
            ZEROS.get(..usize::try_from(left).unwrap_or(ZEROS.len()).min(ZEROS.len())).unwrap_or(&ZEROS);
        file.write_all(part)?;
        left = left.saturating_sub(u64::try_from(part.len()).unwrap_or(u64::MAX));
    }
    file.sync_all()?;
    fs::remove_file(gone)?;
    folder::sync_parent(gone)
}
