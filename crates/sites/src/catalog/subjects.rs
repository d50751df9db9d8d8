//! Which tables have a row per person: those whose columns identify one, and to which others refer. There may be
//! several. Not here: which rows of other tables are about whom (`paths`).

use inspect::{Judgement, Kind};

use super::hints;
use super::read::{Live, LiveTable, TableKind};

/// Less than this is no table of persons.
const SCORE_MIN: f64 = 1.5;

/// A table of persons.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its place in [`Live`].
    pub(super) table: usize,
    pub(super) score: f64,
    pub(super) reasons: Vec<String>,
}

/// The tables of persons, the most likely first.
pub(super) fn find(live: &Live, judged: &[Vec<Judgement>]) -> Vec<Subject> {
    let mut found: Vec<Subject> = live
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| matches!(table.kind, TableKind::Table | TableKind::Partitioned))
        .filter_map(|(place, table)| score(live, place, table, judged.get(place)?))
        .collect();
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    // Who refers by its own key to a better one is a part of that person's row: an employee who is a person.
    let better: Vec<usize> = found.iter().map(|one| one.table).collect();
    let mut kept: Vec<Subject> = Vec::new();
    for subject in found {
        if !is_part(live, &subject, &better) {
            kept.push(subject);
        }
    }
    kept
}

fn score(live: &Live, place: usize, table: &LiveTable, judged: &[Judgement]) -> Option<Subject> {
    let [key] = table.key.as_slice() else { return None };
    let mut reasons = Vec::new();
    let mut kinds: Vec<(Kind, f64)> = Vec::new();
    for (column, judgement) in table.columns.iter().zip(judged) {
        // A column that refers to another table is not the person's own.
        let refers =
            live.relations.iter().any(|one| one.child == place && one.columns.contains(&column.name));
        let Some(kind) = judgement.kind.filter(|_| !refers || column.name == *key) else { continue };
        let worth = worth(kind) * judgement.confidence;
        if worth > 0.0 && !kinds.iter().any(|(known, _)| *known == kind) {
            kinds.push((kind, worth));
            reasons.push(format!("{} holds {}", column.name, kind.as_str()));
        }
    }
    let identifying: f64 = kinds.iter().map(|(_, worth)| worth).sum();
    let children = live.relations.iter().filter(|one| one.parent == place && one.child != place).count();
    let named = hints::person(&table.name);
    let strong = kinds.iter().any(|(kind, worth)| {
        matches!(kind, Kind::Email | Kind::Name | Kind::NationalId | Kind::Phone | Kind::Handle)
            && *worth >= 0.4
    });
    if !strong {
        return None;
    }
    let referred = f64::from(u32::try_from(children).unwrap_or(u32::MAX)).ln_1p() * 0.5;
    let by_name = if named.is_some() { 1.0 } else { 0.0 };
    // A row that itself belongs to somebody, such as an address or an order, refers to them.
    let parents = live.relations.iter().filter(|one| one.child == place && one.parent != place);
    let owned = parents
        .filter(|one| live.tables.get(one.parent).is_some_and(|parent| hints::person(&parent.name).is_some()))
        .count();
    let score = identifying + referred + by_name - if owned > 0 && named.is_none() { 1.0 } else { 0.0 };
    if children > 0 {
        reasons.push(format!("others refer to it {children} times"));
    }
    reasons.extend(named.map(|word| format!("its name says {word:?}")));
    (score >= SCORE_MIN).then_some(Subject { table: place, score, reasons })
}

/// How much a kind says that a row is a person.
const fn worth(kind: Kind) -> f64 {
    match kind {
        Kind::Email | Kind::NationalId | Kind::Name => 1.0,
        Kind::Phone | Kind::Handle | Kind::Secret | Kind::Date => 0.6,
        Kind::Iban | Kind::Card | Kind::Address => 0.3,
        _ => 0.0,
    }
}

fn is_part(live: &Live, subject: &Subject, candidates: &[usize]) -> bool {
    let rank = |table: usize| candidates.iter().position(|one| *one == table);
    let own = live.tables.get(subject.table);
    live.relations.iter().any(|one| {
        let by_key = own.is_some_and(|table| table.key == one.columns);
        let parent = live.tables.get(one.parent);
        // A supertype is the parent even where its own columns say less.
        let person = parent.is_some_and(|parent| hints::person(&parent.name).is_some())
            || rank(one.parent) < rank(subject.table);
        let unnamed = own.is_some_and(|table| hints::person(&table.name).is_none());
        one.child == subject.table
            && one.parent != subject.table
            && rank(one.parent).is_some()
            && ((by_key && person) || (unnamed && rank(one.parent) < rank(subject.table)))
    })
}
