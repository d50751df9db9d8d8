//! One site against the record: a pure fold over what the record says of its sessions, what the site's counters and
//! connections say, and who its log says came in. What the record does not explain is told, once. Readings wait until
//! the record is known further than they were made. Not here: reading (`reader`, `tail`), what is made of it (`detect`).

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use tlog::entry::Micros;
use wall::identities::{Identity, Who};

use super::{
    SECOND_US,
    account::{Account, Count},
    line::Login,
};
use crate::detect::observation::{Measure, Observation, Outside, What};

/// How long before its opening was received, and after, a session may log in: its certificate's time and clocks apart.
const LOGIN_US_MAX: i64 = 120 * SECOND_US;
/// How long a backend may outlive the end of its session.
const LINGER_US_MAX: i64 = 60 * SECOND_US;
/// How long a session that has ended is remembered.
const REMEMBER_US: i64 = 3_600 * SECOND_US;
const DAY_US: i64 = 86_400 * SECOND_US;

/// What of one site is read at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// By the monitor's clock, after it was read.
    pub at: i64,
    /// Times that counters were dropped for others.
    pub dropped: i64,
    /// When all counters were emptied, and when the server started, by the site's clock.
    pub emptied: i64,
    pub started: i64,
    pub counters: Vec<Counter>,
    pub live: Vec<Live>,
}

/// What PostgreSQL counted for a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    pub number: i64,
    pub role: String,
    pub counted: Count,
}

/// Somebody who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    pub pid: i32,
    pub role: String,
    /// None is the Unix socket.
    pub address: Option<std::net::IpAddr>,
    /// Serial number of the certificate.
    pub serial: Option<u128>,
    pub since: i64,
}

/// What may be unexplained and is not told: `[sites]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How much longer than the counters the record is read.
    pub settle_us: i64,
    /// Calls and rows of sessions that ended, in a day and at a site: a client that is gone was not shown them.
    pub abandoned: Count,
}

/// A session that was certified.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Session {
    role: String,
    opened: i64,
    closed: Option<i64>,
    logged_in: bool,
}

/// The fold of one site.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Fold {
    /// Number of the next entry.
    pub index: u64,
    sessions: HashMap<String, Session>,
    accounts: BTreeMap<String, Account>,
    /// What the last reading said of the counters: none before the first.
    standing: Option<Standing>,
    administrator: Option<Count>,
    /// Logins of pool roles that no session explains yet.
    unexplained: VecDeque<(i64, Login)>,
    /// Connections that were told: (process, begin).
    told: VecDeque<(i32, i64)>,
    /// The day, and what was not told of abandoned sessions.
    abandoned: (i64, Count),
    #[serde(skip)]
    waiting: VecDeque<Reading>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Standing {
    dropped: i64,
    emptied: i64,
    started: i64,
}

/// Readings that wait; more than that and the record is far behind.
const WAITING_MAX: usize = 64;
/// Connections that are remembered as told.
const TOLD_MAX: usize = 4_096;

