//! What the walk needs to know of a Permit: which relations its profile shows, and whether all of it is clear.

use policy::{Permit, RowRule};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a profile that bears on statements.
#[derive(Debug, Clone)]
pub(crate) struct Rules<'a> {
    /// The one schema a session sees, which bears the profile's name.
    pub(crate) schema: &'a str,
    /// Relations shown, each with its columns.
    pub(crate) relations: BTreeMap<&'a str, BTreeSet<&'a str>>,
    /// Whether nothing of what the profile shows is masked, pseudonymised or filtered by row: a plan counts the rows
    /// that a filter removed.
    pub(crate) all_clear: bool,
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
        let all_rows = profile.tables.iter().all(|table| table.rows == RowRule::All);
        Rules { schema: &profile.name, relations, all_clear: all_rows && profile.all_clear() }
    }

    /// Whether a relation named so is one of the profile's.
    pub(crate) fn shows(&self, schema: &str, relation: &str) -> bool {
        (schema.is_empty() || schema == self.schema) && self.relations.contains_key(relation)
    }

    /// The relations shown, for a sentence.
    pub(crate) fn shown(&self) -> String {
        match self.relations.len() {
            0 => "none".to_owned(),
            _ => self.relations.keys().copied().collect::<Vec<_>>().join(", "),
        }
    }
}
