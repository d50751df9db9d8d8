//! The one file here that reads a clock, to measure durations.

use std::time::Instant;

/// This moment.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
