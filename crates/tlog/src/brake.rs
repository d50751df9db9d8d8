//! Brakes: the monitor's signed orders to stop something, and the list of those in force, which monitor and gates fold
//! from the same words. There are words that stop and words that take a stop back, and no others: whatever the
//! monitor's key signs, it grants nothing. Sockets, files and clocks belong to who sends and who obeys.
//!
//! A word is a signed note of one line of canonical JSON under `trefoil brake v1`. Each has a sequence that only grows,
//! so that an old word is known for old; a [`Word::Beat`] says the sequence and the hash of what is in force, so that a
//! dropped word is noticed, and a [`Word::Whole`] then says all of it.

mod force;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use force::{Change, InForce, Stopped, Subject};

use crate::entry::Micros;
use crate::json::{self, JsonError};
use crate::note::{NoteError, SignedNote, SigningKey, VerifierKey};

/// Orders in force at a time: all of them make one note.
pub const ORDERS_MAX: usize = 200;
/// The longest reason.
pub const BECAUSE_BYTES_MAX: usize = 500;
/// The longest name of a target, or of who ordered.
pub const NAME_BYTES_MAX: usize = 200;

/// The rule under which a gate records that somebody came who is stopped.
pub const RULE: &str = "brake";

/// The first line of every word.
const TITLE: &str = "trefoil brake v1";
const ID_BYTES: usize = 8;
const SESSION_BYTES: usize = 16;

/// Why a word is not one, or does not follow from what is known.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BrakeError {
    #[error("the word is not signed by the monitor's brake key: {0}")]
    Note(#[from] NoteError),
    #[error("the word is not canonical JSON of a known form: {0}")]
    Json(#[from] JsonError),
    #[error("the word has another title than {TITLE:?}, or more than one line")]
    Form,
    #[error("{0}")]
    Value(String),
    #[error("the word {said} is older than what is known, {known}")]
    Old { said: u64, known: u64 },
    #[error("a word was missed: what is in force is at {said}, what is known at {known}")]
    Missed { said: u64, known: u64 },
    #[error("{ORDERS_MAX} orders are in force; lift some")]
    Full,
}

/// What is stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One session, by its 32 hexadecimal digits.
    Session(String),
    /// Everything that a principal does.
    Principal(String),
    /// Everything that goes there.
    Destination(String),
    /// Everything that a gate does.
    Gate(String),
}

impl Target {
    /// The kind, as commands and entries name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Session(_) => "session",
            Target::Principal(_) => "principal",
            Target::Destination(_) => "destination",
            Target::Gate(_) => "gate",
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Target::Session(name)
            | Target::Principal(name)
            | Target::Destination(name)
            | Target::Gate(name) => name,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} \"{}\"", self.kind(), self.name())
    }
}

/// A brake. Times are RFC 3339 and the monitor's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// 16 hexadecimal digits.
    pub id: String,
    pub target: Target,
    /// When it was signed.
    pub given: String,
    /// When the monitor lifts it by itself. A gate that does not hear of that keeps it.
    pub until: String,
    pub because: String,
    /// Who ordered it: a person's name, or that of a detector.
    pub by: String,
}

impl Order {
    /// Whether everything in it has its form and its bounds.
    ///
    /// # Errors
    /// When something has not; the text says what.
    pub fn check(&self) -> Result<(), BrakeError> {
        let value = |problem: String| Err(BrakeError::Value(problem));
        if json_hex::<ID_BYTES>(&self.id).is_none() {
            return value(format!(
                "{:?} is not the id of a brake: {} hexadecimal digits",
                self.id,
                2 * ID_BYTES
            ));
        }
        let name = self.target.name();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return value(format!("{name:?} is not a name of 1 to {NAME_BYTES_MAX} bytes"));
        }
        if matches!(self.target, Target::Session(_)) && json_hex::<SESSION_BYTES>(name).is_none() {
            return value(format!("{name:?} is not a session: {} hexadecimal digits", 2 * SESSION_BYTES));
        }
        for (what, text, max) in
            [("the reason", &self.because, BECAUSE_BYTES_MAX), ("who orders", &self.by, NAME_BYTES_MAX)]
        {
            if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
                return value(format!("{what} has {} bytes; write 1 to {max}, on one line", text.len()));
            }
        }
        let time = |text: &str| {
            let wrong = || BrakeError::Value(format!("{text:?} is not a time"));
            Micros::parse_rfc3339(text).ok_or_else(wrong)
        };
        if time(&self.given)? >= time(&self.until)? {
            return value("a brake ends after it was given".to_owned());
        }
        Ok(())
    }

    /// When it was signed.
    pub fn given(&self) -> Option<Micros> {
        Micros::parse_rfc3339(&self.given)
    }

    /// When the monitor lifts it by itself.
    pub fn until(&self) -> Option<Micros> {
        Micros::parse_rfc3339(&self.until)
    }
}

/// Lower-case hexadecimal digits of so many bytes.
fn json_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    crate::hash::unhex(text).filter(|_| !text.bytes().any(|byte| byte.is_ascii_uppercase()))
}

/// What the monitor says. The list is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Word {
    /// From now on this is stopped.
    Brake { sequence: u64, order: Order },
    /// This is stopped no more.
    Lift { sequence: u64, id: String, because: String, by: String },
    /// All that is in force: the signed word of each order.
    Whole { sequence: u64, orders: Vec<String> },
    /// What is in force has not changed.
    Beat { sequence: u64, hash: String, time: String },
}

impl Word {
    /// How far what is in force has come with it.
    pub fn sequence(&self) -> u64 {
        match self {
            Word::Brake { sequence, .. }
            | Word::Lift { sequence, .. }
            | Word::Whole { sequence, .. }
            | Word::Beat { sequence, .. } => *sequence,
        }
    }

    /// The word as a signed note.
    ///
    /// # Errors
    /// When it has no canonical text, or the key signs no notes.
    pub fn sign(&self, key: &SigningKey) -> Result<String, BrakeError> {
        let value = serde_json::to_value(self).map_err(|_| JsonError::Type)?;
        let text = format!("{TITLE}\n{}\n", json::canonical(&value)?);
        Ok(key.sign_note(&text)?.to_string())
    }

    /// Reads a word that this key signed.
    ///
    /// # Errors
    /// When the note is not signed by the key, or does not hold a word of the list.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Word, BrakeError> {
        let note = SignedNote::parse(note)?;
        note.verify(std::slice::from_ref(key))?;
        let mut lines = note.text.lines();
        let (title, line, rest) = (lines.next(), lines.next(), lines.next());
        match (title, line, rest) {
            (Some(TITLE), Some(line), None) => {
                let value = json::parse_canonical(line.as_bytes())?;
                Ok(serde_json::from_value(value).map_err(|_| JsonError::Type)?)
            }
            _ => Err(BrakeError::Form),
        }
    }
}

#[cfg(test)]
mod tests;
