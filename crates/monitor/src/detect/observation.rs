//! What the detectors are shown: one observation for each accepted entry, and one for each thing that the monitor saw
//! beside the record. Owned, so that it can be handed to another thread. What they mean is the detectors' business.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tlog::{
    detail::{
        HandedLogins, JudgedLogin, LoginResponded, ProbesRevealed, ResidencyEvidence, Stage, Statement,
    },
    entry::{CountState, Micros},
};

use crate::incident::Fault;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Number of the entry; of what is no entry, the size of the copy when it was seen.
    pub index: u64,
    /// When it happened, by the gate's clock.
    pub time: Micros,
    /// When the monitor learned of it, by its own clock.
    pub received: Micros,
    pub gate: Arc<str>,
    /// Of what belongs to a session: its id, 32 hexadecimal digits.
    pub session: Option<String>,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// The gate started. Digests of subjects are comparable until it starts again.
    Started {
        subject_key: Option<String>,
    },
    Stopped,
    /// A session was decided, recorded and certified.
    Opened(Box<Asker>),
    /// Somebody was refused: at login, at connect, or for a statement.
    Refused {
        asker: Box<Asker>,
        stage: Stage,
        rule: String,
        statement: Option<String>,
    },
    /// Results were released, or a window of one was authorised.
    Released {
        state: CountState,
        rows: u64,
        bytes: u64,
        statements: Vec<Statement>,
    },
    /// Statements were about to write.
    Wrote {
        statements: u64,
    },
    /// A result was ended before its end.
    Cut {
        limit: Option<String>,
    },
    Closed {
        rows: u64,
        bytes: u64,
    },
    /// The gate committed to probes.
    Committed(Vec<String>),
    /// The gate revealed probes.
    Revealed(Box<ProbesRevealed>),
    /// The monitor took over a policy bundle: the first, or one after another.
    Policy(Box<Succession>),
    /// The gate posted what the monitor would not have decided; nothing of that batch was cosigned.
    Breach(Fault),
    /// The gate posted a batch that does not begin where the copy ends.
    Elsewhere {
        first: u64,
        size: u64,
    },
    /// The sites' own counters, or certificates, against the record.
    Outside(Outside),
    /// A login that the gate judged suspicious.
    Judged {
        asker: Box<Asker>,
        login: Box<JudgedLogin>,
    },
    /// What was judged of the company's other systems.
    Handed(Box<HandedLogins>),
    /// What the gate does about suspicious logins, or does no more.
    Responded(Box<LoginResponded>),
    /// What the operator's residency checker found.
    Residency(Box<ResidencyEvidence>),
    /// Some seconds passed while the monitor runs: what does not come is missed by this.
    Tick,
    /// An entry that no detector looks into.
    Other,
}

/// Who asks, as the monitor's own directory and place map have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    pub principal: String,
    /// Whether the directory names it: whoever fails to log in may call themselves anything.
    pub known: bool,
    pub service: bool,
    pub employer: String,
    /// Sorted.
    pub roles: Vec<String>,
    /// Country of the place from which they usually ask.
    pub office: Option<String>,
    /// Country, or `unknown`.
    pub place: String,
    /// Their address, where the record says it: that of who opens a session.
    pub address: Option<String>,
    pub purpose: Option<String>,
    pub ticket: Option<String>,
    /// Name of the profile; empty where none was decided.
    pub profile: String,
    pub site: String,
    /// The pool role at the site; empty where none was opened.
    pub role: String,
}

/// A policy bundle that followed another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// Hash of the one before; none before the first.
    pub old: Option<String>,
    pub new: String,
    /// What the new one permits and the old one did not, in sentences. See `compare`.
    pub widened: Vec<String>,
    /// Everybody in the new directory.
    pub principals: Vec<String>,
}

/// Something at a site that the record does not explain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    pub site: String,
    /// Role at the site.
    pub role: String,
    pub measure: Measure,
    /// Counted at the site since the last time.
    pub observed: u64,
    /// Explained by the record in the same time.
    pub recorded: u64,
}

/// What is counted at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Statements executed.
    Calls,
    /// Rows returned.
    Rows,
    /// Logins of whom nobody should be, or of a pool role without a session.
    Connections,
    /// Live connections under certificates that the monitor did not issue.
    Certificates,
    /// Counters that somebody set back, so that nothing can be said of the time before.
    Resets,
    /// Counters that were lost: with a server that died, or because there were too many.
    Losses,
    /// Times that a site or its log could not be read, or was not what it was.
    Blindness,
    /// Attempts to log in at the site itself that were refused there.
    Refusals,
    /// Logins of the administrator by the Unix socket.
    Administrator,
    /// Rows returned to the administrator.
    AdministratorRows,
}

impl Measure {
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Calls => "calls",
            Measure::Rows => "rows",
            Measure::Connections => "connections",
            Measure::Certificates => "certificates",
            Measure::Resets => "resets of counters",
            Measure::Losses => "losses of counters",
            Measure::Blindness => "times that nothing could be read",
            Measure::Refusals => "refused logins",
            Measure::Administrator => "logins by the Unix socket",
            Measure::AdministratorRows => "rows by the Unix socket",
        }
    }
}
