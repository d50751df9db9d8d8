//! An event in the same codes as a history, so that the two can be compared. Not here: the comparison.

use crate::agent::Agent;
use crate::event::Network;
use crate::key::Tag;
use crate::places::Spot;
use crate::seen::Seen;
use crate::store::{History, asn_code, country_code};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// What an event says, in codes; 0 is what it does not say.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    pub time_ms: i64,
    pub source: u32,
    pub prefix: u32,
    /// The prefix as everybody's counts know it.
    pub prefix_tag: Option<Tag>,
    pub asn: u32,
    pub asn_given: Option<u32>,
    pub country: u16,
    pub kind: Network,
    pub spot: Option<Spot>,
    pub agent: Option<Agent>,
    pub agent_tag: Option<Tag>,
    pub host: u32,
    pub target: u32,
    pub group: u16,
    pub rtt_ms: Option<f64>,
}

impl Facts {
    /// The codes of an event.
    pub fn new(seen: &Seen<'_>, agent: Option<Agent>) -> Self {
        let place = &seen.event.place;
        Self {
            time_ms: seen.event.time_ms,
            source: code(seen.source, u32::MAX),
            prefix: code(seen.prefix, 0x00FF_FFFF),
            prefix_tag: seen.prefix,
            asn: asn_code(place.asn),
            asn_given: place.asn,
            country: country_code(place.country),
            kind: place.network,
            spot: Spot::of(place),
            agent,
            agent_tag: seen.agent,
            host: code(seen.host, 0x00FF_FFFF),
            target: code(seen.target, 0x00FF_FFFF),
            group: u16::try_from(code(seen.group, 0xFFFF)).unwrap_or(0),
            rtt_ms: seen.event.rtt_ms.map(f64::from).filter(|ms| ms.is_finite() && *ms > 0.0),
        }
    }

    /// Adds what an event leaves out and its user's history knows: the peers.
    pub fn complete(&mut self, history: &History) {
        if self.group == 0 {
            self.group = history.group;
        }
    }

    /// Whether it says anything of where it came from.
    pub fn has_network(&self) -> bool {
        self.source != 0 || self.asn != 0 || self.country != 0
    }

    /// Days since 1970.
    pub fn day(&self) -> u16 {
        day_of(self.time_ms)
    }

    /// Hour of the week, 0 is Monday midnight UTC.
    pub fn hour_of_week(&self) -> u8 {
        // 1970 began on a Thursday.
        let hours = self.time_ms.div_euclid(HOUR_MS).saturating_add(72);
        u8::try_from(hours.rem_euclid(168)).unwrap_or(0)
    }

    /// Bin of the week: two hours of any weekday, or six of the weekend.
    pub fn week_bin(&self) -> u8 {
        let hour = self.hour_of_week();
        if hour < 120 { hour % 24 / 2 } else { 12 + hour % 24 / 6 }
    }
}

/// Days since 1970, as far as 16 bits go.
pub fn day_of(time_ms: i64) -> u16 {
    u16::try_from(time_ms.div_euclid(DAY_MS).clamp(0, i64::from(u16::MAX))).unwrap_or(u16::MAX)
}

/// The lower bits of a tag, never 0.
fn code(tag: Option<Tag>, mask: u32) -> u32 {
    tag.map_or(0, |tag| ((tag.0 as u32) & mask).max(1))
}
