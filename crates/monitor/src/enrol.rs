//! By which certificates the gate and the monitor know each other: both are signed by an authority of the monitor's own,
//! `door.pem`, that signs nothing else, so that no authority of the operator's is believed. A gate makes its key itself and is
//! enrolled by its certificate request; its certificate is kept in the folder `gates`, and counts as long as it is there.
//! The monitor's server certificate is made at each start. Connections are `door`.

use std::{path::PathBuf, sync::Arc};

use rand::{TryRngCore, rngs::OsRng};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
    server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier},
};
use thiserror::Error;
use tlog::entry::Micros;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    ca::{Ca, CaError, Request},
    folder::{self, Folder, FolderError},
};

/// The longest name of a gate.
pub const GATE_BYTES_MAX: usize = 64;

/// Why a gate is not enrolled, or nobody can be let in.
#[derive(Debug, Error)]
pub enum EnrolError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("door.pem: {0}")]
    Authority(CaError),
    #[error("the certificate request: {0}")]
    Request(CaError),
    #[error("door.pem: {0}")]
    Pem(String),
    #[error("{0:?} cannot be a gate's name; use letters, digits, - and _, at most {GATE_BYTES_MAX}")]
    Name(String),
    #[error("{}: the gate {gate} is enrolled already; remove the file to enrol it with another key", path.display())]
    Enrolled { gate: String, path: PathBuf },
    #[error("the operating system gave no randomness: {0}")]
    Random(#[from] rand::rand_core::OsError),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// Issues a certificate for the gate's request, in PEM, and keeps it. The same request again gets the same answer.
pub fn enrol(folder: &Folder, gate: &str, request: &str, now: Micros) -> Result<String, EnrolError> {
    if !is_name(gate) {
        return Err(EnrolError::Name(gate.to_owned()));
    }
    let authority = authority(folder, now)?;
    let request = Request::read(request, gate).map_err(EnrolError::Request)?;
    let path = folder.gates().join(format!("{gate}.pem"));
    if path.exists() {
        return Err(EnrolError::Enrolled { gate: gate.to_owned(), path });
    }
    let mut serial = [0; 16];
    OsRng.try_fill_bytes(&mut serial)?;
    let pem = authority.enrol(&request, gate, serial, now).map_err(EnrolError::Request)?;
    folder::make_dir(&folder.gates())?;
    folder::write_file(&path, pem.as_bytes(), 0o644)?;
    Ok(pem)
}

/// The server's side of TLS: whoever connects has to show a certificate of the authority's.
pub fn server(folder: &Folder, now: Micros) -> Result<Arc<ServerConfig>, EnrolError> {
    let (certificate, key) = authority(folder, now)?.server(now).map_err(EnrolError::Authority)?;
    let pem = folder::read_text(&folder.door_cert())?;
    let wrong = |e: &dyn std::fmt::Display| EnrolError::Pem(e.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| wrong(&e))?)?;
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let chain = vec![CertificateDer::from(certificate)];
    let mut tls = ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    // A gate connects once and stays.
    tls.send_tls13_tickets = 0;
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(tls))
}

/// Whose certificate this is, if it is one that is kept. Read anew for each connection, so that a removed one is refused.
pub fn gate_of(folder: &Folder, certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let name = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
    if !is_name(&name) {
        return None;
    }
    let kept = folder::read_text(&folder.gates().join(format!("{name}.pem"))).ok()?;
    let kept = CertificateDer::from_pem_slice(kept.as_bytes()).ok()?;
    (kept.as_ref() == certificate).then_some(name)
}

fn authority(folder: &Folder, now: Micros) -> Result<Ca, EnrolError> {
    let cert = folder::read_text(&folder.door_cert())?;
    let key = folder::read_secret(&folder.door_key())?;
    Ca::read(&cert, &key, now).map_err(EnrolError::Authority)
}

/// It is a file's name too.
fn is_name(gate: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=GATE_BYTES_MAX).contains(&gate.len()) && gate.bytes().all(letter)
}
