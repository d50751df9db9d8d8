//! Internet addresses: dotted quads, and every form of RFC 4291 and RFC 5952 that lies in address space given out so
//! far. Not here: ports, prefixes and zones, which are no part of the address; hosts' names.

use crate::text::{Words, at, before, count, digits, has_word_before, is_word, opens};
use crate::{Hit, Kind, Validation};

const V4: &str = "v4";
const V6: &str = "v6";
const V6_GROUPS: usize = 8;

/// What stands before a number of four parts that is no address.
static VERSION_WORDS: Words = Words::of(&[
    "version", "ver", "release", "rev", "revision", "build", "upgrade", "firmware", "assembly", "oid",
    "section",
]);
const VERSION_WORD_BYTES: usize = 14;

/// The dotted quad that begins there.
pub(crate) fn v4(text: &[u8], start: usize) -> Option<Hit> {
    let last = before(text, start, 1);
    if !opens(text, start) || last == b'.' || (last == b'-' && before(text, start, 2) != 0) {
        return None;
    }
    let end = quad(text, start)?;
    if !ends_quad(text, end) || has_word_before(text, start, VERSION_WORD_BYTES, &VERSION_WORDS) {
        return None;
    }
    Some(Hit::new((start, end), Kind::Ip, V4, Validation::Plan))
}

/// Four numbers below 256, without leading zeros.
fn quad(text: &[u8], start: usize) -> Option<usize> {
    let mut place = start;
    for part in 0..4 {
        if part > 0 {
            if at(text, place) != b'.' {
                return None;
            }
            place = place.saturating_add(1);
        }
        let run = digits(text, place);
        let end = place.saturating_add(run);
        let number = text.get(place..end)?;
        let value = number.iter().try_fold(0_u16, |value, digit| {
            value.checked_mul(10)?.checked_add(u16::from(digit.wrapping_sub(b'0')))
        });
        let padded = run > 1 && number.first() == Some(&b'0');
        if run == 0 || run > 3 || padded || value? > 255 {
            return None;
        }
        place = end;
    }
    Some(place)
}

/// A fifth part, a suffix of a version (`-rc1`, `_p2`) or a word make it something else.
fn ends_quad(text: &[u8], end: usize) -> bool {
    let (next, second) = (at(text, end), at(text, end.saturating_add(1)));
    match next {
        b'.' => !second.is_ascii_alphanumeric(),
        b'-' | b'+' => !second.is_ascii_alphabetic(),
        b'_' | b'@' => false,
        _ => !is_word(next),
    }
}

/// An address that begins with `::`.
pub(crate) fn v6_from_colon(text: &[u8], start: usize) -> Option<Hit> {
    let last = before(text, start, 1);
    (at(text, start.saturating_add(1)) == b':'
        && !is_word(last)
        && !matches!(last, b':' | b'>' | b')' | b']'))
    .then(|| v6(text, start))
    .flatten()
}

/// The address that begins there.
pub(crate) fn v6(text: &[u8], start: usize) -> Option<Hit> {
    let last = before(text, start, 1);
    if matches!(last, b':' | b'.' | b'_' | b'@' | b'-') || is_word(last) {
        return None;
    }
    let address = groups(text, start)?;
    let next = at(text, address.end);
    let ends = match next {
        b':' | b'_' | b'@' => false,
        b'.' => !at(text, address.end.saturating_add(1)).is_ascii_digit(),
        _ => !is_word(next),
    };
    let complete = if address.gap { address.count < V6_GROUPS } else { address.count == V6_GROUPS };
    (ends && complete && address.is_given_out())
        .then(|| Hit::new((start, address.end), Kind::Ip, V6, Validation::Plan))
}

struct Address {
    first: u16,
    last: u16,
    /// The second one, to tell 64:ff9b::.
    second: u16,
    count: usize,
    gap: bool,
    starts_with_gap: bool,
    quad: bool,
    end: usize,
}

impl Address {
    /// Global unicast, unique local, link local, multicast, loopback, and version 4 written as version 6.
    fn is_given_out(&self) -> bool {
        if self.starts_with_gap {
            return self.quad || (self.count == 1 && self.last == 1);
        }
        let translated = self.first == 0x64 && self.second == 0xff9b;
        let long = self.count > 1 || matches!(self.first, 0xfe80 | 0xff02 | 0xff01 | 0xff05);
        let given =
            matches!(self.first, 0x2000..=0x3fff | 0xfc00..=0xfdff | 0xfe80..=0xfebf | 0xff00..=0xffff);
        translated || (given && long)
    }
}

fn groups(text: &[u8], start: usize) -> Option<Address> {
    let mut address = Address {
        first: 0,
        last: 0,
        second: 0,
        count: 0,
        gap: false,
        starts_with_gap: at(text, start) == b':',
        quad: false,
        end: start,
    };
    let mut place = start;
    if address.starts_with_gap {
        address.gap = true;
        place = place.saturating_add(2);
        address.end = place;
    }
    while address.count < V6_GROUPS {
        if let Some(end) =
            quad(text, place).filter(|_| address.count <= 6 && (address.gap || address.count == 6))
        {
            address.quad = true;
            address.count = address.count.saturating_add(2);
            address.end = end;
            break;
        }
        let run = count(text.get(..place.saturating_add(5).min(text.len()))?, place, |byte| {
            byte.is_ascii_hexdigit()
        });
        if run == 0 || run > 4 {
            break;
        }
        let end = place.saturating_add(run);
        let value = u16::from_str_radix(std::str::from_utf8(text.get(place..end)?).ok()?, 16).ok()?;
        match address.count {
            0 => address.first = value,
            1 => address.second = value,
            _ => {}
        }
        address.last = value;
        address.count = address.count.saturating_add(1);
        address.end = end;
        if at(text, end) != b':' {
            break;
        }
        place = end.saturating_add(1);
        if at(text, place) == b':' {
            if address.gap {
                return None;
            }
            address.gap = true;
            place = place.saturating_add(1);
            address.end = place;
        }
    }
    Some(address)
}
