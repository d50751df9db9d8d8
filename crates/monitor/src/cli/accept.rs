//! `trefoil-monitor accept`: a new policy bundle is taken over.

use std::path::PathBuf;

use monitor::{bundle, clock, config::Config};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Take over a new policy bundle that the operator signed. A running monitor uses it once it is started again.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor accept --dir monitor --bundle bundle")]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// Folder of the signed bundle to take over.
    #[arg(long)]
    bundle: PathBuf,
}

pub fn accept(arguments: Arguments) -> Outcome {
    either(try_accept(&arguments))
}

fn try_accept(arguments: &Arguments) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let config = Config::read(&folder).map_err(Outcome::unknown)?;
    let failed = |e| Outcome::from(&e);
    let signed = bundle::read(&arguments.bundle, &config.bundle).map_err(failed)?;
    let new = bundle::accept(&folder.bundles(), &signed, clock::now()).map_err(failed)?;
    let policy = signed.bundle.hash().to_string();
    let said = if new { "accepted" } else { "in force already" };
    Ok(Outcome::done(format!("policy {policy}: {said}"), json!({ "policy": policy, "new": new })))
}
