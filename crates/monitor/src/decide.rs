//! The monitor's own decisions and verdicts, remembered. A decision depends on the policy and the question alone, a
//! verdict on the profile and the text alone, so each is worked out once. Both come from the policy and sql crates.
//!
//! A decision that was not made before takes longer than everything else that an entry needs. What a batch will ask is
//! therefore looked for first and decided on a thread beside ([`Judge::ahead`]), while the batch is checked and opened.

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread,
};

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

/// Questions of one batch that are decided beside it; further ones are decided where they are asked.
pub const AHEAD_MAX: usize = 1_024;

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
    /// The thread beside; none when the system gave none.
    aside: Option<mpsc::Sender<Job>>,
    /// What it is deciding for the batch of the moment.
    awaited: HashMap<Question, mpsc::Receiver<Decision>>,
}

/// A question for the thread beside.
struct Job {
    bundle: Arc<Bundle>,
    question: Question,
    answer: mpsc::Sender<Decision>,
}

impl Judge {
    pub fn new(shelf: Shelf) -> Judge {
        Judge {
            shelf,
            decisions: Memo::new(DECISIONS_MAX),
            verdicts: Verdicts::new(VERDICTS_MAX),
            aside: aside(),
            awaited: HashMap::new(),
        }
    }

    /// Begins to decide what a batch will ask, in the order in which it will.
    pub fn ahead(&mut self, questions: impl Iterator<Item = Question>) {
        // A batch that was refused has left what it did not come to.
        self.awaited.clear();
        let Some(aside) = &self.aside else { return };
        for question in questions.take(AHEAD_MAX) {
            let known = self.decisions.knows(&question) || self.awaited.contains_key(&question);
            if known || question.bytes() > QUESTION_BYTES_MAX {
                continue;
            }
            // A policy that is not known here is found out about where it is examined.
            let Ok(bundle) = self.shelf.get(&question.policy) else { continue };
            let (answer, decided) = mpsc::channel();
            if aside.send(Job { bundle, question: question.clone(), answer }).is_ok() {
                self.awaited.insert(question, decided);
            }
        }
    }

    /// The decision under the policy that the question names.
    pub fn decide(&mut self, question: &Question) -> Result<Decision, BundleError> {
        let bundle = self.shelf.get(&question.policy)?;
        let work = || Arc::new(bundle.decide(&ask(&bundle, question)));
        if question.bytes() > QUESTION_BYTES_MAX {
            return Ok(work());
        }
        let awaited = &mut self.awaited;
        Ok(self.decisions.get_or(question, || {
            let begun = awaited.remove(question).and_then(|decided| decided.recv().ok());
            begun.unwrap_or_else(work)
        }))
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

/// Starts the thread that decides beside whatever else is done. It ends when nobody can ask it any more.
fn aside() -> Option<mpsc::Sender<Job>> {
    let (ask_it, asked) = mpsc::channel::<Job>();
    let decides = move || {
        for Job { bundle, question, answer } in asked {
            // Nobody waits any more for what a refused batch asked.
            let _ = answer.send(Arc::new(bundle.decide(&ask(&bundle, &question))));
        }
    };
    thread::Builder::new().name("decide".to_owned()).spawn(decides).ok().map(|_| ask_it)
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
