//! `trefoil-monitor run`: serves until it is told to stop.

use std::{future::Future, sync::Arc};

use axum::Router;
use monitor::{
    clock,
    door::Door,
    folder::Folder,
    monitor::Monitor,
    serve::Server,
    witness::{Witness, config::WitnessConfig, http},
};
use serde_json::json;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::{Dir, Outcome, either};

/// Follow the log: check every batch that the gate posts, store it, cosign it. With --witness-only, cosign for any
/// logs that they only grew (C2SP tlog-witness, in plain HTTP).
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  trefoil-monitor run --dir monitor\n  trefoil-monitor run --dir witness --witness-only"
)]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
    /// Be a witness and nothing else. A folder that was made without a policy bundle is a witness's in any case.
    #[arg(long)]
    witness_only: bool,
}

pub fn run(arguments: Arguments, json: bool) -> Outcome {
    either(try_run(&arguments, json))
}

fn try_run(arguments: &Arguments, json: bool) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let (full, witness) = (folder.config().exists(), folder.witness_config().exists());
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(Outcome::unknown)?;
    if full && arguments.witness_only {
        // Its witness key speaks for the log that it follows; it must not get ahead of the copy.
        return Err(Outcome::unknown(
            "this is a monitor's folder; make one for a witness with `trefoil-monitor init --name`",
        ));
    }
    if witness || arguments.witness_only {
        runtime.block_on(serve_witness(&folder, json))?;
    } else {
        let monitor = Monitor::open(&folder, clock::now()).map_err(Outcome::unknown)?;
        runtime.block_on(serve(&folder, monitor, json))?;
    }
    Ok(Outcome::done("stopped", json!({ "stopped": true })))
}

async fn serve(folder: &Folder, monitor: Monitor, json: bool) -> Result<(), Outcome> {
    let stop = stopped().map_err(Outcome::unknown)?;
    let (origin, size, policy) = (monitor.config().origin.clone(), monitor.size(), monitor.policy());
    let server = Server::bind(folder, monitor, clock::now()).await.map_err(Outcome::unknown)?;
    let url = format!("https://{}", server.address().map_err(Outcome::unknown)?);
    if json {
        let ready = json!({ "ready": true, "url": url, "origin": origin, "size": size, "policy": policy });
        println!("{ready}");
    } else {
        println!("ready: {url} follows {origin} from size {size} under policy {policy}");
    }
    server.run(stop).await.map_err(Outcome::unknown)
}

async fn serve_witness(folder: &Folder, json: bool) -> Result<(), Outcome> {
    let stop = stopped().map_err(Outcome::unknown)?;
    let config = WitnessConfig::read(folder).map_err(Outcome::unknown)?;
    let witness = Witness::open(folder, &config).map_err(Outcome::unknown)?;
    let (key, logs) = (witness.key().to_string(), witness.origins().count());
    let failed = |e| Outcome::unknown(format!("{}: {e}", config.listen));
    let door = Door::bind(config.listen).await.map_err(failed)?;
    let url = format!("http://{}", door.address().map_err(failed)?);
    if json {
        println!("{}", json!({ "ready": true, "url": url, "witness": key, "logs": logs }));
    } else {
        println!("ready: {url} witnesses {logs} logs as {key}");
    }
    let router: Router = http::router(Arc::new(witness));
    door.run(router, None, stop).await;
    Ok(())
}

/// Done when the program is asked to end.
fn stopped() -> std::io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
