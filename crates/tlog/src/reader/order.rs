//! Which entries may follow which: time does not go back, a session's entries lie between its open and its close, a
//! key is made before it is used and not used once forgotten.

use std::collections::{BTreeSet, HashMap};

use crate::entry::{Entry, Kind, Micros};

/// Most sessions followed at once; a record that leaves more open than this is not followed further.
const OPEN_SESSIONS_MAX: usize = 1_000_000;
/// Most keys followed: a thousand a day for a century would be fewer than the sessions above.
const KEYS_MAX: usize = 1_000_000;

/// What has been seen so far.
#[derive(Default)]
pub(super) struct Order {
    last: Option<(u64, Micros)>,
    /// Open sessions by id: the gate that opened them.
    sessions: HashMap<String, String>,
    keys: BTreeSet<String>,
    /// Entries before this point could not be read.
    gap: bool,
}

impl Order {
    /// Notes that entries could not be read. What was opened or made in them is unknown, so sessions and keys that
    /// come up later count as known: one lost bundle is one finding, not one for every entry after it.
    pub(super) fn skip(&mut self) {
        self.gap = true;
    }

    /// Takes the next entry and reports what is wrong with its place in the record.
    pub(super) fn next(&mut self, index: u64, entry: &Entry, mut find: impl FnMut(String)) {
        if let Some((earlier, time)) = self.last
            && entry.time < time
        {
            find(format!("its time {} is before that of entry {earlier}, {time}", entry.time));
        }
        self.last = Some((index, entry.time));
        if self.gap {
            self.assume(entry);
        }
        self.key(entry, &mut find);
        self.session(entry, &mut find);
    }

    /// After a gap: takes the entry's session and key for opened and made in it.
    fn assume(&mut self, entry: &Entry) {
        if let Some(session) = &entry.session
            && entry.kind != Kind::SessionOpen
            && self.sessions.len() < OPEN_SESSIONS_MAX
        {
            self.sessions.entry(session.clone()).or_insert_with(|| entry.gate.clone());
        }
        if let Some(key) = &entry.key
            && self.keys.len() < KEYS_MAX
        {
            self.keys.insert(key.clone());
        }
    }

    fn key(&mut self, entry: &Entry, find: &mut impl FnMut(String)) {
        let Some(key) = &entry.key else {
            if entry.detail.is_some() {
                find("has a detail but names no key".to_owned());
            }
            return;
        };
        match entry.kind {
            Kind::KeyMade if self.keys.len() == KEYS_MAX => find(format!("more than {KEYS_MAX} keys")),
            Kind::KeyMade => {
                self.keys.insert(key.clone());
            }
            // With a detail, which its key seals, it says that a key of another record was destroyed.
            Kind::KeyForgotten if entry.detail.is_none() => {
                if !self.keys.remove(key) {
                    find(format!("forgets the key {key}, which was not made or is forgotten already"));
                }
            }
            _ if self.keys.contains(key) => {}
            _ => find(format!("uses the key {key}, which was not made before or is forgotten")),
        }
    }

    fn session(&mut self, entry: &Entry, find: &mut impl FnMut(String)) {
        let Some(session) = &entry.session else {
            match entry.kind {
                // A gate that starts has no sessions: those of its last run ended with it.
                Kind::GateStart => self.sessions.retain(|_, gate| *gate != entry.gate),
                kind if needs_session(kind) => find(format!("{kind} names no session")),
                _ => {}
            }
            return;
        };
        let opened_by = self.sessions.get(session);
        match (entry.kind, opened_by) {
            (Kind::SessionOpen, Some(_)) => find(format!("opens the session {session} a second time")),
            (Kind::SessionOpen, None) if self.sessions.len() == OPEN_SESSIONS_MAX => {
                find(format!("more than {OPEN_SESSIONS_MAX} sessions are open"));
            }
            (Kind::SessionOpen, None) => {
                self.sessions.insert(session.clone(), entry.gate.clone());
            }
            (_, None) => find(format!("belongs to the session {session}, which is not open")),
            (_, Some(gate)) if *gate != entry.gate => {
                find(format!("belongs to the session {session} of another gate, {gate}"));
            }
            (Kind::SessionClose, Some(_)) => {
                self.sessions.remove(session);
            }
            (_, Some(_)) => {}
        }
    }
}

/// Kinds that make no sense outside a session.
fn needs_session(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::SessionOpen
            | Kind::SessionClose
            | Kind::AccessRelease
            | Kind::AccessWrite
            | Kind::AccessCommit
            | Kind::AccessCut
    )
}
