//! `trefoil record prove`: a receipt that an entry is in the record, which needs nothing beside it but the keys to
//! trust. It is verified before it is handed out.

use std::time::Duration;

use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::note::SignedNote;
use tlog::proof::{Receipt, ReceiptError};
use tlog::reader::{CHECKPOINT_PATH, Source, Tiles, TilesError};
use tlog::rule::ReleaseRule;

use super::show::reading;
use super::target::Target;
use crate::cli::Prove;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::terminal;

/// How long an entry that is written and not published is waited for.
const PUBLISH_WAIT_MS_MAX: u64 = 2_000;
const PUBLISH_POLL_MS: u64 = 50;

pub(crate) fn prove(asked: &Prove) -> Result<(), Ended> {
    let target = Target::find(asked.from.as_deref(), &asked.enclave)?;
    let rule = target.rule(asked.rule.as_deref(), &asked.enclave)?;
    if let Target::Enclave(dir) = &target {
        wait_published(&Folder::at(dir.clone()), asked.index)?;
    }
    let receipt = receipt(&target.open(asked.ca.as_deref())?, &rule, asked.index)?;
    if asked.json {
        let size = Checkpoint::parse(&receipt.note.text).or_cannot_tell("reading the checkpoint")?.size;
        return terminal::say_json(
            &json!({ "index": asked.index, "size": size, "receipt": receipt.to_string() }),
        );
    }
    terminal::say(receipt.to_string().trim_end_matches('\n'));
    Ok(())
}

/// An entry is published a moment after it was written; whoever has just seen it written need not ask twice.
fn wait_published(folder: &Folder, index: u64) -> Result<(), Ended> {
    for _ in 0..PUBLISH_WAIT_MS_MAX / PUBLISH_POLL_MS {
        let reading = reading(folder)?;
        if index < reading.published() || index >= reading.size() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(PUBLISH_POLL_MS));
    }
    Ok(())
}

/// The receipt of entry `index`, under the newest published checkpoint.
pub(crate) fn receipt<S: Source>(source: &S, rule: &ReleaseRule, index: u64) -> Result<Receipt, Ended> {
    let doing = format!("reading the {CHECKPOINT_PATH}");
    let bytes = source.read(CHECKPOINT_PATH).or_cannot_tell(&doing)?;
    let bytes = bytes.ok_or_else(|| Ended::cannot_tell(format!("{doing}: there is none yet")))?;
    let note = SignedNote::parse(&bytes).or_not(&doing)?;
    let size = Checkpoint::parse(&note.text).or_not(&doing)?.size;
    if index >= size {
        return Err(Ended::cannot_tell(format!("the published record has {size} entries, numbered from 0")));
    }
    let tiles = Tiles::new(source, size);
    let failed = |error: TilesError| match error {
        TilesError::Read { .. } => Ended::cannot_tell(error.to_string()),
        other => Ended::not(format!("the record is not whole: {other}")),
    };
    let entry = tiles.entry(index).map_err(failed)?;
    let hashes = tiles.inclusion(index).map_err(failed)?;
    let receipt = Receipt { extra: Some(entry), index, hashes, note };
    let not_whole = |error: ReceiptError| Ended::not(format!("the record is not whole: {error}"));
    receipt.verify_entry(rule).map_err(not_whole)?;
    Ok(receipt)
}
