//! Checkpoints (C2SP tlog-checkpoint): the text that a log signs and a witness cosigns. Signatures are in `note`.

use std::fmt;

use thiserror::Error;

use crate::hash::Hash;

/// A log's statement: "this is my origin, size and root".
///
/// What is signed is the note's text, not this: a checkpoint read from a text with extension lines prints without
/// them. Compare `note.text` with `checkpoint.to_string()` to insist that there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Unique name of the log, in one line.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the text does not end in a newline; a checkpoint is at least three full lines")]
    NoFinalNewline,
    #[error("line 1 must be the log's origin and not be empty")]
    Origin,
    #[error("line 2 must be the size in decimal without leading zeros")]
    Size,
    #[error("line 3 must be the root hash, 32 bytes in Base 64")]
    Root,
    #[error("extension lines must not be empty")]
    Extension,
}

impl Checkpoint {
    /// Reads the text of a note. Extension lines are allowed and left out of the result.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::NoFinalNewline)?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Origin)?;
        let size = lines.next().and_then(parse_decimal).ok_or(CheckpointError::Size)?;
        let root = lines.next().and_then(Hash::from_base64).ok_or(CheckpointError::Root)?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError::Extension);
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    /// The three lines, each with its newline: the text to sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }
}

/// Reads a decimal number that has one spelling only: digits, no sign, no leading zeros.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if only_digits && !leading_zero { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        let good = format!("example.com/behind-the-sofa\n20852163\n{root}\n");
        let read = Checkpoint::parse(&good).map(|checkpoint| (checkpoint.size, checkpoint.to_string()));
        assert_eq!(read, Ok((20_852_163, good.clone())));
        assert!(Checkpoint::parse(&format!("{good}extension\n")).is_ok());
        for (text, error) in [
            (String::new(), CheckpointError::NoFinalNewline),
            (good.trim_end().to_owned(), CheckpointError::NoFinalNewline),
            (format!("\n1\n{root}\n"), CheckpointError::Origin),
            (format!("o\n01\n{root}\n"), CheckpointError::Size),
            (format!("o\n+1\n{root}\n"), CheckpointError::Size),
            (format!("o\n-1\n{root}\n"), CheckpointError::Size),
            (format!("o\n\n{root}\n"), CheckpointError::Size),
            (format!("o\n18446744073709551616\n{root}\n"), CheckpointError::Size),
            ("o\n1\n".to_owned(), CheckpointError::Root),
            ("o\n1\nAAAA\n".to_owned(), CheckpointError::Root),
            (format!("o\n1\n{root} \n"), CheckpointError::Root),
            (format!("{good}\n"), CheckpointError::Extension),
            (format!("{good}x\n\n"), CheckpointError::Extension),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
        }
    }
}
