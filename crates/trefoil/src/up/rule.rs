//! The release rule, a tlog-policy file: the log, both of the monitor's keys, and the witnesses that enclave.toml names.
//! Written at every start, because enclave.toml may name others since the last. Using it is the gate's.

use policy::{Bundle, Witness};
use tlog::note::{KeyType, VerifierKey};
use tlog::rule::ReleaseRule;

use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::record_log::{REDECIDED, RULE_FILE, WITNESS};

const DOING: &str = "writing the release rule";

/// The monitor's two keys.
pub(crate) struct OfMonitor {
    pub(crate) witness: VerifierKey,
    pub(crate) redecided: VerifierKey,
}

/// Writes the rule.
pub(crate) fn write(
    folder: &Folder,
    bundle: &Bundle,
    log: &VerifierKey,
    monitor: &OfMonitor,
) -> Result<(), Ended> {
    for witness in &bundle.enclave().witnesses.each {
        check(witness)?;
    }
    let text = text(bundle, log, monitor);
    let rule = ReleaseRule::parse(&text).or_cannot_tell(DOING)?;
    folder::write_public(&folder.gate(RULE_FILE), rule.to_string().as_bytes())
}

/// Writes the rule again, with the keys that it has.
pub(crate) fn write_again(folder: &Folder, bundle: &Bundle) -> Result<(), Ended> {
    let text = folder::read_text(&folder.gate(RULE_FILE))?;
    let rule = ReleaseRule::parse(&text).or_cannot_tell(format!("reading {RULE_FILE}"))?;
    let key = |wanted: &str| {
        let found = rule.witnesses().find(|(name, _)| *name == wanted);
        found
            .map(|(_, key)| key.clone())
            .ok_or_else(|| Ended::cannot_tell(format!("{RULE_FILE} names no witness `{wanted}`")))
    };
    let log = rule.logs().next().ok_or_else(|| Ended::cannot_tell(format!("{RULE_FILE} names no log")))?;
    write(folder, bundle, log, &OfMonitor { witness: key(WITNESS)?, redecided: key(REDECIDED)? })
}

fn check(witness: &Witness) -> Result<(), Ended> {
    let wrong = |problem: &dyn std::fmt::Display| {
        Ended::cannot_tell(format!(
            "enclave.toml: record.witness: the vkey of {}: {problem}; write the witness's own",
            witness.name
        ))
    };
    let key: VerifierKey = witness.vkey.parse().map_err(|error| wrong(&error))?;
    if key.key_type() != KeyType::CosignatureV1 {
        return Err(wrong(&"it is not of type 04 (cosignature/v1)"));
    }
    Ok(())
}

fn text(bundle: &Bundle, log: &VerifierKey, monitor: &OfMonitor) -> String {
    let OfMonitor { witness, redecided } = monitor;
    let mut text = format!("log {log}\nwitness {WITNESS} {witness}\nwitness {REDECIDED} {redecided}\n");
    let others = &bundle.enclave().witnesses;
    for Witness { name, vkey, url, .. } in &others.each {
        text += &format!("witness {name} {vkey} {url}\n");
    }
    let names: Vec<_> = others.each.iter().map(|witness| witness.name.as_str()).collect();
    let names = names.join(" ");
    text += &match others.quorum {
        Some(quorum) => {
            format!("group others {quorum} {names}\ngroup everyone all {WITNESS} {REDECIDED} others\n")
        }
        None => format!("group everyone all {WITNESS} {REDECIDED} {names}\n"),
    };
    text + "quorum everyone\n"
}
