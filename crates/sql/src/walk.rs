//! The walk over every node of a read: relations, functions, types, operators, and nothing that is not on a list.
//!
//! The walk is generic: it visits every field of every node, so that a relation cannot hide in a place that nobody
//! thought of. Names are resolved as PostgreSQL does where it matters (common table expressions), and more strictly
//! where it does not. What kind of statement may hold a read is judged in `verdict`.

use crate::allow::{self, Catalog};
use crate::attributes;
use crate::columns;
use crate::functions;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::settings;
use crate::tree::{Node, Tree};

/// Judges an expression tree: a SELECT, or the arguments of EXECUTE.
pub(crate) fn read(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let mut walk = Walk { rules, frames: Vec::new(), hidden: Vec::new(), writing: false };
    walk.tree(tree)?;
    walk.rest(tree)
}

/// Judges what an INSERT, UPDATE or DELETE is made of; whether it may write is judged in `writes`.
pub(crate) fn write(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let mut walk = Walk { rules, frames: Vec::new(), hidden: Vec::new(), writing: true };
    if let Tree::Node(node) = tree {
        walk.scope(node)?;
    }
    walk.rest(tree)
}

/// What is in scope inside one SELECT.
#[derive(Default)]
struct Frame {
    /// Names that its WITH clause has defined so far.
    with_names: Vec<String>,
    /// Names under which its FROM clause shows a catalog relation that has hidden columns.
    guarded: Vec<String>,
    /// Names of the other relations in it.
    plain: Vec<String>,
}

struct Walk<'a> {
    rules: &'a Rules<'a>,
    frames: Vec<Frame>,
    /// Hidden columns of the catalog relations met anywhere in the statement.
    hidden: Vec<&'static str>,
    /// Whether the statement is a write, whose own parts may stand in it as well.
    writing: bool,
}

