//! Incidents: what the gate's log says and the monitor would not have decided, with the evidence and the time by which
//! a regulator must have heard. Finding them belongs to `entries` and `monitor`; here they are named and kept.

use std::{fmt, fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, path::PathBuf};

use serde::Serialize;
use tlog::entry::Micros;

use crate::folder::{self, FolderError};

/// Hours from finding an incident to the report that the law asks for (GDPR, Article 33).
pub const REPORT_HOURS_MAX: i64 = 72;
const HOUR_US: i64 = 3_600 * 1_000_000;

/// What kind of rule the gate broke. A closed list, written in incidents.ndjson.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// Two trees of one log: signed checkpoints that cannot both be true.
    Fork,
    /// An entry that is not one.
    Malformed,
    /// A kind of entry that this gate has no business writing.
    Unexpected,
    /// A time that runs backwards, or away from the monitor's clock.
    Clock,
    /// A detail that is missing, does not open, is not what was committed to, or contradicts its entry.
    Detail,
    /// A keyed hash of a principal or a request that is not that of the detail.
    Identity,
    /// A policy, profile, place or decision other than the monitor's own.
    Decision,
    /// A statement released that is refused, or refused that is cleared.
    Verdict,
    /// An entry out of its session's order.
    Session,
    /// Counts that do not add up.
    Count,
    /// A day key that is not one.
    Key,
}

impl Breach {
    pub fn as_str(self) -> &'static str {
        match self {
            Breach::Fork => "fork",
            Breach::Malformed => "malformed",
            Breach::Unexpected => "unexpected",
            Breach::Clock => "clock",
            Breach::Detail => "detail",
            Breach::Identity => "identity",
            Breach::Decision => "decision",
            Breach::Verdict => "verdict",
            Breach::Session => "session",
            Breach::Count => "count",
            Breach::Key => "key",
        }
    }
}

/// Why an entry is not cosigned.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub breach: Breach,
    /// One sentence: what the entry says and what the monitor found.
    pub reason: String,
}

impl Fault {
    pub fn new(breach: Breach, reason: impl Into<String>) -> Fault {
        Fault { breach, reason: reason.into() }
    }
}

/// One line of incidents.ndjson.
#[derive(Debug, Clone, Serialize)]
pub struct Incident {
    /// When it was found, RFC 3339.
    pub time: String,
    /// By when it must be reported, RFC 3339.
    pub report_by: String,
    /// The entry it is about, or the size of the tree that the log forked from.
    pub index: u64,
    pub kind: Breach,
    pub reason: String,
    pub evidence: Evidence,
}

/// What proves it: the log signed this checkpoint over this entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// The entry's line, exactly as posted; absent for a fork.
    pub entry: Option<String>,
    /// The posted checkpoint with the log's signature.
    pub checkpoint: String,
    /// For a fork, the other signed checkpoint.
    pub held: Option<String>,
}

impl Incident {
    pub fn new(index: u64, fault: Fault, evidence: Evidence, now: Micros) -> Incident {
        Incident {
            time: now.to_string(),
            report_by: Micros(now.0.saturating_add(REPORT_HOURS_MAX * HOUR_US)).to_string(),
            index,
            kind: fault.breach,
            reason: fault.reason,
            evidence,
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, kind) = (self.index, self.kind.as_str());
        write!(f, "incident: entry {index}: {kind}: {} (report by {})", self.reason, self.report_by)
    }
}

/// The file of incidents, append-only.
pub struct Incidents {
    path: PathBuf,
    last: Option<(u64, Breach, String)>,
}

impl Incidents {
    pub fn new(path: PathBuf) -> Incidents {
        Incidents { path, last: None }
    }

    /// Prints and keeps an incident. A gate that posts the same entry again and again makes one incident, not many.
    pub fn report(&mut self, incident: &Incident) -> Result<(), FolderError> {
        let Evidence { entry, checkpoint, .. } = &incident.evidence;
        let this = (incident.index, incident.kind, entry.as_ref().unwrap_or(checkpoint).clone());
        if self.last.as_ref() == Some(&this) {
            return Ok(());
        }
        eprintln!("{incident}");
        let line = serde_json::to_string(incident).unwrap_or_else(|e| format!("{{\"unwritable\":\"{e}\"}}"));
        let mut options = OpenOptions::new();
        let written = options.append(true).create(true).mode(0o600).open(&self.path).and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_data()?;
            folder::sync_parent(&self.path)
        });
        written.map_err(folder::at(&self.path))?;
        self.last = Some(this);
        Ok(())
    }
}