impl Fold {
    /// Folds one observation of the record.
    pub fn recorded(&mut self, site: &str, o: &Observation) {
        let is_entry =
            !matches!(o.what, What::Policy(_) | What::Breach(_) | What::Elsewhere { .. } | What::Outside(_));
        if !is_entry || o.index < self.index {
            return;
        }
        if o.index > self.index {
            // Entries in between were not shown: what they explain is not known.
            self.accounts.values_mut().for_each(Account::missed);
        }
        self.index = o.index.saturating_add(1);
        if matches!(o.what, What::Started { .. } | What::Stopped) {
            self.accounts.values_mut().for_each(Account::abandon);
            let open = self.sessions.values_mut().filter(|session| session.closed.is_none());
            open.for_each(|session| session.closed = Some(o.received.0));
            return;
        }
        let Some(id) = &o.session else { return };
        if let What::Opened(asker) = &o.what {
            if asker.site == site {
                self.opened(id, &asker.role, o.received);
            }
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(account) = self.accounts.get_mut(&session.role) else { return };
        match &o.what {
            What::Released { state, rows, statements, .. } => {
                account.released(o.received, *state, *rows, statements);
            }
            What::Wrote { statements } => account.wrote(o.received, *statements),
            What::Cut { .. } => account.cut(o.received),
            What::Closed { .. } => {
                session.closed = Some(o.received.0);
                account.closed();
            }
            _ => {}
        }
    }

    fn opened(&mut self, id: &str, role: &str, received: Micros) {
        self.accounts.entry(role.to_owned()).or_default().opened();
        let session = Session { role: role.to_owned(), opened: received.0, closed: None, logged_in: false };
        self.sessions.insert(id.to_owned(), session);
    }

    /// Somebody came in, by the site's log. Who is on the closed list is explained; a session of a gate waits until the
    /// record is known that far.
    pub fn login(
        &mut self,
        identities: &[Identity],
        login: Login,
        seen: Micros,
    ) -> Option<(String, Measure)> {
        let said = |login: Login, measure| Some((login.role, measure));
        match admitted(identities, &login.role, login.address) {
            Admitted::Pool => {
                self.unexplained.push_back((seen.0, login));
                None
            }
            Admitted::Administrator => said(login, Measure::Administrator),
            Admitted::Named => None,
            Admitted::No => said(login, Measure::Connections),
        }
    }

    /// Puts a reading where it waits for the record.
    pub fn read(&mut self, reading: Reading) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(reading);
        }
    }

    /// Judges what is old enough: `heard` is until when the record is known. Answers what is not explained.
    pub fn judge(
        &mut self,
        site: &str,
        identities: &[Identity],
        limits: &Limits,
        heard: Micros,
    ) -> Vec<Outside> {
        let ripe = heard.0.saturating_sub(limits.settle_us);
        let mut found = self.judge_logins(site, ripe);
        while self.waiting.front().is_some_and(|reading| reading.at <= ripe)
            && let Some(reading) = self.waiting.pop_front()
        {
            self.judge_standing(site, &reading, &mut found);
            self.judge_live(site, identities, &reading, &mut found);
            self.judge_counters(site, limits, &reading, &mut found);
            let Reading { dropped, emptied, started, .. } = reading;
            self.standing = Some(Standing { dropped, emptied, started });
        }
        self.forget(heard);
        found
    }

    /// One session, one login.
    fn judge_logins(&mut self, site: &str, ripe: i64) -> Vec<Outside> {
        let mut found = Vec::new();
        while self.unexplained.front().is_some_and(|(seen, _)| *seen <= ripe)
            && let Some((_, login)) = self.unexplained.pop_front()
        {
            let mut near: Vec<&mut Session> = self
                .sessions
                .values_mut()
                .filter(|session| session.role == login.role && !session.logged_in)
                .filter(|session| session.opened.abs_diff(login.at) <= LOGIN_US_MAX.unsigned_abs())
                .collect();
            near.sort_by_key(|session| session.opened);
            match near.into_iter().next() {
                Some(session) => session.logged_in = true,
                None => found.push(outside(site, &login.role, Measure::Connections, 1, 0)),
            }
        }
        found
    }

    fn judge_standing(&mut self, site: &str, reading: &Reading, found: &mut Vec<Outside>) {
        let Some(before) = self.standing else { return };
        let all = "every role";
        if reading.emptied != before.emptied {
            // Whoever starts a server that died finds its counters empty.
            let with_server = reading.started != before.started;
            let measure = if with_server { Measure::Losses } else { Measure::Resets };
            found.push(outside(site, all, measure, 1, 0));
        } else if reading.dropped > before.dropped {
            let times = u64::try_from(reading.dropped.saturating_sub(before.dropped)).unwrap_or(1);
            found.push(outside(site, all, Measure::Losses, times, 0));
        }
    }

    /// Every connection is of the closed list, and those of gates under certificates of their own sessions.
    fn judge_live(
        &mut self,
        site: &str,
        identities: &[Identity],
        reading: &Reading,
        found: &mut Vec<Outside>,
    ) {
        for live in &reading.live {
            let measure = match admitted(identities, &live.role, live.address) {
                Admitted::Pool if self.is_certified(live, reading.at) => continue,
                Admitted::Pool => Measure::Certificates,
                Admitted::Administrator | Admitted::Named => continue,
                Admitted::No => Measure::Connections,
            };
            let known = (live.pid, live.since);
            if !self.told.contains(&known) {
                if self.told.len() >= TOLD_MAX {
                    self.told.pop_front();
                }
                self.told.push_back(known);
                found.push(outside(site, &live.role, measure, 1, 0));
            }
        }
    }

    fn is_certified(&self, live: &Live, at: i64) -> bool {
        let session = live.serial.and_then(|serial| self.sessions.get(&format!("{serial:032x}")));
        session.is_some_and(|session| {
            let lingers = session.closed.is_some_and(|closed| at.saturating_sub(closed) > LINGER_US_MAX);
            session.role == live.role && !lingers
        })
    }

    fn judge_counters(&mut self, site: &str, limits: &Limits, reading: &Reading, found: &mut Vec<Outside>) {
        let emptied = self.standing.is_some_and(|before| before.emptied != reading.emptied);
        let dropped = self.standing.is_some_and(|before| before.dropped != reading.dropped);
        for Counter { number, role, counted } in &reading.counters {
            if role == wall::names::ADMIN {
                self.judge_administrator(site, *counted, emptied, found);
            }
            if !role.starts_with(POOL_PREFIX) {
                continue;
            }
            let account = self.accounts.entry(role.clone()).or_default();
            let at = Micros(reading.at);
            if self.standing.is_none() {
                account.begin(*number, *counted, at, limits.settle_us);
                continue;
            }
            if account.went_back(*number, *counted) && !emptied && !dropped {
                found.push(outside(site, role, Measure::Resets, 1, 0));
            }
            let Some(surplus) = account.read(*number, *counted, at, limits.settle_us, emptied) else {
                continue;
            };
            if surplus.abandoned && excused(&mut self.abandoned, limits, reading.at, surplus.over) {
                continue;
            }
            let (over, due) = (surplus.over, surplus.due);
            for (measure, over, due) in
                [(Measure::Calls, over.calls, due.calls), (Measure::Rows, over.rows, due.rows)]
            {
                let (over, due) = (over.unsigned_abs(), due.unsigned_abs());
                if over > 0 {
                    found.push(outside(site, role, measure, over.saturating_add(due), due));
                }
            }
        }
    }

    fn judge_administrator(&mut self, site: &str, counted: Count, emptied: bool, found: &mut Vec<Outside>) {
        let before = self.administrator.replace(counted);
        let since = match before {
            Some(before) if !emptied && counted.rows >= before.rows => counted.minus(before),
            Some(_) => counted,
            None => return,
        };
        if let Some(rows) = u64::try_from(since.rows).ok().filter(|rows| *rows > 0) {
            found.push(outside(site, wall::names::ADMIN, Measure::AdministratorRows, rows, 0));
        }
    }

    fn forget(&mut self, now: Micros) {
        let old = now.0.saturating_sub(REMEMBER_US);
        self.sessions.retain(|_, session| session.closed.is_none_or(|closed| closed > old));
        self.accounts.retain(|_, account| !account.is_idle(now) || account.has_base());
    }
}

