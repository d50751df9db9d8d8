//! Whom the model would have stopped with the thresholds that it is shipped with, which are the same for every kind of attacker.
//! Not here: what thresholds would have to be to stop a given share (`single`).

use std::collections::BTreeMap;

use risk::Action;
use risk::engine::Settings;
use serde::Serialize;

use super::replay::{Replay, Scored};
use super::truth::Truths;

/// Who is stopped, by the thresholds in log-odds.
#[derive(Debug, Clone, Serialize)]
pub struct Stopped {
    /// From which on a second proof is asked for, and from which on a login is refused.
    pub step_up_at: f64,
    pub block_at: f64,
    /// Attackers' logins, by kind.
    pub attackers: BTreeMap<String, Share>,
    /// Users' own.
    pub users: Share,
}

/// Of logins with the right password.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Default)]
pub struct Share {
    /// How many there are.
    pub logins: u64,
    /// How many are asked for a second proof, or more is done about them.
    pub asked: u64,
    /// How many are refused whatever they prove.
    pub refused: u64,
}

impl Share {
    fn add(&mut self, scored: &Scored) {
        self.logins += 1;
        self.asked += u64::from(scored.action >= Action::StepUp);
        self.refused += u64::from(scored.action >= Action::Block);
    }

    /// A count as a share of the logins.
    pub fn of(&self, count: u64) -> Option<f64> {
        (self.logins > 0).then(|| count as f64 / self.logins as f64)
    }
}

pub(super) fn stopped(replay: &Replay, truths: &Truths) -> Stopped {
    let Settings { step_up_at, block_at, .. } = Settings::default();
    let mut stopped = Stopped { step_up_at, block_at, attackers: BTreeMap::new(), users: Share::default() };
    for scored in &replay.scored {
        match scored.attack {
            Some((kind, _)) => {
                stopped.attackers.entry(truths.kind(kind).to_owned()).or_default().add(scored);
            }
            None => stopped.users.add(scored),
        }
    }
    stopped
}
