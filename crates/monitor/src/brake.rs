//! Brakes: what the monitor has stopped. An order is signed, told to every gate that listens, and then kept; whoever
//! gave it is answered when all of that is done. One is lifted by an order or by its end, and only here: a gate that
//! hears nothing keeps it. What gates do about it is theirs; what is done when they do nothing is `stop`.
//!
//! The monitor's brake key signs words of `tlog::brake` and nothing else: there is none that grants.

pub mod channel;
pub mod desk;
pub mod rules;
pub mod stop;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tlog::{
    brake::{BrakeError, Change, InForce, Order, Stopped, Subject, Target, Word},
    detail::{BrakeApplied, BrakeLifted},
    entry::{Kind, Micros},
    hash::hex,
    note::{KeyType, SigningKey, VerifierKey},
};
use tokio::{sync::broadcast, task::spawn_blocking};

use crate::{
    clock,
    folder::{self, Folder, FolderError},
    own::{Own, OwnError},
    state::{Session, SessionId},
};
use rules::Rules;

/// Words that a gate may be behind before it is told everything anew.
const WORDS_BEHIND_MAX: usize = 64;

/// Why something is not stopped, or not kept.
#[derive(Debug, Error)]
pub enum BrakesError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("brake.key: {0}; put the original back, or make a new monitor with `trefoil-monitor init`")]
    Key(String),
    #[error("brakes.json: {0}; put the original back: without it, gates keep what they know as stopped")]
    Damaged(String),
    #[error(transparent)]
    Brake(#[from] BrakeError),
    #[error("no brake {0} is in force; `trefoil-monitor brakes list` says which are")]
    Unknown(String),
    #[error("the operating system gave no randomness: {0}")]
    Random(#[from] rand::rand_core::OsError),
    #[error("the time {0} cannot be written")]
    Time(i64),
    #[error("the gates were told and keep to it, but the monitor's own record lacks it: {0}")]
    Own(#[from] OwnError),
}

/// What somebody wants stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub target: Target,
    pub for_us: i64,
    pub because: String,
    pub by: String,
}

/// What is stopped. Cheap to clone, and all clones are one.
#[derive(Clone)]
pub struct Brakes(Arc<Inner>);

struct Inner {
    key: SigningKey,
    path: PathBuf,
    rules: Rules,
    state: Mutex<State>,
    /// Lines for the gates.
    words: broadcast::Sender<Arc<str>>,
    own: Option<Own>,
}

#[derive(Default)]
struct State {
    force: InForce,
    /// Orders in force that the gate has said in its record that it carried out.
    obeyed: BTreeSet<String>,
    /// What the own record lacks, because it could not be written.
    owed: VecDeque<(Kind, Value)>,
    /// By site and pool role: the session that was certified for it last; before the first is, those that were open when
    /// the monitor started. As many as there are roles.
    roles: BTreeMap<(String, String), Vec<Holder>>,
}

/// Who holds a role.
struct Holder {
    session: String,
    principal: String,
    gate: String,
    at: Micros,
}

/// brakes.json.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    sequence: u64,
    orders: Vec<String>,
    /// Ids of those that the gate carried out.
    #[serde(default)]
    obeyed: BTreeSet<String>,
}

impl Brakes {
    /// Those of an earlier run. What ended in the meantime is lifted at the first [`Brakes::expire`].
    /// Changes are written to `own`.
    pub fn open(folder: &Folder, rules: Rules, own: Option<Own>, now: Micros) -> Result<Brakes, BrakesError> {
        let key = signing_key(folder)?;
        let path = folder.brakes();
        let (mut force, mut obeyed) = (InForce::default(), BTreeSet::new());
        if path.exists() {
            let damaged = |e: &dyn std::fmt::Display| BrakesError::Damaged(e.to_string());
            let text = folder::read_text(&path)?;
            let kept: Kept = serde_json::from_str(&text).map_err(|e| damaged(&e))?;
            let Kept { sequence, orders, obeyed: carried_out } = kept;
            obeyed = carried_out;
            // An order that was told and not kept is taken back: nobody was answered that it stands.
            let sequence = next_sequence(sequence, now);
            let whole = Word::Whole { sequence, orders };
            force.take(&whole, "", key.verifier()).map_err(|e| damaged(&e))?;
        }
        let state = Mutex::new(State { force, obeyed, ..State::default() });
        let words = broadcast::Sender::new(WORDS_BEHIND_MAX);
        let brakes = Brakes(Arc::new(Inner { key, path, rules, state, words, own }));
        brakes.reconcile()?;
        Ok(brakes)
    }

