//! A folder that keeps what was learnt: the secret that makes its hashes, snapshots, what was taken in and is under no
//! snapshot yet, and verdicts. One process at a time writes it; it survives that process at any moment. What a snapshot
//! looks like is in `snapshot`.
//!
//! ```text
//! DIR/key                  16 random bytes as hexadecimal digits, for its owner alone; without it the rest is noise
//! DIR/lock                 held by the process that writes
//! DIR/snapshot.<number>    the newest, and the one before it
//! DIR/inbox/               events that came by HTTP or standard input and are not under both snapshots (`inbox`)
//! DIR/marks                verdicts of analysts (`marks`)
//! ```
//!
//! **Commit order** of a snapshot: written beside its name, synced, renamed, the folder synced, then those before the
//! previous one removed. A crash at any place leaves the previous one, and whatever followed it is read again from the
//! input. An error at any step ends the process: nobody knows what is on the disk.

mod inbox;
mod marks;
mod sealed;
pub(crate) mod snapshot;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::TryRngCore;
use rand::rngs::OsRng;
use rustix::fs::{FlockOperation, flock};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

use crate::steps::{Step, Steps};
pub use inbox::Inbox;
pub use marks::{Learnt, Mark, Marks};
pub(crate) use sealed::Sealer;
pub use snapshot::Refused;
use snapshot::Seal;

const KEY: &str = "key";
const LOCK: &str = "lock";
const SNAPSHOT: &str = "snapshot.";
const UNNAMED: &str = "unnamed";

/// Why a state cannot be opened or written.
#[derive(Debug, Error)]
pub enum StateError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no state.
    #[error("{}: there is no state here; `trefoil logins watch --state` makes one", .0.display())]
    Absent(PathBuf),
    /// Another process writes it.
    #[error("{}: in use by process {pid}; one process at a time writes a state", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// Who says so.
        pid: String,
    },
    /// The key is none.
    #[error("{}: not 32 hexadecimal digits; put the key back that was there, or begin with an empty folder", .0.display())]
    Key(PathBuf),
    /// There are snapshots, and none can be used.
    #[error("{}: no snapshot can be used: {why}; put one back, or begin with an empty folder", path.display())]
    Snapshots {
        /// The folder.
        path: PathBuf,
        /// What is wrong with each.
        why: String,
    },
}

/// Names the file that something failed at.
pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    |source| StateError::Io { path: path.to_owned(), source }
}

/// The secret of a state, as its file holds it.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl Secret {
    /// Reads it, or makes it where there is none yet.
    pub fn read_or_make(path: &Path) -> Result<Self, StateError> {
        if !path.try_exists().map_err(at(path))? {
            let mut bytes = [0; 16];
            OsRng.try_fill_bytes(&mut bytes).map_err(|error| at(path)(io::Error::other(error)))?;
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            replace(path, format!("{digits}\n").as_bytes(), &Steps::default()).map_err(at(path))?;
        }
        Self::read(path)
    }

    /// Reads it.
    pub fn read(path: &Path) -> Result<Self, StateError> {
        let text = fs::read_to_string(path).map_err(at(path))?;
        let digits = text.trim();
        let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32);
        // `from_str_radix` takes a sign.
        let number = number.filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| StateError::Key(path.to_owned()))
    }

    /// The key of hashes.
    pub fn key(&self) -> risk::Key {
        risk::Key::new(self.0)
    }

    /// The key of files.
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(crate) fn seal(&self) -> Seal {
        Seal::of(&self.0)
    }
}

/// A state's folder, to read.
pub struct Folder {
    dir: PathBuf,
    secret: Secret,
}

