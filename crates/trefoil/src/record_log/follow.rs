//! `trefoil record show --follow`: entries as they come, published or not yet, until somebody interrupts or nobody
//! reads any more.

use std::io::Write;
use std::time::Duration;

use crate::cli::Show;
use crate::ended::Ended;
use crate::folder::Folder;
use crate::record_log::show::{Failed, detail, lines, opener, reading};

/// How often is looked for new entries.
const LOOK_EVERY_MS: u64 = 300;
/// Entries shown before the first new one.
const BEFORE_ENTRIES: u64 = 10;

pub(super) fn follow(asked: &Show, folder: &Folder) -> Result<(), Ended> {
    let mut opener = opener(folder)?;
    let mut next = asked.index;
    loop {
        let reading = reading(folder)?;
        let from = next.unwrap_or_else(|| reading.size().saturating_sub(BEFORE_ENTRIES));
        let mut out = std::io::stdout().lock();
        let mut is_read = true;
        let shown = reading.each(from, reading.size(), |shown| {
            let detail = detail(opener.as_mut(), &shown)?;
            for line in lines(&shown, detail, asked.json, false)? {
                is_read = is_read && writeln!(out, "{line}").is_ok();
            }
            Ok(())
        });
        shown.map_err(|Failed(ended)| ended)?;
        // Nobody can be told that nobody reads.
        if !is_read || out.flush().is_err() {
            return Ok(());
        }
        drop(out);
        next = Some(from.max(reading.size()));
        std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
    }
}
