//! The simulated enclave in which the detectors are measured: 200 principals, their roles, shifts, offices, tickets and
//! habits, thirty normal days after some in which habits form, and labelled scenarios injected among them. `normal` is
//! the days, `staff` the people, `attacks` the scenarios, `stream` turns both into observations; here they are run
//! and counted. Everything follows from the seed.

mod attacks;
mod checker;
mod dice;
mod normal;
mod odd;
mod staff;
mod stream;
mod suspicious;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;
use tlog::{detail::About, entry::Micros};

use self::{
    attacks::{ALL, AT_QUARTER_END, Act, Scenario, Style},
    dice::Dice,
    normal::{Calendar, Normal},
    staff::Person,
    stream::{DAY, Stream},
};
use super::{Detectors, Finding, Honey, NAMES, Thresholds, What, dormant};

/// The seed of the table in docs/monitor.md.
pub const SEED: u64 = 1;
/// 2026-03-02T00:00:00Z, a Monday.
const BEGIN: i64 = 1_772_409_600_000_000;
/// Days in which habits form before anything is counted.
pub const LEARNING_DAYS: u32 = 21;
/// Times that each scenario is run, with other victims on other days.
const INSTANCES: usize = 6;
/// The same, of what is done to the gate or the sites: it goes the same way each time.
const GATE_INSTANCES: usize = 3;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub days: u32,
    pub principals: u32,
    pub thresholds: Thresholds,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub seed: u64,
    pub days: u32,
    pub principals: u32,
    /// Observations of the normal days.
    pub observations: u64,
    /// False alarms in the days in which habits form, which the figures below leave out.
    pub alarms_while_learning: u64,
    /// False alarms a day, of all detectors together.
    pub false_alarms_per_day: f64,
    pub detectors: Vec<Measured>,
    pub scenarios: Vec<Caught>,
}

/// How good a detector is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    pub name: &'static str,
    /// Share of the instances of its naive and slow scenarios that it caught.
    pub recall: f64,
    /// The same of its scenarios that stay inside what is usual, or where it does not look; none where it has none.
    pub recall_inside: Option<f64>,
    pub false_alarms_per_day: f64,
    /// Median, from the first thing that the attacker did; none where nothing was caught.
    pub seconds_to_detect: Option<u64>,
}

/// What became of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caught {
    pub detector: &'static str,
    pub style: &'static str,
    pub name: &'static str,
    pub instances: usize,
    pub caught: usize,
    /// By any detector.
    pub caught_by_any: usize,
    /// Median, of those that it caught.
    pub seconds_to_detect: Option<u64>,
}

