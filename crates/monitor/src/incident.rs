//! Incidents: what the monitor found, with the evidence and the time by which a regulator must have heard. They are
//! entries of the monitor's own record, and nothing else: what is known of them is a fold over it (`store`), rebuilt at
//! every start, so that a crash loses none. Here is the one place that appends them.
//!
//! Commit order of every step:
//!   1. append the entry to the own record     crash here: it is there or it is not; the next start's fold tells
//!   2. fold it                                 crash here: as above
//!   3. tell the outputs (`notify`)             crash here: each output goes on from its own cursor
//!
//! Finding them belongs to `detect`, `entries` and `monitor`; stopping something because of them to the brakes.

pub mod breach;
pub mod desk;
pub mod evidence;
pub mod facts;
pub mod probes;
pub mod report;
pub mod show;
pub mod store;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use breach::{Breach, Fault};
pub use store::{Found, Incident, Refusal, Status, Store};
use thiserror::Error;
use tlog::{
    detail::{Change, IncidentChanged},
    entry::{Kind, Micros},
    hash::leaf_hash,
};
use tokio::sync::watch;

use crate::{
    detect::Finding,
    own::{Kept, Own, OwnError},
};

/// Most findings that wait to be kept. Nothing is cosigned meanwhile, so that little is found.
pub const OWED_MAX: usize = 256;

/// Why an incident could not be kept or changed.
#[derive(Debug, Error)]
pub enum IncidentError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Own(#[from] OwnError),
}

/// All incidents of a monitor. Cheap to clone; every clone sees the same.
#[derive(Clone)]
pub struct Incidents(Arc<Shared>);

struct Shared {
    own: Own,
    /// Origin of the log that evidence is in.
    log: String,
    state: Mutex<State>,
    /// What was found, and when, that could not be kept yet.
    owed: Mutex<VecDeque<(Found, Micros)>>,
    /// The size of the own record as far as incidents need it; outputs wait for it to grow.
    size: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    store: Store,
    /// Entries of the own record that are folded.
    folded: u64,
    /// An append failed, so that the own record may hold more than was folded.
    behind: bool,
}

impl Incidents {
    /// Folds the own record. `log` is the origin of the log that is followed.
    pub fn open(own: Own, log: &str) -> Result<Incidents, IncidentError> {
        let mut state = State::default();
        state.catch_up(&own)?;
        let size = watch::Sender::new(state.folded);
        let (state, owed) = (Mutex::new(state), Mutex::default());
        Ok(Incidents(Arc::new(Shared { own, log: log.to_owned(), state, owed, size })))
    }

    /// The record that the incidents are entries of.
    pub fn own(&self) -> &Own {
        &self.0.own
    }

    /// Keeps a finding: opens an incident, or adds to the one that it is more of. Answers its id. Saying the same twice
    /// changes nothing.
    pub fn open_one(&self, found: impl Into<Found>, now: Micros) -> Result<String, IncidentError> {
        let found = found.into();
        self.keep(found.clone(), now).inspect_err(|_| self.owe(found, now))
    }

    /// Whether everything that was found is kept; if not, why.
    pub fn sound(&self) -> Result<(), String> {
        self.0.own.sound()?;
        match self.owed().len() {
            0 => Ok(()),
            owed => Err(format!("{owed} findings are not in the monitor's own record yet")),
        }
    }

    /// Keeps what could not be kept, in its order, by the time at which it was found.
    pub fn mend(&self) -> Result<(), IncidentError> {
        loop {
            let Some((found, at)) = self.owed().front().cloned() else { return Ok(()) };
            self.keep(found, at)?;
            self.owed().pop_front();
        }
    }

    /// Remembers what is to be kept later. What is said again meanwhile is said once.
    fn owe(&self, found: Found, now: Micros) {
        let mut owed = self.owed();
        let is_known = owed.iter().any(|(known, _)| Found { at: known.at, ..found.clone() } == *known);
        if !is_known && owed.len() < OWED_MAX {
            owed.push_back((found, now));
        }
    }

