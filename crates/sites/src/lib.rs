//! The sites of an enclave: PostgreSQL clusters that this part starts, provisions, joins by replication and keeps as
//! the compiled policy says. The only part with the owner's rights, and it runs offline: a running gate can grant
//! nothing. Not here: what the wall is made of (`wall`), and who may ask for what (`policy`).

use std::sync::Arc;

pub mod apply;
pub mod arrivals;
pub mod ca;
pub mod catalog;
pub mod cluster;
mod conf;
mod copy;
pub mod drift;
pub mod error;
mod folder;
pub mod host;
mod load;
pub mod mesh;
pub mod moves;
pub mod people;
pub mod provision;
pub mod pseudonyms;
mod rows;
pub mod secrets;
mod services;
pub mod standby;
pub mod status;

pub use apply::{Applied, Waiting, apply};
pub use cluster::Cluster;
pub use drift::{Found, check};
pub use error::SitesError;
pub use host::Host;
pub use load::Generate;
pub use provision::{provision, unfinished};
pub use secrets::Secrets;
pub use status::{Status, status};

/// What provisioning has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Subjects generated so far, for all sites together.
    Loading { subjects: u64, of: u64 },
    /// Tables of siblings that a site has still to copy.
    Copying { site: String, tables_left: i64 },
    /// A home is about to move on by this step.
    Moving { home: String, step: &'static str },
    /// A profile is about to be made at a site.
    Applying { site: String, profile: String },
}

/// Whoever wants to know, such as a progress bar. Called from several threads.
pub type Watcher = Arc<dyn Fn(Event) + Send + Sync>;
