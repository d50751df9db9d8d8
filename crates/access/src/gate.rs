//! What all sessions share, and how a gate starts: the wall was compared with policy at every site it will use, and the
//! monitor was found to hold the same policy, or there is no `Gate`. Not here: listening (`serve`), entries (`entries`).

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::Homes;
use record::Record;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tlog::detail::GateStart;
use tlog::entry::Kind;
use tokio::sync::{Semaphore, watch};
use tokio::time::Duration;
use tokio_rustls::TlsAcceptor;

use crate::attempts::Attempts;
use crate::brake::{self, Brakes};
use crate::cancel::Cancels;
use crate::config::Config;
use crate::figures::Figures;
use crate::logins::{self, Logins};
use crate::meter::{Metering, SubjectKey, Usage, UsageError};
use crate::pool::Pool;
use crate::standing::Stand;
use crate::{client, clock, descriptors, drift, homes};

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
    /// The configured sites, nearest first and each followed by its standby, and which of them are used.
    pub sites: Vec<Arc<Stand>>,
    /// Which site holds which home, as the operator last signed it.
    pub homes: watch::Sender<Homes>,
    /// What each address has taken.
    pub attempts: Attempts,
    /// What the gate counts of itself.
    pub figures: Arc<Figures>,
    /// What sessions are shown, and how much more they may be.
    pub metering: Metering,
    /// What the monitor has stopped.
    pub brakes: Arc<Brakes>,
    /// What is known of logins, and done about them.
    pub logins: Logins,
    /// Keys for cancelling.
    pub cancels: Cancels,
    /// A secret under which unknown principals get an invented, stable SCRAM challenge.
    pub mock_secret: [u8; 32],
    /// The TLS identity shown to clients.
    pub tls: TlsAcceptor,
    /// Room for connections.
    pub connections: Arc<Semaphore>,
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
    /// What was taken from the day's limits is not known.
    #[error("the usage of limits: {0}")]
    Usage(#[from] UsageError),
    /// What the monitor has stopped is not known.
    #[error("the monitor's brakes: {0}")]
    Brakes(#[from] brake::FileError),
    /// What was learnt of logins, or is done about them, is not known.
    #[error("what is known of logins: {0}")]
    Logins(#[from] logins::FileError),
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
    /// There are no threads for sessions.
    #[error("the threads that sessions run on cannot be started: {0}")]
    Workers(std::io::Error),
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Gate {
    /// Checks everything that must hold before a listener may open.
    pub async fn start(config: Config) -> Result<Self, GateError> {
        let tls = server_tls(&config)?;
        let roots = Arc::new(roots(&config)?);
        let subject_key = SubjectKey::new(random());
        let key_text = subject_key.to_hex();
        let metering = Metering::new(subject_key, Usage::open(&config.usage, clock::now)?);
        let brakes = Brakes::open(&config.brakes, &config.name, &config.brake_key)?;
        let logins = Logins::open(config.logins.clone())?;
        let held = homes::read_homes(&homes::file(&config), &config.bundle, &config.bundle_key);
        let held = held.map_err(|error| GateError::File(error.to_string()))?;
        let sites = drift::check(&config, &held, &roots, &metering).await?;
        // A standby has the roles of its site: a role is in use at one of the two.
        let own = sites.iter().filter(|stand| stand.site.of.is_none());
        let names: Vec<String> = own.map(|stand| stand.site.name.clone()).collect();
        let hashes: Vec<_> = config.bundle.profiles().iter().map(|profile| profile.hash).collect();
        let pool = Pool::new(hashes.iter(), &names, config.bundle.enclave().sessions_per_profile);
        let record = Record::open(record_config(&config))?;
        match record::monitor_state(&config.monitor, Some(&config.monitor_tls)).await {
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
        let gate = Self {
            tls,
            roots,
            pool,
            sites: sites.into_iter().map(Arc::new).collect(),
            homes: watch::Sender::new(held),
            attempts: Attempts::new(config.connections_per_address_max),
            figures: Arc::default(),
            metering,
            record,
            brakes,
            logins,
            cancels: Cancels::default(),
            mock_secret: random(),
            connections: Arc::new(Semaphore::new(descriptors::connections())),
            config,
        };
        let profiles: BTreeMap<_, _> =
            gate.config.bundle.profiles().iter().map(|p| (p.name.clone(), p.hash.to_string())).collect();
        let version = env!("CARGO_PKG_VERSION").into();
        let used = gate.sites.iter().filter(|stand| !stand.now().ends());
        let sites = used.map(|stand| stand.site.name.clone()).collect();
        let started = GateStart { version, profiles, sites, subject_key: Some(key_text) };
        gate.note(Kind::GateStart, &started).await;
        brake::note_at_start(&gate).await;
        logins::note_at_start(&gate).await;
        Ok(gate)
    }
}

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    bytes
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
        monitor_url: Some(config.monitor.clone()),
        monitor_tls: Some(config.monitor_tls.clone()),
        // The rest of the lease is for saying so.
        cosign_wait: Duration::from_millis(u64::from(config.lease_ms)) * 3 / 4,
        clock: Arc::new(clock::now),
    }
}

fn server_tls(config: &Config) -> Result<TlsAcceptor, GateError> {
    let chain = certificates(&config.server_cert)?;
    let key = PrivateKeyDer::from_pem_file(&config.server_key)
        .map_err(|e| GateError::File(format!("{}: {e}", config.server_key.display())))?;
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| GateError::File(format!("{}: {e}", config.server_cert.display())))?;
    // Who names protocols must name this one; who begins with TLS at once must name some.
    tls.alpn_protocols = vec![client::ALPN.to_vec()];
    // No client of PostgreSQL resumes a session.
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
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
