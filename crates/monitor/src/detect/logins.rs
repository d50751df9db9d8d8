//! Failed and unusual gate logins: many failures of one principal, a success after them, one place that tries many
//! names, a purpose that is new to a principal and to the peers. Names that the directory does not have are counted, not
//! kept: whoever fails may call themselves anything.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tlog::detail::{Severity, Stage};

use super::{
    finding::{EVIDENCE_MAX, Finding, counted, note, said},
    habit::{HOUR_US, day, hash},
    observation::What,
    people::{Seen, Who, slot},
};

pub const NAME: &str = "logins";

/// Thresholds: `[detect.logins]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Failures of one principal in an hour.
    pub failures_per_hour: u32,
    /// Failures of one principal in seven days.
    pub failures_per_week: u32,
    /// Failures within an hour before a success.
    pub failures_before_success: u32,
    /// Different names that fail from one place in an hour.
    pub names_per_hour: u32,
    /// Different names that the directory does not have, from one place in an hour.
    pub unknown_names_per_hour: u32,
    /// Active days of a principal before a new purpose is news.
    pub history_days: u32,
    /// Peers who have a purpose before it is no news.
    pub purpose_peers: u32,
}

pub const SHIPPED: Limits = Limits {
    failures_per_hour: 10,
    failures_per_week: 25,
    failures_before_success: 6,
    names_per_hour: 12,
    unknown_names_per_hour: 6,
    history_days: 7,
    purpose_peers: 2,
};

/// Places that are followed, and different names in an hour in each.
const PLACES_MAX: usize = 64;
const NAMES_MAX: usize = 256;
/// Purposes that are remembered of a principal or of peers.
const PURPOSES_MAX: usize = 16;

/// Some 500 bytes a principal, some 6 KiB a place.
#[derive(Default, Serialize, Deserialize)]
pub struct Logins {
    people: Vec<Person>,
    groups: Vec<Vec<(u64, Vec<usize>)>>,
    places: Vec<Place>,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    hour: i64,
    failed: u32,
    failed_before: u32,
    /// Failures of the last seven days, by the day's number modulo seven, and the last day of them.
    of_days: [u32; 7],
    last_day: i64,
    /// The last failures.
    trail: Vec<u64>,
    told_hour: bool,
    told_week: bool,
    purposes: Vec<u64>,
    day: i64,
    days: u32,
}

#[derive(Default, Serialize, Deserialize)]
struct Place {
    name: String,
    hour: i64,
    known: BTreeSet<u64>,
    unknown: BTreeSet<u64>,
    told: bool,
}

impl Logins {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        match &seen.o.what {
            What::Refused { stage: Stage::Login, asker, .. } => {
                self.at_place(limits, seen, &asker.place, found);
                if let Some(person) = seen.who.and_then(|who| slot(&mut self.people, who.person)) {
                    person.failed(limits, seen, found);
                }
            }
            What::Opened(_) => self.opened(limits, seen, found),
            _ => {}
        }
    }

    fn at_place(&mut self, limits: &Limits, seen: &Seen<'_>, name: &str, found: &mut Vec<Finding>) {
        let Some(asker) = seen.asker else { return };
        let at = self.places.iter().position(|place| place.name == name);
        let at = at.unwrap_or_else(|| {
            if self.places.len() < PLACES_MAX {
                self.places.push(Place { name: name.to_owned(), ..Place::default() });
            }
            self.places.len() - 1
        });
        let Some(place) = self.places.get_mut(at) else { return };
        let hour = seen.o.received.0.div_euclid(HOUR_US);
        if hour != place.hour {
            let name = std::mem::take(&mut place.name);
            *place = Place { name, hour, ..Place::default() };
        }
        let names = if asker.known { &mut place.known } else { &mut place.unknown };
        if names.len() < NAMES_MAX {
            names.insert(hash(&asker.principal));
        }
        let count = |names: &BTreeSet<u64>| u32::try_from(names.len()).unwrap_or(u32::MAX);
        let (unknown, all) = (count(&place.unknown), count(&place.unknown) + count(&place.known));
        if (all >= limits.names_per_hour || unknown >= limits.unknown_names_per_hour) && !place.told {
            place.told = true;
            let reasons = vec![
                counted(
                    "names that failed to log in within an hour",
                    f64::from(all),
                    f64::from(limits.names_per_hour),
                ),
                counted("of them unknown", f64::from(unknown), f64::from(limits.unknown_names_per_hour)),
                said("from", place.name.clone(), "one place"),
            ];
            found.push(seen.of_gate(NAME, Severity::Medium, reasons));
        }
    }

    fn opened(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let (Some(who), Some(asker)) = (seen.who, seen.asker) else { return };
        let Some(person) = slot(&mut self.people, who.person) else { return };
        let Some(group) = slot(&mut self.groups, who.group) else { return };
        person.roll(seen.o.received.0);
        let failed = person.failed + person.failed_before;
        if failed >= limits.failures_before_success {
            let before = f64::from(limits.failures_before_success);
            let reason = counted("failed logins shortly before a success", f64::from(failed), before);
            found.push(seen.of_principal(NAME, Severity::High, vec![reason]).shown_by(&person.trail));
        }
        (person.failed, person.failed_before) = (0, 0);
        let today = day(seen.o.received);
        if person.day != today {
            (person.day, person.days) = (today, person.days.saturating_add(1));
        }
        let purpose = hash(asker.purpose.as_deref().unwrap_or("none"));
        let peers = learn_peers(group, purpose, who);
        if !person.purposes.contains(&purpose) {
            if person.days > limits.history_days && peers < limits.purpose_peers {
                let said_purpose = asker.purpose.clone().unwrap_or_else(|| "none".to_owned());
                let reasons = vec![
                    said(
                        "a purpose that is new to the principal",
                        said_purpose,
                        "the purposes of other days",
                    ),
                    counted("peers who have it", f64::from(peers), f64::from(limits.purpose_peers)),
                ];
                found.push(seen.of_principal(NAME, Severity::Low, reasons));
            }
            if person.purposes.len() < PURPOSES_MAX {
                person.purposes.push(purpose);
            }
        }
    }
}

