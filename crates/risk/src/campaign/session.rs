//! Where a session was last, and how unlikely it is that its owner took it to where it is now. Not here: what is usual
//! of a place (the caller knows).

use super::count::{DAY_MS, HOUR_MS, faded};
use super::rates::Rates;
use super::store::{Kept, stored};
use crate::event::{Network, Place};
use crate::seen::Seen;

/// From here on a session was copied, in nats.
pub(super) const COPIED_NATS: f64 = 6.0;
/// Nobody travels faster (km/h), whatever the clocks say.
const SPEED_MAX: f64 = 900.0;
/// Cities this near (km) may be the same, as addresses are looked up.
const NEAR_KM: f64 = 300.0;
/// Who is back where they were within this time was in two places at once.
const SWAP_MS: i64 = HOUR_MS / 3;
/// Half of the swaps are forgotten in this time.
const SWAPS_MS: i64 = HOUR_MS;
/// Which part of the uses of sessions are usually from a network that is new of the user, and with another agent.
const USUAL_MOVES: f64 = 0.015;
const USUAL_AGENTS: f64 = 0.0001;
/// What a swap tells, and where one end may be a VPN that comes and goes.
const SWAP_NATS: f64 = 2.0;
const HIDDEN_SWAP_NATS: f64 = 1.2;

stored! {
    /// Where a session was seen.
    pub(super) struct Spot {
        time_ms: i64,
        /// Parts of hashes, as is all that names something.
        source: u32,
        prefix: u32,
        asn: u32,
        agent: u32,
        family: u32,
        host: u32,
        /// Hundredths of a degree.
        latitude: i16,
        longitude: i16,
        country: u16,
        has_point: u8,
        network: u8,
    }
}

stored! {
    /// A session: where it was last, its source before that, and when it was last there.
    pub(super) struct Session {
        last: Spot,
        before: u32,
        left_ms: i64,
        /// How often it was back at once in another network.
        swaps: f32,
        campaign: u64,
    }
}

impl Kept for Session {
    fn worth_ms(&self) -> i64 {
        self.last.time_ms + if self.campaign != 0 { 24 * HOUR_MS } else { 0 }
    }
}

/// What is known of the place where a session is now.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) is_usual_source: bool,
    pub(super) is_usual_network: bool,
    /// The user never had this agent.
    pub(super) is_new_agent: bool,
    /// Other users log in from there: an office, a VPN.
    pub(super) is_shared: bool,
}

impl Spot {
    pub(super) fn of(seen: &Seen<'_>, now_ms: i64, source: u64, family: u64) -> Self {
        let Place { country, asn, point, network } = seen.event.place;
        let hundredths = |degrees: f32| (degrees * 100.0).round() as i16;
        let point = point.filter(|(latitude, longitude)| latitude.is_finite() && longitude.is_finite());
        Self {
            time_ms: now_ms,
            source: source as u32,
            prefix: seen.prefix.map_or(0, |prefix| prefix.0 as u32),
            asn: asn.unwrap_or_default(),
            agent: seen.agent.map_or(0, |agent| agent.0 as u32),
            family: family as u32,
            host: seen.host.map_or(0, |host| host.0 as u32),
            latitude: hundredths(point.unwrap_or_default().0),
            longitude: hundredths(point.unwrap_or_default().1),
            country: country.map_or(0, u16::from_le_bytes),
            has_point: u8::from(point.is_some()),
            network: network as u8,
        }
    }

    fn is(&self, network: Network) -> bool {
        self.network == network as u8
    }

    /// Whether one end is of one of these kinds.
    fn either(&self, to: &Self, kinds: [Network; 2]) -> bool {
        kinds.iter().any(|kind| self.is(*kind) || to.is(*kind))
    }

    fn is_crowded(&self, to: &Self) -> bool {
        self.either(to, [Network::Mobile, Network::Carriage])
    }

    /// Whether neither its user nor others are known where it is now.
    fn is_strange(&self, to: &Self, arrival: Arrival) -> bool {
        let is_known = arrival.is_usual_network || arrival.is_shared;
        differs(self.asn, to.asn) && !self.is_crowded(to) && !is_known
    }

    /// Kilometres on the sphere.
    fn km(&self, to: &Self) -> f64 {
        let [a, b, c, d] = [self.latitude, self.longitude, to.latitude, to.longitude]
            .map(|at| (f64::from(at) / 100.0).to_radians());
        let half = ((c - a) / 2.0).sin().powi(2) + a.cos() * c.cos() * ((d - b) / 2.0).sin().powi(2);
        2.0 * 6371.0 * half.clamp(0.0, 1.0).sqrt().asin()
    }

    /// Counts how a session was used.
    fn count(&self, to: &Self, arrival: Arrival, rates: &mut Rates) {
        rates.moves.event();
        rates.agents.event();
        if self.is_other_agent(to) {
            rates.agents.is_of_kind();
        } else if self.is_strange(to, arrival) {
            rates.moves.is_of_kind();
        }
    }

