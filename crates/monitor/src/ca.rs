//! The second key to the wall: the monitor's certificate authority, which signs a short-lived client certificate for
//! exactly one pool role. Whether a session deserves one is decided elsewhere; here a request is read and a
//! certificate made. The authority by which gates are known at the door is another one of the same make (`enrol`).

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey,
    SanType, SerialNumber,
};
use record::MONITOR_TLS_NAME;
use thiserror::Error;
use time::OffsetDateTime;
use tlog::entry::Micros;
use x509_parser::pem::parse_x509_pem;

/// How long before and after its making a session certificate is valid.
pub const CERTIFICATE_S_MAX: i64 = 60;
/// How long the authority itself is valid.
pub const CA_DAYS_MAX: i64 = 3_650;
/// The longest certificate request that is read, in PEM.
pub const REQUEST_BYTES_MAX: usize = 8_192;

const DAY_S: i64 = 86_400;

/// Why the authority cannot work, or a request is not one.
#[derive(Debug, Error)]
pub enum CaError {
    #[error("{0}")]
    Rcgen(#[from] rcgen::Error),
    #[error("it is not a certificate: {0}; put the original back")]
    Certificate(String),
    #[error("it is not the certificate of the key beside it; put the originals back")]
    Mismatch,
    #[error(
        "it is not valid at this time; check the clock, or make a new monitor and re-provision the sites"
    )]
    Expired,
    #[error("the certificate request has more than {REQUEST_BYTES_MAX} bytes")]
    Long,
    #[error("the certificate request names {found:?}, not the role {role:?}")]
    Name { found: String, role: String },
}

/// A new authority.
pub struct Made {
    pub cert_pem: String,
    pub key_pem: String,
}

/// Makes an authority that may sign end-entity certificates and nothing else.
pub fn make(name: &str, now: Micros) -> Result<Made, CaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time(seconds(now) - DAY_S);
    params.not_after = date_time(seconds(now) + CA_DAYS_MAX * DAY_S);
    let cert = params.self_signed(&key)?;
    Ok(Made { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
}

/// The authority, ready to sign.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// Reads key and certificate and checks that they belong together and are valid now.
    pub fn read(cert_pem: &str, key_pem: &str, now: Micros) -> Result<Ca, CaError> {
        let key = KeyPair::from_pem(key_pem)?;
        let broken = |e: &dyn std::fmt::Display| CaError::Certificate(e.to_string());
        let (_, pem) = parse_x509_pem(cert_pem.as_bytes()).map_err(|e| broken(&e))?;
        let cert = pem.parse_x509().map_err(|e| broken(&e))?;
        if cert.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(CaError::Mismatch);
        }
        let validity = cert.validity();
        if !(validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&seconds(now)) {
            return Err(CaError::Expired);
        }
        Ok(Ca { issuer: Issuer::from_ca_cert_pem(cert_pem, key)? })
    }

    /// A client certificate in PEM for `role`, bound to a session, valid for `CERTIFICATE_S_MAX` around `made`. Only
    /// the public key comes from the request; every other field is ours.
    pub fn issue(
        &self,
        request: &Request,
        role: &str,
        session: [u8; 16],
        made: Micros,
    ) -> Result<String, CaError> {
        let mut params = leaf(role, ExtendedKeyUsagePurpose::ClientAuth);
        params.serial_number = Some(SerialNumber::from_slice(&session));
        params.not_before = date_time(seconds(made) - CERTIFICATE_S_MAX);
        params.not_after = date_time(seconds(made) + CERTIFICATE_S_MAX);
        Ok(params.signed_by(&request.key, &self.issuer)?.pem())
    }

    /// A client certificate in PEM by which the monitor knows a gate, valid as long as an authority.
    pub fn enrol(
        &self,
        request: &Request,
        gate: &str,
        serial: [u8; 16],
        now: Micros,
    ) -> Result<String, CaError> {
        let mut params = leaf(gate, ExtendedKeyUsagePurpose::ClientAuth);
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = date_time(seconds(now) - DAY_S);
        params.not_after = date_time(seconds(now) + CA_DAYS_MAX * DAY_S);
        Ok(params.signed_by(&request.key, &self.issuer)?.pem())
    }

    /// A new server certificate and its key, DER and PKCS #8, by which gates know the monitor.
    pub fn server(&self, now: Micros) -> Result<(Vec<u8>, Vec<u8>), CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = leaf(MONITOR_TLS_NAME, ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = vec![SanType::DnsName(MONITOR_TLS_NAME.try_into()?)];
        params.not_before = date_time(seconds(now) - DAY_S);
        params.not_after = date_time(seconds(now) + CA_DAYS_MAX * DAY_S);
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok((cert.der().to_vec(), key.serialize_der()))
    }
}

/// A certificate request whose signature holds and whose subject is exactly the role.
#[derive(Debug, Clone)]
pub struct Request {
    key: PublicKey,
}

impl Request {
    /// Reads PEM; the request's signature proves that the asker has the key.
    pub fn read(pem: &str, role: &str) -> Result<Request, CaError> {
        if pem.len() > REQUEST_BYTES_MAX {
            return Err(CaError::Long);
        }
        let request = CertificateSigningRequestParams::from_pem(pem)?;
        let names: Vec<(&DnType, &DnValue)> = request.params.distinguished_name.iter().collect();
        let found = match names.as_slice() {
            [(DnType::CommonName, DnValue::Utf8String(name))] => name.clone(),
            [(DnType::CommonName, DnValue::PrintableString(name))] => name.to_string(),
            other => format!("{other:?}"),
        };
        if found != role {
            return Err(CaError::Name { found, role: role.to_owned() });
        }
        Ok(Request { key: request.public_key })
    }
}

/// A certificate that signs nothing, for one use.
fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn seconds(time: Micros) -> i64 {
    time.0.div_euclid(1_000_000)
}

/// As the certificate library counts time; what it cannot express is 1970, long expired.
fn date_time(unix_s: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
