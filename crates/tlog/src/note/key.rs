//! Note keys: the vkey text that verifies, the key-file text that signs, and the bytes that each type signs.
//! Ed25519 only: type 01 signs notes, type 04 cosigns checkpoints. (ML-DSA-44, type 06, would be a third variant of
//! [`KeyType`].)

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, VerifyingKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{NoteError, Signature, SignedNote, is_key_name, is_signable};
use crate::checkpoint::Checkpoint;

/// Bytes of an Ed25519 seed.
pub const SEED_BYTES: usize = 32;

const PRIVATE_START: &str = "PRIVATE+KEY+";
const TIME_BYTES: usize = 8;
/// tlog-cosignature: a timestamp must not exceed 2^63 - 1.
const TIME_SECS_MAX: u64 = i64::MAX.unsigned_abs();

/// What a key signs; the number is the signature type byte of signed-note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Type 01: signs the text of any note.
    Ed25519,
    /// Type 04: signs a checkpoint and the time at which it was seen.
    CosignatureV1,
}

impl KeyType {
    fn byte(self) -> u8 {
        match self {
            KeyType::Ed25519 => 0x01,
            KeyType::CosignatureV1 => 0x04,
        }
    }

    fn from_byte(byte: u8) -> Option<KeyType> {
        [KeyType::Ed25519, KeyType::CosignatureV1].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// Why a key's text was refused. Never quotes the text, which may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("the key is not of the form name+id+base64 (PRIVATE+KEY+name+id+base64 for a signing key)")]
    Form,
    #[error("a key name must not be empty or contain spaces, '+' or control characters")]
    Name,
    #[error("the key type is not 01 (Ed25519) or 04 (cosignature/v1)")]
    Type,
    #[error("the key material is not 32 bytes that make a usable Ed25519 key")]
    Material,
    #[error("the key id does not belong to this name and key; the text was altered")]
    Id,
}

/// A key that verifies. Its text is the vkey: `name+hex(id)+base64(type ‖ key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    kind: KeyType,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key from its parts; refuses names that cannot stand in a note, and weak points.
    pub fn new(name: &str, kind: KeyType, public: [u8; 32]) -> Result<VerifierKey, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(&public).map_err(|_| KeyError::Material)?;
        if key.is_weak() {
            return Err(KeyError::Material);
        }
        Ok(VerifierKey { name: name.to_owned(), id: key_id(name, kind, &public), kind, key })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of SHA-256(name ‖ newline ‖ type ‖ key), big-endian.
    pub fn id(&self) -> u32 {
        self.id
    }

    pub fn key_type(&self) -> KeyType {
        self.kind
    }

