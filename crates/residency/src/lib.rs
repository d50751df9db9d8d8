//! Where the data is, read from the database's own state: every path by which a copy could leave a site is a check with
//! a query, a rule and a result, which is pass, fail or unknown. Unknown is not pass. An auditor can build this crate alone
//! (`cargo build -p residency`) and run it against connection strings; it writes nothing anywhere.
//!
//! Read `check` first (what a check is), then `checks` (all of them), then `run`. Not here: the checker's role and what
//! is granted to it (`wall::residency`), and what becomes of a report (the record, the monitor).

pub mod check;
pub mod checks;
pub mod cli;
mod connect;
mod conninfo;
mod enclave;
mod expect;
mod hosts;
mod judge;
mod place;
mod report;
mod run;
pub mod settings;

pub use check::{Check, Claim, Row};
pub use connect::{Target, TargetError};
pub use enclave::{of_enclave, of_standby};
pub use expect::{Expectations, Home, Identity};
pub use hosts::{Country, Hosts, Network, Places, Standing};
pub use place::{CountryFile, CountryFileError};
pub use report::{Finding, Outcome, Report};
pub use run::{Site, run};
