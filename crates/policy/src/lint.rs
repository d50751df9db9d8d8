//! Which profiles are refused, however they came about: those that undo a pseudonym, show what cannot be shown that way,
//! or write what they do not show. Not here: what a profile is (`profile`).

use crate::catalog::{Catalog, RowRule, Table};
use crate::profile::{Disclosure, Profile, ProfileTable};

/// What is wrong with a profile, each as (problem, remedy).
pub(crate) fn lint(profile: &Profile, catalog: &Catalog) -> Vec<(String, String)> {
    let mut wrong = shown(profile, catalog);
    for table in profile.tables.iter().filter(|table| !table.writes.is_none()) {
        if let Some(known) = catalog.table(&table.table) {
            written(profile, table, known, &mut wrong);
        }
    }
    wrong
}

/// Tables are joined on the subject, so a clear identifier in one undoes a pseudonym in another.
fn shown(profile: &Profile, catalog: &Catalog) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    let pseudonym = profile.columns().find(|(_, column)| column.disclosure == Disclosure::Pseudonym);
    for (table, column) in profile.columns() {
        let name = format!("{table}.{}", column.name);
        if let Some((beside, of)) = pseudonym
            && column.disclosure == Disclosure::Clear
            && column.identifier.points_at_subject()
        {
            let problem = format!(
                "profile `{}` shows `{name}` ({}) clear beside the pseudonym `{beside}.{}` of the same subject",
                profile.name, column.identifier, of.name
            );
            wrong.push((problem, "withhold or mask the identifier, or give up the pseudonym".to_owned()));
        }
        let Some(table) = catalog.table(table) else { continue };
        let Some(known) = table.column(&column.name) else { continue };
        let possible = match column.disclosure {
            Disclosure::Clear => true,
            Disclosure::Masked => known.has_mask(),
            Disclosure::Pseudonym => table.has_pseudonym(&column.name),
        };
        if !possible {
            let problem = format!(
                "profile `{}` shows `{name}` as `{}`, which does not exist for {} identifying `{}`",
                profile.name, column.disclosure, known.data_type, known.identifier
            );
            wrong.push((problem, "permit it for other columns only".to_owned()));
        }
    }
    wrong
}

/// PostgreSQL writes through a view only what the view shows as it is stored, and finds a row again by its key.
fn written(profile: &Profile, table: &ProfileTable, known: &Table, wrong: &mut Vec<(String, String)>) {
    let writes = &table.writes;
    let clear =
        |name: &String| table.column(name).is_some_and(|column| column.disclosure == Disclosure::Clear);
    let name = |column: &String| format!("{}.{column}", table.table);
    if !clear(&known.key) {
        let problem = format!(
            "profile `{}` writes `{}` and does not show its key `{}` clear",
            profile.name, table.table, known.key
        );
        wrong.push((problem, "show the key clear, or permit no insert, update or delete".to_owned()));
    }
    for (action, columns) in [("inserts", &writes.insert), ("updates", &writes.update)] {
        for column in columns.iter().filter(|column| **column != known.key && !clear(column)) {
            let problem =
                format!("profile `{}` {action} `{}` and does not show it clear", profile.name, name(column));
            wrong.push((problem, "show it clear, or permit to write other columns only".to_owned()));
        }
    }
    if writes.insert.is_empty() {
        return;
    }
    let mut needed = vec![(&known.key, "be without a key")];
    if known.subject_key != known.key {
        needed.push((&known.subject_key, "belong to no subject"));
    }
    if let RowRule::Equals { column, .. } = &table.rows {
        needed.push((column, "be outside the scope of rows that it shows"));
    }
    for (column, fate) in needed.into_iter().filter(|(column, _)| !writes.insert.contains(column)) {
        let problem = format!(
            "profile `{}` inserts into `{}` without `{}`: every new row would {fate}",
            profile.name,
            table.table,
            name(column)
        );
        wrong.push((problem, "permit to insert that column too, or to insert nothing".to_owned()));
    }
}
