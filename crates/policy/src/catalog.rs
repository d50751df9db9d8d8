//! The catalog: which tables and columns hold subjects' data, of which class, and which rows a scope selects. Read
//! from `catalog.toml`. Not here: the DDL that follows from it (crate `wall`), what is live at a site (drift).

mod check;

use serde::Serialize;

pub(crate) use check::{check, check_word};

/// The scope that selects every row. Each table has it, first.
pub const SCOPE_ALL: &str = "all";
/// Longest text that a row rule compares with, in bytes.
const VALUE_BYTES_MAX: usize = 200;

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
    /// In the order of the file.
    pub references: Vec<Reference>,
}

/// A column that holds another row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reference {
    /// Of the table that has the reference.
    pub column: String,
    /// The table whose `key` the column holds.
    pub table: String,
    /// How far away the other row may be.
    pub within: Within,
}

words! {
    /// How far away a row may be that another refers to.
    Within {
        /// Of the same home: a foreign key (column, home) to (key, home).
        Home = "home",
        /// Of any home. Declared only: a foreign key would make a site wait for the others.
        Enclave = "enclave",
    }
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
        /// A bank account with its country and check digits (ISO 13616).
        Iban = "iban",
        /// A bank account's number alone.
        Account = "account",
        /// An internet address.
        Ip = "ip",
        /// A device or an installation.
        Device = "device",
        /// What somebody wrote: it can name or be found by anything.
        Content = "content",
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
            Self::Name | Self::Handle | Self::Email | Self::Phone => matches!(data_type, Text),
            Self::Iban | Self::Account | Self::Ip | Self::Device | Self::Content => matches!(data_type, Text),
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

    /// Whether a pseudonym can stand for the column: only for the row's subject, which is what a token maps to.
    pub fn has_pseudonym(&self, column: &str) -> bool {
        self.subject_key == column
    }

    /// The scope with this name.
    pub fn scope(&self, name: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.name == name)
    }
}

impl Value {
    fn is_plain(&self) -> bool {
        match self {
            Self::Boolean(_) | Self::Integer(_) => true,
            Self::Text(text) => text.len() <= VALUE_BYTES_MAX && !text.chars().any(char::is_control),
        }
    }

    const fn is_of(&self, data_type: ColumnType) -> bool {
        match self {
            Self::Boolean(_) => matches!(data_type, ColumnType::Boolean),
            Self::Integer(_) => matches!(data_type, ColumnType::Bigint | ColumnType::Integer),
            Self::Text(_) => matches!(data_type, ColumnType::Text),
        }
    }
}
