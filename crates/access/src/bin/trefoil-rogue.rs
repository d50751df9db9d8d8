//! `TREFOIL_ROGUE=brakes|decides|lesser trefoil-rogue GATE.TOML`: a gate that tells one lie (`access::rogue`), in the
//! foreground, until SIGTERM. For tests and the tour; it is in no build that is shipped.

use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

const USAGE: &str = "TREFOIL_ROGUE=brakes|decides|lesser trefoil-rogue GATE.TOML";

fn main() -> ExitCode {
    let said = match asked() {
        Some(path) => run(path).err(),
        None => Some(format!("write: {USAGE}")),
    };
    said.map_or(ExitCode::SUCCESS, |said| {
        eprintln!("{said}");
        ExitCode::FAILURE
    })
}

/// The gate's configuration, where everything was said that has to be.
fn asked() -> Option<PathBuf> {
    let lie = std::env::var("TREFOIL_ROGUE").ok()?;
    let path = std::env::args_os().nth(1)?;
    access::rogue::tell(&lie).then_some(path.into())
}

fn run(path: PathBuf) -> Result<(), String> {
    let config = access::Config::read(&path).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(serve(config))
}

async fn serve(config: access::Config) -> Result<(), String> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let (tell, stop) = watch::channel(false);
    tokio::spawn(async move {
        terminate.recv().await;
        tell.send_replace(true);
        // Kept: a sender that is gone would read as a wish to stop.
        tell.closed().await;
    });
    let served = access::run(config, stop, || eprintln!("the rogue gate is ready")).await;
    served.map_err(|error| error.to_string())
}
