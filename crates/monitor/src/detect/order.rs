//! Gap, fork, rollback, replayed session: what the gate posts does not continue what it posted before. A lost answer
//! makes an honest gate post once more from where it was; it does so once.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;

use super::{
    finding::{Finding, amount, counted, said},
    habit::HOUR_US,
    mismatch::is_about_decisions,
    observation::What,
    people::Seen,
};

pub const NAME: &str = "record-order";

/// Thresholds: `[detect.record-order]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Times in an hour that a gate may post from before the end of the copy.
    pub elsewhere_per_hour: u32,
}

pub const SHIPPED: Limits = Limits { elsewhere_per_hour: 5 };

/// When batches were posted from before the end, in the last hour: at most 64 times.
#[derive(Default, Serialize, Deserialize)]
pub struct Order {
    elsewhere: VecDeque<i64>,
}

const TIMES_MAX: usize = 64;

impl Order {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        match &seen.o.what {
            What::Breach(fault) if !is_about_decisions(fault.breach) => {
                let reason = said(fault.breach.as_str(), fault.reason.clone(), "what was posted before");
                found.push(seen.of_gate(NAME, Severity::Critical, vec![reason]));
            }
            What::Elsewhere { first, size } if first > size => {
                let reason = counted("entries that the monitor never got", amount(first - size), 0.0);
                found.push(seen.of_gate(NAME, Severity::High, vec![reason]));
            }
            What::Elsewhere { .. } => self.again(limits, seen, found),
            _ => {}
        }
    }

    fn again(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let now = seen.o.received.0;
        while self.elsewhere.front().is_some_and(|when| now.saturating_sub(*when) > HOUR_US)
            || self.elsewhere.len() >= TIMES_MAX
        {
            self.elsewhere.pop_front();
        }
        self.elsewhere.push_back(now);
        let times = amount(u64::try_from(self.elsewhere.len()).unwrap_or(u64::MAX));
        if times > f64::from(limits.elsewhere_per_hour) {
            let what = "batches in an hour from before the end of the copy: the gate's log was set back";
            let reason = counted(what, times, f64::from(limits.elsewhere_per_hour));
            found.push(seen.of_gate(NAME, Severity::High, vec![reason]));
        }
    }
}
