//! What a user does on a day: logs in at their hours from where they are, mistypes, is asked for a second factor, comes
//! back with the session, changes a password. Not here: who they are (`person`), what attackers do (`attack`).

use risk::{Act, Outcome, Why};

use super::agents::Device;
use super::campaign::nobody;
use super::dice::{Dice, Of};
use super::person::{self, DEPARTMENTS, From, Person};
use super::plan::{CITIES, Plan};
use super::shape::{DAY_MS, HOUR_MS, People, Shape};
use super::traps::Traps;
use super::{Drawn, Label};
use crate::login::Login;

/// What days happen in.
pub(super) struct Days<'a> {
    pub(super) shape: &'a Shape,
    pub(super) plan: &'a Plan,
    pub(super) traps: &'a Traps,
}

/// A journey: where to, and whether the day is one of flying.
struct Trip {
    country: usize,
    city: usize,
    number: u64,
    is_flying: bool,
    is_holiday: bool,
}

/// One login of a user and what is around it.
struct Visit<'a> {
    person: &'a Person,
    device: &'a Device,
    /// Which of the user's devices it is.
    number: u8,
    from: From,
    agent: String,
    target: String,
    trap: Option<&'static str>,
    day: u32,
    is_away: bool,
}

/// A session that a device holds: its last use, when it began, and the journey that the device is on.
struct Held {
    last: Drawn,
    began: i64,
    trip: Option<u64>,
}

const DAYS_OF_TRIPS: u32 = 30;
/// How many sessions are used for days.
const LASTING: f64 = 0.15;
/// A journey takes so long, with the night before it.
const JOURNEY_MS: i64 = 20 * 3_600_000;
/// How many of those who come back do so through a VPN that they never used.
const TRIES_A_VPN: f64 = 0.001;
const CUSTOMER_SERVICES: [&str; 5] = ["web", "app", "shop", "api", "support"];
const EMPLOYEE_SERVICES: usize = 24;

