//! What everybody does: how common a country, a system, a browser or an hour is, how many different users come from a
//! prefix, and what each peer group does. Exact where there are few values, estimated in bounded room where there are
//! many; older logins weigh less. Not here: what one user does (`store`).

mod counts;
mod crowd;

pub use counts::{Counts, Few, Mix};
use crowd::Crowd;

use crate::agent::Agent;
use crate::event::Network;
use crate::key::Tag;
use crate::store::WEEK_BINS;

/// Values that there can be.
const COUNTRIES: usize = 677;
const SYSTEMS: usize = 1_024;
const BROWSERS: usize = 64;
/// Values that are counted at most; of more the rare ones are forgotten.
const ASNS_MAX: usize = 131_072;
const FAMILIES_MAX: usize = 65_536;
const TARGETS_MAX: usize = 65_536;
const PEERS_MAX: usize = 262_144;

/// Counts over all successful logins that were not judged risky.
#[derive(Debug, Clone)]
pub struct Everybody {
    pub countries: Few,
    /// Autonomous systems.
    pub asns: Counts<u32>,
    pub kinds: Few,
    /// Systems and devices together.
    pub systems: Few,
    pub browsers: Few,
    pub families: Counts<u32>,
    pub targets: Counts<u32>,
    pub week: Few,
    /// By group and what it does.
    pub peers: Counts<u64>,
    /// Different users of a prefix; logins with a user agent.
    crowd: Crowd,
}

/// What a peer group is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Of {
    /// All of its logins.
    All = 0,
    Country = 1,
    Asn = 2,
    Target = 3,
}

impl Default for Everybody {
    fn default() -> Self {
        Self {
            countries: Few::new(COUNTRIES),
            asns: Counts::new(ASNS_MAX),
            kinds: Few::new(8),
            systems: Few::new(SYSTEMS),
            browsers: Few::new(BROWSERS),
            families: Counts::new(FAMILIES_MAX),
            targets: Counts::new(TARGETS_MAX),
            week: Few::new(WEEK_BINS),
            peers: Counts::new(PEERS_MAX),
            crowd: Crowd::default(),
        }
    }
}

impl Everybody {
    /// How many logins of a group have a value.
    pub fn of_group(&self, group: u16, of: Of, value: u32) -> u32 {
        self.peers.get(peer_key(group, of, value))
    }

    /// One more login of a group with a value.
    pub fn add_to_group(&mut self, group: u16, of: Of, value: u32) {
        self.peers.add(peer_key(group, of, value));
    }

    /// About how many different users came from a prefix.
    pub fn users_of(&self, prefix: Tag) -> u32 {
        self.crowd.get(prefix)
    }

    /// Reads where a prefix is counted.
    pub fn reach(&self, prefix: Tag) -> u64 {
        self.crowd.reach(prefix)
    }

    /// One more user of a prefix.
    pub fn add_user_of(&mut self, prefix: Tag) {
        self.crowd.add(prefix);
    }

    /// About how many logins had this very user agent.
    pub fn logins_with(&self, agent: Tag) -> u32 {
        self.crowd.get(agent)
    }

    /// One more login with a user agent.
    pub fn add_agent(&mut self, agent: Tag, read: &Agent) {
        self.crowd.add(agent);
        self.systems.add(system_key(read));
        self.browsers.add(read.browser.into());
        self.families.add(read.family);
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.countries.bytes()
            + self.asns.bytes()
            + self.systems.bytes()
            + self.families.bytes()
            + self.targets.bytes()
            + self.peers.bytes()
            + self.crowd.bytes()
    }

    /// Appends everything to a snapshot.
    pub fn write(&self, into: &mut Vec<u8>) {
        self.countries.write(into);
        self.asns.write(into);
        self.kinds.write(into);
        self.systems.write(into);
        self.browsers.write(into);
        self.families.write(into);
        self.targets.write(into);
        self.week.write(into);
        self.peers.write(into);
        self.crowd.write(into);
    }

    /// Reads what [`Everybody::write`] wrote, from the front of `bytes`.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut new = Self::default();
        new.countries.read(bytes)?;
        new.asns.read(bytes)?;
        new.kinds.read(bytes)?;
        new.systems.read(bytes)?;
        new.browsers.read(bytes)?;
        new.families.read(bytes)?;
        new.targets.read(bytes)?;
        new.week.read(bytes)?;
        new.peers.read(bytes)?;
        new.crowd.read(bytes)?;
        Some(new)
    }
}

/// A system on a kind of device.
pub fn system_key(agent: &Agent) -> u16 {
    u16::from(agent.system) << 4 | u16::from(agent.device & 15)
}

/// A kind of network as a key.
pub fn kind_key(kind: Network) -> u16 {
    kind as u16
}

fn peer_key(group: u16, of: Of, value: u32) -> u64 {
    u64::from(group) << 48 | (of as u64) << 32 | u64::from(value)
}
