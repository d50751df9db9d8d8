//! Where the values of a column come from: whether certainly from columns of catalogs that hold numbers of objects, or
//! names, also by way of sub-selects and WITH queries. Whatever is not plain to see comes from elsewhere.

use std::collections::BTreeMap;

use pg_query::protobuf::{SetOperation, SubLinkType};

use crate::allow;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

/// Relations, and columns of each.
pub(super) type Columns = &'static [(&'static str, &'static str)];

/// Relations of catalogs and their columns that hold numbers of objects. What a session can set, as in `pg_settings`,
/// is not among them.
pub(super) const NUMBERS: Columns = &[
    ("pg_am", "oid amhandler"),
    ("pg_amop", "oid amopfamily amoplefttype amoprighttype amopopr"),
    ("pg_amproc", "oid amprocfamily amproclefttype amprocrighttype amproc"),
    ("pg_attrdef", "oid adrelid"),
    ("pg_attribute", "attrelid atttypid attcollation"),
    ("pg_auth_members", "roleid member"),
    ("pg_cast", "oid castsource casttarget castfunc"),
    ("pg_class", "oid relam relnamespace reloftype relowner reltoastrelid reltype"),
    ("pg_collation", "oid collnamespace"),
    ("pg_constraint", "oid conrelid confrelid conindid contypid connamespace"),
    ("pg_conversion", "oid conproc connamespace"),
    ("pg_depend", "classid objid refclassid refobjid"),
    ("pg_description", "classoid objoid"),
    ("pg_enum", "oid enumtypid"),
    ("pg_event_trigger", "oid evtfoid"),
    ("pg_foreign_data_wrapper", "oid fdwhandler fdwvalidator"),
    ("pg_index", "indexrelid indrelid"),
    ("pg_inherits", "inhrelid inhparent"),
    ("pg_namespace", "oid nspowner"),
    ("pg_opclass", "oid opcintype opckeytype opcnamespace"),
    ("pg_operator", "oid oprcode oprjoin oprleft oprrest oprresult oprright oprnamespace"),
    ("pg_policy", "oid polrelid"),
    ("pg_proc", "oid pronamespace proowner prorettype"),
    ("pg_range", "rngtypid rngsubtype"),
    ("pg_rewrite", "oid ev_class"),
    ("pg_roles", "oid"),
    ("pg_sequence", "seqrelid seqtypid"),
    ("pg_statistic_ext", "oid stxrelid stxnamespace"),
    ("pg_trigger", "oid tgrelid tgfoid"),
    (
        "pg_type",
        "oid typarray typbasetype typelem typinput typnamespace typoutput typowner typreceive typrelid typsend",
    ),
];

/// Relations and their columns that hold a schema's or a relation's name, as `format('%I.%I', …)` puts them together.
pub(super) const NAMES: Columns = &[
    ("columns", "table_schema table_name"),
    ("pg_class", "relname"),
    ("pg_matviews", "schemaname matviewname"),
    ("pg_namespace", "nspname"),
    ("pg_tables", "schemaname tablename"),
    ("pg_views", "schemaname viewname"),
    ("tables", "table_schema table_name"),
];

/// What a FROM item shows under a name.
struct Source<'t> {
    name: &'t str,
    kind: Kind<'t>,
    /// What an alias calls its columns; empty: what they are called.
    columns: Vec<&'t str>,
}

enum Kind<'t> {
    /// A relation of the catalogs.
    Catalog(&'t str),
    /// A sub-select, or the queries of a WITH name: whichever is meant, all of them have to hold.
    Queries(Vec<&'t Node>),
    Unknown,
}

/// What the FROM clause of a statement shows.
pub(super) struct Scope<'t>(Vec<Source<'t>>);

/// The WITH queries of a text by name. None: a name that means a relation as well, of which nothing is certain.
pub(super) struct Origins<'t>(BTreeMap<&'t str, Option<Vec<&'t Node>>>);

