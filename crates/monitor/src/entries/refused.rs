//! Refusals: access.decision. A refusal releases nothing, but a false one is a lie about policy, so what can be decided
//! again is. Not here: logins (`logins`).

use tlog::{
    detail::{Refused, Stage},
    entry::{Decision, Entry},
};

use super::{Examiner, Subject, decision, fault_detail};
use crate::{
    decide::ask,
    incident::{Breach, Fault},
    state::Question,
};

impl Examiner<'_, '_> {
    pub(super) fn access_decision(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        check_denies(subject.entry)?;
        let refused: Refused = self.open_as(subject)?;
        match refused.stage {
            Stage::Connect => self.refused_connect(subject, &refused),
            Stage::Statement => self.refused_statement(subject, &refused),
            // PostgreSQL refused; the wall's reasons are its own.
            Stage::Wall => self.same_principal(subject, &refused),
            Stage::Login => Err(fault_detail("access.decision at the stage login")),
        }
    }

    fn refused_connect(&mut self, subject: &Subject<'_>, refused: &Refused) -> Result<(), Fault> {
        let entry = subject.entry;
        self.check_principal(entry, &refused.principal)?;
        let question = self.check_question(entry, refused)?;
        match self.decide(&question)?.as_ref() {
            // The gate says by which brake; one that is over by now was one.
            Ok(_) if refused.rule == tlog::brake::RULE => Ok(()),
            Ok(permit) => {
                let reason =
                    format!("refused at connect, but the decision is profile {}", permit.profile().name);
                Err(decision(reason))
            }
            Err(denial) if denial.rule != refused.rule => {
                Err(decision(format!("refused by {:?}, but the decision is {:?}", refused.rule, denial.rule)))
            }
            Err(_) => Ok(()),
        }
    }

    fn refused_statement(&mut self, subject: &Subject<'_>, refused: &Refused) -> Result<(), Fault> {
        self.same_principal(subject, refused)?;
        let (_, session) = self.named_session(subject)?;
        let text = refused
            .statement
            .as_deref()
            .ok_or_else(|| fault_detail("a refused statement without its text"))?;
        let decided = self.decide(&session.question)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
        let verdict = |reason: String| Err(Fault::new(Breach::Verdict, reason));
        match self.judge.verdict(permit, text) {
            // Several statements are cleared as one text, and refused where there may be but one.
            Ok(_) if self.judge.verdict_on_one(permit, text).is_err_and(|rule| rule == refused.rule) => {
                Ok(())
            }
            Ok(_) => verdict(format!("a statement was refused by {:?} that is cleared", refused.rule)),
            Err(rule) if rule != refused.rule => {
                verdict(format!("a statement was refused by {:?}, the verdict is {rule:?}", refused.rule))
            }
            Err(_) => Ok(()),
        }
    }

    /// A refusal within a session tells of the session's own principal.
    fn same_principal(&mut self, subject: &Subject<'_>, refused: &Refused) -> Result<(), Fault> {
        let (_, session) = self.named_session(subject)?;
        let asked = &session.question;
        if (&asked.principal, &asked.listener) == (&refused.principal, &refused.listener) {
            return Ok(());
        }
        Err(fault_detail("the refusal names another principal or listener than the session"))
    }

    /// The question of a refusal outside any session: its policy, place and request are those of the detail.
    pub(super) fn check_question(&mut self, entry: &Entry, refused: &Refused) -> Result<Question, Fault> {
        let policy = entry.policy.clone().ok_or_else(|| decision("a refusal without a policy"))?;
        self.check_in_force(&policy, entry.time)?;
        let Refused { principal, listener, purpose, ticket, .. } = refused.clone();
        let question = Question { policy, principal, listener, purpose, ticket };
        let bundle = self.judge.shelf.get(&question.policy).map_err(|e| decision(e.to_string()))?;
        let ask = ask(&bundle, &question);
        let place = ask.place.to_string();
        if entry.place.as_ref() != Some(&place) {
            let claimed = entry.place.as_deref().unwrap_or("none");
            return Err(decision(format!("the place is {place}, not {claimed}")));
        }
        self.check_request(entry, &bundle.request(&ask))?;
        Ok(question)
    }
}

pub(super) fn check_denies(entry: &Entry) -> Result<(), Fault> {
    match entry.decision {
        Some(Decision::Deny) => Ok(()),
        _ => Err(decision("an entry that refuses must carry the decision deny")),
    }
}
