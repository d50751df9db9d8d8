//! `trefoil access run`: the access gate by itself, in the foreground, until SIGINT or SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::cli::Enclave;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

pub(crate) fn run(asked: &Enclave) -> Result<(), Ended> {
    let folder = asked.folder();
    folder.require_complete()?;
    let filter = EnvFilter::try_from_env("TREFOIL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let config = access::Config::read(&folder.gate("gate.toml")).or_cannot_tell("the gate does not start")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.or_cannot_tell("starting")?.block_on(serve(config))
}

async fn serve(config: access::Config) -> Result<(), Ended> {
    let mut interrupt = signal(SignalKind::interrupt()).or_cannot_tell("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).or_cannot_tell("listening for signals")?;
    let (tell, stop) = watch::channel(false);
    let signals = tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
        tell.send_replace(true);
        // Kept: a sender that is gone would read as a wish to stop.
        tell.closed().await;
    });
    let served = access::run(config, stop, || terminal::note("the gate is ready")).await;
    signals.abort();
    served.or_not("the gate ended")
}
