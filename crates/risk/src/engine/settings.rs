//! What an operator chooses: from which score on something is done, what is only watched, how much memory is used.

use crate::judgement::Term;

/// Choices. The default is for a service of many users.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Log-odds from which on a second proof is asked for.
    pub step_up_at: f64,
    /// Log-odds from which on a login is refused.
    pub block_at: f64,
    /// Log-odds of a source's or network's own evidence from which on its failures are slowed down.
    pub throttle_at: f64,
    /// Log-odds from which on a success is learnt on probation alone: below what is asked about, so that whoever comes
    /// slowly nearer is on probation before they are usual.
    pub probation_at: f64,
    /// Nothing is done: every action is `Allow`. Scores, reasons and findings are as ever.
    pub observe_only: bool,
    /// What is said is done by whoever asks: a login above `Allow` was not let in, so that nothing is learnt from it, and
    /// nobody becomes usual by being refused for days.
    pub enforced: bool,
    /// Terms that are left out, to see what they are worth.
    pub off: Terms,
    /// Bytes that all histories may hold together; whoever was away longest is forgotten first.
    pub history_bytes_max: u64,
    /// How much evidence of campaigns is held.
    pub campaign: crate::campaign::Settings,
}

/// A set of terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms(u32);

impl Terms {
    /// With one more.
    pub fn and(self, term: Term) -> Self {
        Self(self.0 | 1 << term as u32)
    }

    /// Whether a term is in it.
    pub fn has(self, term: Term) -> bool {
        self.0 & 1 << term as u32 != 0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            step_up_at: -3.5,
            block_at: 2.0,
            throttle_at: 3.0,
            probation_at: -4.0,
            observe_only: false,
            enforced: false,
            off: Terms::default(),
            history_bytes_max: 64 << 30,
            campaign: crate::campaign::Settings::default(),
        }
    }
}
