//! How many rows of the profile one row of a result can show: joins show one of each side, an aggregate may pick another
//! row than its neighbour, a WITH query shows all that it is made of each time it is named. A bound, never less than
//! what is shown while nothing is gathered in one value; for the meter, which charges rows that it cannot tell apart.

use std::collections::HashMap;

use crate::reads;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

/// The bound for a statement.
pub(crate) fn of(rules: &Rules<'_>, tree: &Tree) -> u64 {
    let level = Level { rules, named: HashMap::new() };
    let (rows, calls) = level.sum(tree);
    rows.saturating_mul(calls.saturating_add(1))
}

/// A SELECT with the WITH queries that it can name.
struct Level<'a, 'r> {
    rules: &'a Rules<'r>,
    named: HashMap<String, u64>,
}

impl Level<'_, '_> {
    fn select(&self, select: &Node) -> u64 {
        let mut level = Level { rules: self.rules, named: self.named.clone() };
        if let Some(with) = select.node("with_clause") {
            for query in with.list("ctes").iter().filter_map(Tree::node) {
                let (rows, calls) = level.sum(query.get("ctequery"));
                let rows = if with.flag("recursive") {
                    u64::MAX
                } else {
                    rows.saturating_mul(calls.saturating_add(1))
                };
                level.named.insert(query.text("ctename").to_owned(), rows);
            }
        }
        let fields = select.fields().filter(|(name, _)| *name != "with_clause");
        let (rows, calls) = fields.map(|(_, field)| level.sum(field)).fold((0, 0), add);
        rows.saturating_mul(calls.saturating_add(1))
    }

    /// Rows that are named below, and calls that each may pick a row of their own.
    fn sum(&self, tree: &Tree) -> (u64, u64) {
        match tree {
            Tree::Node(node) if node.name == "SelectStmt" => (self.select(node), 0),
            Tree::Node(node) if node.name == "RangeVar" => (self.relation(node), 0),
            Tree::Node(node) => {
                let picks = u64::from(node.name == "FuncCall" && reads::picks_a_row(node));
                node.fields().map(|(_, field)| self.sum(field)).fold((0, picks), add)
            }
            Tree::List(items) => items.iter().map(|item| self.sum(item)).fold((0, 0), add),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => (0, 0),
        }
    }

    fn relation(&self, named: &Node) -> u64 {
        let (schema, name) = (named.text("schemaname"), named.text("relname"));
        match self.named.get(name).filter(|_| schema.is_empty()) {
            Some(rows) => *rows,
            None => u64::from(self.rules.shows(schema, name)),
        }
    }
}

fn add(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
    (one.0.saturating_add(other.0), one.1.saturating_add(other.1))
}
