//! What a network or a client in a history weighs: how often, how long ago, on probation or not, and what analysts said of
//! it. Not here: how either came into the history (`learn`).

use crate::store::{Client, Net, TRUSTED, is_old};

use super::marks::{Mark, Verdict};

/// What is on probation weighs so much a login, and no more for being used more often: patience gains nothing.
const PROBATION: f64 = 0.1;
const PROBATION_LOGINS: u16 = 3;
/// Days in which a login loses half of its weight.
const HALF_DAYS: f64 = 90.0;

/// Weighs the parts of one user's history today.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    pub today: u16,
    /// Verdicts about this user.
    pub marks: &'a [Mark],
}

impl Trust<'_> {
    /// Logins' worth of a network.
    pub fn of_network(&self, net: &Net) -> f64 {
        let verdict = self.verdict(|mark| mark.source != 0 && mark.source == net.source);
        self.weight(verdict, net.trust, net.count, net.day)
    }

    /// Logins' worth of a client. An attacker who comes with the owner's does not take it away.
    pub fn of_client(&self, client: &Client) -> f64 {
        let verdict = self.verdict(|mark| mark.family == client.family);
        let verdict = verdict.filter(|verdict| *verdict == Verdict::Legitimate || client.trust != TRUSTED);
        self.weight(verdict, client.trust, client.count, client.day)
    }

    fn verdict(&self, is_about: impl Fn(&Mark) -> bool) -> Option<Verdict> {
        self.marks.iter().rev().find(|mark| is_about(mark)).map(|mark| mark.verdict)
    }

    fn weight(&self, verdict: Option<Verdict>, trust: u8, count: u16, day: u16) -> f64 {
        let logins = match verdict {
            Some(Verdict::Attack) => return 0.0,
            Some(Verdict::Legitimate) => f64::from(count),
            None if trust == TRUSTED => f64::from(count),
            None => PROBATION * f64::from(count.min(PROBATION_LOGINS)),
        };
        if is_old(day, self.today) {
            return 0.0;
        }
        let age = f64::from(self.today.saturating_sub(day));
        logins * HALF_DAYS / (HALF_DAYS + age)
    }
}
