//! Attacks, and what looks like one and is none. Not here: what comes of them (`tests`).

use super::world::*;
use crate::campaign::count::{DAY_MS, HOUR_MS};
use crate::event::{Act, Network, Outcome};
use crate::judgement::Kind;

/// The morning of the day of the scenario.
pub fn day() -> i64 {
    START_MS + QUIET_DAYS * DAY_MS + 9 * HOUR_MS
}

const SECOND_MS: i64 = 1_000;

impl World {
    fn bad(&mut self, time_ms: i64, user: &str, spot: Spot, outcome: Outcome, kind: Kind) {
        self.push(time_ms, user, spot, outcome).label = Some(kind);
    }

    /// Guesses at so many users, from sources in turn; so many in a thousand succeed, and so many are of nobody.
    fn guesses(&mut self, kind: Kind, users: u64, every_ms: i64, per_mille: (u64, u64), sources: &[Spot]) {
        for number in 0..users {
            let person = self.dice.below(self.people);
            let (hits, unknown) = per_mille;
            let spot = sources[number as usize % sources.len()];
            let time_ms = day() + number as i64 * every_ms + self.dice.below(every_ms as u64) as i64 / 2;
            match self.dice.below(1000) {
                roll if roll < hits => self.bad(time_ms, &Self::name(person), spot, OK, kind),
                roll if roll < hits + unknown => {
                    self.bad(time_ms, &format!("pair{}", self.dice.0), spot, NOBODY, kind);
                }
                _ => self.bad(time_ms, &Self::name(person), spot, WRONG, kind),
            }
        }
    }

    fn tries(&mut self, person: u64, count: i64, every_ms: i64, sources: &[Spot]) {
        for number in 0..count {
            let spot = sources[number as usize % sources.len()];
            self.bad(day() + number * every_ms, &Self::name(person), spot, WRONG, Kind::BruteForce);
        }
    }
}

/// So many rented machines of as many networks as are named.
fn rented(world: &World, count: u64, asns: &[u32]) -> Vec<Spot> {
    (0..count).map(|number| world.rented(number, asns[number as usize % asns.len()])).collect()
}

/// So many machines in homes all over the world, with everybody's agents.
fn homes(world: &mut World, count: u64) -> Vec<Spot> {
    (0..count).map(|number| Spot { agent: number as u32 % 12, ..world.away(number) }).collect()
}

