//! Single-person lookups: one principal comes back to the same subject without a ticket that explains it, or many
//! principals look at one subject. A lookup is a statement that shows few subjects, or one that names a single value to
//! look for; under one ticket any number of them is one visit.
//!
//! Digests of subjects are comparable until the gate starts again: then visits are counted anew. A subject who is looked
//! at twice is not seen here.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tlog::detail::{Severity, Statement};

use super::{
    finding::{Finding, counted, note, said},
    habit::{DAY_US, HOUR_US, day, digest, hash},
    observation::What,
    people::{Seen, Who, slot},
    target,
};

pub const NAME: &str = "single-person";

/// Thresholds: `[detect.single-person]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Subjects that a lookup shows at most.
    pub subjects_max: u32,
    /// Visits by one principal to one subject, in the days below, before it is reported: each under another ticket.
    pub visits: u32,
    /// Visits without any ticket before it is reported.
    pub visits_without_ticket: u32,
    /// Days that visits count.
    pub days: u32,
    /// Principals who look at one subject within two days, under different tickets or none, before it is reported.
    pub people: u32,
}

pub const SHIPPED: Limits =
    Limits { subjects_max: 3, visits: 5, visits_without_ticket: 4, days: 14, people: 7 };

/// Entries that are kept of a principal's visits to a subject.
const TRAIL_MAX: usize = 8;
/// Subjects that are remembered of a principal: some 80 bytes each, so 10 KiB a principal.
const VISITED_MAX: usize = 128;
/// Subjects that are remembered of a day over all principals: some 120 bytes each, two days of them.
const WATCHED_MAX: usize = 65_536;
/// Visitors that are told apart of one subject.
const VISITORS_MAX: usize = 32;

#[derive(Default, Serialize, Deserialize)]
pub struct SinglePerson {
    people: Vec<Vec<Visited>>,
    today: HashMap<u64, Vec<Visitor>>,
    before: HashMap<u64, Vec<Visitor>>,
    day: i64,
}

/// A subject that a principal has looked at.
#[derive(Serialize, Deserialize)]
struct Visited {
    subject: u64,
    /// Of the last visit: its ticket, or the hour and session where there was none.
    context: u64,
    last: i64,
    visits: u16,
    without_ticket: u16,
    /// Visits when it was last reported.
    told: u16,
    /// Entries of the last visits.
    trail: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Visitor {
    person: usize,
    context: u64,
}

impl SinglePerson {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        if matches!(seen.o.what, What::Started { .. }) {
            self.people.iter_mut().for_each(Vec::clear);
            (self.today, self.before) = (HashMap::new(), HashMap::new());
        }
        let (Some(who), What::Released { statements, .. }) = (seen.who, &seen.o.what) else { return };
        if who.service {
            return;
        }
        for statement in statements {
            for subject in looked_at(limits, statement) {
                self.visit(limits, seen, who, subject, found);
            }
        }
    }

    fn visit(&mut self, limits: &Limits, seen: &Seen<'_>, who: Who, subject: u64, found: &mut Vec<Finding>) {
        let ticket = seen.asker.and_then(|asker| asker.ticket.as_deref());
        let hour = seen.o.received.0.div_euclid(HOUR_US).unsigned_abs();
        let context = ticket.map_or_else(|| hour ^ hash(seen.o.session.as_deref().unwrap_or_default()), hash);
        self.by_one(limits, seen, who, subject, context, ticket.is_none(), found);
        self.by_many(limits, seen, who, subject, context, found);
    }

