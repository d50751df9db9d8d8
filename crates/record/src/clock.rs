//! The one file here that reads a clock, for how long to wait. The time in entries is the caller's
//! (`config::Clock`).

use tokio::time::Instant;

/// This moment, for deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the part's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
