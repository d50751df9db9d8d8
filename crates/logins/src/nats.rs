//! Logins through NATS JetStream, shared by as many processes as there are. Every event goes to its user's **share**;
//! one process at a time holds a share and judges it in order; what it learnt moves with the share.
//!
//! ```text
//! stream   LOGINS          logins.in.<share>       events, a JSON line each, and verdicts of analysts
//! stream   LOGINS_JUDGED   logins.judged.<share>   judgements, a JSON line each
//! bucket   LOGINS_SHARES   shares, key             how many shares there are, and a check of the key
//!                          hands                   there once risky logins are handed in at an enclave
//!                          worker.<id>             the heartbeat of a process
//!                          share.<n>               who holds it since which epoch, and its snapshots
//! objects  LOGINS_STATE    share.<n>.<epoch>.<seq> snapshots, in the form that folders have (`state::snapshot`)
//! ```
//!
//! **Who holds what** (`lease`). A process whose heartbeat nobody saw for the time of a lease is gone; no two clocks are
//! compared. Whoever takes a share replaces its entry by compare-and-set and counts an epoch. A process that cannot
//! renew stops by itself before others take over.
//!
//! **Once** (`held`). Judging is deterministic, and what is judged is in the stream, verdicts included. A share's holder
//! starts at its last committed snapshot and judges again what followed. It publishes a judgement only where the
//! last message of the share's subject in `LOGINS_JUDGED` is the one it knows (`Nats-Expected-Last-Subject-Sequence`) and does
//! not yet cover it (`Trefoil-Through`, the last event whose judgement is out). So each event's judgement is published
//! once, whoever crashed when, and a process that was taken for dead cannot publish after its successor; no
//! duplicate window is relied on. What is handed in at an enclave goes before its judgement is published, message by message
//! under the message's number, so that whoever judges it again hands in the same, and the gate knows it. A snapshot is committed
//! by compare-and-set of the share's entry, after its object is stored, and counts from then on.

mod held;
mod lease;
mod publish;
mod worker;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use async_nats::jetstream::{self, kv, object_store, stream};
use risk::Verdict;
use risk::key::Of;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;

pub use publish::Publisher;
pub use worker::{Hand, Settings, Worker};

use crate::answer::At;
use crate::share::{Judging, Share};
use crate::state::Secret;

/// Of events.
pub const STREAM_IN: &str = "LOGINS";
/// Of judgements.
pub const STREAM_JUDGED: &str = "LOGINS_JUDGED";
const BUCKET: &str = "LOGINS_SHARES";
const OBJECTS: &str = "LOGINS_STATE";
const SHARES_KEY: &str = "shares";
const CHECK_KEY: &str = "key";
const HANDS_KEY: &str = "hands";
/// Into so many shares users are divided, unless it is said otherwise when the first process starts. Evidence of campaigns
/// is held in each share by itself, so that fewer shares see more of each campaign.
pub const SHARES: u32 = 16;
/// More are no use: each has tables of its own.
pub const SHARES_MAX: u32 = 4_096;
/// Events and judgements stay this long in streams that we make; one that is there already is as its owner made it.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// In a verdict's message.
pub(crate) const MARK_HEADER: &str = "Trefoil-Mark";
/// In a judgement's message: the last event that is covered.
pub(crate) const THROUGH_HEADER: &str = "Trefoil-Through";

/// What went wrong with NATS.
#[derive(Debug, Error)]
pub enum NatsError {
    /// It did not answer, or not as it should.
    #[error("{doing}: {why}")]
    Asking {
        /// What was asked.
        doing: String,
        /// What came of it.
        why: String,
    },
    /// Another process holds the share now.
    #[error("share {0} was taken over by another process")]
    Lost(u32),
    /// What is there is not what this process was started for.
    #[error("{0}")]
    Estate(String),
    /// A share's snapshots cannot be used.
    #[error("share {share}: no snapshot can be used: {why}")]
    Snapshots {
        /// Which.
        share: u32,
        /// What is wrong with each.
        why: String,
    },
}

/// Names what was asked when something fails.
pub(crate) trait Asking<T> {
    fn asking(self, doing: impl FnOnce() -> String) -> Result<T, NatsError>;
}

impl<T, E: std::fmt::Display> Asking<T> for Result<T, E> {
    fn asking(self, doing: impl FnOnce() -> String) -> Result<T, NatsError> {
        self.map_err(|why| NatsError::Asking { doing: doing(), why: why.to_string() })
    }
}

/// The share of a user: FNV-1a of 32 bits over the name as the source spells it, modulo the number of shares. It is what
/// NATS' own `{{partition(shares, 1)}}` computes.
pub fn share_of(user: &str, shares: u32) -> u32 {
    let hash =
        user.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.checked_rem(shares).unwrap_or(0)
}

