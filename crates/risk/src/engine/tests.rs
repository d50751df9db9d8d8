//! Scenarios: a history is written as logins of a few words, then the next login's action and its first reason are as
//! expected. They are to hold with any sensible weights.

use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::event::{Network, Place, Why};

const KEY: [u8; 16] = [9; 16];
const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
/// A Monday, nine o'clock.
const START: i64 = 19_723 * DAY + 9 * HOUR;

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36";
const CHROME_NEXT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1";
const PYTHON: &str = "python-requests/2.31.0";

fn at(country: &str, asn: u32, kind: Network, point: (f32, f32)) -> Place {
    let code = country.as_bytes().first_chunk().copied();
    Place { country: code, asn: Some(asn), point: Some(point), network: kind }
}

fn home() -> Place {
    at("IE", 5466, Network::Access, (53.35, -6.26))
}

fn event(user: &str, time_ms: i64) -> Event<'_> {
    Event {
        time_ms,
        act: Act::Logon,
        outcome: Outcome::Success,
        user,
        ip: Some(IpAddr::V4(Ipv4Addr::new(87, 32, 1, 10))),
        place: home(),
        agent: Some(CHROME),
        host: None,
        target: Some("mail"),
        session: None,
        group: None,
        rtt_ms: None,
        is_mfa: false,
        id: None,
    }
}

#[test]
fn a_user_who_comes_as_always_is_let_in_and_a_stranger_is_not() {
    let mut engine = Engine::new(Key::new(KEY), Weights::shipped(), Settings::default());
    for user in 0..500i64 {
        let name = format!("user{user}");
        let event = event(&name, START + user * 1_000);
        engine.judge(&Event { agent: Some(if user % 3 == 0 { IPHONE } else { CHROME }), ..event });
    }
    for day in 0..20 {
        let judgement = engine.judge(&event("ann", START + day * DAY));
        assert_eq!(judgement.action, Action::Allow, "{day} {judgement:?}");
    }
    let next = event("ann", START + 20 * DAY);
    let away = at("NL", 14061, Network::Hosting, (52.3, 4.9));
    let away = Event {
        agent: Some(PYTHON),
        place: away,
        ip: Some(IpAddr::V4(Ipv4Addr::new(159, 40, 1, 11))),
        ..next
    };
    for (event, action) in [
        (next, Action::Allow),
        (Event { agent: Some(CHROME_NEXT), ..next }, Action::Allow),
        (Event { outcome: Outcome::Failure(Why::Password), ..next }, Action::Allow),
        (away, Action::Block),
    ] {
        let judgement = engine.judge(&event);
        assert_eq!(judgement.action, action, "{judgement:?}");
    }
}
