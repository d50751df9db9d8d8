//! Columns, a line a case: name, what it is judged to hold, some of its values.

use crate::{Column, judge};

const COLUMNS: &str = include_str!("../../testdata/columns.tsv");

#[test]
fn columns_hold_what_the_table_says() {
    let mut wrong = Vec::new();
    for line in COLUMNS.lines().filter(|line| !line.starts_with('#')) {
        let [expected, name, values] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let values: Vec<&str> = values.split('|').collect();
        let judged = judge(&Column { name, values: &values });
        let kind = judged.kind.map_or("-", crate::Kind::as_str);
        let found =
            if judged.scheme.is_empty() { kind.to_owned() } else { format!("{kind}/{}", judged.scheme) };
        if found != expected || !(0.0..=1.0).contains(&judged.confidence) || judged.reasons.is_empty() {
            wrong.push(format!("{name}: expected {expected}, judged {found}: {judged:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