impl Days<'_> {
    /// What a user does on a day on which they log in so many times.
    pub(super) fn of(&self, person: &Person, day: u32, logins: usize, out: &mut Vec<Drawn>) {
        let mut dice = Dice::of(self.shape.seed, Of::Day, person.number, u64::from(day));
        let trip = self.trip(person, day);
        for _ in 0..logins {
            let hour = self.hour(person, &mut dice);
            let midnight = self.shape.start_ms + i64::from(day) * DAY_MS;
            let mut at = midnight + ((hour - person.zone).rem_euclid(24.0) * HOUR_MS) as i64;
            let outage =
                self.traps.outage.iter().find(|(from, _)| (midnight..midnight + DAY_MS).contains(from));
            let (mut is_out, mut is_late) = (false, false);
            if let Some((from, until)) = outage
                && (dice.chance(0.2) || (*from..*until).contains(&at))
            {
                // Whoever was logged in has to do it again, and some try while nobody can.
                is_out = dice.chance(0.5);
                is_late = true;
                at = if is_out {
                    from + dice.below((until - from) as usize) as i64
                } else {
                    until + dice.wait(4e5) as i64
                };
            }
            let Some(mut visit) = self.visit(person, day, hour, trip.as_ref(), &mut dice) else { continue };
            visit.trap = visit.trap.or(is_late.then_some("outage"));
            if is_out {
                let until = outage.map_or(at, |(_, until)| *until);
                at = visit.turned_away(at, until, &mut dice, out);
            }
            self.login(&visit, at, &mut dice, out);
        }
    }

    /// Somebody who is no user here and tries a name of another service, or one they never had, until they give up.
    pub(super) fn passer_by(&self, number: u64, day: u32, out: &mut Vec<Drawn>) {
        let person = Person::of(self.shape, self.plan, number);
        let mut dice = Dice::of(self.shape.seed, Of::Day, number, u64::from(day));
        let hour = self.hour(&person, &mut dice);
        let midnight = self.shape.start_ms + i64::from(day) * DAY_MS;
        let mut at = midnight + ((hour - person.zone).rem_euclid(24.0) * HOUR_MS) as i64;
        let Some(visit) = self.visit(&person, day, hour, None, &mut dice) else { return };
        let name = nobody(&mut dice);
        for _ in 0..1 + dice.count(0.9) {
            let mut attempt = visit.event(self, at, Act::Logon, Outcome::Failure(Why::UnknownUser));
            attempt.login.user = name.clone().into();
            out.push(attempt);
            at += 4000 + dice.wait(20_000.0) as i64;
        }
    }

    /// By habit, and in the night little: 33 logins by day for each 5 by night.
    fn hour(&self, person: &Person, dice: &mut Dice) -> f64 {
        let [first, second] = person.hours;
        let habit = |dice: &mut Dice, around: f64| (around + 1.1 * dice.normal()).rem_euclid(24.0);
        match dice.below(10) {
            _ if person.is_bot => dice.between(0.0, 24.0),
            0..4 => habit(dice, first),
            4..7 => habit(dice, second),
            _ if self.shape.people == People::Employees => (12.5 + 2.8 * dice.normal()).rem_euclid(24.0),
            _ => (15.0 + 3.6 * dice.normal()).rem_euclid(24.0),
        }
    }

    /// Who travels, and where to: every month anew.
    fn trip(&self, person: &Person, day: u32) -> Option<Trip> {
        let month = day / DAYS_OF_TRIPS;
        [Some(month), month.checked_sub(1)].into_iter().flatten().find_map(|month| {
            let mut dice = Dice::of(self.shape.seed, Of::Trip, person.number, u64::from(month));
            let goes = dice.chance(if self.shape.people == People::Employees { 0.12 } else { 0.07 });
            let mut first = month * DAYS_OF_TRIPS + dice.below(DAYS_OF_TRIPS as usize) as u32;
            let mut last = first + 1 + dice.wait(5.0) as u32;
            let on_holiday = self.traps.is_holiday(day) && dice.chance(0.07);
            if on_holiday {
                (first, last) = (day.saturating_sub(1), day + 1);
            }
            if !(goes || on_holiday) || person.is_bot || !(first..=last).contains(&day) {
                return None;
            }
            let abroad = dice.chance(0.65);
            let country = if abroad { dice.weighted(nearness(person.country)) } else { person.country };
            let city = dice.below(CITIES);
            Some(Trip {
                country,
                city,
                number: dice.number(),
                is_flying: day == first || day == last,
                is_holiday: on_holiday,
            })
        })
    }

    fn visit<'a>(
        &self,
        person: &'a Person,
        day: u32,
        hour: f64,
        trip: Option<&Trip>,
        dice: &mut Dice,
    ) -> Option<Visit<'a>> {
        // The first is the one they use most; what cannot be carried stays at home.
        let use_of = |(rank, device): (usize, &Device)| {
            if trip.is_some() && !device.is_portable() { 0.0 } else { 1.0 / (1.0 + 2.0 * rank as f64) }
        };
        let number = dice.weighted(person.devices.iter().enumerate().map(use_of));
        let device = person.devices.get(number)?;
        let (from, trap) = self.from(person, device, day, hour, trip, dice);
        let mut agent = device.agent(f64::from(day), self.traps.updated(day));
        if trap == Some("kiosk") {
            agent = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 \
                     Safari/537.36"
                .to_owned();
        }
        let updates = self.traps.update.contains(&day).then_some("browser-update");
        Some(Visit {
            person,
            device,
            number: number as u8,
            from,
            agent,
            target: self.target(person, dice),
            trap: trap.or(updates),
            day,
            is_away: trip.is_some(),
        })
    }

    fn target(&self, person: &Person, dice: &mut Dice) -> String {
        if self.shape.people == People::Employees {
            let rank = dice.weighted((0..10).map(|rank| 1.0 / (1.0 + f64::from(rank))));
            return format!("service-{:02}", (person.department * 3 + rank) % EMPLOYEE_SERVICES);
        }
        let usual = (person.number % 3) as usize;
        let service = if dice.chance(0.85) { usual } else { dice.below(CUSTOMER_SERVICES.len()) };
        CUSTOMER_SERVICES.get(service).copied().unwrap_or("web").to_owned()
    }

    /// Where a device of a user is on the net at an hour of a day.
    fn from(
        &self,
        person: &Person,
        device: &Device,
        day: u32,
        hour: f64,
        trip: Option<&Trip>,
        dice: &mut Dice,
    ) -> (From, Option<&'static str>) {
        let (shape, plan, traps) = (self.shape, self.plan, self.traps);
        let at = f64::from(day) + hour / 24.0;
        if person.is_bot {
            return (person.home.from(shape, plan, at, dice, device.number), None);
        }
        if trip.is_some_and(|trip| trip.is_flying && dice.chance(0.2))
            || (traps.flight.contains(&day) && dice.chance(0.04))
        {
            let net = plan.choose(dice, person.country, risk::Network::Carriage);
            return (person::guest_of(plan, dice, net), Some("flight"));
        }
        if let Some(trip) = trip {
            return self.abroad(person, device, day, trip, dice);
        }
        if traps.kiosk.contains(&day) && dice.chance(0.04) {
            let mut shared = Dice::of(
                shape.seed,
                Of::Traps,
                u64::from(day),
                (person.country * CITIES + person.city) as u64,
            );
            return (person::guest(plan, &mut shared, person.country, person.city), Some("kiosk"));
        }
        if let Some((net, often)) = person.vpn
            && dice.chance(often)
        {
            return (person::guest_of(plan, dice, net), None);
        }
        let weekday = (day % 7) < 5;
        let working = weekday && (8.5..17.5).contains(&hour);
        if let Some(work) = person.work.filter(|_| working && dice.chance(0.75)) {
            if let Some((_, net)) = traps.vpn(day).filter(|_| person.number.is_multiple_of(4)) {
                return (person::concentrator(plan, dice, net, person.number), Some("vpn-roll-out"));
            }
            if !device.is_phone() || dice.chance(0.4) {
                return (work.from(shape, plan, at, dice, device.number), None);
            }
        }
        if device.is_phone() && dice.chance(if working { 0.3 } else { 0.2 }) {
            return (person.mobile(shape, plan, day, dice), None);
        }
        if dice.chance(0.01) {
            return (person::guest(plan, dice, person.country, person.city), None);
        }
        if traps.is_behind_few(day, person.home.net) {
            return (person::concentrator(plan, dice, person.home.net, person.number), Some("cgnat"));
        }
        (person.home.from(shape, plan, at, dice, device.number), None)
    }

    /// On a journey: at the hotel, with a card of the country, or through the carrier at home.
    fn abroad(
        &self,
        person: &Person,
        device: &Device,
        day: u32,
        trip: &Trip,
        dice: &mut Dice,
    ) -> (From, Option<&'static str>) {
        if device.is_phone() && dice.chance(0.45) {
            return (person.mobile(self.shape, self.plan, day, dice), Some("roaming"));
        }
        let mut there = Dice::of(self.shape.seed, Of::Trip, trip.number, 1);
        if device.is_phone() && dice.chance(0.25) {
            let net = self.plan.choose(&mut there, trip.country, risk::Network::Mobile);
            return (person::pool(self.plan, dice, net, trip.city), Some("roaming"));
        }
        let trap = trip.is_holiday.then_some("holiday");
        (person::guest(self.plan, &mut there, trip.country, trip.city), trap)
    }

    /// A login that ends well, as most do, with what comes before and after.
    fn login(&self, visit: &Visit, mut at: i64, dice: &mut Dice, out: &mut Vec<Drawn>) {
        if !visit.person.is_bot && dice.chance(0.1) {
            out.push(visit.event(self, at, Act::Logon, Outcome::Failure(Why::UnknownUser)).misspelt(dice));
            at += 2000 + dice.wait(6000.0) as i64;
        }
        let forgot = dice.chance(0.012);
        let mistakes = if forgot {
            3 + dice.below(4)
        } else if dice.chance(0.09) {
            1 + dice.below(2)
        } else {
            0
        };
        for _ in 0..if visit.person.is_bot { 0 } else { mistakes } {
            out.push(visit.event(self, at, Act::Logon, Outcome::Failure(Why::Password)));
            at += 1500 + dice.wait(8000.0) as i64;
        }
        if forgot && dice.chance(0.8) {
            out.push(visit.event(self, at, Act::PasswordChange, Outcome::Success));
            at += 5000 + dice.wait(20_000.0) as i64;
        } else if forgot {
            return;
        }
        let asks = visit.person.has_factor && dice.chance(0.6);
        if asks {
            if dice.chance(0.04) {
                out.push(visit.event(self, at, Act::Prompt, Outcome::Failure(Why::Factor)));
                at += 15_000 + dice.wait(20_000.0) as i64;
            }
            out.push(visit.event(self, at, Act::Prompt, Outcome::Success));
            at += 3000 + dice.wait(4000.0) as i64;
        }
        let session = format!("{:016x}", dice.number());
        let mut success = visit.event(self, at, Act::Logon, Outcome::Success);
        success.login.is_mfa = asks;
        success.login.session = Some(session.clone().into());
        if dice.chance(0.041) {
            success.login.rtt_ms = Some((8.0 + dice.wait(25.0)) as f32);
        }
        out.push(success);
        self.afterwards(visit, at, &session, dice, out);
    }

    fn afterwards(&self, visit: &Visit, at: i64, session: &str, dice: &mut Dice, out: &mut Vec<Drawn>) {
        if dice.chance(0.003) {
            let then = at + 60_000 + dice.wait(600_000.0) as i64;
            out.push(visit.event(self, then, Act::PasswordChange, Outcome::Success));
        }
        if dice.chance(if visit.person.has_factor { 0.003 } else { 0.001 }) {
            let then = at + 60_000 + dice.wait(600_000.0) as i64;
            out.push(visit.event(self, then, Act::FactorChange, Outcome::Success));
        }
        let mut then = at;
        let mut way = Dice::of(self.shape.seed, Of::Session, visit.person.number, at as u64);
        let mut last = visit.event(self, at, Act::Reuse, Outcome::Success);
        last.login.session = Some(session.to_owned().into());
        let trip = self.trip(visit.person, visit.day).map(|trip| trip.number);
        let mut held = Held { last, began: at, trip };
        for _ in 0..if visit.person.is_bot { 0 } else { dice.count(0.5) } {
            then += dice.wait(2.0 * HOUR_MS) as i64;
            self.again(visit, then, &mut held, &mut way);
            let mut again = held.last.clone();
            // A phone leaves the Wi-Fi and keeps its session.
            if visit.device.is_phone() && !visit.is_away && dice.chance(0.3) {
                let mobile = visit.person.mobile(self.shape, self.plan, visit.day, dice);
                (again.login.ip, again.login.place) = (Some(mobile.ip), mobile.place);
            }
            out.push(again);
        }
        if dice.chance(0.1) {
            let mut end = visit.event(self, then + dice.wait(HOUR_MS) as i64, Act::Logoff, Outcome::Success);
            end.login.session = Some(session.to_owned().into());
            out.push(end);
        } else if !visit.person.is_bot && way.chance(LASTING) {
            for _ in 0..1 + way.count(1.0) {
                then += way.wait(30.0 * HOUR_MS) as i64;
                self.again(visit, then, &mut held, &mut way);
                out.push(held.last.clone());
            }
        }
    }

    /// A session is used again: where the device that holds it is by then, and with what its browser has become.
    fn again(&self, visit: &Visit, then: i64, held: &mut Held, way: &mut Dice) {
        let idle_ms = then - held.last.login.time_ms;
        held.last.login.time_ms = then;
        let stays = (-((then - held.began) as f64) / (3.0 * HOUR_MS)).exp();
        if visit.trap == Some("kiosk") || way.chance(stays) {
            return;
        }
        let (person, device) = (visit.person, visit.device);
        let since = then - self.shape.start_ms;
        let day = u32::try_from(since.div_euclid(DAY_MS)).unwrap_or(0);
        let hour = (since.rem_euclid(DAY_MS) as f64 / HOUR_MS + person.zone).rem_euclid(24.0);
        let trip = self.trip(person, day).filter(|_| device.is_portable());
        let on_trip = trip.as_ref().map(|trip| trip.number);
        // Nobody is seen on the way there, nor on the way back.
        if on_trip != held.trip && idle_ms < JOURNEY_MS {
            return;
        }
        let (mut from, mut trap) = self.from(person, device, day, hour, trip.as_ref(), way);
        if way.chance(TRIES_A_VPN) {
            let net = self.plan.choose(way, person.country, risk::Network::Anonymous);
            (from, trap) = (person::guest_of(self.plan, way, net), None);
        }
        if trap == Some("kiosk") {
            return;
        }
        held.trip = on_trip;
        let again = &mut held.last;
        (again.login.ip, again.login.place, again.net) = (Some(from.ip), from.place, from.net);
        again.login.agent = Some(device.agent(f64::from(day), self.traps.updated(day)).into());
        again.trap = trap;
    }
}

