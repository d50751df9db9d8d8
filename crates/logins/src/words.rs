//! Words for what `risk` has types for, in the values of a CSV mapping.

pub use places::code as country;
use risk::{Act, Outcome, Why};

/// An outcome: `success`, `unknown`, `failure`, or why it failed.
pub fn outcome(word: &str) -> Option<Outcome> {
    Some(match word {
        "success" => Outcome::Success,
        "unknown" => Outcome::Unknown,
        "failure" => Outcome::Failure(Why::Other),
        "unknown_user" => Outcome::Failure(Why::UnknownUser),
        "password" => Outcome::Failure(Why::Password),
        "factor" => Outcome::Failure(Why::Factor),
        "locked" => Outcome::Failure(Why::Locked),
        _ => return None,
    })
}

/// What was done.
pub fn act(word: &str) -> Option<Act> {
    Some(match word {
        "logon" => Act::Logon,
        "logoff" => Act::Logoff,
        "reuse" => Act::Reuse,
        "prompt" => Act::Prompt,
        "password_change" => Act::PasswordChange,
        "factor_change" => Act::FactorChange,
        _ => return None,
    })
}
