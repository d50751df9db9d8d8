//! TLS towards the monitor and towards witnesses: which certificates are believed and which one is shown. The
//! connections themselves are `link`; reading configuration files is the caller's.

use std::fs;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::link::LinkError;

/// The name in the monitor's server certificate, wherever it listens: what is believed is its own authority, which
/// signs nothing else but the gates' certificates.
pub const MONITOR_TLS_NAME: &str = "trefoil-monitor";

/// Where systems keep the authorities that they believe, in PEM.
const SYSTEM_ROOTS: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"];

/// What is believed and shown in TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// None: the host's.
    name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why TLS is not possible.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(
        "the monitor's authority is no certificate in PEM: {0}; take it from the monitor's door.pem again"
    )]
    Authority(String),
    #[error("the gate's certificate or key for the monitor: {0}; have the monitor enrol the gate again")]
    Certificate(String),
    #[error("none of {} is readable; https needs the system's certificate authorities", SYSTEM_ROOTS.join(", "))]
    SystemRoots,
}

impl Tls {
    /// Towards a monitor: believes its authority alone, and shows the certificate that it issued. All in PEM.
    ///
    /// # Errors
    /// When one of them is not what it should be.
    pub fn of_monitor(authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let wrong = |error: &dyn std::fmt::Display| TlsError::Authority(error.to_string());
        let authority = CertificateDer::from_pem_slice(authority).map_err(|error| wrong(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(|error| wrong(&error))?;
        let wrong = |error: &dyn std::fmt::Display| TlsError::Certificate(error.to_string());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|error| wrong(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| wrong(&error))?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key);
        let config = Arc::new(config.map_err(|error| wrong(&error))?);
        Ok(Self { config, name: ServerName::try_from(MONITOR_TLS_NAME).ok() })
    }

    /// Towards anybody: believes the system's authorities.
    pub(crate) fn of_system() -> Result<Self, TlsError> {
        let bytes = SYSTEM_ROOTS.iter().find_map(|path| fs::read(path).ok()).ok_or(TlsError::SystemRoots)?;
        let mut roots = RootCertStore::empty();
        // A system's list may have certificates that cannot be used; those that can are enough.
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bytes).flatten());
        let config = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
        Ok(Self { config, name: None })
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.config.clone())
    }

    /// Whom to expect at `host`.
    pub(crate) fn expected(&self, host: &str) -> Result<ServerName<'static>, LinkError> {
        match &self.name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned())
                .map_err(|_| LinkError::Address(format!("https://{host}"))),
        }
    }
}
