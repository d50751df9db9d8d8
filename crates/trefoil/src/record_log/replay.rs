//! `trefoil record replay`: has the monitor's program decide a whole record again with an auditor's key. It is the same
//! program that a monitor runs, and it asks neither party; this finds the files for it.

use std::path::PathBuf;
use std::process::Command;

use super::RULE_FILE;
use crate::cli::record::Replay;
use crate::ended::{Ended, NOT, OrEnded};
use crate::folder::{self, Folder};
use crate::up::program_beside;

const DOING: &str = "running trefoil-monitor replay";

pub(crate) fn replay(asked: &Replay) -> Result<(), Ended> {
    let handed = asked.folder.as_ref().map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
    let folder = handed.map_or_else(|| asked.enclave.folder(), Folder::at);
    let or = |given: &Option<PathBuf>, usual: PathBuf| given.clone().unwrap_or(usual);
    let ours = std::env::current_exe().or_cannot_tell(DOING)?;
    let mut command = Command::new(program_beside(&ours, "trefoil-monitor").or_cannot_tell(DOING)?);
    command.arg("replay").arg("--record").arg(folder.record());
    command.arg("--details").arg(folder.gate("details")).arg("--keys").arg(folder.gate("keys"));
    command.arg("--rule").arg(or(&asked.policy, folder.gate(RULE_FILE)));
    command.arg("--bundles").arg(or(&asked.bundles, folder.bundles()));
    command.arg("--bundle-vkey").arg(bundle_vkey(asked, &folder)?);
    command.arg("--key").arg(or(&asked.key, folder.auditor_key()));
    if asked.json {
        command.arg("--json");
    }
    let status = command.status().or_cannot_tell(DOING)?;
    // It has said everything.
    match status.code() {
        Some(0) => Ok(()),
        Some(code) if code == i32::from(NOT) => Err(Ended::not("")),
        Some(_) => Err(Ended::cannot_tell("")),
        None => Err(Ended::cannot_tell(format!("{DOING}: it ended: {status}"))),
    }
}

fn bundle_vkey(asked: &Replay, folder: &Folder) -> Result<String, Ended> {
    if let Some(vkey) = &asked.bundle_vkey {
        return Ok(vkey.clone());
    }
    let path = folder.gate("gate.toml");
    let table: toml::Table =
        folder::read_text(&path)?.parse().or_cannot_tell(format!("reading {}", path.display()))?;
    let vkey = table.get("bundle_key").and_then(toml::Value::as_str).map(str::to_owned);
    vkey.ok_or_else(|| Ended::cannot_tell(format!("{} has no bundle_key; say --bundle-vkey", path.display())))
}
