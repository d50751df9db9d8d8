//! What goes to the site when a statement asks the catalogs. The wall lets nobody read `pg_catalog` and
//! `information_schema`; views of the same names in two schemas of its own show what came with PostgreSQL and what the
//! session's profile shows. Here the names of those schemas are put into the text: where a relation, one of the
//! functions that the wall has made anew, or a column is named, and nowhere else. Where PostgreSQL sees a schema that
//! was not replaced, it refuses.
//!
//! Casts between numbers and names of objects, which no privilege covers, are judged in `named`.

mod named;
mod origin;

use std::sync::Arc;

use pg_query::protobuf::ScanToken;

use crate::allow;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

pub use named::is_name_type;

/// What stands for each schema: as many letters, so that nothing else moves.
const SCHEMAS: [(&str, &str); 2] =
    [("pg_catalog", "tf_catalog"), ("information_schema", "tf_information_sch")];

/// Functions of `pg_catalog` that the wall has made anew, so that they name only what the reader sees.
const FUNCTIONS: &[&str] = &[
    "col_description",
    "format_type",
    "has_any_column_privilege",
    "has_column_privilege",
    "has_database_privilege",
    "has_schema_privilege",
    "has_table_privilege",
    "obj_description",
    "pg_database_size",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_function_result",
    "pg_get_function_sqlbody",
    "pg_get_functiondef",
    "pg_get_indexdef",
    "pg_get_partkeydef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_statisticsobjdef_columns",
    "pg_get_triggerdef",
    "pg_get_userbyid",
    "pg_get_viewdef",
    "pg_has_role",
    "pg_indexes_size",
    "pg_relation_is_publishable",
    "pg_relation_size",
    "pg_stat_get_numscans",
    "pg_table_size",
    "pg_tablespace_location",
    "pg_total_relation_size",
    "shobj_description",
    "to_regclass",
    "to_regnamespace",
    "to_regoper",
    "to_regoperator",
    "to_regproc",
    "to_regprocedure",
    "to_regrole",
    "to_regtype",
];

/// Whether the wall has made this function anew.
pub(crate) fn made_anew(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// The text that goes to the site, if it is not the text as it came. `root` is the tree of the whole text.
///
/// # Errors
/// When a name of an object could be printed or looked for, or a name is not written as it is read.
pub(crate) fn sent(rules: &Rules<'_>, text: &str, root: &Tree) -> Result<Option<Arc<str>>, Refusal> {
    named::judge(rules, root)?;
    let mut places = Places { rules, found: Vec::new(), with_names: Vec::new() };
    places.tree(root);
    let mut found = places.found;
    if found.is_empty() {
        return Ok(None);
    }
    found.sort_by_key(|place| place.at);
    let scanned = pg_query::scan(text).map_err(|error| crate::unparsable(&error))?;
    let mut sent = String::with_capacity(text.len() + found.len() * 16);
    let mut done = 0;
    for place in &found {
        let edit = place.edit(text, &scanned.tokens).ok_or_else(|| oddly_written(&place.name))?;
        sent.push_str(text.get(done..edit.start).ok_or_else(|| oddly_written(&place.name))?);
        sent.push_str(&edit.put);
        done = edit.end;
    }
    sent.push_str(text.get(done..).unwrap_or_default());
    Ok(Some(sent.into()))
}

fn oddly_written(name: &str) -> Refusal {
    Refusal::new(
        "catalog-name",
        format!("the catalog name \"{name}\" is written in a way that cannot be followed"),
        "write it plainly, as in pg_catalog.pg_class, without Unicode escapes",
    )
}

/// Where a name stands whose schema is another at the site.
#[derive(Debug, PartialEq, Eq)]
struct Place<'r> {
    /// Bytes from the beginning of the text.
    at: usize,
    /// The schema as it is read, and what stands for it.
    schema: (&'r str, &'r str),
    /// Whether the schema is written.
    written: bool,
    name: String,
}

struct Edit {
    start: usize,
    end: usize,
    put: String,
}

impl Place<'_> {
    /// The schema's name replaced, or written where there was none. None when the text is not as the tree says.
    fn edit(&self, text: &str, tokens: &[ScanToken]) -> Option<Edit> {
        let (schema, stands) = self.schema;
        let at = i32::try_from(self.at).ok()?;
        let first = tokens.binary_search_by_key(&at, |token| token.start).ok()?;
        let mut words = tokens.get(first..)?.iter().filter(|token| !is_comment(text, token));
        let word = |token: &ScanToken| -> Option<&str> {
            text.get(usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?)
        };
        let first = words.next()?;
        let end = usize::try_from(first.end).ok()?;
        if !self.written {
            return (plain(word(first)?)? == self.name).then(|| Edit {
                start: self.at,
                end: self.at,
                put: format!("{stands}."),
            });
        }
        let (dot, name) = (words.next()?, words.next()?);
        let whole = plain(word(first)?)? == schema && word(dot)? == "." && plain(word(name)?)? == self.name;
        // Quotes stay: the columns that errors point to do not move.
        let put = if word(first)?.starts_with('"') { format!("\"{stands}\"") } else { stands.to_owned() };
        whole.then_some(Edit { start: self.at, end, put })
    }
}

