//! Compiles a bundle into what PostgreSQL enforces: base tables, owners, views, row-level security, masks, pool roles
//! and revocations, and says where a live site differs from that. Pure: text in, text out, so that an outsider can
//! audit in an afternoon what stands between a person and the data. Not here: connecting to anything (`sites`).
//!
//! Read `views` and `writes` first (what a profile becomes), then `profile`, `services` and `baseline` (the statements),
//! then `drift`.

pub mod baseline;
pub mod catalogs;
pub mod drift;
mod expected;
pub mod hba;
pub mod homes;
pub mod identities;
pub mod mask;
pub mod names;
pub mod profile;
pub mod pseudonyms;
pub mod residency;
pub mod services;
pub mod stats;
pub mod stop;
mod tables;
pub mod triggers;
mod views;
mod writes;

pub use baseline::baseline;
pub use drift::{Drift, Facts, compare, unknown_columns};
pub use expected::{Expected, expected};
pub use profile::{apply, retire};

/// A bundle that cannot be compiled. The checks of the bundle itself leave little of this; what is left is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WallError {
    /// A profile speaks of something that the catalog does not have.
    #[error("the catalog does not know `{what}`; compile the profile with the bundle it belongs to")]
    Unknown {
        /// A table, or a table and a scope.
        what: String,
    },
    /// A masked column for which there is no mask.
    #[error("no mask exists for `{column}`; permit it clear, as a pseudonym or not at all")]
    NoMask {
        /// Table and column.
        column: String,
    },
    /// A pseudonym that stands for something else than the row's subject.
    #[error("no pseudonym exists for `{column}`; only a table's subject_key has one")]
    NoPseudonym {
        /// Table and column.
        column: String,
    },
    /// Rows that are written have to be rows of a table, and not of a join.
    #[error(
        "`{table}` shows a pseudonym and cannot be written; show its subject clear, or permit no writing"
    )]
    NotWritable {
        /// The table.
        table: String,
    },
    /// Two schemas of the same name.
    #[error("the schema `{0}` would hold two different things; rename the profile or the catalog's schema")]
    SchemaTaken(String),
}
