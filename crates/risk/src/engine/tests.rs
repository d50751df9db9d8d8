//! Scenarios: a history of logins is written, and of the next login the action, and the first reason where something is
//! done, are as expected. They are to hold with any sensible weights. Properties are in `properties`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::event::{Network, Place, Why};

mod properties;

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
/// A Monday, nine o'clock.
const START: i64 = 19_723 * DAY + 9 * HOUR;

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36";
const CHROME_NEXT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1";
const PIXEL: &str = "Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36";
const PYTHON: &str = "python-requests/2.31.0";

/// A network: country, system, kind, where, and the first two bytes of its addresses.
type Net = (&'static [u8; 2], u32, Network, (f32, f32), [u8; 2]);
const HOME: Net = (b"IE", 5_466, Network::Access, (53.3, -6.3), [87, 32]);
const NEIGHBOUR: Net = (b"IE", 6_830, Network::Access, (51.9, -8.5), [89, 100]);
const PHONE: Net = (b"IE", 15_502, Network::Mobile, (53.3, -6.3), [31, 40]);
const SPAIN: Net = (b"ES", 3_352, Network::Access, (40.4, -3.7), [83, 50]);
const AMERICA: Net = (b"US", 7_922, Network::Access, (40.7, -74.0), [69, 40]);
const RENTED: Net = (b"NL", 14_061, Network::Hosting, (52.3, 4.9), [159, 65]);
const GATEWAY: Net = (b"DE", 24_940, Network::Anonymous, (50.1, 8.7), [78, 46]);
const PLANE: Net = (b"GB", 31_515, Network::Carriage, (51.5, -0.1), [82, 150]);

/// What a login differs by from one at home with the usual browser, a day after the one before.
#[derive(Debug, Clone, Copy)]
enum But {
    /// So much after the one before.
    After(i64),
    /// From another network: its addresses' last two bytes.
    From(Net, u8, u8),
    /// From an address of IPv6 at home.
    From6(u128),
    With(&'static str),
    To(&'static str),
    In(&'static str),
    On(&'static str),
    Rtt(f32),
    Mfa,
    Fails,
    /// With neither address nor user agent nor target.
    Bare,
}
use But::*;

/// So many logins of somebody, or of so many people one each.
#[derive(Debug, Clone, Copy)]
enum Step {
    Own(u32, &'static [But]),
    /// Each from an address of its own.
    Moving(u32, &'static [But]),
    Others(u32, &'static [But]),
}
use Step::*;

/// With small tables, as they are written often.
fn settings() -> Settings {
    let campaign = crate::campaign::Settings {
        sources: 1_024,
        networks: 256,
        cohorts: 256,
        targets: 64,
        pairs: 1_024,
        users: 1_024,
        sessions: 64,
        campaigns: 64,
        ..Default::default()
    };
    Settings { campaign, ..Settings::default() }
}

struct World {
    engine: Engine,
    now: i64,
    others: u32,
}

impl World {
    /// One in which some hundreds of others log in from everywhere at all hours.
    fn new(settings: Settings) -> Self {
        let engine = Engine::new(Key::new([9; 16]), Weights::shipped(), settings);
        let mut world = Self { engine, now: START - 30 * DAY, others: 0 };
        let nets = [HOME, HOME, NEIGHBOUR, PHONE, PHONE, SPAIN, AMERICA, AMERICA];
        let agents = [CHROME, CHROME, IPHONE, PIXEL, FIREFOX];
        for user in 0..600u32 {
            let (net, agent) = (nets[user as usize % nets.len()], agents[user as usize % agents.len()]);
            let place = [(user / 8 % 60 + 100) as u8, (user % 250) as u8];
            let but = [From(net, place[0], place[1]), With(agent), After(HOUR + HOUR / 5)];
            world.login(&format!("user{user}"), &but);
        }
        world.now = START - DAY;
        world
    }

    fn login(&mut self, user: &str, but: &[But]) -> Judgement {
        let event = self.event(user, but);
        self.now = event.time_ms;
        self.engine.judge(&event)
    }

    fn event<'a>(&self, user: &'a str, but: &[But]) -> Event<'a> {
        let mut event = Event {
            time_ms: self.now + DAY,
            act: Act::Logon,
            outcome: Outcome::Success,
            user,
            ip: None,
            place: Place::default(),
            agent: Some(CHROME),
            host: None,
            target: Some("mail"),
            session: None,
            group: None,
            rtt_ms: None,
            is_mfa: false,
            id: None,
        };
        for but in [From(HOME, 1, 10)].iter().chain(but) {
            match *but {
                After(ms) => event.time_ms = self.now + ms,
                From((country, asn, network, point, [a, b]), c, d) => {
                    event.ip = Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)));
                    event.place =
                        Place { country: Some(*country), asn: Some(asn), point: Some(point), network };
                }
                From6(bits) => event.ip = Some(IpAddr::V6(Ipv6Addr::from_bits(bits))),
                With(agent) => event.agent = Some(agent),
                To(target) => event.target = Some(target),
                In(group) => event.group = Some(group),
                On(host) => event.host = Some(host),
                Rtt(ms) => event.rtt_ms = Some(ms),
                Mfa => event.is_mfa = true,
                Fails => event.outcome = Outcome::Failure(Why::Password),
                Bare => {
                    event.ip = None;
                    event.place = Place::default();
                    (event.agent, event.target) = (None, None);
                }
            }
        }
        event
    }

    fn step(&mut self, step: &Step) {
        match step {
            Own(times, but) => (0..*times).for_each(|_| drop(self.login("ann", but))),
            Moving(times, but) => {
                for at in 0..*times {
                    let mut event = self.event("ann", but);
                    self.now = event.time_ms;
                    event.ip = match event.ip {
                        Some(IpAddr::V4(ip)) => {
                            let [a, b, ..] = ip.octets();
                            Some(IpAddr::V4(Ipv4Addr::new(a, b, (at * 7 % 60) as u8, (at * 31 % 250) as u8)))
                        }
                        Some(IpAddr::V6(ip)) => {
                            Some(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() + (u128::from(at + 1) << 64))))
                        }
                        None => None,
                    };
                    self.engine.judge(&event);
                }
            }
            Others(times, but) => {
                for _ in 0..*times {
                    self.others += 1;
                    let but: Vec<But> = [After(HOUR / 10)].iter().chain(*but).copied().collect();
                    self.login(&format!("other{}", self.others), &but);
                }
            }
        }
    }
}

const TWENTY: &[Step] = &[Own(20, &[])];
const GRADUAL: &[Step] = &[Own(20, &[]), Own(30, &[From(SPAIN, 1, 1), With(FIREFOX)]), Own(1, &[])];

/// What it is, what came before, how the next login differs, what is done at least (nothing at all for `Allow`), and the
/// first reason of a doubt.
type Case = (&'static str, &'static [Step], &'static [But], Action, Option<Term>);

const CASES: &[Case] = &[
    ("as always", TWENTY, &[], Action::Allow, None),
    ("the first login of all", &[], &[], Action::Allow, None),
    ("the second", &[Own(1, &[])], &[], Action::Allow, None),
    ("the day of a browser's update", TWENTY, &[With(CHROME_NEXT)], Action::Allow, None),
    ("a new device at home", TWENTY, &[With(IPHONE)], Action::Allow, Some(Term::Device)),
    ("another address at home", TWENTY, &[From(HOME, 1, 77)], Action::Allow, None),
    (
        "another network of the same provider",
        TWENTY,
        &[From(HOME, 99, 3)],
        Action::Allow,
        Some(Term::Network),
    ),
    ("another provider", TWENTY, &[From(NEIGHBOUR, 3, 4)], Action::Allow, None),
    (
        "a phone that roams",
        &[Moving(25, &[From(PHONE, 0, 0), With(PIXEL)])],
        &[From(PHONE, 200, 9), With(PIXEL)],
        Action::Allow,
        None,
    ),
    (
        "a user who travels",
        &[
            Own(10, &[]),
            Own(2, &[From(SPAIN, 1, 1)]),
            Own(4, &[]),
            Own(2, &[From(AMERICA, 1, 1)]),
            Own(4, &[]),
        ],
        &[From((b"FR", 3_215, Network::Access, (48.9, 2.4), [90, 1]), 1, 1)],
        Action::Allow,
        None,
    ),
    (
        "an address that many share",
        &[Own(20, &[]), Others(200, &[From(PHONE, 7, 7), With(IPHONE)])],
        &[From(PHONE, 7, 7)],
        Action::Allow,
        None,
    ),
    (
        "the company's new VPN",
        &[Own(20, &[In("sales")]), Others(60, &[In("sales"), From(GATEWAY, 5, 5), Mfa])],
        &[From(GATEWAY, 5, 5), After(HOUR)],
        Action::Allow,
        None,
    ),
    (
        "a VPN that nobody else uses",
        &[Own(20, &[In("sales")]), Others(60, &[In("sales")])],
        &[In("sales"), From(GATEWAY, 5, 5)],
        Action::StepUp,
        None,
    ),
    ("in the air", TWENTY, &[From(PLANE, 1, 1), After(2 * HOUR)], Action::Allow, None),
    (
        "addresses of IPv6 that rotate",
        &[Moving(20, &[From6(0x2001_0db8_0001_0000 << 64)])],
        &[From6(0x2001_0db8_0001_00ff << 64)],
        Action::Allow,
        None,
    ),
    ("nothing but a name", TWENTY, &[Bare], Action::Allow, None),
    ("nothing but a name, ever", &[Own(20, &[Bare])], &[Bare], Action::Allow, None),
    ("an odd hour", TWENTY, &[After(18 * HOUR)], Action::Allow, None),
    ("back after five months", TWENTY, &[After(150 * DAY)], Action::Allow, Some(Term::Dormancy)),
    ("back after a year: forgotten", TWENTY, &[After(400 * DAY)], Action::Allow, None),
    (
        "back after five months from elsewhere",
        TWENTY,
        &[After(150 * DAY), From(AMERICA, 1, 1), With(FIREFOX)],
        Action::StepUp,
        None,
    ),
    ("the clock stands a little back", TWENTY, &[After(-3 * 60_000)], Action::Allow, None),
    ("the clock stands a year ahead", TWENTY, &[After(365 * DAY)], Action::Allow, None),
    (
        "an event of home that comes late",
        &[Own(20, &[]), Own(2, &[From(SPAIN, 1, 1), Mfa])],
        &[After(-26 * HOUR)],
        Action::Allow,
        None,
    ),
    (
        "a proxy before the usual client",
        &[Own(20, &[Rtt(20.0)])],
        &[Rtt(400.0)],
        Action::Allow,
        Some(Term::Rtt),
    ),
    ("a service never used", TWENTY, &[To("payroll")], Action::Allow, Some(Term::Target)),
    (
        "from two continents within the hour",
        TWENTY,
        &[After(HOUR), From(AMERICA, 1, 1)],
        Action::StepUp,
        None,
    ),
    ("another country and device", TWENTY, &[From(AMERICA, 1, 1), With(IPHONE)], Action::StepUp, None),
    ("the same with a second factor", TWENTY, &[From(AMERICA, 1, 1), With(IPHONE), Mfa], Action::Allow, None),
    ("a rented machine with a script", TWENTY, &[From(RENTED, 1, 1), With(PYTHON)], Action::Block, None),
    (
        "the same, and the second factor was given",
        TWENTY,
        &[From(RENTED, 1, 1), With(PYTHON), Mfa],
        Action::Allow,
        None,
    ),
    ("a stranger who fails", TWENTY, &[From(RENTED, 1, 1), With(PYTHON), Fails], Action::Allow, None),
    (
        "a stranger of the same country",
        TWENTY,
        &[From(PHONE, 1, 1), With(PIXEL), After(18 * HOUR)],
        Action::StepUp,
        None,
    ),
    ("a workstation never used", &[Own(20, &[On("ws1")])], &[On("ws2")], Action::Allow, Some(Term::Device)),
    ("a patient poisoner", GRADUAL, &[From(SPAIN, 1, 1), With(FIREFOX)], Action::StepUp, None),
    ("and whom they poison", GRADUAL, &[], Action::Allow, None),
    (
        "a new home that a second factor proved",
        &[Own(20, &[]), Own(2, &[From(AMERICA, 1, 1), With(IPHONE), Mfa])],
        &[From(AMERICA, 1, 1), With(IPHONE)],
        Action::Allow,
        None,
    ),
];

#[test]
fn scenarios_end_as_expected() {
    let mut background = Vec::new();
    World::new(settings()).engine.write(&mut background).expect("memory holds it");
    let mut wrong = Vec::new();
    for (name, history, next, action, first) in CASES {
        let engine =
            Engine::read(&mut background.as_slice(), Key::new([9; 16]), Weights::shipped(), settings());
        let mut world = World { engine: engine.expect("what was written"), now: START - DAY, others: 0 };
        history.iter().for_each(|step| world.step(step));
        let judgement = world.login("ann", next);
        let top = judgement.reasons.first().filter(|reason| reason.log_odds > 0.0).map(|reason| reason.term);
        let is_done =
            judgement.action >= *action && (*action != Action::Allow || judgement.action == Action::Allow);
        if !is_done || first.is_some_and(|first| top != Some(first)) {
            wrong.push(format!(
                "{name}: {:?}, not {action:?} by {first:?}: {}",
                judgement.action,
                shown(&judgement)
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

fn shown(judgement: &Judgement) -> String {
    let reasons = judgement.reasons.iter().map(|reason| {
        format!("{} {:.2} ({}, {})", reason.term.word(), reason.log_odds, reason.observed, reason.expected)
    });
    format!("{:.2} = {}", judgement.score, reasons.collect::<Vec<_>>().join(" + "))
}
