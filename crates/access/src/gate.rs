//! The running gate: what all its sessions share, how it starts, and how it stops.
//! It opens no listener before the wall was compared with policy at every site it will use, and the monitor was
//! found to hold the same policy. Not here: what one session does.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::{Draft, Record, Witnessed};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tlog::detail::{GateStart, GateStop};
use tlog::entry::Kind;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;

use crate::admit::to_value;
use crate::cancel::Cancels;
use crate::config::{Config, Listener, Site};
use crate::fault::Fault;
use crate::pool::Pool;
use crate::{client, clock, descriptors, drift, session};

/// How long a witness may take before a release is refused.
const COSIGN_WAIT_MS_MAX: u64 = 1_500;
/// How long sessions may take to end when the gate stops.
const STOP_WAIT_MS_MAX: u64 = 3_000;

/// What all sessions share.
pub struct Gate {
    /// Checked configuration.
    pub config: Config,
    /// The record.
    pub record: Record,
    /// Free pool roles.
    pub pool: Pool,
    /// CAs that sign the sites' certificates.
    pub roots: Arc<RootCertStore>,
    /// Sites whose wall was found as compiled.
    pub sites: Vec<Site>,
    /// Keys for cancelling.
    pub cancels: Cancels,
    /// A secret under which unknown principals get an invented, stable SCRAM challenge.
    pub mock_secret: [u8; 32],
    tls: TlsAcceptor,
    connections: Arc<Semaphore>,
}

