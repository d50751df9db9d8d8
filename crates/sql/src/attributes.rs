//! Names after a dot. PostgreSQL reads `(x).f`, and `t.f` where `t` is a function in FROM, as the call `f(x)` when
//! there is no such column: `select g.pg_sleep from generate_series(9, 9) g` sleeps. Such a name is therefore judged
//! as a function, unless it is certainly a column.

use crate::functions;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};

/// Result columns of functions on the list, none of which is the name of a function that is not.
const RESULT_COLUMNS: &[&str] = &[
    "grantee",
    "grantor",
    "is_grantable",
    "key",
    "n",
    "option_name",
    "option_value",
    "ordinality",
    "privilege_type",
    "value",
    "word",
    "x",
];

/// A function in FROM: the name under which it is referred to, and its columns as far as the statement names them.
struct Source {
    name: String,
    columns: Vec<String>,
}

/// Judges every name after a dot.
pub(crate) fn judge(rules: &Rules<'_>, tree: &Tree) -> Result<(), Refusal> {
    let (mut sources, mut dotted, mut references) = (Vec::new(), Vec::new(), Vec::new());
    tree.each_node(&mut |node| match node.name {
        "RangeFunction" => sources.push(source(node)),
        "AIndirection" => {
            dotted.extend(node.list("indirection").iter().filter_map(Tree::node).filter(is_name))
        }
        "ColumnRef" => references.push(node),
        _ => {}
    });
    let sources: Vec<Source> = sources.into_iter().collect::<Option<_>>().ok_or_else(unnamed)?;
    let shown = |name: &str| rules.relations.values().any(|columns| columns.contains(&name));
    if let Some(name) = dotted.iter().map(|node| node.text("sval")).find(|name| !known(name) && !shown(name))
    {
        return Err(refused(name));
    }
    references.into_iter().find_map(|column| reference(&sources, column)).map_or(Ok(()), Err)
}

fn is_name(node: &&Node) -> bool {
    node.name == "String"
}

fn known(name: &str) -> bool {
    RESULT_COLUMNS.contains(&name) || functions::allowed(&[name])
}

/// `t.f`: for every function in FROM that is called `t`, `f` must be one of its columns or a function on the list.
fn reference(sources: &[Source], column: &Node) -> Option<Refusal> {
    let names: Vec<&str> =
        column.list("fields").iter().filter_map(Tree::node).map(|n| n.text("sval")).collect();
    let [.., qualifier, name] = names.as_slice() else { return None };
    let mut same = sources.iter().filter(|source| source.name == *qualifier);
    let harmless =
        |source: &Source| source.name == *name || source.columns.iter().any(|column| column == name);
    // A star has no name and calls nothing.
    (!name.is_empty() && !known(name) && !same.all(harmless)).then(|| refused(name))
}

/// None when the name under which PostgreSQL would refer to it is not plain to see.
fn source(node: &Node) -> Option<Source> {
    let mut columns: Vec<String> = node
        .list("coldeflist")
        .iter()
        .filter_map(|column| column.node().map(|column| column.text("colname").to_owned()))
        .collect();
    if let Some(alias) = node.node("alias") {
        columns.extend(alias.name_parts("colnames")?.into_iter().map(str::to_owned));
        return Some(Source { name: alias.text("aliasname").to_owned(), columns });
    }
    let Some(Tree::List(first)) =
        node.list("functions").first().and_then(Tree::node).map(|list| list.get("items"))
    else {
        return None;
    };
    let call = first.first().and_then(Tree::node).filter(|call| call.name == "FuncCall")?;
    let name = call.name_parts("funcname")?.last().map(|name| (*name).to_owned())?;
    Some(Source { name, columns })
}

fn refused(name: &str) -> Refusal {
    Refusal::new(
        "function",
        format!(
            "\"{name}\" after a dot is not a column that is shown, and could call a function of that name"
        ),
        "name the column through an alias, as in (select x.a from (select …) as x(a))",
    )
}

fn unnamed() -> Refusal {
    Refusal::new(
        "function",
        "an expression in FROM has no name",
        "give it an alias, as in FROM current_date AS day",
    )
}
