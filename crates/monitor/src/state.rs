//! What the monitor knows of a log: a fold over its copy. Sessions, day keys, the gate's run, the tree. A batch is
//! folded into a `Draft` first and absorbed whole, so that a refused batch leaves nothing behind. Whether an entry may
//! be folded is decided in `entries`; here each transition only keeps the state consistent.

mod saved;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use tlog::{
    detail::DayKey,
    entry::{Count, CountState, Entry, Micros},
    hash::Hash,
    tree::Frontier,
};

use crate::{
    ca,
    decide::Decision,
    entries::CLOCK_SKEW_US_MAX,
    incident::{Breach, Fault},
};

pub use saved::Saved;

/// A session id: 16 bytes, 32 lower-case hexadecimal digits in entries.
pub type SessionId = [u8; 16];

/// The fold.
#[derive(Default)]
pub struct State {
    pub tree: Frontier,
    /// The log's note for this tree, as posted; evidence when the log forks. Empty for the empty tree.
    pub note: String,
    /// Time of the last entry.
    pub time: Option<Micros>,
    /// When the monitor last knew that the gate had nothing older to send: at a heartbeat, or at a batch that ended
    /// near its own clock.
    pub caught_up: Option<Micros>,
    /// Name of the gate that writes this log.
    pub gate: Option<String>,
    pub running: bool,
    sessions: HashMap<SessionId, Session>,
    /// Every id ever used: 16 bytes a session, for as long as the log lives.
    used: HashSet<SessionId>,
    keys: BTreeMap<String, Held>,
    /// Keys that were made and are nowhere any more; no entry has forgotten them yet.
    lost: BTreeSet<String>,
    /// Keys forgotten by entries that were folded since the start, and by which.
    pub forgotten: BTreeMap<String, u64>,
    /// Sessions opened by the last batch, and when it was received.
    pub openings: Vec<Opening>,
    pub received: Option<Micros>,
}

/// A day key, and the index of the entry that made it.
#[derive(Clone)]
struct Held {
    key: Arc<DayKey>,
    made: u64,
}

/// A session between its open and its close. Cheap to clone: every entry of it does.
#[derive(Debug, Clone)]
pub struct Session {
    pub question: Arc<Question>,
    /// Hash of its profile, hexadecimal.
    pub profile: Arc<str>,
    pub place: Arc<str>,
    pub site: Arc<str>,
    /// The pool role that its certificate names.
    pub role: Arc<str>,
    /// What its last entry said of it and was found true; entry after entry says the same.
    pub said: Option<Arc<Says>>,
    /// Whether the gate that opened it still runs. If not, it can only be closed.
    pub live: bool,
    /// Sum of the windows authorised since the last total; none when no result is being released in windows.
    window: Option<Amount>,
    /// Upper bound of everything released.
    released: Amount,
    /// Statements that were recorded before they were to write.
    writes: u64,
}

/// What an entry repeats of its session.
#[derive(Debug)]
pub struct Says {
    policy: Option<String>,
    profile: Option<String>,
    place: Option<String>,
    principal: Option<String>,
    request: Option<String>,
    classes: Vec<String>,
    key: Option<String>,
    /// The session's decision, once it was asked for: entry after entry asks for it.
    pub decided: OnceLock<Decision>,
}

impl Says {
    pub fn of(entry: &Entry) -> Says {
        let Entry { policy, profile, place, principal, request, classes, key, .. } = entry.clone();
        Says { policy, profile, place, principal, request, classes, key, decided: OnceLock::new() }
    }

    /// Whether the entry says the same.
    pub fn is_said_by(&self, entry: &Entry) -> bool {
        let Says { policy, profile, place, principal, request, classes, key, decided: _ } = self;
        *principal == entry.principal
            && *request == entry.request
            && *key == entry.key
            && *policy == entry.policy
            && *profile == entry.profile
            && *place == entry.place
            && *classes == entry.classes
    }
}

