//! The only place where the monitor reads a clock. Everything else takes the time as an argument.
#![allow(clippy::disallowed_methods, reason = "this is the file that the ban on clocks points to")]

use std::time::SystemTime;

use tlog::entry::Micros;
use tokio::time::Instant;

/// Now, in Unix microseconds.
pub fn now() -> Micros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// Now, for measuring how long something takes.
pub fn instant() -> Instant {
    Instant::now()
}
