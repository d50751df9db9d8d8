//! What the evidence says in numbers: how many persons and records are concerned, of which classes, from where. Counts
//! what the record states and never more: what is not known is told apart from none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use tlog::{
    detail::{Counted, Cut, Released, Subjects},
    entry::{CountState, Entry, Kind},
};

use super::evidence::{Evidence, EvidenceError, Keys};

/// A number, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Exactly(u64),
    AtLeast(u64),
    AtMost(u64),
    NotKnown,
}

impl Figure {
    /// In words, for the notification.
    pub fn words(self, what: &str) -> String {
        match self {
            Figure::Exactly(n) => format!("{n} {what}"),
            Figure::AtLeast(n) => format!("at least {n} {what}; the full number is not known"),
            Figure::AtMost(n) => format!("at most {n} {what}; the exact number is not known"),
            Figure::NotKnown => "not known".to_owned(),
        }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (state, n) = match self {
            Figure::Exactly(n) => ("exactly", Some(n)),
            Figure::AtLeast(n) => ("at least", Some(n)),
            Figure::AtMost(n) => ("at most", Some(n)),
            Figure::NotKnown => ("not known", None),
        };
        #[derive(Serialize)]
        struct Shown<'a> {
            state: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            n: Option<&'a u64>,
        }
        Shown { state, n }.serialize(serializer)
    }
}

/// What the evidence says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Entries of the evidence that the monitor holds.
    pub entries: u64,
    /// Entries that it refused, and of which it holds what the incident says.
    pub refused: u64,
    /// Time of the first and of the last.
    pub first: Option<String>,
    pub last: Option<String>,
    /// Classes of the columns.
    pub classes: BTreeSet<String>,
    /// Countries from which it was asked.
    pub places: BTreeSet<String>,
    pub rows: Figure,
    pub bytes: Figure,
    /// Persons whom the rows are about.
    pub subjects: Figure,
}

/// Reads the facts from the evidence of an incident that names `wanted` entries.
pub fn of(evidence: &Evidence, keys: &mut Keys, wanted: usize) -> Result<Facts, EvidenceError> {
    let mut counting = Counting::default();
    let mut facts = Facts {
        entries: 0,
        refused: 0,
        first: None,
        last: None,
        classes: BTreeSet::new(),
        places: BTreeSet::new(),
        rows: Figure::NotKnown,
        bytes: Figure::NotKnown,
        subjects: Figure::NotKnown,
    };
    for found in evidence.entries() {
        let (index, entry) = found?;
        facts.entries += 1;
        let time = entry.time.to_string();
        facts.first.get_or_insert_with(|| time.clone());
        facts.last = Some(time);
        facts.places.extend(entry.place.clone());
        if matches!(entry.kind, Kind::AccessRelease | Kind::AccessCut) {
            facts.classes.extend(entry.classes.iter().cloned());
            // A detail that does not open any more leaves the numbers of the entry itself.
            counting.add(&entry, evidence.open(index, keys).ok().flatten());
        }
    }
    facts.refused = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_sub(facts.entries);
    (facts.rows, facts.bytes) = counting.amounts();
    facts.subjects = counting.subjects();
    Ok(facts)
}

#[derive(Default)]
struct Counting {
    releases: u64,
    /// Rows and bytes that were released, exactly.
    exact: (u64, u64),
    /// Windows that were authorised, by session, until a total says what became of them.
    windows: BTreeMap<String, (u64, u64)>,
    digests: BTreeSet<String>,
    /// The largest count that is no list of digests.
    sketched: u64,
    /// Whether some of it could be more subjects than were counted.
    open_ended: bool,
}

impl Counting {
    fn add(&mut self, entry: &Entry, detail: Option<serde_json::Value>) {
        self.releases += 1;
        if let Some(count) = entry.count {
            let session = entry.session.clone().unwrap_or_default();
            if count.state == CountState::Window {
                let window = self.windows.entry(session).or_default();
                window.0 = window.0.saturating_add(count.rows);
                window.1 = window.1.saturating_add(count.bytes);
            } else {
                // A total comes after the windows of the same result and replaces them.
                if count.state == CountState::Total {
                    self.windows.remove(&session);
                }
                self.exact.0 = self.exact.0.saturating_add(count.rows);
                self.exact.1 = self.exact.1.saturating_add(count.bytes);
            }
        }
        let rows = entry.count.is_none_or(|count| count.rows > 0);
        let subjects = detail.and_then(|detail| subjects(entry.kind, detail));
        match subjects {
            None => self.open_ended |= rows,
            Some(counts) => {
                self.open_ended |= rows && counts.is_empty();
                counts.into_iter().for_each(|count| self.count(count));
            }
        }
    }

    fn count(&mut self, subjects: Subjects) {
        let Subjects { state, n, digests, sketch } = subjects;
        self.open_ended |= state != Counted::Exact || sketch.is_some();
        self.sketched = self.sketched.max(n);
        self.digests.extend(digests);
    }

    fn amounts(&self) -> (Figure, Figure) {
        if self.releases == 0 {
            return (Figure::NotKnown, Figure::NotKnown);
        }
        let open = self.windows.values().fold((0u64, 0u64), |sum, window| {
            (sum.0.saturating_add(window.0), sum.1.saturating_add(window.1))
        });
        let figure = |exact: u64, window: u64| match self.windows.is_empty() {
            true => Figure::Exactly(exact),
            false => Figure::AtMost(exact.saturating_add(window)),
        };
        (figure(self.exact.0, open.0), figure(self.exact.1, open.1))
    }

    fn subjects(&self) -> Figure {
        let counted = u64::try_from(self.digests.len()).unwrap_or(u64::MAX).max(self.sketched);
        match (self.releases, self.open_ended, counted) {
            (0, ..) | (_, true, 0) => Figure::NotKnown,
            (_, true, n) => Figure::AtLeast(n),
            (_, false, n) => Figure::Exactly(n),
        }
    }
}

/// The counts of subjects in a detail; none when it is not one that counts.
fn subjects(kind: Kind, detail: serde_json::Value) -> Option<Vec<Subjects>> {
    if kind == Kind::AccessCut {
        let cut: Cut = serde_json::from_value(detail).ok()?;
        return Some(cut.subjects.into_iter().collect());
    }
    let released: Released = serde_json::from_value(detail).ok()?;
    Some(released.statements.into_iter().filter_map(|statement| statement.subjects).collect())
}