/// What a decision is about, under which policy: also the key by which decisions are remembered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// Hash of the policy bundle, hexadecimal.
    pub policy: String,
    pub principal: String,
    pub listener: String,
    pub purpose: Option<String>,
    pub ticket: Option<String>,
}

impl Question {
    /// What it takes to remember it.
    pub fn bytes(&self) -> usize {
        let Question { policy, principal, listener, purpose, ticket } = self;
        let said = [purpose, ticket].into_iter().flatten().map(String::len).sum::<usize>();
        [policy, principal, listener].into_iter().map(String::len).sum::<usize>().saturating_add(said)
    }
}

/// Rows and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    pub rows: u64,
    pub bytes: u64,
}

/// What a gate holds at most between two entries; no row is smaller than a DataRow message's 7 bytes.
const HELD_MAX: Amount = Amount { rows: 65_536 / 7, bytes: 65_536 };

impl Amount {
    pub fn covers(self, other: Amount) -> bool {
        other.rows <= self.rows && other.bytes <= self.bytes
    }

    fn plus(self, other: Amount) -> Result<Amount, Fault> {
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or_else(|| count("counts overflow".to_owned()));
        Ok(Amount { rows: sum(self.rows, other.rows)?, bytes: sum(self.bytes, other.bytes)? })
    }

