//! How what is known of logins is kept in the gate's folder: small files of JSON, written whole or not at all, readable by
//! the gate alone. Not here: what the engine has learnt (`state`).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why what is known of logins cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error("{file}: {source}; make it readable and writable for the gate")]
    Io {
        /// Which.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What addresses are cannot be looked up.
    #[error(
        "logins.places of gate.toml: {0}; `.ci/install.sh` fetches such files, and without the key nothing is looked up"
    )]
    Places(#[from] places::PlacesError),
    /// It is not what a gate wrote.
    #[error("{file}: {problem}; put a copy of it back, or remove it and with it what it held: {held}")]
    Invalid {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        problem: String,
        /// What is lost when it is removed.
        held: &'static str,
    },
}

impl FileError {
    pub(super) fn io(file: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { file: file.to_owned(), source }
    }

    pub(super) fn invalid(file: &Path, problem: impl ToString, held: &'static str) -> Self {
        Self::Invalid { file: file.to_owned(), problem: problem.to_string(), held }
    }
}

/// The bytes of a file, if there is one.
pub(super) fn bytes(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::io(path)(error)),
    }
}

/// What a file holds; nothing where none is.
pub(super) fn read<T: DeserializeOwned + Default>(path: &Path, held: &'static str) -> Result<T, FileError> {
    let Some(bytes) = bytes(path)? else { return Ok(T::default()) };
    serde_json::from_slice(&bytes).map_err(|error| FileError::invalid(path, error, held))
}

/// Writes a file whole, and returns when it is on the disk.
pub(super) fn write(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let bytes = serde_json::to_vec(value).map_err(|error| FileError::io(path)(error.into()))?;
    write_bytes(path, &bytes)
}

/// Likewise, of bytes.
pub(super) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let next = path.with_extension("new");
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    })();
    written.map_err(FileError::io(path))
}
