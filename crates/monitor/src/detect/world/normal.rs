//! A normal day of the simulated enclave: everybody's work, and what looks odd and is not: overtime, swapped shifts, nights
//! on call, mistyped passwords, a broken program, a month's end, a gate that starts anew, a monitor that is out of reach.

use std::collections::BTreeMap;

use tlog::detail::Stage;

use super::{
    dice::{Dice, mix},
    staff::{Person, Role},
    stream::{DAY, HOUR, MINUTE, SECOND, Shown, Stream},
    suspicious,
};
use crate::detect::observation::{Measure, Outside, Succession, What};

pub(super) const SUBJECTS: u64 = 100_000;
pub(super) const BY_ID: &str = "SELECT * FROM users WHERE id = $1";

/// What happens on which day beside everybody's work.
pub struct Calendar {
    /// Days on which an office is closed.
    pub holidays: Vec<(i64, &'static str)>,
    /// Days at the end of a quarter: analysts and billing read much more.
    pub quarter_end: (i64, i64),
    /// Days on which the gate starts anew, and the one on which it dies.
    pub restarts: Vec<i64>,
    pub crash: i64,
    /// Days on which the monitor cannot be reached for some minutes.
    pub silences: Vec<i64>,
    /// A day on which everybody asks for one subject's account.
    pub famous: i64,
    /// A service whose password was changed and which was not told.
    pub forgotten: i64,
    /// A tool's new version tries four things that are refused, for all analysts.
    pub update: i64,
    /// Somebody's program asks for the same refused thing all day.
    pub broken: i64,
    /// Policies that are taken over: whether they permit more.
    pub policies: Vec<(i64, bool)>,
    /// One-off work: a support agent writes to three hundred customers.
    pub campaigns: Vec<i64>,
}

impl Calendar {
    /// `from`: where the measured days begin.
    pub fn draw(dice: &mut Dice, from: i64, days: i64) -> Calendar {
        let mut any =
            || from + i64::try_from(dice.below(u64::try_from(days - from).unwrap_or(1))).unwrap_or(0);
        let workday = |day: i64| if day % 7 >= 5 { day - 2 } else { day };
        let quarter = workday(from + (days - from) / 3);
        Calendar {
            holidays: vec![(workday(any()), "IE"), (workday(any()), "DE"), (workday(any()), "NO")],
            quarter_end: (quarter, quarter + 3),
            restarts: (0..days).filter(|day| day % 7 == 3).collect(),
            crash: any(),
            silences: vec![any(), any()],
            famous: workday(any()),
            forgotten: workday(any()),
            update: workday(any()),
            broken: workday(any()),
            policies: vec![(any(), false), (any(), false), (any(), true)],
            campaigns: vec![workday(any()), workday(any())],
        }
    }
}

/// The people, and what they remember from day to day.
pub struct Normal {
    pub staff: Vec<Person>,
    pub calendar: Calendar,
    dice: Dice,
    /// Of each, tickets that may be opened again.
    tickets: Vec<Vec<(String, u64)>>,
    ticket: u64,
    /// Calls that a site's counters had before the record, when they were last read.
    early: BTreeMap<&'static str, u64>,
}

impl Normal {
    pub fn new(staff: Vec<Person>, calendar: Calendar, dice: Dice) -> Normal {
        let tickets = vec![Vec::new(); staff.len()];
        Normal { staff, calendar, dice, tickets, ticket: 1_000, early: BTreeMap::new() }
    }

    /// What happens on a day that begins at `midnight`.
    pub fn day(&mut self, day: i64, midnight: i64, stream: &mut Stream) {
        let people = self.staff.clone();
        self.gate(day, midnight, stream);
        for (at, person) in people.iter().enumerate() {
            // What one person does depends on the seed and the day, not on what others did.
            let mut dice = Dice::new(
                mix(u64::try_from(day * 1_000).unwrap_or(0) + mix(at as u64)) ^ self.dice.clone().next(),
            );
            if person.is_away(day) {
                continue;
            }
            match person.role_on(day) {
                Role::Billing | Role::Feed => self.service(day, midnight, person, &mut dice, stream),
                _ => {
                    suspicious::unusual(stream, person, at, day, midnight + 12 * HOUR);
                    self.person(day, at, person, &mut dice, stream);
                }
            }
        }
        self.odd_day(day, midnight + 12 * HOUR, stream);
    }

