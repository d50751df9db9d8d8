//! A labelled file of OCSF events as a log: read once for the labels, and once for each who judges.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use risk::Event;

use super::{Log, Truths};
use crate::lines::{Line, Lines};
use crate::ocsf;
use crate::problem::{Problem, Unit};

/// A file of events, a line each.
#[derive(Debug)]
pub struct FileLog {
    path: PathBuf,
    /// Lines that could not be read as events, the first of them; they are passed over.
    problems: Vec<Problem>,
    unreadable: u64,
    /// Events of other kinds, by class and activity.
    others: BTreeMap<String, u64>,
    events: u64,
}

/// Problems that are kept to be told.
const PROBLEMS_MAX: usize = 5;
/// Kinds of other events that are told apart; activities may have any name.
const OTHERS_MAX: usize = 40;

impl FileLog {
    /// The file of a path.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            problems: Vec::new(),
            unreadable: 0,
            others: BTreeMap::new(),
            events: 0,
        }
    }

    /// Who did what, by number of the line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn truths(&self) -> io::Result<Truths> {
        let mut truths = Truths::default();
        let mut lines = Lines::new(File::open(&self.path)?);
        while let Some((_, line)) = lines.next_line()? {
            match line {
                Line::Bytes(bytes) => truths.read(bytes),
                Line::TooLong => truths.read(b""),
            }
        }
        Ok(truths)
    }

    /// What could not be read the last time, the first few, and how many there were.
    pub fn problems(&self) -> (&[Problem], u64) {
        (&self.problems, self.unreadable)
    }

    /// How many events could be read the last time.
    pub fn events(&self) -> u64 {
        self.events
    }

    fn other(&mut self, line: &[u8]) {
        let kind =
            ocsf::kind(line).filter(|kind| self.others.len() < OTHERS_MAX || self.others.contains_key(kind));
        *self.others.entry(kind.unwrap_or_else(|| "others".to_owned())).or_default() += 1;
    }

    fn problem(&mut self, problem: Problem) {
        self.unreadable += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl Log for FileLog {
    type Error = io::Error;

    fn read(&mut self, each: &mut dyn FnMut(usize, &Event<'_>)) -> Result<(), io::Error> {
        *self = Self::new(&self.path);
        let mut lines = Lines::new(File::open(&self.path)?);
        while let Some((number, line)) = lines.next_line()? {
            let bytes = match line {
                Line::Bytes(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Bytes(bytes) => bytes,
                Line::TooLong => {
                    let why = "longer than any event".to_owned();
                    self.problem(Problem { unit: Unit::Line, at: number, key: String::new(), why });
                    continue;
                }
            };
            match ocsf::read(bytes) {
                Ok(Some(login)) => {
                    self.events += 1;
                    each((number - 1) as usize, &login.event());
                }
                Ok(None) => self.other(bytes),
                Err(wrong) => self.problem(wrong.in_line(number)),
            }
        }
        Ok(())
    }

    fn passed_over(&self) -> BTreeMap<String, u64> {
        self.others.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::FileLog;
    use crate::evaluate::evaluate;

    /// What is said of a file of these lines: events read, lines that could not be, and what was passed over.
    fn check(lines: &[&str], wanted: (u64, u64, &[(&str, u64)])) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join("\n")).unwrap();
        let mut log = FileLog::new(file.path());
        let truths = log.truths().unwrap();
        let figures = evaluate(&mut log, &truths, &risk::Weights::shipped(), false).unwrap();
        let others: BTreeMap<String, u64> =
            wanted.2.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        assert_eq!((log.events(), log.problems().1), (wanted.0, wanted.1), "{lines:?}");
        assert_eq!(figures.log.passed_over, others, "{lines:?}");
    }

    #[test]
    fn what_was_passed_over_is_told_by_class_and_activity() {
        let login = r#"{"class_uid":3002,"time":1700000000000,"user":{"name":"ana"},"unmapped":{"label":"legitimate"}}"#;
        let attach =
            r#"{"class_uid":3001,"activity_id":7,"activity_name":"Attach Policy","time":1700000000000}"#;
        let other = r#"{"type_uid":400106}"#;
        check(&[login, "nonsense", ""], (1, 1, &[]));
        check(
            &[attach, attach, other],
            (0, 0, &[("class 3001, activity 7 (Attach Policy)", 2), ("class 4001, activity 6", 1)]),
        );
    }
}
