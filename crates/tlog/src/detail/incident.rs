//! What the details of the monitor's own record hold: its runs and its incidents. What an incident's states mean and
//! which may follow which is the monitor's; here is only what is written down.

use serde::{Deserialize, Serialize};

/// Of `monitor.start`: a run of the monitor, and the log that it follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorStart {
    pub version: String,
    /// Origin of the log that is followed.
    pub log: String,
    /// Entries of it that are held.
    pub size: u64,
    /// Hash of the policy bundle in force, hexadecimal.
    pub policy: String,
}

/// Of `monitor.stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorStop {
    pub reason: String,
    /// Entries of the followed log that are held.
    pub size: u64,
}

/// How much an incident matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// Whom or what an incident is about, as far as it is about one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The principal's clear name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// Where it was seen, when it was seen at a site and not in the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The role at that site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// One reason: what was looked at, what it was, what it should be or usually is, and how far apart the two are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub what: String,
    pub observed: String,
    pub baseline: String,
    /// How many times the baseline, where that can be said. Text, because the record holds whole numbers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<String>,
}

/// What proves an incident whose entry is in nobody's copy, because it was refused: the log signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exhibit {
    /// The entry's line, exactly as posted; absent for a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Its sealed detail in base 64, where it is short enough to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// The posted checkpoint with the log's signature.
    pub checkpoint: String,
    /// That the entry is under that checkpoint: a tlog-proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// For a fork, the other signed checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// Of `incident.opened`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentOpened {
    /// `YYYY-MM-DD-NNNN`: the day on which it was found, and its number on that day.
    pub id: String,
    pub detector: String,
    pub severity: Severity,
    pub about: About,
    /// The day, in UTC, on which it happened: more of it on that day is the same incident.
    pub day: String,
    /// When it happened, RFC 3339.
    pub at: String,
    /// When it was found.
    pub opened: String,
    /// By when the authority must have heard.
    pub due: String,
    /// Origin of the log that the evidence is in.
    pub log: String,
    /// Indexes of entries.
    pub evidence: Vec<u64>,
    pub reasons: Vec<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhibit: Option<Exhibit>,
}

/// Of `incident.changed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentChanged {
    pub id: String,
    pub change: Change,
}

/// What changed of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "lowercase", deny_unknown_fields)]
pub enum Change {
    /// The same was seen again.
    Evidence {
        severity: Severity,
        evidence: Vec<u64>,
        reasons: Vec<Reason>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exhibit: Option<Exhibit>,
    },
    /// A refused entry was a probe: the gate had committed to it, and has revealed it since.
    Probed {
        /// Leaf hash of the refused entry, in hexadecimal.
        entry: String,
        /// Index of the `probe.revealed`.
        revealed: u64,
    },
    /// Somebody looks into it.
    Acknowledged {
        by: String,
    },
    /// The authority's notification was written.
    Reported {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// SHA-256 of the notification's JSON, in hexadecimal.
        notification: String,
    },
    Closed {
        by: String,
        because: String,
    },
}
