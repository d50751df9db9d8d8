//! The monitor's own record: a log of the monitor's that the operator cannot edit, of what it found and did. It has the
//! layout, the seals and the commit order of every record (`record`); nobody cosigns it, so that its rule asks for its
//! own signature alone. What the entries mean belongs to those who append them: `incident` and the brakes.

pub mod http;
mod wait;

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use record::{
    Config, Detail, Draft, NotWitnessed, OpenError, Record, Why,
    show::{Opener, Reading, ShowError},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use tlog::{
    entry::{Kind, Micros},
    json::JsonError,
    note::{KeyType, SigningKey},
    reader::{CHECKPOINT_PATH, Reader, Source},
    rule::{ReleaseRule, RuleTextError},
};

use crate::{
    clock,
    folder::{self, Folder, FolderError},
};

/// How long an append waits for the disk.
pub const APPEND_WAIT_MS_MAX: u64 = 30_000;

/// What has to fit on the disk before a record that failed is opened again.
const TRIAL_BYTES: usize = 256 * 1024;

/// `[own]` of monitor.toml, as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawOwn {
    /// Origin of the monitor's own record, and the name of its key.
    pub origin: String,
    /// Who else can open the details: the auditor's age recipient. Without one, the monitor alone can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auditor: Option<String>,
}

