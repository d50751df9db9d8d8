//! The operator's certificate authority: it signs the servers of the enclave (sites, gates) and nobody's log-in. A
//! site trusts the monitor's authority alone for log-ins. Not here: the monitor's authority.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::SitesError;

const AUTHORITY_DAYS: u64 = 3_650;
const SERVER_DAYS: u64 = 825;
/// Clocks differ a little between hosts.
const BACKDATED: Duration = Duration::from_secs(3_600);

/// A certificate authority with its key.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and private key, both PEM.
#[derive(Debug, Clone)]
pub struct ServerCertificate {
    /// The certificate.
    pub certificate: String,
    /// The key: a secret.
    pub key: String,
}

impl Authority {
    /// Makes a new authority with this common name.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn make(name: &str, now: SystemTime) -> Result<Self, SitesError> {
        let failed = |source| SitesError::Certificate { doing: "make a certificate authority", source };
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, AUTHORITY_DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Reads an authority back from its certificate and key, both PEM.
    ///
    /// # Errors
    /// When either is not what it should be.
    pub fn read(certificate: &str, key: &str) -> Result<Self, SitesError> {
        let failed = |source| SitesError::Certificate { doing: "read the certificate authority", source };
        let key = KeyPair::from_pem(key).map_err(failed)?;
        let issuer = Issuer::from_ca_cert_pem(certificate, key).map_err(failed)?;
        Ok(Self { certificate: certificate.to_owned(), issuer })
    }

    /// The certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The private key, PEM: a secret.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for a server that is reached by this address, or as `localhost` when that is what it is.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn server(
        &self,
        name: &str,
        address: IpAddr,
        now: SystemTime,
    ) -> Result<ServerCertificate, SitesError> {
        let failed = |source| SitesError::Certificate { doing: "sign a server's certificate", source };
        let names = if address.is_loopback() { vec!["localhost".to_owned()] } else { Vec::new() };
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names.push(SanType::IpAddress(address));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, SERVER_DAYS);
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(ServerCertificate { certificate, key: key.serialize_pem() })
    }
}

fn set_validity(params: &mut CertificateParams, now: SystemTime, days: u64) {
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + Duration::from_secs(days * 86_400)).into();
}
