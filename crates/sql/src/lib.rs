//! Statement verdicts: may this text be sent to a site under this Permit?
//!
//! The text is parsed by libpg_query, which is PostgreSQL's own parser, and every node of the tree is judged against
//! allowlists. It is never rewritten and never deparsed: what is cleared is sent as it came. A text that does not
//! parse, nests too deep or holds a construct that is on no list is refused.
//!
//! Not in this room: what a person may see. PostgreSQL's privileges enforce that, and a statement that slipped
//! through here would meet them. The verdict closes what privileges cannot, and says in words why.
//!
//! Pure: no input or output, no clock, no randomness.

mod allow;
mod attributes;
mod columns;
mod functions;
mod refusal;
mod rules;
mod settings;
mod tree;
mod verdict;
mod walk;

pub use refusal::Refusal;
pub use verdict::{StatementKind, Transaction};

use policy::Permit;
use rules::Rules;
use tree::Tree;

/// Longest statement judged; a longer one is refused unread.
pub const STATEMENT_BYTES_MAX: usize = 262_144;
/// The most relations, functions in FROM and WITH queries of a statement: names are looked up among them one by one.
const SOURCES_MAX: usize = 512;

/// A statement that may be sent to a site under the Permit it was judged by. Only [`judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    text: String,
    kind: StatementKind,
    prepared_name: Option<String>,
}

impl Cleared {
    /// The statement, byte for byte as it was judged.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the statement does.
    pub fn kind(&self) -> StatementKind {
        self.kind
    }

    /// The name of the prepared statement that PREPARE makes, EXECUTE runs or DEALLOCATE forgets; `None` for
    /// DEALLOCATE ALL and for any other statement.
    pub fn prepared_name(&self) -> Option<&str> {
        self.prepared_name.as_deref()
    }
}

/// Judges a text of at most one statement.
///
/// # Errors
/// The [`Refusal`], which says the rule and what would be needed.
pub fn judge(permit: &Permit, text: &str) -> Result<Cleared, Refusal> {
    let (kind, prepared_name) = judge_named(&Rules::of(permit), text)?;
    Ok(Cleared { text: text.to_owned(), kind, prepared_name })
}

#[cfg(test)]
fn judge_by(rules: &Rules<'_>, text: &str) -> Result<StatementKind, Refusal> {
    judge_named(rules, text).map(|(kind, _)| kind)
}

fn judge_named(rules: &Rules<'_>, text: &str) -> Result<(StatementKind, Option<String>), Refusal> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(Refusal::new(
            "too-long",
            format!("the statement is longer than {STATEMENT_BYTES_MAX} bytes"),
            "a shorter statement: pass long lists as an array parameter",
        ));
    }
    let parsed =
        pg_query::parse(text, pg_query::ParserOptions::DEFAULT).map_err(|error| unparsable(&error))?;
    let tree = Tree::of(&parsed.protobuf).map_err(|error| unparsable(&error))?;
    let root = tree.node().ok_or_else(|| unparsable(&"the parser gave no tree"))?;
    few_sources(&tree)?;
    match root.list("stmts") {
        [] => Ok((StatementKind::Empty, None)),
        [Tree::Node(only)] => {
            let statement = only.get("stmt");
            Ok((verdict::statement(rules, statement)?, verdict::prepared_name(statement)))
        }
        _ => Err(Refusal::new(
            "multi-statement",
            "the text holds more than one statement",
            "send the statements one by one",
        )),
    }
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
