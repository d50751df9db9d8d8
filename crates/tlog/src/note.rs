//! Signed notes (C2SP signed-note): a text and the signature lines under it. Keys are in `note::key`; what a
//! checkpoint's text says is in `checkpoint`.

mod key;

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use thiserror::Error;

pub use key::{KeyError, KeyType, SigningKey, VerifierKey};

/// Longest note that is read.
pub const NOTE_BYTES_MAX: usize = 1_000_000;
/// Most signature lines that are read; signed-note asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 100;

/// Start of a signature line: em dash, space.
const SIGNATURE_START: &str = "\u{2014} ";
const KEY_ID_BYTES: usize = 4;

/// Why a note or a signature line was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    #[error(
        "the note is longer than {NOTE_BYTES_MAX} bytes or has more than {NOTE_SIGNATURES_MAX} signatures"
    )]
    TooLarge,
    #[error("the note is not UTF-8, or has control characters other than newline")]
    Characters,
    #[error("the note has no blank line with signature lines after it")]
    NoSignatures,
    #[error("signature line {line} is not \"\u{2014} name base64\"")]
    SignatureLine { line: usize },
    #[error("the text to sign must end in a newline")]
    Text,
    #[error("the signature of {name} does not verify; the whole note is to be rejected")]
    BadSignature { name: String },
    #[error("no known key signed the note")]
    NoKnownSignature,
    #[error("two different known keys share the name {name} and the key id; remove one")]
    AmbiguousKeys { name: String },
    #[error("{name} is a key of another type; sign notes with type 01 and cosign checkpoints with type 04")]
    WrongKeyType { name: String },
    #[error("a cosignature needs a checkpoint text and a time between 1 and 2^63 - 1 seconds")]
    Cosignature,
}

/// One signature line. Displays as the whole line with its newline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: u32,
    /// What follows the key id: for cosignatures, the time and then the signature.
    bytes: Vec<u8>,
}

impl Signature {
    /// Name of the key that made it, unverified.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Id of the key that made it, unverified.
    pub fn key_id(&self) -> u32 {
        self.id
    }

    /// Reads one line; the newline at its end may be missing.
    pub fn parse(line: &str) -> Result<Signature, NoteError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        parse_signature(line).ok_or(NoteError::SignatureLine { line: 1 })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut payload = self.id.to_be_bytes().to_vec();
        payload.extend_from_slice(&self.bytes);
        writeln!(f, "{SIGNATURE_START}{} {}", self.name, STANDARD.encode(payload))
    }
}

/// A text with its signatures, which are unverified until [`SignedNote::verify`]. Displays as the whole note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote {
    /// The signed text, with its final newline.
    pub text: String,
    pub signatures: Vec<Signature>,
}

/// A signature that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'a> {
    pub key: &'a VerifierKey,
    /// Seconds since 1970, in cosignatures.
    pub time: Option<u64>,
}

impl SignedNote {
    /// Reads a note of at most [`NOTE_BYTES_MAX`] bytes.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<SignedNote, NoteError> {
        let bytes = bytes.as_ref();
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        if note.bytes().any(is_forbidden_control) {
            return Err(NoteError::Characters);
        }
        // The *last* blank line separates: the text may have blank lines of its own.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (number, line) in lines.split('\n').enumerate() {
            if number == NOTE_SIGNATURES_MAX {
                return Err(NoteError::TooLarge);
            }
            signatures.push(parse_signature(line).ok_or(NoteError::SignatureLine { line: number + 1 })?);
        }
        Ok(SignedNote { text: format!("{text}\n"), signatures })
    }

    /// The signatures by `known` keys, one per key. Lines by other keys are ignored; one line by a known key that
    /// does not verify rejects the whole note, and so does the absence of any known key.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<Verified<'a>>, NoteError> {
        let mut verified: Vec<Verified<'a>> = Vec::new();
        for signature in &self.signatures {
            let mut matching =
                known.iter().filter(|key| key.name() == signature.name && key.id() == signature.id);
            let Some(key) = matching.next() else { continue };
            if matching.any(|other| other != key) {
                return Err(NoteError::AmbiguousKeys { name: signature.name.clone() });
            }
            let time = key
                .verify(&self.text, &signature.bytes)
                .ok_or_else(|| NoteError::BadSignature { name: signature.name.clone() })?;
            if !verified.iter().any(|earlier| earlier.key == key) {
                verified.push(Verified { key, time });
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| write!(f, "{signature}"))
    }
}

/// Whether a text can be signed: ends in a newline, no control character but newline.
fn is_signable(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(is_forbidden_control)
}

fn is_forbidden_control(byte: u8) -> bool {
    byte < 0x20 && byte != b'\n'
}

/// Whether a name can stand in a signature line and in a vkey.
fn is_key_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c == '+' || u32::from(c) < 0x20;
    !name.is_empty() && !name.contains(forbidden)
}

fn parse_signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix(SIGNATURE_START)?.split_once(' ')?;
    let payload = STANDARD.decode(encoded).ok()?;
    let (id, bytes) = payload.split_first_chunk::<KEY_ID_BYTES>()?;
    if !is_key_name(name) || bytes.is_empty() {
        return None;
    }
    Some(Signature { name: name.to_owned(), id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests;
