//! Entries about the gate itself, its day keys and its probes: gate.start, gate.stop, key.made, key.forgotten.

use std::collections::BTreeMap;

use policy::Homes;
use tlog::{
    detail::{
        self, GateStart, GateStop, HomesStated, PROBES_MAX, ProbesCommitted, ProbesRevealed, SiteStanding,
    },
    entry::Micros,
    hash::unhex,
    note::SignedNote,
};

use super::{Examiner, Subject, check_commitment, decision, fault_detail};
use crate::{
    entries::CLOCK_SKEW_US_MAX,
    incident::{Breach, Fault},
    state::Draft,
};

const DAY_US: i64 = 86_400 * 1_000_000;

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
        let known = |site: &String| bundle.enclave().site_of_server(site).is_some();
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
        if bundle.enclave().site_of_server(&standing.site).is_some() {
            return Ok(());
        }
        Err(decision(format!("the enclave has no site {:?}", standing.site)))
    }

    /// Only the operator says which site writes which home. Whether the sites do so is not the record's to tell.
    pub(super) fn homes_stated(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let stated: HomesStated = self.open_as(subject)?;
        let policy = subject.entry.policy.as_deref();
        let policy = policy.ok_or_else(|| decision("a statement about homes without a policy"))?;
        let bundle = self.judge.shelf.get(policy).map_err(|e| decision(e.to_string()))?;
        let note = SignedNote::parse(&stated.statement).map_err(|e| decision(e.to_string()))?;
        if !self.judge.shelf.is_signed(&note) {
            return Err(decision("the statement about homes is not signed by the operator"));
        }
        let homes = Homes::parse(&note.text, &bundle).map_err(|e| decision(e.to_string()))?;
        if homes.next().is_none() == stated.done {
            return Ok(());
        }
        Err(decision("the entry and the statement about homes differ in whether a move is over"))
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

    /// Keys are forgotten when policy says that they were kept for long enough, and never on their own day. The entry says
    /// nothing but which key.
    pub(super) fn key_forgotten(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let wrong = |reason: String| Err(Fault::new(Breach::Key, reason));
        let id = named_key(subject)?;
        if subject.entry.detail.is_some() || subject.blob.is_some() {
            return Err(fault_detail("key.forgotten with a detail"));
        }
        let days = days_since(id, subject.entry.time);
        let (Some(days), Some((_, class))) = (days, detail::key_id_parts(id)) else {
            return wrong(format!("{id:?} is not a key's id"));
        };
        let days_min = self.judge.shelf.current().enclave().retention_days_min.get(class).copied();
        match days_min {
            None => wrong(format!("policy does not say when keys of class {class} may be forgotten")),
            Some(min) if days < i64::from(min.max(1)) => {
                wrong(format!("{id} is forgotten after {days} days; policy has it kept for {min}"))
            }
            Some(_) => forget_key(&mut self.draft, subject),
        }
    }

    /// What a gate will ask to find out whether this monitor decides is none of its business before.
    pub(super) fn probes_committed(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let committed: ProbesCommitted = self.open_as(subject)?;
        let is_one = |commitment: &String| unhex::<32>(commitment).is_some();
        if committed.probes.len() <= PROBES_MAX && committed.probes.iter().all(is_one) {
            return Ok(());
        }
        Err(fault_detail(format!("commitments are at most {PROBES_MAX} hashes in hexadecimal")))
    }

    /// What the gate says of this monitor is its own; whether the commitments were kept, an auditor finds out.
    pub(super) fn probes_revealed(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let _: ProbesRevealed = self.open_as(subject)?;
        Ok(())
    }

    pub(super) fn key_made(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        make_key(&mut self.draft, self.identity, subject)
    }
}

/// Folds a `key.made` whose key was destroyed since.
pub(super) fn lose_key(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<(), Fault> {
    draft.lose_key(named_key(subject)?.to_owned());
    Ok(())
}

/// Folds a `key.forgotten`.
pub(super) fn forget_key(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<(), Fault> {
    draft.forget_key(subject.index, named_key(subject)?)
}

fn named_key<'e>(subject: &Subject<'e>) -> Result<&'e str, Fault> {
    let named = subject.entry.key.as_deref();
    named.ok_or_else(|| Fault::new(Breach::Key, format!("{} names no key", subject.entry.kind.as_str())))
}

/// Days from the day of a key's id to that of a time; none when it is no key's id.
fn days_since(id: &str, time: Micros) -> Option<i64> {
    let (day, _) = detail::key_id_parts(id)?;
    let midnight = Micros::parse_rfc3339(&format!("{day}T00:00:00.000000Z"))?;
    Some(time.0.div_euclid(DAY_US).saturating_sub(midnight.0.div_euclid(DAY_US)))
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
    if days_since(&key.id, subject.entry.time) != Some(0) {
        return Err(wrong(&format!("{:?} is not a key of that day: YYYY-MM-DD.access", key.id)));
    }
    draft.add_key(subject.index, key)
}