    /// Whether nobody travels from one to the other in the time between.
    fn is_beyond(&self, to: &Self) -> bool {
        let hours = (to.time_ms - self.time_ms).abs() as f64 / HOUR_MS as f64;
        if self.has_point == 0 || to.has_point == 0 {
            // Countries alone: another one within minutes.
            return self.country != 0 && to.country != 0 && self.country != to.country && hours < 0.25;
        }
        let km = self.km(to);
        km > NEAR_KM && km > SPEED_MAX * hours
    }

    /// How unlikely it is that a browser was updated between, in nats: it is about every ten days.
    fn not_updated(&self, to: &Self) -> f64 {
        let days = (to.time_ms - self.time_ms).abs().max(1) as f64 / DAY_MS as f64;
        ((10.0 / days).ln() - 2.0).clamp(0.0, 2.0)
    }

    /// Whether it is another device, or says so.
    fn is_other_agent(&self, to: &Self) -> bool {
        differs(self.family, to.family) || differs(self.host, to.host)
    }

    /// How unlikely it is that the owner of a session took it from here to there, in nats.
    fn weigh(&self, to: &Self, arrival: Arrival, swaps: f64, rates: &Rates) -> f64 {
        let is_new_network = differs(self.asn, to.asn);
        let is_other_agent = self.is_other_agent(to);
        let is_crowded = self.is_crowded(to);
        // A VPN is turned on and off: then it is not the device that travels.
        let is_hidden = self.either(to, [Network::Anonymous, Network::Hosting]);
        let mut nats = 0.0_f64;
        nats += if is_new_network { 2.5 } else { 0.0 };
        nats += if !is_new_network && differs(self.prefix, to.prefix) { 1.0 } else { 0.0 };
        nats += if differs(self.country, to.country) { 1.5 } else { 0.0 };
        nats += match self.is_beyond(to) && (is_other_agent || !is_hidden) {
            false => 0.0,
            // Where in a country an address is looked up is often wrong.
            true if self.country == to.country && self.country != 0 => 2.0,
            true => 3.5,
        };
        if is_other_agent {
            nats += rates.agents.log_odds(USUAL_AGENTS);
            nats += if arrival.is_new_agent { 6.5 } else { 5.0 };
            nats -= if arrival.is_usual_network { 1.0 } else { 0.0 };
        } else {
            nats += if self.is_strange(to, arrival) { rates.moves.log_odds(USUAL_MOVES) } else { 0.0 };
            nats += if differs(self.agent, to.agent) && is_new_network { self.not_updated(to) } else { 0.0 };
            // A phone changes between networks, colleagues use the same way out.
            nats -= if is_crowded { 5.0 } else { 0.0 };
            nats -= if is_hidden { 1.0 } else { 0.0 };
            nats -= if arrival.is_shared { 4.0 } else { 0.0 };
            nats -= if arrival.is_usual_network { 2.0 } else { 0.0 };
        }
        // One who is in two places at once goes to and fro; so does a phone, and whose lines are two.
        let is_swap = is_new_network && !is_crowded && !arrival.is_usual_network;
        nats += match (is_swap, is_hidden) {
            (false, _) => 0.0,
            (true, false) => SWAP_NATS * swaps,
            (true, true) => HIDDEN_SWAP_NATS * swaps,
        };
        nats -= if arrival.is_usual_source { 4.0 } else { 0.0 };
        // At one source it is one device.
        if self.source == to.source { nats.min(COPIED_NATS - 1.0) } else { nats.max(0.0) }
    }
}

/// Whether both are known and differ.
fn differs<T: PartialEq + Default>(a: T, b: T) -> bool {
    a != T::default() && b != T::default() && a != b
}

impl Session {
    /// Takes a session to a spot, and gives the nats of evidence that a copy is there.
    pub(super) fn moved(&mut self, to: Spot, arrival: Arrival, rates: &mut Rates) -> f64 {
        let has_moved = to.source != self.last.source;
        let is_back = has_moved && to.source == self.before && self.before != 0;
        self.swaps *= faded(to.time_ms - self.last.time_ms, SWAPS_MS);
        if is_back && differs(to.asn, self.last.asn) && (0..SWAP_MS).contains(&(to.time_ms - self.left_ms)) {
            self.swaps += 1.0;
        }
        let nats = match self.last.time_ms {
            0 => 0.0,
            _ if !has_moved && !differs(to.family, self.last.family) => 0.0,
            _ => self.last.weigh(&to, arrival, f64::from(self.swaps), rates),
        };
        if self.last.time_ms != 0 && nats < COPIED_NATS {
            self.last.count(&to, arrival, rates);
        }
        if has_moved {
            (self.before, self.left_ms) = (self.last.source, self.last.time_ms);
        }
        self.last = to;
        nats
    }
}
