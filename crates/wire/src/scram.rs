//! The server side of SCRAM-SHA-256 (RFC 5802, RFC 7677) with PostgreSQL's conventions: the user name in the exchange
//! is ignored, because the start-up packet has it; no authorization identity; verifiers in the form that
//! `pg_authid.rolpassword` has. Each step consumes the one before it. Not here: randomness (nonce, salt and the mock
//! secret are arguments), channel binding, looking a verifier up.

#[cfg(test)]
mod tests;
mod verifier;

pub use verifier::{ITERATIONS_DEFAULT, ITERATIONS_MAX, ITERATIONS_MIN, SALT_BYTES, Verifier, VerifierError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use thiserror::Error;

use verifier::{KEY_BYTES, hmac, sha256};

/// The one mechanism offered.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The longest message of a client, in bytes.
pub const SCRAM_BYTES_MAX: usize = 1_024;
/// The server's part of the nonce, in bytes before base64 (as many as PostgreSQL takes).
pub const NONCE_BYTES: usize = 18;

/// Why a client did not prove that it knows the password.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ScramError {
    #[error("a SCRAM message is longer than {SCRAM_BYTES_MAX} bytes; check the client's driver")]
    TooLong,
    #[error("malformed SCRAM message: {0}; check the client's driver")]
    Malformed(&'static str),
    #[error(
        "the client asks for channel binding, which was not offered; connect with channel_binding=prefer"
    )]
    ChannelBinding,
    #[error("the client names an authorization identity; leave it empty")]
    AuthorizationIdentity,
    #[error("the client needs a SCRAM extension that does not exist here; check the client's driver")]
    Extension,
    /// The only one that a correct client sees. An unknown user gets it as well.
    #[error("the password is wrong; check the user name and the password")]
    Password,
}

/// The exchange before the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
}

/// The exchange before the client's final message.
#[derive(Debug)]
pub struct Challenged {
    verifier: Verifier,
    /// The base64 of the header that the client sent, which its final message must repeat.
    header: &'static str,
    /// The client's nonce with ours behind it.
    nonce: String,
    /// What the signatures cover so far: client-first-bare, comma, server-first, comma.
    transcript: String,
}

/// The client knows the password; only `Challenged::on_final` makes one.
#[derive(Debug)]
pub struct Proven {
    server_final: String,
}

impl Proven {
    /// What to send in AuthenticationSASLFinal: our own proof.
    pub fn server_final(&self) -> &str {
        &self.server_final
    }
}

impl Exchange {
    /// Begins against a user's verifier, or a mock of one.
    pub fn new(verifier: Verifier) -> Exchange {
        Exchange { verifier }
    }

    /// Takes client-first and returns what to send in AuthenticationSASLContinue. `nonce` must be fresh and random.
    pub fn on_first(
        self,
        client_first: &[u8],
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<(Challenged, String), ScramError> {
        self.challenge(client_first, &STANDARD.encode(nonce))
    }

    fn challenge(self, client_first: &[u8], nonce: &str) -> Result<(Challenged, String), ScramError> {
        let message = text(client_first)?;
        let (header, bare) = header(message)?;
        let mut attributes = bare.split(',');
        let user = attributes.next().unwrap_or_default();
        if user.starts_with("m=") {
            return Err(ScramError::Extension);
        }
        // Present, and otherwise ignored.
        value(Some(user), "n=", "client-first has no user")?;
        let client_nonce = value(attributes.next(), "r=", "client-first has no nonce")?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ScramError::Malformed("the nonce is not printable ASCII"));
        }
        extensions(attributes)?;
        let nonce = format!("{client_nonce}{nonce}");
        let salt = STANDARD.encode(self.verifier.salt());
        let server_first = format!("r={nonce},s={salt},i={}", self.verifier.iterations());
        let transcript = format!("{bare},{server_first},");
        Ok((Challenged { verifier: self.verifier, header, nonce, transcript }, server_first))
    }
}

impl Challenged {
    /// Takes client-final. A wrong password and an unknown user fail alike.
    pub fn on_final(self, client_final: &[u8]) -> Result<Proven, ScramError> {
        let message = text(client_final)?;
        let (without_proof, proof) =
            message.rsplit_once(",p=").ok_or(ScramError::Malformed("client-final has no proof"))?;
        let mut attributes = without_proof.split(',');
        let header = value(attributes.next(), "c=", "client-final has no channel binding")?;
        if header != self.header {
            return Err(ScramError::Malformed("client-final does not repeat the header"));
        }
        let nonce = value(attributes.next(), "r=", "client-final has no nonce")?;
        if !bool::from(nonce.as_bytes().ct_eq(self.nonce.as_bytes())) {
            return Err(ScramError::Malformed("client-final does not repeat the nonce"));
        }
        extensions(attributes)?;
        let proof = STANDARD.decode(proof).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
        let proof = proof.ok_or(ScramError::Malformed("the proof is not 32 bytes in base64"))?;

        let signed = format!("{}{without_proof}", self.transcript);
        let signature = hmac(self.verifier.stored_key(), &[signed.as_bytes()]);
        let mut client_key = proof;
        for (key, mask) in client_key.iter_mut().zip(signature) {
            *key ^= mask;
        }
        let known = sha256(&client_key).ct_eq(self.verifier.stored_key());
        if bool::from(known & self.verifier.is_real()) {
            let ours = hmac(self.verifier.server_key(), &[signed.as_bytes()]);
            Ok(Proven { server_final: format!("v={}", STANDARD.encode(ours)) })
        } else {
            Err(ScramError::Password)
        }
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > SCRAM_BYTES_MAX {
        return Err(ScramError::TooLong);
    }
    match std::str::from_utf8(message) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(ScramError::Malformed("it is not UTF-8 without NUL")),
    }
}

/// Splits the GS2 header off client-first; returns its base64 and the rest. `y` says that the client could bind the
/// channel and believes that we cannot, which is so.
fn header(message: &str) -> Result<(&'static str, &str), ScramError> {
    let (header, rest) = match message.split_at_checked(2) {
        Some(("n,", rest)) => ("biws", rest),
        Some(("y,", rest)) => ("eSws", rest),
        Some(("p=", _)) => return Err(ScramError::ChannelBinding),
        _ => return Err(ScramError::Malformed("client-first has no header")),
    };
    let bare = rest.strip_prefix(',').ok_or(ScramError::AuthorizationIdentity)?;
    Ok((header, bare))
}

fn value<'a>(attribute: Option<&'a str>, name: &str, missing: &'static str) -> Result<&'a str, ScramError> {
    attribute.and_then(|text| text.strip_prefix(name)).ok_or(ScramError::Malformed(missing))
}

/// Optional extensions are ignored, as RFC 5802 asks, but must look like attributes.
fn extensions<'a>(attributes: impl Iterator<Item = &'a str>) -> Result<(), ScramError> {
    for attribute in attributes {
        match attribute.as_bytes() {
            [name, b'=', ..] if name.is_ascii_alphabetic() => {}
            _ => return Err(ScramError::Malformed("an extension is not an attribute")),
        }
    }
    Ok(())
}
