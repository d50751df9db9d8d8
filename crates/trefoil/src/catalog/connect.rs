//! A connection to any PostgreSQL, named as libpq names it. Without verify-ca or verify-full the server is encrypted to
//! and not authenticated, as libpq does. Not here: what is asked there.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ended::{Ended, OrEnded};

const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const CONNECT_SECS_MAX: u64 = 15;
const DEFAULT_SOCKETS: &str = "/var/run/postgresql";
const FORM: &str = "write postgresql://USER@HOST[:PORT]/DATABASE, or host=… user=… dbname=…";

/// Connects. No error repeats the URL, which may hold a password.
pub(crate) async fn connect(url: &str) -> Result<Client, Ended> {
    let (plain, tls) = Tls::taken_from(url)?;
    let mut config: Config = plain.parse().or_cannot_tell(format!("the address of the database ({FORM})"))?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_hosts().is_empty() {
        config.host(std::env::var("PGHOST").unwrap_or_else(|_| DEFAULT_SOCKETS.to_owned()));
    }
    config
        .connect_timeout(std::time::Duration::from_secs(CONNECT_SECS_MAX))
        .application_name("trefoil catalog");
    let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
    let doing = "connecting to the database";
    if local || tls.mode == "disable" {
        config.ssl_mode(SslMode::Disable);
        let (client, connection) = config.connect(NoTls).await.map_err(|error| told(doing, &error))?;
        tokio::spawn(connection);
        return Ok(client);
    }
    config.ssl_mode(if matches!(tls.mode.as_str(), "prefer" | "allow") {
        SslMode::Prefer
    } else {
        SslMode::Require
    });
    let connector = MakeRustlsConnect::new(tls.config()?);
    let (client, connection) = config.connect(connector).await.map_err(|error| told(doing, &error))?;
    tokio::spawn(connection);
    Ok(client)
}

/// Where a server is that has to show a certificate, and whom to believe: for whoever is about to tell it a secret.
pub(crate) fn verified(url: &str) -> Result<(Config, ClientConfig), Ended> {
    let (plain, mut tls) = Tls::taken_from(url)?;
    if tls.mode == "prefer" {
        "verify-full".clone_into(&mut tls.mode);
    }
    if tls.mode != "verify-full" {
        return Err(Ended::cannot_tell(
            "a secret is told to nobody who does not prove who they are: sslmode=verify-full",
        ));
    }
    let mut config: Config = plain.parse().or_cannot_tell(format!("the address of the server ({FORM})"))?;
    if config.get_hosts().is_empty() {
        return Err(Ended::cannot_tell(format!("no server is named: {FORM}")));
    }
    config.connect_timeout(std::time::Duration::from_secs(CONNECT_SECS_MAX)).ssl_mode(SslMode::Require);
    Ok((config, tls.config()?))
}

/// The server's own words; the error alone would say "db error".
fn told(doing: &str, error: &tokio_postgres::Error) -> Ended {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let said =
        error.as_db_error().map_or_else(|| format!("{error}{cause}"), |said| said.message().to_owned());
    Ended::cannot_tell(format!("{doing}: {said}"))
}

/// What libpq knows of TLS, and `tokio_postgres` does not.
#[derive(Debug, PartialEq, Eq)]
struct Tls {
    mode: String,
    authorities: Option<String>,
}

impl Tls {
    /// The address without what is here.
    fn taken_from(url: &str) -> Result<(String, Self), Ended> {
        let mut tls = Self { mode: "prefer".to_owned(), authorities: None };
        let plain = match url.split_once('?').filter(|_| url.contains("://")) {
            Some((address, query)) => {
                let rest: Vec<&str> = query.split('&').filter(|pair| !tls.take(pair)).collect();
                if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) }
            }
            None if url.contains("://") => url.to_owned(),
            None => {
                let rest: Vec<&str> = url.split_whitespace().filter(|pair| !tls.take(pair)).collect();
                rest.join(" ")
            }
        };
        if !["disable", "allow", "prefer", "require", "verify-ca", "verify-full"].contains(&tls.mode.as_str())
        {
            return Err(Ended::cannot_tell(format!(
                "sslmode={} is not known: use disable, prefer, require, verify-ca or verify-full",
                tls.mode
            )));
        }
        Ok((plain, tls))
    }

    fn take(&mut self, pair: &str) -> bool {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => mode.clone_into(&mut self.mode),
            Some(("sslrootcert", file)) => self.authorities = Some(file.trim_matches('\'').to_owned()),
            _ => return false,
        }
        true
    }

    fn config(&self) -> Result<ClientConfig, Ended> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().or_cannot_tell("preparing TLS")?;
        // As libpq: whoever names authorities wants them asked.
        if !self.mode.starts_with("verify") && self.authorities.is_none() {
            let anybody = Arc::new(Anybody(provider));
            return Ok(builder.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth());
        }
        let file = self.authorities.as_deref().unwrap_or(SYSTEM_AUTHORITIES);
        let mut roots = RootCertStore::empty();
        let read =
            CertificateDer::pem_file_iter(Path::new(file)).or_cannot_tell(format!("reading {file}"))?;
        for certificate in read {
            roots
                .add(certificate.or_cannot_tell(format!("reading {file}"))?)
                .or_cannot_tell(format!("reading {file}"))?;
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// Believes any certificate, and still that its key is held.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::Tls;

    #[test]
    fn tls_is_taken_out_of_an_address() {
        let check = |url: &str, plain: &str, mode: &str, authorities: Option<&str>| {
            let tls = Tls { mode: mode.to_owned(), authorities: authorities.map(str::to_owned) };
            assert_eq!(Tls::taken_from(url).unwrap(), (plain.to_owned(), tls), "{url}");
        };
        check("postgres://a@b/c", "postgres://a@b/c", "prefer", None);
        check(
            "postgres://a@b/c?sslmode=verify-full&sslrootcert=ca.pem",
            "postgres://a@b/c",
            "verify-full",
            Some("ca.pem"),
        );
        check("postgres://a@b/c?sslmode=require&port=1", "postgres://a@b/c?port=1", "require", None);
        check("host=b dbname=c sslmode=disable", "host=b dbname=c", "disable", None);
        assert!(Tls::taken_from("host=b sslmode=maybe").is_err());
    }
}
