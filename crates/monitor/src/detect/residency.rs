//! Residency: what the operator's checker says of the paths by which a copy could leave, and whether it says anything. A
//! check that fails is an incident at once; one that sees nothing for long is one, and so is evidence that does not come
//! while the gate runs. Whether the evidence is complete is decided before it is cosigned (`entries`).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tlog::detail::{About, CheckEvidence, CheckResult, Reason, ResidencyEvidence, Severity};

use super::{
    finding::{EVIDENCE_MAX, Finding, amount, counted, said},
    observation::What,
    people::Seen,
};

pub const NAME: &str = "residency";

/// Thresholds: `[detect.residency]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Minutes for which a check may see nothing.
    pub unknown_minutes: u32,
    /// Minutes that may pass without evidence while the gate runs.
    pub missed_minutes: u32,
}

pub const SHIPPED: Limits = Limits { unknown_minutes: 10, missed_minutes: 10 };

/// The clock is told every few seconds; when it was not for this long, the monitor was away and missed nothing yet.
const AWAY_US: i64 = 60 * 1_000_000;
const MINUTE_US: i64 = 60 * 1_000_000;
/// Objects of a check that are remembered as told, and named in one finding.
const OBJECTS_MAX: usize = 256;
const NAMED_MAX: usize = 8;
/// Checks of sites that are followed.
const CHECKS_MAX: usize = 4_096;

/// Some 100 bytes for each check that does not pass.
#[derive(Default, Serialize, Deserialize)]
pub struct Residency {
    /// Whether the gate runs.
    runs: bool,
    /// When evidence came last, or the gate started: by the gate's clock.
    said: i64,
    /// The same by the monitor's, and when the clock was told last. Not kept: what did not come while the monitor was away
    /// is seen by the gate's clock when it comes.
    #[serde(skip)]
    heard: i64,
    #[serde(skip)]
    tick: i64,
    #[serde(skip)]
    told_missed: bool,
    /// Checks that did not pass, by site and name.
    open: BTreeMap<String, Open>,
}

#[derive(Default, Serialize, Deserialize)]
struct Open {
    /// Objects that were told.
    failed: BTreeSet<String>,
    /// Since when it sees nothing, by the gate's clock.
    unknown_since: Option<i64>,
    told_unknown: bool,
}

impl Residency {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let (time, received) = (seen.o.time.0, seen.o.received.0);
        match &seen.o.what {
            What::Started { .. } => {
                *self = Residency {
                    runs: true,
                    tick: self.tick,
                    open: std::mem::take(&mut self.open),
                    ..Self::default()
                };
                (self.said, self.heard) = (time, received);
            }
            What::Stopped => self.runs = false,
            What::Residency(evidence) => {
                self.late(limits, time.saturating_sub(self.said), seen, found);
                (self.said, self.heard, self.told_missed) = (time, received, false);
                self.judge(limits, evidence, seen, found);
            }
            What::Tick => {
                if received.saturating_sub(self.tick) > AWAY_US {
                    self.heard = received;
                }
                self.tick = received;
                self.late(limits, received.saturating_sub(self.heard), seen, found);
            }
            _ => {}
        }
    }

    /// Nothing came for this long.
    fn late(&mut self, limits: &Limits, passed: i64, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let allowed = i64::from(limits.missed_minutes).saturating_mul(MINUTE_US);
        if !self.runs || self.told_missed || passed <= allowed {
            return;
        }
        self.told_missed = true;
        let minutes = amount(u64::try_from(passed / MINUTE_US).unwrap_or(0));
        let what = "minutes without evidence of residency while the gate runs";
        let reason = counted(what, minutes, f64::from(limits.missed_minutes));
        found.push(seen.of_gate(NAME, Severity::High, vec![reason]));
    }

    fn judge(
        &mut self,
        limits: &Limits,
        evidence: &ResidencyEvidence,
        seen: &Seen<'_>,
        found: &mut Vec<Finding>,
    ) {
        for site in &evidence.sites {
            for check in &site.checks {
                let key = format!("{} {}", site.site, check.name);
                if check.result == CheckResult::Pass {
                    self.open.remove(&key);
                    continue;
                }
                if self.open.len() >= CHECKS_MAX && !self.open.contains_key(&key) {
                    continue;
                }
                let open = self.open.entry(key).or_default();
                let told = match check.result {
                    CheckResult::Fail => open.fails(check),
                    CheckResult::Pass | CheckResult::Unknown => {
                        open.sees_nothing(limits, check, seen.o.time.0)
                    }
                };
                let Some((severity, reasons)) = told else { continue };
                let about = About { site: Some(site.site.clone()), ..About::default() };
                found.push(Finding { about, ..seen.of_gate(NAME, severity, reasons) });
            }
        }
        // A check that is asked no more, because what it is about is gone, is not open.
        let asked = |key: &String| {
            let (site, name) = key.split_once(' ').unwrap_or_default();
            let of_site = evidence.sites.iter().filter(|one| one.site == site);
            of_site.flat_map(|one| &one.checks).any(|check| check.name == name)
        };
        self.open.retain(|key, _| asked(key));
    }
}

impl Open {
    /// What was not told yet of a check that fails.
    fn fails(&mut self, check: &CheckEvidence) -> Option<(Severity, Vec<Reason>)> {
        (self.unknown_since, self.told_unknown) = (None, false);
        let mut reasons = Vec::new();
        for finding in &check.findings {
            if self.failed.contains(&finding.object) {
                continue;
            }
            if self.failed.len() < OBJECTS_MAX {
                self.failed.insert(finding.object.clone());
            }
            if reasons.len() < NAMED_MAX.min(EVIDENCE_MAX) {
                let what = format!("{}: {}", check.name, finding.object);
                reasons.push(said(&what, finding.reason.clone(), "nothing that is not expected"));
            }
        }
        (!reasons.is_empty()).then_some((Severity::High, reasons))
    }

