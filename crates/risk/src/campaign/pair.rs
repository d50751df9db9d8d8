//! A user at a source: each counts once a day, as one who failed until they get in. Not here: what is counted of many
//! (`crowd`, `climate`).

use super::climate::{Expected, Home, Told};
use super::count::DAY_MS;
use super::crowd::{Part, Sums};
use super::crowds::At;
use super::store::{Kept, stored};
use crate::event::{Outcome, Why};

/// Each user counts once in this time.
const PAIR_MS: i64 = DAY_MS;
/// A login that does not say how it ended is more than half a failure.
const VAGUE: f32 = 0.6;
/// The second factor was missing, or something else than a password was wrong: it was no guesser, mostly.
const NO_GUESS: f32 = 0.3;
/// A source at which nobody got in is held to this, however usual it is elsewhere that users are none.
const NOBODY_SHARE_MAX: f32 = 0.3;

const FRESH: u8 = 0;
const BAD: u8 = 1;
const GOOD: u8 = 2;
const DOUBTFUL: u8 = 3;

stored! {
    /// How today's first login of a user at a source ended, and what it added to the sums (in 250ths): eight bytes, of
    /// which there are most.
    pub(super) struct Pair {
        first_s: u32,
        state: u8,
        /// Where the user was, and, in the highest bit, whether as the first of the source.
        home: u8,
        bad: u8,
        /// The part that the source's network and target heard.
        heard: u8,
    }
}

impl Kept for Pair {
    fn worth_ms(&self) -> i64 {
        i64::from(self.first_s) * 1_000
    }
}

const FIRST: u8 = 1 << 7;

fn stored_part(part: f32) -> u8 {
    (part * 250.0).round() as u8
}

fn part_of(stored: u8) -> f32 {
    f32::from(stored) / 250.0
}

/// What is known around a login.
pub(super) struct Around {
    pub(super) expected: Expected,
    /// The target does not say which users are none, and many are known.
    pub(super) knows_users: bool,
    /// The target does say what is wrong with a guess.
    pub(super) says_why: bool,
    /// What the source's network and target hear of it.
    pub(super) heard: f32,
    /// The user is the source's first.
    pub(super) is_first: bool,
    /// Somebody got in from the source.
    pub(super) has_success: bool,
}

/// What a login changes in the sums of its crowds.
pub(super) struct Change {
    pub(super) source: Part,
    pub(super) network: Part,
    pub(super) cohort: Part,
    pub(super) heard: f32,
    /// An earlier failure is taken back.
    pub(super) is_back: bool,
    /// Somebody tried a name that nobody has.
    pub(super) is_nobody: bool,
}

impl Change {
    /// Takes back a name that nobody has: it was misspelt.
    pub(super) fn misspelt(heard: f32) -> (Self, Told) {
        let back = Part { users: Sums::default(), names: Sums::new(-1.0, 0.0, 0.0) };
        let heard_back = scaled(back, heard);
        let change = Self {
            source: back,
            network: heard_back,
            cohort: heard_back,
            heard,
            is_back: true,
            is_nobody: false,
        };
        let told = Told {
            home: Home::New,
            is_bad: true,
            heard: -heard,
            is_first: false,
            is_nobody: true,
            is_said: false,
            is_vague: false,
        };
        (change, told)
    }
}

impl Pair {
    /// Whether the user got in from here today.
    pub(super) fn has_succeeded(&self, now_ms: i64) -> bool {
        self.state == GOOD && now_ms - self.worth_ms() < PAIR_MS
    }

    /// Whether a login that ends so changes anything; forgets what was a day ago.
    pub(super) fn is_counted(&mut self, now_ms: i64, outcome: Outcome) -> bool {
        if now_ms - self.worth_ms() >= PAIR_MS {
            *self = Self { first_s: u32::try_from(now_ms / 1_000).unwrap_or(u32::MAX), ..Self::default() };
        }
        match self.state {
            FRESH => true,
            GOOD => false,
            _ => outcome == Outcome::Success,
        }
    }

    /// Counts a login that changes something.
    pub(super) fn count(&mut self, at: At, outcome: Outcome, around: &Around) -> (Change, Told) {
        if self.state != FRESH {
            return self.resolve();
        }
        let is_said = outcome == Outcome::Failure(Why::UnknownUser);
        let is_failure = matches!(outcome, Outcome::Failure(_));
        let is_nobody = is_said || is_failure && at.home == Home::New && around.knows_users;
        let is_vague = outcome == Outcome::Unknown;
        let weight = at.home.weight();
        let (bad, expected) = match outcome {
            Outcome::Success => (0.0, around.expected.bad),
            Outcome::Failure(Why::Factor) => (NO_GUESS, around.expected.bad),
            Outcome::Failure(Why::Other) if around.says_why => (NO_GUESS, around.expected.bad),
            Outcome::Failure(_) => (1.0, around.expected.bad),
            Outcome::Unknown => (VAGUE, VAGUE * around.expected.vague),
        };
        let all = if is_vague { VAGUE } else { 1.0 };
        let users = if is_nobody { Sums::default() } else { Sums::new(bad, all, expected) };
        let is_none = f32::from(u8::from(is_nobody));
        let names = Sums::new(is_none, 1.0, around.expected.nobody);
        let part = Part { users: users.scaled(weight), names: names.scaled(weight) };
        let source = if around.has_success {
            part
        } else {
            Part { names: part.names.at_most(NOBODY_SHARE_MAX), ..part }
        };
        let away = names.with_share(around.expected.nobody_away);
        *self = Self {
            state: match outcome {
                Outcome::Success => GOOD,
                Outcome::Failure(_) => BAD,
                Outcome::Unknown => DOUBTFUL,
            },
            home: at.home as u8 | if around.is_first { FIRST } else { 0 },
            bad: if is_nobody { 0 } else { stored_part(bad * weight) },
            heard: stored_part(around.heard),
            ..*self
        };
        let network = scaled(part, around.heard);
        let cohort = scaled(Part { users, names: away }, around.heard);
        let told = Told {
            home: at.home,
            is_bad: is_failure,
            heard: around.heard,
            is_first: around.is_first,
            is_nobody,
            is_said,
            is_vague,
        };
        (Change { source, network, cohort, heard: around.heard, is_back: false, is_nobody }, told)
    }

    /// Takes a failure back: the user got in after all.
    fn resolve(&mut self) -> (Change, Told) {
        let is_vague = self.state == DOUBTFUL;
        self.state = GOOD;
        let home = home(self.home & !FIRST);
        let heard = part_of(self.heard);
        let back = Part { users: Sums::new(-part_of(self.bad), 0.0, 0.0), names: Sums::default() };
        let network = scaled(back, heard);
        let cohort = scaled(network, 1.0 / home.weight());
        let told = Told {
            home,
            is_bad: true,
            heard: -heard,
            is_first: self.home & FIRST != 0,
            is_nobody: self.bad == 0,
            is_said: false,
            is_vague,
        };
        (Change { source: back, network, cohort, heard, is_back: true, is_nobody: false }, told)
    }
}

fn scaled(part: Part, by: f32) -> Part {
    Part { users: part.users.scaled(by), names: part.names.scaled(by) }
}

/// How a pair's home was stored.
fn home(stored: u8) -> Home {
    const HOMES: [Home; 4] = [Home::Usual, Home::Near, Home::Strange, Home::New];
    HOMES.into_iter().find(|home| *home as u8 == stored).unwrap_or(Home::Usual)
}
