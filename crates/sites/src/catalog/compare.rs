//! A live schema against a catalog: what is new, missing or of another type. A new column is withheld as it is; it is
//! reported so that somebody says what it holds. Not here: roles, views and grants of a site, which `wall` compares.

use std::collections::BTreeSet;
use std::fmt;

use policy::{Catalog, ColumnType, Table};
use serde::Serialize;

use super::plain_name;
use super::propose::catalog_type;
use super::read::{Live, LiveColumn, LiveTable, TableKind};

/// Columns that the wall adds to every table.
const OWN_PREFIX: &str = "trefoil_";

/// How a live schema differs from the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In the database only; withheld.
    NewColumn,
    /// In the database only; withheld.
    NewTable,
    /// In the catalog only.
    MissingColumn,
    /// In the catalog only.
    MissingTable,
    /// The database's type holds more than the catalog's.
    WidenedType,
    /// Another type.
    OtherType,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What is different.
    pub kind: Kind,
    /// `table` or `table.column`, as the database or else the catalog has it.
    pub object: String,
    /// As the catalog has it: a type.
    pub expected: Option<String>,
    /// As the database has it: a type, or what a table is.
    pub found: Option<String>,
    /// What to do.
    pub advice: String,
}

impl Difference {
    /// Whether it is in the database only, and so withheld.
    pub const fn is_new(&self) -> bool {
        matches!(self.kind, Kind::NewColumn | Kind::NewTable)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        let (expected, found) =
            (self.expected.as_deref().unwrap_or("-"), self.found.as_deref().unwrap_or("-"));
        match self.kind {
            Kind::NewColumn => {
                write!(f, "new column {object} ({found}), withheld from everybody: {}", self.advice)
            }
            Kind::NewTable => write!(f, "new {found} {object}, withheld from everybody: {}", self.advice),
            Kind::MissingColumn => write!(f, "missing column {object} ({expected}): {}", self.advice),
            Kind::MissingTable => write!(f, "missing table {object}: {}", self.advice),
            Kind::WidenedType => {
                write!(f, "widened type of {object}, from {expected} to {found}: {}", self.advice)
            }
            Kind::OtherType => {
                write!(f, "other type of {object}, {found} and not {expected}: {}", self.advice)
            }
        }
    }
}

/// Every difference, tables in the order of the catalog, then what is new.
pub fn compare(live: &Live, catalog: &Catalog) -> Vec<Difference> {
    let of_catalog = live.tables.iter().any(|table| table.schema == catalog.schema);
    // In an enclave the tables are in the catalog's schema; a database that was only scanned has its own.
    let tables: Vec<&LiveTable> =
        live.tables.iter().filter(|table| !of_catalog || table.schema == catalog.schema).collect();
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    for table in &catalog.tables {
        let one = tables.iter().position(|live| plain_name(&live.name) == table.name && is_kept(live));
        let Some((place, live)) = one.and_then(|place| Some((place, tables.get(place)?))) else {
            found.push(Difference {
                kind: Kind::MissingTable,
                object: table.name.clone(),
                expected: Some("table".to_owned()),
                found: None,
                advice: "make it, or take it out of the catalog".to_owned(),
            });
            continue;
        };
        known.insert(place);
        compare_table(table, live, &mut found);
    }
    let new =
        tables.iter().enumerate().filter(|(place, _)| !known.contains(place)).map(|(_, table)| Difference {
            kind: Kind::NewTable,
            object: table.full_name(),
            expected: None,
            found: Some(table.kind.as_str().to_owned()),
            advice: "say in the catalog what it holds, if anybody is to see it".to_owned(),
        });
    found.extend(new);
    found
}

/// A view is no place where rows are kept.
const fn is_kept(table: &LiveTable) -> bool {
    matches!(table.kind, TableKind::Table | TableKind::Partitioned)
}

fn compare_table(table: &Table, live: &LiveTable, found: &mut Vec<Difference>) {
    let name = live.full_name();
    for column in &table.columns {
        let Some(one) = live.columns.iter().find(|one| plain_name(&one.name) == column.name) else {
            found.push(Difference {
                kind: Kind::MissingColumn,
                object: format!("{name}.{}", column.name),
                expected: Some(column.data_type.to_string()),
                found: None,
                advice: "add it, or take it out of the catalog".to_owned(),
            });
            continue;
        };
        found.extend(compare_type(&name, column.data_type, one));
    }
    for column in &live.columns {
        let listed = table.columns.iter().any(|one| one.name == plain_name(&column.name));
        if !listed && !column.name.starts_with(OWN_PREFIX) {
            found.push(Difference {
                kind: Kind::NewColumn,
                object: format!("{name}.{}", column.name),
                expected: None,
                found: Some(column.data_type.clone()),
                advice: "say in the catalog what it holds, if anybody is to see it".to_owned(),
            });
        }
    }
}

fn compare_type(table: &str, expected: ColumnType, live: &LiveColumn) -> Option<Difference> {
    let found = catalog_type(&live.base_type, &live.type_kind);
    if found == Some(expected) {
        return None;
    }
    let numbers = matches!(live.base_type.as_str(), "int8" | "numeric" | "float8");
    let wider = match expected {
        ColumnType::Integer | ColumnType::Bigint => numbers || found == Some(ColumnType::Text),
        ColumnType::Date => matches!(found, Some(ColumnType::Timestamptz | ColumnType::Text)),
        ColumnType::Boolean | ColumnType::Timestamptz => found == Some(ColumnType::Text),
        ColumnType::Text => {
            matches!(live.base_type.as_str(), "json" | "jsonb" | "xml" | "bytea")
                || live.base_type.starts_with('_')
        }
    };
    Some(Difference {
        kind: if wider { Kind::WidenedType } else { Kind::OtherType },
        object: format!("{table}.{}", live.name),
        expected: Some(expected.to_string()),
        found: Some(live.data_type.clone()),
        advice: "judge the column anew: what it may hold has changed".to_owned(),
    })
}
