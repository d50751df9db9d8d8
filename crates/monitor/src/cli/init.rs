//! `trefoil-monitor init`: a monitor is made, or a witness.

use std::{collections::BTreeMap, path::PathBuf};

use monitor::{
    brake::rules::RawBrakes,
    clock,
    config::RawConfig,
    detect,
    folder::Folder,
    incident::report::Contacts,
    init::{self, InitError, Plan},
    witness::{self, config::RawWitness},
};
use serde_json::json;

use super::{Dir, Outcome, either};

/// Make a monitor: its keys, its certificate authorities, its copy of the operator's signed policy bundle. Without
/// --bundle, make a witness: keys that cosign for the logs named, which `run --witness-only` serves.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  trefoil-monitor init --dir monitor --origin europe.example/access \\\n    \
    --log-vkey \"$(cat log.vkey)\" --bundle bundle --bundle-vkey \"$(cat bundle.vkey)\" --listen 127.0.0.1:7480\n  \
    trefoil-monitor init --dir witness --name witness.example/w1 --log-key \"$(cat log.vkey)\" \\\n    \
    --listen 127.0.0.1:7481"
)]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// Address to serve on.
    #[arg(long)]
    listen: String,
    /// Folder of the operator's signed policy bundle.
    #[arg(long, requires_all = ["origin", "log_vkey", "bundle_vkey"])]
    bundle: Option<PathBuf>,
    /// Verifier key of the operator's signature on bundles.
    #[arg(long, requires = "bundle")]
    bundle_vkey: Option<String>,
    /// Origin of the log to follow: the first line of its checkpoints.
    #[arg(long, requires = "bundle")]
    origin: Option<String>,
    /// Verifier key of the log to follow.
    #[arg(long, requires = "bundle")]
    log_vkey: Option<String>,
    /// Name of the witness key [default: <enclave>-monitor.example/witness].
    #[arg(long, requires = "bundle")]
    witness_name: Option<String>,
    /// Name of the key of the second decision [default: <enclave>-monitor.example/redecided].
    #[arg(long, requires = "bundle")]
    redecided_name: Option<String>,
    /// Origin of the monitor's own record, of incidents and brakes [default: <enclave>-monitor.example/incidents].
    #[arg(long, requires = "bundle")]
    own_origin: Option<String>,
    /// Of a witness: the name of its key.
    #[arg(long, required_unless_present = "bundle", conflicts_with = "bundle")]
    name: Option<String>,
    /// Of a witness: verifier key of a log that it cosigns for; any number of them.
    #[arg(long, value_name = "VKEY", conflicts_with = "bundle")]
    log_key: Vec<String>,
}

pub fn init(arguments: Arguments) -> Outcome {
    either(try_init(arguments))
}

fn try_init(arguments: Arguments) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let Arguments { listen, origin, log_vkey: log, bundle, bundle_vkey, .. } = arguments;
    let (Some(origin), Some(log), Some(bundle), Some(bundle_vkey)) = (origin, log, bundle, bundle_vkey)
    else {
        return witness(&folder, listen, arguments.name, arguments.log_key);
    };
    let config = RawConfig {
        listen,
        origin,
        log,
        bundle: bundle_vkey,
        brakes: RawBrakes::at_first(),
        detect: detect::thresholds::SHIPPED,
        own: None,
        report: Contacts::default(),
        notify: BTreeMap::new(),
        sites: None,
    };
    let (witness_name, redecided_name) = (arguments.witness_name, arguments.redecided_name);
    let own_origin = arguments.own_origin;
    let plan = Plan { config, bundle: &bundle, witness_name, redecided_name, own_origin };
    match init::init(&folder, plan, clock::now()) {
        Ok(made) => Ok(Outcome::done(
            format!(
                "witness   {}\nredecided {}\nbrake     {}\nca        {}\ndoor      {}\nrecipient {}\nown       {}\npolicy    {}",
                made.witness,
                made.redecided,
                made.brake,
                made.ca,
                made.door,
                made.recipient,
                made.own,
                made.policy
            ),
            json!(made),
        )),
        Err(InitError::Bundle(e)) => Err(Outcome::from(&e)),
        Err(e) => Err(Outcome::unknown(e)),
    }
}

fn witness(
    folder: &Folder,
    listen: String,
    name: Option<String>,
    logs: Vec<String>,
) -> Result<Outcome, Outcome> {
    let name = name.ok_or_else(|| Outcome::unknown("say the witness's name with --name"))?;
    let made = witness::init::init(folder, name, &RawWitness { listen, logs }).map_err(Outcome::unknown)?;
    let text = format!("witness   {}\nredecided {}", made.witness, made.redecided);
    Ok(Outcome::done(text, json!(made)))
}