/// Peers other than this one who have the purpose; this one has it from now on.
fn learn_peers(group: &mut Vec<(u64, Vec<usize>)>, purpose: u64, who: Who) -> u32 {
    let at = group.iter().position(|(known, _)| *known == purpose);
    if at.is_none() && group.len() < PURPOSES_MAX {
        group.push((purpose, Vec::new()));
    }
    let Some((_, people)) = group.iter_mut().find(|(known, _)| *known == purpose) else { return 0 };
    let others = people.iter().filter(|person| **person != who.person).count();
    if people.len() < PURPOSES_MAX && !people.contains(&who.person) {
        people.push(who.person);
    }
    u32::try_from(others).unwrap_or(u32::MAX)
}

impl Person {
    fn roll(&mut self, now: i64) {
        let hour = now.div_euclid(HOUR_US);
        if hour != self.hour {
            self.failed_before = if hour == self.hour + 1 { self.failed } else { 0 };
            (self.hour, self.failed, self.told_hour) = (hour, 0, false);
        }
        let today = hour.div_euclid(24);
        if today != self.last_day {
            let first = (self.last_day + 1).max(today - 6);
            for day in first..=today {
                *self.of_day(day) = 0;
            }
            self.last_day = today;
            if self.of_days.iter().sum::<u32>() == 0 {
                self.told_week = false;
                self.trail.clear();
            }
        }
    }

    fn of_day(&mut self, day: i64) -> &mut u32 {
        let [a, b, c, d, e, f, g] = &mut self.of_days;
        match day.rem_euclid(7) {
            0 => a,
            1 => b,
            2 => c,
            3 => d,
            4 => e,
            5 => f,
            _ => g,
        }
    }

    fn failed(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        self.roll(seen.o.received.0);
        self.failed += 1;
        *self.of_day(self.last_day) += 1;
        let week_failed: u32 = self.of_days.iter().sum();
        note(&mut self.trail, seen.o.index, EVIDENCE_MAX);
        if self.failed >= limits.failures_per_hour && !self.told_hour {
            self.told_hour = true;
            let most = f64::from(limits.failures_per_hour);
            let reason = counted("failed logins within an hour", f64::from(self.failed), most);
            found.push(seen.of_principal(NAME, Severity::Medium, vec![reason]).shown_by(&self.trail));
        }
        if week_failed >= limits.failures_per_week && !self.told_week {
            self.told_week = true;
            let most = f64::from(limits.failures_per_week);
            let reason = counted("failed logins this week", f64::from(week_failed), most);
            found.push(seen.of_principal(NAME, Severity::Low, vec![reason]).shown_by(&self.trail));
        }
    }
}