impl<'t> Origins<'t> {
    pub(super) fn of(rules: &Rules<'_>, root: &'t Tree) -> Self {
        let mut queries = BTreeMap::new();
        root.each_node(&mut |node| {
            if node.name == "CommonTableExpr" {
                let name = node.text("ctename");
                let free = !rules.shows("", name) && !allow::is_catalog("", name);
                let known = queries.entry(name).or_insert_with(|| free.then(Vec::new));
                known.iter_mut().for_each(|known| known.push(node));
            }
        });
        Self(queries)
    }

    pub(super) fn scope(&self, statement: &'t Node) -> Scope<'t> {
        let mut sources = Vec::new();
        for key in ["from_clause", "using_clause"] {
            statement.list(key).iter().for_each(|item| self.source(item, true, &mut sources));
        }
        Scope(sources)
    }

    /// An alias of a join hides what is in it.
    fn source(&self, item: &'t Tree, open: bool, sources: &mut Vec<Source<'t>>) {
        let Some(node) = item.node() else { return };
        let alias = node.node("alias");
        let name = alias.map(|alias| alias.text("aliasname"));
        let columns = alias.and_then(|alias| alias.name_parts("colnames")).unwrap_or_default();
        let kind = match node.name {
            "RangeVar" => {
                let (schema, relation) = (node.text("schemaname"), node.text("relname"));
                match self.0.get(relation).filter(|_| schema.is_empty()) {
                    Some(queries) => queries.clone().map_or(Kind::Unknown, Kind::Queries),
                    // Renaming columns by position hides which of them is meant.
                    None if columns.is_empty() && allow::is_catalog(schema, relation) => {
                        Kind::Catalog(relation)
                    }
                    None => Kind::Unknown,
                }
            }
            // With LATERAL it sees what stands beside it.
            "RangeSubselect" if !node.flag("lateral") => {
                node.node("subquery").map_or(Kind::Unknown, |query| Kind::Queries(vec![query]))
            }
            "JoinExpr" => {
                let open = open && alias.is_none();
                self.source(node.get("larg"), open, sources);
                self.source(node.get("rarg"), open, sources);
                if alias.is_none() {
                    return;
                }
                Kind::Unknown
            }
            _ => Kind::Unknown,
        };
        let kind = if open { kind } else { Kind::Unknown };
        sources.push(Source { name: name.unwrap_or_else(|| node.text("relname")), kind, columns });
    }

    /// Whether a value certainly comes from one of these columns of a catalog, or is NULL. `scopes`: from the outside in.
    pub(super) fn is_from(&self, scopes: &[&Scope<'t>], value: &'t Node, columns: Columns) -> bool {
        Trace { origins: self, columns, seen: Vec::new() }.value(scopes, value)
    }
}

/// One question; `seen` are the columns of queries that it has come through, which recursive queries come back to.
struct Trace<'o, 't> {
    origins: &'o Origins<'t>,
    columns: Columns,
    seen: Vec<(&'t Node, usize)>,
}

impl<'t> Trace<'_, 't> {
    fn value(&mut self, scopes: &[&Scope<'t>], value: &'t Node) -> bool {
        match value.name {
            "AConst" => value.flag("isnull"),
            "ColumnRef" => self.column(scopes, value),
            "CaseExpr" => {
                let results = value.list("args").iter().filter_map(Tree::node).map(|when| when.get("result"));
                results.chain([value.get("defresult")]).all(|result| {
                    *result == Tree::Absent || result.node().is_some_and(|node| self.value(scopes, node))
                })
            }
            "CoalesceExpr" => {
                value.list("args").iter().all(|one| one.node().is_some_and(|node| self.value(scopes, node)))
            }
            "SubLink" => {
                *value.get("sub_link_type") == Tree::Int(SubLinkType::ExprSublink as i64)
                    && value.node("subselect").is_some_and(|query| self.result(scopes, query, 0))
            }
            _ => false,
        }
    }

    /// A column without a relation is looked for from the inside out; beside a query it has to stand alone.
    fn column(&mut self, scopes: &[&Scope<'t>], column: &'t Node) -> bool {
        let Some(names) = column.name_parts("fields") else { return false };
        for (depth, scope) in scopes.iter().enumerate().rev() {
            let outer = scopes.get(..depth).unwrap_or_default();
            match names.as_slice() {
                [relation, name] => {
                    if let Some(source) = scope.0.iter().find(|source| source.name == *relation) {
                        return self.holds(outer, source, name);
                    }
                }
                [name] => match scope.0.as_slice() {
                    [] => {}
                    [only] => return self.holds(outer, only, name),
                    many if !many.iter().all(|source| matches!(source.kind, Kind::Catalog(_))) => {
                        return false;
                    }
                    many if many.iter().any(|source| self.holds(outer, source, name)) => return true,
                    _ => {}
                },
                _ => return false,
            }
        }
        false
    }

    fn holds(&mut self, outer: &[&Scope<'t>], source: &Source<'t>, column: &str) -> bool {
        match &source.kind {
            Kind::Unknown => false,
            Kind::Catalog(relation) => {
                let held = self.columns.iter().find(|(known, _)| known == relation);
                held.is_some_and(|(_, held)| held.split(' ').any(|one| one == column))
            }
            Kind::Queries(queries) => {
                queries.iter().all(|query| self.of_query(outer, query, &source.columns, column))
            }
        }
    }

    fn of_query(&mut self, outer: &[&Scope<'t>], query: &'t Node, alias: &[&str], column: &str) -> bool {
        let (query, named, outer) = match query.name {
            "CommonTableExpr" => (query.node("ctequery"), query.name_parts("aliascolnames"), &[][..]),
            _ => (Some(query), None, outer),
        };
        let Some(query) = query else { return false };
        let named = named.unwrap_or_default();
        let names = if alias.is_empty() { named.as_slice() } else { alias };
        let at = if names.is_empty() {
            position(query, column)
        } else {
            names.iter().position(|name| *name == column)
        };
        at.is_some_and(|at| self.result(outer, query, at))
    }

    /// A column of a query's answer, by its place: each arm of a UNION has to hold.
    fn result(&mut self, outer: &[&Scope<'t>], query: &'t Node, at: usize) -> bool {
        if query.name != "SelectStmt" {
            return false;
        }
        if self.seen.iter().any(|(seen, place)| std::ptr::eq(*seen, query) && *place == at) {
            return true;
        }
        self.seen.push((query, at));
        if let (Some(left), Some(right)) = (query.node("larg"), query.node("rarg")) {
            return self.result(outer, left, at) && self.result(outer, right, at);
        }
        let alone = [SetOperation::SetopNone as i64, SetOperation::Undefined as i64];
        let targets = query.list("target_list");
        let is_plain =
            matches!(query.get("op"), Tree::Int(op) if alone.contains(op)) && !targets.iter().any(is_star);
        let value = targets.get(at).and_then(Tree::node).and_then(|target| target.node("val"));
        let scope = self.origins.scope(query);
        let scopes: Vec<&Scope<'t>> = outer.iter().copied().chain([&scope]).collect();
        is_plain && value.is_some_and(|value| self.value(&scopes, value))
    }
}

/// The place of a column that a query names so itself; the first arm of a UNION does.
fn position(query: &Node, column: &str) -> Option<usize> {
    let first = query.node("larg");
    if let Some(first) = first {
        return position(first, column);
    }
    let mut found = query.list("target_list").iter().enumerate().filter(|(_, target)| {
        let Some(target) = target.node() else { return false };
        let own = target
            .node("val")
            .filter(|value| value.name == "ColumnRef")
            .and_then(|value| value.name_parts("fields"));
        match target.text("name") {
            "" => own.is_some_and(|parts| parts.last() == Some(&column)),
            name => name == column,
        }
    });
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn is_star(target: &Tree) -> bool {
    let value = target.node().and_then(|target| target.node("val"));
    let last = value.and_then(|value| value.list("fields").last()).and_then(Tree::node);
    last.is_some_and(|last| last.name == "AStar")
}
