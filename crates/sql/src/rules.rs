//! What the walk needs to know of a Permit: which relations its profile shows and writes, whether all of it is clear,
//! and whether subjects are counted against a limit.

use policy::{Permit, Writes};
use std::collections::BTreeMap;

/// The part of a profile that bears on statements.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'a> {
    /// The one schema a session sees, which bears the profile's name.
    pub(crate) schema: &'a str,
    /// The schema at the sites in which COPY FROM finds relations of the same names.
    pub(crate) copies: String,
    /// Relations shown, each with its columns in their order.
    pub(crate) relations: BTreeMap<&'a str, Vec<&'a str>>,
    /// Relations of those that may be written.
    pub(crate) writable: BTreeMap<&'a str, Writable<'a>>,
    /// Whether a limit counts the subjects that are shown.
    pub(crate) capped: bool,
}

/// What of a relation may be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writable<'a> {
    /// Columns that INSERT may give a value.
    pub(crate) insert: Vec<&'a str>,
    /// Columns that UPDATE may set.
    pub(crate) update: Vec<&'a str>,
    /// Whether DELETE may remove rows.
    pub(crate) delete: bool,
}

impl<'a> Writable<'a> {
    fn of(writes: &'a Writes) -> Self {
        let names = |columns: &'a [String]| columns.iter().map(String::as_str).collect();
        Self { insert: names(&writes.insert), update: names(&writes.update), delete: writes.delete }
    }
}

impl<'a> Rules<'a> {
    pub(crate) fn of(permit: &'a Permit) -> Rules<'a> {
        let profile = permit.profile();
        let relations = profile
            .tables
            .iter()
            .map(|table| {
                (table.table.as_str(), table.columns.iter().map(|column| column.name.as_str()).collect())
            })
            .collect();
        let writable = profile.tables.iter().filter(|table| !table.writes.is_none());
        Rules {
            schema: &profile.name,
            copies: profile.hash.copy_schema(),
            relations,
            writable: writable.map(|table| (table.table.as_str(), Writable::of(&table.writes))).collect(),
            capped: permit.is_capped(),
        }
    }

    /// Whether a relation named so is one of the profile's.
    pub(crate) fn shows(&self, schema: &str, relation: &str) -> bool {
        (schema.is_empty() || schema == self.schema) && self.relations.contains_key(relation)
    }

    /// The relations shown, for a sentence.
    pub(crate) fn shown(&self) -> String {
        listed(self.relations.keys())
    }
}

/// Names for a sentence.
pub(crate) fn listed<'n>(names: impl Iterator<Item = &'n &'n str>) -> String {
    let names: Vec<&str> = names.copied().collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
