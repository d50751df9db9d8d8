//! Checks a published record from its bytes alone, as an outsider would: checkpoint under the release rule, every
//! tile recomputed from the entries, entries well-formed and in order. Needs no key that opens details.
//!
//! Streams bundle by bundle: memory does not grow with the record, but for the sessions open at one moment. The
//! walk over the tiles is in `reader::walk`, what entries may follow each other in `reader::order`, files beside the
//! tree in `reader::stray`, proofs out of tiles in `reader::tiles`.

mod order;
mod stray;
mod tiles;
mod walk;

use std::collections::BTreeMap;
use std::{fmt, io};

use crate::checkpoint::Checkpoint;
use crate::entry::Kind;
use crate::hash::{EMPTY_ROOT, Hash};
use crate::note::SignedNote;
pub use crate::rule::Signer;
use crate::rule::{Accepted, ReleaseRule};
pub use tiles::{Tiles, TilesError};

/// Most findings that are kept; further ones are counted.
pub const FINDINGS_MAX: usize = 1_000;
/// Path of the checkpoint below the log's prefix.
pub const CHECKPOINT_PATH: &str = "checkpoint";

/// Origin, size and root.
const CHECKPOINT_LINES: usize = 3;

/// Where the published files come from: a folder, a web server, a test's map.
pub trait Source {
    /// The bytes of the file at a path below the log's prefix, uncompressed. `None` when there is no such file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error>;

    /// Calls `each` with the path of every file there is, in any order. `Ok(false)`, the default, when the source
    /// cannot list; files beside the tree are then not looked for.
    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        let _ = each;
        Ok(false)
    }
}

/// Something wrong with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, and the index of the entry if it is about one.
    pub where_: String,
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.where_, self.what)
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Origin of the log, as the checkpoint states it.
    pub origin: String,
    /// Size and root of the checkpoint. Only to be believed when the report is clean.
    pub size: u64,
    pub root: Hash,
    /// Lines of the checkpoint after its root. They are signed, but nobody checks what they say.
    pub extension_lines: usize,
    /// Entries that were read, by kind.
    pub entries_by_kind: BTreeMap<Kind, u64>,
    /// Whose signatures verified; empty when the checkpoint does not satisfy the rule.
    pub signers: Vec<Signer>,
    pub findings: Vec<Finding>,
    /// Findings beyond [`FINDINGS_MAX`].
    pub findings_omitted: u64,
    /// Well-named files beyond the checkpoint's size: written ahead, under no signature yet. Not a finding.
    pub ahead: u64,
}

impl Report {
    /// Nothing was looked at.
    fn empty() -> Report {
        Report {
            origin: String::new(),
            size: 0,
            root: EMPTY_ROOT,
            extension_lines: 0,
            entries_by_kind: BTreeMap::new(),
            signers: Vec::new(),
            findings: Vec::new(),
            findings_omitted: 0,
            ahead: 0,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, where_: impl Into<String>, what: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { where_: where_.into(), what: what.into() });
        } else {
            self.findings_omitted = self.findings_omitted.saturating_add(1);
        }
    }
}

/// A published record and the rule that it has to satisfy.
pub struct Reader<'a, S: Source> {
    source: &'a S,
    rule: &'a ReleaseRule,
}

impl<'a, S: Source> Reader<'a, S> {
    pub fn new(source: &'a S, rule: &'a ReleaseRule) -> Reader<'a, S> {
        Reader { source, rule }
    }

    /// Checks the whole record. Never fails: what cannot be read is a finding.
    pub fn verify(&self) -> Report {
        let mut report = Report::empty();
        let Some(checkpoint) = self.checkpoint(&mut report) else { return report };
        report.origin = checkpoint.origin;
        report.size = checkpoint.size;
        report.root = checkpoint.root;
        if let Some(root) = walk::walk(self.source, &mut report)
            && root != report.root
        {
            let what = format!("states the root {}, but the entries have the root {root}", report.root);
            report.find(CHECKPOINT_PATH, what);
        }
        stray::look(self.source, &mut report);
        report
    }

    /// As [`Reader::verify`], but looks at nothing under a checkpoint that the rule does not accept. tlog-tiles asks
    /// this of whoever reads what somebody else serves: what no log has signed is not to be asked for.
    pub fn verify_served(&self) -> Report {
        let mut report = Report::empty();
        match self.checkpoint(&mut report) {
            Some(_) if report.is_clean() => self.verify(),
            _ => report,
        }
    }

    /// The checkpoint, even one that the rule does not accept: what else is wrong is worth knowing.
    fn checkpoint(&self, report: &mut Report) -> Option<Checkpoint> {
        let bytes = read_file(self.source, CHECKPOINT_PATH, report)?.or_else(|| {
            report.find(CHECKPOINT_PATH, "is missing");
            None
        })?;
        let note = match SignedNote::parse(&bytes) {
            Ok(note) => note,
            Err(error) => {
                report.find(CHECKPOINT_PATH, error.to_string());
                return None;
            }
        };
        let checkpoint = match self.rule.check(&note) {
            Ok(Accepted { checkpoint, signers }) => {
                report.signers = signers;
                Some(checkpoint)
            }
            Err(error) => {
                report.find(CHECKPOINT_PATH, format!("does not satisfy the release rule: {error}"));
                Checkpoint::parse(&note.text).ok()
            }
        }?;
        report.extension_lines = note.text.lines().count().saturating_sub(CHECKPOINT_LINES);
        Some(checkpoint)
    }
}

/// Reads a file; an error is a finding. Outer `None` means that it could not be read.
fn read_file<S: Source>(source: &S, path: &str, report: &mut Report) -> Option<Option<Vec<u8>>> {
    match source.read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            report.find(path, format!("cannot be read: {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
