//! One batch, from bytes to answer: the witness rule, the second decision, the copy, the two cosignatures, the
//! certificates. HTTP is in `serve`; the time is an argument.

use std::{collections::BTreeMap, fs::File, sync::Arc};

use policy::Bundle;
use serde::Serialize;
use thiserror::Error;
use tlog::{
    brake::Subject,
    checkpoint::Checkpoint,
    detail::{Exhibit, MonitorStart, MonitorStop},
    entry::{Entry, EntryError, Kind, Micros},
    hash::{Hash, hex, leaf_hash},
    note::{NoteError, SignedNote},
    tree::Frontier,
};

use crate::{
    batch::Batch,
    brake::{Brakes, BrakesError},
    bundle::{BundleError, Shelf},
    ca::{CERTIFICATE_S_MAX, Request},
    config::{Config, ConfigError, Keys},
    control::Desks,
    copy::{self, Copy, CopyError},
    decide::Judge,
    entries::{self, CLOCK_SKEW_US_MAX, Examiner},
    folder::{Folder, FolderError},
    forget::{self, Wrapped},
    incident::{Breach, Fault, IncidentError, Incidents, breach, desk::Desk},
    notify::{NotifyError, Outputs},
    own::{self, Own, OwnError},
    replay::{Depth, Replayer},
    resume::{self, Resumed},
    snapshot::Writer,
    state::{Changes, Opening, State},
};

const SECOND_US: i64 = 1_000_000;

/// Why the monitor does not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("the copy of the record: {0}")]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Brakes(#[from] BrakesError),
    #[error(transparent)]
    Own(#[from] OwnError),
    #[error(transparent)]
    Incidents(#[from] IncidentError),
    #[error(transparent)]
    Notify(#[from] NotifyError),
    #[error(
        "the key {0} was made and not forgotten, but is not in the folder `keys`; restore it from a backup"
    )]
    Key(String),
}

/// Says in the monitor's own record which keys are destroyed.
fn attest(wrapped: &Wrapped, incidents: &Incidents) -> Result<(), FolderError> {
    wrapped.attest(|said| incidents.own().append(Kind::KeyForgotten, said).map(drop))
}

fn check_keys(state: &State) -> Result<(), StartError> {
    state.missing_keys().next().map_or(Ok(()), |id| Err(StartError::Key(id.to_owned())))
}

/// What the gate is told.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// 200: stored and cosigned, or asked again about what is.
    Cosigned(Cosigned),
    /// 400: not a batch.
    Malformed(String),
    /// 403: not signed by the log.
    Unsigned(String),
    /// 404: not the log that is followed.
    UnknownOrigin(String),
    /// 409: the batch does not begin where the copy ends, at this size.
    Elsewhere(u64),
    /// 422: the monitor would not have decided this.
    Refused(Refused),
    /// 503: the copy cannot be written; nothing is cosigned until it can.
    Storage(String),
}

/// The body of a 200.
#[derive(Debug, PartialEq, Serialize)]
pub struct Cosigned {
    /// Signature lines, each with its newline: witness, then redecided.
    pub cosignatures: Vec<String>,
    /// PEM by entry index, for each session.open.
    pub certificates: BTreeMap<u64, String>,
}

/// The body of a 422.
#[derive(Debug, PartialEq, Serialize)]
pub struct Refused {
    pub index: u64,
    pub reason: String,
}

/// The monitor, with its folder locked.
pub struct Monitor {
    config: Config,
    keys: Keys,
    wrapped: Wrapped,
    judge: Judge,
    state: State,
    copy: Copy,
    snapshots: Writer,
    incidents: Incidents,
    brakes: Brakes,
    outputs: Option<Outputs>,
    folder: Folder,
    _lock: File,
}

