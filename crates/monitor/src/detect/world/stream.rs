//! The simulated gate's record: what a day's people do, as observations in the order in which the monitor would learn of
//! them. Who does what and when is in `staff`, `normal` and `attacks`.

use std::sync::Arc;

use tlog::{
    detail::{Counted, Stage, Statement, Subjects},
    entry::{CountState, Micros},
};

use super::{
    checker::{Checker, merge},
    dice::mix,
    staff::Person,
};
use crate::detect::observation::{Asker, Observation, Outside, What};

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// What happened on a day, unsorted until it is taken.
pub struct Stream {
    seen: Vec<Observation>,
    gate: Arc<str>,
    sessions: u64,
    index: u64,
    /// When the gate started, each time: stands for its subject key.
    runs: Vec<i64>,
    /// How far the gate's clock is from the monitor's.
    pub clock: i64,
    /// When the monitor could not be reached, if ever on this day.
    pub silent: Option<(i64, i64)>,
    /// What the residency checker says on this day.
    pub checker: Checker,
}

/// What a statement showed.
pub enum Shown {
    /// These subjects, with so many rows each.
    Subjects(Vec<u64>, u64),
    /// So many rows of nobody who can be told.
    Rows(u64),
    /// So many subjects, a row each, as a sketch.
    Crowd(u64),
}

impl Stream {
    pub fn new() -> Stream {
        let gate = Arc::from("gate-1");
        let (seen, runs, checker) = (Vec::new(), Vec::new(), Checker::default());
        Stream { seen, gate, sessions: 0, index: 0, runs, clock: 0, silent: None, checker }
    }

    pub fn push(&mut self, time: i64, session: Option<&str>, what: What) {
        let number = u64::try_from(self.seen.len()).unwrap_or(0);
        let delay = 4_000 + i64::try_from(mix(number) % 3_000).unwrap_or(0);
        let received = self.received(time, delay);
        let (time, received) = (Micros(time + self.clock), Micros(received));
        let session = session.map(str::to_owned);
        self.seen.push(Observation { index: 0, time, received, gate: self.gate.clone(), session, what });
    }

    /// When the monitor learns of what happens now.
    fn received(&self, time: i64, delay: i64) -> i64 {
        match self.silent {
            Some((from, to)) if (from..to).contains(&time) => to + (time - from) / 1_000,
            _ => time + delay,
        }
    }

    pub fn open(&mut self, time: i64, asker: Asker) -> String {
        self.sessions += 1;
        let id = format!("{:016x}{:016x}", mix(self.sessions), self.sessions);
        self.push(time, Some(&id), What::Opened(Box::new(asker)));
        id
    }

    pub fn close(&mut self, time: i64, session: &str) {
        self.push(time, Some(session), What::Closed { rows: 0, bytes: 0 });
    }

    /// A statement's result.
    pub fn release(&mut self, time: i64, session: &str, text: &str, value: Option<String>, shown: &Shown) {
        let (rows, subjects) = match shown {
            Shown::Subjects(ids, rows) => {
                let mut digests: Vec<String> = ids.iter().map(|id| self.digest(time, *id)).collect();
                digests.sort_unstable();
                digests.dedup();
                let n = u64::try_from(digests.len()).unwrap_or(0);
                (n * rows, Subjects { state: Counted::Exact, n, digests, sketch: None })
            }
            Shown::Rows(rows) => {
                (*rows, Subjects { state: Counted::Unknown, n: 0, digests: Vec::new(), sketch: None })
            }
            Shown::Crowd(n) => {
                let sketch = Some(String::new());
                (*n, Subjects { state: Counted::AtLeast, n: *n, digests: Vec::new(), sketch })
            }
        };
        let statement = Statement {
            text: text.to_owned(),
            parameters: value.into_iter().map(Some).collect(),
            rows,
            bytes: rows * 80,
            tag: None,
            error: None,
            cursor: None,
            subjects: Some(subjects),
        };
        let (state, bytes) = (CountState::Exact, rows * 80);
        self.push(time, Some(session), What::Released { state, rows, bytes, statements: vec![statement] });
    }

