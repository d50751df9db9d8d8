//! What a database holds: its schema and a few of its rows are read, and a catalog is proposed from them. Works on any
//! PostgreSQL from 12 on, and changes nothing there. Not here: what identifies a person (`inspect`), what a catalog may
//! say (`policy`), how a live site differs from what was compiled (`wall`).

mod compare;
mod hints;
mod paths;
mod propose;
mod read;
mod relations;
mod sample;
mod subjects;
mod write;

use std::time::Duration;

pub use compare::{Difference, Kind as DifferenceKind, compare};
pub use propose::{ColumnProposal, Proposal, SubjectProposal, TableProposal, propose};
pub use read::{Live, LiveColumn, LiveTable, TableKind, read};
pub use relations::{Origin, Relation, UnknownRelation, declare, discover};
pub use sample::{Sample, Samples, prepare, sample};
pub use write::to_toml;

/// What a scan may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Rows read of each table.
    pub rows: u32,
    /// The longest that one statement may run.
    pub statement: Duration,
    /// The longest that reading rows may take in all; tables after that are judged by their names alone.
    pub total: Duration,
    /// Only these schemas; all of the users' when there are none.
    pub schemas: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 1_000,
            statement: Duration::from_secs(10),
            total: Duration::from_secs(300),
            schemas: Vec::new(),
        }
    }
}

/// How the catalog writes a name of the database: small letters, digits and underscores.
pub fn plain_name(name: &str) -> String {
    let mut plain = String::new();
    let mut small = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && small {
            plain.push('_');
        }
        small = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if plain.len() < policy_name_bytes_max() {
            plain.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
        }
    }
    if plain.starts_with(|first: char| first.is_ascii_digit()) || plain.is_empty() {
        plain.insert(0, '_');
    }
    plain.truncate(policy_name_bytes_max());
    plain
}

const fn policy_name_bytes_max() -> usize {
    policy::IDENTIFIER_BYTES_MAX
}
