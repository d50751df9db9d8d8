//! Verdicts as data: `testdata/allowed.tsv` and `testdata/refused.tsv`, one statement a line.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "tests say what went wrong by panicking"
)]

use super::*;
use std::collections::BTreeMap;

/// A profile "support" of two relations that masks, or, for EXPLAIN, one that is wholly clear.
fn rules(all_clear: bool) -> Rules {
    let columns = |names: &str| names.split(' ').map(str::to_owned).collect();
    let relations = BTreeMap::from([
        ("users".to_owned(), columns("id home_site handle full_name email country created_at followers")),
        ("payments".to_owned(), columns("id home_site user_id amount_cents status paid_at")),
    ]);
    Rules { schema: "support".to_owned(), relations, all_clear }
}

/// Checks one statement: `expected` is a kind in lower case, or the rule that refuses it.
fn check(all_clear: bool, expected: &str, text: &str) -> Result<(), String> {
    let found = match judge_by(&rules(all_clear), text) {
        Ok(StatementKind::Transaction(command)) => format!("transaction {command:?}").to_lowercase(),
        Ok(kind) => format!("{kind:?}").to_lowercase(),
        Err(refusal) => {
            assert!(
                !refusal.sentence.is_empty() && !refusal.needs.is_empty(),
                "{text}: a refusal without words"
            );
            format!("refused: {}", refusal.rule)
        }
    };
    if found == expected { Ok(()) } else { Err(format!("{text}\n    expected {expected}, found {found}\n")) }
}

/// Runs a table of `expected <tab> statement` lines and reports all that differ at once. Returns how many there were.
fn check_table(all_clear: bool, table: &str, prefix: &str) -> usize {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let results: Vec<Result<(), String>> = lines
        .map(|line| {
            let (expected, text) = line.split_once('\t').unwrap_or_else(|| panic!("no tab in: {line}"));
            check(all_clear, &format!("{prefix}{expected}"), &text.replace("\\n", "\n"))
        })
        .collect();
    let wrong: String =
        results.iter().filter_map(|result| result.as_ref().err().map(String::as_str)).collect();
    assert!(wrong.is_empty(), "\n{wrong}");
    results.len()
}

#[test]
fn what_clients_need_is_allowed() {
    assert!(check_table(false, include_str!("../testdata/allowed.tsv"), "") > 100);
}

#[test]
fn what_hides_or_leaks_is_refused() {
    assert!(check_table(false, include_str!("../testdata/refused.tsv"), "refused: ") > 200);
}
