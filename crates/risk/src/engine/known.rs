//! What is known of a user, for people to read: numbers, countries, autonomous systems and words. Addresses, user agents,
//! targets and hosts are hashes in the history, and only their number is told.

use serde::Serialize;

use crate::agent::Agent;
use crate::store::{History, TRUSTED, WEEK_BINS, country_of};

use super::marks::{Mark, Verdict};
use super::trust::Trust;

const DAY_MS: i64 = 86_400_000;

/// A user as remembered.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Known {
    /// Logins that were learnt as the user's.
    pub logins: u64,
    /// When the first of them was, to the day, milliseconds since 1970.
    pub first_ms: i64,
    /// When the last was, to the second.
    pub last_ms: i64,
    /// Where from, the latest first.
    pub networks: Vec<KnownNetwork>,
    /// With what, the latest first.
    pub clients: Vec<KnownClient>,
    /// Logins by bin of the week, UTC, the newer weighing more: each two hours of weekdays, then each six of weekends.
    pub week: [u8; WEEK_BINS],
    /// Mean round trip, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Targets and hosts that are told apart.
    pub targets: usize,
    /// Devices or workstations that the source named.
    pub hosts: usize,
    /// Verdicts of analysts: so many legitimate, so many attacks.
    pub marked: (usize, usize),
}

/// A network that the user came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownNetwork {
    /// ISO country.
    pub country: Option<String>,
    /// Autonomous system; above 24 bits it is folded.
    pub asn: Option<u32>,
    /// Kind of network.
    pub kind: &'static str,
    /// Logins.
    pub logins: u64,
    /// Day of the last, milliseconds since 1970.
    pub last_ms: i64,
    /// Logins' worth of it today: less with age, on probation, or marked.
    pub weight: f64,
    /// It was risky when it came, and nothing has shown yet that it is the user.
    pub is_on_probation: bool,
    /// It stands for several addresses.
    pub is_several: bool,
}

/// A kind of client that the user came with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KnownClient {
    /// Browser or program.
    pub browser: &'static str,
    /// Operating system.
    pub system: &'static str,
    /// Kind of device.
    pub device: &'static str,
    /// Logins.
    pub logins: u64,
    /// Day of the last, milliseconds since 1970.
    pub last_ms: i64,
    /// As of a network.
    pub weight: f64,
    /// As of a network.
    pub is_on_probation: bool,
}

impl Known {
    pub(super) fn new(history: &History, marks: &[Mark], today: u16) -> Self {
        let trust = Trust { today, marks };
        let day_ms = |day: u16| i64::from(day) * DAY_MS;
        let networks = history.networks.iter().map(|net| KnownNetwork {
            country: country_of(net.country).map(|code| code.iter().map(|byte| char::from(*byte)).collect()),
            asn: (net.asn != 0).then_some(net.asn),
            kind: net.kind.word(),
            logins: net.count.into(),
            last_ms: day_ms(net.day),
            weight: trust.of_network(net),
            is_on_probation: net.trust != TRUSTED,
            is_several: net.source == 0,
        });
        let clients = history.clients.iter().map(|client| KnownClient {
            browser: Agent::browser_word(client.browser),
            system: Agent::system_word(client.system),
            device: Agent::device_word(client.device),
            logins: client.count.into(),
            last_ms: day_ms(client.day),
            weight: trust.of_client(client),
            is_on_probation: client.trust != TRUSTED,
        });
        let marked = |verdict| marks.iter().filter(|mark| mark.verdict == verdict).count();
        Self {
            logins: history.logins.into(),
            first_ms: day_ms(history.first_day),
            last_ms: i64::from(history.last_s) * 1_000,
            networks: networks.collect(),
            clients: clients.collect(),
            week: history.week,
            rtt_ms: (history.rtt.count > 0).then(|| history.rtt.normal().0.exp()),
            targets: history.targets.len(),
            hosts: history.hosts.len(),
            marked: (marked(Verdict::Legitimate), marked(Verdict::Attack)),
        }
    }
}
