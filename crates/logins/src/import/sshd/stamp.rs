//! The time at the beginning of a line: RFC 3339, or the older one that says neither year nor zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::{Options, time};
use crate::problem::Wrong;
use crate::text::shown;

/// A clock may be ahead of ours by so much.
const AHEAD_MS: i64 = 24 * 60 * 60 * 1_000;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The 29th of February is in one of so many years.
const LEAP_YEARS: i16 = 8;

/// Which year a line is of.
pub(super) struct Years {
    zone: TimeZone,
    now_ms: i64,
    /// The year that was asked for, and the month of the line before.
    asked: Option<(i16, Option<i8>)>,
}

impl Years {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            zone: options.zone.clone(),
            now_ms: options.now_ms,
            asked: options.year.map(|year| (year, None)),
        }
    }

    /// The time and what follows it.
    pub(super) fn stamp<'a>(&mut self, line: &'a str) -> Result<(i64, &'a str), Wrong> {
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            let (stamp, rest) = line.split_once(' ').unwrap_or((line, ""));
            let time = time::iso(stamp, &self.zone);
            return time.map(|time| (time, rest)).ok_or_else(|| no_time(line));
        }
        // `Mmm dd hh:mm:ss`, the day padded with a blank.
        let stamp = line.get(..15).ok_or_else(|| no_time(line))?;
        let rest = line.get(15..).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(|| no_time(line))?;
        let time_ms = parts(stamp).and_then(|parts| self.in_year(parts)).ok_or_else(|| no_time(line))?;
        Ok((time_ms, rest))
    }

    fn in_year(&mut self, parts: Parts) -> Option<i64> {
        if let Some((year, before)) = &mut self.asked {
            let month = parts.month;
            let before = before.get_or_insert(month);
            // Lines are a little out of order: of the month before, and of the year before in January.
            if month == 12 && *before == 1 {
                let year = *year - 1;
                return self.millis(year, parts);
            }
            // A log goes on in the next year where its months begin again.
            if month < *before - 1 {
                *year += 1;
            }
            *before = month;
            let year = *year;
            return self.millis(year, parts);
        }
        let latest = self.now_ms.saturating_add(AHEAD_MS);
        let year = Timestamp::from_millisecond(latest).ok()?.to_zoned(self.zone.clone()).year();
        (0..=LEAP_YEARS).filter_map(|ago| self.millis(year - ago, parts)).find(|time_ms| *time_ms <= latest)
    }

    fn millis(&self, year: i16, parts: Parts) -> Option<i64> {
        let Parts { month, day, hour, minute, second } = parts;
        let civil = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        let time = self.zone.to_timestamp(civil).ok()?;
        time::in_range(time.as_millisecond())
    }
}

#[derive(Clone, Copy)]
struct Parts {
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
}

fn parts(stamp: &str) -> Option<Parts> {
    let month = MONTHS.iter().position(|month| stamp.get(..3) == Some(month))?;
    let number = |from: usize| stamp.get(from..from + 2)?.trim_start().parse::<i8>().ok();
    let is_formed = stamp.get(9..10) == Some(":") && stamp.get(12..13) == Some(":");
    let parts = Parts {
        month: i8::try_from(month + 1).ok()?,
        day: number(4)?,
        hour: number(7)?,
        minute: number(10)?,
        // A leap second is told as the one before it.
        second: number(13)?.min(59),
    };
    is_formed.then_some(parts)
}

fn no_time(line: &str) -> Wrong {
    Wrong::new("", format!("no time at the beginning: `{}`", shown(line)))
}
