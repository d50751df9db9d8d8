//! What names somebody and must be kept: sealed under the state's key, each purpose by a key of its own.
//! `nonce | sealed | tag`.

use std::io;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use super::Secret;

const NONCE_BYTES: usize = 24;

/// Seals and opens for one purpose.
#[derive(Clone)]
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(crate) fn new(secret: &Secret, purpose: &str) -> Self {
        let key = Sha256::new().chain_update(b"trefoil-logins sealed v1\n").chain_update(secret.bytes());
        Self(XChaCha20Poly1305::new(&key.chain_update(purpose).finalize()))
    }

    /// Seals; it opens with the same `about` alone.
    pub(crate) fn seal(&self, about: &[u8], bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        OsRng.try_fill_bytes(&mut nonce).map_err(io::Error::other)?;
        let sealed = self.0.encrypt(XNonce::from_slice(&nonce), Payload { msg: bytes, aad: about });
        let sealed = sealed.map_err(|_| io::Error::other("it cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens; none where it was altered, or sealed under another key, for another purpose or about something else.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES)?;
        self.0.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: about }).ok()
    }
}
