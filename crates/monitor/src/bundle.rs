//! The monitor's own copies of the operator's policy bundle: enclave, catalog, directory and policies, each taken over
//! only with the operator's signature. Earlier ones are kept, since earlier sessions were decided under them. What the
//! files mean is the policy crate's business.
//!
//! On disk: `bundle/<hash>/` for each, and `bundle/accepted`, lines of `<time> <hash>`, the last one in force.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use policy::{Bundle, ConfigError, FILES_MAX, is_bundle_path};
use thiserror::Error;
use tlog::{
    entry::Micros,
    note::{SignedNote, VerifierKey},
};

use crate::folder::{self, FolderError};

/// The signed statement that these files are the bundle.
pub const NOTE: &str = "bundle.note";

const ACCEPTED: &str = "accepted";
const FILES: [&str; 3] = ["enclave.toml", "catalog.toml", "directory.toml"];

/// Why a bundle is not taken over, or cannot be used.
#[derive(Debug, Error)]
pub enum BundleError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{}: not a signed note ({problem}); have the operator sign the bundle again", path.display())]
    Unsigned { path: PathBuf, problem: String },
    #[error("{}: the operator signed something else ({signed:?}), these files hash to {found}; have the operator sign them", path.display())]
    Altered { path: PathBuf, signed: String, found: String },
    #[error("the policy bundle is invalid:\n{}", list(.0))]
    Invalid(Vec<ConfigError>),
    #[error("{}: more than {FILES_MAX} files", .0.display())]
    Large(PathBuf),
    #[error("{}: line {line} is not `<time> <policy hash>`; put the original back", path.display())]
    Accepted { path: PathBuf, line: usize },
    #[error("no bundle was ever accepted; run `trefoil-monitor accept`")]
    None,
    #[error("{}: no folder is named after a bundle's hash; have the operator hand over every bundle it signed", .0.display())]
    Empty(PathBuf),
    #[error("policy {0} was never accepted")]
    Unknown(String),
}

fn list(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

/// A bundle whose signature and contents hold.
pub struct Signed {
    pub bundle: Bundle,
    files: BTreeMap<String, Vec<u8>>,
}

/// Reads a bundle's folder and checks the operator's signature and every file.
pub fn read(dir: &Path, operator: &VerifierKey) -> Result<Signed, BundleError> {
    let mut files = read_files(dir)?;
    let path = dir.join(NOTE);
    let note = folder::read_bytes(&path)?;
    let unsigned = |problem: String| BundleError::Unsigned { path: path.clone(), problem };
    let text = std::str::from_utf8(&note).map_err(|e| unsigned(e.to_string()))?;
    let signed = SignedNote::parse(text).map_err(|e| unsigned(e.to_string()))?;
    signed.verify(std::slice::from_ref(operator)).map_err(|e| unsigned(e.to_string()))?;
    let bundle = Bundle::read(&files).map_err(BundleError::Invalid)?;
    let found = bundle.hash().to_string();
    if signed.text != statement(&found) {
        return Err(BundleError::Altered { path, signed: signed.text, found });
    }
    files.insert(NOTE.to_owned(), note);
    Ok(Signed { bundle, files })
}

/// What the operator signs.
pub fn statement(policy_hash: &str) -> String {
    format!("trefoil bundle v1\n{policy_hash}\n")
}

/// The files that make a bundle, without the signature, by their path in it.
pub fn read_files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let mut files = BTreeMap::new();
    for name in FILES {
        let path = dir.join(name);
        if path.exists() {
            // A missing file is the policy crate's to report, with its remedy.
            files.insert(name.to_owned(), folder::read_bytes(&path)?);
        }
    }
    let policies = dir.join("policy");
    let listing = match fs::read_dir(&policies) {
        Ok(listing) => listing,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(e) => return Err(folder::at(&policies)(e).into()),
    };
    for item in listing {
        let path = item.map_err(folder::at(&policies))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.map(|name| format!("policy/{name}"));
        let Some(name) = name.filter(|name| is_bundle_path(name)) else { continue };
        files.insert(name, folder::read_bytes(&path)?);
        if files.len() > FILES_MAX {
            return Err(BundleError::Large(policies));
        }
    }
    Ok(files)
}

/// All accepted bundles.
pub struct Shelf {
    dir: PathBuf,
    operator: VerifierKey,
    /// In the order of acceptance, the last in force.
    accepted: Vec<(Micros, String)>,
    loaded: HashMap<String, Arc<Bundle>>,
    current: Arc<Bundle>,
}

impl Shelf {
    /// Reads the bundle in force; earlier ones are read when a session asks for them.
    pub fn open(dir: &Path, operator: VerifierKey) -> Result<Shelf, BundleError> {
        let accepted = read_accepted(dir)?;
        let (_, hash) = accepted.last().ok_or(BundleError::None)?;
        let current = Arc::new(load(dir, hash, &operator)?);
        let loaded = HashMap::from([(hash.clone(), current.clone())]);
        Ok(Shelf { dir: dir.to_owned(), operator, accepted, loaded, current })
    }

