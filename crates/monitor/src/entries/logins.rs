//! login.judged, login.responded, login.explained and login.marked: what a gate thinks of logins, and does about it. What it saw of a
//! proof or an address is not in the record, so it is taken as said; that it does as it judges, that nothing it does is
//! without an end, and that nobody looks without a purpose, is not. Not here: what follows from it (`detect::suspicion`).

use tlog::{
    detail::{
        JudgedLogin, LoginExplained, LoginJudged, LoginMarked, LoginResponded, Refused, ResponseChange, Stage,
    },
    entry::{Decision, Micros},
};

use super::{Examiner, Subject, decision, fault_detail, refused::check_denies};
use crate::incident::Fault;

impl Examiner<'_, '_> {
    pub(super) fn login_judged(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let judged: LoginJudged = self.open_as(subject)?;
        judged.check().map_err(fault_detail)?;
        match judged {
            LoginJudged::Refused(refused) => self.login_failed(subject, &refused),
            LoginJudged::Own(own) => self.own_login(subject, &own),
            LoginJudged::Handed(_) => self.handed_logins(subject),
        }
    }

    /// Who failed to prove who they are.
    fn login_failed(&mut self, subject: &Subject<'_>, refused: &Refused) -> Result<(), Fault> {
        check_denies(subject.entry)?;
        if refused.stage != Stage::Login {
            return Err(fault_detail("login.judged at another stage than login"));
        }
        self.check_principal(subject.entry, &refused.principal)?;
        self.check_question(subject.entry, refused).map(drop)
    }

    /// A gate does as it judges.
    fn own_login(&mut self, subject: &Subject<'_>, own: &JudgedLogin) -> Result<(), Fault> {
        let entry = subject.entry;
        let due = if own.is_let_in() { Decision::Permit } else { Decision::Deny };
        if entry.decision != Some(due) {
            let action = own.judged.action.as_str();
            let said = entry.decision.map_or("nothing", Decision::as_str);
            return Err(decision(format!(
                "a login judged {action} is {}, and the gate says {said}",
                due.as_str()
            )));
        }
        self.check_principal(entry, &own.principal)?;
        let JudgedLogin { principal, listener, purpose, ticket, .. } = own.clone();
        let (rule, sentence) = (String::new(), String::new());
        let stage = Stage::Login;
        let asked = Refused { principal, listener, purpose, ticket, stage, statement: None, rule, sentence };
        self.check_question(entry, &asked).map(drop)
    }

    /// Of the company's other systems: nobody here is decided on.
    fn handed_logins(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let entry = subject.entry;
        if entry.decision.is_some() || entry.principal.is_some() || entry.place.is_some() {
            return Err(fault_detail("logins of other systems, and the entry decides on somebody here"));
        }
        self.check_said_policy(subject)
    }

    pub(super) fn login_responded(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let responded: LoginResponded = self.open_as(subject)?;
        responded.check().map_err(fault_detail)?;
        let until = Micros::parse_rfc3339(&responded.response.until);
        let is_over = until.is_some_and(|until| until <= subject.entry.time);
        if is_over != (responded.change == ResponseChange::Expired)
            && responded.change != ResponseChange::Undone
        {
            return Err(fault_detail("a response is over when it has come to its end, and not before"));
        }
        if let Some(principal) = &responded.response.principal {
            self.check_principal(subject.entry, principal)?;
        }
        self.check_said_policy(subject)
    }

    /// Who looks, does so for one of the purposes that policy knows.
    pub(super) fn login_explained(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let explained: LoginExplained = self.open_as(subject)?;
        explained.check().map_err(fault_detail)?;
        self.check_said_policy(subject)?;
        let policy = subject.entry.policy.as_deref().unwrap_or_default();
        let bundle = self.judge.shelf.get(policy).map_err(|e| decision(e.to_string()))?;
        if bundle.enclave().purposes.contains(&explained.purpose) {
            return Ok(());
        }
        Err(decision(format!("policy knows no purpose {:?}", explained.purpose)))
    }

    /// What an analyst says, is said of an entry that is there, and of its principal.
    pub(super) fn login_marked(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let marked: LoginMarked = self.open_as(subject)?;
        marked.check().map_err(fault_detail)?;
        if marked.entry >= subject.index {
            return Err(fault_detail("a verdict on a login that is not in the record yet"));
        }
        self.check_principal(subject.entry, &marked.principal)?;
        self.check_said_policy(subject)
    }

    fn check_said_policy(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let entry = subject.entry;
        let without = || decision(format!("{} without a policy", entry.kind.as_str()));
        let policy = entry.policy.clone().ok_or_else(without)?;
        self.check_in_force(&policy, entry.time)
    }
}
