//! What the monitor knows of its incidents: a fold over the entries of its own record. Which state may follow which is
//! decided here, and what to append; appending is the caller's. No clock and no disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tlog::{
    detail::{About, Change, Exhibit, IncidentChanged, IncidentOpened, Reason, Severity},
    entry::Micros,
    hash::leaf_hash,
};

/// Hours from finding an incident to the report that the law asks for (GDPR, Article 33).
pub const REPORT_HOURS_MAX: i64 = 72;
const HOUR_US: i64 = 3_600 * 1_000_000;
/// Most entries that an incident names: what comes after them adds nothing.
pub const EVIDENCE_MAX: usize = 256;
/// Most refused entries that an incident keeps; the next one opens another.
pub const EXHIBITS_MAX: usize = 8;
/// Most reasons of one finding.
pub const REASONS_MAX: usize = 16;
/// The longest text of a reason, in characters; longer ones are cut.
pub const REASON_CHARS_MAX: usize = 1_000;
/// The longest name or sentence that a person may give, in characters.
pub const SAID_CHARS_MAX: usize = 1_000;

/// Something found, before it is an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub detector: String,
    pub severity: Severity,
    pub about: About,
    /// When it happened.
    pub at: Micros,
    /// Indexes of entries.
    pub evidence: Vec<u64>,
    pub reasons: Vec<Reason>,
    pub exhibit: Option<Exhibit>,
}

/// How far an incident is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Open,
    Acknowledged,
    Reported,
    Closed,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::Open, Status::Acknowledged, Status::Reported, Status::Closed];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Open => "open",
            Status::Acknowledged => "acknowledged",
            Status::Reported => "reported",
            Status::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The status after a change, or none where the change does not fit it.
    fn after(self, change: &Change) -> Option<Status> {
        match (self, change) {
            (Status::Closed, _) => None,
            (status, Change::Evidence { .. } | Change::Probed { .. }) => Some(status),
            (Status::Open, Change::Acknowledged { .. }) => Some(Status::Acknowledged),
            (Status::Acknowledged | Status::Reported, Change::Acknowledged { .. }) => None,
            // What becomes known later is reported in a further notification.
            (_, Change::Reported { .. }) => Some(Status::Reported),
            (_, Change::Closed { .. }) => Some(Status::Closed),
        }
    }
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("there is no incident {0}; `incidents list` names those there are")]
    Unknown(String),
    #[error("incident {id} is {status}, so that it cannot be {wanted}", status = status.as_str())]
    Status { id: String, status: Status, wanted: &'static str },
    #[error("{0} is empty, or longer than {SAID_CHARS_MAX} characters")]
    Said(&'static str),
    #[error("entry {index} of the own record does not follow from those before it: {problem}")]
    Order { index: u64, problem: String },
}

/// A step in an incident's life.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Index of its entry in the own record.
    pub index: u64,
    pub time: Micros,
    pub change: Change,
}

/// An incident: what was found first, and everything since.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Index of its first entry in the own record.
    pub index: u64,
    pub opened: IncidentOpened,
    pub opened_at: Micros,
    pub due_at: Micros,
    pub steps: Vec<Step>,
    pub status: Status,
    pub severity: Severity,
    /// Indexes of entries of the followed log, in their order.
    pub evidence: BTreeSet<u64>,
}

impl Incident {
    fn new(index: u64, opened: IncidentOpened) -> Result<Incident, Refusal> {
        let time = |text: &str| {
            let problem = || format!("{text:?} is not a time");
            Micros::parse_rfc3339(text).ok_or_else(|| Refusal::Order { index, problem: problem() })
        };
        let (opened_at, due_at) = (time(&opened.opened)?, time(&opened.due)?);
        let (severity, evidence) = (opened.severity, opened.evidence.iter().copied().collect());
        let steps = Vec::new();
        Ok(Incident { index, opened, opened_at, due_at, steps, status: Status::Open, severity, evidence })
    }

    fn step(&mut self, step: Step) -> Result<(), Refusal> {
        let wanted = wanted(&step.change);
        let refused = || Refusal::Status { id: self.opened.id.clone(), status: self.status, wanted };
        self.status = self.status.after(&step.change).ok_or_else(refused)?;
        if let Change::Evidence { severity, evidence, .. } = &step.change {
            self.severity = self.severity.max(*severity);
            let room = EVIDENCE_MAX.saturating_sub(self.evidence.len());
            let new: Vec<u64> =
                evidence.iter().copied().filter(|index| !self.evidence.contains(index)).take(room).collect();
            self.evidence.extend(new);
        }
        self.steps.push(step);
        Ok(())
    }

    /// The incident as it was after an entry of the own record.
    pub fn as_of(&self, index: u64) -> Incident {
        let mut then = self.clone();
        then.steps.clear();
        (then.status, then.severity) = (Status::Open, self.opened.severity);
        then.evidence = self.opened.evidence.iter().copied().collect();
        for step in self.steps.iter().filter(|step| step.index <= index) {
            // They fitted once, in this order.
            let _ = then.step(step.clone());
        }
        then
    }

