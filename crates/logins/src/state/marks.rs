//! Verdicts of analysts, in the order in which they were given, and after how many events each was learnt: a state that
//! is replayed learns them at the same places. Anybody who may write the folder appends, whether a watch runs on it or
//! not. Not here: what a verdict changes (`risk`).
//!
//! A file of JSON lines, each on the disk before anybody is told. A line without an end was torn by a crash.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use risk::Verdict;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{StateError, at};

const FILE: &str = "marks";

/// A verdict, or its undoing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Which event: what its judgement printed as `event`.
    pub event: String,
    /// What is said of it.
    pub verdict: Verdict,
    /// It is taken back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// How the event came, sealed, where whoever marks has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Why.
    pub because: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Mark(Mark),
    /// The next mark that was not looked at was, after so many events.
    Learnt(Learnt),
}

/// When a verdict was learnt, and whether.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learnt {
    /// After so many events.
    pub after: u64,
    /// Why it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The verdicts of a state.
pub struct Marks {
    path: PathBuf,
    file: File,
    /// So far the file was read.
    read: u64,
    marks: Vec<Mark>,
    /// What became of each of the first ones.
    learnt: Vec<Learnt>,
}

impl Marks {
    /// Those of the state in a folder.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(&path).map_err(at(&path))?;
        let mut marks = Self { path, file, read: 0, marks: Vec::new(), learnt: Vec::new() };
        marks.refresh()?;
        Ok(marks)
    }

    /// Reads what others have appended.
    pub fn refresh(&mut self) -> Result<(), StateError> {
        let path = self.path.clone();
        self.try_refresh().map_err(at(&path))
    }

    fn try_refresh(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() == self.read {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut new = Vec::new();
        self.file.read_to_end(&mut new)?;
        for line in new.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else { break };
            let number = self.marks.len() + self.learnt.len() + 1;
            let read = serde_json::from_slice(line);
            match read.map_err(|error| io::Error::other(format!("line {number}: {error}")))? {
                Line::Mark(mark) => self.marks.push(mark),
                Line::Learnt(learnt) => self.learnt.push(learnt),
            }
            self.read += u64::try_from(line.len()).unwrap_or(0) + 1;
        }
        Ok(())
    }

    /// Adds a verdict; it is on the disk when this returns. Answers its number.
    pub fn add(&mut self, mark: Mark) -> Result<usize, StateError> {
        self.append(&Line::Mark(mark))?;
        Ok(self.marks.len())
    }

    /// Says what became of the next mark that nobody looked at. Whoever says so has not committed it yet.
    pub fn learn(&mut self, learnt: Learnt) -> Result<(), StateError> {
        self.append(&Line::Learnt(learnt))
    }

    fn append(&mut self, line: &Line) -> Result<(), StateError> {
        let path = self.path.clone();
        let append = || {
            flock(&self.file, FlockOperation::LockExclusive)?;
            self.try_refresh()?;
            // What a crash left without an end was promised to nobody.
            self.file.set_len(self.read)?;
            let mut bytes = serde_json::to_vec(line)?;
            bytes.push(b'\n');
            self.file.write_all(&bytes)?;
            self.file.sync_all()?;
            self.try_refresh()?;
            flock(&self.file, FlockOperation::Unlock)?;
            Ok(())
        };
        let mut append = append;
        append().map_err(at(&path))
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> &[Mark] {
        &self.marks
    }

    /// The mark of this number (0 is the first), and what became of it, if it was looked at.
    pub fn get(&self, number: usize) -> Option<(&Mark, Option<&Learnt>)> {
        Some((self.marks.get(number)?, self.learnt.get(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(event: &str) -> Mark {
        let (event, because) = (event.to_owned(), "a test".to_owned());
        Mark { event, verdict: Verdict::Attack, undo: false, line: None, because, at_ms: 5 }
    }

    #[test]
    fn verdicts_are_read_by_whoever_has_the_file_open_and_outlive_a_torn_line() {
        let dir = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (Marks::open(dir.path()).unwrap(), Marks::open(dir.path()).unwrap());
        assert_eq!(one.add(mark("a")).unwrap(), 1);
        let torn = b"{\"mark\":{\"event\":";
        OpenOptions::new().append(true).open(dir.path().join(FILE)).unwrap().write_all(torn).unwrap();
        other.refresh().unwrap();
        assert_eq!(other.all(), [mark("a")]);
        let learnt = Learnt { after: 17, problem: None };
        other.learn(learnt.clone()).unwrap();
        assert_eq!(other.add(mark("b")).unwrap(), 2);
        one.refresh().unwrap();
        assert_eq!(one.all(), [mark("a"), mark("b")]);
        assert_eq!(one.get(0), Some((&mark("a"), Some(&learnt))));
        assert_eq!(one.get(1), Some((&mark("b"), None)));
    }
}
