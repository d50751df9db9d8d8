//! Days as numbers carry them: of which century, months and days that carry more than themselves. Not here: calendars
//! beyond the Gregorian one, and today: a day to come is a day.

/// Two digits from there on.
pub(super) fn two(value: &[u8], place: usize) -> Option<u32> {
    let tens = digit(value, place)?;
    Some(tens * 10 + digit(value, place.checked_add(1)?)?)
}

pub(super) fn digit(value: &[u8], place: usize) -> Option<u32> {
    char::from(*value.get(place)?).to_digit(10)
}

/// Whether there is such a day. Years are of four digits.
pub(super) const fn is_day(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    day >= 1 && day <= last
}

/// Whether there is such a day in a year of which only two digits are known: 29 February is one in any leap year.
pub(super) const fn is_day_of_any(year: u32, month: u32, day: u32) -> bool {
    is_day(1900 + year, month, day) || is_day(2000 + year, month, day)
}
