//! Why one record of an input could not be read, told so that somebody can mend it. Not here: what is done about it;
//! a stream goes on after one, and counts it.

/// One record that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{unit} {at}: {}{}{why}", .key, if .key.is_empty() { "" } else { ": " })]
pub struct Problem {
    /// What `at` counts.
    pub unit: Unit,
    /// Which one, from 1.
    pub at: u64,
    /// The key, column or part of it, or nothing where the whole of it is wrong.
    pub key: String,
    /// What is wrong, and what is wanted instead.
    pub why: String,
}

/// What the position of a problem counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Lines of a text.
    Line,
    /// Records of a binary log, by the log's own numbers.
    Record,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Line => "line",
            Self::Record => "record",
        })
    }
}

/// What is wrong with a record, before somebody says which one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The key, or nothing.
    pub key: String,
    /// What is wrong, and what is wanted instead.
    pub why: String,
}

impl Wrong {
    /// Something is wrong with a key.
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into() }
    }

    /// The problem of a line.
    pub fn in_line(self, at: u64) -> Problem {
        Problem { unit: Unit::Line, at, key: self.key, why: self.why }
    }

    /// The problem of a record.
    pub fn in_record(self, at: u64) -> Problem {
        Problem { unit: Unit::Record, at, key: self.key, why: self.why }
    }
}
