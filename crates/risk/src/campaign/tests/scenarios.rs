//! Attacks. Not here: what looks like one and is none (`traps`), what comes of them (`tests`).

use super::world::*;
use crate::campaign::count::{DAY_MS, HOUR_MS};
use crate::event::{Act, Outcome};
use crate::judgement::Kind;

/// The morning of the day of the scenario.
pub fn day() -> i64 {
    START_MS + QUIET_DAYS * DAY_MS + 9 * HOUR_MS
}

pub const SECOND_MS: i64 = 1_000;

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
        "an old password every five minutes, of whom nobody knows there",
        |w| {
            let s = homes(w, 1);
            w.tries(17, 800, 300 * SECOND_MS, &s);
        },
        Kind::BruteForce,
        40,
    ),
    (
        "brute force from the next desk",
        |w| {
            let s = [Spot { agent: 61, ..w.home(18) }];
            w.tries(18, 100, 4 * SECOND_MS, &s);
        },
        Kind::BruteForce,
        25,
    ),
    (
        "brute force from the same provider",
        |w| {
            let s = [Spot { agent: 61, ip: 0x5f01_0000, ..w.home(19) }];
            w.tries(19, 100, 20 * SECOND_MS, &s);
        },
        Kind::BruteForce,
        25,
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
    ("denials, 2 s apart", |w| denials(w, 40, 2), Kind::MfaFatigue, 6),
    ("denials, 5 s apart", |w| denials(w, 40, 5), Kind::MfaFatigue, 6),
    ("denials, 10 s apart", |w| denials(w, 40, 10), Kind::MfaFatigue, 6),
    ("denials, 15 s apart", |w| denials(w, 40, 15), Kind::MfaFatigue, 6),
    ("denials, 20 s apart", |w| denials(w, 40, 20), Kind::MfaFatigue, 6),
    ("denials, 30 s apart", |w| denials(w, 40, 30), Kind::MfaFatigue, 6),
    ("denials, 60 s apart", |w| denials(w, 40, 60), Kind::MfaFatigue, 6),
    ("denials, 90 s apart", |w| denials(w, 40, 90), Kind::MfaFatigue, 6),
    ("denials, five in ten minutes", |w| denials(w, 5, 150), Kind::MfaFatigue, 5),
    ("prompts and the logins refused for them, 2 s apart", |w| both(w, 16, 20, 2), Kind::MfaFatigue, 12),
    ("prompts and the logins refused for them, 30 s apart", |w| both(w, 16, 20, 30), Kind::MfaFatigue, 12),
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
        "takeover: a strange login, then a new factor in its session, from where is not said",
        |w| quiet_change(w, Some("entry")),
        Kind::Takeover,
        2,
    ),
    (
        "takeover: a strange login, then a new factor, by whom is not said",
        |w| quiet_change(w, None),
        Kind::Takeover,
        2,
    ),
    (
        "brute force: a try a minute, to the second, from the owner's network",
        |w| {
            let spot = Spot { ip: 0x5f10_0000, agent: 60, ..w.home(26) };
            for number in 0..1_440 {
                w.bad(day() + number * 60 * SECOND_MS, &World::name(26), spot, WRONG, Kind::BruteForce);
            }
        },
        Kind::BruteForce,
        1_400,
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

/// A login from elsewhere, then a change of which nothing is told but the user and, it may be, the session.
fn quiet_change(w: &mut World, session: Option<&str>) {
    let spot = Spot { agent: 33, ..w.rented(15, 931) };
    w.bad(day(), &World::name(15), spot, OK, Kind::Takeover);
    w.logins.last_mut().unwrap().session = session.map(str::to_owned);
    let change = w.push(day() + 600 * SECOND_MS, &World::name(15), spot, OK);
    (change.act, change.spot, change.label) = (Act::FactorChange, None, Some(Kind::Takeover));
    change.session = session.map(str::to_owned);
}

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

/// Logins refused for their factor, of which no prompts are written.
fn denials(world: &mut World, count: i64, every_s: i64) {
    let spot = world.rented(16, 951);
    for number in 0..count {
        let at = day() + number * every_s * SECOND_MS;
        world.bad(at, &World::name(16), spot, DENIED, Kind::MfaFatigue);
    }
}

/// Prompts, and for each a login that is refused for it, by a source that writes both.
fn both(world: &mut World, person: u64, count: i64, every_s: i64) {
    let spot = world.rented(person, 952);
    for number in 0..count {
        let at = day() + number * every_s * SECOND_MS;
        for (after_ms, act) in [(0, Act::Prompt), (1_500, Act::Logon)] {
            let login = world.push(at + after_ms, &World::name(person), spot, DENIED);
            (login.act, login.label) = (act, Some(Kind::MfaFatigue));
        }
    }
}
