//! What a check is: a name, a query, and a rule from the query's rows to claims. Rules are pure: whether a host that they
//! name is inside the region is asked afterwards (`hosts`), and so is whether the object is allowed (`expect`). Not here:
//! the checks themselves (`checks`).

use std::collections::BTreeMap;

use crate::Expectations;

/// One path by which a copy could leave, or by which values stay where nobody looks.
#[derive(Debug)]
pub struct Check {
    /// In lower case with hyphens, such as `replication-slot`.
    pub name: &'static str,
    /// What is asked.
    pub query: Query,
    /// What is judged of the answer.
    pub rule: fn(&[Row], &Expectations) -> Vec<Claim>,
    /// Where it is asked.
    pub where_: Where,
    /// What it looks at.
    pub looks_at: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What it cannot see.
    pub cannot_see: &'static str,
}

/// The text of a query. `{sessions}` and the like stand for the functions of `wall::residency`, or for the queries that
/// they are where the role may run those itself.
#[derive(Debug, Clone, Copy)]
pub enum Query {
    /// Always the same.
    Text(&'static str),
    /// Made from what is expected; nothing where nothing is to be asked.
    Made(fn(&Expectations) -> Option<String>),
}

/// Where a check is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// At every PostgreSQL.
    PostgreSql,
    /// Where this extension is.
    Extension(&'static str),
    /// At YugabyteDB, which is asked the others as well.
    Yugabyte,
    /// At CockroachDB, which is asked nothing else.
    Cockroach,
}

/// A row of an answer, by the names of its columns. Everything is text, as PostgreSQL prints it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row(BTreeMap<String, Option<String>>);

impl Row {
    /// A row of these columns.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let columns = columns.into_iter();
        Self(columns.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect())
    }

    /// What stands there; nothing for null.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    /// What stands there; the empty text for null.
    pub fn text(&self, column: &str) -> &str {
        self.get(column).unwrap_or_default()
    }

    /// Whether it is true.
    pub fn yes(&self, column: &str) -> bool {
        self.get(column) == Some("t")
    }

    /// A number, when it is one.
    pub fn number(&self, column: &str) -> Option<i64> {
        self.get(column)?.parse().ok()
    }
}

/// What a rule says of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// It is wrong that this is there, unless it is allowed by name.
    There(Told),
    /// It is wrong unless this host (a name, an address, a folder of a Unix socket) is inside.
    Reaches {
        /// The host.
        host: String,
        /// What is told if it is not.
        told: Told,
    },
    /// It cannot be told whether this is wrong.
    Unknown(Told),
}

/// What is told of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The object, by the name under which it can be allowed.
    pub object: String,
    /// What is the matter with it.
    pub what: String,
    /// What to do.
    pub advice: String,
}

impl Told {
    /// All three.
    pub fn new(object: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { object: object.into(), what: what.into(), advice: advice.into() }
    }
}

impl Claim {
    /// It is wrong that this is there.
    pub fn there(object: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::There(Told::new(object, what, advice))
    }

    /// It is wrong unless the host is inside.
    pub fn reaches(
        host: impl Into<String>,
        object: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::Reaches { host: host.into(), told: Told::new(object, what, advice) }
    }

    /// It cannot be told.
    pub fn unknown(object: impl Into<String>, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Unknown(Told::new(object, what, advice))
    }
}
