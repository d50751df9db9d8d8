//! References between tables: each is to the key of a table that exists, by a column that holds such keys. Not here: the
//! foreign keys that follow (crate `wall`).

use std::collections::{BTreeMap, BTreeSet};

use super::check_word;
use crate::catalog::{Column, Reference, Within};
use crate::error::Problems;
use crate::raw::{RawReference, RawTable};

/// Type and identifier of each table's key, as they are written; what is wrong with them is said elsewhere.
pub(super) struct Keys(BTreeMap<String, Option<(String, String)>>);

impl Keys {
    pub(super) fn of(tables: &[RawTable]) -> Self {
        let key = |table: &RawTable| {
            let key = table.columns.iter().find(|column| column.name.get_ref() == table.key.get_ref())?;
            Some((key.data_type.get_ref().clone(), key.identifier.get_ref().clone()))
        };
        Self(tables.iter().map(|table| (table.name.get_ref().clone(), key(table))).collect())
    }
}

pub(super) fn check(
    raw: Vec<RawReference>,
    key: &str,
    columns: &[Column],
    keys: &Keys,
    found: &mut Problems<'_>,
) -> Vec<Reference> {
    let mut references = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, reference) in raw.into_iter().enumerate() {
        references.extend(check_one(
            reference,
            &format!("{key}.references[{i}]"),
            columns,
            keys,
            &mut seen,
            found,
        ));
    }
    references
}

fn check_one(
    raw: RawReference,
    key: &str,
    columns: &[Column],
    keys: &Keys,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Option<Reference> {
    let within = check_word(&raw.within, &format!("{key}.within"), Within::parse, Within::ALL, found);
    let (column_at, column_key) = (raw.column.span(), format!("{key}.column"));
    let (column, table) = (raw.column.into_inner(), raw.table.get_ref().clone());
    if !seen.insert(column.clone()) {
        found.at(column_at.clone(), &column_key, format!("`{column}` refers twice"), "name it once");
    }
    let Some(known) = columns.iter().find(|one| one.name == column) else {
        let problem = format!("there is no column `{}`", column.escape_debug());
        found.at(column_at, &column_key, problem, "use the name of one of the table's columns");
        return None;
    };
    let Some(target) = keys.0.get(&table) else {
        let problem = format!("there is no table `{}`", table.escape_debug());
        found.at(raw.table.span(), &format!("{key}.table"), problem, "use the name of one of `tables`");
        return None;
    };
    if let Some((data_type, identifier)) = target
        && (known.data_type.as_str(), known.identifier.as_str()) != (data_type, identifier)
    {
        let problem = format!(
            "`{column}` is a {} identifying `{}`, and the key of `{table}` a {data_type} identifying `{identifier}`",
            known.data_type, known.identifier
        );
        found.at(column_at, &column_key, problem, "give the column the type and the identifier of that key");
    }
    Some(Reference { column, table, within: within? })
}
