//! Profiles: what a decision discloses, by name and by hash. Not here: how it is decided (`decide`), which profiles are
//! refused (`lint`), and the views and roles that enforce them (crate `wall`).

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::catalog::{Class, Column, ColumnType, Identifier, RowRule};

words! {
    /// How much of a column is shown. A withheld column is absent; later means less.
    Disclosure {
        /// As it is stored.
        Clear = "clear",
        /// Reduced by the mask of its identifier or type.
        Masked = "masked",
        /// A random token that stands for the subject within one pseudonym scope.
        Pseudonym = "pseudonym",
    }
}

/// How many of a profile's hexadecimal digits name what belongs to it at the sites.
const SHORT_DIGITS: usize = 16;

/// SHA-256 of a profile's name and everything it discloses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProfileHash(pub [u8; 32]);

impl ProfileHash {
    /// The digits by which what belongs to a profile is named at the sites.
    pub fn short(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(SHORT_DIGITS);
        digits
    }

    /// The schema of the relations that `COPY … FROM` of a profile goes to, one of the name of each table that the
    /// profile inserts into. A plain view takes rows from INSERT and none from COPY.
    pub fn copy_schema(&self) -> String {
        format!("tw_{}", self.short())
    }
}

/// SHA-256 of a bundle's files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyHash(pub [u8; 32]);

macro_rules! hex_display {
    ($($name:ident),+) => { $(
        /// 64 lower-case hexadecimal digits.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )+ };
}
hex_display!(ProfileHash, PolicyHash);

/// Everything that somebody may see, under a stable name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// Of the enclave's profiles; also the name of its schema.
    pub name: String,
    /// Changes with everything below.
    pub hash: ProfileHash,
    /// The tables of which something is shown, in the catalog's order.
    pub tables: Vec<ProfileTable>,
    /// The mapping that its pseudonyms come from; present exactly when a column is a pseudonym.
    pub pseudonym_scope: Option<String>,
}

/// What is shown of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileTable {
    // Fields in alphabetical order: see `Hashed`.
    /// At least one, in the catalog's order.
    pub columns: Vec<ProfileColumn>,
    /// What the scope meant when the profile was compiled.
    pub rows: RowRule,
    /// Name of the row scope.
    pub scope: String,
    /// Name of the table.
    pub table: String,
    /// What may be written. Left out of the hash when it is nothing.
    #[serde(skip_serializing_if = "Writes::is_none")]
    pub writes: Writes,
}

/// What may be written of a table: the names of columns, in the catalog's order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Writes {
    // Fields in alphabetical order: see `Hashed`.
    /// Whether rows may be deleted.
    pub delete: bool,
    /// The columns that a new row may be given.
    pub insert: Vec<String>,
    /// The columns of a row that may be changed.
    pub update: Vec<String>,
}

/// What is shown of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileColumn {
    /// Of the catalog.
    pub class: Class,
    /// Of the catalog.
    pub data_type: ColumnType,
    /// How much is shown.
    pub disclosure: Disclosure,
    /// Of the catalog.
    pub identifier: Identifier,
    /// Name of the column.
    pub name: String,
}

/// What is hashed. Serialised with keys in alphabetical order, no spaces, and ASCII names only, which makes it the
/// canonical JSON of RFC 8785; a test compares it with a sorted map.
#[derive(Serialize)]
struct Hashed<'a> {
    name: &'a str,
    pseudonym_scope: Option<&'a str>,
    tables: &'a [ProfileTable],
}

/// What a decision discloses, before it is known under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disclosed {
    pub(crate) tables: Vec<ProfileTable>,
    pub(crate) pseudonym_scope: Option<String>,
}

impl Disclosed {
    pub(crate) fn is(&self, profile: &Profile) -> bool {
        self.tables == profile.tables && self.pseudonym_scope == profile.pseudonym_scope
    }

