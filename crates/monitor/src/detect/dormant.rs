//! Dormant account awake: somebody who has not asked for weeks opens a session, or one who never has since the directory
//! names them. Who comes back from a long leave is reported too: it is for people to tell.

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;

use super::{
    finding::{Finding, counted},
    habit::amount_days,
    observation::What,
    people::{People, Seen, slot},
};

pub const NAME: &str = "dormant";

/// Thresholds: `[detect.dormant]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Days without a session after which an account is dormant.
    pub idle_days: u32,
}

pub const SHIPPED: Limits = Limits { idle_days: 30 };

/// 9 bytes a principal.
#[derive(Default, Serialize, Deserialize)]
pub struct Dormant {
    /// When the principal last opened a session, or first was in the directory.
    people: Vec<Option<(i64, bool)>>,
}

impl Dormant {
    pub fn observe(&mut self, limits: &Limits, people: &People, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let now = seen.o.received.0;
        if let What::Policy(policy) = &seen.o.what {
            for number in policy.principals.iter().filter_map(|name| people.number_of(name)) {
                if let Some(last) = slot(&mut self.people, number) {
                    last.get_or_insert((now, false));
                }
            }
        }
        let (Some(who), What::Opened(_)) = (seen.who, &seen.o.what) else { return };
        let Some(last) = slot(&mut self.people, who.person) else { return };
        if let Some((since, ever)) = last.replace((now, true)) {
            let idle = amount_days(now.saturating_sub(since));
            if idle >= f64::from(limits.idle_days) {
                let what =
                    if ever { "days without a session" } else { "days in the directory without any session" };
                let reason = counted(what, idle.floor(), f64::from(limits.idle_days));
                found.push(seen.of_principal(NAME, Severity::Medium, vec![reason]));
            }
        }
    }
}
