//! Which one-time codes were used, and how many wrong ones were tried: a code holds once, and few may be guessed, from
//! wherever. Kept in a file before an answer is given, so that a restart gives no second try. Not here: what a code is
//! (`totp`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::file::{self, FileError};
use super::totp::Secret;

/// Wrong codes of a principal that are let pass in an hour: of a million codes three hold at a time, so that whoever has
/// the password guesses one in four years.
const WRONG_MAX: usize = 10;
const WRONG_SECONDS: u64 = 3_600;
/// What is lost without the file.
const HELD: &str = "which codes were used, and how many were tried";

/// What is known of codes, by principal.
#[derive(Debug)]
pub struct Codes {
    path: PathBuf,
    tried: Mutex<BTreeMap<String, Tried>>,
}

#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    /// The last step whose code held.
    used: Option<u64>,
    /// When wrong ones were tried, Unix seconds, the oldest first; at most [`WRONG_MAX`].
    wrong: Vec<u64>,
}

/// Why a code does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCode {
    Wrong,
    /// It held before, or a later one did.
    Used,
    /// Too many wrong ones; seconds until another one may be tried.
    TooMany(u64),
}

impl Codes {
    /// Those of earlier runs.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join("codes.json");
        let tried = Mutex::new(file::read(&path, HELD)?);
        Ok(Self { path, tried })
    }

    /// Whether a code of a principal holds now. It does not hold again.
    ///
    /// # Errors
    /// When it cannot be kept that it was tried, which is no proof.
    pub fn hold(
        &self,
        principal: &str,
        secret: &Secret,
        code: &str,
        unix_seconds: u64,
    ) -> Result<Result<(), NoCode>, FileError> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who have a secret are as many as the operator gave one.
        let one = tried.entry(principal.to_owned()).or_default();
        one.wrong.retain(|when| unix_seconds < when.saturating_add(WRONG_SECONDS));
        if one.wrong.len() >= WRONG_MAX {
            let oldest = one.wrong.first().copied().unwrap_or_default();
            return Ok(Err(NoCode::TooMany(
                oldest.saturating_add(WRONG_SECONDS).saturating_sub(unix_seconds),
            )));
        }
        let said = match secret.step_of(code, unix_seconds) {
            Some(step) if one.used.is_none_or(|used| used < step) => {
                *one = Tried { used: Some(step), wrong: Vec::new() };
                Ok(())
            }
            Some(_) => Err(NoCode::Used),
            None => Err(NoCode::Wrong),
        };
        if said.is_err() {
            one.wrong.push(unix_seconds);
        }
        file::write(&self.path, &*tried)?;
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NoCode::{TooMany, Used, Wrong};

    #[test]
    fn a_code_holds_once_and_few_are_tried() {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::new([7; 20]);
        let begin = 1_000_000_020;
        let code = |seconds: u64| secret.code((begin + seconds) / 30);
        let hold = |codes: &Codes, who, code: &str, seconds: u64| {
            codes.hold(who, &secret, code, begin + seconds).unwrap()
        };
        let codes = Codes::open(folder.path()).unwrap();
        assert_eq!(hold(&codes, "aoife", &code(0), 0), Ok(()));
        assert_eq!(hold(&codes, "aoife", &code(0), 1), Err(Used), "again");
        assert_eq!(hold(&codes, "lukas", &code(0), 1), Ok(()), "another's");
        assert_eq!(hold(&codes, "aoife", &code(30), 5), Ok(()), "of a clock that is ahead");
        assert_eq!(hold(&codes, "aoife", &code(0), 6), Err(Used), "an earlier one");
        drop(codes);

        let codes = Codes::open(folder.path()).unwrap();
        assert_eq!(hold(&codes, "aoife", &code(30), 31), Err(Used), "after a restart");
        for n in 2..10 {
            assert_eq!(hold(&codes, "aoife", "000000", 40 + n), Err(Wrong), "{n}");
        }
        assert_eq!(hold(&codes, "aoife", &code(90), 90), Err(TooMany(3_516)), "a right one helps nobody");
        drop(codes);
        let codes = Codes::open(folder.path()).unwrap();
        assert_eq!(hold(&codes, "aoife", &code(90), 91), Err(TooMany(3_515)), "after a restart either");
        assert_eq!(hold(&codes, "lukas", &code(90), 91), Ok(()), "another is let try");
        assert_eq!(hold(&codes, "aoife", &code(3_700), 3_700), Ok(()), "when an hour has passed");
    }
}
