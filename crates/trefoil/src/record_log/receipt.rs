//! `trefoil record verify RECEIPT`: which entry it proves to be in the record, by its bytes and a rule alone.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tlog::entry::{ENTRY_BYTES_MAX, Entry};
use tlog::hash::{Hash, leaf_hash};
use tlog::proof::{RECEIPT_BYTES_MAX, RECEIPT_START, Receipt, ReceiptError};
use tlog::rule::{Accepted, ReleaseRule};

use super::seen::Seen;
use crate::cli::Verify;
use crate::ended::{Ended, OrEnded};
use crate::terminal::{self, Paint};

/// What is printed of a receipt that proves something. The field names are a promise.
#[derive(Debug, Serialize)]
struct Proved {
    receipt: PathBuf,
    clean: bool,
    origin: String,
    index: u64,
    size: u64,
    root: String,
    /// Hash of the entry as a leaf of the tree.
    leaf: String,
    /// The entry; absent where it is no entry of a record of ours.
    entry: Option<Value>,
    signers: Vec<String>,
}

pub(super) fn verify(
    asked: &Verify,
    file: &Path,
    rule: &ReleaseRule,
    seen: Option<&Seen>,
) -> Result<(), Ended> {
    let bytes = read(file, RECEIPT_BYTES_MAX)?;
    if !bytes.starts_with(RECEIPT_START.as_bytes()) {
        return Err(Ended::cannot_tell(format!("{}: not a receipt ({RECEIPT_START})", file.display())));
    }
    let failed = |error: ReceiptError| match error {
        ReceiptError::NoEntry => Ended::cannot_tell(format!("{}: {error} (--entry FILE)", file.display())),
        other => Ended::not(format!("{}: {other}", file.display())),
    };
    let receipt = Receipt::parse(&bytes).map_err(failed)?;
    let entry = match &asked.entry {
        Some(beside) => read(beside, ENTRY_BYTES_MAX)?,
        None => receipt.entry().map_err(failed)?.to_vec(),
    };
    let leaf = leaf_hash(&entry);
    let accepted = receipt.verify(rule, &leaf).map_err(failed)?;
    if let Some(root) = seen.map(|seen| seen.contradicts(rule, &accepted.checkpoint)).transpose()?.flatten() {
        let size = accepted.checkpoint.size;
        return Err(Ended::not(format!("{}: {size} entries had the root {root} before", file.display())));
    }
    let proved = Proved::of(file, &receipt, &accepted, leaf, &entry);
    if asked.json { terminal::say_json(&proved) } else { proved.print(&entry) }
}

impl Proved {
    fn of(file: &Path, receipt: &Receipt, accepted: &Accepted, leaf: Hash, entry: &[u8]) -> Self {
        let checkpoint = &accepted.checkpoint;
        let known = Entry::parse(entry).is_ok();
        Self {
            receipt: file.to_owned(),
            clean: true,
            origin: checkpoint.origin.clone(),
            index: receipt.index,
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            leaf: leaf.to_string(),
            entry: known.then(|| serde_json::from_slice(entry).ok()).flatten(),
            signers: accepted.signers.iter().map(|signer| signer.name.clone()).collect(),
        }
    }

    fn print(&self, entry: &[u8]) -> Result<(), Ended> {
        match &self.entry {
            Some(_) => terminal::say(&String::from_utf8_lossy(entry)),
            None => terminal::say(&format!("{} bytes that are no entry of Trefoil's", entry.len())),
        }
        for signer in &self.signers {
            terminal::say(&format!("  signed by {signer}"));
        }
        let said = format!(
            "proved: this is entry {} of the {} in the record of {}, root {}",
            self.index, self.size, self.origin, self.root
        );
        terminal::say(&Paint::for_stdout().good(&said));
        Ok(())
    }
}

fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Ended> {
    let doing = || format!("reading {}", file.display());
    let mut bytes = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    File::open(file).and_then(|file| file.take(bound).read_to_end(&mut bytes)).or_cannot_tell(doing())?;
    if bytes.len() > bytes_max {
        return Err(Ended::cannot_tell(format!("{}: longer than {bytes_max} bytes", doing())));
    }
    Ok(bytes)
}