/// An attack: its name, how it is made, what it is, and after how many of its events it is to be found.
pub type Attack = (&'static str, fn(&mut World), Kind, usize);

pub const ATTACKS: &[Attack] = &[
    (
        "spray, one source, fast",
        |w| {
            let s = rented(w, 1, &[900]);
            w.guesses(Kind::Spray, 200, SECOND_MS, (10, 20), &s)
        },
        Kind::Spray,
        15,
    ),
    (
        "spray, one source, slow",
        |w| {
            let s = rented(w, 1, &[900]);
            w.guesses(Kind::Spray, 120, 20 * 60 * SECOND_MS, (10, 20), &s)
        },
        Kind::Spray,
        20,
    ),
    (
        "spray, one source at a home",
        |w| {
            let s = vec![w.away(3)];
            w.guesses(Kind::Spray, 60, 30 * SECOND_MS, (10, 0), &s)
        },
        Kind::Spray,
        20,
    ),
    (
        "spray, one network",
        |w| {
            let s = (0..60).map(|n| Spot { ip: 0x2d01_0200 + n, ..w.rented(0, 901) }).collect::<Vec<_>>();
            w.guesses(Kind::Spray, 240, 60 * SECOND_MS, (10, 0), &s)
        },
        Kind::Spray,
        40,
    ),
    (
        "spray, rotating addresses of one provider",
        |w| {
            let s = rented(w, 300, &[902]);
            w.guesses(Kind::Spray, 600, 120 * SECOND_MS, (5, 0), &s)
        },
        Kind::Spray,
        60,
    ),
    (
        "spray, low and slow, rented, over days",
        |w| {
            let s = rented(w, 200, &[903, 904, 905, 906, 907, 908]);
            w.guesses(Kind::Spray, 600, 7 * 60 * SECOND_MS, (5, 0), &s)
        },
        Kind::Spray,
        200,
    ),
    (
        "spray, low and slow, homes, over days",
        |w| {
            let s = homes(w, 300);
            w.guesses(Kind::Spray, 900, 5 * 60 * SECOND_MS, (5, 0), &s)
        },
        Kind::Spray,
        500,
    ),
    (
        "spray behind a carrier's gateway",
        |w| {
            let s = vec![w.phone(4)];
            w.guesses(Kind::Spray, 300, 5 * SECOND_MS, (5, 0), &s)
        },
        Kind::Spray,
        60,
    ),
    (
        "stuffing, one source",
        |w| {
            let s = rented(w, 1, &[910]);
            w.guesses(Kind::Stuffing, 500, SECOND_MS, (10, 800), &s)
        },
        Kind::Stuffing,
        60,
    ),
    (
        "stuffing, many sources",
        |w| {
            let s = rented(w, 100, &[911, 912, 913, 914]);
            w.guesses(Kind::Stuffing, 5000, SECOND_MS / 2, (10, 800), &s)
        },
        Kind::Stuffing,
        200,
    ),
    (
        "stuffing, a botnet of homes, one try each",
        |w| {
            let s = homes(w, 3000);
            w.guesses(Kind::Stuffing, 3000, 3 * SECOND_MS, (10, 800), &s)
        },
        Kind::Stuffing,
        300,
    ),
    (
        "enumeration of names",
        |w| {
            let s = rented(w, 1, &[915]);
            w.guesses(Kind::Stuffing, 100, 2 * SECOND_MS, (0, 1000), &s)
        },
        Kind::Stuffing,
        60,
    ),
    (
        "brute force, one source",
        |w| {
            let s = rented(w, 1, &[920]);
            w.tries(5, 300, SECOND_MS, &s)
        },
        Kind::BruteForce,
        12,
    ),
    (
        "brute force, many sources",
        |w| {
            let s = homes(w, 60);
            w.tries(6, 300, 60 * SECOND_MS, &s)
        },
        Kind::BruteForce,
        15,
    ),
    (
        "brute force, slow, over days",
        |w| {
            let s = homes(w, 30);
            w.tries(7, 150, 20 * 60 * SECOND_MS, &s)
        },
        Kind::BruteForce,
        80,
    ),
    (
        "brute force that succeeds",
        |w| {
            let s = rented(w, 1, &[921]);
            w.tries(8, 8, 10 * SECOND_MS, &s);
            w.bad(day() + 90 * SECOND_MS, &World::name(8), s[0], OK, Kind::BruteForce);
        },
        Kind::BruteForce,
        9,
    ),
    (
        "session copied to another agent",
        |w| session(w, 9, |w, at| Spot { agent: 31, ..w.rented(9, at) }),
        Kind::Replay,
        1,
    ),
    (
        "session copied, same agent, far away",
        |w| session(w, 10, |w, at| Spot { asn: at, point: SYDNEY, country: *b"AU", ip: 77, ..w.home(10) }),
        Kind::Replay,
        1,
    ),
    ("prompts until the user gives in", |w| prompts(w, 11, 9, 120 * SECOND_MS, true), Kind::MfaFatigue, 7),
    ("prompts all night", |w| prompts(w, 12, 40, 10 * 60 * SECOND_MS, false), Kind::MfaFatigue, 12),
    ("few prompts, then in", |w| prompts(w, 13, 5, 60 * SECOND_MS, true), Kind::MfaFatigue, 6),
    (
        "session copied, same agent and country, used here and there at once",
        |w| {
            session(w, 11, |w, at| Spot { asn: at, ip: 78, ..w.home(11) });
            let (home, thief) = (w.home(11), Spot { asn: 940, ip: 78, ..w.home(11) });
            for number in 0..6 {
                let spot = if number % 2 == 0 { home } else { thief };
                let login = w.push(day() + (660 + number * 120) * SECOND_MS, &World::name(11), spot, OK);
                (login.act, login.session, login.label) = (Act::Reuse, Some("s".into()), Some(Kind::Replay));
            }
        },
        Kind::Replay,
        7,
    ),
    (
        "takeover: a hit of a spray, then a new password",
        |w| {
            let spot = w.rented(14, 930);
            for person in 100..140 {
                let at = day() + (person as i64 - 100) * 10 * SECOND_MS;
                w.push(at, &World::name(person), spot, WRONG).label = Some(Kind::Spray);
            }
            let at = day() + HOUR_MS;
            w.bad(at, &World::name(14), spot, OK, Kind::Takeover);
            w.push(at + 90 * SECOND_MS, &World::name(14), spot, OK).act = Act::PasswordChange;
            w.logins.last_mut().unwrap().label = Some(Kind::Takeover);
        },
        Kind::Takeover,
        2,
    ),
    (
        "takeover: a strange login, then a new factor",
        |w| {
            let spot = Spot { agent: 33, ..w.rented(15, 931) };
            w.bad(day(), &World::name(15), spot, OK, Kind::Takeover);
            w.push(day() + 600 * SECOND_MS, &World::name(15), spot, OK).act = Act::FactorChange;
            w.logins.last_mut().unwrap().label = Some(Kind::Takeover);
        },
        Kind::Takeover,
        2,
    ),
    (
        "Kerberos spray of a workstation",
        |w| {
            for number in 0..40 {
                let login = w.push(day() + number * 50, &format!("domain{number}"), w.home(0), WRONG);
                (login.spot, login.host, login.target) = (None, Some("WS07".into()), "krbtgt");
                login.label = Some(Kind::Spray);
            }
        },
        Kind::Spray,
        30,
    ),
    (
        "explicit credentials of one host",
        |w| {
            for number in 0..40 {
                let login =
                    w.push(day() + number * 200, &format!("domain{number}"), w.home(0), Outcome::Unknown);
                (login.spot, login.host, login.target) = (None, Some("WS08".into()), "files");
                login.label = Some(Kind::Spray);
            }
        },
        Kind::Spray,
        30,
    ),
    (
        "Kerberos spray of few names at once, of which nothing is known",
        |w| {
            w.logins.clear();
            for number in 0..9 {
                let login = w.push(day() + number * 2, &format!("svc{number}"), w.home(0), NOBODY);
                (login.target, login.label) = ("krbtgt", Some(Kind::Spray));
            }
        },
        Kind::Spray,
        8,
    ),
];

/// A session of a person at home, used for a while, then by somebody else.
fn session(world: &mut World, person: u64, thief: fn(&World, u32) -> Spot) {
    let home = world.home(person);
    let name = World::name(person);
    for use_number in 0..20 {
        let login = world.push(day() + use_number * 60 * SECOND_MS, &name, home, OK);
        login.act = if use_number == 0 { Act::Logon } else { Act::Reuse };
        login.session = Some("s".into());
    }
    let spot = thief(world, 940);
    let login = world.push(day() + 630 * SECOND_MS, &name, spot, OK);
    (login.act, login.session, login.label) = (Act::Reuse, Some("s".into()), Some(Kind::Replay));
}

/// Prompts on a person's phone, by somebody who has the password.
fn prompts(world: &mut World, person: u64, count: i64, every_ms: i64, yields: bool) {
    let spot = world.rented(person, 950);
    for number in 0..count {
        let login = world.push(day() + number * every_ms, &World::name(person), spot, DENIED);
        (login.act, login.label) = (Act::Prompt, Some(Kind::MfaFatigue));
    }
    if yields {
        let login = world.push(day() + count * every_ms, &World::name(person), spot, OK);
        (login.is_mfa, login.label) = (true, Some(Kind::MfaFatigue));
    }
}

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
            w.bad(day(), &name, thief, OK, Kind::Takeover);
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
