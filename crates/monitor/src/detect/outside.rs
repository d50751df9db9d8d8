//! Counters that do not reconcile: a site counted calls, rows or connections that the record does not explain, or shows
//! a certificate that the monitor did not issue. Counters are read a little before or after what the record has, so what
//! is over in one interval and missing in the next evens out.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tlog::detail::{About, Severity};

use super::{
    finding::{Finding, amount, counted, said},
    observation::{Measure, Outside, What},
    people::Seen,
};

pub const NAME: &str = "unreconciled";

/// Thresholds: `[detect.unreconciled]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls of a role at a site that may be unexplained.
    pub calls: u32,
    /// Rows of a role at a site that may be unexplained.
    pub rows: u32,
    /// Hundredths of what the record has that may be unexplained beside.
    pub percent: u32,
    /// Attempts to log in at a site that may be refused there, for one role and one time that it was looked at.
    pub refusals: u32,
    /// Rows that the administrator may be given between two times that it was looked at, as maintenance needs.
    pub administrator_rows: u32,
}

pub const SHIPPED: Limits =
    Limits { calls: 20, rows: 100, percent: 2, refusals: 0, administrator_rows: 50_000 };

/// Roles at sites that are followed; of later ones each interval stands alone.
const BALANCES_MAX: usize = 65_536;

/// Some 100 bytes a role, site and measure.
#[derive(Default, Serialize, Deserialize)]
pub struct Unreconciled {
    balances: HashMap<String, f64>,
}

impl Unreconciled {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let What::Outside(outside) = &seen.o.what else { return };
        let over = self.balance(outside);
        let recorded = amount(outside.recorded);
        let share = recorded * f64::from(limits.percent) / 100.0;
        let (allowed, severity) = match outside.measure {
            Measure::Calls => (f64::from(limits.calls) + share, Severity::High),
            Measure::Rows => (f64::from(limits.rows) + share, Severity::High),
            Measure::Connections | Measure::Certificates => (0.0, Severity::Critical),
            Measure::Resets => (0.0, Severity::High),
            Measure::Losses | Measure::Blindness => (0.0, Severity::Medium),
            Measure::Refusals => (f64::from(limits.refusals), Severity::Medium),
            Measure::Administrator => (0.0, Severity::Low),
            Measure::AdministratorRows => (f64::from(limits.administrator_rows), Severity::High),
        };
        if over <= allowed {
            return;
        }
        self.balances.remove(&key(outside));
        let what = format!(
            "{} of {} at {} that the record does not explain",
            outside.measure.as_str(),
            outside.role,
            outside.site
        );
        let reasons = vec![
            counted(&what, over, allowed),
            said("in the last interval", outside.observed.to_string(), outside.recorded.to_string()),
        ];
        let finding = seen.of_gate(NAME, severity, reasons);
        // Each role at each site is an incident of its own; which gate it was, if any, is not known.
        let (site, role) = (Some(outside.site.clone()), Some(outside.role.clone()));
        found.push(Finding { about: About { site, role, ..About::default() }, ..finding });
    }

    /// What is unexplained since it last was nothing.
    fn balance(&mut self, outside: &Outside) -> f64 {
        let over = amount(outside.observed) - amount(outside.recorded);
        if !matches!(outside.measure, Measure::Calls | Measure::Rows) {
            return over;
        }
        let key = key(outside);
        let held = self.balances.get(&key).copied().unwrap_or(0.0);
        // A record that is ahead in one interval explains no more than the next one.
        let balance = (held + over).max(-amount(outside.recorded));
        if balance == 0.0 {
            self.balances.remove(&key);
        } else if self.balances.len() < BALANCES_MAX || self.balances.contains_key(&key) {
            self.balances.insert(key, balance);
        }
        balance
    }
}

fn key(outside: &Outside) -> String {
    format!("{} {} {}", outside.site, outside.role, outside.measure.as_str())
}
