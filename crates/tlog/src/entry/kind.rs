//! The closed list of kinds of entry. A kind that is not here is refused by every writer and reader.

use std::fmt;

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    GateStart,
    GateStop,
    SessionOpen,
    SessionClose,
    AccessDecision,
    AccessRelease,
    AccessWrite,
    AccessCommit,
    AccessCut,
    KeyMade,
    KeyForgotten,
    PolicyApplied,
    DirectoryChanged,
    LoginJudged,
    LoginResponded,
    LoginExplained,
    LoginMarked,
    BrakeApplied,
    BrakeLifted,
    SitesFailover,
    SitesFailback,
    SitesClosed,
    SitesReopened,
    ResidencyEvidence,
    ProbeCommitted,
    ProbeRevealed,
    /// This and what follows is written by a monitor, into a record of its own.
    MonitorStart,
    MonitorStop,
    IncidentOpened,
    IncidentChanged,
}

impl Kind {
    /// Every kind, in the order of the list.
    pub const ALL: [Kind; 30] = [
        Kind::GateStart,
        Kind::GateStop,
        Kind::SessionOpen,
        Kind::SessionClose,
        Kind::AccessDecision,
        Kind::AccessRelease,
        Kind::AccessWrite,
        Kind::AccessCommit,
        Kind::AccessCut,
        Kind::KeyMade,
        Kind::KeyForgotten,
        Kind::PolicyApplied,
        Kind::DirectoryChanged,
        Kind::LoginJudged,
        Kind::LoginResponded,
        Kind::LoginExplained,
        Kind::LoginMarked,
        Kind::BrakeApplied,
        Kind::BrakeLifted,
        Kind::SitesFailover,
        Kind::SitesFailback,
        Kind::SitesClosed,
        Kind::SitesReopened,
        Kind::ResidencyEvidence,
        Kind::ProbeCommitted,
        Kind::ProbeRevealed,
        Kind::MonitorStart,
        Kind::MonitorStop,
        Kind::IncidentOpened,
        Kind::IncidentChanged,
    ];

    /// The name in the entry.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::GateStart => "gate.start",
            Kind::GateStop => "gate.stop",
            Kind::SessionOpen => "session.open",
            Kind::SessionClose => "session.close",
            Kind::AccessDecision => "access.decision",
            Kind::AccessRelease => "access.release",
            Kind::AccessWrite => "access.write",
            Kind::AccessCommit => "access.commit",
            Kind::AccessCut => "access.cut",
            Kind::KeyMade => "key.made",
            Kind::KeyForgotten => "key.forgotten",
            Kind::PolicyApplied => "policy.applied",
            Kind::DirectoryChanged => "directory.changed",
            Kind::LoginJudged => "login.judged",
            Kind::LoginResponded => "login.responded",
            Kind::LoginExplained => "login.explained",
            Kind::LoginMarked => "login.marked",
            Kind::BrakeApplied => "brake.applied",
            Kind::BrakeLifted => "brake.lifted",
            Kind::SitesFailover => "sites.failover",
            Kind::SitesFailback => "sites.failback",
            Kind::SitesClosed => "sites.closed",
            Kind::SitesReopened => "sites.reopened",
            Kind::ResidencyEvidence => "residency.evidence",
            Kind::ProbeCommitted => "probe.committed",
            Kind::ProbeRevealed => "probe.revealed",
            Kind::MonitorStart => "monitor.start",
            Kind::MonitorStop => "monitor.stop",
            Kind::IncidentOpened => "incident.opened",
            Kind::IncidentChanged => "incident.changed",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
