//! `trefoil record keys`: the keys by which anyone can check the record, and the rule as tlog-policy text.

use serde::Serialize;
use tlog::rule::ReleaseRule;

use super::RULE_FILE;
use crate::cli::Report;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::terminal;

/// The names under which the monitor's two keys stand in the rule.
pub(crate) const WITNESS: &str = "witness";
pub(crate) const REDECIDED: &str = "redecided";

/// What another tool needs. The field names are a promise.
#[derive(Debug, Serialize)]
struct Keys {
    log: String,
    witness: String,
    redecided: String,
    /// tlog-policy text.
    policy: String,
}

pub(crate) fn keys(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let keys = keys_of(&folder)?;
    if asked.json {
        return terminal::say_json(&keys);
    }
    terminal::say(&format!("# The log, then what the monitor says of it: that it only grows ({WITNESS}),"));
    terminal::say(&format!("# and that it would have decided every entry the same ({REDECIDED})."));
    terminal::say(keys.policy.trim_end());
    Ok(())
}

fn keys_of(folder: &Folder) -> Result<Keys, Ended> {
    let policy = folder::read_text(&folder.gate(RULE_FILE))?;
    let rule = ReleaseRule::parse(&policy).or_cannot_tell(format!("reading {RULE_FILE}"))?;
    let witness = |wanted: &str| {
        let found = rule.witnesses().find(|(name, _)| *name == wanted);
        found
            .map(|(_, key)| key.to_string())
            .ok_or_else(|| Ended::cannot_tell(format!("{RULE_FILE} names no witness `{wanted}`")))
    };
    let log = rule.logs().next().ok_or_else(|| Ended::cannot_tell(format!("{RULE_FILE} names no log")))?;
    Ok(Keys { log: log.to_string(), witness: witness(WITNESS)?, redecided: witness(REDECIDED)?, policy })
}
