//! Details: the sealed part of an entry, the commitment by which the entry names it, and the day keys that seal it.
//! What the typed details hold is in `detail::typed`. Salts, nonces and keys are drawn by the caller.

mod brake;
mod forgotten;
mod incident;
mod login;
mod probe;
mod residency;
mod typed;

use std::fmt;
use std::io::Read;

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use brake::{BrakeApplied, BrakeLifted, Ended};
pub use forgotten::{Forgotten, RETENTION_CLASSES, key_id_parts, retention_class};
pub use incident::{
    About, Change, Exhibit, IncidentChanged, IncidentOpened, MonitorStart, MonitorStop, Reason, Severity,
};
pub use login::{
    HandedLogin, HandedLogins, Judged, JudgedLogin, JudgedReason, LOGIN_FINDINGS_MAX, LOGIN_REASONS_MAX,
    LOGINS_HANDED_MAX, LoginAction, LoginExplained, LoginFinding, LoginFindingKind, LoginJudged, LoginMarked,
    LoginResponded, LoginResponse, LoginVerdict, Proof, RESPONSE_DAYS_MAX, ResponseChange, ResponseKind,
};
pub use probe::{PROBES_MAX, Probe, ProbeRevealed, ProbesCommitted, ProbesRevealed};
pub use residency::{
    CheckEvidence, CheckResult, CountryFile, FINDINGS_MAX, FindingEvidence, ResidencyEvidence, SiteEvidence,
};
pub use typed::{
    Committed, Counted, Cut, GateStart, GateStop, HomesStated, Refused, Released, SUBJECTS_EXACT_MAX,
    SessionClose, SessionOpen, SiteStanding, Stage, Statement, Subjects, WriteStatement, Written,
};

use crate::hash::hex;
use crate::json::{self, JsonError};

/// Bytes of the salt before every sealed detail.
pub const SALT_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;
/// Longest canonical detail.
pub const DETAIL_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest key id.
pub const KEY_ID_BYTES_MAX: usize = 64;
/// Longest wrapped day key.
pub const WRAPPED_KEY_BYTES_MAX: usize = 16 * 1024;

/// Bytes of the tag behind a sealed detail.
const TAG_BYTES: usize = 16;
/// First byte of a sealed detail.
const VERSION: u8 = 1;

/// Why a detail cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DetailError {
    #[error("the detail has no canonical text: {0}")]
    Json(#[from] JsonError),
    #[error("the detail is longer than {DETAIL_BYTES_MAX} bytes")]
    TooLong,
    #[error("a key id is a day and a retention class, as in 2026-01-31.access")]
    KeyId,
    #[error("not a sealed detail of version {VERSION}")]
    Form,
    #[error("the detail was sealed with another day key")]
    OtherKey,
    #[error("the detail does not open: it was altered, or the key is not the one of that id")]
    Seal,
    #[error("the identity is not an age X25519 identity (AGE-SECRET-KEY-1…)")]
    Identity,
    #[error("the wrapped day key does not open with this identity")]
    Unwrap,
    #[error("the wrapped day key does not hold an id and two keys of 32 bytes")]
    DayKey,
}

/// The commitment in an entry: SHA-256(salt ‖ canonical detail). The salt keeps it from being guessed.
pub fn commitment(salt: &[u8; SALT_BYTES], canonical: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(salt);
    hasher.update(canonical);
    hasher.finalize().into()
}

/// The keys of a day and retention class. Destroying them forgets every detail and name under them.
#[derive(Clone, PartialEq, Eq)]
pub struct DayKey {
    /// `YYYY-MM-DD.class`, a day in UTC.
    pub id: String,
    /// Seals details.
    pub seal: [u8; 32],
    /// Hashes principals and requests.
    pub names: [u8; 32],
}

impl DayKey {
    /// The `principal` of an entry: HMAC-SHA-256(names, "principal\n" ‖ name) in hexadecimal.
    pub fn principal(&self, name: &str) -> String {
        self.hashed("principal\n", name)
    }

