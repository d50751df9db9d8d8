//! The entries that the relay asks for: one for each refusal whose error is held and one for what statements gave; one
//! for what is about to be written or committed. Not here: waiting for them.

use std::sync::{Arc, OnceLock};

use policy::Permit;
use record::{Like, Outline};
use tlog::detail::{self, Cut, Released, Statement, Written};
use tlog::entry::{Count, CountState, Decision, Kind};

use super::inlet::Before;
use super::outlet::Due;
use super::refused::Refused;
use super::running::{Token, statement_bytes};
use super::{Relay, SessionFacts};
use crate::entries::detail_of;
use crate::fault::Fault;
use crate::figures::Totals;
use crate::gate::Gate;

/// Which question an answer of the record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskId(pub(super) u64);

/// What has to be recorded, in this order, before something that waits may go.
#[derive(Debug)]
pub struct Asking {
    id: AskId,
    constant: Arc<Constant>,
    what: What,
}

/// What the entries are about.
#[derive(Debug)]
enum What {
    /// What is held for the client, or a window for what will follow.
    Release { refusals: Vec<Refused>, count: Option<Count>, statements: Vec<Statement> },
    /// What waits for the site.
    Write(Vec<Before>),
    /// The end of a result by a limit.
    Cut(Box<Cut>),
}

/// What every entry of a session says.
#[derive(Debug)]
pub struct Constant {
    facts: SessionFacts,
    profile: String,
    classes: Vec<String>,
    request: serde_json::Value,
    purpose: Option<String>,
    ticket: Option<String>,
    /// What releases say alike, and all other entries; made when first needed.
    of_releases: OnceLock<Arc<Outline>>,
    of_others: OnceLock<Arc<Outline>>,
}

impl Constant {
    /// Of a session under a permit.
    pub fn new(facts: SessionFacts, permit: &Permit) -> Self {
        Self {
            facts,
            profile: permit.profile().hash.to_string(),
            classes: permit.profile().classes().iter().map(ToString::to_string).collect(),
            request: permit.request(),
            purpose: permit.purpose().map(str::to_owned),
            ticket: permit.ticket().map(str::to_owned),
            of_releases: OnceLock::new(),
            of_others: OnceLock::new(),
        }
    }
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
        if let Due::Window(_) = due {
            statements.extend(self.name_what_runs());
        }
        let refused_only =
            statements.is_empty() && !self.refusals.is_empty() && matches!(due, Due::Exact(t) if t.rows == 0);
        let count = (!refused_only).then(|| count(due));
        self.ask_about(id, What::Release { refusals: self.refusals.clone(), count, statements })
    }

    /// More room for the result that is going out in windows.
    pub(super) fn asking_ahead(&mut self, id: AskId, due: Due) -> Asking {
        let statements = self.name_what_runs().into_iter().collect();
        self.ask_about(id, What::Release { refusals: Vec::new(), count: Some(count(due)), statements })
    }

    /// What waits for the site.
    pub(super) fn asking_to_write(&self, id: AskId, before: Vec<Before>) -> Asking {
        self.ask_about(id, What::Write(before))
    }

    /// The end of a result by a limit.
    pub(super) fn asking_to_cut(&self, id: AskId, cut: Box<Cut>) -> Asking {
        self.ask_about(id, What::Cut(cut))
    }

    fn ask_about(&self, id: AskId, what: What) -> Asking {
        Asking { id, constant: Arc::clone(&self.constant), what }
    }

    /// What runs goes on: this entry says what it is, the last one says what it gave.
    fn name_what_runs(&mut self) -> Option<Statement> {
        let Some((_, Token::Statement(running))) = self.owed.front_mut() else {
            return None;
        };
        running.has_window = true;
        Some(Statement { rows: 0, bytes: 0, subjects: None, ..running.statement.clone() })
    }
}

impl Asking {
    /// What [`Relay::answered`] has to be told.
    pub fn id(&self) -> AskId {
        self.id
    }

    /// What statements that have ended gave; what goes out in windows counts when it has ended.
    pub fn gave(&self) -> Totals {
        let What::Release { statements, .. } = &self.what else {
            return Totals::default();
        };
        statements.iter().fold(Totals::default(), |sum, one| Totals {
            statements: sum.statements.saturating_add(1),
            rows: sum.rows.saturating_add(one.rows),
            bytes: sum.bytes.saturating_add(one.bytes),
        })
    }

    /// The drafts, at least one: refusals first, in the order of their errors; the release, if anything else is held,
    /// last. Or writes and commits, in the order in which they will be sent.
    pub fn drafts(self, gate: &Gate) -> Result<Vec<Like>, Fault> {
        match self.what {
            What::Release { refusals, count, statements } => {
                let mut drafts = Vec::with_capacity(refusals.len() + 1);
                for refused in refusals {
                    let mut draft = self.constant.draft(gate, Kind::AccessDecision, Decision::Deny);
                    draft.detail = Some(detail_of(&self.constant.refused(refused))?);
                    drafts.push(draft);
                }
                if let Some(count) = count {
                    #[cfg(feature = "rogue")]
                    let (count, statements) = crate::rogue::lessens(count, statements);
                    let mut draft = self.constant.draft(gate, Kind::AccessRelease, Decision::Permit);
                    draft.count = Some(count);
                    draft.detail = Some(detail_of(&Released { statements })?);
                    drafts.push(draft);
                }
                Ok(drafts)
            }
            What::Cut(cut) => {
                let mut draft = self.constant.draft(gate, Kind::AccessCut, Decision::Deny);
                draft.detail = Some(detail_of(&cut)?);
                Ok(vec![draft])
            }
            What::Write(before) => {
                before.into_iter().map(|before| self.constant.before(gate, before)).collect()
            }
        }
    }
}

impl Constant {
    fn draft(&self, gate: &Gate, kind: Kind, decision: Decision) -> Like {
        let is_release = kind == Kind::AccessRelease;
        let outline = if is_release { &self.of_releases } else { &self.of_others };
        let outline = outline.get_or_init(|| {
            let mut draft = gate.draft(kind, &self.facts.principal, &self.facts.listener);
            draft.session = Some(self.facts.id.clone());
            draft.request = Some(self.request.clone());
            draft.profile = Some(self.profile.clone());
            if is_release {
                draft.classes.clone_from(&self.classes);
            }
            Arc::new(Outline::new(draft))
        });
        Like { outline: Arc::clone(outline), kind, decision: Some(decision), count: None, detail: None }
    }

    fn before(&self, gate: &Gate, before: Before) -> Result<Like, Fault> {
        let (kind, detail) = match before {
            Before::Writes(statements) => {
                let site = self.facts.site.clone();
                (Kind::AccessWrite, detail_of(&Written { site, statements })?)
            }
            Before::Commit(committed) => (Kind::AccessCommit, detail_of(&committed)?),
        };
        let mut draft = self.draft(gate, kind, Decision::Permit);
        draft.detail = Some(detail);
        Ok(draft)
    }

    fn refused(&self, refused: Refused) -> detail::Refused {
        detail::Refused {
            principal: self.facts.principal.clone(),
            listener: self.facts.listener.clone(),
            purpose: self.purpose.clone(),
            ticket: self.ticket.clone(),
            stage: refused.stage,
            statement: refused.text,
            rule: refused.rule,
            sentence: refused.sentence,
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
