//! What is remembered of one user, and how it is packed into bytes: a head of fixed size, then what the user came from,
//! with what, to what. The lists are in order of use, the latest first. Not here: what is learnt and what it is worth
//! (`engine`), where the bytes are (`store`).

use arrayvec::ArrayVec;

use crate::event::Network;

/// Networks of one user; of more, those that are used least become one of their system's.
pub const NETWORKS_MAX: usize = 12;
/// Clients of one user, a family each.
pub const CLIENTS_MAX: usize = 8;
/// Targets and hosts of one user.
pub const ITEMS_MAX: usize = 8;
/// Bins of the week: each two hours of a weekday, each six of the weekend.
pub const WEEK_BINS: usize = 16;
/// Days on which something must be used before it is trusted without another proof.
pub const PROBATION_DAYS: u8 = 5;
/// Trust that is not on probation.
pub const TRUSTED: u8 = 7;
/// Bytes of the head and of the longest record.
pub const HEAD_BYTES: usize = 26;
pub const HISTORY_BYTES_MAX: usize =
    HEAD_BYTES + NETWORKS_MAX * NETWORK_BYTES + CLIENTS_MAX * CLIENT_BYTES + 2 * ITEMS_MAX * ITEM_BYTES;
const NETWORK_BYTES: usize = 16;
const CLIENT_BYTES: usize = 15;
const ITEM_BYTES: usize = 4;
const DAY_S: i64 = 86_400;
const ASN_MASK: u32 = 0x00FF_FFFF;

/// One user's history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Logins learnt, those on probation aside; at most 65 535.
    pub logins: u16,
    /// Day of the first, since 1970.
    pub first_day: u16,
    /// When the last was, seconds since 1970.
    pub last_s: u32,
    /// Where the last was, hundredths of a degree of latitude and longitude.
    pub point: Option<(i16, i16)>,
    /// How often in each bin of the week, 0 to 15; halved when one is full.
    pub week: [u8; WEEK_BINS],
    /// Round trips.
    pub rtt: Rtt,
    /// Peer group, hashed; 0 is none.
    pub group: u16,
    /// Where from.
    pub networks: ArrayVec<Net, NETWORKS_MAX>,
    /// With what.
    pub clients: ArrayVec<Client, CLIENTS_MAX>,
    /// Where to.
    pub targets: ArrayVec<Item, ITEMS_MAX>,
    /// From which devices, where the source names them.
    pub hosts: ArrayVec<Item, ITEMS_MAX>,
}

/// Round trips of one user: logarithms, in few bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rtt {
    /// Mean of ln(ms) + 3, in sixteenths.
    pub mean: u8,
    /// Deviation of the same, in eighths, 0 to 15.
    pub deviation: u8,
    /// How many, at most 15.
    pub count: u8,
}

/// A network that a user came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Net {
    /// Address or /64, hashed; 0 stands for several that are told apart no more.
    pub source: u32,
    /// /24 or /48, hashed to 24 bits; 0 likewise.
    pub prefix: u32,
    /// Autonomous system, its lower 24 bits; 0 is not known.
    pub asn: u32,
    /// Country, 0 is not known: [`country_code`].
    pub country: u16,
    /// Kind of network.
    pub kind: Network,
    /// How sure it is the user's: [`TRUSTED`], or so many days of probation less one.
    pub trust: u8,
    /// Logins.
    pub count: u16,
    /// Day of the last, since 1970.
    pub day: u16,
}

/// A kind of client that a user came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Client {
    /// The last user agent, whole, hashed.
    pub agent: u32,
    /// Without versions, hashed to 32 bits.
    pub family: u32,
    /// Browser and system, as in `agent`.
    pub browser: u8,
    pub system: u8,
    /// Kind of device.
    pub device: u8,
    /// As of a network.
    pub trust: u8,
    /// Logins.
    pub count: u16,
    /// Day of the last, since 1970.
    pub day: u16,
}

/// A target, or a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Item {
    /// Hashed to 24 bits.
    pub tag: u32,
    /// Logins, at most 255; all are halved when one is full.
    pub count: u8,
}

