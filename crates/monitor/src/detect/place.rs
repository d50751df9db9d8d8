//! New country: a principal asks, or tries to, from a country that is new to them, to their directory entry and to their
//! peers; or from two countries within too few hours. A country where many peers work is no news by itself.

use serde::{Deserialize, Serialize};
use tlog::detail::{Severity, Stage};

use super::{
    finding::{Finding, said},
    habit::{DAY_US, HOUR_US, day},
    observation::What,
    people::{Seen, Who, slot},
};

pub const NAME: &str = "new-place";

/// Thresholds: `[detect.new-place]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Peers who work from a country before it is no news.
    pub peers: u32,
    /// Hours that a person needs from one country to another.
    pub travel_hours: u32,
    /// Days after which a country is new again.
    pub forget_days: u32,
}

pub const SHIPPED: Limits = Limits { peers: 5, travel_hours: 2, forget_days: 180 };

/// Countries that are remembered of a principal: 40 bytes each.
const PLACES_MAX: usize = 8;
/// Countries of a group, and people that are counted in each.
const GROUP_PLACES_MAX: usize = 64;
const GROUP_PEOPLE_MAX: usize = 64;

/// Some 350 bytes a principal, at most 40 KiB a group of peers.
#[derive(Default, Serialize, Deserialize)]
pub struct NewPlace {
    people: Vec<Person>,
    groups: Vec<Vec<(String, Vec<usize>)>>,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    /// Country, days on which it was asked from, and the last time.
    places: Vec<(String, u32, i64)>,
    told: Option<(String, i64)>,
}

impl NewPlace {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let opened = match &seen.o.what {
            What::Opened(_) => true,
            What::Refused { stage: Stage::Login | Stage::Connect, .. } => false,
            _ => return,
        };
        let (Some(who), Some(asker)) = (seen.who, seen.asker) else { return };
        let Some(person) = slot(&mut self.people, who.person) else { return };
        let Some(group) = slot(&mut self.groups, who.group) else { return };
        let now = seen.o.received.0;
        let today = day(seen.o.received);
        let reasons = person.judge(limits, group, seen, who);
        let told = person.told.as_ref().is_some_and(|told| *told == (asker.place.clone(), today));
        if let Some((severity, reasons)) = reasons.filter(|_| !told) {
            person.told = Some((asker.place.clone(), today));
            // Who only tried has seen nothing.
            let severity = if opened { severity } else { Severity::Low };
            found.push(seen.of_principal(NAME, severity, reasons));
        }
        if opened {
            person.learn(&asker.place, now);
            learn(group, &asker.place, who.person);
        }
    }
}

impl Person {
    fn judge(
        &self,
        limits: &Limits,
        group: &[(String, Vec<usize>)],
        seen: &Seen<'_>,
        who: Who,
    ) -> Option<(Severity, Vec<tlog::detail::Reason>)> {
        let asker = seen.asker?;
        let now = seen.o.received.0;
        // Nothing is known of who comes for the first time, but where the directory has them.
        let is_first = self.places.is_empty() && asker.office.is_none();
        let known = self.places.iter().map(|(place, ..)| place.as_str()).chain(asker.office.as_deref());
        let known: Vec<&str> = known.collect();
        let elsewhere = self.places.iter().find(|(place, _, last)| {
            *place != asker.place && now.saturating_sub(*last) < i64::from(limits.travel_hours) * HOUR_US
        });
        if let Some((place, _, last)) = elsewhere {
            let minutes = now.saturating_sub(*last) / (HOUR_US / 60);
            let from = format!("{place}, {minutes} minutes before");
            let reasons = vec![said("a country that cannot be reached so soon", asker.place.clone(), from)];
            return Some((Severity::High, reasons));
        }
        let forget = i64::from(limits.forget_days) * DAY_US;
        let is_known = asker.office.as_deref() == Some(asker.place.as_str())
            || self
                .places
                .iter()
                .any(|(place, _, last)| *place == asker.place && now.saturating_sub(*last) <= forget);
        let peers = group
            .iter()
            .find(|(place, _)| *place == asker.place)
            .map_or(0, |(_, people)| people.iter().filter(|person| **person != who.person).count());
        let familiar = u32::try_from(peers).unwrap_or(u32::MAX) >= limits.peers;
        if is_first || is_known || (familiar && !who.service) {
            return None;
        }
        let severity = if peers > 0 && !who.service { Severity::Medium } else { Severity::High };
        let reasons = vec![
            said("a country that is new to the principal", asker.place.clone(), known.join(", ")),
            said("peers who work from there", peers.to_string(), limits.peers.to_string()),
        ];
        Some((severity, reasons))
    }

    fn learn(&mut self, place: &str, now: i64) {
        if let Some((_, days, last)) = self.places.iter_mut().find(|(known, ..)| known == place) {
            *days += u32::from(now.div_euclid(DAY_US) != last.div_euclid(DAY_US));
            *last = now;
            return;
        }
        if self.places.len() >= PLACES_MAX {
            let oldest = self.places.iter().enumerate().min_by_key(|(_, (_, _, last))| *last);
            let oldest = oldest.map_or(0, |(at, _)| at);
            self.places.swap_remove(oldest);
        }
        self.places.push((place.to_owned(), 1, now));
    }
}

fn learn(group: &mut Vec<(String, Vec<usize>)>, place: &str, person: usize) {
    let is_known = group.iter().any(|(known, _)| known == place);
    if !is_known && group.len() < GROUP_PLACES_MAX {
        group.push((place.to_owned(), Vec::new()));
    }
    if let Some((_, people)) = group.iter_mut().find(|(known, _)| known == place)
        && people.len() < GROUP_PEOPLE_MAX
        && !people.contains(&person)
    {
        people.push(person);
    }
}
