//! A line as most lines are: JSON without escapes, every key once, every value of the kind that it should be. That is read
//! here in half the time that serde takes. Of anything else this says nothing, and serde, which knows all of JSON and
//! what to say of what is wrong, reads the line from its beginning. Where both read a line, they read the same.

use std::borrow::Cow;

use super::lenient::fraction;
use super::raw::{
    Actor, Destination, Device, Endpoint, Location, Metadata, Named, Organisation, Raw, Request, Session,
    System, Unmapped, User,
};
use crate::text::{Factor, Factors, First, Text};

/// Deepest nesting of what is passed over.
const DEPTH_MAX: u32 = 16;

/// What is in a line, if it is as most are.
/// It goes into what is empty; if this line is not so, what is then in there means nothing.
pub(super) fn scan<'a>(line: &'a str, into: &mut Raw<'a>) -> Option<()> {
    let mut scan = Scan { text: line, at: 0 };
    scan.blank();
    into.scan(&mut scan)?;
    scan.blank();
    (scan.at == line.len()).then_some(())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

/// What can be read from where a scan is, into the place where it will be; none where it is not as expected.
trait Scanned<'a>: Default {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()>;
}

impl<'a> Scan<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes over a byte, which must be this one.
    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let from = self.at;
        let rest = self.text.as_bytes().get(from..)?;
        let mut length = 0;
        for eight in rest.chunks_exact(8) {
            let marks = ends(u64::from_le_bytes(eight.try_into().ok()?));
            if marks != 0 {
                length += usize::try_from(marks.trailing_zeros() / 8).ok()?;
                return self.string_of(from, length);
            }
            length += 8;
        }
        length += rest.get(length..)?.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
        self.string_of(from, length)
    }

    fn string_of(&mut self, from: usize, length: usize) -> Option<&'a str> {
        self.at = from + length;
        self.expect(b'"')?;
        self.text.get(from..from + length)
    }

    /// Each key of an object, with the scan before its value.
    fn object(&mut self, mut each: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.blank();
        if self.expect(b'}').is_some() {
            return Some(());
        }
        loop {
            self.blank();
            let key = self.string()?;
            self.blank();
            self.expect(b':')?;
            self.blank();
            each(self, key)?;
            self.blank();
            if self.expect(b',').is_none() {
                return self.expect(b'}');
            }
        }
    }

    /// Each element of an array, by its position, with the scan before it.
    fn array(&mut self, mut each: impl FnMut(&mut Self, usize) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        self.blank();
        if self.expect(b']').is_some() {
            return Some(());
        }
        for position in 0.. {
            self.blank();
            each(self, position)?;
            self.blank();
            if self.expect(b',').is_none() {
                return self.expect(b']');
            }
        }
        None
    }

    /// A number as JSON has them.
    fn number(&mut self) -> Option<&'a str> {
        let from = self.at;
        let _ = self.expect(b'-');
        match self.byte()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.expect(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.text.get(from..self.at)
    }

    /// A whole number. What comes after it is for others to look at: a point is no end of a value.
    fn whole<N: TryFrom<i64>>(&mut self) -> Option<N> {
        let is_negative = self.expect(b'-').is_some();
        let from = self.at;
        let mut number = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            number = number.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.at - from;
        let has_zeros = digits > 1 && self.text.as_bytes().get(from) == Some(&b'0');
        // -0 is no whole number to serde.
        if digits == 0 || has_zeros || (is_negative && number == 0) {
            return None;
        }
        N::try_from(if is_negative { -number } else { number }).ok()
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }

    /// Passes over a value.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.byte()? {
            b'"' => self.string().map(|_| ()),
            b'{' if depth < DEPTH_MAX => self.object(|scan, _| scan.skip(depth + 1)),
            b'[' if depth < DEPTH_MAX => self.array(|scan, _| scan.skip(depth + 1)),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number().map(|_| ()),
        }
    }
}

/// The high bit of every byte at or after the first that ends a run of plain text: a quote, a backslash, or a control.
/// Bytes after that one may be marked falsely; the first never is.
fn ends(eight: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let below = |bytes: u64, least: u64| bytes.wrapping_sub(ONES.wrapping_mul(least)) & !bytes;
    let quote = eight ^ ONES.wrapping_mul(u64::from(b'"'));
    let backslash = eight ^ ONES.wrapping_mul(u64::from(b'\\'));
    (below(eight, 0x20) | below(quote, 1) | below(backslash, 1)) & HIGH
}