/// Runs both worlds: one that is normal, whose alarms are false, and one with attacks, which should be found.
pub fn evaluate(plan: &Plan) -> Report {
    let days = i64::from(LEARNING_DAYS + plan.days);
    let measured = i64::from(LEARNING_DAYS);
    let world = |attacks: bool| {
        let mut dice = Dice::new(plan.seed);
        let staff = staff::draw(&mut dice, plan.principals, days);
        let calendar = Calendar::draw(&mut dice, measured, days);
        let planned = if attacks { assign(&mut dice.fork(), &staff, &calendar, days) } else { Vec::new() };
        Run { normal: Normal::new(staff, calendar, dice), planned, days, thresholds: plan.thresholds.clone() }
    };
    let mut quiet = world(false);
    let (normal, observations) = quiet.play();
    let mut attacked = world(true);
    let (found, _) = attacked.play();
    let alarms = |from: i64, to: i64| alarms(&normal, BEGIN + from * DAY, BEGIN + to * DAY);
    let counted = alarms(measured, days);
    let of = |name: &str| counted.iter().filter(|(detector, ..)| *detector == name).count();
    let per_day = |count: usize| round(count as f64 / f64::from(plan.days.max(1)));
    let measure = |name: &'static str| {
        let mine: Vec<&Planned> =
            attacked.planned.iter().filter(|one| one.scenario.detector == name).collect();
        let (inside, open): (Vec<_>, Vec<_>) =
            mine.into_iter().partition(|one| one.scenario.style == Style::Inside);
        let delays = |of: &[&Planned]| -> Vec<u64> {
            let mut delays: Vec<u64> = of.iter().filter_map(|one| one.found(&found, Some(name))).collect();
            delays.sort_unstable();
            delays
        };
        let share = |of: &[&Planned]| round(delays(of).len() as f64 / of.len() as f64);
        let sorted = delays(&open);
        Measured {
            name,
            recall: share(&open),
            recall_inside: (!inside.is_empty()).then(|| share(&inside)),
            false_alarms_per_day: per_day(of(name)),
            seconds_to_detect: sorted.get(sorted.len() / 2).copied(),
        }
    };
    Report {
        seed: plan.seed,
        days: plan.days,
        principals: plan.principals,
        observations,
        alarms_while_learning: alarms(0, measured).len() as u64,
        false_alarms_per_day: per_day(counted.len()),
        detectors: NAMES.into_iter().map(measure).collect(),
        scenarios: caught(&attacked.planned, &found),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { seed, days, principals, observations, .. } = self;
        writeln!(
            f,
            "{principals} principals, {days} normal days after {LEARNING_DAYS} in which habits form,"
        )?;
        writeln!(f, "{observations} observations, seed {seed}.\n")?;
        writeln!(f, "| detector | recall | inside the habit | false alarms a day | seconds to detect |")?;
        writeln!(f, "|---|---|---|---|---|")?;
        for Measured { name, recall, recall_inside, false_alarms_per_day, seconds_to_detect } in
            &self.detectors
        {
            let inside = recall_inside.map(|recall| format!("{recall:.2}")).unwrap_or_default();
            let seconds = seconds_to_detect.map(|seconds| seconds.to_string()).unwrap_or_default();
            writeln!(f, "| {name} | {recall:.2} | {inside} | {false_alarms_per_day:.2} | {seconds} |")?;
        }
        let Report { false_alarms_per_day, alarms_while_learning, .. } = self;
        writeln!(f, "| all | | | {false_alarms_per_day:.2} | |\n")?;
        writeln!(f, "False alarms in the days in which habits form: {alarms_while_learning}.\n")?;
        writeln!(f, "| detector | style | scenario | caught | by any detector | seconds |")?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for one in &self.scenarios {
            let Caught { detector, style, name, instances, caught, caught_by_any, seconds_to_detect } = one;
            let seconds = seconds_to_detect.map(|seconds| seconds.to_string()).unwrap_or_default();
            let counted = format!("{caught} of {instances} | {caught_by_any} | {seconds}");
            writeln!(f, "| {detector} | {style} | {name} | {counted} |")?;
        }
        Ok(())
    }
}

/// A scenario with its victim and its time.
struct Planned {
    scenario: &'static Scenario,
    person: usize,
    start: i64,
    /// Names of whom a finding may be about.
    names: Vec<String>,
    /// When the attacker first did something.
    first: Option<i64>,
}

impl Planned {
    fn is_of_gate(&self) -> bool {
        self.names.is_empty()
    }

    /// Seconds until it was found, by that detector or by any.
    fn found(&self, findings: &[Finding], detector: Option<&str>) -> Option<u64> {
        let from = self.first?;
        let more = i64::from(!self.is_of_gate());
        let until = BEGIN + (self.start + self.scenario.days + more) * DAY;
        let is_it = |finding: &&Finding| {
            let whose = match &finding.about.principal {
                Some(name) => self.names.contains(name),
                None => self.is_of_gate(),
            };
            let same = detector.is_none_or(|name| finding.detector == name);
            whose && same && (from..until).contains(&finding.at.0)
        };
        let first = findings.iter().find(is_it)?;
        u64::try_from((first.at.0 - from) / stream::SECOND).ok()
    }
}

