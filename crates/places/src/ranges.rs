//! What is known of ranges of addresses: sorted, searched by the first 16 bits and then by halves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of addresses and a value of each. They are added, then finished, then asked.
#[derive(Debug, Clone)]
pub(super) struct Ranges<V> {
    v4: Vec<Range<u32, V>>,
    v6: Vec<Range<u128, V>>,
    /// For each first 16 bits of an IPv4 address, how many ranges begin below them; one more at the end.
    before: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Range<A, V> {
    first: A,
    last: A,
    value: V,
}

impl<V> Default for Ranges<V> {
    fn default() -> Self {
        Self { v4: Vec::new(), v6: Vec::new(), before: Vec::new() }
    }
}

impl<V: Copy + PartialEq> Ranges<V> {
    /// Adds a range. Why not, when it is none.
    pub(super) fn add(&mut self, first: IpAddr, last: IpAddr, value: V) -> Result<(), &'static str> {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                self.v4.push(Range { first: first.to_bits(), last: last.to_bits(), value });
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                self.v6.push(Range { first: first.to_bits(), last: last.to_bits(), value });
            }
            _ => return Err("no range of addresses, from the first to the last"),
        }
        Ok(())
    }

    /// Makes it ready to be asked. Where ranges overlap, the one that begins later wins from there on.
    pub(super) fn finish(&mut self) {
        sort(&mut self.v4, |address| address.checked_add(1));
        sort(&mut self.v6, |address| address.checked_add(1));
        let mut ranges = self.v4.iter().peekable();
        let mut count = 0;
        self.before = (0..=1_u32 << 16)
            .map(|bits| {
                while ranges.next_if(|range| range.first >> 16 < bits).is_some() {
                    count += 1;
                }
                count
            })
            .collect();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (IpAddr, IpAddr, V)> {
        let v4 = self.v4.iter();
        let v4 = v4.map(|range| {
            (Ipv4Addr::from(range.first).into(), Ipv4Addr::from(range.last).into(), range.value)
        });
        let v6 = self.v6.iter();
        v4.chain(v6.map(|range| {
            (Ipv6Addr::from(range.first).into(), Ipv6Addr::from(range.last).into(), range.value)
        }))
    }

    pub(super) fn of(&self, address: IpAddr) -> Option<V> {
        match address {
            IpAddr::V4(address) => self.of_v4(address),
            IpAddr::V6(address) => self.of_v6(address),
        }
    }

    fn of_v4(&self, address: Ipv4Addr) -> Option<V> {
        let address = address.to_bits();
        let bits = usize::try_from(address >> 16).ok()?;
        let from = usize::try_from(*self.before.get(bits)?).ok()?;
        let to = usize::try_from(*self.before.get(bits + 1)?).ok()?;
        let within = self.v4.get(from..to)?.partition_point(|range| range.first <= address);
        let range = self.v4.get((from + within).checked_sub(1)?)?;
        (address <= range.last).then_some(range.value)
    }

    fn of_v6(&self, address: Ipv6Addr) -> Option<V> {
        let address = address.to_bits();
        let at = self.v6.partition_point(|range| range.first <= address);
        let range = self.v6.get(at.checked_sub(1)?)?;
        (address <= range.last).then_some(range.value)
    }
}

/// Sorts, and makes one of ranges that overlap or touch and have the same value.
fn sort<A: Copy + Ord, V: Copy + PartialEq>(ranges: &mut Vec<Range<A, V>>, next: fn(A) -> Option<A>) {
    ranges.sort_by(|one, other| one.first.cmp(&other.first).then(other.last.cmp(&one.last)));
    ranges.dedup_by(|later, earlier| {
        let is_near = later.first <= earlier.last || Some(later.first) == next(earlier.last);
        let is_one = is_near && later.value == earlier.value;
        if is_one {
            earlier.last = earlier.last.max(later.last);
        }
        is_one
    });
    ranges.shrink_to_fit();
}
