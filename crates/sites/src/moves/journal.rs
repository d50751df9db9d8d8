//! How far a move has come, in a file that is written whole and synchronised before the next step begins, and the lock that
//! makes one mover of many.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::SitesError;

/// Why a home moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Failover,
    Failback,
}

/// How it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// From a site that stops first: nothing is lost.
    Planned,
    /// From a site that is gone.
    TakenOver,
    /// Nothing moves: a site that was gone follows its siblings again.
    Back,
}

/// One step, in the order of the courses below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The statement that it will be so is in force.
    Begin,
    /// Every site that answers is told the new holder and term.
    Claim,
    /// The old holder refuses to write the home.
    Fence,
    /// Every sibling has what it wrote.
    CatchUp,
    /// No sibling follows the site that is gone.
    Leave,
    /// The siblings have the same of what it wrote.
    Even,
    /// The new holder publishes the home, and its siblings follow.
    Publish,
    /// The new holder writes it.
    Open,
    /// What the site that is back had not shipped is in a file there.
    Keep,
    /// It begins anew with what the holder has.
    Copy,
    /// Its siblings follow it again.
    Follow,
    /// The statement that it is so is in force.
    End,
}

impl Step {
    /// The word in the journal and in errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Claim => "claim",
            Self::Fence => "fence",
            Self::CatchUp => "catch up",
            Self::Leave => "leave",
            Self::Even => "even",
            Self::Publish => "publish",
            Self::Open => "open",
            Self::Keep => "keep",
            Self::Copy => "copy",
            Self::Follow => "follow",
            Self::End => "end",
        }
    }
}

impl Course {
    /// Its steps. A home is opened when nobody else can write it, and when every sibling that answers will see what is
    /// written there.
    pub const fn steps(self) -> &'static [Step] {
        match self {
            Self::Planned => {
                &[Step::Begin, Step::Claim, Step::Fence, Step::CatchUp, Step::Publish, Step::Open, Step::End]
            }
            Self::TakenOver => {
                &[Step::Begin, Step::Claim, Step::Leave, Step::Even, Step::Publish, Step::Open, Step::End]
            }
            Self::Back => &[Step::Begin, Step::Fence, Step::Keep, Step::Copy, Step::Follow, Step::End],
        }
    }
}

/// What a site had committed and not shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    pub(super) rows: u64,
    pub(super) sha256: String,
    pub(super) file: Option<PathBuf>,
}

/// One move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) course: Course,
    pub(super) home: String,
    /// Who holds it when the move begins.
    pub(super) from: String,
    /// Who holds it when it is over; of one that comes back, which.
    pub(super) to: String,
    pub(super) finished: Option<Step>,
    /// Up to where the siblings have to have what the old holder wrote.
    pub(super) position: Option<String>,
    pub(super) kept: Option<Kept>,
}

impl Journal {
    pub(super) fn new(kind: Kind, course: Course, home: &str, from: &str, to: &str) -> Self {
        let id: [u8; 8] = rand::random();
        Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            kind,
            course,
            home: home.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            finished: None,
            position: None,
            kept: None,
        }
    }

    /// The next step.
    pub(super) fn due(&self) -> Option<Step> {
        let steps = self.course.steps();
        let next = match self.finished {
            None => 0,
            Some(finished) => steps.iter().position(|step| *step == finished)?.saturating_add(1),
        };
        steps.get(next).copied()
    }

    pub(super) fn done(&mut self, step: Step) {
        self.finished = Some(step);
    }

    /// The old holder is gone in the middle of a planned move: it is taken over from, under the same term.
    pub(super) fn give_up(&mut self) {
        self.course = Course::TakenOver;
        self.finished = None;
    }

    pub(super) fn describe(&self) -> String {
        let kind = match self.kind {
            Kind::Failover => format!("failover {}` from {} to {}", self.from, self.from, self.to),
            Kind::Failback => format!("failback {}` from {}", self.home, self.from),
        };
        let after = self.finished.map_or("nothing", Step::as_str);
        format!("`trefoil sites {kind}, which has finished `{after}`")
    }
}

/// The right to move homes, for as long as it is held, and the file of the journal.
#[derive(Debug)]
pub(super) struct Locked {
    path: PathBuf,
    _lock: File,
}

impl Locked {
    /// # Errors
    /// When somebody else moves homes.
    pub(super) fn take(journal: &Path) -> Result<Self, SitesError> {
        let path = journal.with_extension("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(SitesError::file(&path, "open"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: journal.to_path_buf(), _lock: file }),
            Err(TryLockError::WouldBlock) => {
                Err(SitesError::MovePending("another process is at it".to_owned()))
            }
            Err(TryLockError::Error(error)) => Err(SitesError::file(&path, "lock")(error)),
        }
    }

    /// A move that was not finished.
    pub(super) fn pending(&self) -> Result<Option<Journal>, SitesError> {
        let read = match fs::read(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(SitesError::file(&self.path, "read"))?,
        };
        let journal = serde_json::from_slice(&read).map_err(std::io::Error::other);
        journal.map(Some).map_err(SitesError::file(&self.path, "understand"))
    }

    pub(super) fn keep(&self, journal: &Journal) -> Result<(), SitesError> {
        let next = self.path.with_extension("next");
        let written = serde_json::to_vec_pretty(journal).map_err(std::io::Error::other).and_then(|bytes| {
            let mut file = File::create(&next)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&next, &self.path)
        });
        written.map_err(SitesError::file(&self.path, "write"))?;
        self.sync_folder()
    }

    pub(super) fn forget(&self) -> Result<(), SitesError> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(SitesError::file(&self.path, "remove")(error))
            }
            _ => self.sync_folder(),
        }
    }

    fn sync_folder(&self) -> Result<(), SitesError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(SitesError::file(folder, "synchronise"))
    }
}
