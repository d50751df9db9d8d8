//! The operator's keys, made at the first start: the certificate authority that signs servers, the key that signs
//! policy bundles, the identity that opens details, the log's key, and the gate's certificate. The monitor makes its
//! own keys; none of them is here.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use sites::ca::Authority;
use tlog::note::{KeyType, SigningKey, VerifierKey};

use crate::clock;
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};

/// What is public of them, which other parts are configured with.
#[derive(Debug)]
pub(crate) struct OperatorKeys {
    pub(crate) log: VerifierKey,
    pub(crate) bundle: VerifierKey,
    /// The age recipient of the operator's identity.
    pub(crate) recipient: String,
}

/// The log's origin: the first line of its checkpoints, and the name of its key.
pub(crate) fn origin(enclave: &str) -> String {
    format!("trefoil.example/{enclave}/access")
}

pub(crate) fn make(folder: &Folder, enclave: &str) -> Result<OperatorKeys, Ended> {
    let authority = Authority::make(&format!("{enclave} operator"), clock::now());
    let authority = authority.or_cannot_tell("making the operator's certificate authority")?;
    folder::write_secret(&folder.operator("ca.key"), authority.key().as_bytes())?;
    folder::write_public(&folder.operator("ca.pem"), authority.certificate().as_bytes())?;

    let server = authority.server("trefoil gate", IpAddr::V4(Ipv4Addr::LOCALHOST), clock::now());
    let server = server.or_cannot_tell("making the gate's certificate")?;
    folder::write_secret(&folder.gate("server.key"), server.key.as_bytes())?;
    folder::write_public(&folder.gate("server.pem"), server.certificate.as_bytes())?;

    let log = signing_key(&origin(enclave))?;
    folder::write_secret(&folder.gate("log.key"), secret_text(&log).as_bytes())?;
    let bundle = signing_key(&format!("{enclave}/operator"))?;
    folder::write_secret(&folder.operator("bundle.key"), secret_text(&bundle).as_bytes())?;

    let recipient = identity(&folder.operator("detail.age"))?;
    Ok(OperatorKeys { log: log.verifier().clone(), bundle: bundle.verifier().clone(), recipient })
}

/// Where the bundle names no auditor, makes one up and names it. In production an auditor hands over a recipient, which
/// the operator writes into enclave.toml, and nothing of theirs is here.
pub(crate) fn make_auditor(folder: &Folder) -> Result<(), Ended> {
    let path = folder.bundle().join("enclave.toml");
    let text = folder::read_text(&path)?;
    let table: toml::Table = text.parse().or_cannot_tell(format!("reading {}", path.display()))?;
    if table.contains_key("auditor") {
        return Ok(());
    }
    let recipient = identity(&folder.auditor_key())?;
    // In front, because a key behind a table would be the table's.
    let said = "# Who opens details beside the operator and the monitor. Made up by `trefoil up`: the identity is in auditor/.";
    folder::write_public(&path, format!("{said}\nauditor = \"{recipient}\"\n\n{text}").as_bytes())
}

/// Makes an age identity in a file, and answers its recipient.
fn identity(path: &Path) -> Result<String, Ended> {
    let identity = age::x25519::Identity::generate();
    let text = age::secrecy::ExposeSecret::expose_secret(&identity.to_string()).to_owned();
    folder::write_secret(path, format!("{text}\n").as_bytes())?;
    Ok(identity.to_public().to_string())
}

/// A new key, and a request for a certificate of this name, both in PEM.
pub(crate) fn certificate_request(name: &str) -> Result<(String, String), Ended> {
    let doing = "making a certificate request";
    let key = KeyPair::generate().or_cannot_tell(doing)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let request = params.serialize_request(&key).or_cannot_tell(doing)?;
    Ok((key.serialize_pem(), request.pem().or_cannot_tell(doing)?))
}

/// The authority made at the first start.
pub(crate) fn authority(folder: &Folder) -> Result<Authority, Ended> {
    let certificate = folder::read_text(&folder.operator("ca.pem"))?;
    let key = folder::read_text(&folder.operator("ca.key"))?;
    Authority::read(&certificate, &key).or_cannot_tell("reading the operator's certificate authority")
}

fn signing_key(name: &str) -> Result<SigningKey, Ended> {
    SigningKey::from_seed(name, KeyType::Ed25519, rand::random())
        .or_cannot_tell(format!("making the key {name}"))
}

fn secret_text(key: &SigningKey) -> String {
    format!("{}\n", key.to_secret_text())
}
