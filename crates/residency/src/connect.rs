//! A connection to a site, from a connection string as libpq has it. A server that is reached by TLS is verified by the
//! authority that `sslrootcert` names, or not connected to at all: a checker that asks the wrong server knows nothing.
//! Not here: what is asked (`run`).

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long a server may take to let us in.
const CONNECT_MS_MAX: u64 = 5_000;
/// How long one query may take.
const QUERY_MS_MAX: u64 = 5_000;

/// Where a site is, and how it is connected to.
#[derive(Clone)]
pub struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// Passwords are not for logs.
impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({:?}, {:?})", self.config.get_hosts(), self.config.get_dbname())
    }
}

/// Why a connection string cannot be used.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It cannot be read.
    #[error("the connection string cannot be read: {0}")]
    Text(String),
    /// A file that it names cannot be used.
    #[error("{key}={path}: {why}")]
    File {
        /// `sslrootcert` and the like.
        key: &'static str,
        /// What stands there.
        path: String,
        /// What is the matter with it.
        why: String,
    },
    /// TLS without knowing with whom.
    #[error("TLS is asked for and no authority is named to verify the server by; add sslrootcert=FILE")]
    NoAuthority,
    /// The server did not let us in.
    #[error("{0}")]
    Connect(#[from] tokio_postgres::Error),
    /// It did not answer.
    #[error("no answer within {CONNECT_MS_MAX} ms")]
    Late,
}

impl Target {
    /// Reads a connection string: words or a URL. `password` stands in where it has none.
    ///
    /// # Errors
    /// When it cannot be read, or asks for TLS without saying by whom the server is known.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, TargetError> {
        let (text, files) = split(text)?;
        let mut config = Config::from_str(&text).map_err(|error| TargetError::Text(said(&error)))?;
        if config.get_user().is_none() {
            return Err(TargetError::Text("it names no user; add user=NAME".to_owned()));
        }
        if config.get_hosts().is_empty() {
            return Err(TargetError::Text(
                "it names no host; add host=NAME, or the folder of a Unix socket".to_owned(),
            ));
        }
        if let (None, Some(password)) = (config.get_password(), password) {
            config.password(password);
        }
        let tls = files.tls()?;
        match (config.get_ssl_mode(), &tls) {
            (SslMode::Require, None) => return Err(TargetError::NoAuthority),
            (SslMode::Prefer, None) => drop(config.ssl_mode(SslMode::Disable)),
            (SslMode::Prefer, Some(_)) => drop(config.ssl_mode(SslMode::Require)),
            _ => {}
        }
        Ok(Self::with(config, tls))
    }

    /// With a configuration that is already made.
    pub fn with(mut config: Config, tls: Option<MakeRustlsConnect>) -> Self {
        // A view or function of somebody's own must not stand in for PostgreSQL's, and rows that row security holds back
        // are an error instead of nothing.
        let given = config.get_options().unwrap_or_default();
        let options = format!(
            "{given} -c search_path=pg_catalog,pg_temp -c row_security=off -c default_transaction_read_only=on \
             -c statement_timeout={QUERY_MS_MAX}"
        );
        config.options(options.trim()).connect_timeout(Duration::from_millis(CONNECT_MS_MAX));
        if config.get_application_name().is_none() {
            config.application_name("trefoil residency");
        }
        Self { config, tls }
    }

    /// As it is called where it has no name: host, port, database.
    pub fn name(&self) -> String {
        use tokio_postgres::config::Host;
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string(),
            None => "localhost".to_owned(),
        };
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let database = self.config.get_dbname().or_else(|| self.config.get_user()).unwrap_or_default();
        format!("{host}:{port}/{database}")
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Result<Client, TargetError> {
        let late = Duration::from_millis(CONNECT_MS_MAX);
        // The task ends by itself when the client is dropped; what breaks it is told to the client's next call.
        match &self.tls {
            Some(tls) => {
                let connecting = self.config.connect(tls.clone());
                let (client, connection) =
                    tokio::time::timeout(late, connecting).await.map_err(|_| TargetError::Late)??;
                drop(tokio::spawn(connection));
                Ok(client)
            }
            None => {
                let connecting = self.config.connect(NoTls);
                let (client, connection) =
                    tokio::time::timeout(late, connecting).await.map_err(|_| TargetError::Late)??;
                drop(tokio::spawn(connection));
                Ok(client)
            }
        }
    }
}

