//! Opens the listeners, takes connections, and ends everything in order. Not here: what the gate must find before it
//! may listen (`gate`), and what one session does (`session`).

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use sql::Verdicts;
use tlog::detail::GateStop;
use tlog::entry::Kind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};

use crate::config::{Config, Listener};
use crate::gate::{Gate, GateError};
use crate::standing::Standing;
use crate::workers::Workers;
use crate::{brake, client, control, drift, logins, session, standby, status};

/// How long sessions may take to end when the gate stops.
const STOP_WAIT_MS_MAX: u64 = 3_000;

/// Runs a gate until `stop` becomes true. `ready` is called once, when every listener is open.
pub async fn run(
    config: Config,
    mut stop: watch::Receiver<bool>,
    ready: impl FnOnce(),
) -> Result<(), GateError> {
    let gate = Arc::new(Gate::start(config).await?);
    let workers = Arc::new(Workers::start(gate.config.workers).map_err(GateError::Workers)?);
    let mut accepting = JoinSet::new();
    for listener in gate.config.listeners.clone() {
        let socket = TcpListener::bind(listener.address)
            .await
            .map_err(|source| GateError::Listen { address: listener.address.to_string(), source })?;
        accepting.spawn(accept(Arc::clone(&gate), Arc::clone(&workers), socket, listener, stop.clone()));
    }
    let mut watching = JoinSet::new();
    for stand in &gate.sites {
        watching.spawn(drift::watch(Arc::clone(&gate), Arc::clone(stand), stop.clone()));
        if stand.site.of.is_some() {
            watching.spawn(standby::follow(Arc::clone(&gate), Arc::clone(stand), stop.clone()));
        }
    }
    watching.spawn(brake::listen(Arc::clone(&gate), stop.clone()));
    watching.spawn(logins::keep(Arc::clone(&gate), stop.clone()));
    let asked = status::listen(&gate.config.status).inspect_err(|error| {
        let path = gate.config.status.display();
        tracing::warn!(%path, %error, "`trefoil status` cannot ask this gate");
    });
    watching.spawn(status::serve(Arc::clone(&gate), asked.ok()));
    let orders = status::listen(&control::socket(&gate.config)).inspect_err(|error| {
        tracing::warn!(%error, "nothing can be asked of this gate: `trefoil record forget` and `probe` fail");
    });
    watching.spawn(control::serve(Arc::clone(&gate), orders.ok()));
    ready();
    // An error means that whoever could stop us is gone, which is a reason to stop.
    let _ = stop.wait_for(|stop| *stop).await;
    gate.sites.iter().for_each(|stand| stand.set(Standing::Stopping));
    watching.shutdown().await;
    let ended = timeout(Duration::from_millis(STOP_WAIT_MS_MAX), async {
        while accepting.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        tracing::warn!("sessions did not end in time and are cut");
        accepting.shutdown().await;
    }
    gate.logins.snapshot();
    if let Err(error) = gate.metering.close() {
        tracing::warn!(%error, "what was reserved of the day's limits counts as used at the next start");
    }
    gate.note(Kind::GateStop, &GateStop { reason: "stopped".into() }).await;
    if let Err(error) = gate.record.stop().await {
        tracing::warn!(%error, "what is staged is sent at the next start");
    }
    Ok(())
}

async fn accept(
    gate: Arc<Gate>,
    workers: Arc<Workers>,
    socket: TcpListener,
    listener: Listener,
    mut stop: watch::Receiver<bool>,
) {
    let mut sessions = JoinSet::new();
    let listener = Arc::new(listener);
    loop {
        let permit = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            Ok(permit) = Arc::clone(&gate.connections).acquire_owned() => permit,
        };
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let (gate, listener) = (Arc::clone(&gate), Arc::clone(&listener));
                let serve = |tcp, verdicts| async move {
                    serve(&gate, &listener, tcp, peer.ip(), verdicts).await;
                    drop(permit);
                };
                if let Err(error) = workers.give_out(tcp, &mut sessions, serve) {
                    tracing::warn!(%error, "a connection could not be given to a worker");
                }
            }
            // Out of descriptors, most likely: waiting is all that helps.
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while sessions.try_join_next().is_some() {}
    }
    while sessions.join_next().await.is_some() {}
}

/// One connection from its first byte to its last.
async fn serve(
    gate: &Arc<Gate>,
    listener: &Listener,
    tcp: std::net::TcpStream,
    peer: IpAddr,
    verdicts: Arc<Mutex<Verdicts>>,
) {
    let opened = async { client::open(gate, listener, TcpStream::from_std(tcp)?, peer).await };
    match Box::pin(opened).await {
        Ok(client::Opened::Session(client)) => session::run(gate, *client, verdicts).await,
        Ok(client::Opened::Confirmed) => tracing::info!(%peer, "a second proof was given"),
        Ok(client::Opened::Cancel { pid, secret, connection }) => {
            gate.cancels.cancel(pid, &secret).await;
            client::hang_up(connection).await;
        }
        Err(error) => tracing::info!(%peer, %error, "connection ended before it was a session"),
    }
}
