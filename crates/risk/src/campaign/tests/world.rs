//! Small streams of logins, made of a seed: people who log in from home, from work and on the way, mistype and forget;
//! and what knows them. Not here: attacks and traps (`scenarios`).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::campaign::count::{DAY_MS, HOUR_MS};
use crate::campaign::{Campaigns, Evidence, Familiarity};
use crate::event::{Act, Event, Network, Outcome, Place, Why};
use crate::judgement::Kind;
use crate::key::{Key, Of};
use crate::seen::Seen;

/// Monday midnight.
pub const START_MS: i64 = 1_770_595_200_000;
/// Days before a scenario begins.
pub const QUIET_DAYS: i64 = 3;

/// Splitmix64.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    pub fn chance(&mut self, share: f64) -> bool {
        (self.roll() >> 11) as f64 / ((1_u64 << 53) as f64) < share
    }
}

/// Where somebody is, and with what.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    pub ip: u32,
    pub asn: u32,
    pub country: [u8; 2],
    pub point: (f32, f32),
    pub network: Network,
    pub agent: u32,
}

pub const DUBLIN: (f32, f32) = (53.35, -6.26);
pub const OSLO: (f32, f32) = (59.91, 10.75);
pub const SYDNEY: (f32, f32) = (-33.87, 151.21);

/// A login, and the attack that it belongs to.
#[derive(Debug, Clone)]
pub struct Login {
    pub time_ms: i64,
    pub act: Act,
    pub outcome: Outcome,
    pub user: String,
    pub spot: Option<Spot>,
    pub host: Option<String>,
    pub target: &'static str,
    pub session: Option<String>,
    pub is_mfa: bool,
    pub label: Option<Kind>,
}

pub const OK: Outcome = Outcome::Success;
pub const WRONG: Outcome = Outcome::Failure(Why::Password);
pub const NOBODY: Outcome = Outcome::Failure(Why::UnknownUser);
pub const DENIED: Outcome = Outcome::Failure(Why::Factor);

/// People and what they do.
pub struct World {
    pub dice: Dice,
    pub logins: Vec<Login>,
    pub people: u64,
}

impl World {
    pub fn new(seed: u64, people: u64) -> Self {
        Self { dice: Dice(seed), logins: Vec::new(), people }
    }

    /// The home of a person: an address of their own, one of 40 providers, one of 12 agents.
    pub fn home(&self, person: u64) -> Spot {
        let own = Dice(person).roll();
        Spot {
            ip: 0x5000_0000 + (own as u32 & 0x0fff_ffff),
            asn: 100 + (own >> 32) as u32 % 40,
            country: if person % 10 < 7 { *b"IE" } else { *b"NO" },
            point: if person % 10 < 7 { DUBLIN } else { OSLO },
            network: Network::Access,
            agent: (own >> 40) as u32 % 12,
        }
    }

    /// The phone of a person: behind one of 16 gateways of three carriers.
    pub fn phone(&mut self, person: u64) -> Spot {
        let gateway = self.dice.below(16) as u32;
        let carrier = 200 + person as u32 % 3;
        Spot {
            ip: 0x6400_0000 + carrier * 0x100 + gateway,
            asn: carrier,
            network: Network::Mobile,
            agent: 20 + person as u32 % 2,
            ..self.home(person)
        }
    }

    /// Somewhere that the person never was.
    pub fn away(&mut self, person: u64) -> Spot {
        let far = self.dice.roll();
        Spot {
            ip: 0x9000_0000 + (far as u32 & 0x0fff_ffff),
            asn: 300 + (far >> 32) as u32 % 200,
            country: [b'A' + (far >> 50) as u8 % 20, b'Z'],
            point: ((far >> 20) as u8 as f32 / 3.0, (far >> 28) as u8 as f32 / 2.0),
            network: Network::Access,
            ..self.home(person)
        }
    }

    /// A machine for rent, by number.
    pub fn rented(&self, number: u64, asn: u32) -> Spot {
        Spot {
            ip: 0x2d00_0000 + (Dice(number).roll() as u32 & 0x00ff_ffff),
            asn,
            country: *b"US",
            point: (40.7, -74.0),
            network: Network::Hosting,
            agent: 3,
        }
    }

    pub fn name(person: u64) -> String {
        format!("user{person}")
    }

    pub fn push(&mut self, time_ms: i64, user: &str, spot: Spot, outcome: Outcome) -> &mut Login {
        self.logins.push(Login {
            time_ms,
            act: Act::Logon,
            outcome,
            user: user.to_owned(),
            spot: Some(spot),
            host: None,
            target: "mail",
            session: None,
            is_mfa: false,
            label: None,
        });
        self.logins.last_mut().unwrap()
    }

