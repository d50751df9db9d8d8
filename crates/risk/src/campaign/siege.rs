//! What is done to one user: many tries at the password, prompt after prompt, and a change of password or factor after
//! a risky login. Whoever comes from where the user always does is taken for the user, who may mistype, or whose
//! forgotten device repeats an old password for ever. Not here: many users (`crowd`).

use super::Familiarity;
use super::count::{DAY_MS, HOUR_MS, Step, faded};
use super::store::{Kept, stored};
use crate::event::Why;

/// Half of a quick siege is forgotten in this time; the same holds for prompts.
pub(super) const FAST_MS: i64 = HOUR_MS;
/// Half of a slow one is.
const SLOW_MS: i64 = 2 * DAY_MS;
/// So many tries are a siege: every second or third mistake is followed by another, so that eleven in a row by chance
/// are one in a hundred thousand.
const FAST_TRIES_MIN: f32 = 10.5;
const SLOW_TRIES_MIN: f32 = 30.0;
/// So many are when one of them succeeds.
const BROKEN_TRIES_MIN: f32 = 7.0;
/// So many prompts are meant to wear the user out.
const PROMPTS_MIN: f32 = 4.7;
/// So many are when the user gives in.
const YIELDED_PROMPTS_MIN: f32 = 3.2;
/// A login refused for its factor within this time after a prompt is the same.
const SAME_PROMPT_MS: i64 = 90_000;
/// Whoever writes both may write them the other way round, so far apart.
const SWAPPED_PROMPT_MS: i64 = 1_000;
/// When so little is left of tries or prompts, the next begin anew.
const FORGOTTEN: f32 = 0.4;
/// A device that repeats an old password does so no faster than this, after the same time each time, to a part.
const REPEAT_MS_MIN: i64 = HOUR_MS / 60;
const REPEAT_PART: i64 = 8;
/// A change that comes within this time of a risky login may belong to it.
pub(super) const TAKEOVER_MS: i64 = DAY_MS;

stored! {
    /// A risky login.
    pub(super) struct Entry {
        time_ms: i64,
        /// In log-odds, with what a change that follows would make of it.
        risk: f32,
        source: u64,
        /// Of agents, a part of its hash.
        family: u32,
        /// A part of its hash; 0 is none.
        session: u32,
    }
}

stored! {
    /// What is being done to a user.
    pub(super) struct Siege {
        last_ms: i64,
        since_ms: i64,
        fast: f32,
        slow: f32,
        tries: u32,
        /// From which sources, as bits.
        sources: u64,
        /// The last try from a place of the user's, and how long after the one before it came.
        repeat_ms: i64,
        repeat_gap_ms: i64,
        prompts: f32,
        prompts_since_ms: i64,
        prompted: u32,
        /// Prompts that no login was refused after, or, below zero, logins that were refused without one; and when each was
        /// last.
        unmatched: i16,
        prompted_ms: i64,
        denied_ms: i64,
        /// The riskiest login of late.
        entry: Entry,
        /// The last change of password or factor: when, where from, and which.
        change_ms: i64,
        change_source: u64,
        change_factor: u8,
        /// Campaigns of each kind against this user.
        brute_force: u64,
        fatigue: u64,
        takeover: u64,
    }
}

impl Kept for Siege {
    fn worth_ms(&self) -> i64 {
        let evidence = self.fast + self.slow + 4.0 * self.prompts + self.entry.risk.max(0.0);
        self.last_ms + (evidence.min(24.0) * HOUR_MS as f32) as i64
    }
}

/// How much a failed try at a password tells of a siege.
pub(super) fn try_weight(why: Why, known: &Familiarity, has_source: bool, is_at_home: bool) -> f32 {
    match () {
        () if why == Why::Factor => 0.0,
        () if !has_source => 0.5,
        () if is_at_home && known.is_agent != Some(false) => 0.0,
        () if is_at_home => 0.5,
        () if known.is_network && known.is_agent == Some(true) => 0.05,
        () if known.is_network => 0.6,
        () => 1.0,
    }
}

impl Siege {
    /// Brings the sums up to now.
    fn step(&mut self, now_ms: i64) -> Step {
        let step = Step::take(&mut self.last_ms, now_ms);
        let (fast, slow) = (step.pace(FAST_MS), step.pace(SLOW_MS));
        fast.add(&mut self.fast, 0.0);
        fast.add(&mut self.prompts, 0.0);
        slow.add(&mut self.slow, 0.0);
        Step { fade_ms: 0, ..step }
    }

    /// Whether a try from a place of the user's comes as the one before it did: so does a device that was forgotten when
    /// the password was changed, for days.
    pub(super) fn is_repeated(&mut self, now_ms: i64) -> bool {
        let gap_ms = now_ms - self.repeat_ms;
        if gap_ms <= 0 {
            return false;
        }
        let off_ms = (gap_ms - self.repeat_gap_ms).abs();
        (self.repeat_ms, self.repeat_gap_ms) = (now_ms, gap_ms);
        gap_ms >= REPEAT_MS_MIN && off_ms <= gap_ms / REPEAT_PART
    }

    /// Counts a failed try at the password. Who is at home and in no hurry is the user, however long it goes on.
    pub(super) fn tried(&mut self, now_ms: i64, weight: f32, source: u64, is_at_home: bool) {
        let step = self.step(now_ms);
        if self.slow.max(self.fast) < FORGOTTEN {
            (self.since_ms, self.tries, self.sources) = (now_ms, 0, 0);
        }
        step.pace(FAST_MS).add(&mut self.fast, weight);
        step.pace(SLOW_MS).add(&mut self.slow, if is_at_home { 0.0 } else { weight });
        self.since_ms = self.since_ms.min(now_ms);
        self.tries = self.tries.saturating_add(1);
        self.sources |= super::count::bit(source);
    }