impl Monitor {
    /// Checks configuration, keys, policy and copy, and rebuilds the state. Anything missing refuses the start.
    pub fn open(folder: &Folder, now: Micros) -> Result<Monitor, StartError> {
        let config = Config::read(folder)?;
        let lock = folder.lock()?;
        let keys = Keys::read(folder, now)?;
        let shelf = Shelf::open(&folder.bundles(), config.bundle.clone())?;
        let wrapped = Wrapped::open(folder.keys())?;
        let resumed = resume::resume(folder, &config.origin, &config.log, &keys.identity, &wrapped)?;
        let Resumed { state, copy, snapshot } = resumed;
        check_keys(&state)?;
        // What a crash left: of a batch that was never stored, or of a key that is forgotten.
        for (key, entry) in &state.forgotten {
            wrapped.destroy(&config.origin, key, *entry)?;
        }
        wrapped.tidy(|id| state.has_key(id))?;
        let snapshots = Writer::new(folder.snapshot(), &keys.identity, snapshot);
        let outputs = Some(Outputs::read(folder, &config.notify)?);
        let own = Own::open(folder, &config.own, &keys.identity)?;
        let incidents = Incidents::open(own, &config.origin)?;
        attest(&wrapped, &incidents)?;
        let brakes = Brakes::open(folder, config.brakes.clone(), Some(incidents.own().clone()), now)?;
        let gate = state.gate.clone().unwrap_or_default();
        state.sessions().for_each(|(id, session)| brakes.was_open(id, session, &gate, now));
        let judge = Judge::new(shelf);
        let start = MonitorStart {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log: config.origin.clone(),
            size: state.size(),
            policy: judge.shelf.current().hash().to_string(),
        };
        incidents.own().append(Kind::MonitorStart, &start)?;
        Ok(Monitor {
            wrapped,
            config,
            keys,
            judge,
            state,
            copy,
            snapshots,
            incidents,
            brakes,
            outputs,
            folder: folder.clone(),
            _lock: lock,
        })
    }

