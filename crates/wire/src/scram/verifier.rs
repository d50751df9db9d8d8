//! What a server keeps instead of a password, in PostgreSQL's text form, and a mock of it for users who do not
//! exist. Not here: the exchange.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::Choice;
use thiserror::Error;

/// The least number of iterations (RFC 7677).
pub const ITERATIONS_MIN: u32 = 4_096;
/// The most iterations: more would only tire clients.
pub const ITERATIONS_MAX: u32 = 1_000_000;
/// What PostgreSQL takes when nothing is set.
pub const ITERATIONS_DEFAULT: u32 = 4_096;
/// The length of a salt that we make, in bytes (as PostgreSQL's).
pub const SALT_BYTES: usize = 16;
/// The longest salt accepted, in bytes.
const SALT_BYTES_MAX: usize = 64;
pub(super) const KEY_BYTES: usize = 32;

const PREFIX: &str = "SCRAM-SHA-256$";

/// A text is not a SCRAM-SHA-256 verifier.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum VerifierError {
    #[error("a verifier is SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>; make it anew")]
    Shape,
    #[error("a verifier has {ITERATIONS_MIN} to {ITERATIONS_MAX} iterations; make it anew")]
    Iterations,
    #[error("a verifier's salt has 1 to {SALT_BYTES_MAX} bytes; make it anew")]
    Salt,
}

/// What checks a password's proof without knowing the password.
#[derive(Clone)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; KEY_BYTES],
    server_key: [u8; KEY_BYTES],
    /// Whether a user stands behind it. A mock fails even if its keys were guessed.
    real: bool,
}

impl Verifier {
    /// Makes the verifier of a password. `salt` must be fresh and random, `SALT_BYTES` of it. Slow on purpose.
    pub fn from_password(password: &str, salt: &[u8], iterations: u32) -> Result<Verifier, VerifierError> {
        let (iterations, salt) = bounded(iterations, salt.to_vec())?;
        // Like PostgreSQL, take a password that SASLprep prohibits as it is.
        let prepared = stringprep::saslprep(password);
        let password = prepared.as_deref().unwrap_or(password);
        let mut salted = [0; KEY_BYTES];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, iterations.get(), &mut salted);
        let stored_key = sha256(&hmac(&salted, &[b"Client Key"]));
        let server_key = hmac(&salted, &[b"Server Key"]);
        Ok(Verifier { iterations, salt, stored_key, server_key, real: true })
    }

    /// A verifier that no password satisfies, the same for the same user each time. `secret` must be random and stay
    /// the same while the server runs; better, across its restarts. Give it the iterations that real verifiers have.
    pub fn mock(secret: &[u8; 32], user: &str, iterations: u32) -> Result<Verifier, VerifierError> {
        let derived = |label: &[u8]| hmac(secret, &[label, b"\0", user.as_bytes()]);
        let salt = derived(b"salt").first_chunk::<SALT_BYTES>().map(|salt| salt.to_vec()).unwrap_or_default();
        let (iterations, salt) = bounded(iterations, salt)?;
        let (stored_key, server_key) = (derived(b"stored key"), derived(b"server key"));
        Ok(Verifier { iterations, salt, stored_key, server_key, real: false })
    }

    /// How often the password is hashed.
    pub fn iterations(&self) -> u32 {
        self.iterations.get()
    }

    /// The salt.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub(super) fn stored_key(&self) -> &[u8; KEY_BYTES] {
        &self.stored_key
    }

    pub(super) fn server_key(&self) -> &[u8; KEY_BYTES] {
        &self.server_key
    }

    /// A mock that has a real user's keys, which no attacker can make.
    #[cfg(test)]
    pub(super) fn doomed(self) -> Verifier {
        Verifier { real: false, ..self }
    }

    pub(super) fn is_real(&self) -> Choice {
        Choice::from(u8::from(self.real))
    }
}

fn bounded(iterations: u32, salt: Vec<u8>) -> Result<(NonZeroU32, Vec<u8>), VerifierError> {
    if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
        return Err(VerifierError::Iterations);
    }
    if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
        return Err(VerifierError::Salt);
    }
    NonZeroU32::new(iterations).ok_or(VerifierError::Iterations).map(|iterations| (iterations, salt))
}

impl FromStr for Verifier {
    type Err = VerifierError;

    fn from_str(text: &str) -> Result<Verifier, VerifierError> {
        let key = |text: &str| -> Option<[u8; KEY_BYTES]> { STANDARD.decode(text).ok()?.try_into().ok() };
        let parts = || {
            let (head, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
            let (iterations, salt) = head.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            Some((iterations.parse().ok()?, STANDARD.decode(salt).ok()?, key(stored_key)?, key(server_key)?))
        };
        let (iterations, salt, stored_key, server_key) = parts().ok_or(VerifierError::Shape)?;
        let (iterations, salt) = bounded(iterations, salt)?;
        Ok(Verifier { iterations, salt, stored_key, server_key, real: true })
    }
}

/// The text form, which holds keys: for PostgreSQL and files of mode 0600 alone.
impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        write!(f, "{PREFIX}{}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; KEY_BYTES] {
    Sha256::digest(bytes).into()
}

pub(super) fn hmac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> [u8; KEY_BYTES] {
    // A key shorter than a block is filled up with zeros; doing it here leaves no length for the library to refuse.
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block);
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
