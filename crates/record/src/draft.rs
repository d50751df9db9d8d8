//! What callers hand in, and what they get back: a [`Draft`] goes in, and [`Witnessed`] or [`NotWitnessed`]
//! comes out. Only this crate builds a `Witnessed`, and only for an entry under a checkpoint that satisfied the
//! release rule. How it gets there is in `writer` and `exchange`.

use std::sync::Arc;

use serde_json::Value;
use tlog::entry::{Count, Decision, Kind};

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
    /// What is sealed. Its canonical form has at most [`crate::DETAIL_BYTES_MAX`] bytes.
    pub detail: Option<Value>,
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
