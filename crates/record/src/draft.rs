//! What callers hand in, and what they get back: a [`Draft`] goes in, and [`Witnessed`] or [`NotWitnessed`]
//! comes out. Only this crate builds a `Witnessed`, and only for an entry under a checkpoint that satisfied the
//! release rule. How it gets there is in `writer` and `exchange`.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tlog::detail::DayKey;
use tlog::entry::{Checks, Count, Decision, Entry, Kind, Micros};
use tlog::json::JsonError;

/// An entry before the record has given it a time, an index and a key. Names and details are clear here; the
/// record hashes and seals them.
#[derive(Clone, Debug)]
pub struct Draft {
    pub kind: Kind,
    /// 32 lower-case hex digits.
    pub session: Option<String>,
    /// The principal's clear name; the entry carries its HMAC under the day's key.
    pub principal: Option<String>,
    /// The request in clear; the entry carries its HMAC under the day's key.
    pub request: Option<Value>,
    /// A country code or `unknown`.
    pub place: Option<String>,
    pub decision: Option<Decision>,
    /// The policy's hash, 64 hex digits.
    pub policy: Option<String>,
    /// The profile's hash, 64 hex digits.
    pub profile: Option<String>,
    pub classes: Vec<String>,
    pub count: Option<Count>,
    /// Of `residency.evidence` alone.
    pub checks: Option<Checks>,
    /// What is sealed.
    pub detail: Option<Detail>,
}

/// What is sealed of an entry, as its canonical text of at most [`crate::DETAIL_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail(String);

impl Detail {
    /// Writes a detail.
    pub fn of(detail: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        tlog::json::canonical_of(detail).map(Self)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// What many entries say alike, such as those of a session: made once, hashed once for each day's key.
#[derive(Debug)]
pub struct Outline {
    draft: Draft,
    /// The entry under the day key whose id it carries, without what differs. The writer's alone.
    hashed: Mutex<Option<Entry>>,
}

impl Outline {
    /// The kind, decision, count and detail of `draft` are those of no entry: each [`Like`] has its own.
    pub fn new(draft: Draft) -> Self {
        Self { draft, hashed: Mutex::new(None) }
    }

    /// Hands `with` an entry that says all that is alike, hashed under `key`.
    pub(crate) fn fill<T>(
        &self,
        key: &DayKey,
        gate: &str,
        with: impl FnOnce(&mut Entry) -> T,
    ) -> Result<T, JsonError> {
        let mut hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hashed.take().filter(|entry| entry.key.as_deref() == Some(&key.id));
        let mut entry = match known {
            Some(entry) => entry,
            None => self.hash(key, gate)?,
        };
        let outcome = with(&mut entry);
        *hashed = Some(entry);
        Ok(outcome)
    }

    fn hash(&self, key: &DayKey, gate: &str) -> Result<Entry, JsonError> {
        let draft = &self.draft;
        let request = draft.request.as_ref().map(|request| key.request(request)).transpose()?;
        Ok(Entry {
            session: draft.session.clone(),
            principal: draft.principal.as_ref().map(|name| key.principal(name)),
            request,
            place: draft.place.clone(),
            policy: draft.policy.clone(),
            profile: draft.profile.clone(),
            classes: draft.classes.clone(),
            checks: draft.checks,
            key: Some(key.id.clone()),
            ..Entry::new(Micros(0), draft.kind, gate)
        })
    }
}

/// An entry that says what its outline says, and this.
#[derive(Clone, Debug)]
pub struct Like {
    pub outline: Arc<Outline>,
    pub kind: Kind,
    pub decision: Option<Decision>,
    pub count: Option<Count>,
    pub detail: Option<Detail>,
}

impl From<Draft> for Like {
    fn from(mut draft: Draft) -> Self {
        let (kind, decision, count) = (draft.kind, draft.decision, draft.count);
        let detail = draft.detail.take();
        Self { outline: Arc::new(Outline::new(draft)), kind, decision, count, detail }
    }
}

impl Draft {
    /// A draft of this kind with nothing else in it.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            session: None,
            principal: None,
            request: None,
            place: None,
            decision: None,
            policy: None,
            profile: None,
            classes: Vec::new(),
            count: None,
            checks: None,
            detail: None,
        }
    }
}

/// Proof that an entry is durable here, held by the monitor, and under a checkpoint that satisfies the release
/// rule. Only then may what it speaks of happen.
#[derive(Debug)]
#[must_use = "what the entry speaks of may now be released"]
pub struct Witnessed {
    index: u64,
    certificate: Option<Box<str>>,
}

impl Witnessed {
    pub(crate) fn new(index: u64, certificate: Option<Box<str>>) -> Self {
        Self { index, certificate }
    }

    /// The entry's index in the log.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The certificate (PEM) that the monitor issued for the entry, if it issued one.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
}

/// The entry was not cosigned: what it speaks of must not happen.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{why}", index.map(|index| format!("entry {index}: ")).unwrap_or_default())]
pub struct NotWitnessed {
    /// The entry's index, if it was given one. Such an entry stays in the record and is sent again when the
    /// monitor answers; an entry without index is not in the record and will not be.
    pub index: Option<u64>,
    pub why: Why,
}

/// Why an entry was not cosigned.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Why {
    #[error("the monitor did not cosign within {waited_ms} ms{}; see that trefoil-monitor runs", after(last))]
    Silent {
        waited_ms: u64,
        /// What the last attempt ended with, if one ended.
        last: Option<Arc<str>>,
    },
    #[error("the monitor would not have decided entry {index} and does not cosign: {reason}")]
    Refused { index: u64, reason: Arc<str> },
    #[error("too much waits for the monitor or the disk ({entries} entries, {bytes} bytes); try again later")]
    Full { entries: usize, bytes: usize },
    #[error("the entry cannot be recorded: {0}")]
    Unfit(Arc<str>),
    #[error("the record cannot be written: {0}; mend it and start the gate again")]
    Storage(Arc<str>),
    #[error("the record is stopped")]
    Stopped,
}

impl Why {
    pub(crate) fn at(self, index: Option<u64>) -> NotWitnessed {
        NotWitnessed { index, why: self }
    }
}

fn after(last: &Option<Arc<str>>) -> String {
    last.as_ref().map(|last| format!(" ({last})")).unwrap_or_default()
}
