//! What a profile compiles to: for each table a plain view, the columns that its owner has to read, and the row-level
//! security that holds for that owner on the base table. The text is written as PostgreSQL itself prints it, so that
//! `drift` compares it with the live definition. Not here: the statements around it (`profile`).
//!
//! The views are plain and not `security_barrier`: a barrier blocks index joins, and a plain view's own filter leaks
//! to cheap functions. Rows are held back by row-level security below the view, where nothing of the reader's runs
//! first unless it is leakproof.

use std::collections::{BTreeMap, BTreeSet};

use policy::{Bundle, Disclosure, Profile, ProfileTable, RowRule, Table, Value};

use crate::names::{LINK, OWN_SCHEMA, PSEUDONYM_SCHEMA, literal, quoted, relation};
use crate::{WallError, mask};

/// A profile, compiled. Names are clear text, SQL is SQL.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    /// View name → its SELECT.
    pub(crate) views: BTreeMap<String, String>,
    /// (schema, relation) → columns that the views and policies read.
    pub(crate) reads: BTreeMap<(String, String), BTreeSet<String>>,
    /// Base table → the rows that the owner may see, an SQL condition.
    pub(crate) rows: BTreeMap<String, String>,
    /// The masks that the views call; whoever reads a view needs EXECUTE.
    pub(crate) masks: BTreeMap<&'static str, &'static mask::Mask>,
}

/// Compiles a profile of this bundle.
pub(crate) fn compile(bundle: &Bundle, profile: &Profile) -> Result<Compiled, WallError> {
    let mut compiled = Compiled::default();
    for shown in &profile.tables {
        let table = known(bundle, &shown.table)?;
        let view = view(bundle, profile, table, shown, &mut compiled)?;
        compiled.views.insert(shown.table.clone(), view);
        let condition = condition(bundle, table, &shown.rows, &mut compiled)?;
        compiled.rows.insert(shown.table.clone(), condition);
    }
    allow_parents(bundle, profile, &mut compiled)?;
    Ok(compiled)
}

fn known<'a>(bundle: &'a Bundle, table: &str) -> Result<&'a Table, WallError> {
    bundle.catalog().table(table).ok_or_else(|| WallError::Unknown { what: table.to_owned() })
}

fn view(
    bundle: &Bundle,
    profile: &Profile,
    table: &Table,
    shown: &ProfileTable,
    compiled: &mut Compiled,
) -> Result<String, WallError> {
    let mut columns = Vec::new();
    let mut joined = false;
    let schema = &bundle.catalog().schema;
    for column in &shown.columns {
        let name = &column.name;
        match column.disclosure {
            Disclosure::Clear => columns.push(format!("t.\"{name}\"")),
            Disclosure::Masked => {
                let no_mask = || WallError::NoMask { column: format!("{}.{name}", table.name) };
                let mask = mask::of(column).ok_or_else(no_mask)?;
                compiled.masks.insert(mask.name, mask);
                columns.push(format!("{OWN_SCHEMA}.{}(t.\"{name}\") AS \"{name}\"", mask.name));
            }
            Disclosure::Pseudonym if !shown.writes.is_none() => {
                return Err(WallError::NotWritable { table: table.name.clone() });
            }
            Disclosure::Pseudonym if *name == table.subject_key => {
                joined = true;
                columns.push(format!("p.token AS \"{name}\""));
                // The token itself is read from its own table below.
                continue;
            }
            Disclosure::Pseudonym => {
                return Err(WallError::NoPseudonym { column: format!("{}.{name}", table.name) });
            }
        }
        compiled.read(schema, &table.name, [name.as_str()]);
    }
    let mut from = format!("FROM {} t", relation(schema, &table.name));
    if joined {
        let scope = profile.pseudonym_scope.as_deref();
        let scope = scope.ok_or_else(|| WallError::NoPseudonym { column: table.name.clone() })?;
        from = join(bundle, table, scope, compiled);
    }
    Ok(format!("SELECT {} {from}", columns.join(", ")))
}

/// A subject without a token shows NULL, never its key, which the owner cannot even read.
fn join(bundle: &Bundle, table: &Table, scope: &str, compiled: &mut Compiled) -> String {
    let schema = &bundle.catalog().schema;
    compiled.read(schema, &table.name, [LINK, table.home.as_str()]);
    compiled.read(PSEUDONYM_SCHEMA, scope, ["subject", "home", "token"]);
    format!(
        "FROM ({} t LEFT JOIN {} p ON (((p.subject = t.{LINK}) AND (p.home = t.\"{}\"))))",
        relation(schema, &table.name),
        relation(PSEUDONYM_SCHEMA, scope),
        table.home
    )
}

