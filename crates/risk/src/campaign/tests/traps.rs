//! What looks like an attack and is none. Not here: attacks (`scenarios`), what comes of them (`tests`).

use super::scenarios::{SECOND_MS, day};
use super::world::*;
use crate::campaign::count::{DAY_MS, HOUR_MS};
use crate::event::{Act, Network};
use crate::judgement::Kind;

/// What looks like an attack.
pub type Trap = (&'static str, fn(&mut World));

pub const TRAPS: &[Trap] = &[
    ("ordinary days", |_| {}),
    ("everybody on one carrier's gateway", |w| {
        for person in 0..w.people {
            let time_ms = w.hour_of(QUIET_DAYS);
            w.login(
                time_ms,
                person,
                Spot { ip: 0x6500_0001, asn: 204, network: Network::Mobile, ..w.home(person) },
            );
        }
    }),
    ("Monday morning behind one address", |w| office(w, 0x5c00_0001, 0.25, 0.0)),
    ("password-expiry day", |w| office(w, 0x5c00_0001, 0.7, 0.05)),
    ("a new VPN for everybody", |w| {
        for person in 0..800 {
            let time_ms = day() + w.dice.below(3_600_000) as i64;
            w.login(
                time_ms,
                person,
                Spot { ip: 0x2e00_0001, asn: 960, network: Network::Anonymous, ..w.home(person) },
            );
        }
    }),
    ("an outage: all logins fail", |w| outage(w, 1.0)),
    ("half an outage", |w| outage(w, 0.5)),
    ("a client with an old password", |w| {
        for number in 0..2000 {
            w.push(day() + number * 30 * SECOND_MS, &World::name(20), w.home(20), WRONG);
        }
    }),
    ("a phone with an old password, on the way", |w| {
        for number in 0..300 {
            let spot = w.phone(21);
            w.push(day() + number * 300 * SECOND_MS, &World::name(21), spot, WRONG);
        }
    }),
    ("a mail program with an old password, at home", |w| {
        stale(w, 23, |w, _| Spot { agent: 60, ..w.home(23) }, 10)
    }),
    ("the same, in no rhythm", |w| stale(w, 23, |w, _| Spot { agent: 60, ..w.home(23) }, 250)),
    ("the same, whose provider gives another address each day", |w| {
        stale(w, 24, |w, number| Spot { agent: 60, ip: 0x5f00_0000 + number / 288, ..w.home(24) }, 10);
    }),
    ("the same, and its owner is on the way", |w| {
        stale(w, 25, |w, _| Spot { agent: 60, ..w.home(25) }, 10);
        for number in 0..6 {
            let (at, spot) = (day() + number * 11 * HOUR_MS, w.away(25));
            w.push(at, &World::name(25), spot, WRONG);
            w.push(at + 9 * SECOND_MS, &World::name(25), spot, OK);
        }
    }),
    ("one who mistypes five times, abroad", |w| {
        let spot = w.away(22);
        for number in 0..5 {
            w.push(day() + number * 9 * SECOND_MS, &World::name(22), spot, WRONG);
        }
        w.push(day() + 60 * SECOND_MS, &World::name(22), spot, OK);
    }),
    ("a kiosk", |w| {
        let kiosk = Spot { ip: 0x5d00_0001, asn: 101, agent: 40, ..w.home(0) };
        for number in 0..300 {
            let person = w.dice.below(w.people);
            w.login(day() + number * 60 * SECOND_MS, person, kiosk);
        }
    }),
    ("in the air", |w| {
        for flight in 0..10 {
            let spot = Spot {
                ip: 0x5e00_0001,
                asn: 970,
                network: Network::Carriage,
                country: *b"US",
                point: (39.0, -77.0),
                ..w.home(0)
            };
            for person in 0..25 {
                let at = day() + flight * HOUR_MS / 2 + w.dice.below(1_000_000) as i64;
                let person = person + flight as u64 * 25;
                w.login(at, person, Spot { agent: w.home(person).agent, ..spot });
                let name = World::name(person);
                for (after, spot) in
                    [(-HOUR_MS, w.home(person)), (1, Spot { agent: w.home(person).agent, ..spot })]
                {
                    let login = w.push(at + after, &name, spot, OK);
                    (login.act, login.session) = (Act::Reuse, Some("air".into()));
                }
            }
        }
    }),
    ("phones that change between networks", |w| {
        for person in 0..300 {
            let name = World::name(person);
            for number in 0..12 {
                let phone = w.phone(person);
                let spot =
                    if number % 2 == 0 { Spot { agent: phone.agent, ..w.home(person) } } else { phone };
                let login = w.push(day() + number * 120 * SECOND_MS, &name, spot, OK);
                (login.act, login.session) = (Act::Reuse, Some("roam".into()));
            }
        }
    }),
    ("a phone forgotten at home: three prompts", |w| {
        for person in 0..50 {
            let (home, away) = (w.home(person), w.away(person));
            for (number, spot) in [home, home, home, away, away].into_iter().enumerate() {
                let at = day() + number as i64 * 7_000 * SECOND_MS;
                w.push(at, &World::name(person), spot, DENIED).act = Act::Prompt;
            }
        }
    }),
    ("three wrong codes in a minute, abroad, then in", |w| {
        for person in 0..50 {
            let (spot, name) = (w.away(person), World::name(person));
            for number in 0..3 {
                w.push(day() + number * 20 * SECOND_MS, &name, spot, DENIED);
            }
            w.push(day() + 70 * SECOND_MS, &name, spot, OK).is_mfa = true;
        }
    }),
    ("four prompts, written twice each, some the other way round", |w| {
        for person in 0..50 {
            let (spot, name) = (w.away(person), World::name(person));
            for number in 0..4 {
                let at = day() + number * 40 * SECOND_MS;
                w.push(at + 300, &name, spot, DENIED).act = Act::Prompt;
                w.push(at + [0, 300, 10_000, 30_000][number as usize], &name, spot, DENIED);
            }
        }
    }),
    ("a new phone, a forgotten password", |w| {
        for person in 0..60 {
            let new = Spot { agent: 50, ..w.home(person) };
            let name = World::name(person);
            w.push(day(), &name, w.home(person), WRONG);
            w.push(day() + 60 * SECOND_MS, &name, w.home(person), OK).act = Act::PasswordChange;
            w.push(day() + 90 * SECOND_MS, &name, new, OK);
            w.push(day() + 120 * SECOND_MS, &name, new, OK).act = Act::FactorChange;
        }
    }),
    ("a VPN that comes and goes", |w| {
        for person in 0..100 {
            let (home, name) = (w.home(person), World::name(person));
            let vpn = Spot {
                ip: 0x2f00_0000 + person as u32,
                asn: 965,
                network: Network::Hosting,
                country: *b"SE",
                point: (59.3, 18.1),
                ..home
            };
            for (number, spot) in [home, home, vpn, home, vpn, home].into_iter().enumerate() {
                let login = w.push(day() + number as i64 * 1500 * SECOND_MS, &name, spot, OK);
                (login.act, login.session) = (Act::Reuse, Some("vpn".into()));
            }
        }
    }),
    ("somebody who takes their account back, on the way", |w| {
        for person in 0..30 {
            let (thief, name) = (Spot { agent: 33, ..w.rented(person, 932) }, World::name(person));
            w.push(day(), &name, thief, OK).label = Some(Kind::Takeover);
            let owner = w.away(person);
            w.push(day() + HOUR_MS, &name, owner, OK).act = Act::PasswordChange;
        }
    }),
    ("one who forgot the password: nine tries, then a new one", |w| {
        for person in 0..30 {
            let (away, name) = (w.away(person), World::name(person));
            for number in 0..9 {
                w.push(day() + number * 9 * SECOND_MS, &name, away, WRONG);
            }
            w.push(day() + 120 * SECOND_MS, &name, away, OK).act = Act::PasswordChange;
            w.push(day() + 140 * SECOND_MS, &name, away, OK);
        }
    }),
    ("users who are new: a second login from elsewhere, then a factor", |w| {
        for person in 0..30 {
            let name = format!("new{person}");
            w.push(day(), &name, w.home(person), OK);
            let second = Spot { agent: 51, ..w.away(person) };
            w.push(day() + HOUR_MS, &name, second, OK);
            w.push(day() + HOUR_MS + 300 * SECOND_MS, &name, second, OK).act = Act::FactorChange;
        }
    }),
];

/// What repeats an old password for three days, every five minutes give or take so many seconds.
fn stale(world: &mut World, person: u64, spot: fn(&World, u32) -> Spot, jitter_s: u64) {
    for number in 0..860 {
        let jitter_ms = world.dice.below(2_000 * jitter_s) as i64 - 1_000 * jitter_s as i64;
        let at = day() + i64::from(number) * 300 * SECOND_MS + jitter_ms;
        let spot = spot(world, number);
        world.push(at, &World::name(person), spot, WRONG);
    }
}

/// Four hundred people at work come within an hour; a share of them fails first, a part of those gives up.
fn office(world: &mut World, ip: u32, fail: f64, give_up: f64) {
    for workday in -2..1 {
        let (fail, give_up) = if workday == 0 { (fail, give_up) } else { (0.08, 0.01) };
        for person in 0..400 {
            let spot = Spot { ip, asn: 102, ..world.home(person) };
            let at = day() + workday * DAY_MS + world.dice.below(3_600_000) as i64;
            if world.dice.chance(fail) {
                world.push(at, &World::name(person), spot, WRONG);
                world.push(at + 20 * SECOND_MS, &World::name(person), spot, WRONG);
                if world.dice.chance(give_up) {
                    continue;
                }
            }
            world.push(at + 180 * SECOND_MS, &World::name(person), spot, OK);
        }
    }
}

/// For two hours logins fail, of this share.
fn outage(world: &mut World, share: f64) {
    for number in 0..3000 {
        let person = world.dice.below(world.people);
        let spot = if world.dice.chance(0.3) { world.phone(person) } else { world.home(person) };
        let at = day() + number * 7_200 * SECOND_MS / 3000;
        if world.dice.chance(share) {
            for again in 0..3 {
                world.push(at + again * 40 * SECOND_MS, &World::name(person), spot, WRONG);
            }
        } else {
            world.login(at, person, spot);
        }
    }
}