    /// A person's day, if it is one of work.
    fn person(&mut self, day: i64, at: usize, person: &Person, dice: &mut Dice, stream: &mut Stream) {
        let (midnight, role) = (super::BEGIN + day * DAY, person.role_on(day));
        if person.on_call.contains(&(day / 7)) && dice.chance(0.5) {
            self.paged(day, midnight, person, dice, stream);
        }
        let weekday = day % 7;
        let is_off = if person.weekends { weekday == 1 || weekday == 2 } else { weekday >= 5 };
        let is_holiday = self.calendar.holidays.contains(&(day, person.office)) && role != Role::Support;
        if (is_off && !dice.chance(0.01)) || is_holiday || dice.chance(0.03) {
            return;
        }
        let swapped = role == Role::Support && dice.chance(0.012);
        let begins = person.begins + if swapped { 8.0 } else { dice.between(-0.5, 0.5) };
        let hours = person.hours + if dice.chance(0.08) { dice.between(1.0, 3.0) } else { 0.0 };
        let from = midnight + (begins * HOUR as f64) as i64;
        let length = (hours * HOUR as f64) as i64;
        let moment = |dice: &mut Dice| from + (dice.unit() * length as f64) as i64;
        self.mistype(day, from, person, dice, stream);
        let much = person.busy * dice.about(1.0, 0.35);
        match role {
            Role::Support | Role::Trainee => {
                let tickets = if role == Role::Support { 12.0 } else { 6.0 } * much;
                for _ in 0..dice.times(tickets) {
                    let when = moment(dice);
                    self.ticket(day, when, at, person, dice, stream);
                }
            }
            Role::Analyst => {
                let much = if self.is_quarter_end(day) { much * 12.0 } else { much };
                for _ in 0..1 + dice.times(3.0) {
                    analyse(day, moment(dice), person, much, dice, stream);
                }
            }
            Role::Security => {
                for _ in 0..dice.times(3.0 * much) {
                    let when = moment(dice);
                    self.investigate(day, when, at, person, dice, stream);
                }
            }
            _ => {
                for _ in 0..1 + dice.times(2.5 * much) {
                    debug(day, moment(dice), person, dice, stream);
                }
            }
        }
        if person.pool {
            for _ in 0..dice.times(2.0) {
                idle(day, moment(dice), person, stream);
            }
        }
    }

    /// A ticket: one subject, a few looks; sometimes one of the last days again, or a search by name first.
    fn ticket(
        &mut self,
        day: i64,
        when: i64,
        at: usize,
        person: &Person,
        dice: &mut Dice,
        stream: &mut Stream,
    ) {
        let again = dice.chance(0.1);
        let old = self.tickets.get(at).and_then(|held| dice.pick(held).cloned()).filter(|_| again);
        let (ticket, subject) = match (old, person.customer) {
            (Some(old), _) => old,
            (None, Some(customer)) if dice.chance(0.04) => (self.next_ticket("SUP"), customer),
            // Some write more often than others.
            (None, _) if dice.chance(0.03) => (self.next_ticket("SUP"), dice.below(300)),
            (None, _) => (self.next_ticket("SUP"), dice.below(SUBJECTS)),
        };
        self.keep(at, &ticket, subject);
        let id = stream.open(when, person.asker(day, Some(ticket)));
        let mut now = when + 20 * SECOND;
        if dice.chance(0.2) {
            let others = (0..2 + dice.below(6)).map(|_| dice.below(SUBJECTS)).collect();
            let text = "SELECT id, full_name FROM users WHERE full_name ILIKE $1";
            stream.release(now, &id, text, Some("%ann%".to_owned()), &Shown::Subjects(others, 1));
        }
        for _ in 0..1 + dice.below(3) {
            now += 30 * SECOND;
            let shown = Shown::Subjects(vec![subject], 1 + dice.below(5));
            stream.release(now, &id, BY_ID, Some(subject.to_string()), &shown);
        }
        stream.close(now + MINUTE, &id);
    }

    fn investigate(
        &mut self,
        day: i64,
        when: i64,
        at: usize,
        person: &Person,
        dice: &mut Dice,
        stream: &mut Stream,
    ) {
        let held = self.tickets.get(at).and_then(|held| held.last().cloned()).filter(|_| dice.chance(0.5));
        let (ticket, subject) = held.unwrap_or_else(|| (self.next_ticket("SEC"), dice.below(SUBJECTS)));
        self.keep(at, &ticket, subject);
        let near: Vec<u64> = (0..5 + dice.below(25)).map(|_| dice.below(SUBJECTS)).collect();
        let looks = [
            ("SELECT * FROM sign_ins WHERE user_id = 1", Shown::Subjects(vec![subject], 10 + dice.below(40))),
            ("SELECT user_id, ip FROM devices WHERE ip <> ''", Shown::Subjects(near, 1)),
        ];
        stream.work(when, person.asker(day, Some(ticket)), &looks);
    }

