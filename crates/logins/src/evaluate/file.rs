//! A labelled file of OCSF events as a log: read once for the labels, and once for each who judges.

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
    passed_over: u64,
}

/// Problems that are kept to be told.
const PROBLEMS_MAX: usize = 5;

impl FileLog {
    /// The file of a path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), problems: Vec::new(), passed_over: 0 }
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
        (&self.problems, self.passed_over)
    }

    fn problem(&mut self, problem: Problem) {
        self.passed_over += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

impl Log for FileLog {
    type Error = io::Error;

    fn read(&mut self, each: &mut dyn FnMut(usize, &Event<'_>)) -> Result<(), io::Error> {
        (self.problems, self.passed_over) = (Vec::new(), 0);
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
                Ok(Some(login)) => each((number - 1) as usize, &login.event()),
                Ok(None) => {}
                Err(wrong) => self.problem(wrong.in_line(number)),
            }
        }
        Ok(())
    }
}
