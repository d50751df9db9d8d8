//! Bank accounts by ISO 13616: a country's length and structure, then mod 97 of ISO 7064. Not here: whether the bank
//! exists.

use crate::text::{at, closes, opens};
use crate::{Hit, Kind, Validation};

/// An IBAN in print stands in groups of four.
const GROUP: usize = 4;

/// The account that begins there: in one piece, or in groups of four parted by spaces or hyphens.
pub(crate) fn from(text: &[u8], start: usize) -> Option<Hit> {
    let country = text.get(start..start.saturating_add(2))?;
    let (name, structure) =
        STRUCTURES.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(country))?;
    if !opens(text, start) {
        return None;
    }
    let mut value = Value { text, place: start, taken: 0, separator: None, remainder: 0, head: 0 };
    value.part(2, b'a')?;
    value.part(2, b'n')?;
    let mut rest = structure.as_bytes();
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (count, tail) = rest.split_at_checked(digits)?;
        let (of, tail) = tail.split_first()?;
        value.part(std::str::from_utf8(count).ok()?.parse().ok()?, *of)?;
        rest = tail;
    }
    let end = value.place;
    (closes(text, end) && value.holds())
        .then(|| Hit::new((start, end), Kind::Iban, name, Validation::Checksum))
}

struct Value<'a> {
    text: &'a [u8],
    place: usize,
    taken: usize,
    separator: Option<u8>,
    /// Of the account without its first four characters, by 97.
    remainder: u32,
    /// Those four as a number, letters being 10 to 35.
    head: u32,
}

impl Value<'_> {
    /// Takes so many characters: `n` digits, `a` letters, `c` either.
    fn part(&mut self, count: usize, of: u8) -> Option<()> {
        for _ in 0..count {
            self.separator()?;
            let byte = at(self.text, self.place);
            let fits = match of {
                b'n' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_alphabetic(),
                _ => byte.is_ascii_alphanumeric(),
            };
            if !fits {
                return None;
            }
            self.take(byte)?;
        }
        Some(())
    }

    fn separator(&mut self) -> Option<()> {
        let byte = at(self.text, self.place);
        if self.taken == 0 || !self.taken.is_multiple_of(GROUP) {
            return Some(());
        }
        let parts = matches!(byte, b' ' | b'-');
        match self.separator {
            None if self.taken == GROUP => self.separator = Some(if parts { byte } else { 0 }),
            _ => {}
        }
        match self.separator {
            Some(0) => Some(()),
            Some(separator) if separator == byte => {
                self.place = self.place.saturating_add(1);
                Some(())
            }
            _ => None,
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let value = char::from(byte).to_digit(36)?;
        let base = if value < 10 { 10 } else { 100 };
        let number = if self.taken < GROUP { &mut self.head } else { &mut self.remainder };
        *number = number.wrapping_mul(base).wrapping_add(value);
        if self.taken >= GROUP {
            self.remainder %= 97;
        }
        self.taken = self.taken.saturating_add(1);
        self.place = self.place.saturating_add(1);
        Some(())
    }

    /// Two letters and two digits go to the end: six digits in all.
    fn holds(&self) -> bool {
        let head = u64::from(self.head);
        let check = head % 100;
        (2..=98).contains(&check) && (u64::from(self.remainder) * 1_000_000 + head) % 97 == 1
    }
}

/// After country and check digits: so many digits (n), capital letters (a), or either (c). The IBAN registry of SWIFT.
const STRUCTURES: &[(&str, &str)] = &[
    ("AD", "8n12c"),
    ("AE", "19n"),
    ("AL", "8n16c"),
    ("AT", "16n"),
    ("AZ", "4a20c"),
    ("BA", "16n"),
    ("BE", "12n"),
    ("BG", "4a6n8c"),
    ("BH", "4a14c"),
    ("BI", "23n"),
    ("BR", "23n1a1c"),
    ("BY", "4c4n16c"),
    ("CH", "5n12c"),
    ("CR", "18n"),
    ("CY", "8n16c"),
    ("CZ", "20n"),
    ("DE", "18n"),
    ("DJ", "23n"),
    ("DK", "14n"),
    ("DO", "4c20n"),
    ("EE", "16n"),
    ("EG", "25n"),
    ("ES", "20n"),
    ("FI", "14n"),
    ("FK", "2a12n"),
    ("FO", "14n"),
    ("FR", "10n11c2n"),
    ("GB", "4a14n"),
    ("GE", "2a16n"),
    ("GI", "4a15c"),
    ("GL", "14n"),
    ("GR", "7n16c"),
    ("GT", "24c"),
    ("HR", "17n"),
    ("HU", "24n"),
    ("IE", "4a14n"),
    ("IL", "19n"),
    ("IQ", "4a15n"),
    ("IS", "22n"),
    ("IT", "1a10n12c"),
    ("JO", "4a4n18c"),
    ("KW", "4a22c"),
    ("KZ", "3n13c"),
    ("LB", "4n20c"),
    ("LC", "4a24c"),
    ("LI", "5n12c"),
    ("LT", "16n"),
    ("LU", "3n13c"),
    ("LV", "4a13c"),
    ("LY", "21n"),
    ("MC", "10n11c2n"),
    ("MD", "20c"),
    ("ME", "18n"),
    ("MK", "3n10c2n"),
    ("MN", "16n"),
    ("MR", "23n"),
    ("MT", "4a5n18c"),
    ("MU", "4a19n3a"),
    ("NI", "4a20n"),
    ("NL", "4a10n"),
    ("NO", "11n"),
    ("OM", "3n16c"),
    ("PK", "4a16c"),
    ("PL", "24n"),
    ("PS", "4a21c"),
    ("PT", "21n"),
    ("QA", "4a21c"),
    ("RO", "4a16c"),
    ("RS", "18n"),
    ("RU", "14n15c"),
    ("SA", "2n18c"),
    ("SC", "4a20n3a"),
    ("SD", "14n"),
    ("SE", "20n"),
    ("SI", "15n"),
    ("SK", "20n"),
    ("SM", "1a10n12c"),
    ("SO", "19n"),
    ("ST", "21n"),
    ("SV", "4a20n"),
    ("TL", "19n"),
    ("TN", "20n"),
    ("TR", "6n16c"),
    ("UA", "6n19c"),
    ("VA", "18n"),
    ("VG", "4a16n"),
    ("XK", "16n"),
    ("YE", "4a4n18c"),
];