/// Files that a connection string names.
#[derive(Debug, Default)]
struct Files {
    authority: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Files {
    fn tls(&self) -> Result<Option<MakeRustlsConnect>, TargetError> {
        let Some(authority) = &self.authority else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates("sslrootcert", authority)? {
            roots.add(certificate).map_err(failed("sslrootcert", authority))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(failed("sslrootcert", authority))?.with_root_certificates(roots);
        let config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("sslcert", certificate)?;
                let key_der = PrivateKeyDer::from_pem_file(Path::new(key)).map_err(failed("sslkey", key))?;
                config.with_client_auth_cert(chain, key_der).map_err(failed("sslcert", certificate))?
            }
            _ => config.with_no_client_auth(),
        };
        Ok(Some(MakeRustlsConnect::new(config)))
    }
}

fn certificates(key: &'static str, path: &str) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let found = CertificateDer::pem_file_iter(Path::new(path)).and_then(Iterator::collect);
    let found: Vec<_> = found.map_err(failed(key, path))?;
    if found.is_empty() {
        return Err(failed(key, path)("there is no certificate in it"));
    }
    Ok(found)
}

fn failed<E: ToString>(key: &'static str, path: &str) -> impl Fn(E) -> TargetError {
    let path = path.to_owned();
    move |error| TargetError::File { key, path: path.clone(), why: error.to_string() }
}

/// Takes out what libpq knows and the client library does not: files of TLS. Servers are always verified by name, so
/// `verify-full` and `verify-ca` are `require`.
fn split(text: &str) -> Result<(String, Files), TargetError> {
    let mut files = Files::default();
    let mut take = |key: &str, value: &str| -> Option<(String, String)> {
        let slot = match key {
            "sslrootcert" => &mut files.authority,
            "sslcert" => &mut files.certificate,
            "sslkey" => &mut files.key,
            "sslmode" if value.starts_with("verify-") => return Some((key.to_owned(), "require".to_owned())),
            _ => return Some((key.to_owned(), value.to_owned())),
        };
        *slot = Some(value.to_owned());
        None
    };
    let words = crate::conninfo::words(text).map_err(TargetError::Text)?;
    let text = match text.trim().split_once('?') {
        Some((before, parameters)) if before.starts_with("postgres") && before.contains("://") => {
            // Values stay percent-encoded: only names are looked at.
            let kept = parameters.split('&').filter_map(|parameter| {
                let key = parameter.split('=').next().unwrap_or_default();
                let value = words.get(key).map_or("", String::as_str);
                let (key, taken) = take(key, value)?;
                Some(if taken == value { parameter.to_owned() } else { format!("{key}={taken}") })
            });
            format!("{before}?{}", kept.collect::<Vec<_>>().join("&"))
        }
        None if text.contains("://") => text.trim().to_owned(),
        _ => {
            let kept = words.iter().filter_map(|(key, value)| take(key, value));
            let word = |(key, value): (String, String)| {
                format!("{key}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
            };
            kept.map(word).collect::<Vec<_>>().join(" ")
        }
    };
    Ok((text, files))
}

/// An error with what caused it.
pub(crate) fn said(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_said = cause.to_string();
        if !text.contains(&cause_said) {
            text = format!("{text}: {cause_said}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Target, split};

    #[test]
    fn strings_are_split() {
        for (text, kept, authority) in [
            ("postgresql://u@h/d", "postgresql://u@h/d", None),
            (
                "postgres://u:p%40@h:1/d?sslmode=verify-full&sslrootcert=%2Fca.pem&application_name=a%26b",
                "postgres://u:p%40@h:1/d?sslmode=require&application_name=a%26b",
                Some("/ca.pem"),
            ),
            (
                "host=h user=u sslrootcert='/a b.pem' sslmode=require",
                "host='h' sslmode='require' user='u'",
                Some("/a b.pem"),
            ),
            ("host=h password='it\\'s ?'", "host='h' password='it\\'s ?'", None),
        ] {
            let (found, files) = split(text).unwrap();
            assert_eq!((&*found, files.authority.as_deref()), (kept, authority), "{text}");
        }
    }

    #[test]
    fn strings_are_refused() {
        for (text, expected) in [
            ("postgresql://h/d", "no user"),
            ("user=u", "no host"),
            ("user=u host=h sslmode=require", "no authority"),
            ("user=u host=h sslrootcert=/nowhere.pem", "/nowhere.pem"),
            ("user=u host=h bogus=1", "bogus"),
            ("nonsense", "has no value"),
        ] {
            let error = Target::parse(text, None).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(Target::parse("postgres://u@h/d", None).unwrap().name(), "h:5432/d");
    }
}
