//! `trefoil record …`: what can be asked of the published record. Everything here reads, or asks the running gate, which
//! alone writes.

mod follow;
mod forget;
mod http;
mod keys;
mod open;
mod probe;
mod prove;
mod receipt;
mod replay;
mod seen;
mod serve;
mod show;
mod target;
mod verify;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tlog::checkpoint::Checkpoint;
use tlog::note::SignedNote;
use tlog::reader::{CHECKPOINT_PATH, Source};
use tlog::rule::ReleaseRule;

use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};

pub(crate) use forget::{forget, order_gate, unexpected};
pub(crate) use keys::{REDECIDED, WITNESS, keys};
pub(crate) use open::open;
pub(crate) use probe::probe;
pub(crate) use prove::{prove, receipt};
pub(crate) use replay::replay;
pub(crate) use serve::serve;
pub(crate) use show::{Seen, newest, show};
pub(crate) use verify::{report, verify};

/// A full bundle of the longest entries is below this.
const FILE_BYTES_MAX: u64 = 32 << 20;
/// The tlog-policy text that the enclave's gate releases under.
pub(crate) const RULE_FILE: &str = "rule.policy";

/// A published record in a folder.
#[derive(Debug)]
pub(crate) struct FolderSource(PathBuf);

impl FolderSource {
    pub(crate) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }
}

impl Source for FolderSource {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        let file = match File::open(self.0.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any file of a record"));
        }
        Ok(Some(bytes))
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        list(&self.0, &self.0, each)?;
        Ok(true)
    }
}

fn list(root: &Path, folder: &Path, each: &mut dyn FnMut(&str)) -> Result<(), io::Error> {
    let entries = match fs::read_dir(folder) {
        // The publisher takes incomplete tiles away while somebody looks.
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder != root => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(root, &path, each)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            each(&below.to_string_lossy());
        }
    }
    Ok(())
}

pub(crate) fn rule(folder: &Folder) -> Result<ReleaseRule, Ended> {
    read_rule(&folder.gate(RULE_FILE))
}

fn read_rule(file: &Path) -> Result<ReleaseRule, Ended> {
    ReleaseRule::parse(folder::read_text(file)?).or_cannot_tell(format!("reading {}", file.display()))
}

/// Entries under the published checkpoint, unverified; zero before the first one.
pub(crate) fn published_size(folder: &Folder) -> Result<u64, Ended> {
    let path = folder.record().join(CHECKPOINT_PATH);
    if !path.exists() {
        return Ok(0);
    }
    let doing = || format!("reading {}", path.display());
    let note = SignedNote::parse(folder::read_text(&path)?).or_cannot_tell(doing())?;
    Ok(Checkpoint::parse(&note.text).or_cannot_tell(doing())?.size)
}