/// A verdict of an analyst, as a message among the events of its share.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marked {
    /// Which event: `share:sequence`, as its judgement has it.
    pub(crate) event: String,
    /// What is said of it.
    pub(crate) verdict: Verdict,
    /// It is taken back.
    #[serde(default)]
    pub(crate) undo: bool,
    /// Why.
    pub(crate) because: String,
    /// The event as it came.
    pub(crate) line: Option<String>,
}

/// What an analyst asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which event, of which share.
    pub at: At,
    /// What is said of it.
    pub verdict: Verdict,
    /// It is taken back.
    pub undo: bool,
    /// Why.
    pub because: String,
    /// The event as it came, where the stream has it no longer.
    pub line: Option<String>,
}

/// Puts a verdict among the events of its share, where whoever holds the share learns it in its place.
pub async fn mark(estate: &Estate, asked: Asked) -> Result<(), NatsError> {
    let At::Stream { share, sequence, line: number } = asked.at else {
        return Err(NatsError::Estate(format!("{} is no event of a stream: write share:sequence", asked.at)));
    };
    let line = match asked.line {
        Some(line) => line,
        None => {
            let doing = || format!("reading event {}", asked.at);
            let message = estate.input.get_raw_message(sequence).await.asking(doing)?;
            let mut lines = crate::lines::of(&message.payload);
            let line = lines.find(|(at, _)| at.checked_sub(1) == Some(number)).map(|(_, line)| line);
            match line.filter(|_| message.subject.as_str() == subject_in(share)) {
                Some(line) => String::from_utf8_lossy(line).into_owned(),
                None => return Err(NatsError::Estate(format!("there is no event {}", asked.at))),
            }
        }
    };
    // What could not be learnt is told now, and not where nobody looks.
    match crate::ocsf::read(line.as_bytes()) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(NatsError::Estate(format!("{} is no event of authentication", asked.at))),
        Err(wrong) => return Err(NatsError::Estate(wrong.in_line(1).to_string())),
    }
    let Asked { verdict, undo, because, .. } = asked;
    let marked = Marked { event: asked.at.to_string(), verdict, undo, because, line: Some(line) };
    let subject = subject_in(share);
    let doing = || format!("publishing to {subject}");
    let payload = serde_json::to_vec(&marked).asking(doing)?;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(MARK_HEADER, "1");
    let sent =
        estate.context.publish_with_headers(subject.clone(), headers, payload.into()).await.asking(doing)?;
    sent.await.asking(doing).map(|_| ())
}

/// What is known of a user's share, and the last event it is from: by its last snapshot, if there is one.
pub async fn newest(
    estate: &Estate,
    judging: &Judging,
    user: &str,
) -> Result<Option<(u64, Share)>, NatsError> {
    estate.check(&judging.secret).await?;
    let share = share_of(user, estate.shares());
    let (entry, _) = lease::entry(&estate.bucket, share).await?;
    held::newest(estate, judging, share, &entry, &|_| {}).await.map(|found| {
        let (share, snapshot) = found?;
        Some((snapshot.sequence, share))
    })
}

/// The subject of a share's events.
pub fn subject_in(share: u32) -> String {
    format!("logins.in.{share}")
}

/// The subject of a share's judgements.
pub fn subject_judged(share: u32) -> String {
    format!("logins.judged.{share}")
}

