//! Networks: an address and the length of its prefix. Not here: what a network stands for (`enclave`).

use core::net::IpAddr;
use std::collections::BTreeSet;
use std::fmt;

use crate::error::Problems;
use crate::raw::Text;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// From `10.1.0.0/16` or `2001:db8::/32`; none when it is something else, or has bits behind its prefix.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, prefix) = text.split_once('/')?;
        let (first, prefix) = (first.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
        let network = Self { first, prefix };
        let well_formed =
            prefix <= bits_of(first) && first.to_canonical() == first && network.cut(first) == number(first);
        (well_formed && network.to_string() == text).then_some(network)
    }

    /// Whether the address is one of the network's. An IPv4 address inside an IPv6 one counts as itself.
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && self.cut(address) == number(self.first)
    }

    /// The first address.
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits all its addresses begin with.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// What is left of the address when only the prefix is kept.
    fn cut(&self, address: IpAddr) -> u128 {
        let behind = u32::from(bits_of(address).saturating_sub(self.prefix));
        number(address).checked_shr(behind).and_then(|kept| kept.checked_shl(behind)).unwrap_or(0)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

const fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// Networks that are well-formed and not in `held` yet.
pub(super) fn check(
    raw: Vec<Text>,
    key: &str,
    held: &mut BTreeSet<Network>,
    found: &mut Problems<'_>,
) -> Vec<Network> {
    let mut networks = Vec::new();
    for (i, text) in raw.into_iter().enumerate() {
        let key = format!("{key}[{i}]");
        let Some(network) = Network::parse(text.get_ref()) else {
            let problem = format!("`{}` is not a network", text.get_ref().escape_debug());
            let remedy =
                "write the first address and the length of the prefix, such as 10.1.0.0/16 or 2001:db8::/32";
            found.at(text.span(), &key, problem, remedy);
            continue;
        };
        if !held.insert(network) {
            found.at(text.span(), &key, format!("`{network}` is named twice"), "name it once");
        }
        networks.push(network);
    }
    networks
}
