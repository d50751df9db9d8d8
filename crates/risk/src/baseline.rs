//! The baseline that the model is measured against: Freeman et al., "Who Are You? A Statistical Approach to Measuring
//! User Authenticity" (NDSS 2016), equation 7 without attack data, as Wiefling et al. (TOPS 2022) published it
//! (github.com/das-group/rba-algorithm), with its weights and its edge cases. It remembers everything and forgets
//! nothing. Not here: the model (`engine`), which decides; nothing is refused by the baseline.
//!
//! The score of a login of user u is, over the address and the user agent,
//!
//! ```text
//! Π  p(x) / p(x|u)  ·  (1 / users) / (logins of u / logins)
//! ```
//!
//! where `p(x|u)` is the weighted share of u's logins that had the same value at each level, without smoothing, or a
//! quarter of `p(x)` where that is nothing; `p(x)` is the same over everybody's logins, but that the first level is
//! `F/(F+v) · max(c,1)/(N+M)`:
//!
//! - `c` of `N` logins before this one had the value, and `M` is one more than the different values of the deeper
//!   levels: what is yet unseen is allowed for by that much.
//! - `F` logins of the log as it stands had the value, this one included, and `v` is one more than the different values
//!   of the deeper levels among those.
//!
//! The published code takes F from all of the log, which in a replay has the future in it. Here the log ends with the
//! login that is scored, so that only the past is known; on such a log the two are equal to the last digits. A field
//! that is missing is a value of its own here; the published code drops such logins.

mod agent;

use core::net::IpAddr;
use std::collections::HashMap;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use self::agent::Agent;
use crate::event::{Act, Event, Outcome};

/// Address, autonomous system, country; user agent, browser, system, device: the weights within each group.
const WEIGHTS: [&[f64]; 2] = [
    &[0.6, 0.3, 0.1],
    &[
        0.538_665_384_055_135_9,
        0.268_045_149_862_566_6,
        0.188_182_951_001_095_36,
        0.005_106_515_081_202_152_5,
    ],
];
const LEVELS: usize = 7;

/// A value at its level: a hash of 64 bits, unkeyed, because nothing of it is ever written.
type Hash = u64;

/// Everything that was seen so far.
#[derive(Debug, Default)]
pub struct Baseline {
    logins: u64,
    users: HashMap<Hash, u32>,
    of_users: HashMap<(Hash, Hash), u32>,
    values: HashMap<Hash, u32>,
    /// How many different values each level has.
    distinct: [u64; LEVELS],
    /// For each value of a first level, the different values that came with it at each deeper level.
    with: HashMap<Hash, Vec<(u8, Hash)>>,
}

/// The values of one login by level: the address's group, then the user agent's.
type Values = [Hash; LEVELS];

impl Baseline {
    /// A baseline that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The score of a login: how many times more likely these values are an attacker's than the user's. None for what
    /// is no login, and for users of whom no login was seen to succeed before: there is nothing to compare with. A
    /// login that succeeded is learnt afterwards.
    pub fn judge(&mut self, event: &Event) -> Option<f64> {
        if event.act != Act::Logon {
            return None;
        }
        let user = hash(u8::MAX, event.user.as_bytes());
        let values = values(event);
        let score = self.score(user, &values);
        if event.outcome == Outcome::Success {
            self.learn(user, &values);
        }
        score
    }

    fn score(&self, user: Hash, values: &Values) -> Option<f64> {
        let logins_of_user = f64::from(*self.users.get(&user)?);
        let logins = self.logins as f64;
        let mut score = 1.0;
        let mut at = 0;
        for weights in WEIGHTS {
            let levels = at..at + weights.len();
            let (mut everybody, mut own) = (0.0, 0.0);
            for (level, weight) in levels.clone().zip(weights) {
                let value = *values.get(level)?;
                let seen = f64::from(self.values.get(&value).copied().unwrap_or(0));
                let seen_of_user = f64::from(self.of_users.get(&(user, value)).copied().unwrap_or(0));
                everybody += weight
                    * if level == levels.start {
                        let deeper = levels.start + 1..levels.end;
                        let unseen: u64 = self.distinct.get(deeper.clone())?.iter().sum::<u64>() + 1;
                        self.held(values, value, deeper) * seen.max(1.0) / (logins + unseen as f64)
                    } else {
                        seen / logins
                    };
                own += weight * seen_of_user / logins_of_user;
            }
            if own == 0.0 {
                own = everybody / 4.0;
            }
            score *= everybody / own;
            at = levels.end;
        }
        Some(score * (1.0 / self.users.len() as f64) / (logins_of_user / logins))
    }

    /// `F/(F+v)` of a value of a first level, with the login that is scored among the log.
    fn held(&self, values: &Values, first: Hash, deeper: std::ops::Range<usize>) -> f64 {
        let before = self.values.get(&first).copied().unwrap_or(0);
        let with = self.with.get(&first).map_or(&[][..], Vec::as_slice);
        let new = deeper.filter(|&level| {
            values.get(level).is_some_and(|value| {
                !with.iter().any(|(at, held)| usize::from(*at) == level && held == value)
            })
        });
        let unseen = (with.len() + new.count() + 1) as f64;
        let of_it = f64::from(before) + 1.0;
        of_it / (of_it + unseen)
    }

    fn learn(&mut self, user: Hash, values: &Values) {
        self.logins += 1;
        *self.users.entry(user).or_default() += 1;
        for (value, distinct) in values.iter().zip(&mut self.distinct) {
            let seen = self.values.entry(*value).or_default();
            *distinct += u64::from(*seen == 0);
            *seen += 1;
            *self.of_users.entry((user, *value)).or_default() += 1;
        }
        let mut rest = values.iter().zip(0_u8..);
        for weights in WEIGHTS {
            let Some((first, _)) = rest.next() else { return };
            let with = self.with.entry(*first).or_default();
            for (value, level) in rest.by_ref().take(weights.len() - 1) {
                if !with.contains(&(level, *value)) {
                    with.push((level, *value));
                }
            }
        }
    }
}

fn values(event: &Event) -> Values {
    let text = event.agent.unwrap_or_default();
    let agent = Agent::of(text);
    let address = match event.ip {
        None => hash(0, &[]),
        Some(IpAddr::V4(address)) => hash(0, &address.octets()),
        Some(IpAddr::V6(address)) => hash(0, &address.octets()),
    };
    [
        address,
        event.place.asn.map_or_else(|| hash(1, &[]), |asn| hash(1, &asn.to_be_bytes())),
        event.place.country.map_or_else(|| hash(2, &[]), |country| hash(2, &country)),
        hash(3, text.as_bytes()),
        pair(4, agent.browser),
        pair(5, agent.system),
        hash(6, agent.device.as_bytes()),
    ]
}

fn hash(level: u8, bytes: &[u8]) -> Hash {
    let mut hasher = SipHasher13::new();
    hasher.write_u8(level);
    hasher.write(bytes);
    hasher.finish()
}

fn pair(level: u8, (name, version): (&str, &str)) -> Hash {
    let mut hasher = SipHasher13::new();
    hasher.write_u8(level);
    hasher.write(name.as_bytes());
    hasher.write_u8(0);
    hasher.write(version.as_bytes());
    hasher.finish()
}
