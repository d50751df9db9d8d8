//! Casts between the numbers of objects and their names: `regclass` and its kin print any object's name from its number,
//! and say of any name whether it exists, and no privilege covers that. So what is cast has to be a plain name that can
//! only mean what the session sees, or a column of a catalog; and the result may stand only where no constant or
//! parameter beside it becomes such a number itself: `COALESCE('pg_class'::regclass, '16400')` prints a name.

use pg_query::protobuf::{AExprKind, SetOperation};

use super::made_anew;
use super::origin::{Columns, NAMES, NUMBERS, Origins, Scope};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

/// Types that print as names.
const TYPES: &[&str] = &[
    "regclass",
    "regcollation",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// Functions that give a value of such a type.
const GIVING: &[&str] = &[
    "pg_typeof",
    "to_regclass",
    "to_regnamespace",
    "to_regoper",
    "to_regoperator",
    "to_regproc",
    "to_regprocedure",
    "to_regrole",
    "to_regtype",
];

/// Functions besides those of the wall that may be given one: none gives back the type it is given.
const TAKING: &[&str] =
    &["concat", "concat_ws", "format", "pg_function_is_visible", "pg_table_is_visible", "pg_type_is_visible"];

/// Types into which a value of such a type may be cast on.
const ONWARD: &[&str] = &["bpchar", "int4", "int8", "name", "oid", "text", "varchar"];

/// Operators that compare, and give true or false.
const COMPARING: &[&str] = &["<", "<=", "<>", "=", ">", ">="];

/// Numbers of the types that print as names, of arrays of them, and of those that hold roles' names: a parameter of
/// such a type would print, or look for, a name.
const TYPE_NUMBERS: &[u32] = &[
    24, 1008, 1033, 1034, 2202, 2203, 2204, 2205, 2206, 2207, 2208, 2209, 2210, 2211, 3734, 3735, 3769, 3770,
    4089, 4090, 4096, 4097, 4191, 4192,
];

/// Whether the type of this number prints names of objects: a Parse that gives a parameter such a type is refused.
pub fn is_name_type(oid: u32) -> bool {
    TYPE_NUMBERS.contains(&oid)
}

/// Judges every cast, call and type of the kind in a text.
pub(super) fn judge(rules: &Rules<'_>, root: &Tree) -> Result<(), Refusal> {
    let mut met = false;
    root.each_node(&mut |node| {
        met |= match node.name {
            "TypeName" => {
                node.name_parts("names").is_none_or(|parts| parts.last().is_none_or(|name| prints(name)))
            }
            "String" => GIVING.contains(&node.text("sval")),
            _ => false,
        };
    });
    // Most statements have nothing of the kind.
    if !met {
        return Ok(());
    }
    let origins = Origins::of(rules, root);
    Walk { rules, origins: &origins, scopes: Vec::new() }.tree(root, Stands { named: false, top: true })
}

fn prints(type_name: &str) -> bool {
    TYPES.contains(&type_name) || ["aclitem", "_aclitem", "regconfig", "regdictionary"].contains(&type_name)
}

/// Where an expression stands.
#[derive(Clone, Copy)]
struct Stands {
    /// Whether what prints a name may stand here.
    named: bool,
    /// Whether this is the statement itself, and not inside one.
    top: bool,
}

const INSIDE: Stands = Stands { named: false, top: false };
const NAMED: Stands = Stands { named: true, top: false };

struct Walk<'w, 't> {
    rules: &'w Rules<'w>,
    origins: &'w Origins<'t>,
    /// From the outside in.
    scopes: Vec<Scope<'t>>,
}

impl<'t> Walk<'_, 't> {
    fn tree(&mut self, tree: &'t Tree, stands: Stands) -> Result<(), Refusal> {
        match tree {
            Tree::Node(node) => self.node(node, stands),
            Tree::List(items) => items.iter().try_for_each(|item| self.tree(item, stands)),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => Ok(()),
        }
    }

    fn fields(&mut self, node: &'t Node, stands: Stands) -> Result<(), Refusal> {
        node.fields().try_for_each(|(_, value)| self.tree(value, stands))
    }

    fn node(&mut self, node: &'t Node, stands: Stands) -> Result<(), Refusal> {
        match node.name {
            "ParseResult" | "RawStmt" | "PrepareStmt" | "DeclareCursorStmt" | "CopyStmt" => {
                self.fields(node, stands)
            }
            "SelectStmt" | "InsertStmt" | "UpdateStmt" | "DeleteStmt" => self.statement(node, stands.top),
            "TypeCast" => self.cast(node, stands),
            "TypeName" if prints_names(node) => Err(refused("the type may be used in casts alone")),
            "FuncCall" => self.call(node, stands),
            "AExpr" => self.operator(node),
            "SortBy" | "NullTest" => self.fields(node, NAMED),
            "ColumnRef" | "AIndirection" => self.after_a_dot(node),
            _ => self.fields(node, INSIDE),
        }
    }

    /// Only the columns of the whole statement's answer may print names: those of a part of it could meet constants.
    fn statement(&mut self, statement: &'t Node, top: bool) -> Result<(), Refusal> {
        let alone = [SetOperation::SetopNone as i64, SetOperation::Undefined as i64];
        let top = top
            && statement.name == "SelectStmt"
            && matches!(statement.get("op"), Tree::Int(op) if alone.contains(op));
        self.scopes.push(self.origins.scope(statement));
        for (key, value) in statement.fields() {
            match key {
                "target_list" if top => self.targets(value)?,
                _ => self.tree(value, INSIDE)?,
            }
        }
        self.scopes.pop();
        Ok(())
    }

    fn targets(&mut self, targets: &'t Tree) -> Result<(), Refusal> {
        let Tree::List(items) = targets else { return Ok(()) };
        items.iter().filter_map(Tree::node).try_for_each(|target| self.tree(target.get("val"), NAMED))
    }

    fn cast(&mut self, cast: &'t Node, stands: Stands) -> Result<(), Refusal> {
        let Some(to) = cast.node("type_name") else { return Err(refused("a cast without a type")) };
        if !prints_names(to) {
            let onward = to
                .name_parts("names")
                .is_some_and(|parts| parts.last().is_some_and(|name| ONWARD.contains(name)));
            self.tree(cast.get("type_name"), INSIDE)?;
            return self.tree(
                cast.get("arg"),
                if onward && to.list("array_bounds").is_empty() { NAMED } else { INSIDE },
            );
        }
        if !stands.named {
            return Err(out_of_place());
        }
        let parts = to.name_parts("names").unwrap_or_default();
        let type_name = parts.last().copied().unwrap_or_default();
        if !TYPES.contains(&type_name) || !to.list("array_bounds").is_empty() {
            return Err(refused("the type may not be named"));
        }
        match self.may_be_cast(type_name, cast.get("arg")) {
            true => Ok(()),
            false => Err(refused(
                "only a plain name of what this session sees, or a column of a catalog, may be cast",
            )),
        }
    }

    /// Whether what is cast can only mean what the session sees.
    fn may_be_cast(&self, type_name: &str, argument: &'t Tree) -> bool {
        let Some(node) = argument.node() else { return false };
        match node.name {
            "AConst" if node.flag("isnull") => true,
            "AConst" => node
                .node("val")
                .filter(|value| value.name == "String")
                .is_some_and(|value| self.is_seen(type_name, value.text("sval"))),
            "ColumnRef" => self.is_from(node, NUMBERS),
            "TypeCast" => {
                let parts = node.node("type_name").and_then(|to| to.name_parts("names")).unwrap_or_default();
                let plain =
                    parts.last().is_some_and(|name| ["oid", "text", "varchar", "name"].contains(name));
                plain && self.may_be_cast(type_name, node.get("arg"))
            }
            "FuncCall" => type_name == "regclass" && self.is_put_together(node),
            _ => false,
        }
    }

    /// `format('%I.%I', c.table_schema, c.table_name)`, with which tools get from a name to a number.
    fn is_put_together(&self, call: &'t Node) -> bool {
        let name = call.name_parts("funcname").unwrap_or_default();
        let pattern = call.list("args").first().and_then(Tree::node).and_then(|first| first.node("val"));
        let rest = call.list("args").get(1..).unwrap_or_default();
        matches!(name.as_slice(), ["format"] | ["pg_catalog", "format"])
            && pattern.is_some_and(|pattern| pattern.text("sval") == "%I.%I")
            && rest.len() == 2
            && rest.iter().filter_map(Tree::node).all(|part| match part.name {
                "TypeCast" => part.node("arg").is_some_and(|arg| self.is_from(arg, NAMES)),
                _ => self.is_from(part, NAMES),
            })
    }

    fn is_from(&self, column: &'t Node, columns: Columns) -> bool {
        let scopes: Vec<&Scope<'t>> = self.scopes.iter().collect();
        column.name == "ColumnRef" && self.origins.is_from(&scopes, column, columns)
    }

    /// Whether a name can only mean something that PostgreSQL brought or the profile shows. Without a schema it is
    /// looked up in those two places and no other.
    fn is_seen(&self, type_name: &str, name: &str) -> bool {
        let fits = name.chars().all(|c| c.is_alphanumeric() || "_$ .\"(),[]<>=!~|&@#^*/+-%".contains(c));
        let begins =
            name.chars().next().is_some_and(|c| !c.is_ascii_digit() && !c.is_whitespace() && c != '-');
        if !fits || !begins || name.matches('.').count() > 1 {
            return false;
        }
        let bare = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
            Some(quoted) => quoted.to_owned(),
            None => part.to_ascii_lowercase(),
        };
        let ours = |schema: &str| {
            ["pg_catalog", "information_schema"].contains(&schema) || schema == self.rules.schema
        };
        match (type_name, name.split_once('.')) {
            ("regrole", _) => false,
            ("regnamespace", None) => ours(&bare(name)) || bare(name) == "pg_toast",
            ("regnamespace", Some(_)) => false,
            (_, None) => true,
            (_, Some((schema, _))) => !schema.contains('(') && ours(&bare(schema)),
        }
    }

    fn call(&mut self, call: &'t Node, stands: Stands) -> Result<(), Refusal> {
        let parts = call.name_parts("funcname").unwrap_or_default();
        let name = parts.last().copied().unwrap_or_default();
        if GIVING.contains(&name) && !stands.named {
            return Err(out_of_place());
        }
        let takes = (made_anew(name) || TAKING.contains(&name)) && !GIVING.contains(&name);
        for (key, value) in call.fields() {
            match key {
                "args" if takes => self.tree(value, NAMED)?,
                "funcname" => {}
                _ => self.tree(value, INSIDE)?,
            }
        }
        Ok(())
    }

    /// A parameter that is compared takes the type of what it is compared with, wherever else it stands.
    fn operator(&mut self, expression: &'t Node) -> Result<(), Refusal> {
        let kinds = [AExprKind::AexprOp, AExprKind::AexprIn, AExprKind::AexprOpAny].map(|kind| kind as i64);
        let compares = expression
            .name_parts("name")
            .is_some_and(|parts| parts.last().is_some_and(|name| COMPARING.contains(name)))
            && matches!(expression.get("kind"), Tree::Int(kind) if kinds.contains(kind));
        let sides = [expression.get("lexpr"), expression.get("rexpr")];
        let stands = if compares && !sides.iter().any(|side| takes_a_type(side)) { NAMED } else { INSIDE };
        for side in sides {
            match side.node() {
                Some(list) if list.name == "List" || list.name == "AArrayExpr" => {
                    self.fields(list, stands)?
                }
                _ => self.tree(side, stands)?,
            }
        }
        Ok(())
    }

    /// `(x).f` and `t.f` may be calls of `f`.
    fn after_a_dot(&mut self, node: &'t Node) -> Result<(), Refusal> {
        let key = if node.name == "ColumnRef" { "fields" } else { "indirection" };
        let names = node.list(key).iter().filter_map(Tree::node).map(|field| field.text("sval"));
        if names.into_iter().any(|name| GIVING.contains(&name)) {
            return Err(out_of_place());
        }
        self.fields(node, INSIDE)
    }
}

/// Whether a parameter is in it whose type PostgreSQL takes from what is around. One that is cast, or given to a
/// function, has its type from there.
fn takes_a_type(tree: &Tree) -> bool {
    match tree {
        Tree::Node(node) => match node.name {
            "ParamRef" => true,
            "TypeCast" | "FuncCall" => false,
            _ => node.fields().any(|(_, value)| takes_a_type(value)),
        },
        Tree::List(items) => items.iter().any(takes_a_type),
        Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => false,
    }
}

fn prints_names(type_name: &Node) -> bool {
    type_name.name_parts("names").is_none_or(|parts| parts.last().is_none_or(|name| prints(name)))
}

fn refused(what: &str) -> Refusal {
    Refusal::new(
        "object-name",
        format!("a cast to the name of an object: {what}"),
        "a constant such as 'pg_class'::regclass, or a column such as c.oid::regclass in a statement over catalogs alone",
    )
}

fn out_of_place() -> Refusal {
    Refusal::new(
        "object-name",
        "what prints the name of an object may not stand here",
        "put it among the columns of the answer, compare it with something that is no parameter, or cast it to text",
    )
}
