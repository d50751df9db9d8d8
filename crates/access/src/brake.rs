//! What the monitor has stopped: kept in a file, so that it holds after a restart before a door opens, and told to the
//! sessions that it ends; and who is told when the gate itself stops a source (`logins`). The operator of a gate cannot lift a brake, and neither can its clock: one ends when the
//! monitor says so. Not here: how the monitor is heard (`channel`), how a session ends (`session`).

mod channel;
mod file;
mod seat;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use tlog::brake::{BrakeError, Change, InForce, Order, Stopped, Subject, Word};
use tlog::detail::{BrakeApplied, BrakeLifted, Ended, LoginResponse};
use tlog::entry::Kind;
use tlog::note::VerifierKey;

use crate::fault::Fault;
use crate::gate::Gate;
use crate::logins::{source_of, stops};
pub use channel::listen;
pub use file::FileError;
pub use seat::{Ending, Seat};
use seat::{Live, Stop};

/// The gate's list of brakes, and the sessions that it may end.
#[derive(Debug)]
pub struct Brakes {
    /// The gate's own name.
    gate: String,
    key: VerifierKey,
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    force: InForce,
    live: HashMap<u64, Live>,
    next: u64,
}

impl Brakes {
    /// Those of an earlier run, from the file.
    ///
    /// # Errors
    /// When the file is not what a gate wrote: what is stopped would not be known.
    pub fn open(path: &Path, gate: &str, key: &VerifierKey) -> Result<Arc<Self>, FileError> {
        let force = file::read(path, key)?;
        let known = Mutex::new(Known { force, ..Known::default() });
        Ok(Arc::new(Self { gate: gate.to_owned(), key: key.clone(), path: path.to_owned(), known }))
    }

    /// A seat for somebody who is not stopped; a brake may end it.
    ///
    /// # Errors
    /// When they are stopped.
    pub fn sit(self: &Arc<Self>, principal: &str, address: IpAddr) -> Result<Seat, Fault> {
        let mut known = self.known();
        let subject = Subject { session: None, principal, gate: &self.gate };
        if let Some(order) = known.force.stops(subject) {
            return Err(Fault::braked(order));
        }
        let number = known.next;
        known.next = known.next.wrapping_add(1);
        let (seat, live) = seat::pair(Arc::clone(self), number, principal, address);
        known.live.insert(number, live);
        Ok(seat)
    }

    /// Tells the sessions that a response to suspicious logins stops, before anything else; what will be known of their
    /// ends.
    pub fn respond(&self, response: &LoginResponse) -> Vec<Ending> {
        let told = Stop::Response(Arc::new(response.clone()));
        let stops = |live: &&Live| stops(response, source_of(live.address).as_str(), &live.principal);
        self.known().live.values().filter(stops).map(|live| live.tell(told.clone())).collect()
    }

    /// The address of one of the sessions, whichever; without any, one that a client could have.
    pub fn some_address(&self, random: &mut impl Rng) -> IpAddr {
        let known = self.known();
        let at = random.random_range(0..known.live.len().max(1));
        let private = || IpAddr::from([10, random.random(), random.random(), random.random()]);
        known.live.values().nth(at).map_or_else(private, |live| live.address)
    }

    /// The orders in force.
    pub fn orders(&self) -> Vec<Stopped> {
        self.known().force.orders().cloned().collect()
    }

    /// Takes a word of the monitor's and tells the sessions that it stops, before anything else.
    fn take(&self, note: &str) -> Result<(Change, Vec<Carrying>), BrakeError> {
        let word = Word::verify(note, &self.key)?;
        let mut known = self.known();
        let change = known.force.take(&word, note, &self.key)?;
        let carrying = change.applied.iter().map(|stopped| known.stop(stopped, &self.gate));
        let carrying = carrying.collect();
        Ok((change, carrying))
    }

    fn keep(&self) -> Result<(), FileError> {
        let force = self.known().force.clone();
        file::write(&self.path, &force)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn stop(&self, stopped: &Stopped, gate: &str) -> Carrying {
        let order = Arc::new(stopped.order.clone());
        let told = Stop::Brake(Arc::clone(&order));
        let stops = |live: &&Live| {
            let session = live.session.as_deref();
            order.target.stops(Subject { session, principal: &live.principal, gate })
        };
        let ending = self.live.values().filter(stops).map(|live| live.tell(told.clone())).collect();
        Carrying { stopped: stopped.clone(), ending }
    }
}

/// Waits until sessions that were told to end have ended, and says how.
pub async fn ended(ending: Vec<Ending>) -> Vec<Ended> {
    let mut ended: Vec<Ended> = Vec::new();
    for ending in ending {
        ended.extend(ending.wait().await);
    }
    ended
}

/// An order that is being carried out.
struct Carrying {
    stopped: Stopped,
    ending: Vec<Ending>,
}

impl Carrying {
    /// Waits until its sessions have ended, and says so in the record: no entry of theirs but their end comes after.
    async fn finish(self, gate: Arc<Gate>) {
        let ended = ended(self.ending).await;
        let Stopped { order, note } = self.stopped;
        tracing::warn!(id = order.id, target = %order.target, sessions = ended.len(), "a brake is carried out");
        gate.note(Kind::BrakeApplied, &BrakeApplied { order, note, ended }).await;
    }
}

/// Says in the record what is in force at the start: the run that heard of it may not have come to that.
pub async fn note_at_start(gate: &Gate) {
    for Stopped { order, note } in gate.brakes.orders() {
        gate.note(Kind::BrakeApplied, &BrakeApplied { order, note, ended: Vec::new() }).await;
    }
}

async fn note_lifted(gate: Arc<Gate>, stopped: Stopped, because: Option<String>) {
    let Order { id, target, .. } = stopped.order;
    tracing::warn!(id, %target, "a brake is lifted");
    gate.note(Kind::BrakeLifted, &BrakeLifted { id, because }).await;
}

#[cfg(test)]
mod tests;
