//! Which record is meant: an enclave's own, a copy in a folder, one that is served at a URL; and the rule to check it
//! by. Reading its files is in `http` and in the folder's source.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tlog::checkpoint::Checkpoint;
use tlog::note::SignedNote;
use tlog::reader::{CHECKPOINT_PATH, Source};
use tlog::rule::ReleaseRule;
use tlog::tile::TILE_WIDTH;

use super::http::HttpSource;
use super::{FolderSource, RULE_FILE, read_rule};
use crate::cli::Enclave;
use crate::ended::Ended;
use crate::folder::Folder;

/// What entry bundles are named by.
const BUNDLES: &str = "tile/entries/";

/// A record, wherever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The record of the enclave in this folder: it grows.
    Enclave(PathBuf),
    /// A record in a folder: it may be a copy of any age.
    Copy(PathBuf),
    /// A record that somebody serves: it grows.
    Url(String),
    /// A receipt, which is no record but proves one entry of it.
    Receipt(PathBuf),
}

impl Target {
    /// What somebody named, or the enclave's own record.
    pub(super) fn find(named: Option<&str>, enclave: &Enclave) -> Result<Self, Ended> {
        let Some(named) = named else { return Self::of_folder(enclave.folder()) };
        if named.starts_with("http://") || named.starts_with("https://") {
            return Ok(Self::Url(named.trim_end_matches('/').to_owned()));
        }
        let path = std::path::absolute(named).unwrap_or_else(|_| PathBuf::from(named));
        if path.is_file() { Ok(Self::Receipt(path)) } else { Self::of_folder(Folder::at(path)) }
    }

    fn of_folder(folder: Folder) -> Result<Self, Ended> {
        if folder.record().is_dir() {
            return Ok(Self::Enclave(folder.dir().to_owned()));
        }
        if folder.dir().is_dir() {
            return Ok(Self::Copy(folder.dir().to_owned()));
        }
        let dir = folder.dir().display();
        Err(Ended::cannot_tell(format!("{dir} is no folder, no file and no http:// or https:// address")))
    }

    /// How it is called in what is printed.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Enclave(dir) => Folder::at(dir.clone()).record().display().to_string(),
            Self::Copy(path) | Self::Receipt(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }

    /// The folder in which the record is, if it is in one.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Enclave(dir) => Some(Folder::at(dir.clone()).record()),
            Self::Copy(path) => Some(path.clone()),
            Self::Url(_) | Self::Receipt(_) => None,
        }
    }

    /// Its files.
    pub(super) fn open(&self, ca: Option<&Path>) -> Result<Files, Ended> {
        match self {
            Self::Url(url) => HttpSource::new(url, ca).map(Files::Served),
            Self::Receipt(path) => {
                Err(Ended::cannot_tell(format!("{} is a file; name a folder or a URL", path.display())))
            }
            Self::Enclave(_) | Self::Copy(_) => {
                let folder = self.folder().unwrap_or_default();
                Ok(Files::Folder(FolderSource::new(&folder)))
            }
        }
    }

    /// The rule asked for; else that of the enclave around the record; else that of the enclave's folder.
    pub(super) fn rule(&self, asked: Option<&Path>, enclave: &Enclave) -> Result<ReleaseRule, Ended> {
        if let Some(file) = asked {
            return read_rule(file);
        }
        let around = match self {
            Self::Enclave(dir) => Some(dir.as_path()),
            Self::Copy(path) => path.parent(),
            Self::Url(_) | Self::Receipt(_) => None,
        };
        let around = around.map(|dir| Folder::at(dir.to_owned()).gate(RULE_FILE));
        let own = enclave.folder().gate(RULE_FILE);
        let Some(file) = around.into_iter().chain([own]).find(|file| file.is_file()) else {
            let remedy = "name the keys to trust with --rule FILE (`trefoil record keys` prints them)";
            return Err(Ended::cannot_tell(format!("no rule to check {} by: {remedy}", self.name())));
        };
        read_rule(&file)
    }
}

/// Where a record's files come from.
#[derive(Debug)]
pub(super) enum Files {
    Folder(FolderSource),
    Served(HttpSource),
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        match self {
            Self::Folder(folder) => folder.read(path),
            Self::Served(served) => served.read(path),
        }
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        match self {
            Self::Folder(folder) => folder.list(each),
            // Nobody can list what is served.
            Self::Served(_) => Ok(false),
        }
    }
}

/// A source under watch: its checkpoint is read once, so that everything is compared with one and the same; what could
/// not be read is remembered, because "cannot tell" is another answer than "wrong"; a bar says how far it is.
pub(super) struct Watched<'a, S: Source> {
    source: &'a S,
    checkpoint: RefCell<Option<Vec<u8>>>,
    failed: RefCell<Option<String>>,
    bar: ProgressBar,
}

impl<'a, S: Source> Watched<'a, S> {
    pub(super) fn new(source: &'a S) -> Self {
        // Drawn on a terminal only.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let style =
            ProgressStyle::with_template("{spinner} verifying entries [{wide_bar}] {pos}/{len} {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { source, checkpoint: RefCell::default(), failed: RefCell::default(), bar }
    }

    /// The checkpoint that was read, if one was and it is a signed note.
    pub(super) fn checkpoint(&self) -> Option<SignedNote> {
        SignedNote::parse(self.checkpoint.borrow().as_ref()?).ok()
    }

    /// Takes the bar away, and says what could not be read.
    pub(super) fn finish(&self) -> Option<String> {
        self.bar.finish_and_clear();
        self.failed.take()
    }
}

impl<S: Source> Source for Watched<'_, S> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        let is_checkpoint = path == CHECKPOINT_PATH;
        if is_checkpoint && let Some(bytes) = self.checkpoint.borrow().as_ref() {
            return Ok(Some(bytes.clone()));
        }
        let read = self.source.read(path);
        match &read {
            Ok(Some(bytes)) if is_checkpoint => {
                self.checkpoint.replace(Some(bytes.clone()));
                let size = self.checkpoint().and_then(|note| Checkpoint::parse(&note.text).ok());
                self.bar.set_length(size.map_or(0, |checkpoint| checkpoint.size));
            }
            Ok(Some(_)) if path.starts_with(BUNDLES) => {
                let read = self.bar.position().saturating_add(u64::from(TILE_WIDTH));
                self.bar.set_position(read.min(self.bar.length().unwrap_or(read)));
            }
            Ok(_) => {}
            Err(error) => {
                self.failed.borrow_mut().get_or_insert_with(|| format!("{path}: {error}"));
            }
        }
        read
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        self.source.list(each)
    }
}
