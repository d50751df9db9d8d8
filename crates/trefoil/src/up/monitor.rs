//! The monitor's program as seen from `up`: asked to make its own keys at the first start, told a new address when its
//! port was taken. Its folder is its own; nothing else of it is touched.

use std::path::PathBuf;
use std::process::Command;

use policy::Bundle;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tlog::note::VerifierKey;

use crate::enclave::ports::Ports;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder, MONITOR_CERT, MONITOR_DOOR, MONITOR_KEY};
use crate::up::keys::{self, OperatorKeys};
use crate::up::process;

/// The gate's name in gate.toml, and by which the monitor knows it.
pub(crate) const GATE: &str = "gate";
/// The gate's request for a certificate of the monitor's.
const MONITOR_REQUEST: &str = "monitor.csr";

/// What the operator has to know of the monitor.
#[derive(Debug)]
pub(crate) struct MonitorKeys {
    pub(crate) witness: VerifierKey,
    pub(crate) redecided: VerifierKey,
    /// The certificate, PEM, of the authority that issues log-in certificates.
    pub(crate) ca: String,
    /// By which it signs what it stops.
    pub(crate) brake: VerifierKey,
    /// The age recipient of the monitor's identity.
    pub(crate) recipient: String,
}

/// What `trefoil-monitor init --json` prints; what is not used is ignored.
#[derive(Deserialize)]
struct Made {
    witness: String,
    redecided: String,
    brake: String,
    ca: PathBuf,
    door: PathBuf,
    recipient: String,
}

/// What `trefoil-monitor enrol --json` prints.
#[derive(Deserialize)]
struct Enrolled {
    certificate: String,
}

pub(crate) fn init(
    folder: &Folder,
    bundle: &Bundle,
    operator: &OperatorKeys,
    ports: &Ports,
) -> Result<MonitorKeys, Ended> {
    let doing = "making the monitor's keys";
    let mut command = program(doing)?;
    command.args(["--json", "init", "--dir"]).arg(folder.monitor());
    command.args([
        "--origin",
        &keys::origin(&bundle.enclave().name),
        "--log-vkey",
        &operator.log.to_string(),
    ]);
    command.arg("--bundle").arg(folder.bundle()).args(["--bundle-vkey", &operator.bundle.to_string()]);
    command.args(["--listen", &address(ports)]);
    let made: Made = ask(command, doing)?;
    folder::write_public(&folder.gate(MONITOR_DOOR), folder::read_text(&made.door)?.as_bytes())?;
    enrol(folder)?;
    Ok(MonitorKeys {
        witness: made.witness.parse().or_cannot_tell(doing)?,
        redecided: made.redecided.parse().or_cannot_tell(doing)?,
        brake: made.brake.parse().or_cannot_tell(doing)?,
        ca: folder::read_text(&made.ca)?,
        recipient: made.recipient,
    })
}

/// The gate makes its key itself; the monitor issues the certificate by which it lets the gate in.
fn enrol(folder: &Folder) -> Result<(), Ended> {
    let doing = "enrolling the gate at the monitor";
    let (key, request) = keys::certificate_request(GATE)?;
    folder::write_secret(&folder.gate(MONITOR_KEY), key.as_bytes())?;
    folder::write_public(&folder.gate(MONITOR_REQUEST), request.as_bytes())?;
    let mut command = program(doing)?;
    command.args(["--json", "enrol", "--gate", GATE, "--dir"]).arg(folder.monitor());
    command.arg("--csr").arg(folder.gate(MONITOR_REQUEST));
    let Enrolled { certificate } = ask(command, doing)?;
    folder::write_public(&folder.gate(MONITOR_CERT), certificate.as_bytes())
}

fn program(doing: &str) -> Result<Command, Ended> {
    let ours = std::env::current_exe().or_cannot_tell(doing)?;
    Ok(Command::new(process::program_beside(&ours, "trefoil-monitor").or_cannot_tell(doing)?))
}

fn ask<T: DeserializeOwned>(mut command: Command, doing: &str) -> Result<T, Ended> {
    let output = command.output().or_cannot_tell(doing)?;
    if !output.status.success() {
        return Err(Ended::not(format!("{doing}: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    serde_json::from_slice(&output.stdout).or_cannot_tell(doing)
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
