//! The simulated residency checker: evidence every minute while the gate runs, what attackers plant in between, and when it
//! is gone. Kept apart from what people do, so that it changes nothing of when they do it.

use std::sync::Arc;

use tlog::{
    detail::{CheckEvidence, CheckResult, FindingEvidence, ResidencyEvidence, SiteEvidence},
    entry::Micros,
};

use super::stream::MINUTE;
use crate::detect::observation::{Observation, What};

const SITES: [&str; 3] = ["dublin-1", "dublin-2", "hamar"];
const CHECKS: [&str; 3] = ["replication-slot", "foreign-server", "hba"];
/// The clock is told twelve times a minute in a monitor, and as often as it matters here.
const TICKS_PER_MINUTE: i64 = 2;

/// What a check says for some time.
struct Spell {
    from: i64,
    to: i64,
    check: &'static str,
    result: CheckResult,
}

/// The checker of a day.
#[derive(Default)]
pub struct Checker {
    spells: Vec<Spell>,
    gone: Vec<(i64, i64)>,
}

impl Checker {
    /// Something is there, or nothing can be seen, from then until then.
    pub fn says(&mut self, from: i64, to: i64, check: &'static str, result: CheckResult) {
        self.spells.push(Spell { from, to, check, result });
    }

    /// It does not run.
    pub fn is_gone(&mut self, from: i64, to: i64) {
        self.gone.push((from, to));
    }

    /// When the first of what is odd about this day begins.
    pub fn first(&self) -> Option<i64> {
        let spells = self.spells.iter().map(|spell| spell.from);
        spells.chain(self.gone.iter().map(|(from, _)| *from)).min()
    }

    /// The day's evidence and the clock's ticks, each with when it happened.
    pub fn day(&mut self, midnight: i64) -> Vec<(i64, What)> {
        let mut all = Vec::new();
        for minute in 0..24 * 60 {
            let now = midnight + minute * MINUTE + MINUTE / 4;
            if !self.gone.iter().any(|(from, to)| (*from..*to).contains(&now)) {
                all.push((now, What::Residency(Box::new(self.evidence(now)))));
            }
            all.extend((1..=TICKS_PER_MINUTE).map(|n| (now + n * MINUTE / 3, What::Tick)));
        }
        self.spells.clear();
        self.gone.clear();
        all
    }

    fn evidence(&self, now: i64) -> ResidencyEvidence {
        let check = |site: &str, name: &'static str| {
            let is = |spell: &&Spell| {
                site == SITES[0] && spell.check == name && (spell.from..spell.to).contains(&now)
            };
            let result = self.spells.iter().find(is).map_or(CheckResult::Pass, |spell| spell.result);
            let finding = FindingEvidence { object: "strange".to_owned(), reason: "simulated".to_owned() };
            let findings = if result == CheckResult::Pass { Vec::new() } else { vec![finding] };
            CheckEvidence { name: name.to_owned(), result, findings, more: 0 }
        };
        let site = |site: &str| SiteEvidence {
            site: site.to_owned(),
            queries: String::new(),
            checks: CHECKS.map(|name| check(site, name)).to_vec(),
        };
        let sites = SITES.map(site).to_vec();
        ResidencyEvidence {
            version: String::new(),
            began: String::new(),
            took_ms: 0,
            country_file: None,
            sites,
        }
    }
}

/// Puts these among the day's observations, in the order in which the monitor learns of them. A tick is the monitor's own.
pub fn merge(
    taken: Vec<Observation>,
    checked: Vec<(i64, What)>,
    received: impl Fn(i64) -> i64,
    clock: i64,
    gate: &Arc<str>,
) -> Vec<Observation> {
    let observed = |(now, what): (i64, What)| {
        let is_tick = matches!(what, What::Tick);
        let (time, received) = if is_tick { (now, now) } else { (now + clock, received(now)) };
        let (time, received) = (Micros(time), Micros(received));
        Observation { index: 0, time, received, gate: gate.clone(), session: None, what }
    };
    let mut all = taken;
    all.extend(checked.into_iter().map(observed));
    // Stable: what people did keeps its order.
    all.sort_by_key(|o| o.received);
    all
}
