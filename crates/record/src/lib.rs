//! The record: the only writer of a gate's transparency log. A [`Draft`] goes in; a [`Witnessed`] comes out when
//! its entry is durable here, held by the monitor, and under a checkpoint that satisfies the release rule.
//!
//! **Commit order**, one batch after the other, each step durable before the next begins:
//!
//! 1. `stage`: entries get time, index and key, and are written to the write-ahead file. Crash: nobody was told.
//! 2. `stage`: fdatasync. Crash: the entries are sent after the restart; nobody was told.
//! 3. `exchange`: the tree over them is signed, and entries, sealed details and checkpoint are sent. Crash: the
//!    monitor may hold them; after the restart it is asked. A size is only ever signed with one root, because
//!    entries are signed after step 2 and never change.
//! 4. The monitor checks, stores, syncs and cosigns.
//! 5. `exchange`: the cosignatures satisfy the release rule; waiters are woken. Only here is a `Witnessed` made.
//! 6. `publish`: lazily, sealed details, tiles, entry bundles, and the public checkpoint last. Crash: done again
//!    from the write-ahead file, a segment of which is removed only when all of it is published.
//!
//! A storage error at any step stops the record until it is opened again: nobody knows what is on the disk.
//!
//! **Absent:** the log's format and the rules of signatures (`tlog`); what deserves an entry (the callers); the
//! monitor's side.

mod batch;
mod clock;
mod config;
mod details;
mod draft;
mod durable;
mod exchange;
mod forget;
mod grown;
mod handle;
mod history;
mod keys;
mod lines;
mod link;
mod monitor;
mod open;
mod probe;
mod publish;
mod shared;
pub mod show;
mod stage;
mod steps;
mod ticket;
mod tls;
mod wal;
mod witness;
mod writer;

#[cfg(test)]
mod tests;

pub use config::{Clock, Config, OpenError};
pub use draft::{Detail, Draft, Like, NotWitnessed, Outline, Why, Witnessed};
pub use forget::{ForgetError, Gone};
pub use handle::{Record, Waiting};
pub use lines::{Lines, listen};
pub use link::LinkError;
pub use monitor::{MonitorState, monitor_state};
pub use probe::{ProbeError, Probed};
pub use shared::Lag;
pub use tls::{MONITOR_TLS_NAME, Tls, TlsError};
pub use wal::WalError;

/// The longest that an append may wait for the cosignatures, in milliseconds.
pub const COSIGN_WAIT_MS_MAX: u64 = 1_500;
/// The canonical form of a detail may have this many bytes.
pub const DETAIL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Entries that may wait for the writer; past it an append is refused at once.
pub const QUEUE_ENTRIES_MAX: usize = 16_384;
/// Entries that may wait for the writer or the monitor; past it an append is refused at once.
pub const BACKLOG_ENTRIES_MAX: usize = 65_536;
/// Bytes that may wait for the writer, the monitor or publication; past it an append is refused at once.
pub const BACKLOG_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Entries in one batch to the monitor.
pub const ENTRIES_PER_BATCH_MAX: usize = 4_096;
/// Bytes of the records in one batch to the monitor. With the checkpoint in front, the batch stays under the
/// monitor's bound of 32 MiB.
pub const BATCH_BYTES_MAX: usize = 31 * 1024 * 1024;
/// A sealed detail: the detail, its salt, nonce, tag and key id.
pub(crate) const BLOB_BYTES_MAX: usize = DETAIL_BYTES_MAX + 1_024;
