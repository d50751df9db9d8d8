//! Times in entries: whole microseconds, written one way only. The clock itself is the caller's.

use std::fmt;

const MICROS_PER_SEC: i64 = 1_000_000;
const SECS_PER_DAY: i64 = 86_400;
/// Days from 1 March of year 0 to 1 January 1970 in the proleptic Gregorian calendar.
const DAYS_TO_1970: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
/// 0000-01-01T00:00:00.000000Z and 9999-12-31T23:59:59.999999Z: what RFC 3339 can write.
const MICROS_MIN: i64 = -62_167_219_200 * MICROS_PER_SEC;
const MICROS_MAX: i64 = 253_402_300_800 * MICROS_PER_SEC - 1;

/// Length of `2026-01-31T23:59:59.000001Z`.
const RFC_3339_BYTES: usize = 27;

/// Microseconds since 1970-01-01T00:00:00Z. Displays in RFC 3339, or as a number where RFC 3339 has no year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// `2026-01-31T23:59:59.000001Z`. `None` outside the years 0000 to 9999.
    pub fn to_rfc3339(self) -> Option<String> {
        if !(MICROS_MIN..=MICROS_MAX).contains(&self.0) {
            return None;
        }
        let (secs, micros) = (self.0.div_euclid(MICROS_PER_SEC), self.0.rem_euclid(MICROS_PER_SEC));
        let (days, second) = (secs.div_euclid(SECS_PER_DAY), secs.rem_euclid(SECS_PER_DAY));
        let (year, month, day) = date_of(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let mut text = String::with_capacity(RFC_3339_BYTES);
        for (number, digits, after) in [
            (year, 4, '-'),
            (month, 2, '-'),
            (day, 2, 'T'),
            (hour, 2, ':'),
            (minute, 2, ':'),
            (second, 2, '.'),
            (micros, 6, 'Z'),
        ] {
            // Every entry has a time, and the formatter takes longer than all else that is written of one.
            let tens = (0..digits).rev().map(|power| number / 10_i64.pow(power) % 10);
            text.extend(tens.map(|digit| char::from(b'0' + u8::try_from(digit).unwrap_or_default())));
            text.push(after);
        }
        Some(text)
    }

    /// Reads exactly what [`Micros::to_rfc3339`] writes: UTC, six fraction digits, `Z`, no leap second.
    pub fn parse_rfc3339(text: &str) -> Option<Micros> {
        let (date, time) = text.split_once('T')?;
        let (clock, micros) = time.strip_suffix('Z')?.split_once('.')?;
        let [year, month, day] = numbers(date, '-')?;
        let [hour, minute, second] = numbers(clock, ':')?;
        let [micros] = numbers(micros, '.')?;
        let days = days_of(year, month, day);
        let secs = days * SECS_PER_DAY + hour * 3600 + minute * 60 + second;
        let parsed = Micros(secs.checked_mul(MICROS_PER_SEC)?.checked_add(micros)?);
        // Out-of-range parts (a 30 February, a second 60) and other spellings come back as a different text.
        (parsed.to_rfc3339().as_deref() == Some(text)).then_some(parsed)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339() {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} microseconds after 1970", self.0),
        }
    }
}

/// `N` numbers of at most six digits each.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[i64; N]> {
    let mut parts = text.split(between);
    let mut out = [0i64; N];
    for number in &mut out {
        let digits = parts.next()?;
        if digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = digits.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

/// Days since 1970 of a date. Years start in March here, so that the leap day is the last day of a year.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970
}

/// The date, as year, month and day, of a number of days since 1970.
fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_399_123_456, "2100-02-28T23:59:59.123456Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (1_769_903_999_000_001, "2026-01-31T23:59:59.000001Z"),
            (MICROS_MIN, "0000-01-01T00:00:00.000000Z"),
            (MICROS_MAX, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Micros(micros).to_rfc3339().as_deref(), Some(text));
            assert_eq!(Micros::parse_rfc3339(text), Some(Micros(micros)), "{text}");
        }
        for micros in [MICROS_MIN - 1, MICROS_MAX + 1, i64::MIN, i64::MAX] {
            assert_eq!(Micros(micros).to_rfc3339(), None);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "",
            "T.Z",
            "2026-01-31T23:59:59Z",
            "2026-01-31T23:59:59.00001Z",
            "2026-01-31T23:59:59.0000010Z",
            "2026-01-31T23:59:59.000001z",
            "2026-01-31t23:59:59.000001Z",
            "2026-01-31T23:59:59.000001+00:00",
            "2026-01-31T23:59:60.000001Z",
            "2026-01-31T24:00:00.000000Z",
            "2026-02-29T00:00:00.000000Z",
            "2026-00-10T00:00:00.000000Z",
            "2026-13-10T00:00:00.000000Z",
            "+026-01-31T00:00:00.000000Z",
            "999999-99-99T99:99:99.999999Z",
            "999999-9-9T99:99:99.999999Z",
            "2026-1-31T00:00:00.000000Z",
        ] {
            assert_eq!(Micros::parse_rfc3339(text), None, "{text}");
        }
    }
}