impl Walk<'_> {
    /// What can be judged only after the walk.
    fn rest(&self, tree: &Tree) -> Result<(), Refusal> {
        self.hidden_columns(tree)?;
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
            "ColumnRef" => self.column(node)?,
            "JoinExpr" => self.join(node)?,
            _ => {}
        }
        self.fields(node)
    }

    fn fields(&mut self, node: &Node) -> Result<(), Refusal> {
        node.fields().try_for_each(|(_, value)| self.tree(value))
    }

    /// A statement is a scope: its WITH names hold inside it and nowhere else.
    fn scope(&mut self, statement: &Node) -> Result<(), Refusal> {
        let mut frame = Frame::default();
        let Frame { guarded, plain, .. } = &mut frame;
        for sources in ["from_clause", "using_clause"] {
            statement.list(sources).iter().for_each(|item| source_names(item, guarded, plain));
        }
        self.frames.push(frame);
        let with = statement.node("with_clause");
        if let Some(with) = with {
            self.with(with)?;
        }
        for (key, value) in statement.fields() {
            if key != "with_clause" {
                self.tree(value)?;
            }
        }
        self.frames.pop();
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
        if let (Some(query), Some(frame)) = (query.node(), self.frames.last_mut()) {
            frame.with_names.push(query.text("ctename").to_owned());
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
        let with_name =
            schema.is_empty() && self.frames.iter().any(|f| f.with_names.iter().any(|n| n == name));
        if with_name {
            return Ok(());
        }
        if let Some(catalog) = allow::catalog(schema, name) {
            return self.catalog(catalog, relation);
        }
        if self.rules.shows(schema, name) {
            return Ok(());
        }
        let full = if schema.is_empty() { name.to_owned() } else { format!("{schema}.{name}") };
        Err(Refusal::new(
            "relation",
            format!("the profile \"{}\" shows no relation \"{full}\"", self.rules.schema),
            format!("a decision whose profile shows it; this one shows {}", self.rules.shown()),
        ))
    }

    fn catalog(&mut self, catalog: &'static Catalog, relation: &Node) -> Result<(), Refusal> {
        if catalog.hidden.is_empty() {
            return Ok(());
        }
        for hidden in catalog.hidden {
            if !self.hidden.contains(hidden) {
                self.hidden.push(hidden);
            }
        }
        // Renaming columns by position would hide which of them is meant.
        match relation.node("alias") {
            Some(alias) if !alias.list("colnames").is_empty() => Err(guarded(catalog.name)),
            _ => Ok(()),
        }
    }

    fn join(&self, join: &Node) -> Result<(), Refusal> {
        let (mut names, mut others) = (Vec::new(), Vec::new());
        source_names(join.get("larg"), &mut names, &mut others);
        source_names(join.get("rarg"), &mut names, &mut others);
        let renamed = join.node("alias").is_some_and(|alias| !alias.list("colnames").is_empty());
        match names.first() {
            Some(name) if renamed || join.flag("is_natural") => Err(guarded(name)),
            _ => Ok(()),
        }
    }

    /// Refuses `*`, `c.*`, the whole row `c` and a function of it, `c.f`, of a catalog relation that has hidden columns.
    fn column(&self, column: &Node) -> Result<(), Refusal> {
        let fields = column.list("fields");
        let star = fields.last().and_then(Tree::node).is_some_and(|last| last.name == "AStar");
        let names: Vec<&str> = fields.iter().filter_map(Tree::node).map(|field| field.text("sval")).collect();
        let hiding = |relation: &str| {
            self.frames.iter().flat_map(|frame| &frame.guarded).find(|name| *name == relation)
        };
        let found = match (star, names.as_slice()) {
            (true, [_]) => self.frames.last().and_then(|frame| frame.guarded.first()),
            (true, [.., relation, _]) | (false, [relation]) => hiding(relation),
            (false, [.., relation, name]) if !allow::shown_column(name) => {
                hiding(relation).filter(|_| !self.is_plain(relation) || allow::takes_any_row(name))
            }
            _ => None,
        };
        found.map_or(Ok(()), |name| Err(guarded(name)))
    }

    /// Whether the name is also that of another relation, whose columns are not known here.
    fn is_plain(&self, relation: &str) -> bool {
        self.frames.iter().flat_map(|frame| &frame.plain).any(|name| name == relation)
    }

    /// After the walk: no identifier anywhere may be that of a hidden column of a catalog the statement reads.
    fn hidden_columns(&self, tree: &Tree) -> Result<(), Refusal> {
        if self.hidden.is_empty() {
            return Ok(());
        }
        match tree {
            Tree::Node(node) if node.name == "AConst" => Ok(()),
            Tree::Node(node) => node.fields().try_for_each(|(_, value)| self.hidden_columns(value)),
            Tree::List(items) => items.iter().try_for_each(|item| self.hidden_columns(item)),
            Tree::Text(text) if self.hidden.contains(&text.as_str()) => Err(guarded(text)),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => Ok(()),
        }
    }
}

/// Collects the names under which a FROM item shows relations: in `guarded` those of catalogs that have hidden columns.
/// Sub-selects are scopes of their own and are judged there.
fn source_names(item: &Tree, guarded: &mut Vec<String>, plain: &mut Vec<String>) {
    let Some(node) = item.node() else { return };
    let alias = node.node("alias").map(|alias| alias.text("aliasname").to_owned());
    match node.name {
        "RangeVar" => {
            let relation = node.text("relname");
            let known = allow::catalog(node.text("schemaname"), relation);
            let hides = known.is_some_and(|catalog| !catalog.hidden.is_empty());
            let names = if hides { guarded } else { plain };
            names.push(alias.unwrap_or_else(|| relation.to_owned()));
        }
        "JoinExpr" => {
            let before = guarded.len();
            source_names(node.get("larg"), guarded, plain);
            source_names(node.get("rarg"), guarded, plain);
            if guarded.len() > before {
                guarded.extend(alias);
            }
        }
        _ => {}
    }
}

fn guarded(name: &str) -> Refusal {
    Refusal::new(
        "catalog-column",
        format!("\"{name}\" would show catalog columns that count rows or hold definitions"),
        "name the catalog columns you need one by one, without those",
    )
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
