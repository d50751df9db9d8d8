//! Telephone numbers by the plans of ITU-T E.164. With a plus a number is found wherever it stands; as it is written
//! inside a country only beside a word for it. Not here: the plans (`plan`).

mod plan;

use crate::text::{Digits, Words, at, before, closes, digits, has_word_near, is_word, opens};
use crate::{Hit, Kind, Validation};

/// E.164: country code and national number together.
const DIGITS_MAX: usize = 15;
/// A number in print is parted at most so often.
const PARTS_MAX: usize = 8;
const NATIONAL_DIGITS_MIN: usize = 7;
const NATIONAL_DIGITS_MAX: usize = 13;

/// The scheme of a number that does not say its country.
pub(crate) const NATIONAL: &str = "national";

static WORDS: Words = Words::of(&[
    "phone",
    "tel",
    "telephone",
    "telefon",
    "téléphone",
    "teléfono",
    "telefono",
    "telefone",
    "telefoon",
    "telefonnummer",
    "mobile",
    "mob",
    "mobil",
    "mobiltelefon",
    "móvil",
    "portable",
    "handy",
    "handynummer",
    "gsm",
    "cell",
    "cellphone",
    "cellulare",
    "fax",
    "puhelin",
    "puh",
    "puhelinnumero",
    "tlf",
    "telf",
    "tfn",
    "mobilnummer",
    "komórka",
    "telefón",
    "sími",
    "fón",
    "guthán",
    "whatsapp",
    "sms",
    "msisdn",
    "hotline",
    "call",
    "ring",
    "appelez",
    "rufen",
    "llame",
    "dial",
]);

/// The number that begins with this plus.
pub(crate) fn international(text: &[u8], start: usize) -> Option<Hit> {
    let last = before(text, start, 1);
    if is_word(last) || matches!(last, b'+' | b'_' | b'@' | b'.' | b'-' | b'/' | b'*') {
        return None;
    }
    let number = written(text, start.checked_add(1)?)?;
    longest(text, start, &number, plan::international)
}

/// The number that begins there as it is written inside a country, or with 00 before the country's code.
pub(crate) fn national(text: &[u8], start: usize) -> Option<Hit> {
    let first = if before(text, start, 1) == b'(' { start.checked_sub(1)? } else { start };
    if !opens(text, first)
        || matches!(before(text, first, 1), b'.' | b'/' | b':') && is_word(before(text, first, 2))
    {
        return None;
    }
    let number = written(text, start)?;
    let count = number.digits.as_slice().len();
    let abroad = number.digits.as_slice().strip_prefix(&[0, 0]);
    if let Some(abroad) = abroad
        && at(text, start.checked_add(1)?) == b'0'
        && (number.parts > 1 || has_word_near(text, first, number.end, &WORDS))
        && let Some(country) = plan::international(abroad)
        && closes(text, number.end)
    {
        return Some(Hit::new((first, number.end), Kind::Phone, country, Validation::Plan));
    }
    // Several countries have numbers written so: which it is, the number does not say.
    let of_length = (NATIONAL_DIGITS_MIN..=NATIONAL_DIGITS_MAX).contains(&count);
    if !of_length || number.is_date || !has_word_near(text, first, number.end, &WORDS) {
        return None;
    }
    longest(text, first, &number, |digits| plan::national(digits).then_some(NATIONAL))
}

/// The whole number, or as many of its parts from the first on as make one: another number may follow.
fn longest(
    text: &[u8],
    start: usize,
    number: &Written,
    country: impl Fn(&[u8]) -> Option<&'static str>,
) -> Option<Hit> {
    let ends = number.ends.get(..number.parts)?.iter().rev();
    for (count, end) in ends {
        let country = number.digits.as_slice().get(..*count).and_then(&country);
        if let Some(country) = country.filter(|_| closes(text, *end)) {
            return Some(Hit::new((start, *end), Kind::Phone, country, Validation::Plan));
        }
    }
    None
}

/// The country of a text that is a number and nothing else, or [`NATIONAL`].
pub(crate) fn whole(text: &[u8]) -> Option<&'static str> {
    let plus = text.first() == Some(&b'+');
    let number = written(text, usize::from(plus))?;
    if number.end != text.len() {
        return None;
    }
    let digits = number.digits.as_slice();
    if plus {
        return plan::international(digits);
    }
    let abroad = digits.strip_prefix(&[0, 0]).and_then(plan::international);
    abroad.or_else(|| (!number.is_date && plan::national(digits)).then_some(NATIONAL))
}

struct Written {
    digits: Digits<DIGITS_MAX_WRITTEN>,
    /// After each part: how many digits there are so far, and where it ends.
    ends: [(usize, usize); PARTS_MAX],
    parts: usize,
    end: usize,
    /// Parts of 4, 2 and 2 digits, or of 2, 2 and 4.
    is_date: bool,
}

/// With 00 or a trunk's 0 in brackets.
const DIGITS_MAX_WRITTEN: usize = DIGITS_MAX + 3;

/// Digits in parts: between them a space, a hyphen, a point or a slash, and brackets around one part.
fn written(text: &[u8], start: usize) -> Option<Written> {
    let mut number = Written {
        digits: Digits::new(),
        ends: [(0, start); PARTS_MAX],
        parts: 0,
        end: start,
        is_date: false,
    };
    let mut lengths = [0_usize; PARTS_MAX];
    let mut place = start;
    for part in 0..PARTS_MAX {
        let from = if part == 0 && at(text, place) != b'(' { place } else { parted(text, place, part == 0) };
        // The trunk's nought, which is not dialled from abroad: +49 (0) 30 …
        let from = if part > 0 && text.get(from..)?.starts_with(b"0)") {
            parted(text, from.saturating_add(1), false)
        } else {
            from
        };
        let run = digits(text, from);
        if run == 0 || run > DIGITS_MAX {
            break;
        }
        let end = from.saturating_add(run);
        let before = number.digits;
        if !text.get(from..end)?.iter().all(|digit| number.digits.push(*digit)) {
            number.digits = before;
            break;
        }
        if let (Some(length), Some(ending)) = (lengths.get_mut(part), number.ends.get_mut(part)) {
            *length = run;
            *ending = (number.digits.as_slice().len(), end);
        }
        number.parts = part.saturating_add(1);
        number.end = end;
        place = end;
    }
    number.is_date = matches!(lengths, [4, 2, 2, ..] | [2, 2, 4, 0, ..] | [1, 2, 4, 0, ..]);
    (number.parts > 0).then_some(number)
}

/// Past what may stand between two parts.
fn parted(text: &[u8], place: usize, first: bool) -> usize {
    let mut place = place;
    let mut taken = 0_usize;
    while taken < 3 {
        match at(text, place) {
            b' ' | b'-' | b'.' | b'/' if !first => place = place.saturating_add(1),
            b'(' | b')' => place = place.saturating_add(1),
            // A space that does not break, in UTF-8.
            0xC2 if at(text, place.saturating_add(1)) == 0xA0 => place = place.saturating_add(2),
            _ => break,
        }
        taken = taken.saturating_add(1);
    }
    place
}
