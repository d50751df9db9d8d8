//! Real client connections: to the gate as a principal, to a site as an intruder, to a site as its administrator.
//! What is observed on them is in the other files of the tour.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::enclave::ready::{DATABASE, HOST, Ready};
use crate::ended::{Ended, OrEnded};

/// What a principal states when they connect.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) who: &'a str,
    pub(crate) place: &'a str,
    pub(crate) purpose: Option<&'a str>,
    pub(crate) ticket: Option<&'a str>,
    /// Which site; none: the gate chooses.
    pub(crate) site: Option<&'a str>,
}

/// A connection and the task that carries it.
pub(crate) struct Session {
    pub(crate) client: Client,
    carrier: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.carrier.abort();
    }
}

/// What a server said when it refused.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// Empty when it said nothing before the connection broke.
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(said) => Self {
                sqlstate: said.code().code().to_owned(),
                message: said.message().to_owned(),
                hint: said.hint().map(str::to_owned),
            },
            None => {
                let mut message = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    message = format!("{message}: {error}");
                    cause = error.source();
                }
                Self { sqlstate: String::new(), message, hint: None }
            }
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.sqlstate.is_empty() {
            write!(f, "{} ", self.sqlstate)?;
        }
        f.write_str(&self.message)
    }
}

/// A row as the client got it: column names and texts, NULL as none.
pub(crate) type Row = Vec<(String, Option<String>)>;

/// Connects to the gate at the listener of a place.
pub(crate) async fn ask(ready: &Ready, ask: Ask<'_>) -> Result<Session, Refused> {
    let port =
        ready.listeners.iter().find(|listener| listener.place == ask.place).map(|listener| listener.port);
    let principal = ready.principals.iter().find(|principal| principal.name == ask.who);
    let (Some(port), Some(principal)) = (port, principal) else {
        let message = format!("the enclave has no listener {} or no principal {}", ask.place, ask.who);
        return Err(Refused { sqlstate: String::new(), message, hint: None });
    };
    let mut config = over_tls(port, ask.who, &principal.password);
    let settings = [("purpose", ask.purpose), ("ticket", ask.ticket), ("site", ask.site)];
    let options: Vec<String> = settings
        .iter()
        .filter_map(|(key, value)| value.map(|value| format!("-c trefoil.{key}={value}")))
        .collect();
    config.options(options.join(" "));
    let tls = client_config(ready, None).map_err(Refused::ours)?;
    Session::open(&config, tls).await
}

/// Tries a name and a password at the listener of a place, from an address of this machine.
pub(crate) async fn try_from(
    ready: &Ready,
    from: IpAddr,
    place: &str,
    name: &str,
    password: &str,
) -> Result<Session, Refused> {
    let ours = |message: String| Refused { sqlstate: String::new(), message, hint: None };
    let listener = ready.listeners.iter().find(|listener| listener.place == place);
    let port = listener.map(|listener| listener.port).unwrap_or_default();
    let to: SocketAddr =
        format!("{HOST}:{port}").parse().map_err(|_| ours(format!("{HOST} is no address")))?;
    let socket = TcpSocket::new_v4().map_err(|error| ours(error.to_string()))?;
    socket.bind(SocketAddr::new(from, 0)).map_err(|error| ours(error.to_string()))?;
    let stream = socket.connect(to).await.map_err(|error| ours(error.to_string()))?;
    let mut tls = MakeRustlsConnect::new(client_config(ready, None).map_err(Refused::ours)?);
    let tls = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::make_tls_connect(&mut tls, HOST);
    let tls = tls.map_err(|error| ours(error.to_string()))?;
    let (client, connection) = over_tls(port, name, password).connect_raw(stream, tls).await?;
    Ok(Session { client, carrier: tokio::spawn(carry(connection)) })
}

/// Connects to the gate at the listener of a place, with further options.
pub(crate) async fn log_in(
    ready: &Ready,
    place: &str,
    name: &str,
    password: &str,
    options: &str,
) -> Result<Session, Refused> {
    let listener = ready.listeners.iter().find(|listener| listener.place == place);
    let port = listener.map(|listener| listener.port).unwrap_or_default();
    let mut config = over_tls(port, name, password);
    config.options(options);
    Session::open(&config, client_config(ready, None).map_err(Refused::ours)?).await
}

impl Refused {
    fn ours(ended: Ended) -> Self {
        Self { sqlstate: String::new(), message: ended.to_string(), hint: None }
    }
}

/// Connects to a site past the gate, with a password and perhaps a certificate.
pub(crate) async fn intrude(
    ready: &Ready,
    port: u16,
    role: &str,
    password: &str,
    certificate: Option<&Identity>,
) -> Result<Session, Refused> {
    let tls = client_config(ready, certificate).map_err(Refused::ours)?;
    Session::open(&over_tls(port, role, password), tls).await
}

/// Connects to a site as its administrator, over its Unix socket, to know what is true.
pub(crate) async fn administer(admin_url: &str) -> Result<Session, Refused> {
    let config: Config = admin_url.parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    Ok(Session { client, carrier: tokio::spawn(carry(connection)) })
}

fn over_tls(port: u16, user: &str, password: &str) -> Config {
    let mut config = Config::new();
    config.host(HOST).port(port).dbname(DATABASE).user(user).password(password).ssl_mode(SslMode::Require);
    config
}

impl Session {
    async fn open(config: &Config, tls: ClientConfig) -> Result<Self, Refused> {
        let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await?;
        Ok(Self { client, carrier: tokio::spawn(carry(connection)) })
    }

    /// Rows of a query by the simple protocol, as texts.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Row>, Refused> {
        let messages = self.client.simple_query(sql).await?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let columns = |row: &tokio_postgres::SimpleQueryRow| -> Row {
            let named = row.columns().iter().enumerate();
            named
                .map(|(index, column)| (column.name().to_owned(), row.get(index).map(str::to_owned)))
                .collect()
        };
        Ok(rows.map(columns).collect())
    }
}

async fn carry<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    // How a connection ends is told to whoever waits on it.
    let _ = connection.await;
}

/// A client's certificate and key.
pub(crate) struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    /// A log-in certificate for a role, by the authority in these PEM texts.
    pub(crate) fn issue(authority: &str, authority_key: &str, role: &str) -> Result<Self, Ended> {
        let doing = format!("making a certificate for {role}");
        let issuer_key = KeyPair::from_pem(authority_key).or_cannot_tell(&doing)?;
        let issuer = Issuer::from_ca_cert_pem(authority, issuer_key).or_cannot_tell(&doing)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, role);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().or_cannot_tell(&doing)?;
        let certificate = params.signed_by(&key, &issuer).or_cannot_tell(&doing)?;
        Ok(Self { certificate: certificate.der().clone(), key: key.serialize_der() })
    }
}

fn client_config(ready: &Ready, identity: Option<&Identity>) -> Result<ClientConfig, Ended> {
    let doing = format!("reading {}", ready.ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&ready.ca).or_cannot_tell(&doing)? {
        roots.add(certificate.or_cannot_tell(&doing)?).or_cannot_tell(&doing)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .or_cannot_tell("setting up TLS")?
        .with_root_certificates(roots);
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some(identity) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
            config
                .with_client_auth_cert(vec![identity.certificate.clone()], key)
                .or_cannot_tell("setting up TLS")
        }
    }
}
