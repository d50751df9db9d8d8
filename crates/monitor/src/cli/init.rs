//! `trefoil-monitor init`: a monitor is made.

use std::path::PathBuf;

use monitor::{
    clock,
    config::RawConfig,
    init::{self, InitError, Plan},
};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Make a monitor: its keys, its certificate authority, its copy of the operator's signed policy bundle.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  trefoil-monitor init --dir monitor --origin europe.example/access \\\n    \
    --log-vkey \"$(cat log.vkey)\" --bundle bundle --bundle-vkey \"$(cat bundle.vkey)\" --listen 127.0.0.1:7480"
)]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// Origin of the log to follow: the first line of its checkpoints.
    #[arg(long)]
    origin: String,
    /// Verifier key of the log.
    #[arg(long)]
    log_vkey: String,
    /// Folder of the operator's signed policy bundle.
    #[arg(long)]
    bundle: PathBuf,
    /// Verifier key of the operator's signature on bundles.
    #[arg(long)]
    bundle_vkey: String,
    /// Address to serve batches on.
    #[arg(long)]
    listen: String,
    /// Name of the witness key [default: <enclave>-monitor.example/witness].
    #[arg(long)]
    witness_name: Option<String>,
    /// Name of the key of the second decision [default: <enclave>-monitor.example/redecided].
    #[arg(long)]
    redecided_name: Option<String>,
}

pub fn init(arguments: Arguments) -> Outcome {
    either(try_init(arguments))
}

fn try_init(arguments: Arguments) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let Arguments { listen, origin, log_vkey: log, bundle_vkey, .. } = arguments;
    let config = RawConfig { listen, origin, log, bundle: bundle_vkey };
    let (witness_name, redecided_name) = (arguments.witness_name, arguments.redecided_name);
    let plan = Plan { config, bundle: &arguments.bundle, witness_name, redecided_name };
    match init::init(&folder, plan, clock::now()) {
        Ok(made) => Ok(Outcome::done(
            format!(
                "witness   {}\nredecided {}\nca        {}\nrecipient {}\npolicy    {}",
                made.witness, made.redecided, made.ca, made.recipient, made.policy
            ),
            json!(made),
        )),
        Err(InitError::Bundle(e)) => Err(Outcome::from(&e)),
        Err(e) => Err(Outcome::unknown(e)),
    }
}
