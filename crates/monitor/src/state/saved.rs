//! The fold as a snapshot holds it. No day key is in it, so that there is nothing to forget: it says which entries made
//! those that are held, and they are opened again. Where a snapshot lies and how it is checked is `snapshot`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tlog::{
    entry::Micros,
    hash::{hex, unhex},
    tree::Frontier,
};

use super::{Amount, Changes, Opening, Question, Session, SessionId, State};

/// A state without its tree, its day keys and the session ids that were ever used.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    note: String,
    time: Option<i64>,
    caught_up: Option<i64>,
    received: Option<i64>,
    gate: Option<String>,
    running: bool,
    sessions: Vec<SavedSession>,
    /// By the id of each day key, the index of the entry that made it.
    keys: BTreeMap<String, u64>,
    openings: Vec<SavedOpening>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedSession {
    id: String,
    policy: String,
    principal: String,
    listener: String,
    purpose: Option<String>,
    ticket: Option<String>,
    profile: String,
    place: String,
    site: String,
    role: String,
    live: bool,
    window: Option<(u64, u64)>,
    released: (u64, u64),
    writes: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedOpening {
    index: u64,
    session: String,
    role: String,
    csr: String,
    time: i64,
    policy: String,
}

impl Saved {
    /// The log's note for the tree that this is the state of.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// The entries that made the day keys, ascending.
    pub fn made(&self) -> Vec<u64> {
        let mut made: Vec<u64> = self.keys.values().copied().collect();
        made.sort_unstable();
        made
    }
}

impl State {
    /// What a snapshot keeps, and every session id that was ever used, one after the other.
    pub fn save(&self) -> (Saved, Vec<u8>) {
        let micros = |time: Option<Micros>| time.map(|time| time.0);
        let mut sessions: Vec<SavedSession> =
            self.sessions.iter().map(|(id, session)| session.save(id)).collect();
        sessions.sort();
        let saved = Saved {
            note: self.note.clone(),
            time: micros(self.time),
            caught_up: micros(self.caught_up),
            received: micros(self.received),
            gate: self.gate.clone(),
            running: self.running,
            sessions,
            keys: self.keys.iter().map(|(id, held)| (id.clone(), held.made)).collect(),
            openings: self.openings.iter().map(Opening::save).collect(),
        };
        (saved, self.used.iter().flatten().copied().collect())
    }

    /// The state that was saved, without day keys. None when it cannot be one.
    pub fn load(saved: &Saved, used: &[u8], tree: Frontier) -> Option<State> {
        let (used, rest) = used.as_chunks::<{ size_of::<SessionId>() }>();
        let state = State {
            tree,
            note: saved.note.clone(),
            time: saved.time.map(Micros),
            caught_up: saved.caught_up.map(Micros),
            gate: saved.gate.clone(),
            running: saved.running,
            sessions: saved.sessions.iter().map(SavedSession::load).collect::<Option<_>>()?,
            used: used.iter().copied().collect(),
            keys: BTreeMap::new(),
            lost: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            openings: saved.openings.iter().map(SavedOpening::load).collect::<Option<_>>()?,
            received: saved.received.map(Micros),
        };
        rest.is_empty().then_some(state)
    }

    /// Takes over the day keys of a draft, those that are nowhere any more too, and nothing else of it.
    pub fn absorb_keys(&mut self, changes: Changes) {
        self.keys.extend(changes.keys);
        self.lost.extend(changes.lost);
    }

    /// Whether the day keys held are those that were saved.
    pub fn has_keys_of(&self, saved: &Saved) -> bool {
        let is_there = |(id, made): (&String, &u64)| {
            self.keys.get(id).is_some_and(|held| held.made == *made) || self.lost.contains(id)
        };
        saved.keys.iter().all(is_there) && self.keys.len() + self.lost.len() == saved.keys.len()
    }
}

impl Session {
    fn save(&self, id: &SessionId) -> SavedSession {
        let Question { policy, principal, listener, purpose, ticket } = self.question.as_ref().clone();
        let pair = |amount: Amount| (amount.rows, amount.bytes);
        SavedSession {
            id: hex(id),
            policy,
            principal,
            listener,
            purpose,
            ticket,
            profile: self.profile.to_string(),
            place: self.place.to_string(),
            site: self.site.to_string(),
            role: self.role.to_string(),
            live: self.live,
            window: self.window.map(pair),
            released: pair(self.released),
            writes: self.writes,
        }
    }
}

impl SavedSession {
    fn load(&self) -> Option<(SessionId, Session)> {
        let SavedSession { policy, principal, listener, purpose, ticket, .. } = self;
        let question = Question {
            policy: policy.clone(),
            principal: principal.clone(),
            listener: listener.clone(),
            purpose: purpose.clone(),
            ticket: ticket.clone(),
        };
        let amount = |(rows, bytes): (u64, u64)| Amount { rows, bytes };
        let (profile, place, site) = (self.profile.clone(), self.place.clone(), self.site.clone());
        let opened = Session::new(question, profile, place, site, &self.role);
        let session = Session {
            live: self.live,
            window: self.window.map(amount),
            released: amount(self.released),
            writes: self.writes,
            ..opened
        };
        Some((unhex(&self.id)?, session))
    }
}

impl Opening {
    fn save(&self) -> SavedOpening {
        let Opening { index, session, role, csr, request: _, time, policy } = self.clone();
        SavedOpening { index, session: hex(&session), role, csr, time: time.0, policy }
    }
}

impl SavedOpening {
    fn load(&self) -> Option<Opening> {
        let SavedOpening { index, session, role, csr, time, policy } = self;
        Some(Opening {
            index: *index,
            session: unhex(session)?,
            role: role.clone(),
            csr: csr.clone(),
            request: None,
            time: Micros(*time),
            policy: policy.clone(),
        })
    }
}
