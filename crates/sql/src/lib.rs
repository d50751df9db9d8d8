//! Statement verdicts: may this text be sent to a site under this Permit?
//!
//! The text is parsed by libpg_query, which is PostgreSQL's own parser, and every node of the tree is judged against
//! allowlists. It is never deparsed, and sent as it came but for the names of a few schemas ([`Cleared::sent`]). A text
//! that does not parse, nests too deep or holds a construct that is on no list is refused.
//!
//! Not in this room: what a person may see. PostgreSQL's privileges enforce that, and a statement that slipped
//! through here would meet them. The verdict closes what privileges cannot, and says in words why.
//!
//! Pure: no input or output, no clock, no randomness.

mod allow;
mod attributes;
mod cache;
mod catalogs;
mod cleared;
mod columns;
mod copy;
mod functions;
mod reach;
mod reads;
mod refusal;
mod rules;
mod settings;
mod tree;
mod verdict;
mod walk;
mod writes;

use std::ops::Range;
use std::sync::Arc;

pub use cache::Verdicts;
pub use catalogs::is_name_type;
pub use cleared::{Cleared, CopyFormat, CopyOptions, Own, Statement, StatementKind, Transaction, Write};
pub use reads::{Counting, Reads};
pub use refusal::Refusal;

use policy::Permit;
use rules::Rules;
use tree::{Node, TREE_NODES_MAX, Tree, TreeError};

/// Longest text judged; a longer one is refused unread.
pub const STATEMENT_BYTES_MAX: usize = 262_144;
/// The most statements of one text.
const STATEMENTS_MAX: usize = 64;
/// The most relations, functions in FROM and WITH queries of a text: names are looked up among them one by one.
const SOURCES_MAX: usize = 512;

/// What runs of operators' characters may cost, in characters looked at. PostgreSQL's scanner looks at such a run to its
/// end for each token that it takes off its beginning, so that a long one costs its length squared, here and at whoever
/// judges it again.
const OPERATOR_STEPS_MAX: usize = 16_777_216;

/// Judges a text of any number of statements. All of them are judged before the first may run.
///
/// # Errors
/// The [`Refusal`], which says the rule and what would be needed.
pub fn judge(permit: &Permit, text: &str) -> Result<Cleared, Refusal> {
    judge_by(&Rules::of(permit), text)
}

/// Judges a text of at most one statement, as the extended protocol's Parse takes it.
///
/// # Errors
/// As [`judge`], and when there is more than one statement.
pub fn judge_one(permit: &Permit, text: &str) -> Result<Cleared, Refusal> {
    let cleared = judge(permit, text)?;
    only_one(&cleared)?;
    Ok(cleared)
}

/// Refuses what is more than one statement.
fn only_one(cleared: &Cleared) -> Result<(), Refusal> {
    match cleared.statements() {
        [_] => Ok(()),
        _ => Err(Refusal::new(
            "multi-statement",
            "the text holds more than one statement",
            "prepare the statements one by one, or send the text as a simple query",
        )),
    }
}

fn judge_by(rules: &Rules<'_>, text: &str) -> Result<Cleared, Refusal> {
    let tree = parse(text)?;
    let root = tree.node().ok_or_else(|| unparsable(&"the parser gave no tree"))?;
    let whole: Arc<str> = text.into();
    let parts = root.list("stmts");
    if parts.len() > STATEMENTS_MAX {
        return Err(Refusal::new(
            "too-complex",
            format!("the text holds more than {STATEMENTS_MAX} statements"),
            "fewer statements in one text",
        ));
    }
    let mut statements = Vec::with_capacity(parts.len().max(1));
    let mut after = 0;
    for part in parts {
        let part = part.node().ok_or_else(|| unparsable(&"the parser gave a statement without a tree"))?;
        let slice =
            slice(text, after, part).ok_or_else(|| unparsable(&"a statement has no place in the text"))?;
        after = slice.end;
        let own = text.get(slice.clone()).unwrap_or_default();
        let known = verdict::statement(rules, part.get("stmt"), own)?;
        statements.push(Statement::new(Arc::clone(&whole), slice, Arc::new(known)));
    }
    if statements.len() > 1 {
        each_alone(rules, &statements)?;
    }
    if statements.is_empty() {
        let slice = trimmed(text, 0..text.len()).unwrap_or_default();
        statements.push(Statement::new(Arc::clone(&whole), slice, Arc::new(verdict::empty())));
    }
    Ok(Cleared::new(whole, catalogs::sent(rules, text, &tree)?, statements))
}

