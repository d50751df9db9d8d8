//! Off-hours: a person works at an hour of the week at which neither they nor their peers do. Where peers work around the
//! clock, it is odd only if the person had worked the usual hours shortly before as well: who swaps a shift rests, and a
//! stolen login does not. Work that goes on without a pause is a long day. A ticket, among those who
//! usually work without one, makes it ordinary: somebody on call was woken.

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;

use super::{
    finding::{Finding, said},
    habit::{HOUR_US, WEEK_HOURS, day, hour_of_week},
    observation::What,
    people::{Seen, slot},
};

pub const NAME: &str = "off-hours";

/// Thresholds: `[detect.off-hours]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Active days before the own habit counts.
    pub history_days: u32,
    /// Hours around a usual hour that are usual too.
    pub near_hours: u32,
    /// Share of the days on which some peer is active at an hour that makes the hour ordinary for all of them.
    pub peer_share: f64,
    /// Hours after usual work within which odd work is no swapped shift.
    pub rest_hours: u32,
    /// Hours without work after which work is another shift's; before, it is a longer one.
    pub pause_hours: u32,
}

pub const SHIPPED: Limits =
    Limits { history_days: 8, near_hours: 3, peer_share: 0.15, rest_hours: 13, pause_hours: 3 };

/// 270 bytes a principal, 800 a group of peers.
#[derive(Default, Serialize, Deserialize)]
pub struct OffHours {
    people: Vec<Person>,
    groups: Vec<Group>,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    /// How often each hour of the week was worked, fading.
    hours: Vec<u8>,
    /// The last hour that was counted.
    hour: i64,
    day: i64,
    days: u32,
    /// When the person last worked at a usual hour.
    usual: i64,
    /// When the person last worked at all.
    last: i64,
    told: i64,
}

#[derive(Default, Serialize, Deserialize)]
struct Group {
    /// Per hour of the day, on working days and at weekends: the share of days on which somebody was active, fading.
    share: Vec<f32>,
    /// Share of the work that is done with a ticket, whenever.
    ticketed: f32,
    hour: i64,
    active: bool,
}

/// What an hour adds to its hour of the week; a week takes a sixteenth away.
const STEP: u8 = 32;
/// Hours near an hour that must have been worked for it to be usual: one odd night does not make the next one usual.
const KNOWN_HOURS: u32 = 4;
const CLASS_HOURS: usize = 48;

impl OffHours {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let (Some(who), What::Released { .. } | What::Wrote { .. }) = (seen.who, &seen.o.what) else {
            return;
        };
        if who.service {
            return;
        }
        let now = seen.o.received;
        let hour = now.0.div_euclid(HOUR_US);
        let Some(group) = slot(&mut self.groups, who.group) else { return };
        let has_ticket = seen.asker.is_some_and(|asker| asker.ticket.is_some());
        let Some(person) = slot(&mut self.people, who.person) else { return };
        if person.hour == hour {
            person.last = now.0;
            group.see(hour, has_ticket);
            return;
        }
        let at = hour_of_week(now);
        let odd = person.is_odd(limits, at);
        if odd
            && person.told != day(now)
            && let Some(finding) = person.judge(limits, group, seen, at, has_ticket)
        {
            person.told = day(now);
            found.push(finding);
        }
        if !odd {
            person.usual = now.0;
        }
        person.last = now.0;
        person.work(hour, at, day(now));
        group.see(hour, has_ticket);
    }
}

impl Person {
    /// Whether the person has never worked near that hour, on such a day.
    fn is_odd(&self, limits: &Limits, at: usize) -> bool {
        if self.days < limits.history_days {
            return false;
        }
        let near = usize::try_from(limits.near_hours).unwrap_or(0);
        let is_weekend = at >= 5 * 24;
        let of_day = at % 24;
        let held = self.hours.iter().enumerate().filter(|(hour, _)| {
            let apart = (hour % 24).abs_diff(of_day);
            // Who works at weekends works at the hours of the week; the other way round it is not so.
            apart.min(24 - apart) <= near && (is_weekend || *hour < 5 * 24)
        });
        held.map(|(_, count)| u32::from(*count)).sum::<u32>() <= u32::from(STEP) * KNOWN_HOURS
    }

