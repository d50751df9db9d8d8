//! Speaks to a monitor as a gate that is enrolled, or in plain HTTP as anybody.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use monitor::{clock, enrol, folder::Folder};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

/// What a connection is.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Enrols a gate with a new key.
pub fn enrolled(folder: &Folder, gate: &str) -> Arc<ClientConfig> {
    let (certificate, key) = enrolled_pem(folder, gate);
    with(folder, &certificate, &key)
}

/// As [`enrolled`]: the certificate and the key, in PEM.
pub fn enrolled_pem(folder: &Folder, gate: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, gate);
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    let certificate = enrol::enrol(folder, gate, &request, clock::now()).unwrap();
    (certificate, key.serialize_pem())
}

/// A client that believes the monitor's authority and shows this certificate.
pub fn with(folder: &Folder, certificate: &str, key: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.door_cert()).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    Arc::new(builder.with_client_auth_cert(chain, key).unwrap())
}

/// A client that shows nothing.
pub fn nobody(folder: &Folder) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.door_cert()).unwrap()).unwrap();
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Connects to `host:port`, by TLS where it is said how.
pub fn connect(address: &str, tls: Option<&Arc<ClientConfig>>) -> Box<dyn Stream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let Some(tls) = tls else { return Box::new(stream) };
    let name = ServerName::try_from("trefoil-monitor").unwrap();
    Box::new(StreamOwned::new(ClientConnection::new(tls.clone(), name).unwrap(), stream))
}

/// Sends a request; `head` is its method and path.
pub fn send(stream: &mut dyn Stream, head: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head = format!("{head} HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

/// Status, head and body of an answer on a connection that then ends.
pub fn answer(stream: &mut dyn Stream) -> io::Result<(u16, String, String)> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, head.to_lowercase(), body.to_owned()))
}