    /// Says in the own record what is stopped and not said there, and what is said there and stopped no more: an earlier
    /// run may have ended between a word and its entry.
    fn reconcile(&self) -> Result<(), BrakesError> {
        let Some(own) = &self.0.own else { return Ok(()) };
        let mut said = BTreeSet::new();
        own.each(0, |kept| {
            match kept.kind {
                Kind::BrakeApplied => {
                    said.insert(kept.detail::<BrakeApplied>()?.order.id);
                }
                Kind::BrakeLifted => {
                    said.remove(&kept.detail::<BrakeLifted>()?.id);
                }
                _ => {}
            }
            Ok(())
        })?;
        for Stopped { order, note } in self.orders() {
            if !said.remove(&order.id) {
                self.record(Kind::BrakeApplied, &BrakeApplied { order, note, ended: Vec::new() })?;
            }
        }
        let because = Some("no longer in force when the monitor started".to_owned());
        said.into_iter()
            .try_for_each(|id| self.record(Kind::BrakeLifted, &BrakeLifted { id, because: because.clone() }))
    }

    /// By which gates know a word as the monitor's.
    pub fn verifier(&self) -> &VerifierKey {
        self.0.key.verifier()
    }

    /// Stops something: the gates are told, and it is in the own record, when this returns. Blocks for the disk.
    pub fn apply(&self, wish: Wish, now: Micros) -> Result<Order, BrakesError> {
        let mut id = [0; 8];
        OsRng.try_fill_bytes(&mut id)?;
        let written = |time: Micros| time.to_rfc3339().ok_or(BrakesError::Time(time.0));
        let Wish { target, for_us, because, by } = wish;
        let until = written(Micros(now.0.saturating_add(for_us)))?;
        let order = Order { id: hex(&id), target, given: written(now)?, until, because, by };
        order.check()?;
        let change = {
            let mut state = self.state();
            let sequence = next_sequence(state.force.sequence(), now);
            self.say(&mut state, &Word::Brake { sequence, order: order.clone() })?
        };
        for Stopped { order, note } in change.applied {
            self.record(Kind::BrakeApplied, &BrakeApplied { order, note, ended: Vec::new() })?;
        }
        Ok(order)
    }

    /// Takes a stop back. Blocks for the disk.
    pub fn lift(&self, id: &str, because: String, by: String, now: Micros) -> Result<(), BrakesError> {
        let reason = format!("{because} ({by})");
        {
            let mut state = self.state();
            if state.force.get(id).is_none() {
                return Err(BrakesError::Unknown(id.to_owned()));
            }
            let sequence = next_sequence(state.force.sequence(), now);
            self.say(&mut state, &Word::Lift { sequence, id: id.to_owned(), because, by })?;
        }
        self.record(Kind::BrakeLifted, &BrakeLifted { id: id.to_owned(), because: Some(reason) })
    }

    /// Lifts what has come to its end.
    pub fn expire(&self, now: Micros) -> Result<(), BrakesError> {
        let over = |stopped: &&Stopped| stopped.order.until().is_none_or(|until| until <= now);
        let over: Vec<String> =
            self.state().force.orders().filter(over).map(|s| s.order.id.clone()).collect();
        over.iter().try_for_each(|id| match self.lift(id, "its time is over".into(), "monitor".into(), now) {
            // Somebody was faster.
            Err(BrakesError::Unknown(_)) => Ok(()),
            lifted => lifted,
        })
    }

    /// Stops what a detector's rule says, unless it is stopped already; none when there is no rule.
    pub fn by_rule(
        &self,
        detector: &str,
        about: &tlog::detail::About,
        now: Micros,
    ) -> Result<Option<Order>, BrakesError> {
        let Some(wish) = self.0.rules.wish(detector, about) else { return Ok(None) };
        if self.orders().iter().any(|stopped| stopped.order.target == wish.target) {
            return Ok(None);
        }
        self.apply(wish, now).map(Some)
    }

    /// The order that stops them, if one does.
    pub fn stops(&self, subject: Subject<'_>) -> Option<Order> {
        self.state().force.stops(subject).cloned()
    }

    /// The orders in force.
    pub fn orders(&self) -> Vec<Stopped> {
        self.state().force.orders().cloned().collect()
    }

    /// The order of this id, if it is in force.
    pub fn get(&self, id: &str) -> Option<Order> {
        self.state().force.get(id).map(|stopped| stopped.order.clone())
    }

    /// The order that stops them and that the gate has carried out, if there is one.
    pub fn disobeyed(&self, subject: Subject<'_>) -> Option<Order> {
        let state = self.state();
        let mut orders = state.force.orders().map(|stopped| &stopped.order);
        orders.find(|order| state.obeyed.contains(&order.id) && order.target.stops(subject)).cloned()
    }

    /// A session holds its role at its site from now on, and whoever held it before does not.
    pub fn certified(&self, id: &SessionId, session: &Session, gate: &str, at: Micros) {
        let (place, holder) = holder(id, session, gate, at);
        self.state().roles.insert(place, vec![holder]);
    }

    /// A session was open when the monitor started; which one of a role holds it is not known.
    pub fn was_open(&self, id: &SessionId, session: &Session, gate: &str, at: Micros) {
        let (place, holder) = holder(id, session, gate, at);
        self.state().roles.entry(place).or_default().push(holder);
    }