/// Where NATS is, and who we are there.
#[derive(Debug, Clone)]
pub struct Server {
    /// `nats://host:port` or `tls://host:port`, several with commas between them; may hold `user:password@`.
    pub url: String,
    /// A credentials file, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// Authorities to believe besides the system's.
    pub authorities: Option<PathBuf>,
    /// Our certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

impl Server {
    async fn connect(&self) -> Result<jetstream::Context, NatsError> {
        let doing = || format!("connecting to {}", without_password(&self.url));
        let mut options = async_nats::ConnectOptions::new().name("trefoil logins");
        if let Some(path) = &self.credentials {
            let text = std::fs::read_to_string(path).asking(|| format!("reading {}", path.display()))?;
            options = options.credentials(&text).asking(|| format!("reading {}", path.display()))?;
        }
        if let Some(path) = &self.authorities {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &self.identity {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let urls: Vec<&str> = self.url.split(',').map(str::trim).collect();
        let client = options.connect(urls).await.asking(doing)?;
        Ok(jetstream::new(client))
    }
}

fn without_password(url: &str) -> String {
    let hide = |part: &str| match part.rsplit_once('@') {
        None => part.to_owned(),
        Some((_, host)) => format!("…@{host}"),
    };
    url.split(',').map(hide).collect::<Vec<_>>().join(",")
}

/// What all processes share.
#[derive(Clone)]
pub struct Estate {
    pub(crate) context: jetstream::Context,
    pub(crate) input: stream::Stream,
    pub(crate) judged: stream::Stream,
    pub(crate) bucket: kv::Store,
    pub(crate) objects: object_store::ObjectStore,
    shares: u32,
}

impl Estate {
    /// Connects, makes what is not there, and checks that there are as many shares as are asked for.
    pub async fn open(server: &Server, shares: Option<u32>) -> Result<Self, NatsError> {
        let context = server.connect().await?;
        let make = |name: &str, subjects: &str| stream::Config {
            name: name.to_owned(),
            subjects: vec![subjects.to_owned()],
            max_age: AGE_MAX,
            ..Default::default()
        };
        let input = context.get_or_create_stream(make(STREAM_IN, "logins.in.*")).await;
        let judged = context.get_or_create_stream(make(STREAM_JUDGED, "logins.judged.*")).await;
        let mut estate = Self {
            input: input.asking(|| format!("opening the stream {STREAM_IN}"))?,
            judged: judged.asking(|| format!("opening the stream {STREAM_JUDGED}"))?,
            bucket: bucket(&context).await?,
            objects: objects(&context).await?,
            context,
            shares: 0,
        };
        let there = estate.fix(SHARES_KEY, shares.unwrap_or(SHARES).to_string()).await?;
        let there: u32 = there.parse().asking(|| format!("reading {SHARES_KEY} of {BUCKET}"))?;
        if shares.is_some_and(|shares| shares != there) || !(1..=SHARES_MAX).contains(&there) {
            return Err(NatsError::Estate(format!(
                "there are {there} shares in NATS, and that cannot be changed; leave --shares away, or begin anew"
            )));
        }
        estate.shares = there;
        Ok(estate)
    }

    /// How many shares there are.
    pub fn shares(&self) -> u32 {
        self.shares
    }

    /// Tells the stream of events from any other, one under the same name after it included: numbers of its messages mean
    /// nothing elsewhere.
    pub fn name(&self) -> String {
        format!("{:x}", self.input.cached_info().created.unix_timestamp_nanos())
    }

    /// Checks that what is learnt here is hashed with this key.
    pub(crate) async fn check(&self, secret: &Secret) -> Result<(), NatsError> {
        let check = format!("{:016x}", secret.key().tag(Of::Event, b"trefoil logins estate v1").0);
        if self.fix(CHECK_KEY, check.clone()).await? != check {
            return Err(NatsError::Estate(
                "what was learnt in NATS is of another key; give every process the key file of the first"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Every process hands in what is risky once one did, as what the others judge would be missing.
    pub(crate) async fn hands_in(&self, does: bool) -> Result<(), NatsError> {
        if does {
            return self.fix(HANDS_KEY, "1".to_owned()).await.map(|_| ());
        }
        let there = self.bucket.get(HANDS_KEY).await.asking(|| format!("reading {HANDS_KEY} of {BUCKET}"))?;
        match there {
            None => Ok(()),
            Some(_) => Err(NatsError::Estate(
                "what is risky there is handed in at an enclave's gate: give every process --dir".to_owned(),
            )),
        }
    }

    /// What the first process wrote, which may be us.
    async fn fix(&self, key: &str, value: String) -> Result<String, NatsError> {
        let doing = || format!("reading {key} of {BUCKET}");
        let made = self.bucket.create(key, value.into()).await;
        let there = self.bucket.get(key).await.asking(doing)?;
        let there = there.ok_or_else(|| made.err().map_or_else(String::new, |why| why.to_string()));
        Ok(String::from_utf8_lossy(&there.asking(doing)?).into_owned())
    }
}

async fn bucket(context: &jetstream::Context) -> Result<kv::Store, NatsError> {
    if let Ok(bucket) = context.get_key_value(BUCKET).await {
        return Ok(bucket);
    }
    // What ADR-8 of NATS says that a bucket is. The client's own way of making one asks for more than nats-server 2.9 says.
    let config = stream::Config {
        name: format!("KV_{BUCKET}"),
        subjects: vec![format!("$KV.{BUCKET}.>")],
        max_messages_per_subject: 1,
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        ..Default::default()
    };
    let doing = || format!("making the bucket {BUCKET}");
    context.get_or_create_stream(config).await.asking(doing)?;
    context.get_key_value(BUCKET).await.asking(doing)
}

async fn objects(context: &jetstream::Context) -> Result<object_store::ObjectStore, NatsError> {
    if let Ok(objects) = context.get_object_store(OBJECTS).await {
        return Ok(objects);
    }
    let config = object_store::Config { bucket: OBJECTS.to_owned(), ..Default::default() };
    context.create_object_store(config).await.asking(|| format!("making the bucket {OBJECTS}"))
}

/// Returns once `stop` is set, or whoever could set it is gone.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