fn parse(text: &str) -> Result<Tree, Refusal> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(Refusal::new(
            "too-long",
            format!("the statement is longer than {STATEMENT_BYTES_MAX} bytes"),
            "a shorter statement: pass long lists as an array parameter",
        ));
    }
    few_operators(text)?;
    // Parsing is most of the work: where there are so many commas there are as many parts, unless they are in a literal.
    if text.bytes().filter(|byte| *byte == b',').count() > TREE_NODES_MAX {
        return Err(too_many_parts());
    }
    let parsed =
        pg_query::parse(text, pg_query::ParserOptions::DEFAULT).map_err(|error| unparsable(&error))?;
    let tree = Tree::of(&parsed.protobuf).map_err(|error| match error {
        TreeError::TooMany => too_many_parts(),
        TreeError::TooDeep | TreeError::Unknown(_) => unparsable(&error),
    })?;
    few_sources(&tree)?;
    Ok(tree)
}

fn too_many_parts() -> Refusal {
    Refusal::new(
        "too-complex",
        format!("the text has more than {TREE_NODES_MAX} parts"),
        "a shorter text: pass long lists as an array parameter, and send many rows in several statements",
    )
}

fn few_operators(text: &str) -> Result<(), Refusal> {
    let runs = text.as_bytes().split(|byte| !b"~!@#^&|`?+-*/%<>=".contains(byte)).map(<[u8]>::len);
    let steps = runs.fold(0_usize, |sum, run| sum.saturating_add(run.saturating_mul(run)));
    if steps > OPERATOR_STEPS_MAX {
        return Err(Refusal::new(
            "too-complex",
            "the text holds long runs of operators' characters",
            "shorter ones; pass such text as a parameter",
        ));
    }
    Ok(())
}

/// What may stand around a statement: white space, as PostgreSQL knows it, and semicolons.
const AROUND: [char; 6] = [' ', '\t', '\n', '\r', '\u{c}', ';'];

/// The part of the text from where the statement before it ended: it may begin with comments.
fn slice(text: &str, after: usize, part: &Node) -> Option<Range<usize>> {
    let number = |key| match part.get(key) {
        Tree::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let (start, length) = (number("stmt_location")?, number("stmt_len")?);
    // A length of zero means the rest.
    let end = if length == 0 { text.len() } else { start.checked_add(length)? };
    trimmed(text, after..end)
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = text.get(range.clone())?;
    let start = range.start.checked_add(part.len() - part.trim_start_matches(AROUND).len())?;
    Some(start..start.checked_add(part.trim_matches(AROUND).len())?)
}

/// The record shows each statement of a text by itself, and the monitor judges it so: it has to be the same statement
/// there as it was among the others.
fn each_alone(rules: &Rules<'_>, statements: &[Statement]) -> Result<(), Refusal> {
    for statement in statements {
        if matches!(statement.kind(), StatementKind::ShowOwn(_) | StatementKind::CopyIn(_)) {
            return Err(Refusal::new(
                "multi-statement",
                "SHOW trefoil.… and COPY FROM STDIN may not stand among other statements",
                "send it by itself",
            ));
        }
        let alone = judge_by(rules, statement.text())?;
        match alone.statements() {
            [same] if same.known() == statement.known() => {}
            _ => return Err(unparsable(&"a statement reads differently without the others")),
        }
    }
    Ok(())
}

fn few_sources(tree: &Tree) -> Result<(), Refusal> {
    let mut sources = 0_usize;
    tree.each_node(&mut |node| {
        sources += usize::from(matches!(node.name, "RangeVar" | "RangeFunction" | "CommonTableExpr"));
    });
    if sources <= SOURCES_MAX {
        return Ok(());
    }
    Err(Refusal::new(
        "too-complex",
        format!("the statement names more than {SOURCES_MAX} relations, functions in FROM and WITH queries"),
        "a statement with fewer of them",
    ))
}

/// The parser's message may quote the statement, which is the client's own.
fn unparsable(error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(
        "unparsable",
        format!("the statement cannot be read, so that it cannot be judged: {error}"),
        "a statement in PostgreSQL's grammar, not nested too deep",
    )
}

#[cfg(test)]
mod tests;
