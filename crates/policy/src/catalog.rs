//! The catalog: which tables and columns hold subjects' data, of which class, and which rows a scope selects. Read
//! from `catalog.toml`. Not here: the DDL that follows from it (crate `wall`), what is live at a site (drift).

use std::collections::BTreeSet;

use serde::Serialize;

use crate::enclave::{check_name, check_new_name};
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawCatalog, RawColumn, RawScope, RawTable, RawValue, Text};

/// The scope that selects every row. Each table has it, first.
pub const SCOPE_ALL: &str = "all";

/// Everything that is known about the tables of a site.
#[derive(Debug)]
#[non_exhaustive]
pub struct Catalog {
    /// Schema of the base tables.
    pub schema: String,
    /// The table with one row per subject; its key is the subject.
    pub subject_table: String,
    /// In the order of the file.
    pub tables: Vec<Table>,
    /// Names of the mappings from subjects to tokens, in the order in which `decide` tries them.
    pub pseudonym_scopes: Vec<String>,
}

/// A table, partitioned by `home`, with the primary key (`key`, `home`).
#[derive(Debug)]
#[non_exhaustive]
pub struct Table {
    /// Without the schema.
    pub name: String,
    /// The column that is the primary key together with `home`.
    pub key: String,
    /// The column that holds the subject's key (in the subject table: `key` itself).
    pub subject_key: String,
    /// The text column that holds the name of the row's home site.
    pub home: String,
    /// In the order of the file.
    pub columns: Vec<Column>,
    /// Widest first; the first is [`SCOPE_ALL`].
    pub scopes: Vec<Scope>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its PostgreSQL type.
    pub data_type: ColumnType,
    /// How protected it is.
    pub class: Class,
    /// Whom or what it identifies.
    pub identifier: Identifier,
}

/// A named selection of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// [`SCOPE_ALL`] or a name of the catalog.
    pub name: String,
    /// Which rows.
    pub rule: RowRule,
}

/// Which rows a scope selects. Closed, so that no SQL text comes from configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowRule {
    /// Every row.
    All,
    /// Rows whose column equals the value.
    Equals {
        /// Of the same table.
        column: String,
        /// Of the column's type.
        value: Value,
    },
    /// Rows of the subjects that this scope of the subject table selects.
    Subjects {
        /// Name of a scope of the subject table, never [`SCOPE_ALL`].
        scope: String,
    },
}

/// A constant of a row rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// For boolean columns.
    Boolean(bool),
    /// For bigint and integer columns.
    Integer(i64),
    /// For text columns. To be quoted by whoever writes SQL.
    Text(String),
}

words! {
    /// How protected a column is; later means more.
    Class {
        /// Anyone may know it.
        Public = "public",
        /// Not about a subject in particular.
        Internal = "internal",
        /// About a subject.
        Personal = "personal",
        /// Never shown outside the region.
        Restricted = "restricted",
    }
}

words! {
    /// Whom or what a column's values identify, which also chooses the mask.
    Identifier {
        /// Nothing by itself.
        None = "none",
        /// The subject's key: the one thing a pseudonym can stand for.
        Subject = "subject",
        /// A true name.
        Name = "name",
        /// A name in public use.
        Handle = "handle",
        /// An e-mail address.
        Email = "email",
        /// A telephone number.
        Phone = "phone",
        /// A bank account.
        Iban = "iban",
        /// A date that narrows down who it is.
        Date = "date",
        /// The key of a row that belongs to a subject.
        Row = "row",
    }
}

words! {
    /// A column's PostgreSQL type: the word is the type's name.
    ColumnType {
        /// 8 bytes, signed.
        Bigint = "bigint",
        /// 4 bytes, signed.
        Integer = "integer",
        /// UTF-8.
        Text = "text",
        /// A day.
        Date = "date",
        /// A moment.
        Timestamptz = "timestamptz",
        /// True or false.
        Boolean = "boolean",
    }
}

impl Identifier {
    /// Whether a clear value points at one subject (so it may not stand beside a pseudonym).
    pub const fn points_at_subject(self) -> bool {
        !matches!(self, Self::None | Self::Date)
    }

    /// Whether a column of this type can hold it.
    const fn fits(self, data_type: ColumnType) -> bool {
        use ColumnType::{Bigint, Date, Integer, Text, Timestamptz};
        match self {
            Self::None => true,
            Self::Subject | Self::Row => matches!(data_type, Bigint | Integer | Text),
            Self::Name | Self::Handle | Self::Email | Self::Phone | Self::Iban => matches!(data_type, Text),
            Self::Date => matches!(data_type, Date | Timestamptz),
        }
    }
}

impl Column {
    /// Whether a mask exists: dates are masked to their year, text by what it identifies; numbers have none.
    pub const fn has_mask(&self) -> bool {
        use ColumnType::{Date, Text, Timestamptz};
        matches!(self.data_type, Text | Date | Timestamptz)
            && !matches!(self.identifier, Identifier::Subject | Identifier::Row)
    }

    /// Whether a pseudonym can stand for it.
    pub const fn has_pseudonym(&self) -> bool {
        matches!(self.identifier, Identifier::Subject)
    }
}

impl Catalog {
    /// The table with this name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

impl Table {
    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The scope with this name.
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }
}

pub(crate) fn check(raw: RawCatalog, found: &mut Problems<'_>) -> Catalog {
    let schema_at = raw.schema.span();
    let schema = check_name(raw.schema, "schema", NameKind::Identifier, found);
    if ["public", "pseudonym", "information_schema"].contains(&schema.as_str()) || schema.starts_with("pg_") {
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
    let mut seen = BTreeSet::new();
    let tables: Vec<Table> = raw
        .tables
        .into_iter()
        .enumerate()
        .map(|(i, table)| {
            let subjects = Subjects { table: raw.subject_table.get_ref(), scopes: &subject_scopes };
            check_table(table, &format!("tables[{i}]"), &subjects, &mut seen, found)
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
    let (key, subject_key, home) =
        (raw.key.into_inner(), raw.subject_key.into_inner(), raw.home.into_inner());
    Table { name, key, subject_key, home, columns, scopes }
}

fn check_column(
    raw: RawColumn,
    key: &str,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Option<Column> {
    let type_at = raw.data_type.span();
    let data_type =
        check_word(&raw.data_type, &format!("{key}.type"), ColumnType::parse, ColumnType::ALL, found);
    let class = check_word(&raw.class, &format!("{key}.class"), Class::parse, Class::ALL, found);
    let identifier =
        check_word(&raw.identifier, &format!("{key}.identifier"), Identifier::parse, Identifier::ALL, found);
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Identifier, seen, found);
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

impl Value {
    const fn is_of(&self, data_type: ColumnType) -> bool {
        match self {
            Self::Boolean(_) => matches!(data_type, ColumnType::Boolean),
            Self::Integer(_) => matches!(data_type, ColumnType::Bigint | ColumnType::Integer),
            Self::Text(_) => matches!(data_type, ColumnType::Text),
        }
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