    /// The newest reason for each thing that was looked at.
    pub fn reasons(&self) -> Vec<&Reason> {
        let later = self.steps.iter().filter_map(|step| match &step.change {
            Change::Evidence { reasons, .. } => Some(reasons),
            _ => None,
        });
        let mut reasons: Vec<&Reason> = Vec::new();
        for reason in std::iter::once(&self.opened.reasons).chain(later).flatten() {
            match reasons.iter_mut().find(|known| known.what == reason.what) {
                Some(known) => *known = reason,
                None => reasons.push(reason),
            }
        }
        reasons
    }

    /// What was kept of refused entries.
    pub fn exhibits(&self) -> impl Iterator<Item = &Exhibit> {
        let later = self.steps.iter().filter_map(|step| match &step.change {
            Change::Evidence { exhibit, .. } => exhibit.as_ref(),
            _ => None,
        });
        self.opened.exhibit.iter().chain(later)
    }

    /// Whether it is known of the refused entry of this leaf hash, in hexadecimal, that it was a probe.
    pub fn is_probe(&self, entry: &str) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(&step.change, Change::Probed { entry: known, .. } if known == entry))
    }

    /// Whether it is known of all that led to it that it was a probe. What has no refused entry to show was none.
    pub fn is_all_probes(&self) -> bool {
        let later = self.steps.iter().filter_map(|step| match &step.change {
            Change::Evidence { exhibit, .. } => Some(exhibit),
            _ => None,
        });
        let is_probe = |exhibit: &Option<Exhibit>| {
            let entry = exhibit.as_ref().and_then(|exhibit| exhibit.entry.as_ref());
            entry.is_some_and(|entry| self.is_probe(&leaf_hash(entry.as_bytes()).to_hex()))
        };
        std::iter::once(&self.opened.exhibit).chain(later).all(is_probe)
    }

    /// Whether the authority should have heard and has not.
    pub fn is_overdue(&self, now: Micros) -> bool {
        self.status < Status::Reported && now > self.due_at
    }

    /// Whether everything was looked at that these reasons are about.
    fn says(&self, reasons: &[Reason]) -> bool {
        let known = self.reasons();
        reasons.iter().all(|reason| known.iter().any(|known| known.what == reason.what))
    }

    /// Whether the finding says nothing that the incident does not.
    fn knows(&self, found: &Found) -> bool {
        let shown = found.exhibit.as_ref().is_none_or(|exhibit| {
            self.exhibits().any(|known| known.entry == exhibit.entry && proves_alike(known, exhibit))
        });
        let full = self.evidence.len() >= EVIDENCE_MAX;
        shown
            && found.severity <= self.severity
            && self.says(&found.reasons)
            && (full || found.evidence.iter().all(|index| self.evidence.contains(index)))
    }
}

/// Of entries, the entry says it all; forks are told apart by what was signed.
fn proves_alike(one: &Exhibit, other: &Exhibit) -> bool {
    one.entry.is_some() || signed(&one.checkpoint) == signed(&other.checkpoint)
}

/// What a checkpoint says, without its signatures.
fn signed(note: &str) -> &str {
    note.split_once("\n\n").map_or(note, |(text, _)| text)
}

fn wanted(change: &Change) -> &'static str {
    match change {
        Change::Evidence { .. } => "given evidence",
        Change::Probed { .. } => "explained by a probe",
        Change::Acknowledged { .. } => "acknowledged",
        Change::Reported { .. } => "reported",
        Change::Closed { .. } => "closed",
    }
}

/// What is to be appended for a finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    Open(Box<IncidentOpened>),
    Add(IncidentChanged),
    /// All of it is known; the incident's id.
    Known(String),
}

/// Which incident more of the same belongs to: detector, whom it is about, and the day.
type Sort = (String, About, String);

/// All incidents.
#[derive(Debug, Default)]
pub struct Store {
    incidents: BTreeMap<String, Incident>,
    /// In the order in which they were opened.
    by_sort: HashMap<Sort, Vec<String>>,
    /// The incident that each entry of the own record is about.
    entries: BTreeMap<u64, String>,
    /// Incidents opened on each day.
    days: BTreeMap<String, u32>,
}

