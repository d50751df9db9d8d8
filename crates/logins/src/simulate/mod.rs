//! Whole worlds of logins to try `risk` on: people, networks and attackers, drawn from published statistics by a seed and
//! told in order of time. Every event has a label, which no scorer reads. Not here: figures of how well attacks are told
//! from logins (`evaluate`).
//!
//! Read `shape` first, then `person` and `day` (what people do), then `attack` and `campaign` (what attackers do).

mod agents;
mod attack;
mod campaign;
mod countries;
mod day;
mod describe;
mod dice;
mod person;
mod plan;
mod real;
mod shape;
mod traps;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt;

use places::Places;
use risk::{Act, Event, Outcome};

pub use self::describe::{Describe, Figure};
pub use self::shape::{People, Shape};

use self::attack::Scene;
use self::countries::COUNTRIES;
use self::day::Days;
use self::dice::{Dice, Of};
use self::person::Person;
use self::plan::Plan;
use self::shape::DAY_MS;
use self::traps::Traps;
use crate::evaluate::{Log, Truths};
use crate::login::Login;

/// An event of a world.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// What a service would log.
    pub login: Login<'static>,
    /// Who did it, in truth.
    pub label: Label,
    /// Which of the harmless things that look like an attack it belongs to.
    pub trap: Option<&'static str>,
    net: usize,
    /// Which of the user's devices.
    device: u8,
    user: u64,
}

/// Who did something: the user, or an attacker. Displayed as `legitimate`, or as kind and number of the attack, the same
/// for all events of one: `spray:3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label(Option<(Attacker, u32)>);

/// Kinds of attackers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attacker {
    /// Knows a password, comes from anywhere.
    Naive,
    /// Knows a password, comes from the victim's country.
    Vpn,
    /// Knows a password, has the victim's network and user agent.
    Targeted,
    /// Many users, few tries each.
    Spray,
    /// Many pairs of user and password.
    Stuffing,
    /// Many tries at one user.
    BruteForce,
    /// A spray from many machines that takes days.
    LowAndSlow,
    /// A session from another place.
    Replay,
    /// A login, then a change of password or factor.
    Takeover,
    /// Prompts until somebody gives in.
    MfaFatigue,
    /// Many quiet logins before a takeover.
    Poisoner,
}

impl Attacker {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Naive,
        Self::Vpn,
        Self::Targeted,
        Self::Spray,
        Self::Stuffing,
        Self::BruteForce,
        Self::LowAndSlow,
        Self::Replay,
        Self::Takeover,
        Self::MfaFatigue,
        Self::Poisoner,
    ];

    /// The word in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Vpn => "vpn",
            Self::Targeted => "targeted",
            Self::Spray => "spray",
            Self::Stuffing => "stuffing",
            Self::BruteForce => "brute_force",
            Self::LowAndSlow => "low_and_slow",
            Self::Replay => "replay",
            Self::Takeover => "takeover",
            Self::MfaFatigue => "mfa_fatigue",
            Self::Poisoner => "poisoner",
        }
    }

    const fn is_single(self) -> bool {
        matches!(self, Self::Naive | Self::Vpn | Self::Targeted)
    }
}

impl Label {
    /// The user did it.
    pub const LEGITIMATE: Self = Self(None);

    /// An attacker of a kind, by the number of the attack.
    pub const fn attack(self) -> Option<(Attacker, u32)> {
        self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("legitimate"),
            Some((kind, number)) => write!(f, "{}:{number}", kind.as_str()),
        }
    }
}

impl Drawn {
    /// The same try with a name that is mistyped into nobody's.
    fn misspelt(mut self, dice: &mut Dice) -> Self {
        let typo = (b'a' + dice.below(26) as u8) as char;
        self.login.user = format!("{}{typo}", self.login.user).into();
        self
    }
}

