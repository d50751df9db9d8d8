//! Rows or distinct subjects far above the principal's and the peers' habit. A day's amount so far is held against the
//! principal's own last active days and against what peers do in a day; where many peers do more than usual on the same
//! day, there is a common cause and more is allowed. What is a little too much day after day adds up.
//!
//! Whoever stays inside the own habit is not seen here, and what a result shows of subjects that are not counted
//! (`unknown` in docs/metering.md) is seen as rows alone.

use serde::{Deserialize, Serialize};
use tlog::detail::{Severity, Subjects};

use super::{
    finding::{EVIDENCE_MAX, Finding, amount, counted, note, said},
    habit::{Distinct, Ring, Spread, amount_of, day, digest, level},
    observation::What,
    people::{Seen, Who, slot},
};

pub const NAME: &str = "volume";

/// Thresholds: `[detect.volume]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fewer rows in a day are never too many.
    pub rows_floor: u32,
    /// Fewer distinct subjects in a day are never too many.
    pub subjects_floor: u32,
    /// Active days before the own habit counts.
    pub history_days: u32,
    /// How many times the own habit (the day that nine of ten do not exceed), if it is beyond the peers' too.
    pub own_factor: f64,
    /// How many times the peers' habit (nineteen of twenty days).
    pub peer_factor: f64,
    /// How many times the own habit, whatever the peers do.
    pub alone_factor: f64,
    /// How many times more is allowed on a day on which peers do more than usual too.
    pub season_factor: f64,
    /// Peers who do more than usual before it is such a day.
    pub season_people: u32,
    /// Doublings over the usual day that add up over days, beyond those that are free, before it is too much.
    pub slow_doublings: f64,
    /// Doublings over the usual day that are free.
    pub slow_free_doublings: f64,
}

pub const SHIPPED: Limits = Limits {
    rows_floor: 400,
    subjects_floor: 60,
    history_days: 7,
    own_factor: 4.0,
    peer_factor: 1.5,
    alone_factor: 10.0,
    season_factor: 4.0,
    season_people: 3,
    slow_doublings: 4.0,
    slow_free_doublings: 0.7,
};

/// Some 1 000 bytes a principal, 2 200 a group of peers.
#[derive(Default, Serialize, Deserialize)]
pub struct Volume {
    people: Vec<Person>,
    groups: Vec<Group>,
}

#[derive(Default, Serialize, Deserialize)]
struct Person {
    day: i64,
    group: usize,
    rows: Measure,
    subjects: Measure,
    distinct: Distinct,
    /// The last releases of the day.
    trail: Vec<u64>,
    /// Subjects of the day that are not in the sketch: of results that carry a sketch of their own, and of the time
    /// before the gate started anew.
    apart: f64,
}

/// One amount of one principal.
#[derive(Default, Serialize, Deserialize)]
struct Measure {
    today: f64,
    days: Ring,
    /// Of the days before: the usual one, and the one that nine of ten do not exceed.
    usual: f64,
    high: f64,
    /// Doublings that have added up.
    slow: f64,
    /// Where it was last reported today.
    told: f64,
    /// Whether today is counted among those beyond their habit.
    beyond: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct Group {
    rows: Peers,
    subjects: Peers,
}

#[derive(Default, Serialize, Deserialize)]
struct Peers {
    days: Spread,
    high: Option<f64>,
    /// On which day, and the one before it, how many were beyond their habit.
    day: i64,
    beyond: u32,
    beyond_before: u32,
}

/// What is allowed, and against what.
struct Allowed {
    most: f64,
    baseline: f64,
    what: &'static str,
}

impl Volume {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        if matches!(seen.o.what, What::Started { .. }) {
            self.people.iter_mut().for_each(Person::set_apart);
        }
        let (Some(who), What::Released { rows, statements, .. }) = (seen.who, &seen.o.what) else { return };
        let Some(group) = slot(&mut self.groups, who.group) else { return };
        let Some(person) = slot(&mut self.people, who.person) else { return };
        let today = day(seen.o.received);
        if today != person.day || person.group != who.group {
            person.roll(limits, today, who, group, seen, found);
        }
        note(&mut person.trail, seen.o.index, EVIDENCE_MAX);
        let mut counted_rows = 0u64;
        for statement in statements {
            counted_rows = counted_rows.saturating_add(statement.rows);
            statement.subjects.iter().for_each(|subjects| person.count(subjects));
        }
        // A window is authorised before its rows go; its total names the statement again.
        let rows = if statements.is_empty() { 0 } else { (*rows).max(counted_rows) };
        person.rows.today += amount(rows);
        person.subjects.today = person.distinct.estimate() + person.apart;
        let of = [
            ("rows", &mut person.rows, &mut group.rows, limits.rows_floor),
            ("distinct subjects", &mut person.subjects, &mut group.subjects, limits.subjects_floor),
        ];
        for (what, measure, peers, floor) in of {
            let finding = measure.hold(limits, today, what, peers, floor, seen);
            found.extend(finding.map(|finding| finding.shown_by(&person.trail)));
        }
    }
}

impl Person {
    fn count(&mut self, subjects: &Subjects) {
        subjects.digests.iter().filter_map(|text| digest(text)).for_each(|digest| self.distinct.add(digest));
        if subjects.sketch.is_some() {
            self.apart += amount(subjects.n);
        }
    }

    /// Digests from now on are under another key.
    fn set_apart(&mut self) {
        self.apart += self.distinct.estimate();
        self.distinct.clear();
    }

