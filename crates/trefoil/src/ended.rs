//! How a subcommand ends when it does not end as promised. The exit codes are the same everywhere.

use std::fmt::Display;

pub(crate) const AS_PROMISED: u8 = 0;
pub(crate) const NOT: u8 = 1;
pub(crate) const CANNOT_TELL: u8 = 2;

/// Each carries what is still to be said on standard error, which is nothing when the output has said it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// It was looked at, and it is not as promised.
    #[error("{0}")]
    Not(String),
    /// It could not be looked at: bad arguments, a missing file or part.
    #[error("{0}")]
    CannotTell(String),
}

impl Ended {
    pub(crate) fn not(said: impl Into<String>) -> Self {
        Self::Not(said.into())
    }

    pub(crate) fn cannot_tell(said: impl Into<String>) -> Self {
        Self::CannotTell(said.into())
    }
}

/// Names what was being done when something failed: `file.read().or_cannot_tell("reading x")?`.
pub(crate) trait OrEnded<T> {
    fn or_cannot_tell(self, doing: impl Display) -> Result<T, Ended>;
    fn or_not(self, doing: impl Display) -> Result<T, Ended>;
}

impl<T, E: Display> OrEnded<T> for Result<T, E> {
    fn or_cannot_tell(self, doing: impl Display) -> Result<T, Ended> {
        self.map_err(|error| Ended::CannotTell(format!("{doing}: {error}")))
    }

    fn or_not(self, doing: impl Display) -> Result<T, Ended> {
        self.map_err(|error| Ended::Not(format!("{doing}: {error}")))
    }
}