    /// A window that is authorised before its rows go.
    pub fn window(&mut self, time: i64, session: &str) {
        let statements = Vec::new();
        let what = What::Released { state: CountState::Window, rows: 1_000, bytes: 80_000, statements };
        self.push(time, Some(session), what);
    }

    pub fn refuse(&mut self, time: i64, session: &str, asker: Asker, rule: &str, text: &str) {
        let (asker, rule) = (Box::new(asker), rule.to_owned());
        let statement = Some(text.to_owned());
        self.push(time, Some(session), What::Refused { asker, stage: Stage::Statement, rule, statement });
    }

    pub fn refuse_at(&mut self, time: i64, asker: Asker, stage: Stage) {
        let asker = Box::new(asker);
        let rule = if stage == Stage::Login { "password" } else { "no-permit" }.to_owned();
        self.push(time, None, What::Refused { asker, stage, rule, statement: None });
    }

    pub fn outside(&mut self, time: i64, outside: Outside) {
        self.push(time, None, What::Outside(outside));
    }

    /// How much there is of the day so far.
    pub fn mark(&self) -> usize {
        self.seen.len()
    }

    /// When the first of what came since then happened.
    pub fn first_since(&self, mark: usize) -> Option<i64> {
        // Of a day's checker it is not known which scenario had it say something, so that others' acts go first.
        let seen = self.seen.iter().skip(mark).map(|o| o.received.0).min();
        seen.or_else(|| self.checker.first())
    }

    /// A whole session: so many statements, a minute apart.
    pub fn work(&mut self, time: i64, asker: Asker, statements: &[(&str, Shown)]) -> String {
        let id = self.open(time, asker);
        let mut now = time;
        for (text, shown) in statements {
            now += 40 * SECOND;
            self.release(now, &id, text, None, shown);
        }
        self.close(now + MINUTE, &id);
        id
    }

    /// The gate starts.
    pub fn start(&mut self, time: i64) {
        self.runs.push(time);
        self.push(time, None, What::Started { subject_key: None });
    }

    /// The digest of a subject at a time, under the key of the gate's run.
    pub fn digest(&self, time: i64, subject: u64) -> String {
        let run = self.runs.iter().filter(|started| **started <= time).count();
        format!("{:016x}{:016x}", mix(subject ^ mix(run as u64)), subject)
    }

    /// What the monitor has learned until then, in its order.
    pub fn take(&mut self, until: i64) -> Vec<Observation> {
        let all = std::mem::take(&mut self.seen);
        let (mut taken, left): (Vec<_>, Vec<_>) = all.into_iter().partition(|o| o.received.0 < until);
        self.seen = left;
        taken.sort_by_key(|o| o.received);
        let checked = self.checker.day(until - DAY);
        let mut taken = merge(taken, checked, |time| self.received(time, 5_000), self.clock, &self.gate);
        for observation in &mut taken {
            observation.index = self.index;
            self.index += 1;
        }
        taken
    }
}

impl Person {
    /// Who asks on that day, with a purpose and a ticket.
    pub fn asker(&self, day: i64, ticket: Option<String>) -> Asker {
        let role = self.role_on(day);
        Asker {
            principal: self.name.clone(),
            known: true,
            service: self.is_service(),
            employer: format!("fernway-{}", self.office.to_lowercase()),
            roles: vec![role.as_str().to_owned()],
            office: Some(self.office_on(day).to_owned()),
            place: self.place_on(day).to_owned(),
            address: None,
            purpose: Some(role.purpose().to_owned()),
            ticket,
            profile: role.as_str().to_owned(),
            site: "dublin-1".to_owned(),
            role: String::new(),
        }
    }
}
