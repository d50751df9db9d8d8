//! Decision without release, and release without decision: sessions that get a certificate and then show nothing in the
//! record, more often than this principal's do; results whose windows never end in a total. What is released without any
//! session never gets this far: `entries` refuses it, and `mismatch` or `order` reports it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tlog::{
    detail::Severity,
    entry::{CountState, Micros},
};

use super::{
    finding::{Finding, amount, counted, said},
    habit::day,
    observation::What,
    people::{Seen, slot},
};

pub const NAME: &str = "unmatched";

/// Thresholds: `[detect.unmatched]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Sessions of a principal in a day that were certified and show nothing, before it is looked at.
    pub silent_floor: u32,
    /// How many times the principal's usual number.
    pub silent_factor: f64,
    /// Seconds a session lasts at least to count: a client that connects and leaves at once used nothing.
    pub silent_seconds_min: u32,
    /// Results in a day whose windows end in no total, before it is looked at. A gate that dies leaves some.
    pub unfinished_floor: u32,
}

pub const SHIPPED: Limits =
    Limits { silent_floor: 3, silent_factor: 3.0, silent_seconds_min: 30, unfinished_floor: 3 };

/// 24 bytes a principal, some 60 an open session.
#[derive(Default, Serialize, Deserialize)]
pub struct Unmatched {
    open: HashMap<String, Open>,
    people: Vec<Person>,
}

const OPEN_MAX: usize = 65_536;

#[derive(Default, Serialize, Deserialize)]
struct Open {
    shows: bool,
    windowed: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    day: i64,
    silent: u32,
    unfinished: u32,
    /// Silent sessions on a usual day.
    usual: f32,
}

impl Unmatched {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let Some(id) = &seen.o.session else {
            if matches!(seen.o.what, What::Started { .. } | What::Stopped) {
                self.open.clear();
            }
            return;
        };
        match &seen.o.what {
            What::Opened(_) if self.open.len() < OPEN_MAX => {
                self.open.insert(id.clone(), Open::default());
            }
            What::Released { state, .. } => {
                if let Some(open) = self.open.get_mut(id) {
                    open.shows = true;
                    open.windowed = *state == CountState::Window;
                }
            }
            What::Wrote { .. } | What::Refused { .. } => {
                if let Some(open) = self.open.get_mut(id) {
                    open.shows = true;
                }
            }
            // A cut result has no total: its entry says what was given.
            What::Cut { .. } => {
                if let Some(open) = self.open.get_mut(id) {
                    open.windowed = false;
                }
            }
            What::Closed { .. } => {
                if let Some(open) = self.open.remove(id) {
                    self.closed(limits, seen, &open, found);
                }
            }
            _ => {}
        }
    }

    fn closed(&mut self, limits: &Limits, seen: &Seen<'_>, open: &Open, found: &mut Vec<Finding>) {
        let (Some(who), Some(session)) = (seen.who, seen.session) else { return };
        let Some(person) = slot(&mut self.people, who.person) else { return };
        person.roll(seen.o.received);
        let lasted = seen.o.received.0.saturating_sub(session.opened) / 1_000_000;
        if !open.shows && lasted >= i64::from(limits.silent_seconds_min) {
            person.silent += 1;
            let usual = f64::from(person.usual).max(f64::from(limits.silent_floor) / limits.silent_factor);
            if f64::from(person.silent) > usual * limits.silent_factor {
                let what = "sessions today that were certified and of which the record shows nothing";
                let reason = counted(what, f64::from(person.silent), usual);
                found.push(seen.of_principal(NAME, Severity::Medium, vec![reason]));
            }
        }
        if open.windowed {
            person.unfinished += 1;
            if person.unfinished >= limits.unfinished_floor {
                let many = amount(u64::from(person.unfinished));
                let reasons = vec![
                    counted("results today whose windows end in no total", many, 0.0),
                    said("what was shown of them", "at most what the windows authorised", "an exact total"),
                ];
                found.push(seen.of_principal(NAME, Severity::Medium, reasons));
            }
        }
    }
}

impl Person {
    fn roll(&mut self, now: Micros) {
        let today = day(now);
        if today != self.day {
            let silent = u16::try_from(self.silent).unwrap_or(u16::MAX);
            self.usual = self.usual * 0.9 + f32::from(silent) * 0.1;
            (self.day, self.silent, self.unfinished) = (today, 0, 0);
        }
    }
}
