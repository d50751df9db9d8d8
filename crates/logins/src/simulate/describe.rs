//! What a world is like, in the figures that were published of a real one (Wiefling et al., TOPS 2022, and full scans of
//! its data set), so that anybody can judge whether it is made easy.

use std::collections::{HashMap, HashSet};

use risk::{Act, Outcome, Why};
use serde::Serialize;

use super::{Attacker, Drawn};

/// Counts what a description is made of. It holds a line for each user and each pair of user and agent.
#[derive(Debug, Default)]
pub struct Describe {
    attempts: u64,
    successes: u64,
    unknown: u64,
    attacks: u64,
    attacks_in: u64,
    with_rtt: u64,
    kinds: HashMap<&'static str, u64>,
    countries: HashMap<[u8; 2], u64>,
    by_day: u64,
    by_night: u64,
    users: HashMap<String, User>,
    sources: HashMap<core::net::IpAddr, HashSet<u64>>,
    new_agents: u64,
    legitimate_in: u64,
    likeness: HashMap<Attacker, [u64; 4]>,
}

#[derive(Debug, Default)]
struct User {
    attempts: u64,
    successes: u64,
    agents: HashSet<String>,
    countries: HashSet<[u8; 2]>,
    networks: HashSet<u32>,
}

/// A figure of a world and the published one.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What of.
    pub name: &'static str,
    /// In this world.
    pub here: f64,
    /// As published, if it was.
    pub published: Option<f64>,
}

impl Describe {
    /// Counts an event.
    pub fn add(&mut self, drawn: &Drawn) {
        let login = &drawn.login;
        if login.act != Act::Logon {
            return;
        }
        let is_success = login.outcome == Outcome::Success;
        self.attempts += 1;
        self.successes += u64::from(is_success);
        self.unknown += u64::from(login.outcome == Outcome::Failure(Why::UnknownUser));
        self.with_rtt += u64::from(is_success && login.rtt_ms.is_some());
        if let Some((kind, _)) = drawn.label.attack() {
            self.attacks += 1;
            self.attacks_in += u64::from(is_success);
            if is_success && kind.is_single() {
                self.compare(kind, drawn);
            }
            return;
        }
        if login.outcome == Outcome::Failure(Why::UnknownUser) {
            return;
        }
        if let Some(ip) = login.ip {
            self.sources.entry(ip).or_default().insert(drawn.user);
        }
        let user = self.users.entry(login.user.to_string()).or_default();
        user.attempts += 1;
        if is_success {
            self.legitimate_in += 1;
            user.successes += 1;
            let agent = login.agent.as_deref().unwrap_or_default();
            *self.kinds.entry(kind(agent)).or_default() += 1;
            self.new_agents += u64::from(user.agents.insert(agent.to_owned()));
            user.countries.extend(login.place.country);
            user.networks.extend(login.place.asn);
            if let Some(country) = login.place.country {
                *self.countries.entry(country).or_default() += 1;
            }
            let hour = login.time_ms.div_euclid(3_600_000).rem_euclid(24);
            // In the home country, which is an hour ahead of UTC: from eight to midnight, and from midnight to eight.
            if login.place.country == Some(*b"NO") {
                let night = (23..24).contains(&hour) || (0..7).contains(&hour);
                self.by_night += u64::from(night);
                self.by_day += u64::from(!night);
            }
        }
    }

    /// What an attacker's login has in common with the victim.
    fn compare(&mut self, kind: Attacker, drawn: &Drawn) {
        let Some(user) = self.users.get(drawn.login.user.as_ref()) else { return };
        let [all, same_country, same_asn, same_agent] = self.likeness.entry(kind).or_default();
        *all += 1;
        *same_country +=
            u64::from(drawn.login.place.country.is_some_and(|country| user.countries.contains(&country)));
        *same_asn += u64::from(drawn.login.place.asn.is_some_and(|asn| user.networks.contains(&asn)));
        *same_agent +=
            u64::from(drawn.login.agent.as_deref().is_some_and(|agent| user.agents.contains(agent)));
    }

    /// The figures.
    pub fn figures(&self) -> Vec<Figure> {
        let mut figures = self.attempts();
        figures.extend(self.logins());
        figures.extend(self.attackers());
        figures
    }