    #[allow(clippy::too_many_arguments, reason = "each is another thing that the visit is about")]
    fn by_one(
        &mut self,
        limits: &Limits,
        seen: &Seen<'_>,
        who: Who,
        subject: u64,
        context: u64,
        without: bool,
        found: &mut Vec<Finding>,
    ) {
        let Some(list) = slot(&mut self.people, who.person) else { return };
        let now = seen.o.received.0;
        let visited = visited(list, subject, now);
        if now.saturating_sub(visited.last) > i64::from(limits.days) * DAY_US {
            *visited = Visited::new(subject, now);
        }
        visited.last = now;
        if visited.visits > 0 && visited.context == context {
            return;
        }
        visited.context = context;
        note(&mut visited.trail, seen.o.index, TRAIL_MAX);
        visited.visits = visited.visits.saturating_add(1);
        visited.without_ticket = visited.without_ticket.saturating_add(u16::from(without));
        let (visits, without) = (u32::from(visited.visits), u32::from(visited.without_ticket));
        let too_many = visits >= limits.visits || without >= limits.visits_without_ticket;
        if too_many && visited.visits >= visited.told.saturating_mul(2) {
            visited.told = visited.visits;
            let mut reasons =
                vec![counted("visits to one subject", f64::from(visits), f64::from(limits.visits))];
            if without > 0 {
                let allowed = f64::from(limits.visits_without_ticket);
                reasons.push(counted("of them without a ticket", f64::from(without), allowed));
            }
            found.push(seen.of_principal(NAME, Severity::High, reasons).shown_by(&visited.trail));
        }
    }

    fn by_many(
        &mut self,
        limits: &Limits,
        seen: &Seen<'_>,
        who: Who,
        subject: u64,
        context: u64,
        found: &mut Vec<Finding>,
    ) {
        let today = day(seen.o.received);
        if today != self.day {
            let ended = std::mem::take(&mut self.today);
            self.before = if today == self.day + 1 { ended } else { HashMap::new() };
            self.day = today;
        }
        let is_full = self.today.len() >= WATCHED_MAX;
        let before = self.before.get(&subject).map(Vec::as_slice).unwrap_or_default();
        if is_full && !self.today.contains_key(&subject) {
            return;
        }
        let visitors = self.today.entry(subject).or_default();
        let visitor = Visitor { person: who.person, context };
        if visitors.len() >= VISITORS_MAX || visitors.contains(&visitor) || before.contains(&visitor) {
            return;
        }
        visitors.push(visitor);
        // Who shares a ticket works on the same thing.
        let all = || visitors.iter().chain(before);
        let mut people: Vec<usize> = Vec::new();
        let mut contexts: Vec<u64> = Vec::new();
        for one in all() {
            if !people.contains(&one.person) && !contexts.contains(&one.context) {
                people.push(one.person);
                contexts.push(one.context);
            }
        }
        let many = u32::try_from(people.len()).unwrap_or(u32::MAX);
        if many >= limits.people && many % limits.people == 0 {
            let what = "principals who looked at one subject within two days, each for another reason";
            let reasons = vec![
                counted(what, f64::from(many), f64::from(limits.people)),
                said("the last of them", seen.asker.map_or("", |asker| &asker.principal), "one or two"),
            ];
            found.push(seen.of_principal(NAME, Severity::Medium, reasons));
        }
    }
}

impl Visited {
    fn new(subject: u64, last: i64) -> Visited {
        Visited { subject, context: 0, last, visits: 0, without_ticket: 0, told: 0, trail: Vec::new() }
    }
}

/// The subject in the list; the one that was least looked at makes room for a new one.
fn visited(list: &mut Vec<Visited>, subject: u64, now: i64) -> &mut Visited {
    let held = list.iter().position(|visited| visited.subject == subject);
    let at = match held {
        Some(at) => at,
        None if list.len() < VISITED_MAX => {
            list.push(Visited::new(subject, now));
            list.len() - 1
        }
        None => {
            let least = list.iter().enumerate().min_by_key(|(_, one)| (one.visits, one.last));
            let at = least.map_or(0, |(at, _)| at);
            if let Some(one) = list.get_mut(at) {
                *one = Visited::new(subject, now);
            }
            at
        }
    };
    // The position is within the list on every way here.
    #[allow(clippy::indexing_slicing, reason = "found, pushed or replaced just now")]
    &mut list[at]
}

/// Whom a statement looks at, if it looks at single people.
fn looked_at(limits: &Limits, statement: &Statement) -> Vec<u64> {
    let few = u64::from(limits.subjects_max);
    match &statement.subjects {
        Some(subjects) if subjects.sketch.is_none() && (1..=few).contains(&subjects.n) => {
            subjects.digests.iter().filter_map(|text| digest(text)).collect()
        }
        // Nobody is named by a key, but the statement itself names whom it looks for.
        Some(subjects) if subjects.n == 0 && (1..=few).contains(&statement.rows) => {
            target::single(statement).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
