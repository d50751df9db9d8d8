//! How often logins at a target end badly when nobody attacks it: the measure that sources and networks are held
//! against. Whoever logs in from where they always do is the control group: when they fail too, it is the target's
//! fault. Not here: whom it is held against (`crowd`).

use super::Familiarity;
use super::count::{DAY_MS, HOUR_MS, Pace, Step};
use super::store::{Kept, stored};

/// How much a user is at home where a login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// At a source of theirs.
    Usual,
    /// At a new source in a network of theirs.
    Near,
    /// Elsewhere.
    Strange,
    /// The user was never let in before.
    New,
}

impl Home {
    pub(super) fn of(known: &Familiarity, has_succeeded_here: bool) -> Self {
        match () {
            () if known.is_source || has_succeeded_here => Self::Usual,
            () if !known.is_user => Self::New,
            () if known.is_network => Self::Near,
            () => Self::Strange,
        }
    }

    /// How much a login tells of its source: an attacker's guesses are of strangers.
    pub(super) fn weight(self) -> f32 {
        match self {
            Self::Usual => 0.2,
            Self::Near => 0.6,
            Self::Strange | Self::New => 1.0,
        }
    }
}

/// Half of the usual share is forgotten in this time.
const SLOW_MS: i64 = 7 * DAY_MS;
/// Half of the present share is.
const FAST_MS: i64 = HOUR_MS / 12;
/// What is taken for the usual share before anything is seen (of failures, of users who are none), and how many logins
/// that counts for.
const PRIOR_BAD: f32 = 0.15;
const PRIOR_NOBODY: f32 = 0.08;
const PRIOR_WEIGHT: f32 = 20.0;
/// The same for the present against the usual.
const PRESENT_WEIGHT: f32 = 6.0;
/// No share is believed to be beyond these.
const SHARE_MIN: f32 = 0.05;
const SHARE_MAX: f32 = 0.9;
/// Users at home, from which on they are a control group.
const CONTROLS_MIN: f32 = 30.0;
/// Users who were let in, from which on a target's own shares are believed.
const OWN_MIN: f32 = 20.0;

/// Strangers fail more often than those at home, but no more than by these factors of the odds: what is beyond is an
/// attacker's share.
const NEAR_TIMES_MAX: f32 = 2.0;
const STRANGE_TIMES_MAX: f32 = 3.0;
const NEW_TIMES_MAX: f32 = 6.0;

/// A share of so many times the odds.
fn odds_times(share: f32, times: f32) -> f32 {
    let odds = share / (1.0 - share) * times;
    odds / (1.0 + odds)
}

stored! {
    /// Bad ones, and all, of users that count once a day and source.
    pub(super) struct Share {
        bad: f32,
        all: f32,
    }
}

impl Share {
    fn of(&self, prior: f32, weight: f32) -> f32 {
        (self.bad + prior * weight) / (self.all + weight)
    }

    fn usual(&self) -> f32 {
        self.usual_of(PRIOR_BAD)
    }

    fn usual_of(&self, prior: f32) -> f32 {
        self.of(prior, PRIOR_WEIGHT).clamp(SHARE_MIN, SHARE_MAX)
    }

    fn add(&mut self, pace: Pace, bad: f32, all: f32) {
        pace.add(&mut self.bad, bad);
        pace.add(&mut self.all, all);
    }
}

/// What a login adds to a target's shares.
#[derive(Clone, Copy)]
pub(super) struct Told {
    pub(super) home: Home,
    pub(super) is_bad: bool,
    /// What it counts for: one user a day at a source, less when the source was heard enough. Negative where an earlier
    /// failure is taken back.
    pub(super) heard: f32,
    /// It is the first user of its source, and speaks for it.
    pub(super) is_first: bool,
    /// The user is none.
    pub(super) is_nobody: bool,
    /// It was said that the user is none.
    pub(super) is_said: bool,
    /// It was not said how it ended.
    pub(super) is_vague: bool,
}

/// What is expected of a login: shares of users.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// Who are users and fail.
    pub(super) bad: f32,
    /// Who are none, of those at one source; and of those alone who are not at home.
    pub(super) nobody: f32,
    pub(super) nobody_away: f32,
    /// Of whom it is not said how it ended.
    pub(super) vague: f32,
}

stored! {
    /// The shares of one target, or of all.
    pub(super) struct Climate {
        last_ms: i64,
        usual: Share,
        near: Share,
        strange: Share,
        new: Share,
        /// Of those at home, now.
        present: Share,
        /// Of one user of each source, now and usually; where nobody is known, they stand for the control group.
        voices: Share,
        all_voices: Share,
        /// Users who are none, among those of a source, and among those who are not at home.
        nobodies: Share,
        nobodies_away: Share,
        /// Logins of which it is not said how they ended.
        vague: Share,
        /// How often it was said that a user is none.
        said: f32,
    }
}