    /// A time of this day, mostly in working hours.
    pub fn hour_of(&mut self, day: i64) -> i64 {
        let hours = if self.dice.chance(0.8) { 7 + self.dice.below(11) } else { self.dice.below(24) };
        START_MS + day * DAY_MS + hours as i64 * HOUR_MS + self.dice.below(3_600_000) as i64
    }

    /// One person logs in, as people do: 8 % mistype first, 1.5 % give up.
    pub fn login(&mut self, time_ms: i64, person: u64, spot: Spot) {
        let user = Self::name(person);
        let mut time_ms = time_ms;
        if self.dice.chance(0.015) {
            self.push(time_ms, &user, spot, WRONG);
            return;
        }
        if self.dice.chance(0.005) {
            self.push(time_ms, &format!("{user}x"), spot, NOBODY);
            time_ms += 9_000;
        }
        while self.dice.chance(0.08) {
            self.push(time_ms, &user, spot, WRONG);
            time_ms += 4_000 + self.dice.below(20_000) as i64;
        }
        self.push(time_ms, &user, spot, OK);
    }

    /// Days of ordinary life.
    pub fn live(&mut self, days: std::ops::Range<i64>) {
        for person in 0..self.people {
            let time_ms = self.hour_of(days.start);
            let (home, phone) = (self.home(person), self.phone(person));
            self.push(time_ms, &Self::name(person), home, OK);
            self.push(time_ms, &Self::name(person), phone, OK);
        }
        for day in days {
            for person in 0..self.people {
                for _ in 0..self.dice.below(4) {
                    let time_ms = self.hour_of(day);
                    let spot = match self.dice.below(100) {
                        0..3 => self.away(person),
                        3..25 => self.phone(person),
                        _ => self.home(person),
                    };
                    self.login(time_ms, person, spot);
                }
            }
        }
    }
}

/// What an engine would know of users: from which sources and networks and with what they were let in.
#[derive(Default)]
pub struct Memory(HashMap<String, [HashSet<u32>; 3]>, HashMap<String, (u16, i64)>);

impl Memory {
    pub fn of(&self, login: &Login) -> (Familiarity, Option<u32>) {
        let agent = login.spot.map(|spot| spot.agent);
        let Some([sources, networks, agents]) = self.0.get(&login.user) else {
            return (Familiarity { risk: -3.0, ..Familiarity::default() }, agent);
        };
        let has = |set: &HashSet<u32>, at: Option<u32>| at.is_some_and(|at| set.contains(&at));
        let is_source = has(sources, login.spot.map(|spot| spot.ip));
        let is_network = has(networks, login.spot.map(|spot| spot.asn));
        let is_agent = has(agents, agent);
        let risk = -9.0
            + f64::from(u8::from(!is_source)) * 2.0
            + f64::from(u8::from(!is_network)) * 3.0
            + f64::from(u8::from(!is_agent)) * 3.5;
        let is_agent = agent.map(|_| is_agent);
        let (logins, last_ms) = self.1.get(&login.user).copied().unwrap_or_default();
        let known = Familiarity {
            risk,
            family: None,
            is_user: true,
            is_source,
            is_network,
            is_agent,
            logins,
            last_ms,
        };
        (known, agent)
    }

    pub fn learn(&mut self, login: &Login) {
        if login.act == Act::Logon
            && login.outcome == OK
            && let Some(spot) = login.spot
        {
            let [sources, networks, agents] = self.0.entry(login.user.clone()).or_default();
            sources.insert(spot.ip);
            networks.insert(spot.asn);
            agents.insert(spot.agent);
            let (logins, last_ms) = self.1.entry(login.user.clone()).or_default();
            (*logins, *last_ms) = (*logins + 1, login.time_ms);
        }
    }
}

/// Shows a login to the campaigns.
pub fn observe(campaigns: &mut Campaigns, memory: &mut Memory, login: &Login) -> Evidence {
    let key = Key::new([7; 16]);
    let (mut known, agent) = memory.of(login);
    let agent = agent.map(|agent| format!("agent {agent}"));
    known.family = agent.as_ref().map(|agent| key.tag(Of::Family, agent.as_bytes()));
    let event = Event {
        time_ms: login.time_ms,
        act: login.act,
        outcome: login.outcome,
        user: &login.user,
        ip: login.spot.map(|spot| IpAddr::V4(Ipv4Addr::from(spot.ip))),
        place: login.spot.map_or(Place::default(), |spot| Place {
            country: Some(spot.country),
            asn: Some(spot.asn),
            point: Some(spot.point),
            network: spot.network,
        }),
        agent: agent.as_deref(),
        host: login.host.as_deref(),
        target: Some(login.target),
        session: login.session.as_deref(),
        group: None,
        rtt_ms: None,
        is_mfa: login.is_mfa,
        id: None,
    };
    let evidence = campaigns.observe(&Seen::new(&key, &event), &known);
    memory.learn(login);
    evidence
}
