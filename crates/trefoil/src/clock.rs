//! The only place where this crate reads a clock. Everything else takes the time as an argument.
#![allow(clippy::disallowed_methods, reason = "this is the file that the ban on clocks points to")]

use std::time::{Duration, Instant, SystemTime};

/// Now, as certificates want it.
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// How long something took, for the tour to print.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
