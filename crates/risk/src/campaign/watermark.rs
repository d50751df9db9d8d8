//! What time it is, by the events alone. Not here: a clock.

use super::count::HOUR_MS;
use super::store::stored;

/// How far ahead of the others an event may be.
const AHEAD_MS_MAX: i64 = HOUR_MS / 4;
/// How far behind. What is later is not counted: the evidence that it belongs to has mostly faded.
const LATE_MS_MAX: i64 = 24 * HOUR_MS;
/// So many events in a row that are ahead are not of one wrong clock: the stream had a pause.
const AHEAD_EVENTS: u32 = 3;
/// So many events in a row that are too late: the time was wrong, not they.
const LATE_EVENTS: u32 = 64;

/// No event is before 1970, nor after this: differences of times are numbers.
const TIME_MS_MAX: i64 = 1 << 50;

stored! {
    /// The latest time that events agree on.
    pub(super) struct Watermark {
        now_ms: i64,
        /// How many events in a row were ahead, and the earliest of them.
        ahead: u32,
        ahead_ms: i64,
        /// How many in a row were too late, and the latest of them.
        late: u32,
        late_ms: i64,
    }
}

impl Watermark {
    /// The time at which an event counts: its own, unless it is ahead of all others. Nothing when it comes too late.
    pub(super) fn admit(&mut self, time_ms: i64) -> Option<i64> {
        let time_ms = time_ms.clamp(1, TIME_MS_MAX);
        if self.now_ms == 0 {
            self.now_ms = time_ms;
        }
        let gap = time_ms - self.now_ms;
        if gap > AHEAD_MS_MAX {
            self.late = 0;
            self.ahead_ms = if self.ahead == 0 { time_ms } else { self.ahead_ms.min(time_ms) };
            self.ahead += 1;
            if self.ahead >= AHEAD_EVENTS {
                self.ahead = 0;
                self.now_ms = self.ahead_ms;
            }
            return Some(time_ms.min(self.now_ms));
        }
        if gap < -LATE_MS_MAX {
            self.late_ms = if self.late == 0 { time_ms } else { self.late_ms.max(time_ms) };
            self.late += 1;
            if self.late < LATE_EVENTS {
                return None;
            }
            self.now_ms = self.late_ms;
        }
        (self.ahead, self.late) = (0, 0);
        self.now_ms = self.now_ms.max(time_ms);
        Some(time_ms)
    }
}
