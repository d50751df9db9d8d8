//! Denial bursts and probing: somebody is refused for many different things, in an hour or over a week. The same refusal
//! again and again is a broken program; different rules and relations are somebody looking for a way.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tlog::detail::{Severity, Stage};

use super::{
    finding::{EVIDENCE_MAX, Finding, counted, note, said},
    habit::{HOUR_US, day, hash},
    observation::What,
    people::{Seen, slot},
    target,
};

pub const NAME: &str = "probing";

/// Thresholds: `[detect.probing]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Different things refused to a principal in an hour.
    pub different_per_hour: u32,
    /// Different things refused in seven days, if it is beyond the factor below too.
    pub different_per_week: u32,
    /// How many times the peers' usual week.
    pub peer_factor: f64,
    /// Refusals of any kind in an hour.
    pub refusals_per_hour: u32,
}

pub const SHIPPED: Limits =
    Limits { different_per_hour: 6, different_per_week: 12, peer_factor: 4.0, refusals_per_hour: 300 };

/// Different things that are remembered of a principal: 8 bytes each, so some 2 KiB a principal.
const DIFFERENT_MAX: usize = 64;

#[derive(Default, Serialize, Deserialize)]
pub struct Probing {
    people: Vec<Person>,
    groups: Vec<Group>,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    hour: i64,
    refusals: u32,
    of_hour: BTreeSet<u64>,
    of_hour_before: BTreeSet<u64>,
    week: i64,
    of_week: BTreeSet<u64>,
    /// The last refusals.
    trail: Vec<u64>,
    told_hour: bool,
    told_many: bool,
    told_week: usize,
}

#[derive(Default, Serialize, Deserialize)]
struct Group {
    /// Different things refused in a week to one who is refused at all.
    usual: f32,
}

impl Probing {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let What::Refused { stage, rule, statement, asker } = &seen.o.what else { return };
        // Who fails to log in is for `logins`.
        let (Some(who), false) = (seen.who, *stage == Stage::Login) else { return };
        let Some(person) = slot(&mut self.people, who.person) else { return };
        let Some(group) = slot(&mut self.groups, who.group) else { return };
        let hour = seen.o.received.0.div_euclid(HOUR_US);
        let week = day(seen.o.received).div_euclid(7);
        person.roll(hour, week, group);
        let after = match statement {
            Some(text) => target::relations(text),
            None => hash(&asker.place) ^ hash(asker.purpose.as_deref().unwrap_or_default()),
        };
        let thing = hash(rule) ^ after.rotate_left(1);
        person.refusals += 1;
        note(&mut person.trail, seen.o.index, EVIDENCE_MAX);
        for set in [&mut person.of_hour, &mut person.of_week] {
            if set.len() < DIFFERENT_MAX {
                set.insert(thing);
            }
        }
        person.report(limits, group, seen, found);
    }
}

impl Person {
    fn roll(&mut self, hour: i64, week: i64, group: &mut Group) {
        if hour != self.hour {
            let ended = std::mem::take(&mut self.of_hour);
            self.of_hour_before = if hour == self.hour + 1 { ended } else { BTreeSet::new() };
            (self.hour, self.refusals, self.told_hour, self.told_many) = (hour, 0, false, false);
        }
        if week != self.week {
            let different = u16::try_from(self.of_week.len()).unwrap_or(u16::MAX);
            if different > 0 {
                group.usual = group.usual * 0.95 + f32::from(different) * 0.05;
            }
            (self.week, self.told_week) = (week, 0);
            self.of_week.clear();
            self.trail.clear();
        }
    }

    fn report(&mut self, limits: &Limits, group: &Group, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let count = |many: usize| f64::from(u32::try_from(many).unwrap_or(u32::MAX));
        let in_hour = count(self.of_hour.union(&self.of_hour_before).count());
        if in_hour >= f64::from(limits.different_per_hour) && !self.told_hour {
            self.told_hour = true;
            let what = "different things refused within an hour or two";
            let reasons = vec![
                counted(what, in_hour, f64::from(limits.different_per_hour)),
                said("the last of them", rule(seen), "what policy and the statement check allow"),
            ];
            found.push(seen.of_principal(NAME, Severity::Medium, reasons).shown_by(&self.trail));
        }
        let in_week = self.of_week.len();
        let allowed = f64::from(limits.different_per_week).max(f64::from(group.usual) * limits.peer_factor);
        if count(in_week) >= allowed && in_week >= self.told_week * 2 {
            self.told_week = in_week;
            let reason = counted("different things refused this week", count(in_week), allowed);
            found.push(seen.of_principal(NAME, Severity::Medium, vec![reason]).shown_by(&self.trail));
        }
        if self.refusals >= limits.refusals_per_hour && !self.told_many {
            self.told_many = true;
            let most = f64::from(limits.refusals_per_hour);
            let reason = counted("refusals within an hour", f64::from(self.refusals), most);
            found.push(seen.of_principal(NAME, Severity::Low, vec![reason]).shown_by(&self.trail));
        }
    }
}

fn rule<'a>(seen: &Seen<'a>) -> &'a str {
    match &seen.o.what {
        What::Refused { rule, .. } => rule,
        _ => "",
    }
}