    fn attempts(&self) -> Vec<Figure> {
        let mut attempts: Vec<u64> = self.users.values().map(|user| user.attempts).collect();
        attempts.sort_unstable();
        let quantile = |share: f64| {
            attempts.get((attempts.len() as f64 * share) as usize).map_or(0.0, |&count| count as f64)
        };
        let at_least = |count: u64| self.users.values().filter(|user| user.successes >= count).count() as f64;
        let once = attempts.iter().filter(|&&count| count == 1).count() as u64;
        vec![
            figure("attempts", self.attempts as f64, None),
            figure("users", self.users.len() as f64, None),
            figure("users with 12 successful logins", at_least(12), None),
            figure("users with 39 successful logins", at_least(39), None),
            figure("attempts that succeed", share(self.successes, self.attempts), Some(0.401)),
            figure("attempts at unknown users", share(self.unknown, self.attempts), Some(0.449)),
            figure("attempts of a user, median", quantile(0.5), Some(2.0)),
            figure("attempts of a user, 90%", quantile(0.9), Some(9.0)),
            figure("attempts of a user, 99%", quantile(0.99), Some(28.0)),
            figure("users with one attempt", share(once, attempts.len() as u64), Some(0.397)),
            figure("attempts by attackers", share(self.attacks, self.attempts), Some(0.099)),
            figure("attackers' attempts that succeed", share(self.attacks_in, self.attacks), Some(0.26)),
        ]
    }

    fn logins(&self) -> Vec<Figure> {
        let of = |part: u64| share(part, self.legitimate_in);
        let from = |name: &str| of(self.kinds.get(name).copied().unwrap_or(0));
        let home = self.countries.values().max().copied().unwrap_or(0);
        let busy = self.sources.values().filter(|users| users.len() >= 100).count();
        vec![
            figure("logins from mobiles", from("mobile"), Some(0.628)),
            figure("logins from desktops", from("desktop"), Some(0.254)),
            figure("logins from bots", from("bot"), Some(0.065)),
            figure("logins from tablets", from("tablet"), Some(0.026)),
            figure("logins from the home country", of(home), Some(0.42)),
            figure(
                "logins by day for one by night, at home",
                share(self.by_day, self.by_night),
                Some(33.0 / 5.0),
            ),
            figure("logins with an agent new to the user", of(self.new_agents), Some(0.52)),
            figure("addresses of 100 users and more", busy as f64, None),
            figure("logins with a round trip", share(self.with_rtt, self.successes), Some(0.041)),
        ]
    }

    fn attackers(&self) -> Vec<Figure> {
        const LIKE: [(Attacker, [&str; 3], [f64; 3]); 3] = [
            (
                Attacker::Naive,
                [
                    "naive attackers in a country of the victim",
                    "  in a network of theirs",
                    "  with an agent of theirs",
                ],
                [0.53, 0.21, 0.014],
            ),
            (
                Attacker::Vpn,
                [
                    "VPN attackers in a country of the victim",
                    "  in a network of theirs",
                    "  with an agent of theirs",
                ],
                [1.0, 0.42, 0.017],
            ),
            (
                Attacker::Targeted,
                [
                    "targeted attackers in a country of the victim",
                    "  in a network of theirs",
                    "  with an agent of theirs",
                ],
                [0.97, 1.0, 1.0],
            ),
        ];
        let mut figures = Vec::new();
        for (kind, names, published) in LIKE {
            let [all, same @ ..] = self.likeness.get(&kind).copied().unwrap_or_default();
            for ((name, same), published) in names.into_iter().zip(same).zip(published) {
                figures.push(figure(name, share(same, all), Some(published)));
            }
        }
        figures
    }
}

fn figure(name: &'static str, here: f64, published: Option<f64>) -> Figure {
    Figure { name, here, published }
}

fn share(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

/// The kind of device an agent of this world is of.
fn kind(agent: &str) -> &'static str {
    if agent.contains("python") {
        "bot"
    } else if agent.contains("iPad") {
        "tablet"
    } else if agent.contains("Mobile") || agent.contains("Android") || agent.contains("iPhone") {
        "mobile"
    } else {
        "desktop"
    }
}
