//! What the users of one source, of one network, or of one way to a target have in common: how many of them fail, and
//! how unlikely so many are. Each user counts once a day and source, and no longer once they got in. Not here: what is
//! usual (`climate`), and who looks at it when (`campaign`).

use super::count::{DAY_MS, Distinct, HOUR_MS, Pace, Step, faded};
use super::store::{Kept, stored};

/// Half of a burst is forgotten in this time.
const FAST_MS: i64 = HOUR_MS / 2;
/// Half of a rush is.
const RUSH_MS: i64 = 10_000;
/// How many fail at a source in that time, of which nothing is known; and how much a rush tells at most: it is none by
/// itself.
const RUSH_PRIOR: f32 = 0.3;
const RUSH_NATS_MAX: f32 = 8.0;
/// Half of what comes slowly is.
const SLOW_MS: i64 = 2 * DAY_MS;
/// Half of what is usual of this crowd is.
const OWN_MS: i64 = 14 * DAY_MS;
/// How many expected failures the assumption counts for that a crowd is like others.
const OWN_PRIOR: f32 = 4.0;
/// Crowds differ: up to these odds times the expected ones nothing is surprising.
const ODDS_SPREAD: f32 = 2.0;
/// A crowd's own usual share is learnt from while there is less evidence than this against it.
const LEARN_EVIDENCE_MAX: f32 = 5.0;
/// Fewer names from one source may as well be a list of users that is wrong.
const STUFFED_USERS_MIN: u32 = 30;
/// A nat of evidence keeps a crowd in its table for so much longer.
const WORTH_MS: f32 = HOUR_MS as f32;
/// Whoever misspells their name logs in within this time.
const MISSPELT_MS: i64 = HOUR_MS / 20;
/// The share of an attacker's guesses that succeed (credential stuffing: 0.2 to 2 %).
const HIT_SHARE: f64 = 0.01;
/// How many logins of all are an attacker's, before anything is known.
const PRIOR_ODDS: f64 = 1e-4;
/// How many sources of all attack others: evidence is held against its logarithm.
const PRIOR_SOURCE_NATS: f64 = 9.0;

stored! {
    /// Sums over users: how many are bad, how many there are, and how many were expected to be bad.
    pub(super) struct Sums {
        bad: f32,
        all: f32,
        due: f32,
    }
}

stored! {
    /// Users of a crowd in some time: those who are users, of whom some fail, and all, of whom some are none.
    pub(super) struct Window {
        users: Sums,
        names: Sums,
    }
}

/// One login's part in a window.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Part {
    pub(super) users: Sums,
    pub(super) names: Sums,
}

impl Sums {
    pub(super) fn new(bad: f32, all: f32, due: f32) -> Self {
        Self { bad, all, due }
    }

    pub(super) fn scaled(self, by: f32) -> Self {
        Self { bad: self.bad * by, all: self.all * by, due: self.due * by }
    }

    /// With fewer expected to be bad than this share.
    pub(super) fn at_most(self, share: f32) -> Self {
        Self { due: self.due.min(self.all * share), ..self }
    }

    /// With another number expected to be bad.
    pub(super) fn with_share(self, share: f32) -> Self {
        Self { due: self.all * share, ..self }
    }

    fn add(&mut self, pace: Pace, part: Self) {
        pace.add(&mut self.bad, part.bad);
        pace.add(&mut self.all, part.all);
        pace.add(&mut self.due, part.due);
    }

    /// The share that is expected to fail, where this crowd usually fails `own` times as often as others.
    fn share(&self, own: f32) -> f32 {
        let share = (self.due / self.all.max(0.01) * own).clamp(0.01, 0.95);
        let odds = share / (1.0 - share) * ODDS_SPREAD;
        odds / (1.0 + odds)
    }

    /// How surprising it is that so many fail: the logarithm of the likelihood of the share seen against the expected.
    fn surprise(&self, own: f32) -> f32 {
        if self.bad < 2.0 {
            return 0.0;
        }
        let share = self.share(own);
        let bad = self.bad.min(self.all);
        if bad <= self.all * share {
            return 0.0;
        }
        let good = self.all - bad;
        let of_good = if good > 1e-3 { good * (good / (self.all * (1.0 - share))).ln() } else { 0.0 };
        (bad * (bad / (self.all * share)).ln() + of_good).max(0.0)
    }
}

