//! `trefoil record open`: one sealed detail, opened by whoever has an identity for it, and held against the entry's
//! commitment.

use record::show::{Opener, ShowError};
use serde_json::json;
use tlog::detail::DetailError;
use tlog::entry::Kind;

use crate::cli::Open;
use crate::ended::{Ended, OrEnded};
use crate::folder;
use crate::record_log::show::reading;
use crate::terminal;

pub(crate) fn open(asked: &Open) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    // What was handed over to an auditor has the record and the wrapped keys, and nothing that says it is an enclave.
    if !folder.gate("keys").is_dir() {
        folder.require_complete()?;
    }
    let identity = folder::read_text(&asked.key)?;
    let reading = reading(&folder)?;
    let index = asked.index;
    let shown = reading.get(index).or_cannot_tell("reading the record")?.ok_or_else(|| {
        Ended::cannot_tell(format!("the record has {} entries, numbered from 0", reading.size()))
    })?;
    let entry = shown.entry().or_cannot_tell("reading the record")?;
    let opened = Opener::new(identity_line(&identity), folder.gate("keys")).open(&shown).map_err(refused)?;
    let Some(detail) = opened else {
        let why = match entry.kind {
            Kind::KeyMade => "is about a day key, which is its detail and is not printed",
            _ => "has no detail",
        };
        return Err(Ended::cannot_tell(format!("entry {index} ({}) {why}", entry.kind)));
    };
    if asked.json {
        let commitment = entry.detail;
        return terminal::say_json(&json!({ "index": index, "commitment": commitment, "detail": detail }));
    }
    terminal::say(&serde_json::to_string_pretty(&detail).or_cannot_tell("writing JSON")?);
    Ok(())
}

/// The identity in a key file as age-keygen writes it, with comments, or by itself.
fn identity_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default()
}

/// What was altered is not as promised; what another key would open cannot be told.
fn refused(error: ShowError) -> Ended {
    let said = error.to_string();
    match error {
        ShowError::Commitment { .. }
        | ShowError::Detail { error: DetailError::Seal | DetailError::Form, .. } => Ended::not(said),
        _ => Ended::cannot_tell(said),
    }
}
