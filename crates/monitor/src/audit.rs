//! Deciding a whole record again, as an auditor does who has a key of his own, the signed bundles, and what the operator
//! hands over: the published record, the sealed details and the wrapped keys. Neither party is asked, and the rules are the
//! monitor's own (`entries`). Times are held against each other, not against a clock.
//!
//! Which policy was in force follows from the record: a gate says at its start by which it decides, and that bundle must
//! be among those that the operator signed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use record::show::{Reading, ShowError, Shown};
use serde::Serialize;
use thiserror::Error;
use tlog::{
    detail::{ProbeRevealed, ProbesCommitted, ProbesRevealed, is_key_id, unwrap_day_key},
    entry::{Entry, Kind},
    hash::{leaf_hash, unhex},
    note::{SignedNote, VerifierKey},
    rule::{ReleaseRule, RuleError},
    tree::Frontier,
};

use crate::{
    batch::Item,
    bundle::{BundleError, Shelf},
    decide::Judge,
    entries::{self, Examiner},
    folder::{self, FolderError},
    incident::{Breach, Fault},
    state::State,
};

/// Disagreements that are kept; further ones are counted.
pub const DISAGREEMENTS_MAX: usize = 1_000;
/// How many entries are decided between two lines that say how far it is.
const PROGRESS_ENTRIES: u64 = 100_000;

/// What is decided again, and by what.
pub struct Plan {
    /// Folder of the published record.
    pub record: PathBuf,
    /// Folder of the sealed details, and of the wrapped keys.
    pub details: PathBuf,
    pub keys: PathBuf,
    /// Folder of the signed bundles, each in one named after its hash.
    pub bundles: PathBuf,
    /// The operator's key.
    pub operator: VerifierKey,
    /// Who must have signed the checkpoint.
    pub rule: ReleaseRule,
    /// `AGE-SECRET-KEY-1…`.
    pub identity: String,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum AuditError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("the record: {0}")]
    Record(#[from] ShowError),
    #[error("{}: {problem}", path.display())]
    Checkpoint { path: PathBuf, problem: String },
}

/// What was found. The field names are a promise.
#[derive(Debug, Default, Serialize)]
pub struct Found {
    pub origin: String,
    pub size: u64,
    /// Base 64.
    pub root: String,
    /// Entries that were decided again.
    pub decided: u64,
    /// Entries whose day's key was forgotten: that they are there is all that can be told.
    pub forgotten: u64,
    /// Entries that could not be decided, because a bundle or a key is missing.
    pub undecided: u64,
    /// Bundles by which gates said they decided, and which are not there.
    pub bundles_missing: BTreeSet<String>,
    /// Keys that are not there, or not wrapped to this identity, and that no entry forgets.
    pub keys_missing: BTreeSet<String>,
    pub disagreements: Vec<Disagreement>,
    /// Those beyond [`DISAGREEMENTS_MAX`].
    pub disagreements_omitted: u64,
    /// Probes that were revealed, and those of them that the monitor cosigned.
    pub probes: u64,
    pub probes_cosigned: u64,
}

/// An entry that should not be in the record.
#[derive(Debug, Serialize)]
pub struct Disagreement {
    /// Absent when it is about the tree.
    pub index: Option<u64>,
    pub kind: Breach,
    pub reason: String,
}

impl Found {
    /// Whether every decision is as policy has it, as far as could be told.
    pub fn agrees(&self) -> bool {
        self.disagreements.is_empty()
    }

    /// Whether every decision could be told that was not forgotten.
    pub fn is_whole(&self) -> bool {
        self.undecided == 0 && self.bundles_missing.is_empty() && self.keys_missing.is_empty()
    }

    fn disagree(&mut self, index: Option<u64>, fault: Fault) {
        if self.disagreements.len() < DISAGREEMENTS_MAX {
            self.disagreements.push(Disagreement { index, kind: fault.breach, reason: fault.reason });
        } else {
            self.disagreements_omitted = self.disagreements_omitted.saturating_add(1);
        }
    }
}

