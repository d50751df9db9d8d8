//! The layout of an enclave's folder: every path in it is written out here, once. Also how its files are written:
//! whole or not at all, secrets readable by their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ended::{Ended, OrEnded};

/// Says that a folder is ours to clear, should its first start be interrupted.
const MARKER: &str = "enclave";
/// Says that the first start was finished.
const COMPLETE: &str = "complete";

/// By which the gate and the monitor know each other, in the gate's folder: the monitor's authority, the certificate that
/// it issued for the gate, and its key.
pub(crate) const MONITOR_DOOR: &str = "monitor-door.pem";
pub(crate) const MONITOR_CERT: &str = "monitor.pem";
pub(crate) const MONITOR_KEY: &str = "monitor.key";
/// Where a running gate says how it is, in its folder.
pub(crate) const STATUS_SOCKET: &str = "status.sock";

/// An enclave's folder. It need not exist.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    dir: PathBuf,
}

/// How far a folder's first start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing is there.
    Absent,
    /// A first start began and did not finish.
    Begun,
    /// Ready to be started again.
    Complete,
    /// Something is there that `trefoil up` did not make.
    Foreign,
}

impl Folder {
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Root's home cannot be entered by the user that PostgreSQL runs as, so root's enclave is in /var/lib.
    pub(crate) fn default_dir() -> PathBuf {
        if rustix::process::geteuid().is_root() {
            return PathBuf::from("/var/lib/trefoil/enclave");
        }
        let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        state.unwrap_or_else(|| home().join(".local/state")).join("trefoil")
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.dir.join("bundle")
    }

    pub(crate) fn bundle_note(&self) -> PathBuf {
        self.bundle().join("bundle.note")
    }

    pub(crate) fn operator(&self, file: &str) -> PathBuf {
        self.dir.join("operator").join(file)
    }

    pub(crate) fn gate(&self, file: &str) -> PathBuf {
        self.dir.join("gate").join(file)
    }

    /// Every bundle that was ever signed, each in a folder named after its hash.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.dir.join("bundles")
    }

    /// The identity of the auditor that the first start makes up.
    pub(crate) fn auditor_key(&self) -> PathBuf {
        self.dir.join("auditor").join("detail.age")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.dir.join("record")
    }

    /// The residency checker's own: how it logs in at the sites, and what it goes by.
    pub(crate) fn residency(&self, file: &str) -> PathBuf {
        self.dir.join("residency").join(file)
    }

    /// May point elsewhere: to where the user that PostgreSQL runs as can get.
    pub(crate) fn sites(&self) -> PathBuf {
        self.dir.join("sites")
    }

    pub(crate) fn monitor(&self) -> PathBuf {
        self.dir.join("monitor")
    }

    pub(crate) fn run(&self, file: &str) -> PathBuf {
        self.dir.join("run").join(file)
    }

    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{}.log", part.replace(' ', "-")))
    }

    pub(crate) fn principals(&self) -> PathBuf {
        self.dir.join("principals.json")
    }

    pub(crate) fn stage(&self) -> Stage {
        if self.dir.join(COMPLETE).is_file() {
            Stage::Complete
        } else if self.dir.join(MARKER).is_file() {
            Stage::Begun
        } else if fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some()) {
            Stage::Foreign
        } else {
            Stage::Absent
        }
    }

    /// The folder of a finished first start, or what to do about it.
    pub(crate) fn require_complete(&self) -> Result<(), Ended> {
        let dir = self.dir.display();
        match self.stage() {
            Stage::Complete => Ok(()),
            Stage::Absent => Err(Ended::cannot_tell(format!("no enclave in {dir}; `trefoil up` makes one"))),
            Stage::Begun => Err(Ended::cannot_tell(format!(
                "the first start of {dir} has not finished; run `trefoil up`, which begins it again"
            ))),
            Stage::Foreign => Err(Ended::cannot_tell(format!("{dir} is not an enclave's folder"))),
        }
    }

    /// Makes the folder and its parts, and marks it as ours. The folder itself can be entered by others because
    /// PostgreSQL runs as another user; what is secret is in folders that cannot.
    pub(crate) fn begin(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.dir)?;
        write_whole(&self.dir.join(MARKER), b"made by `trefoil up`\n", 0o644)?;
        for (name, mode) in [
            ("bundle", 0o700),
            ("bundles", 0o700),
            ("auditor", 0o700),
            ("operator", 0o755),
            ("gate", 0o700),
            ("record", 0o755),
            ("residency", 0o700),
            ("monitor", 0o700),
            ("run", 0o700),
            ("logs", 0o700),
        ] {
            let path = self.dir.join(name);
            fs::DirBuilder::new().recursive(true).create(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// Whether a first start that did not finish has left anything; the bundle is the first thing it writes.
    pub(crate) fn has_remains(&self) -> bool {
        fs::read_dir(self.bundle()).is_ok_and(|mut entries| entries.next().is_some())
    }

    pub(crate) fn mark_complete(&self) -> io::Result<()> {
        write_whole(&self.dir.join(COMPLETE), b"the first start finished\n", 0o644)
    }

    /// Removes what an interrupted first start left. Only for a folder that carries our marker, and only what
    /// `begin` and the steps after it make there; the lock stays, because its holder is the caller.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let sites = self.sites();
        if sites.is_symlink() {
            if let Ok(elsewhere) = fs::canonicalize(&sites) {
                remove_all(&elsewhere)?;
            }
            fs::remove_file(&sites)?;
        }
        for name in
            ["bundle", "bundles", "auditor", "operator", "gate", "record", "residency", "sites", "monitor"]
        {
            remove_all(&self.dir.join(name))?;
        }
        Ok(())
    }
}

fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all, with these permissions, and makes it durable.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The parent of a bare name is the folder that we are in.
    let parent =
        path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    if let Some(folder) = parent {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A secret: readable by its owner alone.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<(), Ended> {
    write_whole(path, bytes, 0o600).or_cannot_tell(format!("writing {}", path.display()))
}

pub(crate) fn write_public(path: &Path, bytes: &[u8]) -> Result<(), Ended> {
    write_whole(path, bytes, 0o644).or_cannot_tell(format!("writing {}", path.display()))
}

pub(crate) fn read_text(path: &Path) -> Result<String, Ended> {
    fs::read_to_string(path).or_cannot_tell(format!("reading {}", path.display()))
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Ended> {
    serde_json::from_str(&read_text(path)?).or_cannot_tell(format!("reading {}", path.display()))
}

pub(crate) fn json_bytes(value: &impl Serialize) -> Result<Vec<u8>, Ended> {
    let mut bytes = serde_json::to_vec_pretty(value).or_cannot_tell("writing JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}