    pub(crate) fn named(self, name: &str) -> Result<Profile, serde_json::Error> {
        let hashed = Hashed { name, pseudonym_scope: self.pseudonym_scope.as_deref(), tables: &self.tables };
        let hash = ProfileHash(Sha256::digest(serde_json::to_vec(&hashed)?).into());
        let Self { tables, pseudonym_scope } = self;
        Ok(Profile { name: name.to_owned(), hash, tables, pseudonym_scope })
    }
}

impl Profile {
    /// What is shown of the table with this name.
    pub fn table(&self, name: &str) -> Option<&ProfileTable> {
        self.tables.iter().find(|table| table.table == name)
    }

    /// Whether everything that is shown is shown as it is stored.
    pub fn all_clear(&self) -> bool {
        self.columns().all(|(_, column)| column.disclosure == Disclosure::Clear)
    }

    /// Whether anything may be written.
    pub fn writes(&self) -> bool {
        self.tables.iter().any(|table| !table.writes.is_none())
    }

    /// The classes of all columns that are shown, however little of them.
    pub fn classes(&self) -> BTreeSet<Class> {
        self.columns().map(|(_, column)| column.class).collect()
    }

    /// Whether whoever has it writes nothing.
    pub fn only_reads(&self) -> bool {
        self.tables.iter().all(|table| table.writes.is_none())
    }

    /// Every column that is shown, with its table's name.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &ProfileColumn)> {
        self.tables.iter().flat_map(|table| table.columns.iter().map(|column| (table.table.as_str(), column)))
    }
}

impl ProfileTable {
    /// What is shown of the column with this name.
    pub fn column(&self, name: &str) -> Option<&ProfileColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Writes {
    /// Whether nothing may be written.
    pub const fn is_none(&self) -> bool {
        !self.delete && self.insert.is_empty() && self.update.is_empty()
    }
}

impl ProfileColumn {
    pub(crate) fn new(column: &Column, disclosure: Disclosure) -> Self {
        let Column { name, data_type, class, identifier } = column.clone();
        Self { class, data_type, disclosure, identifier, name }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    /// RFC 8785 for what profiles contain: keys sorted, no spaces, plain strings.
    fn canonical(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(fields) => {
                let mut keys: Vec<_> = fields.iter().collect();
                keys.sort_by_key(|(key, _)| key.encode_utf16().collect::<Vec<_>>());
                let fields = keys.iter().map(|(key, value)| format!("\"{key}\":{}", canonical(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    #[test]
    fn what_is_hashed_is_canonical() {
        let column = |name: &str, disclosure| ProfileColumn {
            class: Class::Personal,
            data_type: ColumnType::Bigint,
            disclosure,
            identifier: Identifier::Subject,
            name: name.to_owned(),
        };
        let rule = RowRule::Equals { column: "consent".into(), value: crate::catalog::Value::Boolean(true) };
        let table = |rows| ProfileTable {
            columns: vec![column("id", Disclosure::Pseudonym), column("other", Disclosure::Clear)],
            rows,
            scope: "consented".into(),
            table: "users".into(),
            writes: Writes::default(),
        };
        let mut written = table(RowRule::All);
        written.writes = Writes { delete: true, insert: vec!["id".into()], update: Vec::new() };
        let tables = [table(rule), written, table(RowRule::Subjects { scope: "x".into() })];
        let hashed = Hashed { name: "analytics", pseudonym_scope: Some("analytics"), tables: &tables };
        let bytes = serde_json::to_string(&hashed).unwrap();
        assert_eq!(bytes, canonical(&serde_json::to_value(&hashed).unwrap()));
        assert!(bytes.contains(r#""rows":{"equals":{"column":"consent","value":true}},"scope":"consented""#));
        // A profile that writes nothing has the hash that it had before there were writes.
        assert!(bytes.contains(r#""table":"users"}"#));
        assert!(bytes.contains(r#""table":"users","writes":{"delete":true,"insert":["id"],"update":[]}}"#));
    }
}