    fn judge(
        &self,
        limits: &Limits,
        group: &Group,
        seen: &Seen<'_>,
        at: usize,
        has_ticket: bool,
    ) -> Option<Finding> {
        let share = group.at(at);
        let peers_work = f64::from(share) >= limits.peer_share;
        let rested = seen.o.received.0.saturating_sub(self.usual) > i64::from(limits.rest_hours) * HOUR_US;
        let on_call = has_ticket && group.ticketed < 0.5;
        let goes_on = seen.o.received.0.saturating_sub(self.last) < i64::from(limits.pause_hours) * HOUR_US;
        if on_call || goes_on || (peers_work && rested) {
            return None;
        }
        let when = format!("{:02}:00 UTC", at % 24);
        let mut reasons = vec![
            said("the hour at which the principal works", when, "hours far from it"),
            said("days on which peers work then", percent(share), "common"),
        ];
        if !rested {
            reasons.push(said(
                "rest since the usual hours",
                "less than a night",
                "a swapped shift leaves a night",
            ));
        }
        Some(seen.of_principal(NAME, Severity::Low, reasons))
    }

    fn work(&mut self, hour: i64, at: usize, today: i64) {
        if self.hours.is_empty() {
            self.hours = vec![0; WEEK_HOURS];
        }
        if hour.div_euclid(168) != self.hour.div_euclid(168) {
            self.hours.iter_mut().for_each(|count| *count -= count.div_ceil(16));
        }
        if let Some(count) = self.hours.get_mut(at) {
            *count = count.saturating_add(STEP);
        }
        if today != self.day {
            (self.day, self.days) = (today, self.days.saturating_add(1));
        }
        self.hour = hour;
    }
}

impl Group {
    /// Somebody of the group is active in this hour.
    fn see(&mut self, hour: i64, has_ticket: bool) {
        if self.share.is_empty() {
            self.share = vec![0.0; CLASS_HOURS];
            self.hour = hour;
        }
        // Hours that have passed since, at most two weeks of them: the first with what was seen, the others empty.
        if hour > self.hour {
            let first = self.hour.max(hour - 336);
            for passed in first..hour {
                let was_active = passed == self.hour && self.active;
                self.close(passed, was_active);
            }
            (self.hour, self.active) = (hour, false);
        }
        self.active = true;
        self.ticketed = self.ticketed * 0.999 + if has_ticket { 0.001 } else { 0.0 };
    }

    fn close(&mut self, hour: i64, was_active: bool) {
        let at = class_hour((hour + 72).rem_euclid(168).unsigned_abs());
        if let Some(share) = self.share.get_mut(at) {
            *share = *share * 0.93 + if was_active { 0.07 } else { 0.0 };
        }
    }

    /// Share of such days on which somebody is active around the hour.
    fn at(&self, hour_of_week: usize) -> f32 {
        let at = class_hour(u64::try_from(hour_of_week).unwrap_or(0));
        let class = at - at % 24;
        let near = [at % 24 + 23, at % 24, at % 24 + 1].map(|hour| class + hour % 24);
        near.iter().filter_map(|at| self.share.get(*at)).fold(0.0, |most: f32, one| most.max(*one))
    }
}

/// Working days, then weekends, an entry an hour of the day.
fn class_hour(hour_of_week: u64) -> usize {
    let weekend = if hour_of_week >= 5 * 24 { 24 } else { 0 };
    usize::try_from(weekend + hour_of_week % 24).unwrap_or(0)
}

fn percent(share: f32) -> String {
    format!("{:.0} %", share * 100.0)
}
