//! Older checkpoints: what a log has shown before, kept so that it cannot take anything back later. One signed note a
//! log, in a file named after the log's key; the newest that was found consistent with the one before.

use std::fs;
use std::path::{Path, PathBuf};

use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::note::{SignedNote, VerifierKey};
use tlog::reader::{Source, Tiles, TilesError};
use tlog::rule::ReleaseRule;
use tlog::tree::verify_consistency;

use super::target::Target;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};

/// Checkpoints that were seen before.
#[derive(Debug)]
pub(super) struct Seen {
    dir: PathBuf,
    /// Somebody asked for it, so it is a failure when it cannot be kept.
    asked: bool,
}

/// What an older checkpoint says of a newer one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// None was seen before.
    First,
    /// The log has only grown since this one.
    Grew { from: Checkpoint },
    /// It has not, or it cannot show that it has: why.
    Not { from: Checkpoint, why: String },
}

impl Seen {
    /// Where checkpoints of this target are kept: where somebody wants, or beside what grows. A copy is of any age, so
    /// it is compared with nothing unless somebody wants it.
    pub(super) fn of(target: &Target, asked: Option<&Path>) -> Option<Self> {
        let dir = match (asked, target) {
            (Some(dir), _) => dir.to_owned(),
            (None, Target::Enclave(dir)) => Folder::at(dir.clone()).run("seen"),
            (None, Target::Url(_)) => default_dir(),
            (None, Target::Copy(_) | Target::Receipt(_)) => return None,
        };
        Some(Self { dir, asked: asked.is_some() })
    }

    /// Compares a checkpoint that the rule accepts with what was seen before, by a proof out of the record's tiles.
    pub(super) fn compare<S: Source>(
        &self,
        source: &S,
        rule: &ReleaseRule,
        new: &Checkpoint,
    ) -> Result<Compared, Ended> {
        let Some(from) = self.last(rule, &new.origin)? else { return Ok(Compared::First) };
        let not = |why: String| Ok(Compared::Not { from: from.clone(), why });
        if new.size < from.size {
            return not(format!(
                "states {} entries, but {} were seen before: the log was rolled back, or this is an old copy",
                new.size, from.size
            ));
        }
        if new.size == from.size && new.root != from.root {
            let (size, root) = (from.size, from.root);
            return not(format!(
                "states another root over the same {size} entries than the {root} seen before"
            ));
        }
        let proof = match Tiles::new(source, new.size).consistency(from.size) {
            Ok(proof) => proof,
            Err(TilesError::Read { path, source }) => {
                return Err(Ended::cannot_tell(format!("{path}: {source}")));
            }
            Err(error) => {
                return not(format!("the record cannot show that it grew from what was seen: {error}"));
            }
        };
        match verify_consistency(from.size, new.size, &proof, &from.root, &new.root) {
            Ok(()) => Ok(Compared::Grew { from }),
            Err(error) => not(format!(
                "does not continue the {} entries with the root {} that were seen before: {error}",
                from.size, from.root
            )),
        }
    }

    /// Whether a checkpoint of the same size was seen with another root.
    pub(super) fn contradicts(&self, rule: &ReleaseRule, new: &Checkpoint) -> Result<Option<Hash>, Ended> {
        let last = self.last(rule, &new.origin)?;
        Ok(last.filter(|last| last.size == new.size && last.root != new.root).map(|last| last.root))
    }

    /// Keeps a checkpoint that was found consistent, or beside the kept one as evidence one that was not.
    pub(super) fn keep(
        &self,
        rule: &ReleaseRule,
        note: &SignedNote,
        compared: &Compared,
    ) -> Result<(), Ended> {
        let new = Checkpoint::parse(&note.text).or_cannot_tell("reading the checkpoint")?;
        let mut file = self.file(rule, &new.origin)?;
        match compared {
            Compared::Grew { from } if from.size == new.size => return Ok(()),
            Compared::First | Compared::Grew { .. } => {}
            Compared::Not { .. } => file.as_mut_os_string().push(".contradiction"),
        }
        let kept = fs::create_dir_all(&self.dir)
            .and_then(|()| folder::write_whole(&file, note.to_string().as_bytes(), 0o644))
            .or_cannot_tell(format!(
                "keeping the checkpoint in {} (--state DIR names another folder)",
                file.display()
            ));
        match kept {
            // What was asked about is answered all the same.
            Err(ended) if !self.asked => crate::terminal::complain(&ended.to_string()),
            kept => kept?,
        }
        Ok(())
    }

    fn last(&self, rule: &ReleaseRule, origin: &str) -> Result<Option<Checkpoint>, Ended> {
        let file = self.file(rule, origin)?;
        if !file.exists() {
            return Ok(None);
        }
        let doing = || format!("reading the checkpoint seen before in {}", file.display());
        let note = SignedNote::parse(folder::read_text(&file)?).or_cannot_tell(doing())?;
        let checkpoint = Checkpoint::parse(&note.text).or_cannot_tell(doing())?;
        if checkpoint.origin != origin {
            return Err(Ended::cannot_tell(format!("{}: it is of {}", doing(), checkpoint.origin)));
        }
        Ok(Some(checkpoint))
    }

    fn file(&self, rule: &ReleaseRule, origin: &str) -> Result<PathBuf, Ended> {
        let mut keys = rule.logs().filter(|key| key.name() == origin).map(VerifierKey::to_string);
        let key = keys.next().ok_or_else(|| Ended::cannot_tell(format!("the rule names no log {origin}")))?;
        // Two logs may have one name, as after a new start from nothing; they have not one key.
        Ok(self.dir.join(Hash::of(key.as_bytes()).to_hex()))
    }
}

/// Beside the enclave's default folder, because somebody else's record is read.
fn default_dir() -> PathBuf {
    let mut dir = Folder::default_dir();
    dir.set_file_name("trefoil-seen");
    dir
}