    /// The `request` of an entry: HMAC-SHA-256(names, "request\n" ‖ canonical request) in hexadecimal.
    pub fn request(&self, request: &Value) -> Result<String, JsonError> {
        Ok(self.hashed("request\n", &json::canonical(request)?))
    }

    /// The detail of the `key.made` entry: what [`DayKey::wrapped_plaintext`] carries after the salt.
    pub fn to_value(&self) -> Value {
        json!({ "key": self.id, "names": STANDARD.encode(self.names), "seal": STANDARD.encode(self.seal) })
    }

    /// What to encrypt with age for the operator, the monitor and the auditor: salt ‖ canonical keys. Secret.
    pub fn wrapped_plaintext(&self, salt: &[u8; SALT_BYTES]) -> Result<Vec<u8>, DetailError> {
        if !is_key_id(&self.id) {
            return Err(DetailError::KeyId);
        }
        let mut plaintext = salt.to_vec();
        plaintext.extend_from_slice(json::canonical(&self.to_value())?.as_bytes());
        Ok(plaintext)
    }

    fn hashed(&self, label: &str, text: &str) -> String {
        // HMAC takes keys of any length, so the fallback is never reached.
        let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(&self.names) else { return String::new() };
        mac.update(label.as_bytes());
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for DayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DayKey({}, secret)", self.id)
    }
}

/// A detail, opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    pub salt: [u8; SALT_BYTES],
    pub value: Value,
    /// The commitment over exactly the bytes that were sealed: compare it with the entry's.
    pub commitment: [u8; 32],
}

/// Seals a detail: `1 ‖ key id length ‖ key id ‖ nonce ‖ XChaCha20-Poly1305(salt ‖ canonical)`, with the key id as
/// associated data. The nonce must be new for every call under a key; 24 random bytes are.
pub fn seal(
    key: &DayKey,
    salt: &[u8; SALT_BYTES],
    nonce: &[u8; NONCE_BYTES],
    detail: &Value,
) -> Result<Vec<u8>, DetailError> {
    seal_text(key, salt, nonce, &json::canonical(detail)?)
}

/// As [`seal`], of a detail's canonical text.
pub fn seal_text(
    key: &DayKey,
    salt: &[u8; SALT_BYTES],
    nonce: &[u8; NONCE_BYTES],
    canonical: &str,
) -> Result<Vec<u8>, DetailError> {
    if canonical.len() > DETAIL_BYTES_MAX {
        return Err(DetailError::TooLong);
    }
    let id_length = u8::try_from(key.id.len()).map_err(|_| DetailError::KeyId)?;
    if !is_key_id(&key.id) {
        return Err(DetailError::KeyId);
    }
    let head = 2 + key.id.len() + NONCE_BYTES;
    let mut blob = Vec::with_capacity(head + SALT_BYTES + canonical.len() + TAG_BYTES);
    blob.extend_from_slice(&[VERSION, id_length]);
    blob.extend_from_slice(key.id.as_bytes());
    blob.extend_from_slice(nonce);
    blob.extend_from_slice(salt);
    blob.extend_from_slice(canonical.as_bytes());
    let tag = XChaCha20Poly1305::new(&key.seal.into())
        .encrypt_in_place_detached(
            XNonce::from_slice(nonce),
            key.id.as_bytes(),
            blob.get_mut(head..).unwrap_or_default(),
        )
        .map_err(|_| DetailError::Seal)?;
    blob.extend_from_slice(&tag);
    Ok(blob)
}

/// The id of the day key that a sealed detail names. Not authenticated until it is opened.
pub fn key_id(blob: &[u8]) -> Result<&str, DetailError> {
    split(blob).map(|(id, _, _)| id)
}

/// Opens a sealed detail, and checks that it is canonical.
pub fn open(key: &DayKey, blob: &[u8]) -> Result<Opened, DetailError> {
    read_plaintext(&unseal(key, blob)?)
}

