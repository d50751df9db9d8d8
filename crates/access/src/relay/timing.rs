//! Deadlines of a session: how long a statement may take and how long a session may say nothing. They come from the
//! enclave's configuration and nothing that a client says lifts them. Not here: how long bytes are held (`outlet`).

use tokio::time::{Duration, Instant};

use crate::fault::Fault;

/// How long a cancelled statement may take to end before its session is ended.
const CANCELLED_MS_MAX: u64 = 5_000;

/// What the enclave allows; `None` is without end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deadlines {
    /// From when a statement's turn comes until the site has answered it and the client has taken the answer.
    pub statement: Option<Duration>,
    /// From the last word of either side until the next.
    pub idle: Option<Duration>,
}

impl Deadlines {
    /// Those of an enclave.
    pub fn of(enclave: &policy::Enclave) -> Self {
        let seconds = |max: Option<u32>| max.map(|max| Duration::from_secs(u64::from(max)));
        Self { statement: seconds(enclave.statement_seconds_max), idle: seconds(enclave.idle_seconds_max) }
    }
}

/// Where a session stands against its deadlines.
#[derive(Debug)]
pub struct Timing {
    allowed: Deadlines,
    /// When the turn of what is being answered came; `None` while nothing is owed.
    turn: Option<Instant>,
    /// When somebody last said something.
    word: Instant,
    /// When the statement whose turn it is was cancelled for its length.
    cancelled: Option<Instant>,
    cancel_due: bool,
}

impl Timing {
    /// A session that begins.
    pub fn new(allowed: Deadlines, now: Instant) -> Self {
        Self { allowed, turn: None, word: now, cancelled: None, cancel_due: false }
    }

    /// Something was said.
    pub fn word(&mut self, now: Instant) {
        self.word = now;
    }

    /// Something is owed: the turn of the first began now, unless it had begun.
    pub fn owed(&mut self, now: Instant) {
        self.turn.get_or_insert(now);
    }

    /// An answer has ended; `more`: the next one's turn begins.
    pub fn answered(&mut self, more: bool, now: Instant) {
        self.turn = more.then_some(now);
        self.cancelled = None;
        self.cancel_due = false;
        self.word = now;
    }

    /// Whether the statement that is being answered was cancelled for its length.
    pub fn has_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Whether the site is to be asked to cancel; says so once.
    pub fn takes_cancel(&mut self) -> bool {
        std::mem::take(&mut self.cancel_due)
    }

    /// The next time at which [`Timing::check`] has something to say.
    pub fn next(&self) -> Option<Instant> {
        match (self.turn, self.cancelled) {
            (None, _) => Some(self.word + self.allowed.idle?),
            (Some(turn), None) => Some(turn + self.allowed.statement?),
            (Some(_), Some(cancelled)) => Some(cancelled + Duration::from_millis(CANCELLED_MS_MAX)),
        }
    }

    /// Cancels what takes too long, and ends a session that says nothing or cannot be cancelled.
    pub fn check(&mut self, now: Instant) -> Result<(), Fault> {
        if self.next().is_none_or(|next| now < next) {
            return Ok(());
        }
        match (self.turn, self.cancelled) {
            (None, _) => {
                let message = format!("nothing was asked for {} s", seconds(self.allowed.idle));
                Err(Fault::client("57P05", message, Some("Connect again when there is something to ask.")))
            }
            (Some(_), None) => {
                self.cancelled = Some(now);
                self.cancel_due = true;
                Ok(())
            }
            (Some(_), Some(_)) => Err(Fault::client("57014", self.too_long(), Some(TOO_LONG_HINT))),
        }
    }

    /// What is said of a statement that took too long.
    pub fn too_long(&self) -> String {
        format!(
            "the statement took longer than {} s, the most this enclave allows",
            seconds(self.allowed.statement)
        )
    }
}

/// What to do about it.
pub const TOO_LONG_HINT: &str =
    "Ask for less at once; statement_seconds_max in enclave.toml says how long it may take.";

fn seconds(allowed: Option<Duration>) -> u64 {
    allowed.map_or(0, |allowed| allowed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `at` (seconds): `o` something is owed, `a` the last answer has ended, `m` one of several has, `w` a word,
    /// `.` nothing; each is followed by a check. Says `c` for a cancel and the SQLSTATE that ends the session.
    fn play(script: &[(u64, char)]) -> String {
        let start = crate::clock::instant();
        let second = |n: u64| Some(Duration::from_secs(n));
        let mut timing = Timing::new(Deadlines { statement: second(10), idle: second(100) }, start);
        let mut said = String::new();
        for (at, what) in script {
            let now = start + Duration::from_secs(*at);
            match what {
                'o' => timing.owed(now),
                'a' => timing.answered(false, now),
                'm' => timing.answered(true, now),
                'w' => timing.word(now),
                _ => {}
            }
            if let Err(fault) = timing.check(now) {
                return said + fault.shown.sqlstate;
            }
            if timing.takes_cancel() {
                said.push('c');
            }
        }
        said
    }

    #[test]
    fn deadlines() {
        for (script, expected) in [
            (&[(99, '.'), (100, '.')][..], "57P05"),
            (&[(99, 'w'), (198, '.'), (199, '.')], "57P05"),
            // A statement's turn begins when the one before it has ended; words do not lengthen it.
            (&[(1, 'o'), (10, '.'), (10, 'w'), (11, '.'), (12, 'a'), (111, '.')], "c"),
            (&[(1, 'o'), (9, 'm'), (18, '.'), (19, '.')], "c"),
            (&[(1, 'o'), (9, 'o'), (11, '.'), (15, '.'), (16, '.')], "c57014"),
            (&[(1, 'o'), (11, '.'), (12, 'm'), (21, '.'), (22, '.')], "cc"),
        ] {
            assert_eq!(play(script), expected, "{script:?}");
        }
    }
}
