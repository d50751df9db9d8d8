//! `trefoil record prove`: a receipt that an entry is in the record, which needs nothing beside it but the keys to
//! trust. It is verified before it is handed out.

use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::note::SignedNote;
use tlog::proof::{Receipt, ReceiptError};
use tlog::reader::{CHECKPOINT_PATH, Source, Tiles, TilesError};
use tlog::rule::ReleaseRule;

use super::target::Target;
use crate::cli::Prove;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

pub(crate) fn prove(asked: &Prove) -> Result<(), Ended> {
    let target = Target::find(asked.from.as_deref(), &asked.enclave)?;
    let rule = target.rule(asked.rule.as_deref(), &asked.enclave)?;
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