/// A country in ten bits: 1 to 676, 0 for none or for what is no pair of capital letters.
pub fn country_code(country: Option<[u8; 2]>) -> u16 {
    match country {
        Some([a @ b'A'..=b'Z', b @ b'A'..=b'Z']) => u16::from(a - b'A') * 26 + u16::from(b - b'A') + 1,
        _ => 0,
    }
}

/// The country of a code.
pub fn country_of(code: u16) -> Option<[u8; 2]> {
    let code = code.checked_sub(1).filter(|code| *code < 676)?;
    Some([b'A' + u8::try_from(code / 26).ok()?, b'A' + u8::try_from(code % 26).ok()?])
}

/// An autonomous system's number as it is kept.
pub fn asn_code(asn: Option<u32>) -> u32 {
    // Numbers above 24 bits are for private use alone, and folding them keeps them apart.
    asn.map_or(0, |asn| (asn ^ (asn >> 24)) & ASN_MASK)
}

impl History {
    /// Day of the last login, since 1970.
    pub fn last_day(&self) -> u16 {
        u16::try_from(i64::from(self.last_s) / DAY_S).unwrap_or(u16::MAX)
    }

    /// Packs it; `into` is emptied first.
    pub fn pack(&self, into: &mut ArrayVec<u8, HISTORY_BYTES_MAX>) {
        into.clear();
        let (lat, lon) = self.point.unwrap_or((i16::MIN, i16::MIN));
        let mut head = [0; HEAD_BYTES];
        let mut slots = Slots(&mut head);
        slots.put(self.last_s.to_le_bytes());
        for half in [self.logins, self.first_day, lat as u16, lon as u16, self.group] {
            slots.put(half.to_le_bytes());
        }
        for [low, high] in self.week.as_chunks::<2>().0 {
            slots.put([(low & 15) | (high << 4)]);
        }
        slots.put([self.rtt.mean, (self.rtt.deviation << 4) | (self.rtt.count & 15)]);
        let counts = [self.networks.len(), self.clients.len(), self.targets.len(), self.hosts.len()];
        let counts = counts.iter().rev().fold(0u16, |packed, count| (packed << 4) | (*count as u16 & 15));
        slots.put(counts.to_le_bytes());
        put(into, &head);
        self.networks.iter().for_each(|network| put(into, &network.pack()));
        self.clients.iter().for_each(|client| put(into, &client.pack()));
        for item in self.targets.iter().chain(&self.hosts) {
            put(into, &((item.tag & 0x00FF_FFFF) | (u32::from(item.count) << 24)).to_le_bytes());
        }
    }

    /// Reads what [`History::pack`] wrote, and a byte more where the store rounds up, into an empty history. `None` if
    /// it is no such thing.
    pub fn unpack(&mut self, bytes: &[u8]) -> Option<()> {
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let mut head = Bytes(head);
        self.last_s = head.u32()?;
        self.logins = head.u16()?;
        self.first_day = head.u16()?;
        let (lat, lon) = (head.u16()? as i16, head.u16()? as i16);
        self.point = (lat != i16::MIN).then_some((lat, lon));
        self.group = head.u16()?;
        for pair in self.week.as_chunks_mut::<2>().0 {
            let packed = head.u8()?;
            *pair = [packed & 15, packed >> 4];
        }
        let (mean, packed) = (head.u8()?, head.u8()?);
        self.rtt = Rtt { mean, deviation: packed >> 4, count: packed & 15 };
        let counts = head.u16()?;
        let count = |at: u16| usize::from((counts >> at) & 15);
        let mut bytes = Bytes(rest);
        for _ in 0..count(0) {
            self.networks.try_push(Net::unpack(&mut bytes)?).ok()?;
        }
        for _ in 0..count(4) {
            self.clients.try_push(Client::unpack(&mut bytes)?).ok()?;
        }
        for _ in 0..count(8) {
            self.targets.try_push(Item::unpack(&mut bytes)?).ok()?;
        }
        for _ in 0..count(12) {
            self.hosts.try_push(Item::unpack(&mut bytes)?).ok()?;
        }
        (bytes.0.len() < 2).then_some(())
    }
}

