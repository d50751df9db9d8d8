//! Who may see what: a signed bundle of configuration and Cedar policies, read into checked types, and `decide`, which
//! answers a request with a [`Permit`] or a [`Denial`].
//!
//! Pure: no file, clock, randomness or network. Not here: what enforces a profile (crate `wall`), what a statement may
//! do under a permit (crate `sql`), signatures over a bundle.

#[macro_use]
mod words;

mod bundle;
mod catalog;
mod decide;
mod directory;
mod enclave;
mod error;
mod files;
mod homes;
mod lint;
mod names;
mod permit;
mod profile;
mod raw;
mod rules;
mod slices;
mod world;

pub use bundle::Bundle;
pub use catalog::{
    Catalog, Class, Column, ColumnType, Identifier, Reference, RowRule, SCOPE_ALL, Scope, Table, Value,
    Within,
};
pub use directory::{Directory, Principal, PrincipalKind};
pub use enclave::{
    Enclave, Exemplar, Limit, LimitRule, NamedProfile, Network, Per, PlaceMap, SESSIONS_PER_PROFILE_MAX,
    Service, Site, TICKET_BYTES_MAX, Whose, Witness, Witnesses, standby_of,
};
pub use error::ConfigError;
pub use files::{FILE_BYTES_MAX, FILES_MAX, is_bundle_path};
pub use homes::{HOMES_BYTES_MAX, Holder, Holders, Homes, HomesError};
pub use names::{Country, IDENTIFIER_BYTES_MAX, NAME_BYTES_MAX, Place, SITE_NAME_BYTES_MAX};
pub use permit::{
    Answers, Ask, Denial, GroupAnswer, Permit, RULE_MALFORMED_TICKET, RULE_NO_PERMIT, RULE_NOT_PROVISIONED,
    RULE_NOTHING_DISCLOSED, RULE_POLICY_FAULT, RULE_UNKNOWN_PLACE, RULE_UNKNOWN_PRINCIPAL,
    RULE_UNKNOWN_PURPOSE, TableAnswer,
};
pub use profile::{Disclosure, PolicyHash, Profile, ProfileColumn, ProfileHash, ProfileTable, Writes};
pub use rules::NEEDS_BYTES_MAX;