impl<'a, T: Scanned<'a>> Scanned<'a> for Option<T> {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        if scan.byte()? == b'n' { scan.literal("null") } else { self.insert(T::default()).scan(scan) }
    }
}

impl<'a> Scanned<'a> for Text<'a> {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        self.0 = Cow::Borrowed(scan.string()?);
        Some(())
    }
}

impl<'a> Scanned<'a> for i64 {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        *self = scan.whole()?;
        Some(())
    }
}

impl<'a> Scanned<'a> for u64 {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        *self = scan.whole()?;
        Some(())
    }
}

impl<'a> Scanned<'a> for u32 {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        *self = scan.whole()?;
        Some(())
    }
}

impl<'a> Scanned<'a> for f32 {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        // Rounded as it is there.
        *self = fraction(&mut serde_json::Deserializer::from_str(scan.number()?)).ok()??;
        Some(())
    }
}

impl<'a> Scanned<'a> for bool {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        *self = scan.byte()? == b't';
        scan.literal(if *self { "true" } else { "false" })
    }
}

impl<'a> Scanned<'a> for (f32, f32) {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        let mut count = 0;
        scan.array(|scan, position| {
            count += 1;
            match position {
                0 => self.0.scan(scan),
                1 => self.1.scan(scan),
                _ => None,
            }
        })?;
        (count == 2).then_some(())
    }
}

impl<'a> Scanned<'a> for Factors {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        scan.array(|scan, _| {
            let mut factor = Factor::default();
            factor.scan(scan)?;
            self.add(&factor);
            Some(())
        })
    }
}

impl<'a, T: Scanned<'a>> Scanned<'a> for First<T> {
    fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
        scan.array(
            |scan, position| {
                if position > 0 { scan.skip(0) } else { self.0.insert(T::default()).scan(scan) }
            },
        )
    }
}

/// An object with these keys, each at most once, and any others.
macro_rules! object {
    ($name:ty: $($bit:literal $key:ident),+) => {
        impl<'a> Scanned<'a> for $name {
            fn scan(&mut self, scan: &mut Scan<'a>) -> Option<()> {
                let mut seen = 0_u32;
                let mut once = move |bit: u32| {
                    let before = seen;
                    seen |= 1 << bit;
                    (before != seen).then_some(())
                };
                scan.object(|scan, key| {
                    match key {
                        $(stringify!($key) => {
                            once($bit)?;
                            self.$key.scan(scan)
                        })+
                        _ => scan.skip(0),
                    }
                })
            }
        }
    };
}

object!(Raw<'a>: 0 class_uid, 1 type_uid, 2 activity_id, 3 activity_name, 4 time, 5 time_dt, 6 status_id, 7 status,
    8 status_code, 9 status_detail, 10 message, 11 user, 12 src_endpoint, 13 dst_endpoint, 14 service, 15 device,
    16 http_request, 17 session, 18 actor, 19 metadata, 20 is_mfa, 21 auth_factors, 22 unmapped);
object!(User<'a>: 0 name, 1 uid, 2 email_addr, 3 groups, 4 org);
object!(Factor<'a>: 0 factor_type, 1 factor_type_id);
object!(Organisation<'a>: 0 name, 1 ou_name);
object!(Named<'a>: 0 name, 1 uid);
object!(Endpoint<'a>: 0 ip, 1 hostname, 2 name, 3 uid, 4 location, 5 autonomous_system);
object!(Location<'a>: 0 country, 1 lat, 2 long, 3 coordinates);
object!(System: 0 number);
object!(Destination<'a>: 0 hostname, 1 svc_name, 2 name, 3 uid, 4 ip);
object!(Device<'a>: 0 uid, 1 hostname, 2 name, 3 type_id);
object!(Request<'a>: 0 user_agent);
object!(Session<'a>: 0 uid, 1 uuid, 2 uid_alt, 3 credential_uid, 4 is_mfa);
object!(Actor<'a>: 0 session, 1 user);
object!(Metadata<'a>: 0 uid);
object!(Unmapped<'a>: 0 rtt_ms, 1 network);