    /// A check sees nothing, and did not the last time.
    fn sees_nothing(
        &mut self,
        limits: &Limits,
        check: &CheckEvidence,
        time: i64,
    ) -> Option<(Severity, Vec<Reason>)> {
        self.failed.clear();
        let since = *self.unknown_since.get_or_insert(time);
        let allowed = i64::from(limits.unknown_minutes).saturating_mul(MINUTE_US);
        let passed = time.saturating_sub(since);
        if self.told_unknown || passed <= allowed {
            return None;
        }
        self.told_unknown = true;
        let minutes = amount(u64::try_from(passed / MINUTE_US).unwrap_or(0));
        let what = format!("minutes for which {} could not be looked at", check.name);
        let mut reasons = vec![counted(&what, minutes, f64::from(limits.unknown_minutes))];
        let why = check.findings.first().map(|finding| finding.reason.clone());
        reasons.extend(why.map(|why| said("why", why, "an answer")));
        Some((Severity::Medium, reasons))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tlog::{
        detail::{FindingEvidence, SiteEvidence},
        entry::Micros,
    };

    use super::*;
    use crate::detect::{Observation, people::People};

    /// A minute of the story: what is seen in it.
    enum Step {
        Start,
        Stop,
        Pass,
        Fail(&'static [&'static str]),
        Unknown,
        /// Only the clock is told.
        Quiet,
        /// The monitor is away for this many minutes.
        Away(i64),
    }
    use Step::{Away, Fail, Pass, Quiet, Start, Stop, Unknown};

    fn evidence(result: CheckResult, objects: &[&str]) -> What {
        let finding =
            |object: &&str| FindingEvidence { object: (*object).to_owned(), reason: "there".to_owned() };
        let check = CheckEvidence {
            name: "replication-slot".to_owned(),
            result,
            findings: objects.iter().map(finding).collect(),
            more: 0,
        };
        What::Residency(Box::new(ResidencyEvidence {
            version: String::new(),
            began: String::new(),
            took_ms: 1,
            country_file: None,
            sites: vec![SiteEvidence {
                site: "hamar".to_owned(),
                queries: String::new(),
                checks: vec![check],
            }],
        }))
    }

    /// The minutes in which something is found, and how bad it is.
    fn check(name: &str, steps: &[Step], expected: &[(i64, Severity)]) {
        let (mut residency, people) = (Residency::default(), People::default());
        let (mut minute, mut told) = (0, Vec::new());
        for step in steps {
            let mut whats = Vec::new();
            match step {
                Start => whats.push(What::Started { subject_key: None }),
                Stop => whats.push(What::Stopped),
                Pass => whats.push(evidence(CheckResult::Pass, &[])),
                Fail(objects) => whats.push(evidence(CheckResult::Fail, objects)),
                Unknown => whats.push(evidence(CheckResult::Unknown, &["-"])),
                Quiet => {}
                Away(minutes) => minute += minutes,
            }
            let begin = minute * MINUTE_US;
            let at = |offset: i64, what| (begin + offset, what);
            let ticks = (0..12).map(|n| at(n * 5_000_000, What::Tick));
            for (now, what) in whats.into_iter().map(|what| at(0, what)).chain(ticks) {
                let (time, received) = (Micros(now), Micros(now + 1));
                let o =
                    Observation { index: 7, time, received, gate: Arc::from("gate-1"), session: None, what };
                let mut found = Vec::new();
                residency.observe(&SHIPPED, &people.seen(&o), &mut found);
                told.extend(found.into_iter().map(|finding| (minute, finding.severity)));
            }
            minute += 1;
        }
        assert_eq!(told, expected, "{name}");
    }

    #[test]
    fn what_is_told_and_when() {
        let (high, medium) = (Severity::High, Severity::Medium);
        let repeat = |step: fn() -> Step, times: usize| (0..times).map(move |_| step());
        let story = |parts: Vec<Step>| parts;
        check("all is well", &story([Start].into_iter().chain(repeat(|| Pass, 30)).collect()), &[]);
        check("fails, once", &[Start, Pass, Fail(&["a"]), Fail(&["a"]), Pass], &[(2, high)]);
        check("more of it", &[Start, Fail(&["a"]), Fail(&["a", "b"]), Fail(&["b"])], &[(1, high), (2, high)]);
        check("again", &[Start, Fail(&["a"]), Pass, Fail(&["a"])], &[(1, high), (3, high)]);
        check("unknown for a while", &[Start, Unknown, Unknown, Unknown, Pass], &[]);
        let blind = [Start].into_iter().chain(repeat(|| Unknown, 20)).collect();
        check("unknown for long", &story(blind), &[(12, medium)]);
        let silent = [Start, Pass].into_iter().chain(repeat(|| Quiet, 20)).collect();
        check("no evidence", &story(silent), &[(11, high)]);
        let never = [Start].into_iter().chain(repeat(|| Quiet, 20)).collect();
        check("never any evidence", &story(never), &[(10, high)]);
        let stopped = [Start, Pass, Stop].into_iter().chain(repeat(|| Quiet, 20)).collect();
        check("the gate is stopped", &story(stopped), &[]);
        check("the monitor was away", &[Start, Pass, Away(60), Quiet, Pass], &[(64, high)]);
        check("the monitor was away, and nothing yet", &[Start, Pass, Away(60), Quiet, Quiet], &[]);
    }
}
