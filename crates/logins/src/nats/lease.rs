//! Who is there, and who holds which share, as the bucket says. Not here: what is done about it (`worker`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use serde::{Deserialize, Serialize};

use super::{Asking, NatsError};
use crate::clock;

const WORKER: &str = "worker.";
const SHARE: &str = "share.";

pub(super) fn worker_key(id: &str) -> String {
    format!("{WORKER}{id}")
}

pub(super) fn share_key(share: u32) -> String {
    format!("{SHARE}{share}")
}

/// A share's entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// How often it was taken.
    pub(super) epoch: u64,
    /// By whom it is held; nobody after an orderly end.
    pub(super) owner: Option<String>,
    /// The last snapshot, and the one before it.
    pub(super) snapshots: Vec<Snapshot>,
}

/// A snapshot of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// The object's name.
    pub(super) object: String,
    /// The last event it covers: its sequence in the stream.
    pub(super) sequence: u64,
    /// The last event whose judgement was published before it.
    pub(super) through: u64,
}

/// The name of a share's snapshot.
pub(super) fn object_name(share: u32, epoch: u64, sequence: u64) -> String {
    format!("{SHARE}{share}.{epoch}.{sequence}")
}

/// In which epoch of this share an object was stored; none when it is not of this share.
pub(super) fn epoch_of(object: &str, share: u32) -> Option<u64> {
    let (epoch, _) = object.strip_prefix(&format!("{SHARE}{share}."))?.split_once('.')?;
    epoch.parse().ok()
}

/// How long this process may act without having renewed its heartbeat. Until then others take it for alive, because
/// they count from later: from when they saw it.
#[derive(Clone)]
pub(super) struct Alive {
    began: Instant,
    until_ms: Arc<AtomicU64>,
}

impl Alive {
    pub(super) fn new() -> Self {
        Self { began: clock::instant(), until_ms: Arc::default() }
    }

    pub(super) fn is(&self) -> bool {
        self.elapsed_ms() < self.until_ms.load(Ordering::Acquire)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Renews the heartbeat until it is dropped.
pub(super) async fn beat(bucket: kv::Store, id: String, lease: Duration, alive: Alive) {
    let mut ticks = tokio::time::interval(lease / 4);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    let mut count = 0_u64;
    loop {
        ticks.tick().await;
        let asked_ms = alive.elapsed_ms();
        count += 1;
        let put = bucket.put(worker_key(&id), count.to_string().into());
        // A failure shows in that the time runs out.
        if let Ok(Ok(_)) = tokio::time::timeout(lease / 4, put).await {
            alive.until_ms.store(asked_ms.saturating_add(lease_ms / 4 * 3), Ordering::Release);
        }
    }
}

/// What the bucket says, and since when.
#[derive(Default)]
pub(super) struct View {
    /// Of each process, the number of its last heartbeat and when it was seen here.
    workers: BTreeMap<String, (u64, Instant)>,
    shares: BTreeMap<u32, Entry>,
    /// All that was there when we began to look.
    is_whole: bool,
}

impl View {
    /// Takes one entry of the bucket in.
    pub(super) fn take(&mut self, entry: &kv::Entry) {
        self.is_whole |= entry.seen_current;
        let is_put = matches!(entry.operation, kv::Operation::Put);
        if let Some(id) = entry.key.strip_prefix(WORKER) {
            if !is_put {
                self.workers.remove(id);
            } else if self.workers.get(id).is_none_or(|(revision, _)| *revision < entry.revision) {
                self.workers.insert(id.to_owned(), (entry.revision, clock::instant()));
            }
        } else if let Some(share) = entry.key.strip_prefix(SHARE).and_then(|share| share.parse().ok()) {
            // An entry that cannot be read is nobody's to take: whoever takes it reads it again and says so.
            let read = serde_json::from_slice(&entry.value).unwrap_or_default();
            self.shares.insert(share, read);
        }
    }

    /// The processes that are there, ourselves among them.
    pub(super) fn workers(&self, ourselves: &str, lease: Duration) -> Vec<&str> {
        let is_there =
            |(id, (_, seen)): &(&String, &(u64, Instant))| id.as_str() == ourselves || seen.elapsed() < lease;
        self.workers.iter().filter(is_there).map(|(id, _)| id.as_str()).collect()
    }

    /// Processes that are gone, and the numbers of the heartbeats by which we know.
    pub(super) fn gone(&self, ourselves: &str, lease: Duration) -> Vec<(String, u64)> {
        let is_gone = |(id, (_, seen)): &(&String, &(u64, Instant))| {
            id.as_str() != ourselves && seen.elapsed() >= lease
        };
        let gone = self.workers.iter().filter(is_gone);
        gone.map(|(id, (revision, _))| (id.clone(), *revision)).collect()
    }

    /// Takes in what an entry is, when it was read rather than heard of.
    pub(super) fn correct(&mut self, share: u32, entry: Entry) {
        self.shares.insert(share, entry);
    }

    /// Whether we know who is there.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether a process has a heartbeat, old or new.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.workers.contains_key(id)
    }

    /// Whether a process holds anything.
    pub(super) fn is_owner(&self, id: &str) -> bool {
        self.shares.values().any(|entry| entry.owner.as_deref() == Some(id))
    }

    /// Who holds a share, as far as we know.
    pub(super) fn owner(&self, share: u32) -> Option<&str> {
        self.shares.get(&share)?.owner.as_deref()
    }
}

/// The entry of a share, and the revision to replace it by; 0 where there is none.
pub(super) async fn entry(bucket: &kv::Store, share: u32) -> Result<(Entry, u64), NatsError> {
    let key = share_key(share);
    let doing = || format!("reading {key}");
    match bucket.entry(key.as_str()).await.asking(doing)? {
        None => Ok((Entry::default(), 0)),
        Some(found) if !matches!(found.operation, kv::Operation::Put) => {
            Ok((Entry::default(), found.revision))
        }
        Some(found) => Ok((serde_json::from_slice(&found.value).asking(doing)?, found.revision)),
    }
}

/// Replaces the entry of a share, if it is the one of this revision still; answers the new revision.
pub(super) async fn replace(
    bucket: &kv::Store,
    share: u32,
    entry: &Entry,
    revision: u64,
) -> Result<u64, NatsError> {
    let key = share_key(share);
    let doing = || format!("replacing {key}");
    let bytes = serde_json::to_vec(entry).asking(doing)?;
    match bucket.update(&key, bytes.into(), revision).await {
        Ok(revision) => Ok(revision),
        Err(error) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => Err(NatsError::Lost(share)),
        Err(error) => Err(error).asking(doing),
    }
}