    /// The siege is over: what was told of it is evidence of no other.
    pub(super) fn lift(&mut self) {
        (self.fast, self.slow, self.brute_force) = (0.0, 0.0, 0);
    }

    /// Whether these tries are a siege.
    pub(super) fn is_forced(&self, now_ms: i64) -> bool {
        self.fast_at(now_ms) >= FAST_TRIES_MIN
            || self.slow * faded(now_ms - self.last_ms, SLOW_MS) >= SLOW_TRIES_MIN
    }

    /// Whether they are one that a login from this source ends: one of those that tried.
    pub(super) fn is_broken(&self, now_ms: i64, source: u64) -> bool {
        self.fast_at(now_ms) >= BROKEN_TRIES_MIN && self.sources & super::count::bit(source) != 0
    }

    fn fast_at(&self, now_ms: i64) -> f32 {
        self.fast * faded(now_ms - self.last_ms, FAST_MS)
    }

    /// Log-odds that a login as this user from elsewhere is the besieger's.
    pub(super) fn log_odds(&self, now_ms: i64) -> f64 {
        let slow = self.slow * faded(now_ms - self.last_ms, SLOW_MS);
        let tries = f64::from(self.fast_at(now_ms).max(slow / 3.0));
        if tries < 1.5 { 0.0 } else { (tries * 0.5 - 0.5).min(5.0) }
    }

    /// Counts a prompt that was denied, or not answered so far; or a login that was refused for its factor, unless that is
    /// a prompt's that was counted. Whether it was counted.
    pub(super) fn prompted(&mut self, now_ms: i64, weight: f32, is_logon: bool) -> bool {
        let step = self.step(now_ms);
        if self.matches(now_ms, is_logon) {
            return false;
        }
        if self.prompts < FORGOTTEN {
            (self.prompts_since_ms, self.prompted) = (now_ms, 0);
        }
        step.pace(FAST_MS).add(&mut self.prompts, weight);
        self.prompts_since_ms = self.prompts_since_ms.min(now_ms);
        self.prompted = self.prompted.saturating_add(1);
        true
    }

    /// Whether it is the other half of what was counted: each prompt is of one login, and each login of one prompt.
    fn matches(&mut self, now_ms: i64, is_logon: bool) -> bool {
        let after_ms = if is_logon { now_ms - self.prompted_ms } else { self.denied_ms - now_ms };
        let is_near = (-SWAPPED_PROMPT_MS..SAME_PROMPT_MS).contains(&after_ms);
        let other = if is_logon { 1 } else { -1 };
        let is_waited_for = self.unmatched.signum() == other;
        if is_waited_for && is_near {
            self.unmatched -= other;
            return true;
        }
        let (last_ms, kept) = match is_logon {
            true => (&mut self.denied_ms, self.unmatched.min(0)),
            false => (&mut self.prompted_ms, self.unmatched.max(0)),
        };
        let is_old = now_ms - *last_ms >= SAME_PROMPT_MS;
        *last_ms = now_ms.max(*last_ms);
        self.unmatched = if is_old { -other } else { kept.saturating_sub(other) };
        false
    }

    /// Whether the prompts are meant to wear the user out; fewer, when the user gave in.
    pub(super) fn is_worn(&self, now_ms: i64, has_yielded: bool) -> bool {
        let prompts = self.prompts_at(now_ms);
        prompts >= PROMPTS_MIN || has_yielded && prompts >= YIELDED_PROMPTS_MIN
    }

    /// Prompts that still count.
    pub(super) fn prompts_at(&self, now_ms: i64) -> f32 {
        self.prompts * faded(now_ms - self.last_ms, FAST_MS)
    }

    /// Log-odds that whoever is let in after these prompts is not the user.
    pub(super) fn prompts_log_odds(&self, now_ms: i64) -> f64 {
        let prompts = f64::from(self.prompts_at(now_ms));
        if prompts < 1.5 { 0.0 } else { (prompts - 1.0).min(6.0) }
    }

    /// The user answered as usual: what was asked before was theirs.
    pub(super) fn answered(&mut self, now_ms: i64) {
        self.step(now_ms);
        (self.prompts, self.unmatched) = (0.0, 0);
    }

    /// Remembers a login, if none of late was riskier.
    pub(super) fn entered(&mut self, entry: Entry) {
        self.last_ms = self.last_ms.max(entry.time_ms);
        if entry.time_ms - self.entry.time_ms > TAKEOVER_MS || entry.risk > self.entry.risk {
            self.entry = entry;
        }
    }

    /// A password was changed from a source: whoever tried from there, and is told of no siege, had forgotten it.
    pub(super) fn forgotten(&mut self, source: u64) {
        if self.brute_force == 0 && self.sources & super::count::bit(source) != 0 {
            self.lift();
        }
    }

    /// Remembers a change of password or factor. Whether the other was changed shortly before, after the risky login: who
    /// forgot a password has a new one before they are let in.
    pub(super) fn changed(&mut self, now_ms: i64, source: u64, is_factor: bool) -> bool {
        self.last_ms = self.last_ms.max(now_ms);
        let is_near = self.change_ms > self.entry.time_ms && (now_ms - self.change_ms).abs() < FAST_MS;
        let is_both = is_near && self.change_source == source && self.change_factor != u8::from(is_factor);
        (self.change_ms, self.change_source, self.change_factor) = (now_ms, source, u8::from(is_factor));
        is_both
    }
}
