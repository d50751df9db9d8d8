//! Points on the Earth: pairs of decimal degrees, and degrees with minutes and seconds. A pair of numbers is one only
//! if both are precise and in range and no list goes on around them, or if a word beside them says so. Not here:
//! addresses in words.

use crate::text::{Words, at, before, digits, has_word, has_word_before, is_word};
use crate::{Hit, Kind, Validation};

/// Of a degree of latitude.
const METRES_A_DEGREE: u32 = 111_320;
/// Fewer decimals than this, about eleven metres, are any numbers.
const DECIMALS_MIN: usize = 4;
const DECIMALS_MAX: usize = 17;
const BETWEEN_BYTES_MAX: usize = 24;
const WORD_BYTES: usize = 24;

static WORDS: Words = Words::of(&[
    "lat",
    "latitude",
    "lon",
    "lng",
    "long",
    "longitude",
    "coord",
    "geo",
    "gps",
    "location",
    "position",
    "point",
    "ll",
    "breite",
    "länge",
    "standort",
    "maps",
]);
static LABELS: Words = Words::of(&["lat", "latitude", "lon", "lng", "long", "longitude", "x", "y"]);
static LONGITUDE_FIRST: Words = Words::of(&["lon", "lng", "long", "longitude", "point", "coordinates"]);

/// The pair that begins with the number there, its sign before it.
pub(crate) fn pair(text: &[u8], place: usize, floor: usize) -> Option<Hit> {
    sexagesimal(text, place).or_else(|| decimal(text, place, floor))
}

struct Number {
    start: usize,
    end: usize,
    /// Whole degrees, without the sign.
    whole: u32,
    decimals: usize,
    /// Whether there is anything behind the point but zeros.
    exact: bool,
}

fn number(text: &[u8], place: usize, floor: usize) -> Option<Number> {
    let signed = before(text, place, 1) == b'-' || before(text, place, 1) == b'+';
    let start = if signed { place.checked_sub(1)? } else { place };
    let last = before(text, start, 1);
    if start < floor || is_word(last) || matches!(last, b'.' | b'_' | b'-' | b'+' | b'$' | b'#') {
        return None;
    }
    let run = digits(text, place);
    let point = place.checked_add(run)?;
    let decimals = digits(text, point.checked_add(1)?);
    if run == 0 || run > 3 || at(text, point) != b'.' || decimals == 0 || decimals > DECIMALS_MAX {
        return None;
    }
    let end = point.checked_add(1)?.checked_add(decimals)?;
    let whole =
        text.get(place..point)?.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
    let exact = text.get(point..end)?.iter().any(|byte| matches!(byte, b'1'..=b'9'));
    (!is_word(at(text, end)) && !matches!(at(text, end), b'%' | b'_')).then_some(Number {
        start,
        end,
        whole,
        decimals,
        exact,
    })
}

fn decimal(text: &[u8], place: usize, floor: usize) -> Option<Hit> {
    let first = number(text, place, floor)?;
    if first.decimals < 2 || first.whole > 180 {
        return None;
    }
    let told = has_word_before(text, first.start, WORD_BYTES, &WORDS);
    let (second, between) = second(text, &first, told)?;
    let longitude_first = has_word_before(text, first.start, WORD_BYTES, &LONGITUDE_FIRST);
    let in_range = (first.whole < 90 && second.whole < 180)
        || (longitude_first && second.whole < 90 && first.whole < 180);
    let decimals = first.decimals.min(second.decimals);
    if !(in_range && first.exact && second.exact) {
        return None;
    }
    if !told {
        let near_nothing = first.whole == 0 && second.whole == 0;
        let comma = matches!(between, b"," | b", " | b";" | b"; ");
        if !comma || decimals < DECIMALS_MIN || near_nothing || in_list(text, &first, &second) {
            return None;
        }
    }
    let mut hit = Hit::new((first.start, second.end), Kind::Coordinates, "decimal", Validation::Plan);
    let steps = 10_u32.saturating_pow(u32::try_from(decimals).unwrap_or(u32::MAX));
    hit.precision_m = Some((METRES_A_DEGREE / steps).max(1));
    Some(hit)
}

/// The other number of a pair, and what is between: a comma or a space, and where words tell, words.
fn second<'a>(text: &'a [u8], first: &Number, told: bool) -> Option<(Number, &'a [u8])> {
    let rest = text.get(first.end..)?;
    let most = if told { BETWEEN_BYTES_MAX } else { 4 };
    let distance = rest.iter().take(most).position(u8::is_ascii_digit)?;
    let place = first.end.checked_add(distance)?;
    let second = number(text, place, first.end).filter(|second| second.decimals >= 2)?;
    let between = text.get(first.end..second.start)?;
    let plain = |byte: &u8| matches!(byte, b',' | b';' | b' ' | b'/' | b'|' | b'\t') || !byte.is_ascii();
    let fits = between.iter().all(plain) || (told && has_word(between, 0, between.len(), &LABELS));
    (fits && !between.is_empty() && !between.contains(&b'\n')).then_some((second, between))
}