    /// The 32-byte Ed25519 public key.
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Checks what follows the key id in a signature line. `Some(None)` is a good signature, `Some(Some(time))` a
    /// good cosignature, `None` a bad one.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let (time, signature) = match self.kind {
            KeyType::Ed25519 => (None, signature),
            KeyType::CosignatureV1 => {
                let (time, rest) = signature.split_first_chunk::<TIME_BYTES>()?;
                (Some(u64::from_be_bytes(*time)), rest)
            }
        };
        let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
        let message = match time {
            None => text.to_owned(),
            Some(time) => cosigned_message(text, time).ok()?,
        };
        self.key.verify_strict(message.as_bytes(), &signature).ok()?;
        Some(time)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<VerifierKey, KeyError> {
        let (name, id, kind, material) = parse_key(text)?;
        let key = VerifierKey::new(name, kind, material)?;
        if key.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_key(f, &self.name, self.id, self.kind, self.public())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A key that signs. Its text, the content of a key file, is secret: `PRIVATE+KEY+name+hex(id)+base64(type ‖ seed)`.
#[derive(Clone)]
pub struct SigningKey {
    public: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// The key that 32 random bytes stand for.
    pub fn from_seed(name: &str, kind: KeyType, seed: [u8; SEED_BYTES]) -> Result<SigningKey, KeyError> {
        let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = VerifierKey::new(name, kind, secret.verifying_key().to_bytes())?;
        Ok(SigningKey { public, secret })
    }

    /// The text for the key file, without a newline. Secret.
    pub fn to_secret_text(&self) -> String {
        struct Text<'a>(&'a SigningKey);
        impl fmt::Display for Text<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let SigningKey { public, secret } = self.0;
                f.write_str(PRIVATE_START)?;
                write_key(f, &public.name, public.id, public.kind, secret.as_bytes())
            }
        }
        Text(self).to_string()
    }

    pub fn name(&self) -> &str {
        &self.public.name
    }

    /// The key that verifies what this one signs.
    pub fn verifier(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a text with a type 01 key: the note with this one signature.
    pub fn sign_note(&self, text: &str) -> Result<SignedNote, NoteError> {
        if self.public.kind != KeyType::Ed25519 {
            return Err(NoteError::WrongKeyType { name: self.name().to_owned() });
        }
        if !is_signable(text) {
            return Err(NoteError::Text);
        }
        let bytes = self.secret.sign(text.as_bytes()).to_bytes().to_vec();
        Ok(SignedNote { text: text.to_owned(), signatures: vec![self.signature(bytes)] })
    }

    /// Cosigns the text of a checkpoint as seen at `time_secs` (seconds since 1970, not zero), with a type 04 key.
    /// Whether it *may* be cosigned is for the witness rule to say, before this is called.
    pub fn cosign(&self, text: &str, time_secs: u64) -> Result<Signature, NoteError> {
        if self.public.kind != KeyType::CosignatureV1 {
            return Err(NoteError::WrongKeyType { name: self.name().to_owned() });
        }
        // A zero time means "no statement about the newest size", which a witness must not say.
        if time_secs == 0 || !is_signable(text) || Checkpoint::parse(text).is_err() {
            return Err(NoteError::Cosignature);
        }
        let message = cosigned_message(text, time_secs)?;
        let mut bytes = time_secs.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.secret.sign(message.as_bytes()).to_bytes());
        Ok(self.signature(bytes))
    }

    fn signature(&self, bytes: Vec<u8>) -> Signature {
        Signature { name: self.public.name.clone(), id: self.public.id, bytes }
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    /// Reads the content of a key file; white space around it is ignored.
    fn from_str(text: &str) -> Result<SigningKey, KeyError> {
        let text = text.trim().strip_prefix(PRIVATE_START).ok_or(KeyError::Form)?;
        let (name, id, kind, seed) = parse_key(text)?;
        let key = SigningKey::from_seed(name, kind, seed)?;
        if key.public.id == id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret)", self.public)
    }
}

fn key_id(name: &str, kind: KeyType, public: &[u8; 32]) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update([b'\n', kind.byte()]);
    hasher.update(public);
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

fn write_key(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    id: u32,
    kind: KeyType,
    material: &[u8; 32],
) -> fmt::Result {
    let mut typed = vec![kind.byte()];
    typed.extend_from_slice(material);
    write!(f, "{name}+{id:08x}+{}", STANDARD.encode(typed))
}

/// Splits `name+hex(id)+base64(type ‖ 32 bytes)`. Base 64 may itself contain '+', so only the first two split.
fn parse_key(text: &str) -> Result<(&str, u32, KeyType, [u8; 32]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    let id = crate::hash::unhex::<4>(id).map(u32::from_be_bytes).ok_or(KeyError::Form)?;
    let typed = STANDARD.decode(encoded).map_err(|_| KeyError::Form)?;
    let (kind, material) = typed.split_first().ok_or(KeyError::Form)?;
    let kind = KeyType::from_byte(*kind).ok_or(KeyError::Type)?;
    let material = material.try_into().map_err(|_| KeyError::Material)?;
    Ok((name, id, kind, material))
}

/// The Ed25519 message of tlog-cosignature: two lines, then the whole note text.
fn cosigned_message(text: &str, time_secs: u64) -> Result<String, NoteError> {
    if time_secs > TIME_SECS_MAX {
        return Err(NoteError::Cosignature);
    }
    Ok(format!("cosignature/v1\ntime {time_secs}\n{text}"))
}
