//! Events of authentication in the Open Cybersecurity Schema Framework (schema.ocsf.io), a JSON object a line: read into
//! logins, and written. Not here: other formats (`import`), how a line comes (`lines`).
//!
//! What is read, of schema 1.1 and later:
//!
//! | of a login | of class Authentication (3002) |
//! |---|---|
//! | time | `time`, milliseconds since 1970; without it `time_dt`, RFC 3339 |
//! | user | `user.name`; without it `user.uid`, then `user.email_addr`: a failed attempt often has nothing but a name |
//! | act | `activity_id` 2 is a logoff, 5 a reuse, 99 what `activity_name` says (`Reuse`, `Prompt`); else a logon |
//! | outcome | `status_id`, without it `status`; why it failed, `status_code`, then `status_detail`, then `message` |
//! | address | `src_endpoint.ip` |
//! | place | `src_endpoint.location.country`, `.lat` and `.long` or `.coordinates`; `.autonomous_system.number` |
//! | kind of network | `unmapped.network`: `access`, `mobile`, `hosting`, `anonymous`, `carriage` |
//! | agent | `http_request.user_agent` |
//! | host | `src_endpoint.hostname`, `.name`, `.uid`; without them `device.uid`, `.hostname`, `.name` |
//! | target | `service.name`, `.uid`; without them `dst_endpoint.hostname`, `.svc_name`, `.name`, `.uid`, `.ip` |
//! | session | `session.uid`, or `actor.session.uid` |
//! | group | `user.org.ou_name`, `user.groups[0].name` or `.uid`, `user.org.name` |
//! | second factor | `is_mfa`, `session.is_mfa`, or more than one of `auth_factors` |
//! | round trip | `unmapped.rtt_ms` |
//! | identifier | `metadata.uid` |
//!
//! Of Account Change (3001) and User Management (3007), changes of a password and of factors. Other classes and
//! activities are passed over. Everything else in a line is passed over too, labels above all: there is no field that
//! could hold one.

mod finding;
mod raw;
mod read;
mod scan;
mod write;

#[cfg(test)]
mod tests;

pub use finding::finding;
#[cfg(test)]
pub use read::both;
pub use read::read;
pub use write::{Product, Told, write, write_labelled};

/// The version of the schema in what is written: the first with `autonomous_system`.
const SCHEMA: &str = "1.3.0";
const AUTHENTICATION: u32 = 3002;
const ACCOUNT_CHANGE: u32 = 3001;
const USER_MANAGEMENT: u32 = 3007;
/// The activity of what the schema has no number for; `activity_name` says which.
const OTHER: u32 = 99;
const REUSE: &str = "Reuse";
const PROMPT: &str = "Prompt";