    /// Closes the last active day and begins another.
    fn roll(
        &mut self,
        limits: &Limits,
        today: i64,
        who: Who,
        group: &mut Group,
        seen: &Seen<'_>,
        found: &mut Vec<Finding>,
    ) {
        if self.group != who.group {
            // Another role is another work.
            (self.rows, self.subjects, self.group) = (Measure::default(), Measure::default(), who.group);
        } else if self.day != 0 {
            let floor = f64::from(limits.rows_floor);
            self.rows.close(limits, "rows", &mut group.rows, floor, seen, found);
            let floor = f64::from(limits.subjects_floor);
            self.subjects.close(limits, "distinct subjects", &mut group.subjects, floor, seen, found);
        }
        self.distinct.clear();
        self.trail.clear();
        (self.day, self.apart) = (today, 0.0);
    }
}

impl Measure {
    fn hold(
        &mut self,
        limits: &Limits,
        today: i64,
        what: &str,
        peers: &mut Peers,
        floor: u32,
        seen: &Seen<'_>,
    ) -> Option<Finding> {
        let floor = f64::from(floor);
        if self.today < floor {
            return None;
        }
        let has_history = self.has_history(limits);
        if has_history && !self.beyond && self.today > self.high * 2.0 {
            self.beyond = true;
            peers.roll(today);
            peers.beyond += 1;
        }
        let season = peers.is_season(limits, today, self.beyond);
        let allowed = self.allowed(limits, peers, floor, season);
        if self.today <= allowed.most.max(self.told * 2.0) {
            return None;
        }
        self.told = self.today;
        let severity = if self.today > allowed.most * 4.0 { Severity::High } else { Severity::Medium };
        let what = format!("{what} today, {}", allowed.what);
        let reason = counted(&what, self.today.round(), allowed.baseline.round());
        Some(seen.of_principal(NAME, severity, vec![reason]))
    }

    fn has_history(&self, limits: &Limits) -> bool {
        u32::try_from(self.days.days()).unwrap_or(u32::MAX) >= limits.history_days
    }

    fn allowed(&self, limits: &Limits, peers: &Peers, floor: f64, season: bool) -> Allowed {
        let more = if season { limits.season_factor } else { 1.0 };
        let own = self.has_history(limits).then_some(self.high.max(floor / limits.own_factor));
        match (own, peers.high) {
            (Some(own), Some(peer)) => {
                let both = (own * limits.own_factor).max(peer * limits.peer_factor);
                let alone = own * limits.alone_factor;
                let (most, what) = if both <= alone {
                    (both, "beyond the own habit and the peers'")
                } else {
                    (alone, "far beyond the own habit")
                };
                Allowed { most: most.max(floor) * more, baseline: own, what }
            }
            (Some(own), None) => {
                let most = (own * limits.own_factor).max(floor) * more;
                Allowed { most, baseline: own, what: "beyond the own habit; there are no peers" }
            }
            (None, Some(peer)) => {
                let most = (peer * limits.own_factor).max(floor) * more;
                Allowed { most, baseline: peer, what: "beyond the peers' habit; the own is not known yet" }
            }
            (None, None) => {
                let most = floor * limits.alone_factor;
                Allowed { most, baseline: floor, what: "with no habit known yet" }
            }
        }
    }

    /// The day is over: it becomes habit, and what was a little too much adds up.
    fn close(
        &mut self,
        limits: &Limits,
        what: &str,
        peers: &mut Peers,
        floor: f64,
        seen: &Seen<'_>,
        found: &mut Vec<Finding>,
    ) {
        if self.has_history(limits) && !peers.was_season(limits) {
            let over = ((1.0 + self.today) / (1.0 + self.usual)).log2() - limits.slow_free_doublings;
            self.slow = (self.slow + over.clamp(-1.0, 1.5)).max(0.0);
            if self.slow >= limits.slow_doublings && self.today >= floor {
                self.slow = 0.0;
                let reasons = vec![
                    counted(
                        &format!("{what} in a day, again and again"),
                        self.today.round(),
                        self.usual.round(),
                    ),
                    said("over how many days", "several", "the last four weeks"),
                ];
                found.push(seen.of_principal(NAME, Severity::Medium, reasons));
            }
        }
        self.days.push(level(self.today));
        peers.add(level(self.today));
        // What an attacker did in the last days is not yet what is usual.
        self.usual = self.days.quantile(50, 5).or_else(|| self.days.quantile(50, 0)).map_or(0.0, amount_of);
        self.high = self.days.quantile(90, 0).map_or(0.0, amount_of);
        (self.today, self.told, self.beyond) = (0.0, 0.0, false);
    }
}

impl Peers {
    fn add(&mut self, level: u8) {
        self.days.add(level);
        // Fewer days than that say nothing of what peers do.
        if self.days.total() >= 20 {
            self.high = self.days.quantile(95).map(amount_of);
        }
    }

    fn roll(&mut self, today: i64) {
        if today != self.day {
            self.beyond_before = if today == self.day + 1 { self.beyond } else { 0 };
            (self.day, self.beyond) = (today, 0);
        }
    }

    /// Whether so many others are beyond their habit, today or yesterday, that there is a common cause.
    fn is_season(&self, limits: &Limits, today: i64, with_self: bool) -> bool {
        let (now, before) = match today - self.day {
            0 => (self.beyond.saturating_sub(u32::from(with_self)), self.beyond_before),
            1 => (0, self.beyond),
            _ => (0, 0),
        };
        now >= limits.season_people || before > limits.season_people
    }

    fn was_season(&self, limits: &Limits) -> bool {
        self.beyond > limits.season_people || self.beyond_before > limits.season_people
    }
}
