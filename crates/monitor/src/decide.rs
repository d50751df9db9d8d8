//! The monitor's own decisions and verdicts, remembered. A decision depends on the policy and the question alone, a
//! verdict on the profile and the text alone, so each is worked out once. Both come from the policy and sql crates.

use std::sync::Arc;

use policy::{Ask, Bundle, Denial, Permit};
use sql::{Cleared, Verdicts};

use crate::{
    bundle::{BundleError, Shelf},
    memo::Memo,
    state::Question,
};

/// Decisions remembered, in each of two generations.
pub const DECISIONS_MAX: usize = 16_384;
/// Verdicts remembered.
pub const VERDICTS_MAX: usize = 65_536;

/// A longer question is decided each time: it is denied, and must not fill the memory.
pub const QUESTION_BYTES_MAX: usize = 4_096;

/// What policy says to a question.
pub type Decision = Arc<Result<Permit, Denial>>;
/// The text, cleared, or the rule that refuses it.
pub type Verdict = Result<Arc<Cleared>, &'static str>;

/// Decides as the gate should have.
pub struct Judge {
    pub shelf: Shelf,
    decisions: Memo<Question, Decision>,
    verdicts: Verdicts,
}

impl Judge {
    pub fn new(shelf: Shelf) -> Judge {
        Judge { shelf, decisions: Memo::new(DECISIONS_MAX), verdicts: Verdicts::new(VERDICTS_MAX) }
    }

    /// The decision under the policy that the question names.
    pub fn decide(&mut self, question: &Question) -> Result<Decision, BundleError> {
        let bundle = self.shelf.get(&question.policy)?;
        let work = || Arc::new(bundle.decide(&ask(&bundle, question)));
        if question.bytes() > QUESTION_BYTES_MAX {
            return Ok(work());
        }
        Ok(self.decisions.get_or(question, work))
    }

    /// The verdict on a text under a permit.
    pub fn verdict(&mut self, permit: &Permit, text: &str) -> Verdict {
        self.verdicts.judge(permit, text).map_err(|refusal| refusal.rule)
    }

    /// The verdict where there may be one statement and no more.
    pub fn verdict_on_one(&mut self, permit: &Permit, text: &str) -> Verdict {
        self.verdicts.judge_one(permit, text).map_err(|refusal| refusal.rule)
    }
}

/// The question as policy takes it: the listener becomes the country that the monitor's own place map gives it.
pub fn ask<'a>(bundle: &Bundle, question: &'a Question) -> Ask<'a> {
    Ask {
        principal: &question.principal,
        place: bundle.place_of(&question.listener),
        purpose: question.purpose.as_deref(),
        ticket: question.ticket.as_deref(),
    }
}
