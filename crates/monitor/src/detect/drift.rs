//! Clock drift: the gate's clock runs away from the monitor's, or jumps. The least difference within some minutes is the
//! clocks'; what is more is waiting, which a gate does that could not reach the monitor.

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;

use super::{
    finding::{Finding, counted},
    observation::What,
    people::Seen,
};

pub const NAME: &str = "clock-drift";

/// Thresholds: `[detect.clock-drift]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Seconds that the gate's clock may be ahead.
    pub ahead_seconds: f64,
    /// Seconds that it may be behind, two times in a row.
    pub behind_seconds: f64,
    /// Minutes over which the least difference is looked for.
    pub minutes: u32,
}

pub const SHIPPED: Limits = Limits { ahead_seconds: 2.0, behind_seconds: 5.0, minutes: 5 };

/// 50 bytes.
#[derive(Default, Serialize, Deserialize)]
pub struct Drift {
    window: i64,
    /// Least of received minus said, microseconds.
    least: Option<i64>,
    behind_before: bool,
    told_day: i64,
}

impl Drift {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        if matches!(
            seen.o.what,
            What::Policy(_) | What::Breach(_) | What::Elsewhere { .. } | What::Outside(_) | What::Tick
        ) {
            return;
        }
        let received = seen.o.received.0;
        let length = i64::from(limits.minutes).max(1) * 60_000_000;
        let window = received.div_euclid(length);
        if window != self.window {
            self.close(limits, seen, found);
            self.window = window;
        }
        let late = received.saturating_sub(seen.o.time.0);
        self.least = Some(self.least.map_or(late, |least| least.min(late)));
    }

    fn close(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let Some(least) = self.least.take() else { return };
        let seconds = f64::from(i32::try_from(least / 1_000).unwrap_or(i32::MAX)) / 1_000.0;
        let is_ahead = -seconds > limits.ahead_seconds;
        let is_behind = seconds > limits.behind_seconds;
        let today = seen.o.received.0.div_euclid(super::habit::DAY_US);
        if (is_ahead || (is_behind && self.behind_before)) && self.told_day != today {
            self.told_day = today;
            let (what, allowed) = if is_ahead {
                ("seconds by which the gate's clock is ahead of the monitor's", limits.ahead_seconds)
            } else {
                ("seconds by which the gate's clock is behind the monitor's", limits.behind_seconds)
            };
            found.push(seen.of_gate(NAME, Severity::Medium, vec![counted(what, seconds.abs(), allowed)]));
        }
        self.behind_before = is_behind;
    }
}
