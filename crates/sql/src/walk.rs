//! The walk over every node of a read: relations, functions, types, operators, and nothing that is not on a list.
//!
//! The walk is generic: it visits every field of every node, so that a relation cannot hide in a place that nobody
//! thought of. Names are resolved as PostgreSQL does where it matters (common table expressions), and more strictly
//! where it does not. What kind of statement may hold a read is judged in `verdict`.

use crate::allow;
use crate::attributes;
use crate::columns;
use crate::functions;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::settings;
use crate::tree::{Node, Tree};

/// Judges an expression tree: a SELECT, or the arguments of EXECUTE.
pub(crate) fn read(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let mut walk = Walk { rules, with_names: Vec::new(), writing: false };
    walk.tree(tree)?;
    walk.rest(tree)
}

/// Judges what an INSERT, UPDATE or DELETE is made of; whether it may write is judged in `writes`.
pub(crate) fn write(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let mut walk = Walk { rules, with_names: Vec::new(), writing: true };
    if let Tree::Node(node) = tree {
        walk.scope(node)?;
    }
    walk.rest(tree)
}

struct Walk<'a> {
    rules: &'a Rules<'a>,
    /// Names that the WITH clauses around have defined so far, from the outside in.
    with_names: Vec<Vec<String>>,
    /// Whether the statement is a write, whose own parts may stand in it as well.
    writing: bool,
}

impl Walk<'_> {
    /// What can be judged only after the walk.
    fn rest(&self, tree: &Tree) -> Result<(), Refusal> {
        attributes::judge(self.rules, tree)?;
        columns::judge(self.rules, tree)
    }

    fn tree(&mut self, tree: &Tree) -> Result<(), Refusal> {
        match tree {
            Tree::Node(node) => self.node(node),
            Tree::List(items) => items.iter().try_for_each(|item| self.tree(item)),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => Ok(()),
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), Refusal> {
        if !(allow::node(node.name) || self.writing && allow::node_of_write(node.name)) {
            return Err(expression(node.name));
        }
        match node.name {
            "SelectStmt" => return self.scope(node),
            "RangeVar" => self.relation(node)?,
            "FuncCall" => function(node)?,
            "TypeName" => type_name(node)?,
            "AExpr" => operator(node, "name")?,
            "SubLink" => operator(node, "oper_name")?,
            "SortBy" => operator(node, "use_op")?,
            "CollateClause" => operator(node, "collname")?,
            _ => {}
        }
        self.fields(node)
    }

    fn fields(&mut self, node: &Node) -> Result<(), Refusal> {
        node.fields().try_for_each(|(_, value)| self.tree(value))
    }

    /// A statement is a scope: its WITH names hold inside it and nowhere else.
    fn scope(&mut self, statement: &Node) -> Result<(), Refusal> {
        self.with_names.push(Vec::new());
        let with = statement.node("with_clause");
        if let Some(with) = with {
            self.with(with)?;
        }
        for (key, value) in statement.fields() {
            if key != "with_clause" {
                self.tree(value)?;
            }
        }
        self.with_names.pop();
        Ok(())
    }

    /// Without RECURSIVE a WITH query sees only those before it, with it all of them and itself.
    fn with(&mut self, with: &Node) -> Result<(), Refusal> {
        let recursive = with.flag("recursive");
        if recursive {
            with.list("ctes").iter().for_each(|query| self.define(query));
        }
        for query in with.list("ctes") {
            self.tree(query)?;
            if !recursive {
                self.define(query);
            }
        }
        Ok(())
    }

    fn define(&mut self, query: &Tree) {
        if let (Some(query), Some(names)) = (query.node(), self.with_names.last_mut()) {
            names.push(query.text("ctename").to_owned());
        }
    }

    fn relation(&mut self, relation: &Node) -> Result<(), Refusal> {
        let (schema, name) = (relation.text("schemaname"), relation.text("relname"));
        if !relation.text("catalogname").is_empty() {
            return Err(Refusal::new(
                "relation",
                format!("the relation \"{name}\" is named with a database"),
                "name it with its schema alone, or with none",
            ));
        }
        if schema.is_empty() && self.with_names.iter().flatten().any(|known| known == name) {
            return Ok(());
        }
        if allow::is_catalog(schema, name) || self.rules.shows(schema, name) {
            return Ok(());
        }
        let full = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
        Err(Refusal::new(
            "relation",
            format!("the profile \"{}\" shows no relation \"{full}\"", self.rules.schema),
            format!("a decision whose profile shows it; this one shows {}", self.rules.shown()),
        ))
    }
}

fn expression(name: &str) -> Refusal {
    let (rule, what) = match name {
        "IntoClause" => ("write", "SELECT INTO makes a table".to_owned()),
        "InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt" => {
            ("write", "the statement writes".to_owned())
        }
        "LockingClause" => ("lock", "the statement locks rows (FOR UPDATE or FOR SHARE)".to_owned()),
        "RangeTableSample" => ("expression", "TABLESAMPLE is not allowed".to_owned()),
        other => {
            ("expression", format!("the statement has an expression of a kind that is not allowed ({other})"))
        }
    };
    Refusal::new(rule, what, "a plain read: SELECT over the relations shown, with ordinary expressions")
}

fn qualified(node: &Node, field: &str) -> Result<Vec<String>, Refusal> {
    let parts = node.name_parts(field).ok_or_else(|| expression(node.name))?;
    Ok(parts.into_iter().map(str::to_owned).collect())
}

/// An operator, sort operator or collation must be PostgreSQL's own; `field` may be empty where none is named.
fn operator(node: &Node, field: &str) -> Result<(), Refusal> {
    let parts = qualified(node, field)?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.is_empty() || allow::built_in(&parts) {
        return Ok(());
    }
    Err(Refusal::new(
        "operator",
        format!("\"{}\" is not one of PostgreSQL's own operators or collations", parts.join(".")),
        "use one without a schema, or of pg_catalog",
    ))
}

fn type_name(node: &Node) -> Result<(), Refusal> {
    let parts = qualified(node, "names")?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if allow::type_name(&parts) && !node.flag("pct_type") && !node.flag("setof") {
        return Ok(());
    }
    Err(Refusal::new(
        "type",
        format!("the type \"{}\" may not be named", parts.join(".")),
        "use an ordinary scalar type, such as text, bigint, date or jsonb, or an array of one",
    ))
}

fn function(call: &Node) -> Result<(), Refusal> {
    let parts = qualified(call, "funcname")?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if matches!(parts.as_slice(), ["current_setting"] | ["pg_catalog", "current_setting"]) {
        return current_setting(call);
    }
    if matches!(parts.as_slice(), ["set_config"] | ["pg_catalog", "set_config"]) {
        return settings::set_config(call.list("args"));
    }
    if functions::allowed(&parts) {
        return Ok(());
    }
    Err(Refusal::new(
        "function",
        format!("the function \"{}\" may not be called", parts.join(".")),
        "use the ordinary functions on text, numbers, dates, json and arrays, and aggregates; \
         a further one has to be added to the list of functions that are allowed",
    ))
}

/// `current_setting('name')` is SHOW by another name, so that the name must be there to be judged.
fn current_setting(call: &Node) -> Result<(), Refusal> {
    match call.list("args").first().and_then(settings::literal) {
        Some(name) if settings::showable(name) => Ok(()),
        _ => Err(Refusal::new(
            "show",
            "current_setting may be called only with the literal name of a setting that may be shown",
            "write SHOW with one of the settings that clients need, such as server_version or timezone",
        )),
    }
}