impl Window {
    fn add(&mut self, pace: Pace, part: Part) {
        self.users.add(pace, part.users);
        self.names.add(pace, part.names);
    }

    fn bad(&self) -> f32 {
        self.users.bad + self.names.bad
    }

    fn good(&self) -> f32 {
        self.users.all - self.users.bad
    }

    /// Forgets what is beyond the expected.
    fn settle(&mut self, own: f32) {
        for sums in [&mut self.users, &mut self.names] {
            sums.bad = sums.bad.min(sums.all * sums.share(own) / ODDS_SPREAD);
        }
    }

    fn surprise(&self, own: f32) -> f32 {
        self.users.surprise(own) + self.names.surprise(own)
    }
}

stored! {
    /// A crowd.
    pub(super) struct Crowd {
        last_ms: i64,
        since_ms: i64,
        fast: Window,
        slow: Window,
        /// What is usual of this crowd: failures seen and expected.
        own_bad: f32,
        own_due: f32,
        /// Evidence when it was last counted.
        evidence: f32,
        /// Of a source: failures of the last seconds.
        rush: f32,
        /// Failed attempts and successes since `since_ms`.
        tries: u32,
        hits: u32,
        /// Who failed, and from where.
        users: Distinct,
        sources: Distinct,
        /// The campaign that this crowd is in, and one that a part of it is in.
        campaign: u64,
        kin: u64,
        /// Of a source: when a name was tried last that nobody has, and how much of it was heard by others.
        misspelt_ms: i64,
        misspelt_heard: f32,
    }
}

impl Kept for Crowd {
    fn worth_ms(&self) -> i64 {
        self.last_ms + (self.evidence.min(72.0) * WORTH_MS) as i64
    }
}

impl Crowd {
    /// Counts a login's part.
    pub(super) fn add(&mut self, now_ms: i64, part: Part) {
        let step = Step::take(&mut self.last_ms, now_ms);
        let (slow, own) = (step.pace(SLOW_MS), step.pace(OWN_MS));
        let bad = self.slow.bad() * faded(step.fade_ms, SLOW_MS);
        let is_bad = part.users.bad + part.names.bad > 0.0;
        if self.campaign == 0 && is_bad && (bad < 0.5 || bad > 2.0 && self.evidence < 0.1) {
            // What came before has faded, or surprises nobody: a campaign would begin here.
            self.since_ms = now_ms;
            (self.tries, self.hits) = (0, 0);
            (self.users, self.sources) = (Distinct::default(), Distinct::default());
        }
        self.fast.add(step.pace(FAST_MS), part);
        self.slow.add(slow, part);
        // A crowd of nothing but failures has no usual share of its own.
        let learns = f32::from(u8::from(self.evidence < LEARN_EVIDENCE_MAX && self.slow.good() > 1.0));
        own.add(&mut self.own_bad, (part.users.bad + part.names.bad) * learns);
        own.add(&mut self.own_due, (part.users.due + part.names.due) * learns);
        let usual = self.own();
        self.evidence = self.fast.surprise(usual).max(self.slow.surprise(usual));
        step.pace(RUSH_MS).add(&mut self.rush, (part.users.bad + part.names.bad).max(0.0));
    }

    /// Adds to the evidence of a source that failures come faster than its users do: a program makes them.
    pub(super) fn hurry(&mut self) {
        if self.rush < 3.0 {
            return;
        }
        let share = self.fast.names.all.max(0.01);
        let due = (self.fast.users.due + self.fast.names.due) / share;
        let usual = RUSH_PRIOR + share * RUSH_MS as f32 / FAST_MS as f32;
        let rush = self.rush * (self.rush / usual).ln() - (self.rush - usual);
        self.evidence += rush.clamp(0.0, RUSH_NATS_MAX) * (1.0 - due).max(0.0);
    }