/// Why the own record cannot be used.
#[derive(Debug, Error)]
pub enum OwnError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("own.key: {0}; put the original back, or make a new monitor with `trefoil-monitor init`")]
    Key(String),
    #[error("the rule of the own record: {0}")]
    Rule(#[from] RuleTextError),
    #[error("the own record: {0}")]
    Open(#[from] OpenError),
    #[error("the own record: {0}")]
    Read(#[from] ShowError),
    #[error("the own record: entry {index}: {problem}; restore the folder `own` from a backup")]
    Damaged { index: u64, problem: String },
    #[error("the own record: {0}; restore the folder `own` from a backup")]
    Published(String),
    #[error("the own record: {0}")]
    NotWritten(#[from] NotWitnessed),
    #[error("the own record: a detail cannot be written: {0}")]
    Detail(#[from] JsonError),
}

/// The own record, open for appending. Cheap to clone; when the last is dropped, the record is stopped and published.
#[derive(Clone)]
pub struct Own(Arc<Inner>);

struct Inner {
    /// Opened anew after a failure.
    record: Mutex<Record>,
    config: Config,
    dirs: Dirs,
    identity: String,
    /// Why it cannot be written; none when it can.
    problem: Mutex<Option<String>>,
}

/// Where the own record lies.
#[derive(Clone)]
struct Dirs {
    wal: PathBuf,
    details: PathBuf,
    keys: PathBuf,
    record: PathBuf,
}

impl Dirs {
    fn of(folder: &Folder) -> Dirs {
        let own = folder.own();
        Dirs {
            wal: own.join("wal"),
            details: own.join("details"),
            keys: own.join("keys"),
            record: own.join("record"),
        }
    }
}

/// An entry of the own record, with its detail in clear.
pub struct Kept {
    pub index: u64,
    pub time: Micros,
    pub kind: Kind,
    detail: Option<serde_json::Value>,
}

impl Kept {
    /// The detail, as the type of the entry's kind.
    pub fn detail<T: DeserializeOwned>(&self) -> Result<T, OwnError> {
        let damaged = |problem: String| OwnError::Damaged { index: self.index, problem };
        let detail = self.detail.clone().ok_or_else(|| damaged(format!("{} without a detail", self.kind)))?;
        serde_json::from_value(detail).map_err(|e| damaged(e.to_string()))
    }
}

impl Own {
    /// Opens the own record of a monitor whose folder the caller has locked. `identity` is the monitor's, which opens
    /// what is sealed.
    pub fn open(folder: &Folder, raw: &RawOwn, identity: &str) -> Result<Own, OwnError> {
        let key = signing_key(folder, &raw.origin)?;
        let rule = ReleaseRule::all_of(key.verifier(), &[])?;
        let monitor: age::x25519::Identity =
            identity.parse().map_err(|problem: &'static str| OwnError::Key(problem.to_owned()))?;
        let mut recipients = vec![monitor.to_public().to_string()];
        recipients.extend(raw.auditor.clone());
        let dirs = Dirs::of(folder);
        let config = Config {
            origin: raw.origin.clone(),
            gate: gate_name(&raw.origin),
            log_key: key,
            rule,
            wal_dir: dirs.wal.clone(),
            details_dir: dirs.details.clone(),
            keys_dir: dirs.keys.clone(),
            record_dir: dirs.record.clone(),
            recipients,
            monitor_url: None,
            monitor_tls: None,
            cosign_wait: Duration::from_millis(record::COSIGN_WAIT_MS_MAX),
            clock: Arc::new(clock::now),
        };
        let record = Mutex::new(Record::open(config.clone())?);
        let (identity, problem) = (identity.to_owned(), Mutex::default());
        Ok(Own(Arc::new(Inner { record, config, dirs, identity, problem })))
    }

    /// The origin of the own record.
    pub fn origin(&self) -> &str {
        &self.0.config.origin
    }

    /// Appends an entry; answers its index once it is durable and signed. Blocks for as long as the disk takes.
    /// After an error with an index the entry may be there all the same: the next [`Own::each`] tells.
    pub fn append(&self, kind: Kind, detail: &impl Serialize) -> Result<u64, OwnError> {
        let draft = Draft { detail: Some(Detail::of(detail)?), ..Draft::new(kind) };
        let record = self.0.record();
        let appended = record.begin(draft.into()).and_then(|waiting| {
            let limit = Duration::from_millis(APPEND_WAIT_MS_MAX);
            let outcome = wait::block_on(std::future::poll_fn(|context| waiting.poll(context)), limit);
            outcome.unwrap_or_else(|| waiting.give_up())
        });
        let witnessed = appended.inspect_err(|not| match not.why {
            // What can never be written is no fault of the disk's.
            Why::Unfit(_) => {}
            _ => *self.0.problem() = Some(not.to_string()),
        })?;
        Ok(witnessed.index())
    }

    /// Whether what is appended is kept; if not, why.
    pub fn sound(&self) -> Result<(), String> {
        self.0.problem().clone().map_or(Ok(()), Err)
    }

    /// Opens the record anew after a failure, which ends it: nobody knows what is on the disk. Blocks for the disk.
    pub fn mend(&self) -> Result<(), OwnError> {
        if self.sound().is_ok() {
            return Ok(());
        }
        // Each start makes a day key, so that there is none before there is room.
        let trial = self.0.dirs.wal.with_extension("trial");
        folder::write_file(&trial, &[0; TRIAL_BYTES], 0o600)?;
        fs::remove_file(&trial).map_err(folder::at(&trial))?;
        // A writer that ended has said why, and one that did not has to let go of the files.
        let _ = wait::block_on(self.0.record().stop(), Duration::from_millis(APPEND_WAIT_MS_MAX));
        let opened = Record::open(self.0.config.clone())?;
        *self.0.record.lock().unwrap_or_else(PoisonError::into_inner) = opened;
        *self.0.problem() = None;
        Ok(())
    }

    /// Hands every entry from `from` on to `each`, in order, those that are not yet published included.
    pub fn each(&self, from: u64, each: impl FnMut(Kept) -> Result<(), OwnError>) -> Result<(), OwnError> {
        read(&self.0.dirs, &self.0.identity, from, each)
    }

    /// Finishes and publishes; for a clean stop. Nothing can be appended afterwards.
    pub fn stop(&self) {
        self.0.stop();
    }
}

impl Inner {
    fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn problem(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let limit = Duration::from_millis(APPEND_WAIT_MS_MAX);
        if let Some(Err(why)) = wait::block_on(self.record().stop(), limit)
            && !matches!(why, Why::Stopped)
        {
            eprintln!("the own record: {why}");
        }
    }
}

impl Drop for Inner {
    /// Waits for the writer, so that whoever opens the folder next finds it unlocked.
    fn drop(&mut self) {
        self.stop();
    }
}

fn read(
    dirs: &Dirs,
    identity: &str,
    from: u64,
    mut each: impl FnMut(Kept) -> Result<(), OwnError>,
) -> Result<(), OwnError> {
    let Dirs { wal, details, keys, record } = dirs.clone();
    let reading = Reading::open(record, details, wal)?;
    let mut opener = Opener::new(identity, keys);
    reading.each(from, reading.size(), |shown| {
        let entry = shown.entry()?;
        let detail = opener.open(&shown)?;
        each(Kept { index: shown.index, time: entry.time, kind: entry.kind, detail })
    })
}

/// Checks what is published of the own record, as an outsider would, and that every detail opens; changes nothing.
/// Answers how many entries there are.
pub fn check(folder: &Folder, raw: &RawOwn, identity: &str) -> Result<u64, OwnError> {
    let rule = ReleaseRule::all_of(signing_key(folder, &raw.origin)?.verifier(), &[])?;
    let dirs = Dirs::of(folder);
    let published = Published(dirs.record.clone());
    let whole = || {
        let report = Reader::new(&published, &rule).verify();
        report.findings.first().map(|finding| finding.to_string())
    };
    // A monitor that runs may publish while its record is read: what is wrong then is right a moment later.
    if dirs.record.join(CHECKPOINT_PATH).exists()
        && let Some(problem) = whole().and_then(|_| whole())
    {
        return Err(OwnError::Published(problem));
    }
    let mut size = 0;
    read(&dirs, identity, 0, |kept| {
        size = kept.index.saturating_add(1);
        Ok(())
    })?;
    Ok(size)
}

/// The published files.
struct Published(PathBuf);

impl Source for Published {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }
}

/// The own record's signing key, made by `init`.
pub fn key(folder: &Folder) -> Result<SigningKey, OwnError> {
    let text = folder::read_secret(&folder.own_key())?;
    let key: SigningKey = text.trim().parse().map_err(|e| OwnError::Key(format!("{e}")))?;
    if key.verifier().key_type() != KeyType::Ed25519 {
        return Err(OwnError::Key("not a key of type 01 (Ed25519)".to_owned()));
    }
    Ok(key)
}

/// The same, for a record of this origin.
fn signing_key(folder: &Folder, origin: &str) -> Result<SigningKey, OwnError> {
    let key = key(folder)?;
    if key.verifier().name() != origin {
        let (is, should) = (key.verifier().name(), origin);
        return Err(OwnError::Key(format!("it signs as {is}, but own.origin is {should}")));
    }
    Ok(key)
}

/// What entries of the own record name as their writer: the origin up to its path.
fn gate_name(origin: &str) -> String {
    origin.split('/').next().unwrap_or(origin).to_owned()
}