/// Why the gate does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A file it needs is not usable.
    #[error("{0}")]
    File(String),
    /// The record cannot be opened.
    #[error("the record cannot be opened: {0}")]
    Record(#[from] record::OpenError),
    /// The wall is not as compiled.
    #[error("{0}")]
    Drift(#[from] drift::DriftError),
    /// The monitor decides by another policy.
    #[error(
        "the monitor has accepted policy {theirs}, this gate has {ours}: no session would be witnessed; have the \
         monitor run `trefoil-monitor accept`"
    )]
    Policy {
        /// Hash here.
        ours: String,
        /// Hash there.
        theirs: String,
    },
    /// A listener cannot be opened.
    #[error("cannot listen on {address} for place {place}: {source}")]
    Listen {
        /// Address.
        address: String,
        /// Place.
        place: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs a gate until `stop` becomes true. `ready` is called once, when every listener is open.
pub async fn run(
    config: Config,
    mut stop: watch::Receiver<bool>,
    ready: impl FnOnce(),
) -> Result<(), GateError> {
    let gate = Arc::new(Gate::start(config).await?);
    let mut accepting = JoinSet::new();
    for listener in gate.config.listeners.clone() {
        let socket = TcpListener::bind(listener.address).await.map_err(|source| GateError::Listen {
            address: listener.address.to_string(),
            place: listener.place.clone(),
            source,
        })?;
        accepting.spawn(accept(Arc::clone(&gate), socket, listener, stop.clone()));
    }
    ready();
    // An error means that whoever could stop us is gone, which is a reason to stop.
    let _ = stop.wait_for(|stop| *stop).await;
    let ended = timeout(Duration::from_millis(STOP_WAIT_MS_MAX), async {
        while accepting.join_next().await.is_some() {}
    });
    if ended.await.is_err() {
        tracing::warn!("sessions did not end in time and are cut");
        accepting.shutdown().await;
    }
    gate.note(Kind::GateStop, &GateStop { reason: "stopped".into() }).await;
    if let Err(error) = gate.record.stop().await {
        tracing::warn!(%error, "what is staged is sent at the next start");
    }
    Ok(())
}

impl Gate {
    async fn start(config: Config) -> Result<Self, GateError> {
        let tls = server_tls(&config)?;
        let roots = Arc::new(roots(&config)?);
        let sites = drift::check(&config, &roots).await?;
        let names: Vec<String> = sites.iter().map(|site| site.name.clone()).collect();
        let hashes: Vec<_> = config.bundle.profiles().iter().map(|profile| profile.hash).collect();
        let pool = Pool::new(hashes.iter(), &names, config.bundle.enclave().sessions_per_profile);
        let record = Record::open(record_config(&config))?;
        match record::monitor_state(&config.monitor).await {
            Ok(state) if state.policy == config.bundle.hash().to_string() => {}
            Ok(state) => {
                return Err(GateError::Policy {
                    ours: config.bundle.hash().to_string(),
                    theirs: state.policy,
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the monitor does not answer: nothing is released until it does")
            }
        }
        let mut mock_secret = [0; 32];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut mock_secret);
        let gate = Self {
            tls,
            roots,
            pool,
            sites,
            record,
            cancels: Cancels::default(),
            mock_secret,
            connections: Arc::new(Semaphore::new(descriptors::connections())),
            config,
        };
        let profiles: BTreeMap<_, _> =
            gate.config.bundle.profiles().iter().map(|p| (p.name.clone(), p.hash.to_string())).collect();
        let started = GateStart { version: env!("CARGO_PKG_VERSION").into(), profiles, sites: names };
        gate.note(Kind::GateStart, &started).await;
        Ok(gate)
    }

    /// Appends an entry about the gate itself; that it is not witnessed yet stops nothing but releases.
    async fn note(&self, kind: Kind, detail: &impl serde::Serialize) {
        let mut draft = Draft::new(kind);
        draft.policy = Some(self.config.bundle.hash().to_string());
        draft.detail = to_value(detail).ok();
        if let Err(error) = self.record.append(draft).await {
            tracing::warn!(kind = kind.as_str(), %error, "entry not witnessed yet");
        }
    }

    /// Appends an entry and waits until it is witnessed.
    pub(crate) async fn append(&self, draft: Draft) -> Result<Witnessed, Fault> {
        self.record.append(draft).await.map_err(|not| Fault::not_witnessed(&not.why, not.index))
    }
}

async fn accept(gate: Arc<Gate>, socket: TcpListener, listener: Listener, mut stop: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
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
            Ok((tcp, _)) => {
                let (gate, place, stop) = (Arc::clone(&gate), listener.place.clone(), stop.clone());
                sessions.spawn(async move {
                    serve(&gate, tcp, place, stop).await;
                    drop(permit);
                });
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
async fn serve(gate: &Gate, tcp: TcpStream, place: String, stop: watch::Receiver<bool>) {
    match client::open(gate, &gate.tls, tcp, &place).await {
        Ok(client::Opened::Session(client)) => session::run(gate, *client, stop).await,
        Ok(client::Opened::Cancel { pid, secret, connection }) => {
            gate.cancels.cancel(pid, &secret).await;
            client::hang_up(connection).await;
        }
        Err(error) => tracing::info!(place, %error, "connection ended before it was a session"),
    }
}

fn record_config(config: &Config) -> record::Config {
    record::Config {
        origin: config.origin.clone(),
        gate: config.name.clone(),
        log_key: config.log_key.clone(),
        rule: config.rule.clone(),
        wal_dir: config.wal.clone(),
        details_dir: config.details.clone(),
        keys_dir: config.keys.clone(),
        record_dir: config.record.clone(),
        recipients: config.recipients.clone(),
        monitor_url: config.monitor.clone(),
        cosign_wait: Duration::from_millis(COSIGN_WAIT_MS_MAX),
        clock: Arc::new(clock::now),
    }
}

fn server_tls(config: &Config) -> Result<TlsAcceptor, GateError> {
    let chain = certificates(&config.server_cert)?;
    let key = PrivateKeyDer::from_pem_file(&config.server_key)
        .map_err(|e| GateError::File(format!("{}: {e}", config.server_key.display())))?;
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| GateError::File(format!("{}: {e}", config.server_cert.display())))?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

fn roots(config: &Config) -> Result<RootCertStore, GateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&config.site_ca)? {
        roots.add(certificate).map_err(|e| GateError::File(format!("{}: {e}", config.site_ca.display())))?;
    }
    Ok(roots)
}

fn certificates(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, GateError> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|e| GateError::File(format!("{}: {e}", file.display())))
}
