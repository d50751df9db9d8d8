//! The monitor's folder: where each file lies, how secret files are written and read, and the lock that keeps a second
//! monitor out. What the files contain belongs to the modules that use them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

/// The longest configuration, key or policy file that is read.
pub const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a file of the folder could not be read or written.
#[derive(Debug, Error)]
pub enum FolderError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} exists already; choose another folder, or remove it if nothing depends on its keys", .0.display())]
    Exists(PathBuf),
    #[error("{} holds a secret but its mode is {mode:o}; make it readable by its owner alone (chmod 600)", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} is longer than {FILE_BYTES_MAX} bytes; put the original back", .0.display())]
    Long(PathBuf),
    #[error("{} is not text; put the original back", .0.display())]
    Text(PathBuf),
    #[error("{} is in use by another monitor; stop it first", .0.display())]
    Locked(PathBuf),
}

/// Says which file an operation failed on.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

/// Paths of a monitor's folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(dir: impl Into<PathBuf>) -> Folder {
        Folder(dir.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, for its owner alone; refuses one that exists.
    pub fn create(&self) -> Result<(), FolderError> {
        self.create_bare()?;
        make_dir(&self.bundles())?;
        make_dir(&self.copy())?;
        make_dir(&self.own())
    }

    /// Makes the folder without any of a monitor's own.
    pub fn create_bare(&self) -> Result<(), FolderError> {
        if self.config().exists() || self.witness_config().exists() {
            return Err(FolderError::Exists(self.0.clone()));
        }
        make_dir(&self.0)
    }

    pub fn config(&self) -> PathBuf {
        self.0.join("monitor.toml")
    }
    pub fn witness_key(&self) -> PathBuf {
        self.0.join("witness.key")
    }
    pub fn redecided_key(&self) -> PathBuf {
        self.0.join("redecided.key")
    }
    pub fn brake_key(&self) -> PathBuf {
        self.0.join("brake.key")
    }
    /// Keys of the subjects who were planted, sealed.
    pub fn planted(&self) -> PathBuf {
        self.0.join("planted.age")
    }
    /// What is stopped.
    pub fn brakes(&self) -> PathBuf {
        self.0.join("brakes.json")
    }
    pub fn ca_key(&self) -> PathBuf {
        self.0.join("ca.key")
    }
    pub fn ca_cert(&self) -> PathBuf {
        self.0.join("ca.pem")
    }
    /// The authority by which gates are known at the door.
    pub fn door_key(&self) -> PathBuf {
        self.0.join("door.key")
    }
    pub fn door_cert(&self) -> PathBuf {
        self.0.join("door.pem")
    }
    /// Certificates of the gates that are let in.
    pub fn gates(&self) -> PathBuf {
        self.0.join("gates")
    }
    /// A witness's configuration, in place of a monitor's.
    pub fn witness_config(&self) -> PathBuf {
        self.0.join("witness.toml")
    }
    /// What a witness cosigned last, a file for each log.
    pub fn held(&self) -> PathBuf {
        self.0.join("held")
    }
    pub fn identity(&self) -> PathBuf {
        self.0.join("detail.age")
    }
    pub fn bundles(&self) -> PathBuf {
        self.0.join("bundle")
    }
    /// Wrapped day keys, each in a file of its own.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }
    pub fn copy(&self) -> PathBuf {
        self.0.join("copy")
    }
    /// What was folded of the copy, to start from.
    pub fn snapshot(&self) -> PathBuf {
        self.0.join("snapshot")
    }
    /// The monitor's own record: `wal`, `details`, `keys`, and `record`, which is published.
    pub fn own(&self) -> PathBuf {
        self.0.join("own")
    }
    pub fn own_key(&self) -> PathBuf {
        self.0.join("own.key")
    }
    /// The rule by which anybody verifies the own record (tlog-policy).
    pub fn own_rule(&self) -> PathBuf {
        self.0.join("own.policy")
    }
    /// How far an output has told what is in the own record.
    pub fn cursor(&self, output: &str) -> PathBuf {
        self.own().join("told").join(output)
    }
    /// The socket by which the command line asks a monitor that runs.
    pub fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// Takes the folder for this process; held as long as the file is.
    pub fn lock(&self) -> Result<File, FolderError> {
        let path = self.0.join("lock");
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| FolderError::Locked(self.0.clone()))?;
        Ok(file)
    }
}

/// Makes a folder and its parents, 0700.
pub fn make_dir(path: &Path) -> Result<(), FolderError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Writes a file whole or not at all: temporary name, fsync, rename, fsync of the folder.
pub fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FolderError> {
    let temp = path.with_extension("new");
    let written = (|| {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, path)?;
        sync_parent(path)
    })();
    written.map_err(at(path))
}

/// Makes a new name or a removal in a folder durable.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    // The parent of a bare name is the folder that we are in.
    let parent =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    parent.map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

/// Reads a text file that everyone may know.
pub fn read_text(path: &Path) -> Result<String, FolderError> {
    String::from_utf8(read_bytes(path)?).map_err(|_| FolderError::Text(path.to_owned()))
}

/// Reads a secret text file; refuses one that others on the machine can read.
pub fn read_secret(path: &Path) -> Result<String, FolderError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(FolderError::Exposed { path: path.to_owned(), mode });
    }
    read_text(path)
}

/// Reads a file of bounded length.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FolderError> {
    let file = File::open(path).map_err(at(path))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(at(path))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(FolderError::Long(path.to_owned()));
    }
    Ok(bytes)
}
