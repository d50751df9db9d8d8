//! `catalog.toml` from its raw to its checked form. Not here: the types themselves (`catalog`).

mod references;

use std::collections::BTreeSet;

use references::Keys;

use super::{
    Catalog, Class, Column, ColumnType, Identifier, RowRule, SCOPE_ALL, Scope, Table, VALUE_BYTES_MAX, Value,
};
use crate::enclave::{check_name, check_new_name};
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawCatalog, RawColumn, RawScope, RawTable, RawValue, Text};

/// Columns that PostgreSQL gives every table.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];
/// How the columns begin that the wall adds to every table.
const OWN_PREFIX: &str = "trefoil_";

pub(crate) fn check(raw: RawCatalog, found: &mut Problems<'_>) -> Catalog {
    let schema_at = raw.schema.span();
    let schema = check_name(raw.schema, "schema", NameKind::Identifier, found);
    if ["public", "pseudonym", "tf_catalog", "information_schema"].contains(&schema.as_str())
        || schema.starts_with("pg_")
    {
        let problem = format!("`{schema}` is the name of a schema that exists already");
        found.at(schema_at, "schema", problem, "call the schema of the base tables something else");
    }
    let mut pseudonym_scopes = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, name) in raw.pseudonym_scopes.into_iter().enumerate() {
        let key = format!("pseudonym_scopes[{i}]");
        pseudonym_scopes.push(check_new_name(name, &key, NameKind::Name, &mut seen, found));
    }
    let subject_scopes = subject_scopes(&raw.tables, raw.subject_table.get_ref());
    let keys = Keys::of(&raw.tables);
    let mut seen = BTreeSet::new();
    let tables: Vec<Table> = raw
        .tables
        .into_iter()
        .enumerate()
        .map(|(i, table)| {
            let subjects = Subjects { table: raw.subject_table.get_ref(), scopes: &subject_scopes };
            check_table(table, &format!("tables[{i}]"), &subjects, &keys, &mut seen, found)
        })
        .collect();
    if !tables.iter().any(|table| &table.name == raw.subject_table.get_ref()) {
        let problem = format!("there is no table `{}`", raw.subject_table.get_ref());
        found.at(raw.subject_table.span(), "subject_table", problem, "use the name of one of `tables`");
    }
    Catalog { schema, subject_table: raw.subject_table.into_inner(), tables, pseudonym_scopes }
}

/// What other tables may refer to.
struct Subjects<'a> {
    table: &'a str,
    scopes: &'a BTreeSet<String>,
}

fn subject_scopes(tables: &[RawTable], subject_table: &str) -> BTreeSet<String> {
    let subject = tables.iter().filter(|table| table.name.get_ref() == subject_table);
    subject.flat_map(|table| &table.scopes).map(|scope| scope.name.get_ref().clone()).collect()
}

fn check_table(
    raw: RawTable,
    key: &str,
    subjects: &Subjects<'_>,
    keys: &Keys,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Table {
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Identifier, seen, found);
    let mut names = BTreeSet::new();
    let mut columns = Vec::new();
    for (i, column) in raw.columns.into_iter().enumerate() {
        columns.extend(check_column(column, &format!("{key}.columns[{i}]"), &mut names, found));
    }
    let is_subject = name == subjects.table;
    let keyed: &[Identifier] =
        if is_subject { &[Identifier::Subject] } else { &[Identifier::Subject, Identifier::Row] };
    check_key(&raw.key, &format!("{key}.key"), &columns, keyed, found);
    check_key(&raw.subject_key, &format!("{key}.subject_key"), &columns, &[Identifier::Subject], found);
    check_key(&raw.home, &format!("{key}.home"), &columns, &[Identifier::None], found);
    if is_subject && raw.key.get_ref() != raw.subject_key.get_ref() {
        let problem = "the subject table's key is not its subject_key".to_owned();
        found.at(
            raw.subject_key.span(),
            &format!("{key}.subject_key"),
            problem,
            "name the same column in both",
        );
    }
    let home = columns.iter().find(|column| &column.name == raw.home.get_ref());
    if home.is_some_and(|home| home.data_type != ColumnType::Text) {
        let problem = format!("`{}` cannot hold a site's name", raw.home.get_ref());
        found.at(raw.home.span(), &format!("{key}.home"), problem, "give the column the type `text`");
    }
    let mut scopes = vec![Scope { name: SCOPE_ALL.to_owned(), rule: RowRule::All }];
    let mut names = BTreeSet::from([SCOPE_ALL.to_owned()]);
    for (i, scope) in raw.scopes.into_iter().enumerate() {
        let key = format!("{key}.scopes[{i}]");
        let span = scope.name.span();
        let rule = check_rule(&scope, &key, &columns, subjects, is_subject, found);
        let name =
            check_new_name(scope.name, &format!("{key}.name"), NameKind::Identifier, &mut names, found);
        match rule {
            Some(rule) => scopes.push(Scope { name, rule }),
            None => found.at(
                span,
                &key,
                format!("scope `{name}` does not say which rows it selects"),
                "give either `column` and `equals`, or `subjects`",
            ),
        }
    }
    let references = references::check(raw.references.unwrap_or_default(), key, &columns, keys, found);
    let (key, subject_key, home) =
        (raw.key.into_inner(), raw.subject_key.into_inner(), raw.home.into_inner());
    Table { name, key, subject_key, home, columns, scopes, references }
}

