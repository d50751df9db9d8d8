//! Entries that open and close sessions. A session.open is the request for the second key: the monitor decides by
//! itself, and only what it decided the same way is certified.

use policy::Permit;
use tlog::{
    detail::{SessionClose, SessionOpen},
    entry::{Decision, Entry},
};

use super::{Examiner, Subject, check_classes, decision, fault_detail, open_some, session_id, subjects};
use crate::{
    ca::Request,
    incident::{Breach, Fault},
    state::{Amount, Draft, Opening, Question, Session, SessionId},
};

impl Examiner<'_, '_> {
    pub(super) fn session_open(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let entry = subject.entry;
        let id = session_id(entry)?;
        let detail: SessionOpen = self.open_as(subject)?;
        if entry.decision == Some(Decision::Deny) {
            return Err(decision("a session opened by a denial"));
        }
        let policy = entry.policy.clone().ok_or_else(|| decision("session.open without a policy"))?;
        self.check_in_force(&policy, entry.time)?;
        let question = question(policy, &detail);
        // Before the decision, which is made on the thread beside meanwhile.
        let request = Request::read(&detail.csr, &detail.role);
        let decided = self.decide(&question)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| {
            decision(format!("{} is denied by {}: {}", detail.principal, denial.rule, denial.sentence))
        })?;
        self.check_identity(subject, permit, &detail)?;
        check_profile(subject, permit, &detail)?;
        let bundle = self.judge.shelf.get(&question.policy).map_err(|e| decision(e.to_string()))?;
        check_role(&bundle, permit, &detail)?;
        let request = request.map_err(|e| fault_detail(format!("the certificate request: {e}")))?;
        let (index, time, policy) = (subject.index, entry.time, question.policy.clone());
        let (profile, place) = (permit.profile().hash.to_string(), permit.place().to_string());
        self.check_brakes(subject, &id, &detail.principal)?;
        let session = Session::new(question, profile, place, detail.site.clone(), &detail.role);
        self.draft.open_session(id, session)?;
        let SessionOpen { role, csr, .. } = detail;
        self.draft.certify(Opening { index, session: id, role, csr, request: Some(request), time, policy });
        Ok(())
    }

    /// A session's entry says who asked and for what, as keyed hashes: without them nobody could be held to it.
    fn check_identity(
        &self,
        subject: &Subject<'_>,
        permit: &Permit,
        detail: &SessionOpen,
    ) -> Result<(), Fault> {
        let entry = subject.entry;
        if entry.principal.is_none() || entry.request.is_none() {
            return Err(Fault::new(
                Breach::Identity,
                "session.open without the hashes of principal and request",
            ));
        }
        self.check_principal(entry, &detail.principal)?;
        self.check_request(entry, &permit.request())
    }

    pub(super) fn session_close(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let id = session_id(subject.entry)?;
        let session = self.draft.session(&id)?;
        self.check_same(subject.entry, &session)?;
        let detail: SessionClose = self.open_as(subject)?;
        if let Some(said) = &detail.subjects {
            subjects::check(said, None)?;
        }
        let said = Amount { rows: detail.rows, bytes: detail.bytes };
        if !session.released().covers(said) {
            let (rows, bytes) = (session.released().rows, session.released().bytes);
            let reason = format!(
                "the session closes with {} rows, {} bytes, but {rows} rows, {bytes} bytes were recorded",
                said.rows, said.bytes
            );
            return Err(Fault::new(Breach::Count, reason));
        }
        self.draft.close_session(id)
    }
}

pub(super) fn question(policy: String, detail: &SessionOpen) -> Question {
    let SessionOpen { principal, listener, purpose, ticket, .. } = detail.clone();
    Question { policy, principal, listener, purpose, ticket }
}

/// The profile and the place are those that the monitor decided.
fn check_profile(subject: &Subject<'_>, permit: &Permit, detail: &SessionOpen) -> Result<(), Fault> {
    let entry = subject.entry;
    let profile = permit.profile();
    let hash = profile.hash.to_string();
    if detail.profile != profile.name || entry.profile.as_deref() != Some(hash.as_str()) {
        let claimed = entry.profile.as_deref().unwrap_or("none");
        let reason = format!(
            "the gate gave profile {} ({claimed}), the decision is {} ({hash})",
            detail.profile, profile.name
        );
        return Err(decision(reason));
    }
    let place = permit.place().to_string();
    if entry.place.as_deref() != Some(place.as_str()) {
        let claimed = entry.place.as_deref().unwrap_or("none");
        return Err(decision(format!("the place is {place}, not {claimed}")));
    }
    check_classes(entry, permit)
}

/// The role is one of the pool that this profile has at that site: the certificate opens nothing else.
fn check_role(bundle: &policy::Bundle, permit: &Permit, detail: &SessionOpen) -> Result<(), Fault> {
    let enclave = bundle.enclave();
    let Some(site) = enclave.site_of_server(&detail.site) else {
        return Err(decision(format!("the enclave has no site {:?}", detail.site)));
    };
    if site.name != detail.site && !permit.profile().only_reads() {
        let profile = &permit.profile().name;
        return Err(decision(format!("profile {profile} writes, and {} takes no writes", detail.site)));
    }
    let number = detail.role.rsplit('_').next().and_then(|digits| digits.parse::<u16>().ok()).unwrap_or(0);
    let expected = wall::names::pool_role(&permit.profile().hash, &site.name, number);
    if !(1..=enclave.sessions_per_profile).contains(&number) || detail.role != expected {
        let reason = format!(
            "{:?} is not one of the {} roles of profile {} at {}",
            detail.role,
            enclave.sessions_per_profile,
            permit.profile().name,
            detail.site
        );
        return Err(decision(reason));
    }
    Ok(())
}

/// Folds a session.open that was checked and stored before. Its certificate request was checked then.
pub(super) fn recall_open(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<(), Fault> {
    let id: SessionId = session_id(subject.entry)?;
    let entry = subject.entry.clone();
    if entry.key.as_deref().is_some_and(|key| draft.is_lost(key)) {
        return recall_lost(draft, id, entry);
    }
    let detail: SessionOpen = open_some(draft, subject)?;
    let (policy, profile, place) = (entry.policy, entry.profile, entry.place);
    let (Some(policy), Some(profile), Some(place)) = (policy, profile, place) else {
        return Err(decision("session.open without policy, profile or place"));
    };
    let question = question(policy.clone(), &detail);
    let SessionOpen { site, role, csr, .. } = detail;
    draft.open_session(id, Session::new(question, profile, place, site, &role))?;
    draft.certify(Opening {
        index: subject.index,
        session: id,
        role,
        csr,
        request: None,
        time: entry.time,
        policy,
    });
    Ok(())
}

/// Folds a session.open whose detail nobody can open any more: that it was is all that is known of it.
fn recall_lost(draft: &mut Draft<'_>, id: SessionId, entry: Entry) -> Result<(), Fault> {
    let (Some(policy), Some(profile), Some(place)) = (entry.policy, entry.profile, entry.place) else {
        return Err(decision("session.open without policy, profile or place"));
    };
    let (principal, listener) = (String::new(), String::new());
    let question = Question { policy, principal, listener, purpose: None, ticket: None };
    draft.open_session(id, Session::new(question, profile, place, String::new(), ""))
}
