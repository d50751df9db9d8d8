//! Entries about the gate itself and its day keys: gate.start, gate.stop, key.made.

use std::collections::BTreeMap;

use tlog::{
    detail::{self, GateStart, GateStop, SiteStanding},
    entry::Micros,
    hash::unhex,
};

use super::{Examiner, Subject, check_commitment, decision, fault_detail};
use crate::{
    entries::CLOCK_SKEW_US_MAX,
    incident::{Breach, Fault},
    state::Draft,
};

impl Examiner<'_, '_> {
    pub(super) fn gate_start(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let start: GateStart = self.open_as(subject)?;
        let policy =
            subject.entry.policy.as_deref().ok_or_else(|| decision("gate.start without a policy"))?;
        self.check_in_force(policy, subject.entry.time)?;
        let bundle = self.judge.shelf.get(policy).map_err(|e| decision(e.to_string()))?;
        let ours = bundle.profiles().iter().map(|profile| (profile.name.clone(), profile.hash.to_string()));
        if start.profiles != ours.collect::<BTreeMap<String, String>>() {
            return Err(decision("the gate's profiles are not those of the policy"));
        }
        if start.subject_key.as_deref().is_some_and(|key| unhex::<32>(key).is_none()) {
            return Err(fault_detail("the subject key is not 32 bytes in hexadecimal"));
        }
        let known = |site: &String| bundle.enclave().sites.iter().any(|ours| ours.name == *site);
        if let Some(site) = start.sites.iter().find(|site| !known(site)) {
            return Err(decision(format!("the enclave has no site {site:?}")));
        }
        self.draft.gate_runs(true);
        Ok(())
    }

    pub(super) fn gate_stop(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let _: GateStop = self.open_as(subject)?;
        if !self.draft.running {
            return Err(Fault::new(Breach::Unexpected, "the gate stops without having started"));
        }
        self.draft.gate_runs(false);
        Ok(())
    }

    /// The gate closes a site that differs from policy, and opens it again. What it saw there is taken as said.
    pub(super) fn site_standing(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let standing: SiteStanding = self.open_as(subject)?;
        let policy = subject.entry.policy.as_deref();
        let policy = policy.ok_or_else(|| decision("a site's standing without a policy"))?;
        let bundle = self.judge.shelf.get(policy).map_err(|e| decision(e.to_string()))?;
        if bundle.enclave().sites.iter().any(|site| site.name == standing.site) {
            return Ok(());
        }
        Err(decision(format!("the enclave has no site {:?}", standing.site)))
    }

    /// New sessions are decided under the policy in force. The one before it counts for what a gate staged before the
    /// monitor took over the new one.
    pub(super) fn check_in_force(&self, policy: &str, time: Micros) -> Result<(), Fault> {
        let current = self.judge.shelf.current().hash().to_string();
        let (since, before) = self.judge.shelf.succession();
        let overtaken = before == Some(policy) && time.0 <= since.0.saturating_add(CLOCK_SKEW_US_MAX);
        if policy == current || overtaken {
            return Ok(());
        }
        Err(decision(format!("the policy in force is {current}, not {policy}")))
    }

    pub(super) fn key_made(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        make_key(&mut self.draft, self.identity, subject)
    }
}

/// Unwraps a day key and adds it. The wrapped key is the entry's detail, under the same commitment as any other.
pub(super) fn make_key(draft: &mut Draft<'_>, identity: &str, subject: &Subject<'_>) -> Result<(), Fault> {
    let commitment = subject
        .entry
        .detail
        .as_deref()
        .ok_or_else(|| fault_detail("key.made without a commitment to the key"))?;
    let blob = subject.blob.ok_or_else(|| fault_detail("the wrapped key is missing"))?;
    let wrong = |e: &dyn std::fmt::Display| Fault::new(Breach::Key, e.to_string());
    let (key, salt, value) = detail::unwrap_day_key(identity, blob).map_err(|e| wrong(&e))?;
    let canonical = tlog::json::canonical(&value).map_err(|e| wrong(&e))?;
    check_commitment(commitment, &detail::commitment(&salt, &canonical))?;
    if subject.entry.key.as_deref() != Some(key.id.as_str()) {
        return Err(wrong(&format!("the entry does not name the key {}", key.id)));
    }
    // A gate that starts again makes another key: 2026-01-31.access, then 2026-01-31.access.2.
    let time = subject.entry.time.to_string();
    let today = key.id.split_once('.').is_some_and(|(day, class)| {
        time.get(..day.len()) == Some(day) && (class == "access" || class.starts_with("access."))
    });
    if !today {
        return Err(wrong(&format!("{:?} is not a key of that day: YYYY-MM-DD.access", key.id)));
    }
    draft.add_key(subject.index, key)
}