/// The rows that a rule selects. Only operators, so that no function of anybody's takes part.
fn condition(
    bundle: &Bundle,
    table: &Table,
    rule: &RowRule,
    compiled: &mut Compiled,
) -> Result<String, WallError> {
    let schema = &bundle.catalog().schema;
    match rule {
        RowRule::All => Ok("true".to_owned()),
        RowRule::Equals { column, value } => {
            compiled.read(schema, &table.name, [column.as_str()]);
            Ok(format!("(\"{column}\" = {})", constant(value)))
        }
        RowRule::Subjects { scope } => {
            let parent = known(bundle, &bundle.catalog().subject_table)?;
            let (column, value) = equals(parent, scope)?;
            compiled.read(schema, &table.name, [LINK, table.home.as_str()]);
            compiled.read(schema, &parent.name, [LINK, parent.home.as_str(), column]);
            let own = quoted(&table.name);
            // An alias that no table can have: tables are in lower case.
            Ok(format!(
                "(EXISTS ( SELECT 1 FROM {} \"S\" WHERE ((\"S\".{LINK} = {own}.{LINK}) \
                 AND (\"S\".\"{}\" = {own}.\"{}\") AND (\"S\".\"{column}\" = {}))))",
                relation(schema, &parent.name),
                parent.home,
                table.home,
                constant(value)
            ))
        }
    }
}

/// Row-level security holds for the owner inside its own policies as well: where it may see a table's rows by way of
/// their subjects, it has to see those subjects, even when the profile shows nothing of them.
fn allow_parents(bundle: &Bundle, profile: &Profile, compiled: &mut Compiled) -> Result<(), WallError> {
    let parent = known(bundle, &bundle.catalog().subject_table)?;
    if compiled.rows.contains_key(&parent.name) {
        return Ok(());
    }
    let scopes: BTreeSet<&str> = profile
        .tables
        .iter()
        .filter_map(|table| match &table.rows {
            RowRule::Subjects { scope } => Some(scope.as_str()),
            RowRule::All | RowRule::Equals { .. } => None,
        })
        .collect();
    let mut conditions = Vec::new();
    for scope in scopes {
        let (column, value) = equals(parent, scope)?;
        conditions.push(format!("(\"{column}\" = {})", constant(value)));
    }
    if let [only] = conditions.as_slice() {
        compiled.rows.insert(parent.name.clone(), only.clone());
    } else if !conditions.is_empty() {
        compiled.rows.insert(parent.name.clone(), format!("({})", conditions.join(" OR ")));
    }
    Ok(())
}

fn equals<'a>(parent: &'a Table, scope: &str) -> Result<(&'a str, &'a Value), WallError> {
    match parent.scope(scope).map(|scope| &scope.rule) {
        Some(RowRule::Equals { column, value }) => Ok((column, value)),
        _ => Err(WallError::Unknown { what: format!("{}, scope {scope}", parent.name) }),
    }
}

/// A constant as PostgreSQL prints it back.
fn constant(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) if i32::try_from(*value).is_err() => format!("'{value}'::bigint"),
        Value::Integer(value) if *value < 0 => format!("'{value}'::integer"),
        Value::Integer(value) => value.to_string(),
        Value::Text(value) => format!("{}::text", literal(value)),
    }
}

impl Compiled {
    fn read<'a>(&mut self, schema: &str, table: &str, columns: impl IntoIterator<Item = &'a str>) {
        let read = self.reads.entry((schema.to_owned(), table.to_owned())).or_default();
        read.extend(columns.into_iter().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use policy::Value;

    use super::constant;
    use crate::drift::normal;

    #[test]
    fn constants_are_as_postgresql_prints_them() {
        let check = |value: Value, expected: &str| assert_eq!(constant(&value), expected);
        check(Value::Boolean(true), "true");
        check(Value::Integer(5), "5");
        check(Value::Integer(-5), "'-5'::integer");
        check(Value::Integer(3_000_000_000), "'3000000000'::bigint");
        check(Value::Integer(-3_000_000_000), "'-3000000000'::bigint");
        check(Value::Text("de".to_owned()), "'de'::text");
        check(Value::Text("o'r".to_owned()), "'o''r'::text");
    }

    #[test]
    fn definitions_are_compared_without_what_varies() {
        let check = |sql: &str, expected: &str| assert_eq!(normal(sql), expected);
        check(
            "SELECT t.\"id\",\n    f(t.x) AS x\n   FROM data.users t;",
            "SELECT id, f(x) AS x FROM data.users t",
        );
        check("SELECT at.x FROM at", "SELECT at.x FROM at");
    }
}