fn is_comment(text: &str, token: &ScanToken) -> bool {
    let start = usize::try_from(token.start).ok().and_then(|start| text.get(start..)).unwrap_or_default();
    start.starts_with("--") || start.starts_with("/*")
}

/// An identifier as PostgreSQL reads it; none for what is written with escapes.
fn plain(word: &str) -> Option<String> {
    if let Some(inside) = word.strip_prefix('"') {
        return inside.strip_suffix('"').map(|inside| inside.replace("\"\"", "\""));
    }
    let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$');
    is_plain.then(|| word.to_ascii_lowercase())
}

/// The walk that finds the places. WITH names hide catalogs as they do for PostgreSQL: where this is wrong, PostgreSQL
/// refuses, or the session's own view of a catalog is read.
struct Places<'r> {
    rules: &'r Rules<'r>,
    found: Vec<Place<'r>>,
    with_names: Vec<Vec<String>>,
}

impl<'r> Places<'r> {
    fn tree(&mut self, tree: &Tree) {
        match tree {
            Tree::Node(node) => self.node(node),
            Tree::List(items) => items.iter().for_each(|item| self.tree(item)),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => {}
        }
    }

    fn node(&mut self, node: &Node) {
        match node.name {
            "RangeVar" => self.relation(node),
            "FuncCall" => self.function(node),
            "ColumnRef" => self.column(node),
            "CopyStmt" if node.flag("is_from") => return self.copy(node),
            _ => {}
        }
        let Some(with) = node.node("with_clause") else {
            return node.fields().for_each(|(_, value)| self.tree(value));
        };
        self.with_names.push(Vec::new());
        let recursive = with.flag("recursive");
        if recursive {
            with.list("ctes").iter().for_each(|query| self.define(query));
        }
        for query in with.list("ctes") {
            self.tree(query);
            if !recursive {
                self.define(query);
            }
        }
        node.fields().filter(|(key, _)| *key != "with_clause").for_each(|(_, value)| self.tree(value));
        self.with_names.pop();
    }

    fn define(&mut self, query: &Tree) {
        if let (Some(query), Some(names)) = (query.node(), self.with_names.last_mut()) {
            names.push(query.text("ctename").to_owned());
        }
    }

    fn relation(&mut self, relation: &Node) {
        let (schema, name) = (relation.text("schemaname"), relation.text("relname"));
        let is_with = schema.is_empty() && self.with_names.iter().flatten().any(|known| known == name);
        if !is_with && allow::is_catalog(schema, name) {
            self.add(relation, schema, name);
        }
    }

    /// COPY FROM goes to a relation of the same name in a schema of its own: a view takes none.
    fn copy(&mut self, copy: &Node) {
        if let Some(into) = copy.node("relation") {
            let (read, stands) = (self.rules.schema, self.rules.copies.as_str());
            self.place(into, (read, stands), !into.text("schemaname").is_empty(), into.text("relname"));
        }
    }

    fn function(&mut self, call: &Node) {
        match call.name_parts("funcname").as_deref() {
            Some([name]) if made_anew(name) => self.add(call, "", name),
            Some([schema @ "pg_catalog", name]) if made_anew(name) => self.add(call, schema, name),
            _ => {}
        }
    }

    /// `pg_catalog.pg_class.oid`: the relation is known under the schema that it was found in.
    fn column(&mut self, column: &Node) {
        let names: Vec<&str> =
            column.list("fields").iter().filter_map(Tree::node).map(|field| field.text("sval")).collect();
        if let [schema, relation, _] = names.as_slice()
            && SCHEMAS.iter().any(|(known, _)| known == schema)
        {
            self.add(column, schema, relation);
        }
    }

    fn place(&mut self, node: &Node, schema: (&'r str, &'r str), written: bool, name: &str) {
        let at = match node.get("location") {
            Tree::Int(at) => usize::try_from(*at).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        self.found.push(Place { at, schema, written, name: name.to_owned() });
    }

    fn add(&mut self, node: &Node, schema: &str, name: &str) {
        let known = SCHEMAS.iter().find(|(known, _)| *known == schema).or(SCHEMAS.first());
        if let Some(known) = known {
            self.place(node, *known, !schema.is_empty(), name);
        }
    }
}

#[cfg(test)]
mod tests;