/// Users who logged in within the last hour, and how all who ever did did last.
#[derive(Debug, Default)]
struct Lately {
    hour: VecDeque<Drawn>,
    known: Vec<u64>,
    last: HashMap<u64, Last>,
    attacked: HashSet<u64>,
}

/// What a user's last login was from.
#[derive(Debug, Clone, Copy)]
struct Last {
    net: usize,
    device: u8,
    day: u32,
}

impl Lately {
    fn add(&mut self, drawn: &Drawn, day: u32) {
        if drawn.label != Label::LEGITIMATE
            || drawn.login.act != Act::Logon
            || drawn.login.outcome != Outcome::Success
        {
            return;
        }
        if self.last.insert(drawn.user, Last { net: drawn.net, device: drawn.device, day }).is_none() {
            self.known.push(drawn.user);
        }
        let hour_ago = drawn.login.time_ms - 3_600_000;
        while self.hour.front().is_some_and(|first| first.login.time_ms < hour_ago) {
            self.hour.pop_front();
        }
        self.hour.push_back(drawn.clone());
    }

    /// Somebody of the last hour who is right for it.
    fn donor(&self, dice: &mut Dice, is_right: impl Fn(&Drawn) -> bool) -> Option<&Drawn> {
        for _ in 0..8 {
            let drawn = self.hour.get(dice.below(self.hour.len()))?;
            if is_right(drawn) {
                return Some(drawn);
            }
        }
        let all: Vec<&Drawn> = self.hour.iter().filter(|drawn| is_right(drawn)).collect();
        dice.pick(&all).copied()
    }

    /// Somebody who logged in before and was not attacked yet; each user once, while there are others.
    fn victim(&mut self, dice: &mut Dice, is_right: impl Fn(u64) -> bool) -> Option<u64> {
        let mut victim = None;
        for _ in 0..64 {
            let user = self.known.get(dice.below(self.known.len())).copied()?;
            if is_right(user) && !self.attacked.contains(&user) {
                victim = Some(user);
                break;
            }
        }
        let victim = victim?;
        self.attacked.insert(victim);
        Some(victim)
    }
}

/// People who are no users for each login of one. Much of what is tried at unknown users comes from addresses that do
/// nothing else.
const PASSERS_BY: f64 = 0.35;

/// A world as a log that can be read more than once.
#[derive(Debug, Clone)]
pub struct WorldLog(pub Shape);

impl WorldLog {
    /// Who did what in it.
    pub fn truths(&self) -> Truths {
        let mut truths = Truths::default();
        World::new(self.0.clone()).for_each(|drawn| {
            truths.add(&drawn.label.to_string());
            truths.trap(drawn.trap);
        });
        truths
    }
}

impl Log for WorldLog {
    type Error = std::convert::Infallible;

    fn read(&mut self, each: &mut dyn FnMut(usize, &Event<'_>)) -> Result<(), Self::Error> {
        World::new(self.0.clone()).enumerate().for_each(|(index, drawn)| each(index, &drawn.login.event()));
        Ok(())
    }
}

/// What is due in a world, by time.
#[derive(Debug)]
enum Due {
    Event(Box<Drawn>),
    Attack(Attacker, u32),
}

#[derive(Debug)]
struct Entry {
    time_ms: i64,
    order: u64,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time_ms, self.order).cmp(&(other.time_ms, other.order))
    }
}

/// A world: an iterator over its events in order of time. What it holds is a day's events and a number per login to come.
#[derive(Debug)]
pub struct World {
    shape: Shape,
    plan: Plan,
    traps: Traps,
    /// Who logs in on each day, as often as they do.
    visits: Vec<Vec<u32>>,
    daily: f64,
    day: u32,
    queue: BinaryHeap<Reverse<Entry>>,
    order: u64,
    told: u64,
    lately: Lately,
}

impl World {
    /// A world of this shape, in the made-up networks.
    pub fn new(shape: Shape) -> Self {
        Self::on(shape, Plan::made_up())
    }

