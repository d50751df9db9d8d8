//! How often logins at a target end badly when nobody attacks it: the measure that sources and networks are held
//! against. Whoever logs in from where they always do is the control group: when they fail too, it is the target's
//! fault. Not here: whom it is held against (`crowd`).

use super::Familiarity;
use super::count::{DAY_MS, HOUR_MS, Step};
use super::store::{Kept, stored};

/// How much a user is at home where a login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// From a source of theirs.
    Usual,
    /// From a new source in a network of theirs.
    Near,
    /// From elsewhere.
    Strange,
    /// Nothing is known of the user.
    Nobody,
}

impl Home {
    pub(super) fn of(known: &Familiarity, has_succeeded_here: bool) -> Self {
        match () {
            () if known.is_source || has_succeeded_here => Self::Usual,
            () if !known.is_user => Self::Nobody,
            () if known.is_network => Self::Near,
            () => Self::Strange,
        }
    }

    /// How much a login tells of its source: an attacker's guesses are of strangers.
    pub(super) fn weight(self) -> f32 {
        match self {
            Self::Usual => 0.2,
            Self::Near => 0.6,
            Self::Strange | Self::Nobody => 1.0,
        }
    }
}

/// Half of the usual share is forgotten in this time.
const SLOW_MS: i64 = 7 * DAY_MS;
/// Half of the present share is.
const FAST_MS: i64 = HOUR_MS / 12;
/// What is taken for the usual share before anything is seen, and how many logins that counts for.
const PRIOR_BAD: f32 = 0.15;
const PRIOR_WEIGHT: f32 = 20.0;
/// The same for the present against the usual.
const PRESENT_WEIGHT: f32 = 4.0;
/// No share is believed to be beyond these.
const SHARE_MIN: f32 = 0.05;
const SHARE_MAX: f32 = 0.9;
/// What is new to a target's own history is held against everybody else's up to this.
const STRANGER_SHARE_MAX: f32 = 0.35;

stored! {
    /// Users that failed and did not get in later, and all users, each once a day and source.
    pub(super) struct Share {
        bad: f32,
        all: f32,
    }
}

impl Share {
    fn of(&self, prior: f32, weight: f32) -> f32 {
        (self.bad + prior * weight) / (self.all + weight)
    }

    fn add(&mut self, step: Step, bad: f32, all: f32, half_ms: i64) {
        step.add(&mut self.bad, bad, half_ms);
        step.add(&mut self.all, all, half_ms);
    }
}

stored! {
    /// The shares of one target.
    pub(super) struct Climate {
        last_ms: i64,
        usual: Share,
        near: Share,
        strange: Share,
        nobody: Share,
        /// Of those from sources of theirs, now.
        present: Share,
        /// Of one user of each source, now; where nobody is known, they stand for the control group.
        voices: Share,
        /// Of logins of which it is not said how they ended.
        vague: Share,
    }
}

impl Kept for Climate {
    fn worth_ms(&self) -> i64 {
        self.last_ms
    }
}

impl Climate {
    /// Counts a user's first login of the day from a source, or (`all` of 0) takes back that it was bad. The first user of
    /// a source speaks for it.
    pub(super) fn add(&mut self, now_ms: i64, home: Home, bad: f32, all: f32, is_first: bool) {
        let step = Step::take(&mut self.last_ms, now_ms);
        for (class, share) in [
            (Home::Usual, &mut self.usual),
            (Home::Near, &mut self.near),
            (Home::Strange, &mut self.strange),
            (Home::Nobody, &mut self.nobody),
        ] {
            let counts = f32::from(u8::from(class == home));
            share.add(step, bad * counts, all * counts, SLOW_MS);
        }
        let counts = f32::from(u8::from(home == Home::Usual));
        self.present.add(step, bad * counts, all * counts, FAST_MS);
        let counts = f32::from(u8::from(is_first));
        self.voices.add(step, bad * counts, all * counts, FAST_MS);
        self.vague.add(step, 0.0, all, SLOW_MS);
    }

    /// Counts a login that does not say how it ended.
    pub(super) fn add_vague(&mut self, now_ms: i64, all: f32) {
        let step = Step::take(&mut self.last_ms, now_ms);
        self.vague.add(step, all, all, SLOW_MS);
    }

    /// The share of logins that do not say how they ended.
    pub(super) fn vague_share(&self) -> f32 {
        self.vague.of(PRIOR_BAD, PRIOR_WEIGHT).clamp(SHARE_MIN, SHARE_MAX)
    }

    /// The share of such logins that is expected to end badly now.
    pub(super) fn expected(&self, home: Home) -> f32 {
        let (share, most) = match home {
            Home::Usual => (&self.usual, SHARE_MAX),
            Home::Near => (&self.near, SHARE_MAX),
            Home::Strange => (&self.strange, STRANGER_SHARE_MAX),
            Home::Nobody => (&self.nobody, STRANGER_SHARE_MAX),
        };
        let slow = share.of(PRIOR_BAD, PRIOR_WEIGHT).clamp(SHARE_MIN, most);
        let worse = self.worse();
        if worse <= 1.0 {
            return slow;
        }
        let odds = slow / (1.0 - slow) * worse;
        (odds / (1.0 + odds)).min(0.95)
    }

    /// By how much the odds of failing are worse now than usually, for those who are at home.
    pub(super) fn worse(&self) -> f32 {
        let usual = self.usual.of(PRIOR_BAD, PRIOR_WEIGHT).clamp(SHARE_MIN, SHARE_MAX);
        let now = if self.usual.all > 30.0 {
            self.present.of(usual, PRESENT_WEIGHT)
        } else {
            self.voices.of(usual, 2.0 * PRESENT_WEIGHT)
        };
        let now = now.min(0.98);
        (now / (1.0 - now)) / (usual / (1.0 - usual))
    }

    /// Whether enough users were let in before for a name that never was to be telling.
    pub(super) fn knows_users(&self) -> bool {
        let known = self.usual.all + self.near.all + self.strange.all;
        known > 50.0 && known > self.nobody.all - self.nobody.bad
    }
}
