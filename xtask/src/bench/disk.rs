//! What the disk's own fdatasync costs: an append of a batch's size, again and again, as the record does.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;

use super::report::{Spread, quantile, spread_of};
use crate::clock::now;

/// About what a batch of few entries takes.
const APPEND_BYTES: usize = 2_048;
const APPENDS: usize = 400;
/// Pause between two that are measured beside a load.
const BETWEEN: Duration = Duration::from_millis(10);

/// Microseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fsync {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

/// One after the other, with nothing else of ours running.
pub(crate) fn measure(dir: &Path) -> Result<Fsync, String> {
    appends(dir, |done| done < APPENDS, Duration::ZERO)
}

/// Now and then while `load` runs, so that waiting for a core counts as it does for everybody.
pub(crate) fn measure_during<T>(dir: &Path, load: impl FnOnce() -> T) -> (T, Result<Fsync, String>) {
    let runs = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let measuring = scope.spawn(|| appends(dir, |_| runs.load(Relaxed), BETWEEN));
        let outcome = load();
        runs.store(false, Relaxed);
        let lost = |_| Err("the thread that measured fdatasync has ended".to_owned());
        (outcome, measuring.join().unwrap_or_else(lost))
    })
}

fn appends(dir: &Path, goes_on: impl Fn(usize) -> bool, between: Duration) -> Result<Fsync, String> {
    let path = dir.join("fdatasync");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::create(&path).map_err(failed)?;
    let bytes = [7_u8; APPEND_BYTES];
    let mut took = Vec::with_capacity(APPENDS);
    while goes_on(took.len()) {
        let start = now();
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(failed)?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
        std::thread::sleep(between);
    }
    took.sort_by(f64::total_cmp);
    Ok(Fsync { p50_us: quantile(&took, 0.5), p99_us: quantile(&took, 0.99) })
}

/// A line; nothing of nothing.
pub(crate) fn as_text(measured: &[Fsync]) -> String {
    let (p50, p99) = (spread_of(measured, |f| f.p50_us), spread_of(measured, |f| f.p99_us));
    let line = |(p50, p99): (Spread, Spread)| {
        format!("fdatasync of an appended batch: p50 {p50} µs, p99 {p99} µs\n")
    };
    p50.zip(p99).map(line).unwrap_or_default()
}
