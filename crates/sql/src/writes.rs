//! INSERT, UPDATE and DELETE: which relations and columns a profile lets somebody write. PostgreSQL's privileges and
//! row policies enforce the same; here a refusal says which column and why.
//!
//! A write is a statement of its own: inside WITH, PREPARE, EXPLAIN, COPY and cursors it is refused, so that what the
//! record says before the write runs is all that it does.

use pg_query::protobuf::{OnConflictAction, OverridingKind};

use crate::cleared::Write;
use crate::refusal::Refusal;
use crate::rules::{Rules, Writable};
use crate::tree::{Node, Tree};
use crate::walk;

/// A relation that is written, and what of it may be.
pub(crate) struct Target<'a> {
    name: &'a str,
    writable: &'a Writable<'a>,
}

/// Judges a statement that writes.
pub(crate) fn judge(rules: &Rules<'_>, tree: &Tree, node: &Node) -> Result<Write, Refusal> {
    let target = target(rules, node)?;
    let write = match node.name {
        "InsertStmt" => insert(rules, &target, node).map(|()| Write::Insert),
        "UpdateStmt" => named(node.list("target_list"))
            .and_then(|columns| target.may_update(rules, &columns))
            .map(|()| Write::Update),
        "DeleteStmt" if target.writable.delete => Ok(Write::Delete),
        "DeleteStmt" => Err(refused(
            format!("the profile \"{}\" deletes no rows of {}", rules.schema, target.name),
            "a policy that permits to delete them",
        )),
        other => Err(refused(format!("{other} is not a write that is allowed"), "INSERT, UPDATE or DELETE")),
    }?;
    if node.node("returning_clause").is_some_and(|returning| !returning.list("options").is_empty()) {
        return Err(refused("RETURNING may not have options", "RETURNING with columns alone"));
    }
    walk::write(rules, tree)?;
    Ok(write)
}

fn refused(what: impl Into<String>, needs: impl Into<String>) -> Refusal {
    Refusal::new("write", what, needs)
}

/// The relation that INSERT, UPDATE, DELETE or COPY FROM writes.
pub(crate) fn target<'a>(rules: &'a Rules<'_>, node: &Node) -> Result<Target<'a>, Refusal> {
    if rules.writable.is_empty() {
        return Err(refused(
            "writing is not allowed",
            "a read: this profile shows data and does not change it; a policy would have to permit the write",
        ));
    }
    let relation = node.node("relation");
    let (schema, name, database) =
        relation.map_or(("", "", ""), |r| (r.text("schemaname"), r.text("relname"), r.text("catalogname")));
    let shown = database.is_empty() && rules.shows(schema, name);
    match rules.writable.get_key_value(name).filter(|_| shown) {
        Some((name, writable)) => Ok(Target { name, writable }),
        None => Err(refused(
            format!("the profile \"{}\" writes no relation \"{name}\"", rules.schema),
            format!(
                "a policy that permits it; this profile writes {}",
                crate::rules::listed(rules.writable.keys())
            ),
        )),
    }
}

fn insert(rules: &Rules<'_>, target: &Target<'_>, node: &Node) -> Result<(), Refusal> {
    insert_columns(rules, target, named(node.list("cols"))?)?;
    let plain =
        [OverridingKind::Undefined, OverridingKind::OverridingNotSet].map(|kind| Tree::Int(kind as i64));
    if !plain.contains(node.get("override")) {
        return Err(refused("OVERRIDING is not allowed", "leave it out"));
    }
    match node.node("on_conflict_clause") {
        Some(conflict) => on_conflict(rules, target, conflict),
        None => Ok(()),
    }
}

/// DO NOTHING adds nothing to what INSERT does; DO UPDATE is an UPDATE. The conflict is named by columns: a
/// constraint's name is one of the base table.
fn on_conflict(rules: &Rules<'_>, target: &Target<'_>, conflict: &Node) -> Result<(), Refusal> {
    if let Some(infer) = conflict.node("infer") {
        let is_column = |item: &Tree| {
            item.node().is_some_and(|item| {
                let parts = ["collation", "opclass", "opclassopts"];
                !item.text("name").is_empty() && parts.iter().all(|part| item.list(part).is_empty())
            })
        };
        if !infer.text("conname").is_empty() || !infer.list("index_elems").iter().all(is_column) {
            return Err(refused("ON CONFLICT may name columns alone", "ON CONFLICT (the key's columns)"));
        }
    }
    match conflict.get("action") {
        Tree::Int(action) if *action == OnConflictAction::OnconflictNothing as i64 => Ok(()),
        Tree::Int(action) if *action == OnConflictAction::OnconflictUpdate as i64 => {
            target.may_update(rules, &named(conflict.list("target_list"))?)
        }
        _ => Err(refused("this ON CONFLICT is not known", "DO NOTHING or DO UPDATE")),
    }
}

/// The columns that are filled; without a list, PostgreSQL fills those of the relation in their order.
pub(crate) fn insert_columns(
    rules: &Rules<'_>,
    target: &Target<'_>,
    named: Vec<&str>,
) -> Result<Vec<String>, Refusal> {
    let shown = rules.relations.get(target.name).into_iter().flatten().copied();
    let columns: Vec<&str> = if named.is_empty() { shown.collect() } else { named };
    target.may(rules, "insert", &target.writable.insert, &columns)?;
    Ok(columns.into_iter().map(str::to_owned).collect())
}

/// The columns of a list of targets; parts of a column (`a[1]`, `a.b`) are no columns.
fn named(targets: &[Tree]) -> Result<Vec<&str>, Refusal> {
    let is_whole = |node: &&Node| node.name == "ResTarget" && node.list("indirection").is_empty();
    targets
        .iter()
        .map(|target| target.node().filter(is_whole).map(|node| node.text("name")))
        .collect::<Option<_>>()
        .ok_or_else(|| refused("a part of a column may not be written", "write the whole column"))
}

impl Target<'_> {
    fn may_update(&self, rules: &Rules<'_>, columns: &[&str]) -> Result<(), Refusal> {
        self.may(rules, "update", &self.writable.update, columns)
    }

    fn may(&self, rules: &Rules<'_>, verb: &str, allowed: &[&str], columns: &[&str]) -> Result<(), Refusal> {
        match columns.iter().find(|column| !allowed.contains(column)) {
            None => Ok(()),
            Some(column) => Err(Refusal::new(
                "write-column",
                format!(
                    "the profile \"{}\" may not {verb} the column \"{column}\" of {}",
                    rules.schema, self.name
                ),
                format!("name only columns that it may {verb}: {}", crate::rules::listed(allowed.iter())),
            )),
        }
    }
}