    /// Remembers a failed attempt.
    pub(super) fn tried(&mut self, now_ms: i64, user: u64, source: u64) {
        self.since_ms = if self.since_ms == 0 { now_ms } else { self.since_ms.min(now_ms) };
        self.tries = self.tries.saturating_add(1);
        self.users.add(user);
        self.sources.add(source);
    }

    /// Failed attempts a user.
    pub(super) fn tries_a_user(&self) -> f32 {
        self.tries as f32 / self.users.at_least().max(1) as f32
    }

    /// How often this crowd usually fails, against others.
    fn own(&self) -> f32 {
        ((self.own_bad + OWN_PRIOR) / (self.own_due + OWN_PRIOR)).clamp(1.0, 6.0)
    }

    /// How much room a source leaves to those above it: networks and targets see few users of each.
    pub(super) fn room(&self, users: f32) -> f32 {
        (users - self.slow.names.all).clamp(0.0, 1.0)
    }

    /// Failures of late, and how many of them are too many.
    pub(super) fn surplus(&self) -> (f64, f64) {
        let own = self.own();
        let window = if self.fast.surprise(own) > self.slow.surprise(own) { &self.fast } else { &self.slow };
        let sums = [&window.users, &window.names];
        let surplus = sums.map(|sums| (sums.bad - sums.all * sums.share(own)).max(0.0));
        (f64::from(window.bad()), f64::from(surplus.iter().sum::<f32>()))
    }

    /// The evidence that is left of what was counted, in nats.
    pub(super) fn evidence_at(&self, now_ms: i64) -> f32 {
        self.evidence * faded(now_ms - self.last_ms, SLOW_MS)
    }

    /// Log-odds that a login of this crowd is the attacker's, against those of any login.
    pub(super) fn log_odds(&self, now_ms: i64, is_success: bool) -> f64 {
        if self.evidence < 2.0 {
            return 0.0;
        }
        let evidence = f64::from(self.evidence_at(now_ms));
        let attacks = 1.0 / (1.0 + (PRIOR_SOURCE_NATS - evidence).exp());
        let (bad, surplus) = self.surplus();
        let ratio = if is_success {
            let good = f64::from(self.good());
            (surplus * HIT_SHARE / (good + 0.5)) / PRIOR_ODDS
        } else {
            surplus / (bad - surplus + 0.5) / (10.0 * HIT_SHARE)
        };
        (attacks * ratio).ln_1p()
    }

    /// How many got in, of late.
    pub(super) fn good(&self) -> f32 {
        self.slow.good().max(0.0)
    }

    /// Remembers that a name was tried that nobody has.
    pub(super) fn misspelt(&mut self, now_ms: i64, heard: f32) {
        (self.misspelt_ms, self.misspelt_heard) = (now_ms, heard);
    }

    /// Whether a login is that of one who misspelt their name just before; each counts once. How much of it others heard.
    pub(super) fn corrected(&mut self, now_ms: i64) -> Option<f32> {
        let is_soon = self.misspelt_ms != 0 && (0..MISSPELT_MS).contains(&(now_ms - self.misspelt_ms));
        self.misspelt_ms = 0;
        is_soon.then_some(self.misspelt_heard)
    }

    /// The campaign is over: what was told of it is evidence of no other.
    pub(super) fn close(&mut self) {
        let own = self.own();
        self.fast.settle(own);
        self.slow.settle(own);
        (self.campaign, self.evidence) = (0, 0.0);
    }

    /// Whether others are let in beside those who fail.
    pub(super) fn is_mixed(&self) -> bool {
        self.good() > self.slow.bad().max(1.0)
    }

    /// Whether so much is bad here that nothing can be learnt from it of what is usual.
    pub(super) fn is_accused(&self, now_ms: i64) -> bool {
        self.evidence_at(now_ms) >= LEARN_EVIDENCE_MAX
    }

    /// Whether pairs from elsewhere are tried out: many of those who failed are no users, while a list of users is mostly
    /// right. Of a few names from one source nobody can say.
    pub(super) fn is_stuffed(&self) -> bool {
        let are_many = self.users.at_least() >= STUFFED_USERS_MIN || self.sources.at_least() > 2;
        are_many && self.slow.names.bad > 0.35 * self.slow.bad()
    }
}