/// Decides a record again; `progress` hears how many entries of how many are done.
pub fn replay(plan: &Plan, mut progress: impl FnMut(u64, u64)) -> Result<Found, AuditError> {
    let path = plan.record.join("checkpoint");
    let note = folder::read_bytes(&path)?;
    let wrong = |problem: String| AuditError::Checkpoint { path: path.clone(), problem };
    let note = SignedNote::parse(&note).map_err(|e| wrong(e.to_string()))?;
    let reading = Reading::open(plan.record.clone(), plan.details.clone(), PathBuf::new())?;
    let judge = Judge::new(Shelf::collected(&plan.bundles, plan.operator.clone())?);
    let mut auditor = Auditor {
        plan,
        judge,
        state: State::default(),
        tree: Frontier::new(),
        without: None,
        committed: BTreeMap::new(),
        found: Found::default(),
    };
    let size = reading.published();
    reading.each(0, size, |shown| {
        auditor.next(&shown)?;
        let done = shown.index.saturating_add(1);
        if done.is_multiple_of(PROGRESS_ENTRIES) {
            progress(done, size);
        }
        Ok::<(), AuditError>(())
    })?;
    auditor.finish(plan.rule.satisfied_by(&note))
}

struct Auditor<'a> {
    plan: &'a Plan,
    judge: Judge,
    state: State,
    tree: Frontier,
    /// The policy by which the running gate decides and which is not there.
    without: Option<String>,
    /// Commitments to probes, by the entry's index.
    committed: BTreeMap<u64, Vec<String>>,
    found: Found,
}

/// What can be done with an entry.
enum Way {
    Decide,
    /// Its key is nowhere any more.
    Forgotten,
    /// A bundle is missing.
    Undecided,
}