    /// The roles, by site, that are held by whoever this stops, and since when.
    pub fn roles(&self, target: &Target) -> Vec<(String, String, Micros)> {
        let stops = |Holder { session, principal, gate, .. }: &&Holder| {
            target.stops(Subject { session: Some(session), principal, gate })
        };
        let held = |((site, role), holders): (&(String, String), &Vec<Holder>)| {
            holders.iter().find(stops).map(|holder| (site.clone(), role.clone(), holder.at))
        };
        self.state().roles.iter().filter_map(held).collect()
    }

    /// Whether this session may be connected under this role: no other was certified for it since.
    pub fn holds(&self, site: &str, role: &str, session: &str) -> bool {
        let place = (site.to_owned(), role.to_owned());
        let state = self.state();
        state.roles.get(&place).is_some_and(|holders| holders.iter().any(|holder| holder.session == session))
    }

    /// The gate's record says that it has carried out these orders. Kept when this returns; of what is not in force, there
    /// is nothing to keep.
    pub fn obeyed(&self, ids: &[String]) -> Result<(), BrakesError> {
        let mut state = self.state();
        let is_new = |id: &&String| state.force.get(id).is_some() && !state.obeyed.contains(*id);
        let new: Vec<String> = ids.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        state.obeyed.extend(new.iter().cloned());
        self.keep(&mut state).inspect_err(|_| {
            // It is posted again.
            state.obeyed.retain(|id| !new.contains(id));
        })
    }

    /// Whether the gate's record says so.
    pub fn is_obeyed(&self, id: &str) -> bool {
        self.state().obeyed.contains(id)
    }

    /// Signs a word, tells the gates, and keeps what is in force: in this order, so that nothing waits for the disk. A
    /// crash before it is kept takes the order back, of which nobody was told that it stands.
    fn say(&self, state: &mut State, word: &Word) -> Result<Change, BrakesError> {
        let key = &self.0.key;
        let note = word.sign(key)?;
        let change = state.force.take(word, &note, key.verifier())?;
        // An error means that no gate listens; each is told everything when it does.
        let _ = self.0.words.send(channel::line(&note));
        self.keep(state)?;
        Ok(change)
    }

    fn keep(&self, state: &mut State) -> Result<(), BrakesError> {
        let State { force, obeyed, .. } = state;
        obeyed.retain(|id| force.get(id).is_some());
        let orders = force.orders().map(|stopped| stopped.note.clone()).collect();
        let kept = Kept { sequence: force.sequence(), orders, obeyed: obeyed.clone() };
        let text = serde_json::to_vec(&kept).map_err(|e| BrakesError::Damaged(e.to_string()))?;
        Ok(folder::write_file(&self.0.path, &text, 0o600)?)
    }

    /// Not under the lock: what waits for the disk holds up no batch.
    fn record(&self, kind: Kind, detail: &impl Serialize) -> Result<(), BrakesError> {
        let Some(own) = &self.0.own else { return Ok(()) };
        own.append(kind, detail).map(drop).inspect_err(|_| {
            let owed = serde_json::to_value(detail).map(|value| (kind, value));
            self.state().owed.extend(owed);
        })?;
        Ok(())
    }

    /// Writes into the own record what it lacks. After an error it may have some of it twice, which says the same.
    pub fn mend(&self) -> Result<(), BrakesError> {
        let Some(own) = &self.0.own else { return Ok(()) };
        loop {
            let Some((kind, value)) = self.state().owed.front().cloned() else { return Ok(()) };
            own.append(kind, &value)?;
            self.state().owed.pop_front();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holder(id: &SessionId, session: &Session, gate: &str, at: Micros) -> ((String, String), Holder) {
    let place = (session.site.to_string(), session.role.to_string());
    let (principal, gate) = (session.question.principal.clone(), gate.to_owned());
    (place, Holder { session: hex(id), principal, gate, at })
}

/// Lifts what has come to its end, each second, until it is dropped.
pub async fn expire(brakes: Brakes) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        let brakes = brakes.clone();
        let expired = spawn_blocking(move || brakes.expire(clock::now())).await;
        if let Ok(Err(error)) = expired {
            eprintln!("brakes: {error}");
        }
    }
}

/// The next sequence is the time, so that it also grows over the loss of brakes.json.
fn next_sequence(known: u64, now: Micros) -> u64 {
    known.saturating_add(1).max(u64::try_from(now.0).unwrap_or_default())
}

fn signing_key(folder: &Folder) -> Result<SigningKey, BrakesError> {
    let text = folder::read_secret(&folder.brake_key())?;
    let key: SigningKey = text.trim().parse().map_err(|e| BrakesError::Key(format!("{e}")))?;
    if key.verifier().key_type() != KeyType::Ed25519 {
        return Err(BrakesError::Key("not a key of type 01 (Ed25519)".to_owned()));
    }
    Ok(key)
}

#[cfg(test)]
mod tests;