impl Net {
    fn pack(&self) -> [u8; NETWORK_BYTES] {
        let mut bytes = [0; NETWORK_BYTES];
        let mut slots = Slots(&mut bytes);
        slots.put(self.source.to_le_bytes());
        slots.put(three(self.prefix));
        slots.put(three(self.asn));
        let packed =
            (self.country & 0x3FF) | (kind_code(self.kind) << 10) | ((u16::from(self.trust) & 7) << 13);
        for half in [packed, self.count, self.day] {
            slots.put(half.to_le_bytes());
        }
        bytes
    }

    fn unpack(bytes: &mut Bytes<'_>) -> Option<Self> {
        let mut bytes = Bytes(bytes.part::<NETWORK_BYTES>()?.as_slice());
        let (source, prefix, asn) = (bytes.u32()?, bytes.u24()?, bytes.u24()?);
        let packed = bytes.u16()?;
        Some(Self {
            source,
            prefix,
            asn,
            country: packed & 0x3FF,
            kind: kind_of(packed >> 10),
            trust: (packed >> 13) as u8,
            count: bytes.u16()?,
            day: bytes.u16()?,
        })
    }
}

impl Client {
    fn pack(&self) -> [u8; CLIENT_BYTES] {
        let mut bytes = [0; CLIENT_BYTES];
        let mut slots = Slots(&mut bytes);
        slots.put(self.agent.to_le_bytes());
        slots.put(self.family.to_le_bytes());
        slots.put([self.browser, self.system, (self.device & 15) | (self.trust << 4)]);
        slots.put(self.count.to_le_bytes());
        slots.put(self.day.to_le_bytes());
        bytes
    }

    fn unpack(bytes: &mut Bytes<'_>) -> Option<Self> {
        let mut bytes = Bytes(bytes.part::<CLIENT_BYTES>()?.as_slice());
        let (agent, family) = (bytes.u32()?, bytes.u32()?);
        let (browser, system, packed) = (bytes.u8()?, bytes.u8()?, bytes.u8()?);
        let (count, day) = (bytes.u16()?, bytes.u16()?);
        Some(Self { agent, family, browser, system, device: packed & 15, trust: packed >> 4, count, day })
    }
}

impl Item {
    fn unpack(bytes: &mut Bytes<'_>) -> Option<Self> {
        let packed = bytes.u32()?;
        Some(Self { tag: packed & 0x00FF_FFFF, count: (packed >> 24) as u8 })
    }
}

fn kind_code(kind: Network) -> u16 {
    match kind {
        Network::Unknown => 0,
        Network::Access => 1,
        Network::Mobile => 2,
        Network::Hosting => 3,
        Network::Anonymous => 4,
        Network::Carriage => 5,
    }
}

fn kind_of(code: u16) -> Network {
    match code & 7 {
        1 => Network::Access,
        2 => Network::Mobile,
        3 => Network::Hosting,
        4 => Network::Anonymous,
        5 => Network::Carriage,
        _ => Network::Unknown,
    }
}

/// Appends. The longest record fits; what would not is left out, and then does not unpack.
fn put(into: &mut ArrayVec<u8, HISTORY_BYTES_MAX>, bytes: &[u8]) {
    let _ = into.try_extend_from_slice(bytes);
}

fn three(value: u32) -> [u8; 3] {
    let [a, b, c, _] = value.to_le_bytes();
    [a, b, c]
}

/// Bytes that are written from the front.
struct Slots<'a>(&'a mut [u8]);

impl Slots<'_> {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        let slots = std::mem::take(&mut self.0);
        // Every array is as long as what is put into it: what is not would fail to unpack.
        if let Some((slot, rest)) = slots.split_first_chunk_mut::<N>() {
            *slot = bytes;
            self.0 = rest;
        }
    }
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// The next so many, whose number is known from here on.
    fn part<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (part, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(part)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u24(&mut self) -> Option<u32> {
        self.take::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}
