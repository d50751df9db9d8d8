//! The gate's subject key: digests of subjects for the record, and quick keyed hashes for counting.
//! Not here: what is counted (`counter`).

use hmac::{Hmac, Mac};
use sha2::Sha256;
use siphasher::sip128::SipHasher13;

/// Bytes of a digest.
const DIGEST_BYTES: usize = 16;
/// Bytes of a block of SHA-256.
const HMAC_BLOCK_BYTES: usize = 64;

/// Drawn at random when a gate starts; monitor and auditor find it in the sealed detail of `gate.start`.
#[derive(Clone)]
pub struct SubjectKey([u8; 32]);

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey(secret)")
    }
}

/// The key for values of one scope: a pseudonym scope, or the empty name for keys that are clear.
#[derive(Clone)]
pub struct ScopeKey {
    /// Has read the scope and a newline.
    mac: Hmac<Sha256>,
    quick: SipHasher13,
}

impl std::fmt::Debug for ScopeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScopeKey(secret)")
    }
}

/// The first 16 bytes of HMAC-SHA-256(subject key, scope ‖ newline ‖ value as text).
pub type Digest = [u8; DIGEST_BYTES];

impl SubjectKey {
    /// A key from 32 random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// As the detail of `gate.start` shows it.
    pub fn to_hex(&self) -> String {
        tlog::hash::hex(&self.0)
    }

    /// The key for a scope.
    pub fn of_scope(&self, scope: &str) -> ScopeKey {
        // An HMAC key that is shorter than a block is padded with zeros.
        let mut block = [0; HMAC_BLOCK_BYTES];
        block.iter_mut().zip(self.0).for_each(|(padded, byte)| *padded = byte);
        let mut mac = <Hmac<Sha256> as Mac>::new(&block.into());
        mac.update(scope.as_bytes());
        mac.update(b"\n");
        // No digest shows the last 16 bytes.
        let (_, quick) = halves(mac.clone());
        ScopeKey { mac, quick: SipHasher13::new_with_key(&quick) }
    }
}

impl ScopeKey {
    /// What the record shows of a value.
    pub fn digest(&self, value: &[u8]) -> Digest {
        let mut mac = self.mac.clone();
        mac.update(value);
        halves(mac).0
    }

    /// Tells values apart while a gate runs: SipHash-1-3 of 128 bits, whose low 64 feed the sketch.
    pub fn quick(&self, value: &[u8]) -> u128 {
        self.quick.hash(value).as_u128()
    }
}

fn halves(mac: Hmac<Sha256>) -> (Digest, Digest) {
    let whole: [u8; 2 * DIGEST_BYTES] = mac.finalize().into_bytes().into();
    let (first, last) = whole.split_at(DIGEST_BYTES);
    (first.try_into().unwrap_or_default(), last.try_into().unwrap_or_default())
}
