//! What a statement reads of the profile, for the meter: which relations, and whether a row of the result can show
//! more than one row of them. Not here: whether it may (`walk`).
//!
//! Whatever is not certain is `Mixed`: the meter then does not know how many subjects a result shows, and says so.

use std::collections::BTreeSet;

use pg_query::protobuf::SubLinkType;

use crate::functions;
use crate::reach;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

/// What a statement reads of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// Relations of the profile that it names, once for each mention.
    pub relations: Vec<String>,
    /// How rows of the result stand to rows of them.
    pub subjects: Counting,
    /// How many rows of them one row of the result shows at most, if it gathers none.
    pub rows_most: u64,
    /// Whether it has an expression that gathers many rows in one value, or takes a row as a whole.
    pub collects: bool,
}

/// How rows of a result stand to rows of the relations that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The result shows nothing of the profile.
    None,
    /// Each row of the result shows values of one row of the one relation, which is named once.
    OnePerRow,
    /// Anything else.
    Mixed,
}

impl Reads {
    pub(crate) fn nothing() -> Self {
        Self { relations: Vec::new(), subjects: Counting::None, rows_most: 0, collects: false }
    }

    /// What any part of a statement reads, sub-selects and all.
    pub(crate) fn of(rules: &Rules<'_>, tree: &Tree) -> Self {
        let mut relations = Vec::new();
        tree.each_node(&mut |node| {
            // A WITH query may bear the name of a relation: then this counts one too many.
            if node.name == "RangeVar" && rules.shows(node.text("schemaname"), node.text("relname")) {
                relations.push(node.text("relname").to_owned());
            }
        });
        let subjects = match (relations.as_slice(), shown(tree)) {
            ([], _) | (_, Shown::Nothing) => Counting::None,
            ([relation], Shown::Rows(rows)) if one_per_row(rules, relation, rows) => Counting::OnePerRow,
            _ => Counting::Mixed,
        };
        let rows_most = reach::of(rules, tree);
        Self { collects: !relations.is_empty() && collects(tree), relations, rows_most, subjects }
    }
}

/// Where the rows come from that a statement gives.
enum Shown<'a> {
    /// A SELECT, or RETURNING.
    Rows(&'a Node),
    /// It gives none.
    Nothing,
    Unknown,
}

fn shown(tree: &Tree) -> Shown<'_> {
    let Some(node) = tree.node() else { return Shown::Unknown };
    match node.name {
        "SelectStmt" => Shown::Rows(node),
        "CopyStmt" if node.flag("is_from") => Shown::Nothing,
        "PrepareStmt" | "DeclareCursorStmt" | "CopyStmt" => shown(node.get("query")),
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" => {
            node.node("returning_clause").map_or(Shown::Nothing, Shown::Rows)
        }
        _ => Shown::Unknown,
    }
}

/// Clauses of a SELECT that make one row of several, or rows of something else than its relation.
const MIXING: &[&str] = &[
    "distinct_clause",
    "group_clause",
    "having_clause",
    "larg",
    "rarg",
    "values_lists",
    "window_clause",
    "with_clause",
];

/// Whether each row that a SELECT or RETURNING gives is made of one row of the relation, the only one of the profile
/// in the statement.
fn one_per_row(rules: &Rules<'_>, relation: &str, rows: &Node) -> bool {
    let Some(columns) = rules.relations.get(relation) else { return false };
    let is_absent = |clause: &&str| match rows.get(clause) {
        Tree::Absent => true,
        Tree::List(items) => items.is_empty(),
        _ => false,
    };
    let plain = match (rows.name, rows.list("from_clause")) {
        ("ReturningClause", _) => true,
        ("SelectStmt", [Tree::Node(from)]) => from.name == "RangeVar" && MIXING.iter().all(is_absent),
        _ => false,
    };
    let mut mixes = false;
    rows.fields().for_each(|(_, value)| {
        value.each_node(&mut |node| {
            mixes |= match node.name {
                "SelectStmt" | "SubLink" | "GroupingFunc" | "RangeFunction" => true,
                "FuncCall" => aggregates(node),
                "AIndirection" => node.name_parts("indirection").is_none_or(|names| !names.is_empty()),
                "ColumnRef" => match dotted(node) {
                    Some((_, name)) => !name.is_empty() && !columns.contains(&name),
                    None => false,
                },
                _ => false,
            };
        });
    });
    plain && !mixes
}

/// Whether the call looks at more than one row, or may.
fn aggregates(call: &Node) -> bool {
    let flags = ["agg_within_group", "agg_star", "agg_distinct"];
    called(call).is_none_or(functions::takes_rows)
        || flags.iter().any(|flag| call.flag(flag))
        || call.node("over").is_some()
        || call.node("agg_filter").is_some()
        || !call.list("agg_order").is_empty()
}

/// Whether the call may show a value of another row than its neighbours: `count` shows none.
pub(crate) fn picks_a_row(call: &Node) -> bool {
    called(call) != Some("count") && aggregates(call)
}

fn called(call: &Node) -> Option<&str> {
    call.name_parts("funcname")?.last().copied()
}

/// `t.f` as (t, f); a star is an empty `f`.
fn dotted(column: &Node) -> Option<(&str, &str)> {
    let names = column.list("fields");
    let [.., Tree::Node(qualifier), Tree::Node(name)] = names else { return None };
    Some((qualifier.text("sval"), name.text("sval")))
}

/// Whether any part gathers rows in one value or takes a row as a whole.
fn collects(tree: &Tree) -> bool {
    let (mut sources, mut stars, mut whole_stars) = (BTreeSet::new(), 0_usize, 0_usize);
    tree.each_node(&mut |node| match node.name {
        "RangeVar" | "RangeSubselect" | "JoinExpr" => {
            let alias = node.node("alias").map_or("", |alias| alias.text("aliasname"));
            sources.extend([alias, node.text("relname")].into_iter().find(|name| !name.is_empty()));
        }
        "ResTarget" => whole_stars += usize::from(node.node("val").is_some_and(is_star)),
        "ColumnRef" => stars += usize::from(is_star(node)),
        _ => {}
    });
    // A star anywhere but in a list of results makes a row of the columns.
    let mut found = stars > whole_stars;
    tree.each_node(&mut |node| {
        found |= match node.name {
            "FuncCall" => called(node).is_none_or(functions::collects),
            "SubLink" => *node.get("sub_link_type") == Tree::Int(ARRAY_SUBLINK),
            "WithClause" => node.flag("recursive"),
            "AIndirection" => node
                .list("indirection")
                .iter()
                .filter_map(Tree::node)
                .any(|step| functions::takes_a_row(step.text("sval"))),
            "ColumnRef" => {
                let last = node.list("fields").last().and_then(Tree::node).map_or("", |n| n.text("sval"));
                sources.contains(last) || dotted(node).is_some() && functions::takes_a_row(last)
            }
            _ => false,
        };
    });
    found
}

fn is_star(column: &Node) -> bool {
    let last = column.list("fields").last().and_then(Tree::node);
    column.name == "ColumnRef" && last.is_some_and(|last| last.name == "AStar")
}

/// `ARRAY(SELECT …)` in the numbering of libpg_query.
const ARRAY_SUBLINK: i64 = SubLinkType::ArraySublink as i64;
