//! What is wrong with a bundle, where, and what to do about it. Not here: why a request was denied (`decide`).

use std::fmt;
use std::ops::Range;

/// One thing that is wrong with a bundle. Shown as `file:line: key: problem; remedy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct ConfigError {
    /// Path inside the bundle, such as `enclave.toml`.
    pub file: String,
    /// Counted from 1; absent when the whole file is meant.
    pub line: Option<usize>,
    /// The key (`sites[1].country`) or the policy's id.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// Collects the errors of one file, so that all of them are reported in one go.
#[derive(Debug)]
pub(crate) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<ConfigError>,
}

impl<'a> Problems<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Something is wrong at `span` (byte offsets into the file).
    pub(crate) fn at(&mut self, span: Range<usize>, key: &str, problem: String, remedy: impl Into<String>) {
        let key = (!key.is_empty()).then(|| key.to_owned());
        let line = Some(line_of(self.text, span.start));
        self.found.push(ConfigError {
            file: self.file.to_owned(),
            line,
            key,
            problem,
            remedy: remedy.into(),
        });
    }

    /// Something is wrong with the whole file.
    pub(crate) fn whole(&mut self, problem: String, remedy: impl Into<String>) {
        let file = self.file.to_owned();
        self.found.push(ConfigError { file, line: None, key: None, problem, remedy: remedy.into() });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// In the order of the file; what was found first comes first on its line.
    pub(crate) fn into_found(mut self) -> Vec<ConfigError> {
        self.found.sort_by_key(|error| error.line);
        self.found
    }
}

/// The line of a byte offset, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|&b| b == b'\n').count()
}
