//! How often users here do by themselves what attackers do once they are in. Services differ: what is rarer here tells
//! more. Not here: who is an attacker.

use super::store::stored;

/// What is assumed of any service counts for so many events, before any is seen.
const PRIOR: f64 = 2_000.0;
/// Events after which all counts are halved, so that what is usual now weighs more.
const EVENTS_MAX: u32 = 1 << 20;
/// How much more, and less, something may tell here than elsewhere (log-odds): attackers are among those who are counted.
const MORE_MAX: f64 = 4.0;
const LESS_MAX: f64 = 2.0;

stored! {
    /// How many of some events are of a kind.
    pub(super) struct Rate {
        events: u32,
        of_kind: u32,
    }
}

impl Rate {
    /// Counts an event.
    pub(super) fn event(&mut self) {
        if self.events == EVENTS_MAX {
            (self.events, self.of_kind) = (self.events / 2, self.of_kind / 2);
        }
        self.events += 1;
    }

    /// That one of those events is of the kind.
    pub(super) fn is_of_kind(&mut self) {
        self.of_kind = self.of_kind.saturating_add(1).min(EVENTS_MAX);
    }

    /// How much more it tells here than where the rate is as usual.
    pub(super) fn log_odds(&self, usual: f64) -> f64 {
        let rate = (f64::from(self.of_kind) + PRIOR * usual) / (f64::from(self.events) + PRIOR);
        (usual / rate).ln().clamp(-LESS_MAX, MORE_MAX)
    }
}

stored! {
    /// What is usual here.
    pub(super) struct Rates {
        /// Logins that are followed by a change of password or factor.
        changes: Rate,
        /// Uses of a session from a network that is new of the user, with the same agent.
        moves: Rate,
        /// Uses of a session with another agent.
        agents: Rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_here_tells_more() {
        for (what, events, of_kind, wanted) in [
            ("nothing is known", 0, 0, 0.0),
            ("as usual", 10_000, 50, 0.0),
            ("ten times as often", 100_000, 5_000, -2.0),
            ("a tenth as often", 100_000, 50, 2.1),
            ("never, as far as is known", 1_000, 0, 0.4),
            ("never in a long time", 4_000_000, 0, 4.0),
        ] {
            let mut rate = Rate::default();
            for event in 0..events {
                rate.event();
                if of_kind > 0 && event % (events / of_kind) == 0 {
                    rate.is_of_kind();
                }
            }
            let got = rate.log_odds(0.005);
            assert!((got - wanted).abs() < 0.1, "{what}: {got}");
        }
    }
}