/// Gives each instance of each scenario a victim and a day.
fn assign(dice: &mut Dice, staff: &[Person], calendar: &Calendar, days: i64) -> Vec<Planned> {
    let mut planned: Vec<Planned> = Vec::new();
    let measured = i64::from(LEARNING_DAYS);
    // Who is to sleep must not be woken by another scenario, so these choose first.
    let (sleepers, others): (Vec<_>, Vec<_>) = ALL.iter().partition(|one| one.detector == dormant::NAME);
    for scenario in sleepers.into_iter().chain(others) {
        let instances = if is_of_gate(scenario) { GATE_INSTANCES } else { INSTANCES };
        for instance in 0..instances {
            let latest = days - scenario.days - 1;
            let earliest = if scenario.detector == dormant::NAME { measured + 20 } else { measured };
            let mut pick = || {
                let span = u64::try_from(latest - earliest).unwrap_or(1).max(1);
                let day = earliest + i64::try_from(dice.below(span)).unwrap_or(0);
                let person = usize::try_from(dice.below(staff.len() as u64)).unwrap_or(0);
                (day, person)
            };
            let mut chosen = None;
            for _ in 0..2_000 {
                let (day, at) = pick();
                let start = match scenario.name {
                    AT_QUARTER_END => calendar.quarter_end.0 + i64::try_from(instance % 3).unwrap_or(0),
                    name if name.contains("weekend") => day - day % 7 + 5,
                    _ if scenario.detector == super::drift::NAME => day,
                    _ => day - if day % 7 >= 5 { 2 } else { 0 },
                };
                if fits(scenario, staff, &planned, at, start) {
                    chosen = Some((start, at));
                    break;
                }
            }
            let Some((start, person)) = chosen else { continue };
            let is_gate = is_of_gate(scenario);
            let victim = staff.get(person).filter(|_| !is_gate);
            let mut names: Vec<String> = victim.map(|person| person.name.clone()).into_iter().collect();
            if scenario.name.contains("colleagues") {
                names = staff.iter().map(|person| person.name.clone()).collect();
            }
            planned.push(Planned { scenario, person, start, names, first: None });
        }
    }
    planned
}

/// Whether a scenario concerns the gate or the sites, rather than a person.
fn is_of_gate(scenario: &Scenario) -> bool {
    let gate = [
        super::mismatch::NAME,
        super::order::NAME,
        super::widened::NAME,
        super::outside::NAME,
        super::drift::NAME,
        super::residency::NAME,
    ];
    let of_nobody = ["forty names", "the gate finds"].iter().any(|name| scenario.name.contains(name));
    gate.contains(&scenario.detector) || of_nobody
}

/// Whether that person can be its victim then: of the role, at work, and not a victim of the same detector already.
fn fits(scenario: &Scenario, staff: &[Person], planned: &[Planned], at: usize, start: i64) -> bool {
    let Some(person) = staff.get(at) else { return false };
    let same = planned.iter().filter(|one| one.scenario.detector == scenario.detector);
    if is_of_gate(scenario) {
        // One at a time: what is found is about the gate, whichever it was.
        let ends = |one: &Planned| one.start + one.scenario.days;
        return same.clone().all(|one| start >= ends(one) || start + scenario.days <= one.start);
    }
    let role = scenario.role.map_or(!person.is_service(), |role| person.role == role);
    let dormant = scenario.detector == dormant::NAME;
    let at_work = (start - 14..start + scenario.days).all(|day| !person.is_away(day)) || dormant;
    let has_rest =
        person.change.is_none() && person.trips.is_empty() && person.joined == 0 && person.on_call.is_empty();
    let sleeps = |one: &&Planned| one.scenario.detector == dormant::NAME && one.person == at;
    if planned.iter().any(|one| sleeps(&one)) {
        return false;
    }
    let is_new = same.clone().all(|one| one.person != at);
    let few = staff.iter().filter(|person| scenario.role.is_none_or(|role| person.role == role)).count() < 20;
    role && at_work && (has_rest || few) && (is_new || few)
}

/// A world that is played once.
struct Run {
    normal: Normal,
    planned: Vec<Planned>,
    days: i64,
    thresholds: Thresholds,
}