    /// Reads everything and changes nothing.
    pub fn check(folder: &Folder, now: Micros) -> Result<Checked, StartError> {
        let config = Config::read(folder)?;
        let keys = Keys::read(folder, now)?;
        let mut shelf = Shelf::open(&folder.bundles(), config.bundle.clone())?;
        let bundles = shelf.check_all()?;
        let wrapped = Wrapped::open(folder.keys())?;
        let mut replayer = Replayer::new(&config.log, &keys.identity, &wrapped, Depth::Full);
        copy::verify(&folder.copy(), &mut replayer)?;
        check_keys(&replayer.state)?;
        let (size, root) = (replayer.state.size(), replayer.state.root());
        let policy = shelf.current().hash().to_string();
        let own = own::check(folder, &config.own, &keys.identity)?;
        Ok(Checked { origin: config.origin, size, root: root.to_base64(), policy, bundles, own })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What was found, for whoever else finds something or asks.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// Those who answer the command line.
    pub fn desks(&self) -> Desks {
        let (incidents, folder) = (self.incidents.clone(), self.folder.clone());
        let (contacts, identity) = (self.config.report.clone(), self.keys.identity.clone());
        Desks { incidents: Desk { incidents, folder, contacts, identity }, brakes: self.brakes.clone() }
    }

    /// Those who are told of incidents; once, for whoever serves.
    pub fn outputs(&mut self) -> Option<Outputs> {
        self.outputs.take()
    }

    /// The monitor's folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What is stopped.
    pub fn brakes(&self) -> &Brakes {
        &self.brakes
    }

    /// Number of entries held and cosigned.
    pub fn size(&self) -> u64 {
        self.state.size()
    }

    pub fn root(&self) -> Hash {
        self.state.root()
    }

    /// The policy in force.
    pub fn bundle(&self) -> Arc<Bundle> {
        self.judge.shelf.current().clone()
    }

    /// `AGE-SECRET-KEY-1…`, for those beside the monitor who open what is sealed for it.
    pub fn identity(&self) -> &str {
        &self.keys.identity
    }

    /// Hash of the policy in force, hexadecimal.
    pub fn policy(&self) -> String {
        self.judge.shelf.current().hash().to_string()
    }

    /// For a clean stop.
    pub fn stop(&mut self) -> Result<(), CopyError> {
        self.copy.sync_mark()?;
        if self.state.size() > 0 {
            self.snapshots.begin(resume::snapshot(&self.state, self.copy.position()));
            self.snapshots.finish();
        }
        let stop = MonitorStop { reason: "asked to".to_owned(), size: self.state.size() };
        if let Err(e) = self.incidents.own().append(Kind::MonitorStop, &stop) {
            eprintln!("{e}");
        }
        Ok(())
    }

    /// Whose log is followed; none before its first entry.
    pub fn gate(&self) -> Option<&str> {
        self.state.gate.as_deref()
    }

    /// One batch, posted by whoever is enrolled as `poster`. Unless the answer is `Cosigned`, nothing has changed.
    pub fn submit(&mut self, poster: &str, body: &[u8], now: Micros) -> Answer {
        self.try_submit(poster, body, now).unwrap_or_else(|answer| answer)
    }

    fn try_submit(&mut self, poster: &str, body: &[u8], now: Micros) -> Result<Answer, Answer> {
        self.sound()?;
        let batch = Batch::parse(body).map_err(|e| Answer::Malformed(e.to_string()))?;
        let size = self.state.size();
        let read = if batch.first == size { self.read(&batch) } else { Vec::new() };
        let next = self.checkpoint(batch.note)?;
        if next.size == size && next.root != self.state.root() {
            return Err(self.forked(&batch, now, "another root of the size that was cosigned"));
        }
        if batch.first != size {
            return Err(Answer::Elsewhere(size));
        }
        if u64::try_from(batch.items.len()).ok().and_then(|count| size.checked_add(count)) != Some(next.size)
        {
            let reason =
                format!("{} entries from {size} do not reach the size {}", batch.items.len(), next.size);
            return Err(Answer::Malformed(reason));
        }
        if batch.items.is_empty() {
            self.check_poster(poster, &batch, now)?;
            self.state.caught_up = Some(now);
            self.state.note = batch.note.to_owned();
            return self.cosign(&next, now);
        }
        // The tree first: only entries under the log's signature can be held against it.
        let mut tree = self.state.tree.clone();
        batch.items.iter().for_each(|item| tree.push(leaf_hash(item.entry)));
        if tree.root() != next.root {
            return Err(self.forked(
                &batch,
                now,
                "the entries held and these do not make the tree that was signed",
            ));
        }
        let changes = self.examine(poster, &batch, read, now)?;
        self.store(body, &batch, changes, tree, now)?;
        // It may have been this batch that there was something to say of.
        self.sound()?;
        self.cosign(&next, now)
    }

    /// Whoever cannot keep what he finds vouches for nothing.
    fn sound(&self) -> Result<(), Answer> {
        self.incidents.sound().map_err(|problem| Answer::Storage(format!("nothing is cosigned: {problem}")))
    }

    /// Keeps what could not be kept, if it can be by now. Blocks for the disk; does nothing when nothing is owed.
    pub fn mend(&self) -> Result<(), StartError> {
        if self.incidents.sound().is_ok() {
            return Ok(());
        }
        self.incidents.own().mend()?;
        attest(&self.wrapped, &self.incidents)?;
        self.brakes.mend()?;
        Ok(self.incidents.mend()?)
    }

    /// The statuses of the witness rule, in its order.
    fn checkpoint(&self, note: &str) -> Result<Checkpoint, Answer> {
        let malformed = |e: &dyn std::fmt::Display| Answer::Malformed(e.to_string());
        let note = SignedNote::parse(note).map_err(|e| malformed(&e))?;
        let next = Checkpoint::parse(&note.text).map_err(|e| malformed(&e))?;
        if next.to_string() != note.text {
            return Err(malformed(&"the checkpoint has extension lines"));
        }
        if next.origin != self.config.origin {
            return Err(Answer::UnknownOrigin(format!("{} is not followed here", next.origin)));
        }
        let log = std::slice::from_ref(&self.config.log);
        note.verify(log).map_err(|e| Answer::Unsigned(e.to_string()))?;
        Ok(next)
    }

    /// Reads the entries, and begins to decide what they will ask.
    fn read(&mut self, batch: &Batch<'_>) -> Vec<Result<Entry, EntryError>> {
        let read: Vec<_> = batch.items.iter().map(|item| Entry::parse(item.entry)).collect();
        let entries = read.iter().zip(&batch.items);
        let state = &self.state;
        let questions =
            entries.filter_map(|(entry, item)| entries::question(state, entry.as_ref().ok()?, *item));
        self.judge.ahead(questions);
        read
    }

    fn examine(
        &mut self,
        poster: &str,
        batch: &Batch<'_>,
        read: Vec<Result<Entry, EntryError>>,
        now: Micros,
    ) -> Result<Changes, Answer> {
        let mut examiner = Examiner {
            judge: &mut self.judge,
            identity: &self.keys.identity,
            now,
            poster: Some(poster),
            brakes: Some(&self.brakes),
            obeyed: Vec::new(),
            draft: self.state.draft(),
        };
        for ((item, read), index) in batch.items.iter().zip(read).zip(batch.first..) {
            if let Err(fault) = examiner.examine_read(index, read, *item) {
                let exhibit = breach::exhibit(&self.state.tree, batch, item, index);
                return Err(self.refuse(index, &fault, exhibit, now));
            }
        }
        let obeyed = self.brakes.obeyed(&examiner.obeyed);
        obeyed.map_err(|e| Answer::Storage(format!("that a brake was carried out cannot be kept: {e}")))?;
        Ok(examiner.draft.changes())
    }

    /// A batch without entries asks about what is held, certificates included: that too is its gate's alone.
    fn check_poster(&mut self, poster: &str, batch: &Batch<'_>, now: Micros) -> Result<(), Answer> {
        let Some(fault) = self.gate().and_then(|gate| entries::check_poster(poster, gate).err()) else {
            return Ok(());
        };
        let exhibit = breach::fork(batch.note, "");
        Err(self.refuse(self.state.size(), &fault, exhibit, now))
    }

    /// Commit order: copy and checkpoint in one durable write, then the state, then (the caller) the cosignatures. A
    /// crash or a lost answer after the write leaves the gate to ask again: it gets 409, then a heartbeat's answer.
    fn store(
        &mut self,
        body: &[u8],
        batch: &Batch<'_>,
        changes: Changes,
        tree: Frontier,
        now: Micros,
    ) -> Result<(), Answer> {
        let stored = self.keep(body, batch, &changes, tree.size(), now);
        stored.map_err(|e| {
            eprintln!("the copy of the record: {e}");
            Answer::Storage(e.to_string())
        })?;
        self.state.absorb(changes, tree, batch.note.to_owned(), now);
        if self.snapshots.is_due(self.state.size()) {
            self.snapshots.begin(resume::snapshot(&self.state, self.copy.position()));
        }
        Ok(())
    }

    /// Writes a batch to the copy, and its wrapped keys beside it. Keys that it forgets are destroyed when this returns.
    fn keep(
        &mut self,
        body: &[u8],
        batch: &Batch<'_>,
        changes: &Changes,
        size: u64,
        now: Micros,
    ) -> Result<(), StartError> {
        let made = changes.made();
        for (item, index) in batch.items.iter().zip(batch.first..) {
            if let (Some(id), Some(blob)) = (made.get(&index), item.blob) {
                self.wrapped.put(id, blob)?;
            }
        }
        if made.is_empty() {
            self.copy.append(now, body, batch.first, size)?;
        } else {
            self.copy.append(now, &forget::without_keys(batch, &made), batch.first, size)?;
        }
        for (key, entry) in changes.forgotten() {
            self.wrapped.destroy(&self.config.origin, key, *entry)?;
        }
        if !changes.forgotten().is_empty() {
            attest(&self.wrapped, &self.incidents)?;
        }
        Ok(())
    }

    fn cosign(&self, next: &Checkpoint, now: Micros) -> Result<Answer, Answer> {
        let text = next.to_string();
        let seconds = u64::try_from(now.0.div_euclid(SECOND_US)).unwrap_or(0);
        let keys = [&self.keys.witness, &self.keys.redecided];
        let lines = keys.iter().map(|key| key.cosign(&text, seconds).map(|line| line.to_string()));
        let cosignatures = lines
            .collect::<Result<Vec<_>, NoteError>>()
            .map_err(|e| Answer::Storage(format!("cannot cosign: {e}; check the monitor's clock")))?;
        Ok(Answer::Cosigned(Cosigned { cosignatures, certificates: self.certificates(now) }))
    }

    /// Certificates for the sessions that the last batch opened, as long as they are fresh: not for what was asked
    /// long ago or under an earlier policy. Asked again, they expire when they would have the first time.
    fn certificates(&self, now: Micros) -> BTreeMap<u64, String> {
        let Some(received) = self.state.received else { return BTreeMap::new() };
        let fresh_us = CERTIFICATE_S_MAX * SECOND_US;
        if !(0..=fresh_us).contains(&now.0.saturating_sub(received.0)) {
            return BTreeMap::new();
        }
        let oldest = received.0.saturating_sub(CLOCK_SKEW_US_MAX);
        let policy = self.policy();
        let issue = |opening: &Opening| {
            let Opening { index, session, role, csr, request, .. } = opening;
            if opening.time.0 < oldest || opening.policy != policy || !self.may_open(opening, received) {
                return None;
            }
            let request = match request {
                Some(request) => Ok(request.clone()),
                None => Request::read(csr, role),
            };
            match request.and_then(|request| self.keys.ca.issue(&request, role, *session, received)) {
                Ok(pem) => Some((*index, pem)),
                Err(e) => {
                    eprintln!("entry {index}: no certificate: {e}");
                    None
                }
            }
        };
        self.state.openings.iter().filter_map(issue).collect()
    }

    /// Whether a session is open and nothing stops it; then it is known who holds its role.
    fn may_open(&self, opening: &Opening, received: Micros) -> bool {
        let Opening { index, session: id, .. } = opening;
        let Some(session) = self.state.session(id) else { return false };
        let gate = self.state.gate.as_deref().unwrap_or_default();
        let text = hex(id);
        let subject = Subject { session: Some(&text), principal: &session.question.principal, gate };
        if let Some(order) = self.brakes.stops(subject) {
            eprintln!("entry {index}: no certificate: {} is under brake {}", order.target, order.id);
            return false;
        }
        self.brakes.certified(id, session, gate, received);
        true
    }

    fn forked(&mut self, batch: &Batch<'_>, now: Micros, reason: &str) -> Answer {
        let exhibit = breach::fork(batch.note, &self.state.note);
        self.refuse(self.state.size(), &Fault::new(Breach::Fork, reason), exhibit, now)
    }

    fn refuse(&mut self, index: u64, fault: &Fault, exhibit: Exhibit, now: Micros) -> Answer {
        let found = fault.found(index, self.state.gate.clone(), exhibit, now);
        if let Err(e) = self.incidents.open_one(found, now) {
            // The refusal stands whether or not the incident can be kept; here it is said at least.
            eprintln!("entry {index}: {}; the incident could not be kept: {e}", fault.reason);
        }
        Answer::Refused(Refused { index, reason: fault.reason.clone() })
    }
}

/// What `check` found in order.
#[derive(Debug, Serialize)]
pub struct Checked {
    pub origin: String,
    /// Entries held.
    pub size: u64,
    /// Base 64.
    pub root: String,
    /// Hash of the policy in force, hexadecimal.
    pub policy: String,
    /// Bundles ever accepted.
    pub bundles: usize,
    /// Entries of the monitor's own record.
    pub own: u64,
}