impl Visit<'_> {
    fn event(&self, days: &Days, at: i64, act: Act, outcome: Outcome) -> Drawn {
        let mut login = Login::new(at, Person::name(self.person.number), act, outcome);
        login.ip = Some(self.from.ip);
        login.place = self.from.place;
        login.agent = Some(self.agent.clone().into());
        login.target = Some(self.target.clone().into());
        if days.shape.people == People::Employees {
            login.group = DEPARTMENTS.get(self.person.department).map(|name| (*name).into());
            if self.trap != Some("kiosk") {
                login.host = Some(
                    format!(
                        "{}-{:05}",
                        if self.device.is_phone() { "PH" } else { "PC" },
                        self.device.number % 100_000
                    )
                    .into(),
                );
            }
        }
        Drawn {
            login,
            label: Label::LEGITIMATE,
            trap: self.trap,
            net: self.from.net,
            device: self.number,
            user: self.person.number,
        }
    }

    /// Tries while the service is away, until it is back.
    fn turned_away(&self, mut at: i64, until: i64, dice: &mut Dice, out: &mut Vec<Drawn>) -> i64 {
        for _ in 0..6 {
            if at >= until {
                break;
            }
            let mut login =
                Login::new(at, Person::name(self.person.number), Act::Logon, Outcome::Failure(Why::Other));
            login.ip = Some(self.from.ip);
            login.place = self.from.place;
            login.agent = Some(self.agent.clone().into());
            login.target = Some(self.target.clone().into());
            out.push(Drawn {
                login,
                label: Label::LEGITIMATE,
                trap: Some("outage"),
                net: self.from.net,
                device: self.number,
                user: self.person.number,
            });
            at += 20_000 + dice.wait(180_000.0) as i64;
        }
        at.max(until + dice.wait(120_000.0) as i64)
    }
}

/// Where people go: near more than far, and to big countries more than to small ones.
fn nearness(home: usize) -> impl Iterator<Item = f64> + Clone {
    use super::countries::COUNTRIES;
    let from = COUNTRIES.get(home).map_or((0.0, 0.0), |country| (country.latitude, country.longitude));
    COUNTRIES.iter().enumerate().map(move |(at, country)| {
        let far = (country.latitude - from.0).hypot(country.longitude - from.1);
        if at == home { 0.0 } else { country.weight.sqrt() / f64::from(4.0 + far).powf(1.5) }
    })
}