impl Run {
    /// Plays every day; answers what was found, and how much was observed.
    fn play(&mut self) -> (Vec<Finding>, u64) {
        for one in self.planned.iter().filter(|one| one.scenario.detector == dormant::NAME) {
            let slept = if one.scenario.style == Style::Inside { 21 } else { 42 };
            if let Some(person) = self.normal.staff.get_mut(one.person) {
                person.away.clear();
                person.away.push((one.start - slept, self.days));
            }
        }
        let mut detectors = Detectors::new(self.thresholds.clone());
        let mut stream = Stream::new();
        let (mut found, mut observations) = (Vec::new(), 0);
        for day in 0..self.days {
            let midnight = BEGIN + day * DAY;
            stream.clock = 0;
            self.attack(day, midnight, &mut stream, true);
            self.normal.day(day, midnight, &mut stream);
            self.attack(day, midnight, &mut stream, false);
            for observation in stream.take(midnight + DAY) {
                observations += 1;
                if matches!(observation.what, What::Started { .. }) {
                    let now = observation.received.0;
                    let planted: Vec<String> = attacks::PLANTED.map(|id| stream.digest(now, id)).collect();
                    detectors.set_honey(Honey::new(planted.iter().map(String::as_str)));
                }
                found.extend(detectors.observe(&observation));
            }
        }
        (found, observations)
    }

    /// What attackers do on this day. What they do to the gate's clock comes before everything else.
    fn attack(&mut self, day: i64, midnight: i64, stream: &mut Stream, clock: bool) {
        let staff = &self.normal.staff;
        for (number, one) in (0..).zip(self.planned.iter_mut()) {
            let nth = day - one.start;
            let is_clock = one.scenario.detector == super::drift::NAME;
            if !(0..one.scenario.days).contains(&nth) || is_clock != clock {
                continue;
            }
            let Some(person) = staff.get(one.person) else { continue };
            let peers: Vec<Person> = staff.iter().filter(|peer| peer.role == person.role).cloned().collect();
            let mut dice = Dice::new(dice::mix(number) ^ u64::try_from(day).unwrap_or(0));
            let mark = stream.mark();
            let act = &mut Act { stream, dice: &mut dice, person, peers: &peers, day, nth, midnight };
            (one.scenario.act)(act);
            let first = if is_clock { Some(midnight) } else { stream.first_since(mark) };
            one.first = one.first.or(first);
        }
    }
}

/// Different alarms: detector, about whom, on which day. More of the same on a day is the same incident.
fn alarms(found: &[Finding], from: i64, to: i64) -> BTreeSet<(&'static str, About, i64)> {
    let counted = found.iter().filter(|finding| (from..to).contains(&finding.at.0));
    counted
        .map(|finding| (finding.detector, finding.about.clone(), super::habit::day(Micros(finding.at.0))))
        .collect()
}

fn caught(planned: &[Planned], found: &[Finding]) -> Vec<Caught> {
    let mut by_name: BTreeMap<(usize, &'static str), Caught> = BTreeMap::new();
    let mut delays: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    for one in planned {
        let Scenario { detector, style, name, .. } = one.scenario;
        let at = NAMES.iter().position(|known| known == detector).unwrap_or(NAMES.len());
        let style = style.as_str();
        let fresh = Caught {
            detector,
            style,
            name,
            instances: 0,
            caught: 0,
            caught_by_any: 0,
            seconds_to_detect: None,
        };
        let count = by_name.entry((at, name)).or_insert(fresh);
        count.instances += 1;
        count.caught_by_any += usize::from(one.found(found, None).is_some());
        if let Some(delay) = one.found(found, Some(detector)) {
            count.caught += 1;
            let of = delays.entry(name).or_default();
            of.push(delay);
            of.sort_unstable();
            count.seconds_to_detect = of.get(of.len() / 2).copied();
        }
    }
    by_name.into_values().collect()
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// For whoever tunes thresholds: the false alarms themselves, a line each.
pub fn false_alarms(plan: &Plan) -> Vec<String> {
    let days = i64::from(LEARNING_DAYS + plan.days);
    let mut dice = Dice::new(plan.seed);
    let staff = staff::draw(&mut dice, plan.principals, days);
    let calendar = Calendar::draw(&mut dice, i64::from(LEARNING_DAYS), days);
    let thresholds = plan.thresholds.clone();
    let normal = Normal::new(staff, calendar, dice);
    let (found, _) = Run { normal, planned: Vec::new(), days, thresholds }.play();
    let late = found.iter().filter(|finding| finding.at.0 >= BEGIN + i64::from(LEARNING_DAYS) * DAY);
    late.map(|f| format!("{} {} {:?} {:?}", f.at, f.detector, f.about, f.reasons)).collect()
}
