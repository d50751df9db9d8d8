//! The only place where this crate reads a clock. Everything else takes the time as an argument.
#![allow(clippy::disallowed_methods, reason = "this is the file that the ban on clocks points to")]

use std::time::{Instant, SystemTime};

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Now, for measuring how long something takes.
pub fn instant() -> Instant {
    Instant::now()
}
