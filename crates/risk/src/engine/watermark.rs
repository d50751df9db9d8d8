//! What time it is by the events themselves. One that is far ahead or far behind does not decide it; several that agree do.
//! Not here: a clock.

/// How much later than all others an event may be before its clock is taken for wrong. If it was, and less, the events
/// after it are late for a moment.
const AHEAD_MS: i64 = 90 * 86_400_000;
/// How late an event may come, and how near each other those are that agree.
const LATE_MS: i64 = 7 * 86_400_000;
/// Events in a row, far off but near each other, that are believed.
const AGREEING: u8 = 4;

/// The newest time that is believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watermark {
    /// Milliseconds since 1970; 0 before the first event.
    pub ms: i64,
    far_ms: i64,
    far: u8,
}

/// What an event's time is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// It is about now.
    Now,
    /// It is too far ahead to be true: learnt as if it were this time.
    Ahead(i64),
    /// It is too late to be learnt.
    Late,
}

impl Watermark {
    /// Looks at the time of an event, and moves on.
    pub fn observe(&mut self, time_ms: i64) -> Time {
        let after_ms = time_ms.saturating_sub(self.ms);
        if self.ms == 0 || (-LATE_MS..=AHEAD_MS).contains(&after_ms) {
            self.ms = self.ms.max(time_ms);
            self.far = 0;
            return Time::Now;
        }
        let agrees = self.far > 0 && time_ms.abs_diff(self.far_ms) <= LATE_MS.unsigned_abs();
        self.far = if agrees { self.far + 1 } else { 1 };
        self.far_ms = time_ms;
        if self.far >= AGREEING {
            *self = Self { ms: time_ms, far_ms: 0, far: 0 };
            return Time::Now;
        }
        if time_ms > self.ms { Time::Ahead(self.ms) } else { Time::Late }
    }

    /// As 24 bytes of a snapshot.
    pub fn pack(&self) -> [i64; 3] {
        [self.ms, self.far_ms, i64::from(self.far)]
    }

    /// From a snapshot.
    pub fn unpack([ms, far_ms, far]: [i64; 3]) -> Option<Self> {
        Some(Self { ms, far_ms, far: u8::try_from(far).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn one_wrong_clock_does_not_move_the_time_and_several_do() {
        let start = 20_000 * DAY;
        let mut mark = Watermark::default();
        for (at, expected, now) in [
            (start, Time::Now, start),
            (start - DAY, Time::Now, start),
            (start + DAY, Time::Now, start + DAY),
            (start + 400 * DAY, Time::Ahead(start + DAY), start + DAY),
            (start - 400 * DAY, Time::Late, start + DAY),
            (start + DAY, Time::Now, start + DAY),
            (start + 130 * DAY, Time::Ahead(start + DAY), start + DAY),
            (start + 131 * DAY, Time::Ahead(start + DAY), start + DAY),
            (start + 130 * DAY, Time::Ahead(start + DAY), start + DAY),
            (start + 132 * DAY, Time::Now, start + 132 * DAY),
            (start + 200 * DAY, Time::Now, start + 200 * DAY),
            (start, Time::Late, start + 200 * DAY),
        ] {
            assert_eq!((mark.observe(at), mark.ms), (expected, now), "{}", (at - start) / DAY);
        }
    }
}
