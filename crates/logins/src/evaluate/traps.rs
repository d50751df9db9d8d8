//! Figures of what is harmless and looks like an attack: what the model would have done about users there. Which event
//! is in such a trap is for the log to say (`truth`).

use std::collections::{BTreeMap, HashMap};

use risk::Action;
use serde::Serialize;

use super::replay::Replay;
use super::truth::Truths;

/// What users did in a trap, and how it was judged.
#[derive(Debug, Clone, Serialize)]
pub struct Trap {
    /// Attempts to log in, and how many of them succeeded.
    pub attempts: u64,
    pub logins: u64,
    /// What the model would have done about them, for a million logins.
    pub innocents: BTreeMap<&'static str, f64>,
    /// Findings that began there, by kind.
    pub false_findings: BTreeMap<&'static str, u64>,
}

/// Of so many logins, what would be done about a million.
pub(super) fn of_a_million(actions: &HashMap<Action, u64>, logins: u64) -> BTreeMap<&'static str, f64> {
    let of = |what: Action| actions.get(&what).copied().unwrap_or(0) as f64 * 1e6 / logins.max(1) as f64;
    [Action::StepUp, Action::Throttle, Action::Block, Action::Revoke]
        .map(|what| (what.word(), of(what)))
        .into()
}

/// Every trap of a log; none where the log says nothing of any.
pub(super) fn traps(replay: &Replay, truths: &Truths) -> BTreeMap<String, Trap> {
    let said = replay.traps.iter().filter(|_| truths.has_traps());
    said.map(|(number, seen)| {
        let trap = Trap {
            attempts: seen.attempts,
            logins: seen.logins,
            innocents: of_a_million(&seen.actions, seen.logins),
            false_findings: seen.false_findings.iter().map(|(kind, count)| (kind.word(), *count)).collect(),
        };
        (truths.trap_name(*number).to_owned(), trap)
    })
    .collect()
}
