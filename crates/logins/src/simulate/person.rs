//! A user: where they live and work, their lines, devices and habits. All of it follows from the world's seed and the
//! user's number, so that none of it is kept. Not here: what they do on a day (`day`).

use core::net::IpAddr;

use risk::{Network, Place};

use super::agents::{Device, Kind};
use super::countries::COUNTRIES;
use super::dice::{Dice, Of};
use super::plan::{self, Block, CITIES, Plan};
use super::shape::{People, Shape};

/// A user.
pub(super) struct Person {
    pub(super) number: u64,
    pub(super) country: usize,
    pub(super) city: usize,
    /// Hours ahead of UTC.
    pub(super) zone: f64,
    pub(super) devices: Vec<Device>,
    pub(super) home: Line,
    pub(super) work: Option<Line>,
    pub(super) carrier: usize,
    /// A network for anonymity that the user goes through, and how often.
    pub(super) vpn: Option<(usize, f64)>,
    /// Hours of the day they like best.
    pub(super) hours: [f64; 2],
    pub(super) has_factor: bool,
    pub(super) is_bot: bool,
    pub(super) department: usize,
}

/// A line at a place: its network and block, and how long an address lasts there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) net: usize,
    block: Block,
    city: usize,
    lease_days: f64,
    number: u64,
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    pub(super) ip: IpAddr,
    pub(super) place: Place,
    pub(super) net: usize,
}

/// People of one company, in a world of customers.
const COMPANY_USERS: u64 = 300;
pub(super) const DEPARTMENTS: [&str; 8] =
    ["engineering", "sales", "support", "finance", "operations", "legal", "marketing", "research"];

impl Person {
    pub(super) fn of(shape: &Shape, plan: &Plan, number: u64) -> Self {
        let mut dice = Dice::of(shape.seed, Of::Person, number, 0);
        // Some share a home, its line and its city with a neighbour in number.
        let household = if dice.chance(0.2) { number / 2 } else { number | 1 << 40 };
        let mut house = Dice::of(shape.seed, Of::Household, household, 0);
        let country = country(shape, &mut house);
        let city = house.weighted((0..CITIES).map(|rank| 1.0 / (1.0 + rank as f64)));
        let home = Line::draw(shape, plan, &mut house, country, city, household);
        let employees = shape.people == People::Employees;
        let is_bot = !employees && dice.chance(0.06);
        let devices = devices(&mut dice, &mut house, employees, is_bot);
        let works = employees || dice.chance(0.45);
        let company = if employees {
            city as u64
        } else {
            dice.below((shape.users as u64 / COMPANY_USERS + 1) as usize) as u64
        };
        let work = works.then(|| Line::company(shape, plan, country, city, company));
        let morning = dice.between(6.5, 11.0);
        Self {
            number,
            country,
            city,
            zone: COUNTRIES.get(country).map_or(0.0, |country| country.zone),
            devices,
            home: if is_bot { Line::machine(plan, &mut dice, country, city, number) } else { home },
            work,
            carrier: plan.choose(&mut dice, country, Network::Mobile),
            vpn: dice
                .chance(0.04)
                .then(|| (plan.choose(&mut dice, country, Network::Anonymous), 0.2 + 0.8 * dice.unit())),
            hours: [morning, dice.between(12.0, 21.5)],
            has_factor: dice.chance(if employees { 0.9 } else { 0.15 }),
            is_bot,
            department: dice.below(DEPARTMENTS.len()),
        }
    }

    /// The name that they log in with.
    pub(super) fn name(number: u64) -> String {
        format!("user{number:07}")
    }

    /// At the carrier's, behind an address of a pool that many share: the same for some days, mostly.
    pub(super) fn mobile(&self, shape: &Shape, plan: &Plan, day: u32, dice: &mut Dice) -> From {
        let days = f64::from(day) / (CARRIER_DAYS / shape.churn.max(0.01)) + (self.number % 11) as f64 / 11.0;
        let mut usual = Dice::of(shape.seed, Of::Lease, self.number | 1 << 60, days as u64);
        pool(plan, if dice.chance(0.95) { &mut usual } else { dice }, self.carrier, self.city)
    }
}

/// How long a carrier lets a customer keep an address.
const CARRIER_DAYS: f64 = 45.0;

fn country(shape: &Shape, dice: &mut Dice) -> usize {
    let home = COUNTRIES.iter().position(|country| country.code == shape.home).unwrap_or(0);
    if dice.chance(0.42) { home } else { dice.weighted(COUNTRIES.iter().map(|country| country.weight)) }
}

fn devices(dice: &mut Dice, house: &mut Dice, employees: bool, is_bot: bool) -> Vec<Device> {
    if is_bot {
        return vec![Device::draw(dice, Kind::Bot)];
    }
    let mut devices = Vec::new();
    if employees {
        let kind = if dice.chance(0.7) { Kind::Windows } else { Kind::Mac };
        devices.push(Device::draw(dice, kind));
    }
    let kind = Device::kind(dice);
    devices.push(Device::draw(dice, kind));
    if dice.chance(0.45) {
        let other = if devices.iter().any(Device::is_phone) { Kind::Windows } else { Kind::Android };
        devices.push(Device::draw(dice, other));
    }
    if dice.chance(0.1) {
        // The household's tablet.
        devices.push(Device::draw(house, Kind::IPad));
    }
    devices
}