    fn minus(self, other: Amount) -> Amount {
        Amount { rows: self.rows.saturating_sub(other.rows), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

impl From<&Count> for Amount {
    fn from(count: &Count) -> Amount {
        Amount { rows: count.rows, bytes: count.bytes }
    }
}

/// A session that was decided, and may be certified while that is fresh.
#[derive(Debug, Clone)]
pub struct Opening {
    pub index: u64,
    pub session: SessionId,
    /// The pool role that the certificate names.
    pub role: String,
    /// Certificate request, PEM.
    pub csr: String,
    /// The request as it was read when it was decided; after another start, not yet.
    pub request: Option<ca::Request>,
    /// When the gate asked, and under which policy.
    pub time: Micros,
    pub policy: String,
}

impl Session {
    pub fn new(question: Question, profile: String, place: String, site: String, role: &str) -> Session {
        Session {
            question: Arc::new(question),
            profile: profile.into(),
            place: place.into(),
            site: site.into(),
            role: role.into(),
            said: None,
            live: true,
            window: None,
            released: Amount::default(),
            writes: 0,
        }
    }

    /// Whether a result is being released in windows.
    pub fn windowed(&self) -> bool {
        self.window.is_some()
    }

    /// What the windows of the result that is being released authorise together.
    pub fn authorised(&self) -> Amount {
        self.window.unwrap_or_default()
    }

    /// Statements that were recorded before they were to write.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Upper bound of everything released so far.
    pub fn released(&self) -> Amount {
        self.released
    }

    /// Accounts for a release. A total replaces the windows before it; it exceeds them by no more than a gate may hold.
    fn account(&mut self, count: &Count) -> Result<(), Fault> {
        let amount = Amount::from(count);
        match count.state {
            CountState::Exact => self.released = self.released.plus(amount)?,
            CountState::Window => {
                self.window = Some(self.window.unwrap_or_default().plus(amount)?);
                self.released = self.released.plus(amount)?;
            }
            CountState::Total => {
                let authorised = self
                    .window
                    .take()
                    .ok_or_else(|| self::count("a total without a window before it".to_owned()))?;
                // A total also authorises what the gate held since the last window ran out.
                if !authorised.plus(HELD_MAX)?.covers(amount) {
                    let (r, b, ar, ab) = (amount.rows, amount.bytes, authorised.rows, authorised.bytes);
                    let reason =
                        format!("a total of {r} rows, {b} bytes after windows of {ar} rows, {ab} bytes");
                    return Err(self::count(reason));
                }
                self.released = self.released.minus(authorised).plus(amount)?;
            }
        }
        Ok(())
    }
}

fn count(reason: String) -> Fault {
    Fault::new(Breach::Count, reason)
}

fn session(reason: &str) -> Fault {
    Fault::new(Breach::Session, reason)
}

impl State {
    /// The size of the copy: the number of entries held.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// The sessions that are open.
    pub fn sessions(&self) -> impl Iterator<Item = (&SessionId, &Session)> {
        self.sessions.iter()
    }

    /// The session, if it is open.
    pub fn session(&self, id: &SessionId) -> Option<&Session> {
        self.sessions.get(id)
    }

    /// The keys that are nowhere though no entry forgets them.
    pub fn missing_keys(&self) -> impl Iterator<Item = &str> {
        self.lost.iter().map(String::as_str)
    }

    /// Whether a day key is held.
    pub fn has_key(&self, id: &str) -> bool {
        self.keys.contains_key(id)
    }

    /// Starts folding a batch.
    pub fn draft(&self) -> Draft<'_> {
        Draft {
            base: self,
            time: self.time,
            gate: self.gate.clone(),
            running: self.running,
            all_ended: false,
            sessions: HashMap::new(),
            keys: BTreeMap::new(),
            lost: BTreeSet::new(),
            forgotten: BTreeMap::new(),
            openings: Vec::new(),
        }
    }

    /// Takes over a batch that was stored.
    pub fn absorb(&mut self, changes: Changes, tree: Frontier, note: String, received: Micros) {
        let Changes { time, gate, running, all_ended, sessions, keys, lost, forgotten, openings } = changes;
        if all_ended {
            self.sessions.values_mut().for_each(|session| session.live = false);
        }
        for (id, session) in sessions {
            self.used.insert(id);
            match session {
                Some(session) => self.sessions.insert(id, session),
                None => self.sessions.remove(&id),
            };
        }
        self.keys.extend(keys);
        self.lost.extend(lost);
        self.keys.retain(|id, _| !forgotten.contains_key(id));
        self.lost.retain(|id| !forgotten.contains_key(id));
        self.forgotten.extend(forgotten);
        (self.time, self.gate, self.running, self.openings) = (time, gate, running, openings);
        (self.tree, self.note) = (tree, note);
        self.received = Some(received);
        if self.time.is_some_and(|time| time.0 >= received.0.saturating_sub(CLOCK_SKEW_US_MAX)) {
            self.caught_up = Some(received);
        }
    }
}

/// A batch on its way into the state.
pub struct Draft<'a> {
    base: &'a State,
    pub time: Option<Micros>,
    pub gate: Option<String>,
    pub running: bool,
    /// The gate started or stopped in this batch: sessions of the base can only be closed.
    all_ended: bool,
    /// Sessions opened or changed, and `None` for those closed.
    sessions: HashMap<SessionId, Option<Session>>,
    keys: BTreeMap<String, Held>,
    lost: BTreeSet<String>,
    forgotten: BTreeMap<String, u64>,
    openings: Vec<Opening>,
}

/// What a draft changes; owns everything, so that the state can be changed.
pub struct Changes {
    time: Option<Micros>,
    gate: Option<String>,
    running: bool,
    all_ended: bool,
    sessions: HashMap<SessionId, Option<Session>>,
    keys: BTreeMap<String, Held>,
    lost: BTreeSet<String>,
    /// By id, the entry that forgets it.
    forgotten: BTreeMap<String, u64>,
    openings: Vec<Opening>,
}

impl Changes {
    /// The keys that are made, by the index of the entry.
    pub fn made(&self) -> BTreeMap<u64, String> {
        self.keys.iter().map(|(id, held)| (held.made, id.clone())).collect()
    }

    /// The keys that are forgotten, and by which entry.
    pub fn forgotten(&self) -> &BTreeMap<String, u64> {
        &self.forgotten
    }
}

impl Draft<'_> {
    pub fn changes(self) -> Changes {
        let Draft { base: _, time, gate, running, all_ended, sessions, keys, lost, forgotten, openings } =
            self;
        Changes { time, gate, running, all_ended, sessions, keys, lost, forgotten, openings }
    }

    /// When the monitor last knew that the gate had nothing older to send.
    pub fn caught_up(&self) -> Option<Micros> {
        self.base.caught_up
    }

