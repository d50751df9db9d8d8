//! Times as products write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::login::{TIME_MS_MAX, TIME_MS_MIN, is_seconds};

/// Milliseconds since 1970 of an ISO 8601 time, which is in `zone` unless it says its own; `2024-05-01 10:00:00` is one
/// too, and PowerShell's `/Date(…)/`.
pub(super) fn iso(text: &str, zone: &TimeZone) -> Option<i64> {
    let text = text.trim();
    if let Some(number) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return number.parse().ok().and_then(in_range);
    }
    let time = match text.parse::<Timestamp>() {
        Ok(time) => time,
        Err(_) => zone.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    in_range(time.as_millisecond())
}

/// As [`iso`]; a number is seconds or milliseconds since 1970, which differ enough to be told apart.
pub(super) fn value(value: &Value, zone: &TimeZone) -> Option<i64> {
    const LATEST_SECOND: f64 = 100_000_000_000.0;
    match value {
        Value::String(text) => iso(text, zone),
        Value::Number(number) => {
            let number = number.as_f64()?;
            let millis = if number.abs() < LATEST_SECOND { number * 1e3 } else { number };
            // The range is checked before the conversion, which would saturate.
            (millis.abs() < 1e15).then_some(millis as i64).and_then(in_range)
        }
        _ => None,
    }
}

/// A time that is no later than the year 9999 and, written in milliseconds, would not be read as seconds.
pub(super) fn in_range(time_ms: i64) -> Option<i64> {
    ((TIME_MS_MIN..=TIME_MS_MAX).contains(&time_ms) && !is_seconds(time_ms)).then_some(time_ms)
}
