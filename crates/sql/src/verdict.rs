//! Which statements there are, and what each may hold. Everything that is not named here is refused.

use crate::cleared::{Known, StatementKind, Transaction};
use crate::reads::Reads;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};
use crate::{copy, settings, walk, writes};
use pg_query::protobuf::{DiscardMode, TransactionStmtKind};

/// What is known of a text without a statement.
pub(crate) fn empty() -> Known {
    Known { kind: StatementKind::Empty, name: None, reads: Reads::nothing(), copy: None }
}

/// The name of a prepared statement or cursor that the statement makes, uses or forgets.
fn name(node: &Node) -> Option<String> {
    let key = match node.name {
        "PrepareStmt" | "ExecuteStmt" | "DeallocateStmt" => "name",
        "DeclareCursorStmt" | "FetchStmt" | "ClosePortalStmt" => "portalname",
        _ => return None,
    };
    Some(node.text(key).to_owned()).filter(|name| !name.is_empty())
}

/// Judges one statement of a parse tree; `text` is its own part of the text.
pub(crate) fn statement(rules: &Rules<'_>, tree: &Tree, text: &str) -> Result<Known, Refusal> {
    let Some(node) = tree.node() else { return Err(kind("Unknown")) };
    let (kind, copy) = match node.name {
        "CopyStmt" => copy::judge(rules, node, text).map(|(kind, copying)| (kind, Some(copying)))?,
        _ => (judge(rules, tree, node)?, None),
    };
    let reads = Reads::of(rules, tree);
    if rules.capped && reads.collects {
        return Err(Refusal::new(
            "collects",
            "a limit counts the subjects that are shown, and the statement gathers many rows in one value or takes a row as a whole",
            "name the columns one by one, a row of the result for each row: no array_agg, string_agg, json_agg, \
             ARRAY(SELECT …), WITH RECURSIVE or whole rows",
        ));
    }
    Ok(Known { kind, name: name(node), reads, copy })
}

fn judge(rules: &Rules<'_>, tree: &Tree, node: &Node) -> Result<StatementKind, Refusal> {
    match node.name {
        "SelectStmt" => walk::read(rules, tree).map(|()| StatementKind::Read),
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" => {
            writes::judge(rules, tree, node).map(StatementKind::Write)
        }
        "TransactionStmt" => transaction(rules, node).map(StatementKind::Transaction),
        "VariableSetStmt" => settings::set(rules, node).map(|()| StatementKind::Setting),
        "VariableShowStmt" => settings::show(node),
        "PrepareStmt" => prepare(rules, node).map(|()| StatementKind::Prepare),
        "ExecuteStmt" => walk::read(rules, node.get("params")).map(|()| StatementKind::Execute),
        "DeallocateStmt" => Ok(StatementKind::Deallocate),
        "DeclareCursorStmt" => declare(rules, node).map(|()| StatementKind::Declare),
        "FetchStmt" if node.flag("ismove") => Ok(StatementKind::Move),
        "FetchStmt" => Ok(StatementKind::Fetch),
        "ClosePortalStmt" => Ok(StatementKind::CloseCursor),
        "DiscardStmt" => discard(node).map(|()| StatementKind::Discard),
        "UnlistenStmt" if node.text("conditionname").is_empty() => Ok(StatementKind::Unlisten),
        other => Err(kind(other)),
    }
}

/// A cursor that outlives its transaction keeps rows at the site beyond what the record says of the transaction, and
/// beyond the purpose it was opened for.
fn declare(rules: &Rules<'_>, node: &Node) -> Result<(), Refusal> {
    match node.get("options") {
        Tree::Int(options) if options & CURSOR_HOLD == 0 => only_read(rules, node.get("query")),
        _ => Err(Refusal::new(
            "cursor-hold",
            "a cursor WITH HOLD keeps rows beyond its transaction, and with them beyond the purpose they were read for",
            "a cursor without hold, inside BEGIN and COMMIT",
        )),
    }
}