/// Whether numbers go on before or behind: a row of a table, a vector.
fn in_list(text: &[u8], first: &Number, second: &Number) -> bool {
    let goes_on = |place: usize, step: &dyn Fn(usize) -> usize| {
        let skip = |mut place: usize| {
            for _ in 0..2 {
                if at(text, place) == b' ' {
                    place = step(place);
                }
            }
            place
        };
        let place = skip(place);
        matches!(at(text, place), b',' | b';')
            && matches!(at(text, skip(step(place))), b'0'..=b'9' | b'-' | b'.')
    };
    let behind = goes_on(second.end, &|place| place.saturating_add(1));
    let before =
        first.start.checked_sub(1).is_some_and(|place| goes_on(place, &|place| place.saturating_sub(1)));
    behind || before
}

/// A pair such as 53°20'59"N 6°15'37"W, or one with decimals: 53.3498° N, 6.2603° W.
fn sexagesimal(text: &[u8], start: usize) -> Option<Hit> {
    let last = before(text, start, 1);
    if is_word(last) || matches!(last, b'.' | b'-' | b'_') {
        return None;
    }
    let latitude = angle(text, start)?;
    let mut place = latitude.end;
    for _ in 0..3 {
        if matches!(at(text, place), b',' | b' ' | b'/' | b';') {
            place = place.saturating_add(1);
        }
    }
    let longitude = angle(text, place)?;
    let fits = |first: &Angle, second: &Angle| {
        matches!(first.towards, b'N' | b'S')
            && matches!(second.towards, b'E' | b'W' | b'O')
            && first.degrees <= 90
    };
    if !fits(&latitude, &longitude) && !fits(&longitude, &latitude)
        || latitude.degrees.max(longitude.degrees) > 180
    {
        return None;
    }
    let mut hit = Hit::new((start, longitude.end), Kind::Coordinates, "dms", Validation::Plan);
    hit.precision_m = Some(latitude.metres.max(longitude.metres).max(1));
    Some(hit)
}

struct Angle {
    end: usize,
    degrees: u32,
    towards: u8,
    metres: u32,
}

/// One angle and the letter that says towards where.
fn angle(text: &[u8], start: usize) -> Option<Angle> {
    let (degrees, mut place, mut metres) = part(text, start, METRES_A_DEGREE)?;
    place = marked(text, place, &["°", "º", "˚"])?;
    if let Some((minutes, end, precise)) = part(text, place, METRES_A_DEGREE / 60)
        && let Some(end) = marked(text, end, &["'", "′", "’"])
    {
        (minutes < 60).then_some(())?;
        (place, metres) = (end, precise);
        if let Some((seconds, end, precise)) = part(text, place, METRES_A_DEGREE / 3600)
            && let Some(end) = marked(text, end, &["\"", "″", "''", "”", "\\\""])
        {
            (seconds < 60).then_some(())?;
            (place, metres) = (end, precise);
        }
    }
    if at(text, place) == b' ' {
        place = place.saturating_add(1);
    }
    let towards = at(text, place).to_ascii_uppercase();
    let end = place.saturating_add(1);
    (matches!(towards, b'N' | b'S' | b'E' | b'W' | b'O') && !is_word(at(text, end))).then_some(Angle {
        end,
        degrees,
        towards,
        metres,
    })
}

/// A number with or without decimals: its whole part, where it ends, and what its last digit is worth in metres.
fn part(text: &[u8], start: usize, metres: u32) -> Option<(u32, usize, u32)> {
    let start = if at(text, start) == b' ' { start.checked_add(1)? } else { start };
    let run = digits(text, start);
    if run == 0 || run > 3 {
        return None;
    }
    let mut end = start.checked_add(run)?;
    let whole =
        text.get(start..end)?.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit.wrapping_sub(b'0')));
    let mut worth = metres;
    if matches!(at(text, end), b'.' | b',') {
        let decimals = digits(text, end.checked_add(1)?).min(DECIMALS_MAX);
        if decimals > 0 {
            end = end.checked_add(1)?.checked_add(decimals)?;
            worth = metres / 10_u32.saturating_pow(u32::try_from(decimals).unwrap_or(u32::MAX));
        }
    }
    Some((whole, end, worth))
}

/// Past one of the marks, with or without a space before it.
fn marked(text: &[u8], place: usize, marks: &[&str]) -> Option<usize> {
    let place = if at(text, place) == b' ' { place.checked_add(1)? } else { place };
    let rest = text.get(place..)?;
    marks.iter().find(|mark| rest.starts_with(mark.as_bytes())).map(|mark| place.saturating_add(mark.len()))
}
