//! All checks, in the order in which they are reported. Each file holds those of one kind: query, rule and explanation
//! beside each other. Not here: how they are run (`run`).

mod code;
mod configuration;
mod delayed;
mod engines;
mod files;
mod foreign;
mod homes;
mod people;
mod replication;
mod values;

use crate::check::{Check, Claim, Row};

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    let groups = [
        replication::CHECKS,
        configuration::CHECKS,
        foreign::CHECKS,
        code::CHECKS,
        people::CHECKS,
        files::CHECKS,
        values::CHECKS,
        delayed::CHECKS,
        homes::CHECKS,
        engines::CHECKS,
    ];
    groups.into_iter().flatten()
}

/// The check of this name.
pub fn named(name: &str) -> Option<&'static Check> {
    all().find(|check| check.name == name)
}

/// Every row is one object that should not be there.
fn each(rows: &[Row], claim: impl Fn(&Row) -> Claim) -> Vec<Claim> {
    rows.iter().map(claim).collect()
}

/// Settings that hold anything, from rows of `name`, `setting`, `file` and `line`: each is an object `name=value`.
fn set(rows: &[Row], unset: &[&str], what: &str, advice: &str) -> Vec<Claim> {
    let set =
        rows.iter().filter(|row| !row.text("setting").is_empty() && !unset.contains(&row.text("setting")));
    set.map(|row| {
        let object = format!("{}={}", row.text("name"), row.text("setting"));
        Claim::there(object, format!("{what}{}", written(row)), advice)
    })
    .collect()
}

/// Where a setting is written, if it is in a file.
fn written(row: &Row) -> String {
    match (row.get("file"), row.get("line")) {
        (Some(file), Some(line)) => format!(", in {file} line {line}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
