//! `trefoil-monitor run`: serves until it is told to stop.

use monitor::{clock, monitor::Monitor, serve::Server};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Dir, Outcome, either};

/// Follow the log: check every batch that the gate posts, store it, cosign it.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  trefoil-monitor run --dir monitor")]
pub struct Arguments {
    #[command(flatten)]
    dir: Dir,
}

pub fn run(arguments: Arguments, json: bool) -> Outcome {
    either(try_run(&arguments, json))
}

fn try_run(arguments: &Arguments, json: bool) -> Result<Outcome, Outcome> {
    let folder = arguments.dir.folder()?;
    let monitor = Monitor::open(&folder, clock::now()).map_err(Outcome::unknown)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Outcome::unknown)?;
    runtime.block_on(serve(monitor, json)).map_err(Outcome::unknown)?;
    Ok(Outcome::done("stopped", json!({ "stopped": true })))
}

async fn serve(monitor: Monitor, json: bool) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (origin, size, policy) = (monitor.config().origin.clone(), monitor.size(), monitor.policy());
    let server = Server::bind(monitor).await?;
    let url = format!("http://{}", server.address()?);
    if json {
        let ready = json!({ "ready": true, "url": url, "origin": origin, "size": size, "policy": policy });
        println!("{ready}");
    } else {
        println!("ready: {url} follows {origin} from size {size} under policy {policy}");
    }
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    server.run(stop).await
}