impl Kept for Climate {
    fn worth_ms(&self) -> i64 {
        self.last_ms
    }
}

impl Climate {
    /// Counts what a login tells.
    pub(super) fn add(&mut self, now_ms: i64, told: Told) {
        let step = Step::take(&mut self.last_ms, now_ms);
        let (slow, fast) = (step.pace(SLOW_MS), step.pace(FAST_MS));
        let is_back = told.heard < 0.0;
        let one = |counts: bool| if counts && !is_back { told.heard } else { 0.0 };
        let bad = |counts: bool| if counts && told.is_bad { told.heard } else { 0.0 };
        let is_user = !told.is_nobody && !told.is_vague;
        for (home, share) in [
            (Home::Usual, &mut self.usual),
            (Home::Near, &mut self.near),
            (Home::Strange, &mut self.strange),
            (Home::New, &mut self.new),
        ] {
            let counts = is_user && told.home == home;
            share.add(slow, bad(counts), one(counts));
        }
        let counts = is_user && told.home == Home::Usual;
        self.present.add(fast, bad(counts), one(counts));
        let counts = told.is_first && !told.is_vague;
        self.voices.add(fast, bad(counts), one(counts));
        self.all_voices.add(slow, bad(counts), one(counts));
        let weight = told.home.weight();
        let nobody = if told.is_nobody { told.heard } else { 0.0 };
        self.nobodies.add(slow, nobody * weight, one(true) * weight);
        let is_away = told.home != Home::Usual;
        self.nobodies_away.add(slow, nobody, one(is_away));
        self.vague.add(slow, one(told.is_vague), one(true));
        slow.add(&mut self.said, one(told.is_said));
    }

    /// What is expected of a login at this target now: by its own shares, by those of all targets, or by what is
    /// assumed.
    pub(super) fn expected(&self, all: &Self, home: Home) -> Expected {
        // Where mostly attackers come, what is usual of others cannot be seen.
        let none = Self { vague: self.vague, ..Self::default() };
        let slow = match () {
            () if self.good() >= OWN_MIN.max(self.bad()) => self,
            () if all.good() >= OWN_MIN => all,
            () => &none,
        };
        let (share, times) = match home {
            Home::Usual => (&slow.usual, 1.0),
            Home::Near => (&slow.near, NEAR_TIMES_MAX),
            Home::Strange => (&slow.strange, STRANGE_TIMES_MAX),
            Home::New => (&slow.new, NEW_TIMES_MAX),
        };
        let most = odds_times(slow.usual.usual(), times);
        let mut bad = share.usual().min(most);
        let worse = self.worse(all);
        if worse > 1.0 {
            bad = odds_times(bad, worse).min(0.95);
        }
        Expected {
            bad,
            nobody: slow.nobodies.usual_of(PRIOR_NOBODY),
            nobody_away: slow.nobodies_away.usual_of(PRIOR_NOBODY),
            vague: slow.vague.usual(),
        }
    }

    fn bad(&self) -> f32 {
        [&self.usual, &self.near, &self.strange, &self.new].into_iter().map(|share| share.bad).sum()
    }

    fn good(&self) -> f32 {
        [&self.usual, &self.near, &self.strange, &self.new]
            .into_iter()
            .map(|share| share.all - share.bad)
            .sum()
    }

    /// By how much the odds of failing are worse now than usually, for those who are at home.
    pub(super) fn worse(&self, all: &Self) -> f32 {
        let (present, usual, weight) = match (self, all) {
            (here, _) if here.usual.all > CONTROLS_MIN => (here.present, here.usual, PRESENT_WEIGHT),
            (_, all) if all.usual.all > CONTROLS_MIN => (all.present, all.usual, PRESENT_WEIGHT),
            (here, _) => (here.voices, here.all_voices, 3.0 * PRESENT_WEIGHT),
        };
        let usual = usual.usual();
        let now = present.of(usual, weight).min(0.98);
        (now / (1.0 - now)) / (usual / (1.0 - usual))
    }

    /// Whether the target says which users are none, and so what is wrong with a guess.
    pub(super) fn says_why(&self) -> bool {
        self.said > 0.5
    }

    /// Whether a user who fails and was never let in is likely none: enough users were let in for that to be telling, and
    /// the target does not say it itself.
    pub(super) fn knows_users(&self) -> bool {
        let known = self.usual.all + self.near.all + self.strange.all;
        !self.says_why() && known > 50.0 && known > self.new.all - self.new.bad
    }
}