    /// A world of this shape, in the networks that files of places know.
    ///
    /// # Errors
    /// What the files lack.
    pub fn real(shape: Shape, places: &Places) -> Result<Self, String> {
        let plan = real::plan(places, shape.home)?;
        Ok(Self::on(shape, plan))
    }

    fn on(shape: Shape, plan: Plan) -> Self {
        let home = COUNTRIES.iter().position(|country| country.code == shape.home).unwrap_or(0);
        let traps = Traps::of(&shape, &plan, home);
        let visits = visits(&shape);
        let logins: usize = visits.iter().map(Vec::len).sum();
        let daily = logins as f64 / f64::from(shape.days.max(1));
        let mut world = Self {
            plan,
            traps,
            visits,
            daily,
            day: 0,
            queue: BinaryHeap::new(),
            order: 0,
            told: 0,
            lately: Lately::default(),
            shape,
        };
        world.schedule(logins);
        world
    }

    /// How many days of how many are told.
    pub fn progress(&self) -> (u32, u32) {
        (self.day, self.shape.days)
    }

    /// When who attacks: singles through the day as users log in, campaigns at any time, none in the first tenth.
    fn schedule(&mut self, logins: usize) {
        let mut dice = Dice::of(self.shape.seed, Of::Attacks, 0, 0);
        let singles = (logins as f64 * self.shape.attackers).max(f64::from(self.shape.users / 10).min(200.0));
        let days = f64::from(self.shape.days);
        for kind in Attacker::ALL {
            let count = if kind.is_single() { singles } else { (self.shape.campaigns * days).max(1.0) };
            let count = if self.shape.attackers == 0.0 && kind.is_single() { 0.0 } else { count };
            let count = if self.shape.campaigns == 0.0 && !kind.is_single() { 0.0 } else { count };
            for number in 0..count as u32 {
                // Who has time begins early.
                let last = if kind == Attacker::Poisoner { days * 0.75 } else { days };
                let day = dice.between(days * 0.1, last).floor();
                let hour = if kind.is_single() {
                    (14.0 + 4.8 * dice.normal()).rem_euclid(24.0)
                } else {
                    dice.between(0.0, 24.0)
                };
                let at = self.shape.start_ms + ((day + hour / 24.0) * DAY_MS as f64) as i64;
                self.push(at, Due::Attack(kind, number + 1));
            }
        }
    }

    fn push(&mut self, time_ms: i64, due: Due) {
        self.order += 1;
        self.queue.push(Reverse(Entry { time_ms, order: self.order, due }));
    }

    /// Draws the days that may have something due before what is first in the queue.
    fn fill(&mut self) {
        while self.day < self.shape.days {
            let midnight = self.shape.start_ms + i64::from(self.day) * DAY_MS;
            if self.queue.peek().is_some_and(|Reverse(first)| first.time_ms < midnight) {
                return;
            }
            let users = self.visits.get_mut(self.day as usize).map(std::mem::take).unwrap_or_default();
            let mut events = Vec::new();
            let days = Days { shape: &self.shape, plan: &self.plan, traps: &self.traps };
            for same in users.chunk_by(|one, other| one == other) {
                let Some(user) = same.first() else { continue };
                let person = Person::of(&self.shape, &self.plan, u64::from(*user));
                days.of(&person, self.day, same.len(), &mut events);
            }
            if self.shape.people == People::Customers {
                for number in 0..(users.len() as f64 * PASSERS_BY) as u64 {
                    days.passer_by(1 << 48 | u64::from(self.day) << 24 | number, self.day, &mut events);
                }
            }
            for event in events {
                self.push(event.login.time_ms, Due::Event(Box::new(event)));
            }
            self.day += 1;
        }
    }

