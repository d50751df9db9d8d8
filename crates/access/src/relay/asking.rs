//! The entries that a release needs: one for each refusal whose error is held, and one for what statements gave.
//! Not here: waiting for them.

use record::Draft;
use tlog::detail::{self, Released, Statement};
use tlog::entry::{Count, CountState, Decision, Kind};

use super::client_side::statement_bytes;
use super::outlet::Due;
use super::{Refused, Relay, SessionFacts, Token};
use crate::entries::to_value;
use crate::fault::Fault;
use crate::gate::Gate;

/// Which question an answer of the record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskId(pub(super) u64);

/// What has to be recorded, in this order, before what is held may go.
#[derive(Debug)]
pub struct Asking {
    id: AskId,
    facts: SessionFacts,
    profile: String,
    classes: Vec<String>,
    request: serde_json::Value,
    purpose: Option<String>,
    ticket: Option<String>,
    refusals: Vec<Refused>,
    count: Option<Count>,
    statements: Vec<Statement>,
}

impl Relay {
    /// Takes stock of what is held.
    pub(super) fn asking(&mut self, id: AskId, due: Due) -> Asking {
        if let Due::Window(_) = due {
            // The window names what runs. What is not known to exist is found out when the site begins to answer.
            let _ = self.settle();
        }
        let mut statements = std::mem::take(&mut self.done);
        let taken =
            statements.iter().map(statement_bytes).chain(self.refusals.iter().map(Refused::detail_bytes));
        self.detail_bytes = self.detail_bytes.saturating_sub(taken.sum());
        if let (Due::Window(_), Some((_, Token::Statement(running)))) = (due, self.owed.front_mut()) {
            // It goes on: this entry says what it is, the last one says what it gave.
            statements.push(Statement { rows: 0, bytes: 0, ..running.statement.clone() });
            running.has_window = true;
        }
        let refused_only =
            statements.is_empty() && !self.refusals.is_empty() && matches!(due, Due::Exact(t) if t.rows == 0);
        let permit = &self.permit;
        Asking {
            id,
            facts: self.facts.clone(),
            profile: permit.profile().hash.to_string(),
            classes: permit.profile().classes().iter().map(ToString::to_string).collect(),
            request: permit.request(),
            purpose: permit.purpose().map(str::to_owned),
            ticket: permit.ticket().map(str::to_owned),
            refusals: self.refusals.clone(),
            count: (!refused_only).then(|| count(due)),
            statements,
        }
    }
}

impl Asking {
    /// What [`Relay::answered`] has to be told.
    pub fn id(&self) -> AskId {
        self.id
    }

    /// The drafts: refusals first, in the order of their errors; the release, if anything else is held, last.
    pub fn drafts(self, gate: &Gate) -> Result<Vec<Draft>, Fault> {
        let mut drafts = Vec::with_capacity(self.refusals.len() + 1);
        for refused in &self.refusals {
            let mut draft = self.draft(gate, Kind::AccessDecision, Decision::Deny);
            draft.detail = Some(to_value(&self.refused(refused))?);
            drafts.push(draft);
        }
        if let Some(count) = self.count {
            let mut draft = self.draft(gate, Kind::AccessRelease, Decision::Permit);
            draft.classes = self.classes;
            draft.count = Some(count);
            draft.detail = Some(to_value(&Released { statements: self.statements })?);
            drafts.push(draft);
        }
        Ok(drafts)
    }

    fn draft(&self, gate: &Gate, kind: Kind, decision: Decision) -> Draft {
        let mut draft = gate.draft(kind, &self.facts.principal, &self.facts.listener);
        draft.session = Some(self.facts.id.clone());
        draft.decision = Some(decision);
        draft.request = Some(self.request.clone());
        draft.profile = Some(self.profile.clone());
        draft
    }

    fn refused(&self, refused: &Refused) -> detail::Refused {
        detail::Refused {
            principal: self.facts.principal.clone(),
            listener: self.facts.listener.clone(),
            purpose: self.purpose.clone(),
            ticket: self.ticket.clone(),
            stage: refused.stage,
            statement: refused.text.clone(),
            rule: refused.rule.clone(),
            sentence: refused.sentence.clone(),
        }
    }
}

fn count(due: Due) -> Count {
    let (state, tally) = match due {
        Due::Exact(tally) => (CountState::Exact, tally),
        Due::Window(tally) => (CountState::Window, tally),
        Due::Total(tally) => (CountState::Total, tally),
    };
    Count { state, rows: tally.rows, bytes: tally.bytes }
}