/// `CURSOR_OPT_HOLD` of PostgreSQL's parsenodes.h.
const CURSOR_HOLD: i64 = 0x0020;

fn transaction(rules: &Rules<'_>, node: &Node) -> Result<Transaction, Refusal> {
    settings::modes(rules, node.list("options"))?;
    let number = match node.get("kind") {
        Tree::Int(number) => i32::try_from(*number).ok(),
        _ => None,
    };
    match number.and_then(|number| TransactionStmtKind::try_from(number).ok()) {
        Some(TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart) => {
            Ok(Transaction::Begin)
        }
        Some(TransactionStmtKind::TransStmtCommit) => Ok(Transaction::Commit),
        Some(TransactionStmtKind::TransStmtRollback) => Ok(Transaction::Rollback),
        Some(TransactionStmtKind::TransStmtSavepoint) => Ok(Transaction::Savepoint),
        Some(TransactionStmtKind::TransStmtRelease) => Ok(Transaction::Release),
        Some(TransactionStmtKind::TransStmtRollbackTo) => Ok(Transaction::RollbackTo),
        _ => Err(Refusal::new(
            "statement-kind",
            "transactions that outlive their session (PREPARE TRANSACTION and its kin) are not allowed",
            "use BEGIN, COMMIT and ROLLBACK",
        )),
    }
}

/// DISCARD ALL undoes what the session was allowed to do and nothing else; temporary objects there are none.
fn discard(node: &Node) -> Result<(), Refusal> {
    let target = match node.get("target") {
        Tree::Int(number) => i32::try_from(*number).ok(),
        _ => None,
    };
    match target.and_then(|number| DiscardMode::try_from(number).ok()) {
        Some(DiscardMode::DiscardAll | DiscardMode::DiscardPlans) => Ok(()),
        _ => Err(Refusal::new(
            "discard",
            "only DISCARD ALL and DISCARD PLANS are allowed",
            "use DISCARD ALL, or connect again",
        )),
    }
}

fn prepare(rules: &Rules<'_>, node: &Node) -> Result<(), Refusal> {
    walk::read(rules, node.get("argtypes"))?;
    only_read(rules, node.get("query"))
}

fn only_read(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    match tree.node() {
        Some(node) if node.name == "SelectStmt" => walk::read(rules, tree),
        other => Err(kind(other.map_or("Unknown", |node| node.name))),
    }
}

/// The refusal of a whole kind of statement, in words a person at a psql prompt understands.
fn kind(name: &str) -> Refusal {
    let (rule, what, needs) = match name {
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" => (
            "write",
            "a statement that writes may not stand here",
            "send it by itself: not inside PREPARE, EXPLAIN, COPY, WITH or a cursor",
        ),
        "MergeStmt" | "TruncateStmt" => (
            "write",
            "MERGE and TRUNCATE are not allowed",
            "INSERT, UPDATE or DELETE, where a policy permits them",
        ),
        "ListenStmt" | "NotifyStmt" | "UnlistenStmt" => (
            "channel",
            "LISTEN and NOTIFY speak to other sessions and are not allowed",
            "nothing: there is no substitute",
        ),
        "DoStmt" | "CallStmt" | "LoadStmt" => {
            ("code", "running code (DO, CALL, LOAD) is not allowed", "say it as one SELECT")
        }
        "ExplainStmt" => (
            "explain",
            "a plan names what lies below what is shown, and counts rows that are held back",
            "the statement without EXPLAIN",
        ),
        "LockStmt" => ("lock", "taking locks is not allowed", "read without locking"),
        _ => (
            "statement-kind",
            "this kind of statement is not allowed",
            "SELECT, COPY (SELECT …) TO STDOUT, cursors, SHOW, SET of a session's own settings, PREPARE, EXECUTE, \
             DEALLOCATE, and BEGIN, COMMIT, ROLLBACK",
        ),
    };
    let sentence = match rule {
        "statement-kind" => format!("{what} ({name})"),
        _ => what.to_owned(),
    };
    Refusal::new(rule, sentence, needs)
}
