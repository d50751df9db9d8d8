//! A session's own connection to a site: TLS with the certificate that the monitor issued, then SCRAM with the
//! pool role's password. Both keys, or PostgreSQL does not let the gate in.
//! Not here: which site and role (`admit`), what is said afterwards (`relay`).

use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Site;

/// Bytes that a site may send before the session is ready.
const START_BYTES_MAX: usize = 65_536;

/// A connected, authenticated backend that is ready for its first statement.
#[derive(Debug)]
pub struct Backend {
    /// The connection.
    pub stream: TlsStream<TcpStream>,
    /// Settings that the site reported, in order.
    pub parameters: Vec<(String, String)>,
    /// For cancelling: the backend's process and secret.
    pub key: (i32, i32),
}

/// Why a site did not let a session in; for the gate's log, never for the client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No connection, or it broke.
    #[error("cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    /// The certificate or key cannot be used.
    #[error("TLS: {0}")]
    Tls(String),
    /// PostgreSQL said no.
    #[error("refused the session: {0}")]
    Refused(String),
    /// PostgreSQL said something else than it must.
    #[error("broke the protocol: {0}")]
    Protocol(&'static str),
}

/// What opens the wall for one session.
#[derive(Debug)]
pub struct TwoKeys<'a> {
    /// The pool role.
    pub role: &'a str,
    /// Its password, which the gate holds.
    pub password: &'a str,
    /// The certificate that the monitor issued for exactly this role, PEM.
    pub certificate: &'a str,
    /// The private key of the certificate, PEM; made for this session alone.
    pub private_key: &'a str,
}

/// A TLS configuration that shows a session's certificate and trusts the sites' CA alone.
fn tls(roots: &Arc<RootCertStore>, keys: &TwoKeys<'_>) -> Result<ClientConfig, ConnectError> {
    let bad = |e: &dyn std::fmt::Display| ConnectError::Tls(e.to_string());
    let certificate = CertificateDer::from_pem_slice(keys.certificate.as_bytes()).map_err(|e| bad(&e))?;
    let key = PrivateKeyDer::from_pem_slice(keys.private_key.as_bytes()).map_err(|e| bad(&e))?;
    let mut config = ClientConfig::builder()
        .with_root_certificates(Arc::clone(roots))
        .with_client_auth_cert(vec![certificate], key)
        .map_err(|e| bad(&e))?;
    // This is for one connection: nothing is ever resumed, and room for that would be most of what a session takes.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Connects, proves both keys, and waits until the backend is ready.
pub async fn connect(
    site: &Site,
    roots: &Arc<RootCertStore>,
    keys: &TwoKeys<'_>,
    settings: &[(String, String)],
) -> Result<Backend, ConnectError> {
    let mut tcp = TcpStream::connect((site.host.as_str(), site.port)).await?;
    tcp.set_nodelay(true)?;
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    tcp.write_all(&out).await?;
    // One byte exactly: anything after it would be plain text that a man in the middle put there.
    if tcp.read_u8().await? != b'S' {
        return Err(ConnectError::Protocol("no TLS offered"));
    }
    let name = ServerName::try_from(site.host.clone()).map_err(|e| ConnectError::Tls(e.to_string()))?;
    let stream = TlsConnector::from(Arc::new(tls(roots, keys)?)).connect(name, tcp).await?;
    let mut opening = Opening { stream, buffer: BytesMut::new() };
    let mut parameters =
        vec![("user", keys.role), ("database", site.database.as_str()), ("client_encoding", "UTF8")];
    parameters.extend(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    out.clear();
    frontend::startup_message(parameters, &mut out)?;
    opening.stream.write_all(&out).await?;
    opening.authenticate(keys.password).await?;
    opening.ready().await
}

struct Opening {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
}

impl Opening {
    async fn next(&mut self) -> Result<Message, ConnectError> {
        loop {
            let complete = match Header::parse(&self.buffer)? {
                Some(header) => usize::try_from(header.len()).is_ok_and(|len| self.buffer.len() > len),
                None => false,
            };
            if complete && let Some(message) = Message::parse(&mut self.buffer)? {
                return Ok(message);
            }
            if self.buffer.len() > START_BYTES_MAX {
                return Err(ConnectError::Protocol("too much said before the session is ready"));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ConnectError::Protocol("closed before the session is ready"));
            }
        }
    }

    async fn authenticate(&mut self, password: &str) -> Result<(), ConnectError> {
        match self.next().await? {
            Message::AuthenticationSasl(_) => {}
            // A site that asks for less than SCRAM is not configured as the enclave demands.
            Message::ErrorResponse(error) => return Err(refused(&error)),
            _ => return Err(ConnectError::Protocol("asks for something else than SCRAM")),
        }
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let mut out = BytesMut::new();
        frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)?;
        self.stream.write_all(&out).await?;
        match self.next().await? {
            Message::AuthenticationSaslContinue(body) => scram.update(body.data())?,
            Message::ErrorResponse(error) => return Err(refused(&error)),
            _ => return Err(ConnectError::Protocol("SCRAM out of order")),
        }
        out.clear();
        frontend::sasl_response(scram.message(), &mut out)?;
        self.stream.write_all(&out).await?;
        match self.next().await? {
            Message::AuthenticationSaslFinal(body) => scram.finish(body.data())?,
            Message::ErrorResponse(error) => return Err(refused(&error)),
            _ => return Err(ConnectError::Protocol("SCRAM out of order")),
        }
        match self.next().await? {
            Message::AuthenticationOk => Ok(()),
            Message::ErrorResponse(error) => Err(refused(&error)),
            _ => Err(ConnectError::Protocol("no end of authentication")),
        }
    }

    async fn ready(mut self) -> Result<Backend, ConnectError> {
        let mut parameters = Vec::new();
        let mut key = None;
        loop {
            match self.next().await? {
                Message::ParameterStatus(status) => {
                    parameters.push((status.name()?.to_owned(), status.value()?.to_owned()));
                }
                Message::BackendKeyData(data) => key = Some((data.process_id(), data.secret_key())),
                Message::NoticeResponse(_) => {}
                Message::ErrorResponse(error) => return Err(refused(&error)),
                Message::ReadyForQuery(_) => break,
                _ => return Err(ConnectError::Protocol("out of order before ready")),
            }
        }
        if !self.buffer.is_empty() {
            return Err(ConnectError::Protocol("says more than that it is ready"));
        }
        let key = key.ok_or(ConnectError::Protocol("gives no key for cancelling"))?;
        Ok(Backend { stream: self.stream, parameters, key })
    }
}

fn refused(error: &postgres_protocol::message::backend::ErrorResponseBody) -> ConnectError {
    use fallible_iterator::FallibleIterator;
    let mut said = String::new();
    let mut fields = error.fields();
    while let Ok(Some(field)) = fields.next() {
        if matches!(field.type_(), b'C' | b'M') {
            said.push_str(&String::from_utf8_lossy(field.value_bytes()));
            said.push(' ');
        }
    }
    ConnectError::Refused(said)
}

/// Asks a site to cancel what a backend does, and waits until the site has taken note: PostgreSQL closes this
/// connection after it has signalled the backend, so that no later statement can be hit.
pub async fn cancel(site: &Site, key: (i32, i32)) -> std::io::Result<()> {
    let mut tcp = TcpStream::connect((site.host.as_str(), site.port)).await?;
    let mut out = BytesMut::new();
    frontend::cancel_request(key.0, key.1, &mut out);
    tcp.write_all(&out).await?;
    let mut rest = [0_u8; 16];
    while tcp.read(&mut rest).await? > 0 {}
    Ok(())
}
