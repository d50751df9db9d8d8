//! Networks and their addresses: who announces what, where, for whom. The built-in plan is made up and uses addresses
//! that nobody has (240.0.0.0/4, 3fff::/20), so that no place file contradicts it. Not here: who is at which address
//! (`person`), real networks (`real`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use risk::{Network, Place};

use super::countries::{COUNTRIES, Country};
use super::dice::{Dice, Of};

/// A network: an autonomous system in a country.
#[derive(Debug, Clone)]
pub(super) struct Net {
    pub(super) asn: u32,
    /// Place in [`COUNTRIES`].
    pub(super) country: usize,
    pub(super) kind: Network,
    /// What kind a place file says that it is.
    pub(super) known: Network,
    /// How many customers it has, against others of its kind and country.
    pub(super) share: f64,
    pub(super) blocks: Vec<Block>,
    /// The first 32 bits of its IPv6 addresses, if it gives any.
    pub(super) six: Option<u32>,
}

/// A block of addresses that serves one city: a /20, or what a smaller network has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) first: u32,
    pub(super) size: u32,
    pub(super) city: usize,
}

/// All networks, and those of each kind in each country.
#[derive(Debug)]
pub(super) struct Plan {
    nets: Vec<Net>,
    of: Vec<Choices>,
    anonymous: Vec<usize>,
    carriage: Vec<usize>,
}

#[derive(Debug, Default, Clone)]
struct Choices {
    access: Vec<usize>,
    mobile: Vec<usize>,
    hosting: Vec<usize>,
}

pub(super) const CITIES: usize = 6;
const BLOCK: u32 = 4096;

/// Chooses where a network's addresses begin, one block after the other.
struct Space {
    next: u32,
    asn: u32,
}

impl Plan {
    /// The made-up plan. It is the same in every world: seeds choose who lives in it.
    pub(super) fn made_up() -> Self {
        let mut dice = Dice::of(0, Of::Plan, 0, 0);
        let mut space = Space { next: 0xf000_0000, asn: 4_200_000_000 };
        let mut nets = Vec::new();
        for (place, country) in COUNTRIES.iter().enumerate() {
            let size = (country.weight / 5.0).sqrt();
            let access = 4 + (size as usize).min(6);
            // One network is far bigger than the others, at home and on the road: of two logins in a country, 42% are
            // in the same one.
            let first = space.asn + 1;
            for rank in 0..access {
                let share = 1.0 / (1.0 + rank as f64).powf(2.0);
                nets.push(space.net(&mut dice, place, Network::Access, share, 3 + (21.0 * share) as usize));
            }
            for rank in 0..2 + (size as usize).min(2) {
                let share = 1.0 / (1.0 + rank as f64).powf(1.5);
                let mut net = space.net(&mut dice, place, Network::Mobile, share, CITIES);
                net.asn = if rank == 0 { first } else { net.asn };
                nets.push(net);
            }
            for _ in 0..1 + (size as usize).min(4) {
                nets.push(space.net(&mut dice, place, Network::Hosting, 1.0, 2));
            }
            if place % 4 == 0 {
                nets.push(space.net(&mut dice, place, Network::Anonymous, 1.0, 1));
            }
            if place % 12 == 5 {
                nets.push(space.net(&mut dice, place, Network::Carriage, 1.0, 1));
            }
        }
        Self::of(nets)
    }

    /// A plan of these networks.
    pub(super) fn of(nets: Vec<Net>) -> Self {
        let mut of = vec![Choices::default(); COUNTRIES.len()];
        let (mut anonymous, mut carriage) = (Vec::new(), Vec::new());
        for (at, net) in nets.iter().enumerate() {
            let Some(choices) = of.get_mut(net.country) else { continue };
            match net.kind {
                Network::Access | Network::Unknown => choices.access.push(at),
                Network::Mobile => choices.mobile.push(at),
                Network::Hosting => choices.hosting.push(at),
                Network::Anonymous => anonymous.push(at),
                Network::Carriage => carriage.push(at),
            }
        }
        Self { nets, of, anonymous, carriage }
    }

    pub(super) fn net(&self, at: usize) -> Option<&Net> {
        self.nets.get(at)
    }

    /// A network of a kind in a country, the bigger the likelier; of any country where that one has none.
    pub(super) fn choose(&self, dice: &mut Dice, country: usize, kind: Network) -> usize {
        let of = self.of.get(country);
        let among = match kind {
            Network::Anonymous => &self.anonymous,
            Network::Carriage => &self.carriage,
            Network::Mobile => of.map_or(&self.anonymous, |of| &of.mobile),
            Network::Hosting => of.map_or(&self.anonymous, |of| &of.hosting),
            Network::Access | Network::Unknown => of.map_or(&self.anonymous, |of| &of.access),
        };
        let share = |at: &usize| self.nets.get(*at).map_or(0.0, |net| net.share);
        let chosen = dice.weighted(among.iter().map(share));
        among.get(chosen).copied().unwrap_or_else(|| dice.below(self.nets.len()))
    }

    /// A block of a network, of a city if it has one there.
    pub(super) fn block(&self, dice: &mut Dice, net: usize, city: usize) -> Block {
        let none = Block { first: 0xf000_0000, size: 1, city: 0 };
        let Some(net) = self.net(net) else { return none };
        let here: Vec<&Block> = net.blocks.iter().filter(|block| block.city == city).collect();
        match dice.pick(&here) {
            Some(block) => **block,
            None => dice.pick(&net.blocks).copied().unwrap_or(none),
        }
    }

    /// What a place file says of an address in a block of a network.
    pub(super) fn place(&self, net: usize, city: usize) -> Place {
        let Some(net) = self.net(net) else { return Place::default() };
        let Some(country) = COUNTRIES.get(net.country) else { return Place::default() };
        Place {
            country: Some(country.code),
            asn: Some(net.asn),
            point: Some(point(country, city)),
            network: net.known,
        }
    }
}

/// Where a country's city is: around the country's middle, at a distance that suits most of them.
pub(super) fn point(country: &Country, city: usize) -> (f32, f32) {
    let turn = city as f32 * 1.05 + country.longitude;
    let far = if country.weight > 100.0 { 6.0 } else { 1.6 } * (city as f32 / CITIES as f32);
    (country.latitude + far * turn.sin() * 0.7, country.longitude + far * turn.cos())
}

/// Any address of a block.
pub(super) fn address(dice: &mut Dice, block: Block) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(block.first.saturating_add(dice.below(block.size as usize) as u32)))
}

/// An IPv6 address: the network's 32 bits, 32 bits of where in it, and 64 that a device chose.
pub(super) fn address_six(net: u32, prefix: u32, device: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(u128::from(net) << 96 | u128::from(prefix) << 64 | u128::from(device)))
}

impl Space {
    fn net(&mut self, dice: &mut Dice, country: usize, kind: Network, share: f64, blocks: usize) -> Net {
        let of = (0..blocks)
            .map(|at| {
                let block = Block { first: self.next, size: BLOCK, city: at % CITIES };
                self.next += BLOCK;
                block
            })
            .collect();
        self.asn += 1;
        let six = dice.chance(0.06).then_some(0x3fff_0000 | (self.asn & 0x0fff));
        Net { asn: self.asn, country, kind, known: kind, share, blocks: of, six }
    }
}
