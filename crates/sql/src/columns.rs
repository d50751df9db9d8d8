//! A clear word for a column that is not shown. PostgreSQL would refuse it too, saying that it does not exist, which
//! is true of the view and no help to the person.
//!
//! Only plain statements are judged: where sub-selects, WITH queries, functions in FROM or catalogs bring names of
//! their own, the answer is left to PostgreSQL.

use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};
use std::collections::BTreeSet;

/// Names that PostgreSQL gives to unnamed result columns, which ORDER BY and GROUP BY may refer to.
const UNNAMED: &[&str] = &[
    "?column?",
    "array",
    "bool",
    "case",
    "coalesce",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "exists",
    "greatest",
    "grouping",
    "least",
    "localtime",
    "localtimestamp",
    "nullif",
    "row",
    "session_user",
    "user",
];

/// Refuses the first reference to a column that no relation of the statement shows.
pub(crate) fn judge(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let mut relations = BTreeSet::new();
    let mut names: BTreeSet<&str> = UNNAMED.iter().copied().collect();
    let mut references = Vec::new();
    let mut plain = true;
    tree.each_node(&mut |node| match node.name {
        "RangeSubselect" | "RangeFunction" | "CommonTableExpr" => plain = false,
        "RangeVar" => {
            relations.insert(node.text("relname"));
            plain &= matches!(node.text("schemaname"), schema if schema.is_empty() || schema == rules.schema);
        }
        "ColumnRef" => references.push(node),
        "ResTarget" => _ = names.insert(node.text("name")),
        "Alias" => {
            names.insert(node.text("aliasname"));
            names.extend(node.name_parts("colnames").unwrap_or_default());
        }
        "FuncCall" => names.extend(node.name_parts("funcname").unwrap_or_default()),
        "TypeName" => names.extend(node.name_parts("names").unwrap_or_default()),
        "AIndirection" => names.extend(node.name_parts("indirection").unwrap_or_default()),
        _ => {}
    });
    for relation in &relations {
        match rules.relations.get(*relation) {
            Some(columns) => names.extend(columns.iter().copied()),
            None => plain = false,
        }
    }
    if !plain || relations.is_empty() {
        return Ok(());
    }
    names.extend(&relations);
    references.into_iter().filter_map(column_name).find(|name| !names.contains(name)).map_or(Ok(()), |name| {
        let relations: Vec<&str> = relations.iter().copied().collect();
        Err(Refusal::new(
            "column",
            format!("the profile \"{}\" shows no column \"{name}\" of {}", rules.schema, relations.join(", ")),
            "a decision whose profile shows it: policy may show more at another place, or for another purpose or role",
        ))
    })
}

/// The name referred to; None for a star.
fn column_name(reference: &Node) -> Option<&str> {
    reference.list("fields").last()?.node().filter(|last| last.name == "String").map(|last| last.text("sval"))
}