    pub fn key(&self, id: &str) -> Option<Arc<DayKey>> {
        if self.forgotten.contains_key(id) {
            return None;
        }
        self.keys.get(id).or_else(|| self.base.keys.get(id)).map(|held| held.key.clone())
    }

    /// Whether the key was made and is nowhere any more: what it sealed cannot be opened.
    pub fn is_lost(&self, id: &str) -> bool {
        self.lost.contains(id) || self.base.lost.contains(id)
    }

    /// Notes a key that was made and is nowhere any more.
    pub fn lose_key(&mut self, id: String) {
        self.lost.insert(id);
    }

    /// Forgets a key by the entry of this index.
    pub fn forget_key(&mut self, entry: u64, id: &str) -> Result<(), Fault> {
        if self.key(id).is_none() && !self.is_lost(id) {
            let reason = format!("{id} is forgotten, which was not made or is forgotten already");
            return Err(Fault::new(Breach::Key, reason));
        }
        self.forgotten.insert(id.to_owned(), entry);
        Ok(())
    }

    /// Adds a day key that the entry of this index made.
    pub fn add_key(&mut self, made: u64, key: DayKey) -> Result<(), Fault> {
        if self.key(&key.id).is_some() {
            return Err(Fault::new(Breach::Key, format!("a second key with the id {}", key.id)));
        }
        self.keys.insert(key.id.clone(), Held { key: Arc::new(key), made });
        Ok(())
    }

    /// The session, if it is open.
    pub fn session(&self, id: &SessionId) -> Result<Session, Fault> {
        let found = match self.sessions.get(id) {
            Some(changed) => changed.clone(),
            None => self.base.sessions.get(id).cloned().map(|mut session| {
                session.live &= !self.all_ended;
                session
            }),
        };
        let used = || self.sessions.contains_key(id) || self.base.used.contains(id);
        found.ok_or_else(|| {
            session(if used() { "the session is closed" } else { "the session was never opened" })
        })
    }

    /// The session, if entries other than its close may still name it.
    pub fn live_session(&self, id: &SessionId) -> Result<Session, Fault> {
        let found = self.session(id)?;
        if found.live { Ok(found) } else { Err(session("the gate ended after it opened the session")) }
    }

    pub fn open_session(&mut self, id: SessionId, opened: Session) -> Result<(), Fault> {
        if self.sessions.contains_key(&id) || self.base.used.contains(&id) {
            return Err(session("the session id was used before"));
        }
        self.sessions.insert(id, Some(opened));
        Ok(())
    }

    /// Notes that the session may be certified.
    pub fn certify(&mut self, opening: Opening) {
        self.openings.push(opening);
    }

    pub fn release(&mut self, id: SessionId, count: &Count) -> Result<(), Fault> {
        let mut session = self.live_session(&id)?;
        session.account(count)?;
        self.sessions.insert(id, Some(session));
        Ok(())
    }

    /// Remembers what an entry of the session said of it and was found true.
    pub fn said(&mut self, id: SessionId, says: Says) -> Result<(), Fault> {
        let mut session = self.live_session(&id)?;
        session.said = Some(Arc::new(says));
        self.sessions.insert(id, Some(session));
        Ok(())
    }

    pub fn write(&mut self, id: SessionId, writes: u64) -> Result<(), Fault> {
        let mut session = self.live_session(&id)?;
        session.writes = session.writes.saturating_add(writes);
        self.sessions.insert(id, Some(session));
        Ok(())
    }

    pub fn close_session(&mut self, id: SessionId) -> Result<(), Fault> {
        self.session(&id)?;
        self.sessions.insert(id, None);
        self.openings.retain(|opening| opening.session != id);
        Ok(())
    }

    /// The gate started or stopped: what it had open can only be closed.
    pub fn gate_runs(&mut self, running: bool) {
        self.running = running;
        self.all_ended = true;
        self.sessions.values_mut().flatten().for_each(|session| session.live = false);
        self.openings.clear();
    }
}