/// As [`open`], into the type of the entry's kind; a field that it does not know is refused. Also the commitment over
/// exactly the bytes that were sealed.
pub fn open_as<T: DeserializeOwned + Serialize>(
    key: &DayKey,
    blob: &[u8],
) -> Result<(T, [u8; 32]), DetailError> {
    let plaintext = unseal(key, blob)?;
    let (salt, canonical) = plaintext.split_first_chunk::<SALT_BYTES>().ok_or(DetailError::Form)?;
    if canonical.len() > DETAIL_BYTES_MAX {
        return Err(DetailError::TooLong);
    }
    let text = std::str::from_utf8(canonical).map_err(|_| DetailError::Form)?;
    Ok((json::read_canonical(canonical)?, commitment(salt, text)))
}

fn unseal(key: &DayKey, blob: &[u8]) -> Result<Vec<u8>, DetailError> {
    let (id, nonce, sealed) = split(blob)?;
    if id != key.id {
        return Err(DetailError::OtherKey);
    }
    XChaCha20Poly1305::new(&key.seal.into())
        .decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: id.as_bytes() })
        .map_err(|_| DetailError::Seal)
}

/// Opens the age file of a `key.made` entry with an age X25519 identity (`AGE-SECRET-KEY-1…`). Returns the keys, and
/// the salt and detail for checking the entry's commitment.
pub fn unwrap_day_key(identity: &str, blob: &[u8]) -> Result<(DayKey, [u8; SALT_BYTES], Value), DetailError> {
    if blob.len() > WRAPPED_KEY_BYTES_MAX {
        return Err(DetailError::Unwrap);
    }
    let identity: age::x25519::Identity = identity.trim().parse().map_err(|_| DetailError::Identity)?;
    let decryptor = age::Decryptor::new_buffered(blob).map_err(|_| DetailError::Unwrap)?;
    let reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(|_| DetailError::Unwrap)?;
    let bound = u64::try_from(WRAPPED_KEY_BYTES_MAX).unwrap_or(u64::MAX);
    let mut plaintext = Vec::new();
    reader.take(bound).read_to_end(&mut plaintext).map_err(|_| DetailError::Unwrap)?;
    let Opened { salt, value, .. } = read_plaintext(&plaintext)?;
    let key = day_key(&value).ok_or(DetailError::DayKey)?;
    Ok((key, salt, value))
}

/// Whether a text is a day and a retention class: `YYYY-MM-DD.class`.
pub fn is_key_id(text: &str) -> bool {
    let Some((day, class)) = text.split_once('.') else { return false };
    let day_fits = day.len() == 10
        && day.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let class_fits = !class.is_empty()
        && class
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    text.len() <= KEY_ID_BYTES_MAX && day_fits && class_fits
}

fn split(blob: &[u8]) -> Result<(&str, &[u8; NONCE_BYTES], &[u8]), DetailError> {
    let ([version, id_length], rest) = blob.split_first_chunk::<2>().ok_or(DetailError::Form)?;
    let (id, rest) = rest.split_at_checked(usize::from(*id_length)).ok_or(DetailError::Form)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(DetailError::Form)?;
    let id = std::str::from_utf8(id).ok().filter(|id| is_key_id(id)).ok_or(DetailError::Form)?;
    if *version == VERSION { Ok((id, nonce, sealed)) } else { Err(DetailError::Form) }
}

fn read_plaintext(plaintext: &[u8]) -> Result<Opened, DetailError> {
    let (salt, canonical) = plaintext.split_first_chunk::<SALT_BYTES>().ok_or(DetailError::Form)?;
    if canonical.len() > DETAIL_BYTES_MAX {
        return Err(DetailError::TooLong);
    }
    let text = std::str::from_utf8(canonical).map_err(|_| DetailError::Form)?;
    let value = json::parse_canonical(canonical)?;
    Ok(Opened { salt: *salt, value, commitment: commitment(salt, text) })
}

fn day_key(value: &Value) -> Option<DayKey> {
    let fields = value.as_object().filter(|fields| fields.len() == 3)?;
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let key = |name: &str| STANDARD.decode(text(name)?).ok()?.try_into().ok();
    let id = text("key").filter(|id| is_key_id(id))?.to_owned();
    Some(DayKey { id, seal: key("seal")?, names: key("names")? })
}

#[cfg(test)]
mod tests;