impl Folder {
    /// The state in this folder, which must be there.
    pub fn look(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(KEY);
        if !path.try_exists().map_err(at(&path))? {
            return Err(StateError::Absent(dir.to_owned()));
        }
        Ok(Self { secret: Secret::read(&path)?, dir: dir.to_owned() })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its secret.
    pub fn secret(&self) -> Secret {
        self.secret
    }

    /// The newest snapshot that `read` can use, with its number, and what is wrong with newer ones. While another
    /// process commits, one may be gone when it is read; the one before it is not.
    pub fn newest<H: DeserializeOwned, T>(
        &self,
        mut read: impl FnMut(H, &mut dyn Read) -> Result<T, Refused>,
    ) -> Result<Newest<T>, StateError> {
        let mut refused = Vec::new();
        for number in self.numbers()?.into_iter().rev() {
            let path = self.snapshot(number);
            let file = File::open(&path).map_err(Refused::from);
            let read = file
                .and_then(|file| snapshot::read::<H, _>(file, &self.secret.seal()))
                .and_then(|(header, mut body)| read(header, &mut body));
            match read {
                Ok(used) => return Ok(Newest { used: Some((number, used)), refused }),
                Err(why) => refused.push(format!("{}: {why}", path.display())),
            }
        }
        if refused.is_empty() {
            return Ok(Newest { used: None, refused });
        }
        Err(StateError::Snapshots { path: self.dir.clone(), why: refused.join("; ") })
    }

    fn snapshot(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{SNAPSHOT}{number}"))
    }

    fn numbers(&self) -> Result<Vec<u64>, StateError> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(at(&self.dir))? {
            let name = entry.map_err(at(&self.dir))?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(SNAPSHOT)?.parse::<u64>().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// What was found of snapshots.
pub struct Newest<T> {
    /// The newest that can be used, and its number; none where there is none at all.
    pub used: Option<(u64, T)>,
    /// Newer ones, and what is wrong with them.
    pub refused: Vec<String>,
}

/// A state's folder, to write.
pub struct State {
    folder: Folder,
    /// Dropping it lets another process in.
    _lock: File,
    /// The snapshot before the newest: it and whatever follows it stay.
    previous: Option<u64>,
    pub(crate) steps: Steps,
}

impl State {
    /// Opens the state in a folder for writing, and makes what is not there.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let lock = lock(dir)?;
        let secret = Secret::read_or_make(&dir.join(KEY))?;
        let folder = Folder { dir: dir.to_owned(), secret };
        let unnamed = dir.join(UNNAMED);
        remove(&unnamed).map_err(at(&unnamed))?;
        Ok(Self { folder, _lock: lock, previous: None, steps: Steps::default() })
    }

    /// The folder, to read.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// As [`Folder::newest`]; what it uses is kept until two more were committed.
    pub fn resume<H: DeserializeOwned, T>(
        &mut self,
        read: impl FnMut(H, &mut dyn Read) -> Result<T, Refused>,
    ) -> Result<Newest<T>, StateError> {
        let newest = self.folder.newest(read)?;
        self.previous = newest.used.as_ref().map(|(number, _)| *number);
        Ok(newest)
    }

    /// The inbox, of which snapshots cover what was numbered before `from`.
    pub fn inbox(&self, from: u64) -> Result<Inbox, StateError> {
        Inbox::open(&self.folder.dir, &self.folder.secret, from, &self.steps)
    }

    /// Commits a snapshot; answers how many bytes it has.
    pub fn commit(
        &mut self,
        header: &impl Serialize,
        body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<u64, StateError> {
        let numbers = self.folder.numbers()?;
        let number = numbers.last().map_or(0, |last| last.saturating_add(1));
        let path = self.folder.snapshot(number);
        let seal = self.folder.secret.seal();
        let bytes = write_then_name(&path, &self.steps, |file| snapshot::write(file, &seal, header, body))
            .map_err(at(&path))?;
        let previous = self.previous.replace(number);
        for old in numbers.into_iter().filter(|old| Some(*old) != previous) {
            let old = self.folder.snapshot(old);
            self.steps.run(Step::Removed, || remove(&old)).map_err(at(&old))?;
        }
        Ok(bytes)
    }
}

fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = file.map_err(at(&path))?;
    if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(at(&path)(error.into()));
        }
        let pid = fs::read_to_string(&path).map_err(at(&path))?.trim().to_owned();
        return Err(StateError::Locked { path: dir.to_owned(), pid });
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0).and_then(|()| file.write_all(pid.as_bytes())).map_err(at(&path))?;
    Ok(file)
}

/// Replaces a file: after a crash there is the old content or the new. For its owner alone.
pub(crate) fn replace(path: &Path, bytes: &[u8], steps: &Steps) -> io::Result<()> {
    write_then_name(path, steps, |file| file.write_all(bytes)).map(|_| ())
}

fn write_then_name(
    path: &Path,
    steps: &Steps,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<u64> {
    let dir = path.parent().ok_or_else(|| io::Error::other("a file without a folder"))?;
    let unnamed = dir.join(UNNAMED);
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unnamed)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    steps.run(Step::Written, || write(&mut file))?;
    steps.run(Step::Synced, || file.sync_all())?;
    let bytes = file.metadata()?.len();
    steps.run(Step::Named, || {
        fs::rename(&unnamed, path)?;
        sync_dir(dir)
    })?;
    Ok(bytes)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Removes a file; one that is already gone is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