    /// Somebody on call is woken: one session with a ticket, some time at night.
    fn paged(&mut self, day: i64, midnight: i64, person: &Person, dice: &mut Dice, stream: &mut Stream) {
        let when = midnight + (dice.between(20.0, 30.0) * HOUR as f64) as i64;
        let ticket = self.next_ticket("INC");
        let looks = [
            ("SELECT count(*) FROM posts", Shown::Rows(1)),
            ("SELECT id FROM posts ORDER BY created_at DESC", Shown::Rows(10 + dice.below(50))),
        ];
        stream.work(when, person.asker(day, Some(ticket)), &looks);
    }

    /// Mistyped passwords, more after holidays, and now and then one that is forgotten.
    fn mistype(&mut self, day: i64, from: i64, person: &Person, dice: &mut Dice, stream: &mut Stream) {
        let was_away = person.is_away(day - 1) || day % 7 == 0;
        let times = match dice.unit() {
            chance if chance < 0.0006 => 5 + dice.below(5),
            chance if chance < if was_away { 0.08 } else { 0.03 } => 1 + dice.below(3),
            _ => 0,
        };
        for n in 0..times {
            let when = from - 5 * MINUTE + i64::try_from(n).unwrap_or(0) * 20 * SECOND;
            stream.refuse_at(when, person.asker(day, None), Stage::Login);
        }
        // Whoever is new makes more mistakes of every kind.
        let mistakes = if day < person.joined + 5 && person.joined > 0 { 1.5 } else { 0.12 };
        for _ in 0..dice.times(mistakes) {
            let when = from + (dice.unit() * 6.0 * HOUR as f64) as i64;
            let asker = person.asker(day, Some("SUP-1".to_owned()));
            let id = stream.open(when, asker.clone());
            let rules = ["unknown-relation", "unknown-column", "function", "setting", "ddl"];
            let rule = dice.pick(&rules).copied().unwrap_or("ddl");
            let table = dice.pick(&["usr", "payment", "pg_stat_activity", "logs"]).copied().unwrap_or("x");
            stream.refuse(when + SECOND, &id, asker, rule, &format!("SELECT * FROM {table}"));
            stream.release(when + MINUTE, &id, "SELECT 1", None, &Shown::Rows(1));
            stream.close(when + 2 * MINUTE, &id);
        }
    }

    fn service(&mut self, day: i64, midnight: i64, person: &Person, dice: &mut Dice, stream: &mut Stream) {
        let much = if self.is_quarter_end(day) && person.role == Role::Billing { 10.0 } else { 1.0 };
        for hour in 0..12 {
            let when = midnight + hour * 2 * HOUR + i64::try_from(dice.below(600)).unwrap_or(0) * SECOND;
            let shown = match person.role {
                Role::Billing => {
                    let many = (dice.about(30.0, 0.2) * person.busy * much) as u64;
                    Shown::Subjects((0..many).map(|_| dice.below(SUBJECTS)).collect(), 1)
                }
                _ => Shown::Crowd(4_200 + dice.below(400)),
            };
            stream.work(when, person.asker(day, None), &[("SELECT user_id, status FROM payments", shown)]);
        }
    }

    fn gate(&mut self, day: i64, midnight: i64, stream: &mut Stream) {
        if day == 0 {
            self.policy(midnight, None, stream);
            stream.start(midnight + 1);
        }
        if self.calendar.restarts.contains(&day) {
            // At night, when few sessions are open.
            stream.push(midnight + 4 * HOUR, None, What::Stopped);
            stream.start(midnight + 4 * HOUR + MINUTE);
        }
        if day == self.calendar.crash {
            stream.start(midnight + 13 * HOUR);
        }
        let silence = (midnight + 10 * HOUR, midnight + 10 * HOUR + 8 * MINUTE);
        stream.silent = self.calendar.silences.contains(&day).then_some(silence);
        if day % 4 == 1 {
            // An answer was lost on the way.
            stream.push(midnight + 11 * HOUR, None, What::Elsewhere { first: 100, size: 110 });
        }
        for (_, widens) in self.calendar.policies.clone().into_iter().filter(|(when, _)| *when == day) {
            self.policy(midnight + 9 * HOUR, Some(widens), stream);
        }
        // Joiners are put into the directory on their first morning.
        if day > 0 && self.staff.iter().any(|person| person.joined == day) {
            self.policy(midnight + 30 * MINUTE, Some(false), stream);
        }
        for (site, early) in [("dublin-1", 0), ("dublin-2", 1), ("hamar", 2)] {
            let mut dice = Dice::new(mix(day.unsigned_abs()) ^ early);
            let early = self.early.entry(site).or_default();
            reconcile(midnight, site, early, &mut dice, stream);
        }
    }