impl Store {
    pub fn get(&self, id: &str) -> Result<&Incident, Refusal> {
        self.incidents.get(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))
    }

    /// All incidents, by id: by the day on which they were found, and their number.
    pub fn iter(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// The first entry at or after `from` that is about an incident, and the incident as it was then.
    pub fn event(&self, from: u64) -> Option<(u64, Incident)> {
        let (index, id) = self.entries.range(from..).next()?;
        Some((*index, self.incidents.get(id)?.as_of(*index)))
    }

    /// Ids of the incidents that are not closed and keep a refused entry of this line.
    pub fn shown_by(&self, line: &str) -> Vec<String> {
        let shows = |incident: &&Incident| {
            incident.status != Status::Closed
                && incident.exhibits().any(|exhibit| exhibit.entry.as_deref() == Some(line))
        };
        self.iter().filter(shows).map(|incident| incident.opened.id.clone()).collect()
    }

    /// What to append for a finding.
    pub fn plan(&self, found: Found, log: &str, now: Micros) -> Plan {
        let found = bounded(found);
        let day = day(found.at);
        let sort = (found.detector.clone(), found.about.clone(), day.clone());
        let alike = self.by_sort.get(&sort).into_iter().flatten();
        let alike: Vec<_> = alike.filter_map(|id| self.incidents.get(id)).collect();
        if let Some(known) = alike.iter().find(|incident| incident.knows(&found)) {
            return Plan::Known(known.opened.id.clone());
        }
        let Found { detector, severity, about, at, evidence, reasons, exhibit } = found;
        let has_room = |incident: &Incident| {
            incident.status != Status::Closed
                && (exhibit.is_none() || incident.exhibits().count() < EXHIBITS_MAX)
        };
        match alike.last().filter(|incident| has_room(incident)) {
            Some(incident) => {
                let change = Change::Evidence { severity, evidence, reasons, exhibit };
                Plan::Add(IncidentChanged { id: incident.opened.id.clone(), change })
            }
            None => Plan::Open(Box::new(IncidentOpened {
                id: self.next_id(now),
                detector,
                severity,
                about,
                day,
                at: at.to_string(),
                opened: now.to_string(),
                due: Micros(now.0.saturating_add(REPORT_HOURS_MAX * HOUR_US)).to_string(),
                log: log.to_owned(),
                evidence,
                reasons,
                exhibit,
            })),
        }
    }

    /// What to append for a change that somebody asks for.
    pub fn change(&self, id: &str, change: Change) -> Result<IncidentChanged, Refusal> {
        let said = |what, text: &str| {
            let fits = !text.trim().is_empty() && text.chars().count() <= SAID_CHARS_MAX;
            if fits { Ok(()) } else { Err(Refusal::Said(what)) }
        };
        match &change {
            Change::Acknowledged { by } => said("--by", by)?,
            Change::Closed { by, because } => said("--by", by).and_then(|()| said("--because", because))?,
            Change::Reported { by, .. } => by.as_ref().map_or(Ok(()), |by| said("--by", by))?,
            Change::Evidence { .. } | Change::Probed { .. } => {}
        }
        let status = self.get(id)?.status;
        let id = id.to_owned();
        match status.after(&change) {
            Some(_) => Ok(IncidentChanged { id, change }),
            None => Err(Refusal::Status { id, status, wanted: wanted(&change) }),
        }
    }

    /// Takes an `incident.opened` entry.
    pub fn opened(&mut self, index: u64, opened: IncidentOpened) -> Result<(), Refusal> {
        let id = opened.id.clone();
        let incident = Incident::new(index, opened)?;
        if self.incidents.contains_key(&id) {
            return Err(Refusal::Order { index, problem: format!("{id} is open already") });
        }
        let IncidentOpened { detector, about, day, .. } = &incident.opened;
        let sort = (detector.clone(), about.clone(), day.clone());
        self.by_sort.entry(sort).or_default().push(id.clone());
        *self.days.entry(day_of(&id).to_owned()).or_default() += 1;
        self.entries.insert(index, id.clone());
        self.incidents.insert(id, incident);
        Ok(())
    }

    /// Takes an `incident.changed` entry.
    pub fn changed(&mut self, index: u64, time: Micros, changed: IncidentChanged) -> Result<(), Refusal> {
        let IncidentChanged { id, change } = changed;
        let incident = self.incidents.get_mut(&id).ok_or_else(|| Refusal::Unknown(id.clone()))?;
        incident.step(Step { index, time, change })?;
        self.entries.insert(index, id);
        Ok(())
    }

    fn next_id(&self, now: Micros) -> String {
        let day = day(now);
        let number = self.days.get(&day).copied().unwrap_or(0).saturating_add(1);
        format!("{day}-{number:04}")
    }
}

/// The day, in UTC.
fn day(time: Micros) -> String {
    time.to_string().chars().take(10).collect()
}

/// The day in an incident's id.
fn day_of(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(day, _)| day)
}

/// A finding within its bounds.
fn bounded(mut found: Found) -> Found {
    let cut = |text: &mut String| {
        if let Some((end, _)) = text.char_indices().nth(REASON_CHARS_MAX) {
            text.truncate(end);
        }
    };
    found.evidence.truncate(EVIDENCE_MAX);
    found.reasons.truncate(REASONS_MAX);
    for reason in &mut found.reasons {
        [&mut reason.what, &mut reason.observed, &mut reason.baseline].into_iter().for_each(cut);
    }
    found
}

#[cfg(test)]
mod tests;
