//! Payment cards: Luhn's check digit, and a first number and length that an issuer uses. Not here: whether the card
//! was ever issued.

use crate::text::{Digits, Words, at, closes, digits, has_word_near, opens};
use crate::{Hit, Kind, Validation};

const DIGITS_MIN: usize = 12;
const DIGITS_MAX: usize = 19;

/// How a number is printed on a card.
const GROUPS: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];

/// A number as long as an identifier of anything else is a card only beside one of these.
static WORDS: Words = Words::of(&[
    "card",
    "credit",
    "debit",
    "visa",
    "mastercard",
    "maestro",
    "amex",
    "american express",
    "diners",
    "discover",
    "pan",
    "carte",
    "carta",
    "karte",
    "kreditkarte",
    "tarjeta",
    "kort",
    "kortnummer",
    "kaart",
    "cartão",
    "karta",
    "kártya",
]);

/// The card number that begins there, where `run` digits stand.
pub(crate) fn from(text: &[u8], start: usize, run: usize) -> Option<Hit> {
    if !opens(text, start) {
        return None;
    }
    if (DIGITS_MIN..=DIGITS_MAX).contains(&run) {
        let end = start.saturating_add(run);
        let issuer = text.get(start..end).and_then(number).filter(|_| closes(text, end))?;
        let usual = matches!(run, 14..=16) && issuer != "maestro";
        return (usual || has_word_near(text, start, end, &WORDS)).then(|| hit(start, end, issuer));
    }
    let separator = at(text, start.saturating_add(4));
    if run != 4 || !matches!(separator, b' ' | b'-') || in_row(text, start, separator) {
        return None;
    }
    GROUPS.iter().find_map(|groups| {
        let (end, digits) = grouped(text, start, separator, groups)?;
        let issuer = issuer(digits.as_slice()).filter(|_| luhn(digits.as_slice()))?;
        Some(hit(start, end, issuer))
    })
}

const fn hit(start: usize, end: usize, issuer: &'static str) -> Hit {
    Hit::new((start, end), Kind::Card, issuer, Validation::Checksum)
}

/// Whose number the digits are, if any card may have it.
pub(crate) fn number(text: &[u8]) -> Option<&'static str> {
    let mut digits = Digits::<DIGITS_MAX>::new();
    let taken = text.iter().all(|byte| byte.is_ascii_digit() && digits.push(*byte));
    if !taken {
        return None;
    }
    issuer(digits.as_slice()).filter(|_| luhn(digits.as_slice()))
}

/// Four digits before or behind: a row of numbers.
fn in_row(text: &[u8], start: usize, separator: u8) -> bool {
    let before = start.checked_sub(1).is_some_and(|before| at(text, before) == separator);
    before && start.checked_sub(2).is_some_and(|before| at(text, before).is_ascii_digit())
}

fn grouped(
    text: &[u8],
    start: usize,
    separator: u8,
    groups: &[usize],
) -> Option<(usize, Digits<DIGITS_MAX>)> {
    let mut found = Digits::new();
    let mut place = start;
    for (number, length) in groups.iter().enumerate() {
        if number > 0 {
            if at(text, place) != separator {
                return None;
            }
            place = place.saturating_add(1);
        }
        if digits(text, place) != *length {
            return None;
        }
        let end = place.saturating_add(*length);
        text.get(place..end)?.iter().all(|byte| found.push(*byte)).then_some(())?;
        place = end;
    }
    let row = at(text, place) == separator && digits(text, place.saturating_add(1)) == 4;
    (closes(text, place) && !row).then_some((place, found))
}

/// Every second digit from the right is doubled; the digits of it all add up to a multiple of ten.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum =
        digits.iter().rev().zip([false, true].into_iter().cycle()).fold(0_u32, |sum, (digit, double)| {
            let value = u32::from(*digit) * if double { 2 } else { 1 };
            sum.wrapping_add(if value > 9 { value - 9 } else { value })
        });
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}

/// Whose numbers begin so and are so long.
fn issuer(digits: &[u8]) -> Option<&'static str> {
    let first = digits.get(..6)?.iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let length = digits.len();
    RANGES
        .iter()
        .find(|range| (range.first..=range.last).contains(&first) && range.lengths.contains(&length))
        .map(|range| range.issuer)
}

struct Range {
    /// The first six digits, from and to.
    first: u32,
    last: u32,
    lengths: &'static [usize],
    issuer: &'static str,
}

const fn range(issuer: &'static str, first: u32, last: u32, lengths: &'static [usize]) -> Range {
    Range { first, last, lengths, issuer }
}

const RANGES: &[Range] = &[
    range("visa", 400_000, 499_999, &[16, 13, 19]),
    range("mastercard", 510_000, 559_999, &[16]),
    range("mastercard", 222_100, 272_099, &[16]),
    range("amex", 340_000, 349_999, &[15]),
    range("amex", 370_000, 379_999, &[15]),
    range("diners", 300_000, 305_999, &[14, 16, 19]),
    range("diners", 309_500, 309_599, &[14, 16, 19]),
    range("diners", 360_000, 369_999, &[14, 16, 19]),
    range("diners", 380_000, 399_999, &[14, 16, 19]),
    range("jcb", 352_800, 358_999, &[16, 17, 18, 19]),
    range("discover", 601_100, 601_199, &[16, 17, 18, 19]),
    range("discover", 644_000, 659_999, &[16, 17, 18, 19]),
    range("unionpay", 620_000, 629_999, &[16, 17, 18, 19]),
    range("mir", 220_000, 220_499, &[16, 17, 18, 19]),
    range("troy", 979_200, 979_299, &[16]),
    range("dankort", 501_900, 501_999, &[16]),
    range("maestro", 500_000, 509_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    range("maestro", 560_000, 589_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    range("maestro", 630_000, 639_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
    range("maestro", 670_000, 679_999, &[12, 13, 14, 15, 16, 17, 18, 19]),
];