    fn attack(&mut self, at: i64, kind: Attacker, number: u32) {
        let mut dice = Dice::of(self.shape.seed, Of::Attack, kind as u64, u64::from(number));
        let (shape, plan) = (&self.shape, &self.plan);
        let is_right = |user| {
            let person = Person::of(shape, plan, user);
            !person.is_bot && (kind != Attacker::MfaFatigue || person.has_factor)
        };
        let needs_victim =
            !matches!(kind, Attacker::Spray | Attacker::Stuffing | Attacker::LowAndSlow | Attacker::Replay);
        let victim = if needs_victim { self.lately.victim(&mut dice, is_right) } else { None };
        let scene = Scene {
            shape,
            plan,
            traps: &self.traps,
            lately: &self.lately,
            at,
            daily: self.daily,
            label: Label(Some((kind, number))),
        };
        let events = match (kind, victim) {
            (Attacker::Spray, _) => scene.spray(&mut dice),
            (Attacker::Stuffing, _) => scene.stuffing(&mut dice),
            (Attacker::LowAndSlow, _) => scene.low_and_slow(&mut dice),
            (Attacker::Replay, _) => scene.replay(&mut dice),
            (Attacker::Naive | Attacker::Vpn | Attacker::Targeted, Some(victim)) => {
                scene.single(kind, victim, &mut dice).into_iter().collect()
            }
            (Attacker::BruteForce, Some(victim)) => scene.brute_force(victim, &mut dice),
            (Attacker::Takeover, Some(victim)) => scene.takeover(victim, &mut dice),
            (Attacker::MfaFatigue, Some(victim)) => scene.fatigue(victim, &self.lately, &mut dice),
            (Attacker::Poisoner, Some(victim)) => scene.poisoner(victim, &mut dice),
            (_, None) => Vec::new(),
        };
        for event in events {
            self.push(event.login.time_ms, Due::Event(Box::new(event)));
        }
    }
}

impl Iterator for World {
    type Item = Drawn;

    fn next(&mut self) -> Option<Drawn> {
        let end = self.shape.start_ms + i64::from(self.shape.days) * DAY_MS;
        loop {
            self.fill();
            let Reverse(entry) = self.queue.pop()?;
            match entry.due {
                Due::Attack(kind, number) => self.attack(entry.time_ms, kind, number),
                Due::Event(drawn) if drawn.login.time_ms < end => {
                    let mut drawn = *drawn;
                    self.told += 1;
                    drawn.login.id = Some(format!("{}-{}", self.shape.seed, self.told).into());
                    let day = (drawn.login.time_ms - self.shape.start_ms).div_euclid(DAY_MS);
                    self.lately.add(&drawn, u32::try_from(day).unwrap_or(0));
                    return Some(drawn);
                }
                Due::Event(_) => {}
            }
        }
    }
}

/// Who logs in on which day. Customers: half log in twice or less in all, a tenth nine times or more, one in a hundred
/// 28 times (RBA data set), from when they open their account; employees: on working days.
fn visits(shape: &Shape) -> Vec<Vec<u32>> {
    let mut visits = vec![Vec::new(); shape.days as usize];
    let days = f64::from(shape.days);
    for user in 0..shape.users {
        let mut dice = Dice::of(shape.seed, Of::Days, u64::from(user), 0);
        match shape.people {
            People::Customers => {
                let opened = if dice.chance(0.3) { dice.unit() * days * 0.8 } else { 0.0 };
                for _ in 0..dice.lognormal(1.75, 1.13).round().clamp(1.0, 20.0 * days) as usize {
                    let day = dice.between(opened, days) as usize;
                    if let Some(day) = visits.get_mut(day) {
                        day.push(user);
                    }
                }
            }
            People::Employees => {
                let often = dice.lognormal(1.6, 0.4);
                for (day, visits) in visits.iter_mut().enumerate() {
                    let mean = if day % 7 < 5 { often } else { 0.06 };
                    visits.extend(std::iter::repeat_n(user, dice.count(mean).min(12)));
                }
            }
        }
    }
    visits
}
