//! `trefoil-monitor enrol`: a gate gets the certificate by which it is let in.

use std::path::PathBuf;

use monitor::{clock, enrol, folder};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Enrol a gate: issue the certificate by which it is let in, for a request that its operator made. Whoever removes
/// gates/NAME.pem from the monitor's folder shuts it out again.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil-monitor enrol --dir monitor --gate gate --csr monitor.csr > monitor.pem"
)]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// Name of the gate, as in its gate.toml, and the common name in the request.
    #[arg(long)]
    gate: String,
    /// File of the certificate request, in PEM.
    #[arg(long)]
    csr: PathBuf,
}

pub fn enrol(arguments: &Arguments) -> Outcome {
    either(try_enrol(arguments))
}

fn try_enrol(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let request = folder::read_text(&arguments.csr).map_err(Outcome::unknown)?;
    let pem = enrol::enrol(&folder, &arguments.gate, &request, clock::now()).map_err(Outcome::unknown)?;
    let json = json!({ "gate": arguments.gate, "certificate": pem });
    Ok(Outcome::done(pem.trim_end(), json))
}
