//! The plan of a world in real networks: which autonomous systems announce addresses in which country, by files of places.
//! Of each country the largest networks of a kind. Not here: the made-up plan (`plan`), reading files (crate `places`).

use core::net::IpAddr;
use std::collections::BTreeMap;

use places::Places;
use risk::Network;

use super::countries::COUNTRIES;
use super::plan::{Block, CITIES, Net, Plan};

/// Networks of a kind in a country, the largest.
const NETS_MAX: usize = 24;
/// Blocks of a network.
const BLOCKS_MAX: usize = 24;
/// Addresses of a block at most.
const BLOCK: u32 = 4_096;
/// Bits of an IPv6 address behind the network's own.
const SIX_BITS: u32 = 96;

/// What is announced by one system in one country.
#[derive(Default)]
struct Announced {
    addresses: u64,
    ranges: Vec<(u32, u32)>,
    kind: Network,
}

/// The plan, or what the files lack for one.
pub(super) fn plan(places: &Places, home: [u8; 2]) -> Result<Plan, String> {
    let mut all: BTreeMap<(usize, u32), Announced> = BTreeMap::new();
    let mut six: BTreeMap<u32, u32> = BTreeMap::new();
    for (first, last, asn) in places.networks() {
        match (first, last) {
            (IpAddr::V4(v4), IpAddr::V4(last)) => {
                let place = places.of(first);
                let Some(country) = place.country.and_then(place_of) else { continue };
                let (first, last) = (v4.to_bits(), last.to_bits());
                let announced = all.entry((country, asn)).or_default();
                announced.addresses += u64::from(last - first) + 1;
                announced.ranges.push((first, last));
                announced.kind = place.network;
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let start = first.to_bits().div_ceil(1 << SIX_BITS);
                // Only a network that has all that is drawn from it.
                if last.to_bits().saturating_add(1) >> SIX_BITS > start {
                    six.entry(asn).or_insert(start as u32);
                }
            }
            _ => {}
        }
    }
    let nets = largest(all, &six);
    let is_home = |net: &Net| COUNTRIES.get(net.country).is_some_and(|country| country.code == home);
    if !nets.iter().any(is_home) {
        let [a, b] = home.map(char::from);
        return Err(format!(
            "no networks in the world's home, {a}{b}: files *asn*.csv and *country*.mmdb are needed, as `.ci/install.sh` \
             fetches them"
        ));
    }
    Ok(Plan::of(nets))
}

fn place_of(code: [u8; 2]) -> Option<usize> {
    COUNTRIES.iter().position(|country| country.code == code)
}

/// Of each country and kind the networks with most addresses. Those whose names say nothing are homes and offices only where
/// there are no others; where nobody is named after phones, machines for rent or VPNs, the largest others stand for them.
fn largest(all: BTreeMap<(usize, u32), Announced>, six: &BTreeMap<u32, u32>) -> Vec<Net> {
    let mut of: BTreeMap<(usize, u8), Vec<(u32, Announced)>> = BTreeMap::new();
    for ((country, asn), announced) in all {
        of.entry((country, announced.kind as u8)).or_default().push((asn, announced));
    }
    let mut nets = Vec::new();
    for country in 0..COUNTRIES.len() {
        let mut take = |kind: Network, stands_for: Option<&[Network]>| {
            let kinds = [&[kind], stands_for.unwrap_or_default()].concat();
            let found = kinds.iter().map(|kind| (country, *kind as u8)).find(|key| of.contains_key(key));
            let Some(found) = found.and_then(|key| of.get_mut(&key)) else { return };
            found.sort_by_key(|(asn, announced)| (std::cmp::Reverse(announced.addresses), *asn));
            nets.extend(found.iter().take(NETS_MAX).map(|(asn, announced)| Net {
                asn: *asn,
                country,
                kind,
                known: announced.kind,
                share: announced.addresses as f64,
                blocks: blocks(&announced.ranges),
                six: six.get(asn).copied(),
            }));
        };
        take(Network::Access, Some(&[Network::Unknown, Network::Hosting]));
        take(Network::Mobile, Some(&[Network::Access, Network::Unknown]));
        take(Network::Hosting, Some(&[Network::Unknown, Network::Access]));
        take(Network::Anonymous, Some(&[Network::Hosting]));
        take(Network::Carriage, None);
    }
    nets
}

/// Blocks of these ranges, the largest first.
fn blocks(ranges: &[(u32, u32)]) -> Vec<Block> {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|(first, last)| (std::cmp::Reverse(last - first), *first));
    let cut = ranges.iter().flat_map(|(first, last)| {
        let step = usize::try_from(BLOCK).unwrap_or(usize::MAX);
        (*first..=*last).step_by(step).map(move |at| (at, (last - at).min(BLOCK - 1) + 1))
    });
    let numbered = cut.take(BLOCKS_MAX).enumerate();
    numbered.map(|(at, (first, size))| Block { first, size, city: at % CITIES }).collect()
}
