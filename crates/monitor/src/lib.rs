//! The monitor: the independent third party's program. It holds a copy of everything the gate recorded, decides every
//! session and every statement again from its own copy of the policy, and cosigns only what it would have decided the
//! same. It issues the second key to the wall. It can stop, never grant: it has no password of any site, and no other
//! part's code beyond the pure crates.
//!
//! `monitor` is one batch from bytes to answer; `entries` are the rules; `state` is the fold; `copy` is the disk.
//! Absent: the gate's clients, the sites, the published record (outsiders read that through `tlog`).

pub mod audit;
pub mod batch;
pub mod brake;
pub mod bundle;
pub mod ca;
pub mod clock;
pub mod config;
pub mod control;
pub mod copy;
pub mod decide;
pub mod detect;
pub mod door;
pub mod enrol;
pub mod entries;
pub mod folder;
pub mod forget;
pub mod honey;
pub mod incident;
pub mod init;
mod memo;
pub mod monitor;
pub mod notify;
pub mod own;
pub mod replay;
pub mod resume;
pub mod serve;
pub mod snapshot;
pub mod state;
pub mod watch;
pub mod witness;
