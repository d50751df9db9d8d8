//! The monitor's program as seen from `up`: asked to make its own keys at the first start, told a new address when its
//! port was taken. Its folder is its own; nothing else of it is touched.

use std::path::PathBuf;
use std::process::Command;

use policy::Bundle;
use serde::Deserialize;
use tlog::note::VerifierKey;

use crate::enclave::ports::Ports;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::up::keys::{self, OperatorKeys};
use crate::up::process;

/// What the operator has to know of the monitor.
#[derive(Debug)]
pub(crate) struct MonitorKeys {
    pub(crate) witness: VerifierKey,
    pub(crate) redecided: VerifierKey,
    /// The certificate, PEM, of the authority that issues log-in certificates.
    pub(crate) ca: String,
    /// The age recipient of the monitor's identity.
    pub(crate) recipient: String,
}

/// What `trefoil-monitor init --json` prints; what is not used is ignored.
#[derive(Deserialize)]
struct Made {
    witness: String,
    redecided: String,
    ca: PathBuf,
    recipient: String,
}

pub(crate) fn init(
    folder: &Folder,
    bundle: &Bundle,
    operator: &OperatorKeys,
    ports: &Ports,
) -> Result<MonitorKeys, Ended> {
    let doing = "making the monitor's keys";
    let ours = std::env::current_exe().or_cannot_tell(doing)?;
    let program = process::program_beside(&ours, "trefoil-monitor").or_cannot_tell(doing)?;
    let mut command = Command::new(program);
    command.args(["--json", "init", "--dir"]).arg(folder.monitor());
    command.args([
        "--origin",
        &keys::origin(&bundle.enclave().name),
        "--log-vkey",
        &operator.log.to_string(),
    ]);
    command.arg("--bundle").arg(folder.bundle()).args(["--bundle-vkey", &operator.bundle.to_string()]);
    command.args(["--listen", &address(ports)]);
    let output = command.output().or_cannot_tell(doing)?;
    if !output.status.success() {
        return Err(Ended::not(format!("{doing}: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    let made: Made = serde_json::from_slice(&output.stdout).or_cannot_tell(doing)?;
    Ok(MonitorKeys {
        witness: made.witness.parse().or_cannot_tell(doing)?,
        redecided: made.redecided.parse().or_cannot_tell(doing)?,
        ca: folder::read_text(&made.ca)?,
        recipient: made.recipient,
    })
}

/// Gives the monitor another address to serve on; it is not running.
pub(crate) fn move_to(folder: &Folder, ports: &Ports) -> Result<(), Ended> {
    let path = folder.monitor().join("monitor.toml");
    let mut table: toml::Table = folder::read_text(&path)?.parse().or_cannot_tell("reading monitor.toml")?;
    table.insert("listen".to_owned(), address(ports).into());
    let text = toml::to_string(&table).or_cannot_tell("writing monitor.toml")?;
    folder::write_secret(&path, text.as_bytes())
}

fn address(ports: &Ports) -> String {
    format!("127.0.0.1:{}", ports.monitor)
}
