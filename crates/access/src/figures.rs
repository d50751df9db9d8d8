//! What the gate counts of itself while it runs: statements, rows, bytes, and how long witnesses took. Counting costs a
//! few atomic additions a release. Not here: who asks for it (`status`).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::{Duration, Instant};

/// Rates are over the last so many seconds.
pub const RATE_SECONDS: usize = 10;
/// Waits are those of the last so many releases.
const WAITS_KEPT: usize = 4_096;

/// Running totals, and the last waits.
#[derive(Debug)]
pub struct Figures {
    statements: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Microseconds; the oldest is overwritten.
    waits: Box<[AtomicU32]>,
    waited: AtomicUsize,
    seconds: Mutex<VecDeque<(Instant, Totals)>>,
}

/// What was released since the gate started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub statements: u64,
    pub rows: u64,
    pub bytes: u64,
}

/// What was released a second, lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// How long that is an average of: zero in the gate's first second.
    pub over_seconds: f64,
    pub statements_per_second: f64,
    pub rows_per_second: f64,
    pub bytes_per_second: f64,
}

/// How long the last releases waited for their witness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// How many these are.
    pub count: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            statements: AtomicU64::default(),
            rows: AtomicU64::default(),
            bytes: AtomicU64::default(),
            waits: (0..WAITS_KEPT).map(|_| AtomicU32::default()).collect(),
            waited: AtomicUsize::default(),
            seconds: Mutex::default(),
        }
    }
}

impl Figures {
    /// Counts what a release gave, and how long its witness took.
    pub fn released(&self, gave: Totals, waited: Duration) {
        self.statements.fetch_add(gave.statements, Relaxed);
        self.rows.fetch_add(gave.rows, Relaxed);
        self.bytes.fetch_add(gave.bytes, Relaxed);
        let at = self.waited.fetch_add(1, Relaxed) % WAITS_KEPT;
        if let Some(slot) = self.waits.get(at) {
            slot.store(u32::try_from(waited.as_micros()).unwrap_or(u32::MAX), Relaxed);
        }
    }

    /// What was released so far.
    pub fn totals(&self) -> Totals {
        Totals {
            statements: self.statements.load(Relaxed),
            rows: self.rows.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }

    /// Notes the totals of this second; to be called once in each.
    pub fn tick(&self, now: Instant) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.push_back((now, self.totals()));
        while seconds.len() > RATE_SECONDS {
            seconds.pop_front();
        }
    }

    /// What is released a second.
    pub fn rates(&self, now: Instant) -> Rates {
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((since, before)) = seconds.front().filter(|(since, _)| *since < now) else {
            return Rates::default();
        };
        let (over, totals) = (now.duration_since(*since), self.totals());
        let rate = |now: u64, before: u64| per(now.saturating_sub(before), over);
        Rates {
            over_seconds: rounded(over.as_secs_f64()),
            statements_per_second: rate(totals.statements, before.statements),
            rows_per_second: rate(totals.rows, before.rows),
            bytes_per_second: rate(totals.bytes, before.bytes),
        }
    }

    /// How long the last releases waited.
    pub fn waits(&self) -> Waits {
        let kept = self.waited.load(Relaxed).min(WAITS_KEPT);
        let mut waits: Vec<u32> = self.waits.iter().take(kept).map(|wait| wait.load(Relaxed)).collect();
        waits.sort_unstable();
        let at = |percent: usize| waits.get((kept * percent).div_ceil(100).saturating_sub(1));
        let ms = |wait: Option<&u32>| wait.map_or(0.0, |wait| f64::from(*wait) / 1_000.0);
        let count = u64::try_from(kept).unwrap_or_default();
        Waits { count, p50_ms: ms(at(50)), p99_ms: ms(at(99)), max_ms: ms(waits.last()) }
    }
}

/// So much a second, to a tenth. A count of 2^53 and more is not exact, and need not be.
#[allow(clippy::cast_precision_loss, reason = "a rate is for people")]
fn per(count: u64, over: Duration) -> f64 {
    rounded(count as f64 / over.as_secs_f64())
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_of_the_last_seconds_and_waits_of_the_last_releases() {
        let figures = Figures::default();
        let start = crate::clock::instant();
        assert_eq!((figures.rates(start), figures.waits()), (Rates::default(), Waits::default()));
        for second in 0..100_u64 {
            figures.tick(start + Duration::from_secs(second));
            // Twice as much in the last ten seconds as before.
            let times = if second < 90 { 1 } else { 2 };
            for n in 1..=100 {
                let gave = Totals { statements: times, rows: 10 * times, bytes: 1_000 * times };
                figures.released(gave, Duration::from_micros(n * 100));
            }
        }
        let rates = figures.rates(start + Duration::from_secs(100));
        assert_eq!(rates.over_seconds, 10.0);
        assert_eq!(
            (rates.statements_per_second, rates.rows_per_second, rates.bytes_per_second),
            (200.0, 2_000.0, 200_000.0)
        );
        let waits = figures.waits();
        assert_eq!((waits.count, waits.max_ms), (4_096, 10.0));
        assert!((5.0..=5.1).contains(&waits.p50_ms) && (9.9..=10.0).contains(&waits.p99_ms), "{waits:?}");
    }
}