impl Auditor<'_> {
    fn next(&mut self, shown: &Shown) -> Result<(), AuditError> {
        self.tree.push(leaf_hash(&shown.line));
        let entry = match Entry::parse(&shown.line) {
            Ok(entry) => entry,
            Err(e) => {
                self.found.disagree(Some(shown.index), Fault::new(Breach::Malformed, e.to_string()));
                return Ok(());
            }
        };
        if entry.kind == Kind::GateStart {
            self.gate_starts(&entry)?;
        }
        let blob = self.blob(&entry, &shown.sealed)?;
        let blob = blob.as_deref().filter(|blob| !blob.is_empty());
        let item = Item { entry: &shown.line, blob };
        match self.way(&entry, blob) {
            Way::Decide => {
                self.found.decided = self.found.decided.saturating_add(1);
                match self.decide(shown.index, &entry, item) {
                    Ok(()) => return Ok(()),
                    Err(fault) => self.found.disagree(Some(shown.index), fault),
                }
            }
            Way::Forgotten => self.found.forgotten = self.found.forgotten.saturating_add(1),
            Way::Undecided => self.found.undecided = self.found.undecided.saturating_add(1),
        }
        self.take_over(shown.index, &entry, item);
        Ok(())
    }

    /// From here on this policy is in force, if it is there.
    fn gate_starts(&mut self, entry: &Entry) -> Result<(), AuditError> {
        let Some(policy) = &entry.policy else { return Ok(()) };
        self.without = None;
        match self.judge.shelf.put_in_force(policy, entry.time) {
            Ok(()) => {}
            Err(BundleError::Unknown(hash)) => {
                self.found.bundles_missing.insert(hash.clone());
                self.without = Some(hash);
            }
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    /// The sealed part of an entry: a wrapped key is in the folder of keys. One that does not open with this identity is
    /// as good as none.
    fn blob(&self, entry: &Entry, sealed: &[u8]) -> Result<Option<Vec<u8>>, AuditError> {
        let Some(id) = entry.key.as_deref().filter(|id| entry.kind == Kind::KeyMade && is_key_id(id)) else {
            return Ok(Some(sealed.to_vec()));
        };
        let path = self.plan.keys.join(format!("{id}.age"));
        let wrapped = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(folder::at(&path))?,
        };
        Ok(unwrap_day_key(&self.plan.identity, &wrapped).is_ok().then_some(wrapped))
    }

    fn way(&self, entry: &Entry, blob: Option<&[u8]>) -> Way {
        let is_lost = |key: &str| self.state.draft().is_lost(key);
        match entry.kind {
            Kind::KeyMade if blob.is_none() => Way::Forgotten,
            Kind::KeyMade | Kind::KeyForgotten => Way::Decide,
            _ if entry.key.as_deref().is_some_and(is_lost) => Way::Forgotten,
            _ if self.without.is_some() => Way::Undecided,
            _ => Way::Decide,
        }
    }

    fn decide(&mut self, index: u64, entry: &Entry, item: Item<'_>) -> Result<(), Fault> {
        let mut examiner = Examiner {
            judge: &mut self.judge,
            identity: &self.plan.identity,
            now: entry.time,
            poster: None,
            brakes: None,
            obeyed: Vec::new(),
            draft: self.state.draft(),
        };
        examiner.examine(index, item)?;
        let draft = examiner.draft;
        match entry.kind {
            Kind::ProbeCommitted => {
                let ProbesCommitted { probes } = entries::open(&draft, entry, item.blob)?;
                self.committed.insert(index, probes);
            }
            Kind::ProbeRevealed => {
                let revealed: ProbesRevealed = entries::open(&draft, entry, item.blob)?;
                check_probes(&revealed, self.committed.get(&revealed.committed))?;
                let cosigned = revealed.probes.iter().filter(|probe| probe.cosigned).count();
                let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
                self.found.probes = self.found.probes.saturating_add(count(revealed.probes.len()));
                self.found.probes_cosigned = self.found.probes_cosigned.saturating_add(count(cosigned));
            }
            _ => {}
        }
        let changes = draft.changes();
        self.state.absorb(changes, self.tree.clone(), String::new(), entry.time);
        Ok(())
    }

    /// Takes an entry for said that was not decided, or decided otherwise: those after it are held against it.
    fn take_over(&mut self, index: u64, entry: &Entry, item: Item<'_>) {
        let mut draft = self.state.draft();
        draft.time = Some(entry.time);
        draft.gate.get_or_insert_with(|| entry.gate.clone());
        // What cannot be folded changes nothing: it was found fault with already, or its bundle is missing.
        if entries::recall(&mut draft, &self.plan.identity, index, entry, item).is_ok() {
            let changes = draft.changes();
            self.state.absorb(changes, self.tree.clone(), String::new(), entry.time);
        }
    }

    fn finish(
        mut self,
        signed: Result<tlog::checkpoint::Checkpoint, RuleError>,
    ) -> Result<Found, AuditError> {
        let (size, root) = (self.tree.size(), self.tree.root());
        match signed {
            Ok(checkpoint) => {
                self.found.origin = checkpoint.origin;
                if (checkpoint.size, checkpoint.root) != (size, root) {
                    let reason = format!("the entries do not make the tree of size {}", checkpoint.size);
                    self.found.disagree(None, Fault::new(Breach::Fork, reason));
                }
            }
            Err(e) => {
                let reason = format!("the checkpoint does not satisfy the release rule: {e}");
                self.found.disagree(None, Fault::new(Breach::Fork, reason));
            }
        }
        (self.found.size, self.found.root) = (size, root.to_base64());
        let missing = self.state.missing_keys();
        self.found.keys_missing = missing.map(str::to_owned).collect();
        Ok(self.found)
    }
}

/// What was revealed is what was committed to.
pub(crate) fn check_probes(revealed: &ProbesRevealed, committed: Option<&Vec<String>>) -> Result<(), Fault> {
    let wrong = |reason: &str| Err(Fault::new(Breach::Detail, reason));
    let Some(committed) = committed else {
        return wrong("probes are revealed that no earlier entry committed to");
    };
    let matches = |(said, revealed): (&String, &ProbeRevealed)| {
        let salt = unhex::<32>(&revealed.salt);
        salt.and_then(|salt| revealed.probe.commitment(&salt).ok()).is_some_and(|found| found == *said)
    };
    if committed.len() != revealed.probes.len() || !committed.iter().zip(&revealed.probes).all(matches) {
        return wrong("the probes that are revealed are not those that were committed to");
    }
    Ok(())
}

/// The identity in a key file as age-keygen writes it, with comments, or by itself.
pub fn read_identity(path: &Path) -> Result<String, FolderError> {
    let text = folder::read_text(path)?;
    let lines = text.lines().map(str::trim);
    let identity = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(identity.unwrap_or_default().to_owned())
}
