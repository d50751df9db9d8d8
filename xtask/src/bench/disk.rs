//! What the disk's own fdatasync costs: an append of a batch's size, again and again, as the record does.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::clock::now;

/// About what a batch of few entries takes.
const APPEND_BYTES: usize = 2_048;
const APPENDS: usize = 400;

/// Microseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fsync {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

pub(crate) fn measure(dir: &Path) -> Result<Fsync, String> {
    let path = dir.join("fdatasync");
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let mut file = File::create(&path).map_err(failed)?;
    let bytes = [7_u8; APPEND_BYTES];
    let mut took = Vec::with_capacity(APPENDS);
    for _ in 0..APPENDS {
        let start = now();
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(failed)?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    Ok(Fsync { p50_us: super::report::quantile(&took, 0.5), p99_us: super::report::quantile(&took, 0.99) })
}