fn check_column(
    raw: RawColumn,
    key: &str,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Option<Column> {
    let (name_at, type_at) = (raw.name.span(), raw.data_type.span());
    let data_type =
        check_word(&raw.data_type, &format!("{key}.type"), ColumnType::parse, ColumnType::ALL, found);
    let class = check_word(&raw.class, &format!("{key}.class"), Class::parse, Class::ALL, found);
    let identifier =
        check_word(&raw.identifier, &format!("{key}.identifier"), Identifier::parse, Identifier::ALL, found);
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Identifier, seen, found);
    if SYSTEM_COLUMNS.contains(&name.as_str()) || name.starts_with(OWN_PREFIX) {
        let problem = format!("`{name}` is a column that every table has already");
        found.at(name_at, &format!("{key}.name"), problem, "call the column something else");
    }
    let (data_type, class, identifier) = (data_type?, class?, identifier?);
    if !identifier.fits(data_type) {
        let problem = format!("`{name}` of type `{data_type}` cannot identify a `{identifier}`");
        found.at(type_at, &format!("{key}.type"), problem, "correct the type or the identifier");
    }
    Some(Column { name, data_type, class, identifier })
}

fn check_key(column: &Text, key: &str, columns: &[Column], allowed: &[Identifier], found: &mut Problems<'_>) {
    let Some(named) = columns.iter().find(|one| &one.name == column.get_ref()) else {
        let problem = format!("there is no column `{}`", column.get_ref());
        return found.at(column.span(), key, problem, "use the name of one of the table's columns");
    };
    if !allowed.contains(&named.identifier) {
        let words: Vec<_> = allowed.iter().map(|one| format!("`{one}`")).collect();
        let problem = format!("column `{}` identifies `{}`", named.name, named.identifier);
        found.at(
            column.span(),
            key,
            problem,
            format!("use a column whose identifier is {}", words.join(" or ")),
        );
    }
}

fn check_rule(
    raw: &RawScope,
    key: &str,
    columns: &[Column],
    subjects: &Subjects<'_>,
    is_subject: bool,
    found: &mut Problems<'_>,
) -> Option<RowRule> {
    match (&raw.column, &raw.equals, &raw.subjects) {
        (Some(column), Some(equals), None) => {
            let value = match equals.get_ref() {
                RawValue::Boolean(value) => Value::Boolean(*value),
                RawValue::Integer(value) => Value::Integer(*value),
                RawValue::Text(value) => Value::Text(value.clone()),
            };
            match columns.iter().find(|one| &one.name == column.get_ref()) {
                None => {
                    let problem = format!("there is no column `{}`", column.get_ref());
                    let remedy = "use the name of one of the table's columns";
                    found.at(column.span(), &format!("{key}.column"), problem, remedy);
                }
                Some(_) if !value.is_plain() => {
                    let remedy = format!("use at most {VALUE_BYTES_MAX} bytes without control characters");
                    found.at(
                        equals.span(),
                        &format!("{key}.equals"),
                        "the text cannot be compared".into(),
                        remedy,
                    );
                }
                Some(named) if !value.is_of(named.data_type) => {
                    let problem =
                        format!("column `{}` of type `{}` cannot equal it", named.name, named.data_type);
                    found.at(equals.span(), &format!("{key}.equals"), problem, "give a value of that type");
                }
                Some(_) => {}
            }
            Some(RowRule::Equals { column: column.get_ref().clone(), value })
        }
        (None, None, Some(scope)) => {
            if is_subject || !subjects.scopes.contains(scope.get_ref()) {
                let problem = format!("`{}` is no scope of the subject table", scope.get_ref());
                let remedy = format!("use a scope that `{}` declares, in another table", subjects.table);
                found.at(scope.span(), &format!("{key}.subjects"), problem, remedy);
            }
            Some(RowRule::Subjects { scope: scope.get_ref().clone() })
        }
        _ => None,
    }
}

/// One word of a closed list.
pub(crate) fn check_word<T: Copy + std::fmt::Display>(
    word: &Text,
    key: &str,
    parse: fn(&str) -> Option<T>,
    all: &[T],
    found: &mut Problems<'_>,
) -> Option<T> {
    let value = parse(word.get_ref());
    if value.is_none() {
        let words: Vec<_> = all.iter().map(T::to_string).collect();
        let problem = format!("`{}` is not known", word.get_ref().escape_debug());
        found.at(word.span(), key, problem, format!("use one of {}", words.join(", ")));
    }
    value
}