    fn owed(&self) -> MutexGuard<'_, VecDeque<(Found, Micros)>> {
        self.0.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says of every refused entry of this line that is open that it was a probe, and closes what is about probes alone.
    pub fn probed(&self, line: &str, revealed: u64, now: Micros) -> Result<(), IncidentError> {
        let entry = leaf_hash(line.as_bytes()).to_hex();
        let open = self.read(|store| store.shown_by(line))?;
        for id in open {
            if !self.read(|store| store.get(&id).is_ok_and(|incident| incident.is_probe(&entry)))? {
                self.change(&id, Change::Probed { entry: entry.clone(), revealed }, now)?;
            }
            if self.read(|store| store.get(&id).is_ok_and(Incident::is_all_probes))? {
                let because =
                    format!("what was refused was probes of the gate's, which entry {revealed} reveals");
                self.change(&id, Change::Closed { by: "monitor".to_owned(), because }, now)?;
            }
        }
        Ok(())
    }

    fn keep(&self, found: Found, now: Micros) -> Result<String, IncidentError> {
        let mut state = self.current()?;
        let (kind, id, change) = match state.store.plan(found, &self.0.log, now) {
            store::Plan::Known(id) => return Ok(id),
            store::Plan::Open(opened) => {
                let index = self.append(&mut state, Kind::IncidentOpened, opened.as_ref())?;
                eprintln!("{}", show::line(&opened));
                let id = opened.id.clone();
                state.store.opened(index, *opened)?;
                self.folded(state, index);
                return Ok(id);
            }
            store::Plan::Add(changed) => (Kind::IncidentChanged, changed.id.clone(), changed),
        };
        let index = self.append(&mut state, kind, &change)?;
        state.store.changed(index, now, change)?;
        self.folded(state, index);
        Ok(id)
    }

    /// Changes an incident as somebody asks; answers it as it is afterwards.
    pub fn change(&self, id: &str, change: Change, now: Micros) -> Result<Incident, IncidentError> {
        let mut state = self.current()?;
        let changed: IncidentChanged = state.store.change(id, change)?;
        let index = self.append(&mut state, Kind::IncidentChanged, &changed)?;
        state.store.changed(index, now, changed)?;
        let incident = state.store.get(id)?.clone();
        self.folded(state, index);
        Ok(incident)
    }

    /// Reads what is known.
    pub fn read<T>(&self, read: impl FnOnce(&Store) -> T) -> Result<T, IncidentError> {
        Ok(read(&self.current()?.store))
    }

    /// Changes whenever there is more to tell.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.size.subscribe()
    }

    fn append(
        &self,
        state: &mut State,
        kind: Kind,
        detail: &impl serde::Serialize,
    ) -> Result<u64, IncidentError> {
        self.0.own.append(kind, detail).map_err(|error| {
            state.behind = true;
            error.into()
        })
    }

    fn folded(&self, mut state: MutexGuard<'_, State>, index: u64) {
        state.folded = index.saturating_add(1);
        self.0.size.send_replace(state.folded);
    }

    /// The state, after whatever an append that failed may have left in the record.
    fn current(&self) -> Result<MutexGuard<'_, State>, IncidentError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.behind {
            state.catch_up(&self.0.own)?;
            state.behind = false;
            self.0.size.send_replace(state.folded);
        }
        Ok(state)
    }
}

impl State {
    fn catch_up(&mut self, own: &Own) -> Result<(), IncidentError> {
        let damaged =
            |index: u64, refusal: &Refusal| OwnError::Damaged { index, problem: refusal.to_string() };
        own.each(self.folded, |kept: Kept| {
            let (index, time) = (kept.index, kept.time);
            let folded = match kept.kind {
                Kind::IncidentOpened => self.store.opened(index, kept.detail()?),
                Kind::IncidentChanged => self.store.changed(index, time, kept.detail()?),
                _ => Ok(()),
            };
            self.folded = index.saturating_add(1);
            folded.map_err(|refusal| damaged(index, &refusal))
        })?;
        Ok(())
    }
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Found {
        let Finding { detector, severity, at, about, evidence, reasons } = finding;
        Found { detector: detector.to_owned(), severity, about, at, evidence, reasons, exhibit: None }
    }
}