impl Line {
    /// A home's line: by its network's habits its address stays, or changes every day, week or month.
    fn draw(shape: &Shape, plan: &Plan, dice: &mut Dice, country: usize, city: usize, number: u64) -> Self {
        let net = plan.choose(dice, country, Network::Access);
        let leases = [(0.66, 2000.0), (0.01, 1.0), (0.03, 7.0), (0.3, 50.0)];
        let chosen = dice.weighted(leases.iter().map(|(share, _)| *share));
        let days = leases.get(chosen).map_or(40.0, |(_, days)| *days);
        Self {
            net,
            block: plan.block(dice, net, city),
            city,
            lease_days: days / shape.churn.max(0.01),
            number,
        }
    }

    /// A company's way out: one address for everybody.
    fn company(shape: &Shape, plan: &Plan, country: usize, city: usize, company: u64) -> Self {
        let mut dice = Dice::of(shape.seed, Of::Company, company, (country * CITIES + city) as u64);
        let net = plan.choose(&mut dice, country, Network::Access);
        let block = plan.block(&mut dice, net, city);
        Self { net, block, city, lease_days: 1e9, number: dice.number() }
    }

    /// A rented machine, for programs that log in.
    fn machine(plan: &Plan, dice: &mut Dice, country: usize, city: usize, number: u64) -> Self {
        let net = plan.choose(dice, country, Network::Hosting);
        Self { net, block: plan.block(dice, net, city), city, lease_days: 1e9, number }
    }

    /// Its address on a day, as a device of it is seen: the same until the lease ends, then one near by.
    pub(super) fn from(&self, shape: &Shape, plan: &Plan, day: f64, dice: &mut Dice, device: u64) -> From {
        let phase = (self.number % 997) as f64 / 997.0;
        let epoch = (day / self.lease_days + phase) as u64;
        let mut lease = Dice::of(shape.seed, Of::Lease, self.number, epoch);
        let block = if lease.chance(0.85) { self.block } else { plan.block(&mut lease, self.net, self.city) };
        let four = plan::address(&mut lease, block);
        let prefix = (block.first >> 12 & 0xff) << 20 | lease.below(1 << 20) as u32;
        let six = plan.net(self.net).and_then(|net| net.six).filter(|_| dice.chance(0.85));
        // A device's own half changes every day; a network's does with the lease.
        let own = Dice::of(shape.seed, Of::Lease, device, day as u64 | 1 << 32).number();
        let ip = six.map_or(four, |net| plan::address_six(net, prefix, own));
        From { ip, place: plan.place(self.net, block.city), net: self.net }
    }
}

/// An address of a carrier's pool in a city.
pub(super) fn pool(plan: &Plan, dice: &mut Dice, net: usize, city: usize) -> From {
    let block = plan.block(dice, net, city);
    let place = plan.place(net, block.city);
    let six = plan.net(net).and_then(|net| net.six).filter(|_| dice.chance(0.5));
    let ip = match six {
        Some(six) => {
            let prefix = 0x8000_0000 | (block.city as u32) << 24 | dice.below(1 << 20) as u32;
            plan::address_six(six, prefix, dice.number())
        }
        None => {
            let pool = (dice.below(6) * 256 + dice.below(32)) as u32 % block.size.max(1);
            plan::address(dice, Block { first: block.first + pool, size: 1, city: block.city })
        }
    };
    From { ip, place, net }
}

/// Somebody else's Wi-Fi: a hotel, a café, a train.
pub(super) fn guest(plan: &Plan, dice: &mut Dice, country: usize, city: usize) -> From {
    let net = plan.choose(dice, country, Network::Access);
    let block = plan.block(dice, net, city);
    let ip = plan::address(dice, Block { first: block.first, size: 64.min(block.size), city });
    From { ip, place: plan.place(net, block.city), net }
}

/// Anywhere in a network that many people of many places come out of.
pub(super) fn guest_of(plan: &Plan, dice: &mut Dice, net: usize) -> From {
    let block = plan.block(dice, net, 0);
    let ip = plan::address(dice, Block { first: block.first, size: 96.min(block.size), city: 0 });
    From { ip, place: plan.place(net, block.city), net }
}

/// One of the few addresses behind which a network put everybody.
pub(super) fn concentrator(plan: &Plan, dice: &mut Dice, net: usize, user: u64) -> From {
    let first = plan.net(net).and_then(|net| net.blocks.first().copied());
    let block = first.unwrap_or(Block { first: 0xf000_0000, size: 16, city: 0 });
    // Each customer has one of them, mostly.
    let number = if dice.chance(0.9) {
        (user.wrapping_mul(0x9e37_79b9) >> 8) as u32 % 16
    } else {
        dice.below(16) as u32
    };
    let ip = plan::address(
        dice,
        Block { first: block.first + (512 + number) % block.size, size: 1, city: block.city },
    );
    From { ip, place: plan.place(net, block.city), net }
}
