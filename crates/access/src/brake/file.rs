//! The file of what is in force: how far it has come, and the signed word of each order. Written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tlog::brake::{InForce, Word};
use tlog::note::VerifierKey;

/// Why it is not known what is stopped.
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
    /// It is not what a gate wrote.
    #[error(
        "{file}: {problem}; what the monitor has stopped is not known: remove the file when the monitor runs, which \
         says it again"
    )]
    Invalid {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    sequence: u64,
    orders: Vec<String>,
}

/// Nothing is in force where no file is.
pub(super) fn read(path: &Path, key: &VerifierKey) -> Result<InForce, FileError> {
    let invalid = |problem: String| FileError::Invalid { file: path.to_owned(), problem };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(InForce::default()),
        Err(source) => return Err(FileError::Io { file: path.to_owned(), source }),
    };
    let Kept { sequence, orders } = serde_json::from_slice(&bytes).map_err(|e| invalid(e.to_string()))?;
    let mut force = InForce::default();
    if sequence > 0 {
        let whole = Word::Whole { sequence, orders };
        force.take(&whole, "", key).map_err(|e| invalid(e.to_string()))?;
    }
    Ok(force)
}

pub(super) fn write(path: &Path, force: &InForce) -> Result<(), FileError> {
    let orders = force.orders().map(|stopped| stopped.note.clone()).collect();
    let written = (|| {
        let bytes = serde_json::to_vec(&Kept { sequence: force.sequence(), orders })?;
        let next = path.with_extension("new");
        let mut file = File::create(&next)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    })();
    written.map_err(|source| FileError::Io { file: path.to_owned(), source })
}
