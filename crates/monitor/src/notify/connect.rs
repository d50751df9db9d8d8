//! Connections to receivers: TCP, with TLS where it leaves the machine. A receiver is known by a certificate of the
//! authorities that the configuration names, and by no others.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// What is trusted of a receiver.
pub type Roots = Arc<ClientConfig>;

/// Reads a PEM file of authorities; otherwise says what is wrong with it.
pub fn roots(path: &Path) -> Result<Roots, String> {
    let wrong = |problem: String| {
        format!("{}: {problem}; write a PEM file of certificate authorities", path.display())
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| wrong(e.to_string()))? {
        // An authority that rustls does not understand is one that is not trusted.
        let _ = store.add(certificate.map_err(|e| wrong(e.to_string()))?);
    }
    if store.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A connection in clear.
pub async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection to a receiver who shows a certificate for `host`.
pub async fn tls(host: &str, port: u16, roots: &Roots) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(roots.clone()).connect(name, tcp(host, port).await?).await
}
