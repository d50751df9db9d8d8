//! Events of authentication in the Open Cybersecurity Schema Framework (schema.ocsf.io), a JSON object a line: read into
//! logins, and written. Not here: other formats (`import`), how a line comes (`lines`).
//!
//! What is read, of schema 1.1 and later, is in docs/logins.md, "What comes in"; `raw` has every key, `done` makes acts and
//! outcomes of them, `whence` places and workstations. Everything else in a line is passed over, labels above all: there is no
//! field that could hold one.

mod done;
mod finding;
mod lenient;
mod raw;
mod read;
mod scan;
mod whence;
mod write;

#[cfg(test)]
mod tests;

pub use finding::finding;
#[cfg(test)]
pub use read::both;
pub use read::{kind, read};
pub use write::{Product, Told, write, write_labelled};

/// The version of the schema in what is written: the first with `autonomous_system`.
const SCHEMA: &str = "1.3.0";
const AUTHENTICATION: u32 = 3002;
const ACCOUNT_CHANGE: u32 = 3001;
const ENTITY_MANAGEMENT: u32 = 3004;
const USER_MANAGEMENT: u32 = 3007;
/// The activity of what the schema has no number for; `activity_name` says which.
const OTHER: u32 = 99;
const REUSE: &str = "Reuse";
const PROMPT: &str = "Prompt";
/// What `status_detail` says where it is not known how something ended, so that nobody takes what else is there for it.
const NOT_KNOWN: &str = "OUTCOME_NOT_KNOWN";
