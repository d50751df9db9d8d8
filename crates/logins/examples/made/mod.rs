//! Made-up logins of many users, all of whom are somewhere at home. Not a world: nobody attacks.

use std::fmt::Write as _;

use risk::{Act, Event, Network, Outcome, Place};

pub const DAY_MS: i64 = 86_400_000;
pub const START_MS: i64 = 1_700_000_000_000;

/// A login of somebody, at home mostly, with the usual device mostly.
pub struct Made {
    pub user: String,
    pub address: [u8; 4],
    pub country: [u8; 2],
    pub asn: u32,
    pub agent: String,
}

const COUNTRIES: [[u8; 2]; 8] = [*b"IE", *b"NO", *b"DE", *b"FR", *b"ES", *b"IT", *b"PL", *b"SE"];

pub fn with(user: u64, chance: &mut Chance, then: impl FnOnce(&Made)) {
    let own = |what: u64| Chance(user.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what).next();
    let is_away = chance.share() < 0.15;
    let network = if is_away { chance.next() % 400 } else { own(1) % 4_000 };
    let [.., a, b] = if is_away { chance.next() } else { own(2) }.to_be_bytes();
    let version = 120 + (if chance.share() < 0.2 { own(4) } else { own(3) }) % 12;
    let made = Made {
        user: format!("user{user}@example.eu"),
        address: [20 + (network / 256) as u8, (network % 256) as u8, a, b],
        country: COUNTRIES[(network % 8) as usize],
        asn: 1_000 + network as u32,
        agent: format!(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
        ),
    };
    then(&made);
}

impl Made {
    pub fn event(&self, time_ms: i64) -> Event<'_> {
        Event {
            time_ms,
            act: Act::Logon,
            outcome: Outcome::Success,
            user: &self.user,
            ip: Some(self.address.into()),
            place: Place {
                country: Some(self.country),
                asn: Some(self.asn),
                point: None,
                network: Network::Unknown,
            },
            agent: Some(&self.agent),
            host: None,
            target: Some("web"),
            session: None,
            group: None,
            rtt_ms: None,
            is_mfa: false,
            id: None,
        }
    }
}

/// Lines of users who are drawn evenly, which is the hardest for caches.
pub fn lines(count: usize, users: u64, time_ms: i64, chance: &mut Chance) -> String {
    let mut text = String::with_capacity(count * 800);
    for n in 0..count {
        let user = chance.next() % users;
        let (code, id) = if chance.share() < 0.4 { (1, 1) } else { (2, 1 + chance.next() % 2) };
        let number = chance.next();
        with(user, chance, |made| {
            let [a, b, c, d] = made.address;
            let country = str::from_utf8(&made.country).unwrap();
            let Made { user, asn, agent, .. } = made;
            writeln!(
                text,
                r#"{{"activity_id":{id},"category_uid":3,"class_uid":3002,"severity_id":1,"type_uid":300201,"time":{},"status_id":{code},"metadata":{{"version":"1.3.0","uid":"{number:016x}","product":{{"name":"sso","vendor_name":"Example"}}}},"user":{{"name":"{user}"}},"service":{{"name":"web"}},"src_endpoint":{{"ip":"{a}.{b}.{c}.{d}","location":{{"country":"{country}"}},"autonomous_system":{{"number":{asn}}}}},"http_request":{{"user_agent":"{agent}"}},"is_mfa":false}}"#,
                time_ms + n as i64 / 20,
            )
            .unwrap();
        });
    }
    text
}

/// Splitmix64.
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