/// What pool roles are called; see `wall::names::pool_role`.
pub const POOL_PREFIX: &str = "tp_";

enum Admitted {
    Pool,
    Administrator,
    Named,
    No,
}

fn admitted(identities: &[Identity], role: &str, address: Option<std::net::IpAddr>) -> Admitted {
    let is = |identity: &&Identity| match &identity.who {
        Who::Pool => role.starts_with(POOL_PREFIX),
        Who::Role(name) => name == role,
    };
    let found = identities.iter().filter(is).find(|identity| identity.admits_from(address));
    match found.map(|identity| &identity.who) {
        Some(Who::Pool) => Admitted::Pool,
        Some(Who::Role(name)) if name == wall::names::ADMIN => Admitted::Administrator,
        Some(Who::Role(_)) => Admitted::Named,
        None => Admitted::No,
    }
}

/// Whether what abandoned sessions leave unexplained is within what a day may have of it.
fn excused((day, sum): &mut (i64, Count), limits: &Limits, at: i64, over: Count) -> bool {
    let today = at.div_euclid(DAY_US);
    if *day != today {
        (*day, *sum) = (today, Count::default());
    }
    let with = sum.plus(over);
    let within = with.calls <= limits.abandoned.calls && with.rows <= limits.abandoned.rows;
    if within {
        *sum = with;
    }
    within
}

/// Something that is not explained.
pub fn outside(site: &str, role: &str, measure: Measure, observed: u64, recorded: u64) -> Outside {
    Outside { site: site.to_owned(), role: role.to_owned(), measure, observed, recorded }
}