    fn policy(&mut self, when: i64, widens: Option<bool>, stream: &mut Stream) {
        let day = when.div_euclid(DAY);
        let first = stream_day(when);
        let principals = self.staff.iter().filter(|person| person.joined <= first);
        let sentence = "profile support shows users.birth_date clear".to_owned();
        let policy = Succession {
            old: widens.map(|_| format!("{:064x}", mix(day.unsigned_abs()))),
            new: format!("{:064x}", mix(day.unsigned_abs() + 1)),
            widened: if widens == Some(true) { vec![sentence] } else { Vec::new() },
            principals: principals.map(|person| person.name.clone()).collect(),
        };
        stream.push(when, None, What::Policy(Box::new(policy)));
    }

    fn is_quarter_end(&self, day: i64) -> bool {
        (self.calendar.quarter_end.0..self.calendar.quarter_end.1).contains(&day)
    }

    pub(super) fn next_ticket(&mut self, kind: &str) -> String {
        self.ticket += 1;
        format!("{kind}-{}", self.ticket)
    }

    fn keep(&mut self, at: usize, ticket: &str, subject: u64) {
        if let Some(held) = self.tickets.get_mut(at) {
            if held.len() >= 20 {
                held.remove(0);
            }
            held.push((ticket.to_owned(), subject));
        }
    }
}

/// An analyst's session: sums, and lists under pseudonyms.
fn analyse(day: i64, when: i64, person: &Person, much: f64, dice: &mut Dice, stream: &mut Stream) {
    let id = stream.open(when, person.asker(day, None));
    let mut now = when;
    for _ in 0..3 + dice.below(4) {
        now += 2 * MINUTE;
        let rows = dice.about(60.0, 0.8) * much;
        let shown = if dice.chance(0.3) {
            Shown::Subjects((0..(rows / 3.0) as u64).map(|_| dice.below(SUBJECTS)).collect(), 1)
        } else {
            Shown::Rows(rows as u64)
        };
        stream.release(now, &id, "SELECT country, count(*) FROM users GROUP BY 1", None, &shown);
    }
    stream.close(now + MINUTE, &id);
}

/// An engineer's session.
fn debug(day: i64, when: i64, person: &Person, dice: &mut Dice, stream: &mut Stream) {
    let id = stream.open(when, person.asker(day, None));
    let mut now = when;
    for _ in 0..2 + dice.below(4) {
        now += MINUTE;
        let shown = if dice.chance(0.3) {
            Shown::Subjects(vec![dice.below(SUBJECTS)], 1)
        } else {
            Shown::Rows(dice.about(30.0, 1.0) as u64)
        };
        stream.release(now, &id, "SELECT * FROM posts ORDER BY id LIMIT 50", None, &shown);
    }
    stream.close(now + MINUTE, &id);
}

/// A session that a tool keeps open and never uses.
fn idle(day: i64, when: i64, person: &Person, stream: &mut Stream) {
    let id = stream.open(when, person.asker(day, None));
    stream.close(when + 20 * MINUTE, &id);
}

/// A site's counters against the record, every hour: a little early or late, which evens out.
fn reconcile(midnight: i64, site: &str, early: &mut u64, dice: &mut Dice, stream: &mut Stream) {
    for hour in 1..=24 {
        let calls = 200 + dice.below(300);
        let next = dice.below(15);
        let (site, role) = (site.to_owned(), "support".to_owned());
        let observed = calls + next - (*early).min(calls);
        *early = next;
        let outside = Outside { site, role, measure: Measure::Calls, observed, recorded: calls };
        stream.outside(midnight + hour * HOUR - MINUTE, outside);
    }
}

fn stream_day(when: i64) -> i64 {
    (when - super::BEGIN).div_euclid(DAY)
}
