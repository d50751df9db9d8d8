//! residency.evidence: what the operator's checker says of the paths by which a copy could leave. Whether it is so, the
//! monitor cannot see from here; that nothing was left out, and that everybody is told the same counts, it can. Not here:
//! what follows from a check that fails (`detect::residency`).

use tlog::{detail::ResidencyEvidence, entry::Micros};

use super::{CLOCK_SKEW_US_MAX, Examiner, Subject, decision, fault_detail};
use crate::incident::{Breach, Fault};

impl Examiner<'_, '_> {
    pub(super) fn residency_evidence(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let evidence: ResidencyEvidence = self.open_as(subject)?;
        let entry = subject.entry;
        let policy =
            entry.policy.as_deref().ok_or_else(|| decision("residency.evidence without a policy"))?;
        self.check_in_force(policy, entry.time)?;
        let bundle = self.judge.shelf.get(policy).map_err(|e| decision(e.to_string()))?;
        let sites: Vec<&str> = bundle.enclave().sites.iter().map(|site| site.name.as_str()).collect();
        evidence.check_complete(&sites, wall::residency::CHECKS).map_err(fault_detail)?;
        if entry.checks != Some(evidence.counts()) {
            return Err(Fault::new(Breach::Count, "the counts of checks are not those of the detail"));
        }
        let began = Micros::parse_rfc3339(&evidence.began);
        let began = began.ok_or_else(|| fault_detail("the time at which it was looked is not one"))?;
        let age = entry.time.0.saturating_sub(began.0);
        if age.abs() > CLOCK_SKEW_US_MAX {
            return Err(Fault::new(
                Breach::Clock,
                format!("evidence of {began} was recorded at {}", entry.time),
            ));
        }
        Ok(())
    }
}
