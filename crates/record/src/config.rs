//! What a record is opened with, and why opening may be refused. Reading configuration files is the caller's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tlog::entry::Micros;
use tlog::note::SigningKey;
use tlog::rule::ReleaseRule;

use crate::link::LinkError;
use crate::tls::Tls;
use crate::wal::WalError;

/// Tells the time, in UTC microseconds. Called by the writer for every entry; it may step back, the entries'
/// times do not.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// What a record is opened with.
#[derive(Clone)]
pub struct Config {
    /// The log's origin, in its checkpoints.
    pub origin: String,
    /// The gate's name, in its entries.
    pub gate: String,
    /// Signs the checkpoints.
    pub log_key: SigningKey,
    /// Which signatures a checkpoint needs before anything under it is released.
    pub rule: ReleaseRule,
    /// Folder of the write-ahead file.
    pub wal_dir: PathBuf,
    /// Folder of the sealed details.
    pub details_dir: PathBuf,
    /// Folder of the wrapped day keys.
    pub keys_dir: PathBuf,
    /// Folder of the published log.
    pub record_dir: PathBuf,
    /// Who can open the day keys: age X25519 recipients, `age1…`.
    pub recipients: Vec<String>,
    /// The monitor's address, `http://host:port`, or `https` with [`Config::monitor_tls`]. None: nobody is sent the
    /// entries, and the rule says whether anybody cosigns (the monitor's own record).
    pub monitor_url: Option<String>,
    /// By which certificates the monitor and this record know each other.
    pub monitor_tls: Option<Tls>,
    /// How long an append waits for the cosignatures; at most [`crate::COSIGN_WAIT_MS_MAX`].
    pub cosign_wait: Duration,
    pub clock: Clock,
}

/// Why a record cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Wal(#[from] WalError),
    #[error("{}: {error}; make the folder readable and writable for the gate", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("{}: {problem}; restore the published record from the monitor's copy", path.display())]
    Published { path: PathBuf, problem: String },
    #[error(
        "{published} entries are published, but the write-ahead file has entries {from} to {to} only; \
         restore its missing segments"
    )]
    Missing { published: u64, from: u64, to: u64 },
    #[error(
        "{} and {} are on two file systems, so that no file can be published whole; put the mount point above both",
        published.display(), beside.display()
    )]
    OtherFileSystem { published: PathBuf, beside: PathBuf },
    #[error("recipient {recipient:?} is no age X25519 recipient ({problem}); write it as age1…")]
    Recipient { recipient: String, problem: String },
    #[error("no recipient for day keys is configured; name operator, monitor and auditor")]
    NoRecipient,
    #[error("cosign_wait is {0:?}; it must be above zero and at most {max} ms", max = crate::COSIGN_WAIT_MS_MAX)]
    CosignWait(Duration),
    #[error(transparent)]
    Monitor(#[from] LinkError),
    #[error("the writer's thread cannot be started: {0}")]
    Thread(std::io::Error),
}