    /// Bundles as an operator hands them over, each in a folder named after its hash. None is in force before
    /// [`Shelf::put_in_force`] says so.
    pub fn collected(dir: &Path, operator: VerifierKey) -> Result<Shelf, BundleError> {
        let listing = fs::read_dir(dir).map_err(folder::at(dir))?;
        let names = listing.filter_map(|item| item.ok()?.file_name().into_string().ok());
        let mut hashes: Vec<String> = names.filter(|name| is_hash(name)).collect();
        hashes.sort();
        let any = hashes.first().ok_or_else(|| BundleError::Empty(dir.to_owned()))?;
        let current = Arc::new(load(dir, any, &operator)?);
        let loaded = HashMap::from([(any.clone(), current.clone())]);
        Ok(Shelf { dir: dir.to_owned(), operator, accepted: Vec::new(), loaded, current })
    }

    /// From this time on, the bundle of this hash is in force.
    pub fn put_in_force(&mut self, hash: &str, since: Micros) -> Result<(), BundleError> {
        if !self.loaded.contains_key(hash) {
            if !is_hash(hash) || !self.dir.join(hash).is_dir() {
                return Err(BundleError::Unknown(hash.to_owned()));
            }
            let bundle = Arc::new(load(&self.dir, hash, &self.operator)?);
            self.loaded.insert(hash.to_owned(), bundle);
        }
        if let Some(bundle) = self.loaded.get(hash) {
            self.current = bundle.clone();
        }
        if self.accepted.last().is_none_or(|(_, last)| last != hash) {
            self.accepted.push((since, hash.to_owned()));
        }
        Ok(())
    }

    /// Whether the operator signed a note.
    pub fn is_signed(&self, note: &SignedNote) -> bool {
        note.verify(std::slice::from_ref(&self.operator)).is_ok_and(|verified| !verified.is_empty())
    }

    /// The bundle in force.
    pub fn current(&self) -> &Arc<Bundle> {
        &self.current
    }

    /// When the bundle in force was accepted, and the one before it.
    pub fn succession(&self) -> (Micros, Option<&str>) {
        match self.accepted.as_slice() {
            [.., (_, before), (when, _)] => (*when, Some(before.as_str())),
            [(when, _)] => (*when, None),
            [] => (Micros(0), None),
        }
    }

    /// Every bundle that was taken over, and when, in order.
    pub fn accepted(&self) -> &[(Micros, String)] {
        &self.accepted
    }

    /// An accepted bundle by its hash.
    pub fn get(&mut self, hash: &str) -> Result<Arc<Bundle>, BundleError> {
        if let Some(loaded) = self.loaded.get(hash) {
            return Ok(loaded.clone());
        }
        if !self.accepted.iter().any(|(_, accepted)| accepted == hash) {
            return Err(BundleError::Unknown(hash.to_owned()));
        }
        let bundle = Arc::new(load(&self.dir, hash, &self.operator)?);
        self.loaded.insert(hash.to_owned(), bundle.clone());
        Ok(bundle)
    }

    /// Reads every accepted bundle; answers how many there are.
    pub fn check_all(&mut self) -> Result<usize, BundleError> {
        let hashes: Vec<String> = self.accepted.iter().map(|(_, hash)| hash.clone()).collect();
        hashes.iter().try_for_each(|hash| self.get(hash).map(drop))?;
        Ok(hashes.len())
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn load(dir: &Path, hash: &str, operator: &VerifierKey) -> Result<Bundle, BundleError> {
    let path = dir.join(hash);
    let bundle = read(&path, operator)?.bundle;
    let found = bundle.hash().to_string();
    if found != hash {
        return Err(BundleError::Altered { path, signed: hash.to_owned(), found });
    }
    Ok(bundle)
}

/// Takes a checked bundle over; answers false when it was in force already.
///
/// Order: files, then the line that puts them in force. A crash between leaves a folder that nobody refers to.
pub fn accept(dir: &Path, signed: &Signed, now: Micros) -> Result<bool, BundleError> {
    let hash = signed.bundle.hash().to_string();
    let mut accepted = read_accepted(dir)?;
    if accepted.last().is_some_and(|(_, last)| *last == hash) {
        return Ok(false);
    }
    let home = dir.join(&hash);
    folder::make_dir(&home.join("policy"))?;
    for (name, bytes) in &signed.files {
        folder::write_file(&home.join(name), bytes, 0o600)?;
    }
    folder::sync_parent(&home).map_err(folder::at(&home))?;
    accepted.push((now, hash));
    let lines: String = accepted.iter().map(|(when, hash)| format!("{when} {hash}\n")).collect();
    folder::write_file(&dir.join(ACCEPTED), lines.as_bytes(), 0o600)?;
    Ok(true)
}

fn read_accepted(dir: &Path) -> Result<Vec<(Micros, String)>, BundleError> {
    let path = dir.join(ACCEPTED);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = folder::read_text(&path)?;
    let mut accepted = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let parsed = line.split_once(' ').and_then(|(when, hash)| {
            Some((Micros::parse_rfc3339(when)?, is_hash(hash).then(|| hash.to_owned())?))
        });
        accepted.push(parsed.ok_or_else(|| BundleError::Accepted { path: path.clone(), line: n + 1 })?);
    }
    Ok(accepted)
}
