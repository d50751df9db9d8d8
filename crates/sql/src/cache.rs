//! Verdicts remembered. What is remembered is never a guess: a verdict depends on the Permit's policy and profile,
//! on whether a limit counts its subjects, and on the text, and all of that is the key.
//!
//! Clients that write numbers into their texts would never ask twice for the same. So, in texts of plain letters, an
//! integer after a comparison, or after one of a few words, is left out of the key (see [`plain`]). There PostgreSQL's
//! grammar takes any number, and no verdict looks at its value; a test compares with fresh verdicts. Refusals are not
//! remembered.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use policy::Permit;

use crate::cleared::{Cleared, Known, Statement, StatementKind};
use crate::refusal::Refusal;
use crate::rules::Rules;

mod plain;

/// A longer text is judged each time.
const CACHED_TEXT_BYTES_MAX: usize = 8_192;
/// What is remembered takes about this much at most, in each of two generations.
const GENERATION_BYTES_MAX: usize = 16_777_216;
/// Memory of an answer besides its key and text, about.
const ANSWER_BYTES: usize = 512;

/// Memory of a relation's name besides its letters.
const NAME_BYTES: usize = 40;

/// A bounded memory of verdicts. Two generations: when the young one is full it becomes the old one, so that what is
/// asked often stays.
#[derive(Debug)]
pub struct Verdicts {
    young: Generation,
    old: HashMap<Box<[u8]>, Answer>,
    generation_max: usize,
    /// The key that is looked up, kept to be written anew each time.
    key: Vec<u8>,
}

#[derive(Debug, Default)]
struct Generation {
    answers: HashMap<Box<[u8]>, Answer>,
    bytes: usize,
}

#[derive(Debug, Clone)]
enum Answer {
    /// Of this very text.
    Same(Arc<Cleared>),
    /// Of the only statement of any text that differs from the one judged in integers alone.
    Alike(Arc<Known>),
}

impl Verdicts {
    /// Remembers at most `capacity` verdicts, and at least one.
    pub fn new(capacity: usize) -> Self {
        let generation_max = capacity.div_ceil(2).max(1);
        Self { young: Generation::default(), old: HashMap::new(), generation_max, key: Vec::new() }
    }

    /// As [`judge`](crate::judge).
    ///
    /// # Errors
    /// As [`judge`](crate::judge).
    pub fn judge(&mut self, permit: &Permit, text: &str) -> Result<Arc<Cleared>, Refusal> {
        let (policy, profile) = (permit.policy(), permit.profile());
        self.judge_by(
            &[&policy.0, &profile.hash.0, &[u8::from(permit.is_capped())]],
            || Rules::of(permit),
            text,
        )
    }

    /// As [`judge_one`](crate::judge_one).
    ///
    /// # Errors
    /// As [`judge_one`](crate::judge_one).
    pub fn judge_one(&mut self, permit: &Permit, text: &str) -> Result<Arc<Cleared>, Refusal> {
        let cleared = self.judge(permit, text)?;
        crate::only_one(&cleared)?;
        Ok(cleared)
    }

    /// `lens`: everything but the text that the rules depend on.
    fn judge_by<'r>(
        &mut self,
        lens: &[&[u8]],
        rules: impl FnOnce() -> Rules<'r>,
        text: &str,
    ) -> Result<Arc<Cleared>, Refusal> {
        if text.len() > CACHED_TEXT_BYTES_MAX {
            return crate::judge_by(&rules(), text).map(Arc::new);
        }
        let is_alike = self.write_key(lens, text, true);
        if is_alike && let Some(Answer::Alike(known)) = self.remembered() {
            return Ok(Arc::new(alike(text, known)));
        }
        if is_alike {
            self.write_key(lens, text, false);
        }
        if let Some(Answer::Same(cleared)) = self.remembered() {
            return Ok(cleared);
        }
        let cleared = Arc::new(crate::judge_by(&rules(), text)?);
        let known = known_alike(&cleared).filter(|_| is_alike);
        let answer = match known {
            Some(known) => {
                self.write_key(lens, text, true);
                Answer::Alike(known)
            }
            None => Answer::Same(Arc::clone(&cleared)),
        };
        self.remember(answer);
        Ok(cleared)
    }

    /// Writes the key of the text, without its integers if `may_leave_out`. Gives whether any was left out.
    fn write_key(&mut self, lens: &[&[u8]], text: &str, may_leave_out: bool) -> bool {
        self.key.clear();
        lens.iter().for_each(|part| self.key.extend_from_slice(part));
        let start = self.key.len();
        if may_leave_out && plain::without_integers(text.as_bytes(), &mut self.key) {
            return true;
        }
        self.key.truncate(start);
        self.key.extend_from_slice(text.as_bytes());
        false
    }

    fn remembered(&mut self) -> Option<Answer> {
        if let Some(answer) = self.young.answers.get(self.key.as_slice()) {
            return Some(answer.clone());
        }
        let answer = self.old.remove(self.key.as_slice())?;
        self.remember(answer.clone());
        Some(answer)
    }

    fn remember(&mut self, answer: Answer) {
        if self.young.answers.len() >= self.generation_max || self.young.bytes >= GENERATION_BYTES_MAX {
            self.old = mem::take(&mut self.young).answers;
        }
        self.young.bytes = self.young.bytes.saturating_add(self.key.len()).saturating_add(answer.bytes());
        self.young.answers.insert(self.key.as_slice().into(), answer);
    }
}

impl Answer {
    fn bytes(&self) -> usize {
        let known = |known: &Known| known.reads.relations.iter().map(|name| name.len() + NAME_BYTES).sum();
        let more: usize = match self {
            Answer::Same(cleared) => {
                let statements = cleared.statements().iter();
                cleared.text().len() + statements.map(|one| ANSWER_BYTES + known(one.known())).sum::<usize>()
            }
            Answer::Alike(one) => known(one),
        };
        ANSWER_BYTES.saturating_add(more)
    }
}

/// What is known of a text that may stand for those that differ from it in integers: it is one read, sent as it came.
fn known_alike(cleared: &Cleared) -> Option<Arc<Known>> {
    match cleared.statements() {
        [only] if only.kind() == StatementKind::Read && cleared.is_sent_as_it_came() => {
            (only.text() == lone_statement(cleared.text())).then(|| Arc::clone(only.known()))
        }
        _ => None,
    }
}

fn alike(text: &str, known: Arc<Known>) -> Cleared {
    let whole: Arc<str> = text.into();
    let start = text.len() - text.trim_start_matches(crate::AROUND).len();
    let slice = start..start + lone_statement(text).len();
    Cleared::new(Arc::clone(&whole), None, vec![Statement::new(whole, slice, known)])
}

/// The only statement of a text without comments.
fn lone_statement(text: &str) -> &str {
    text.trim_matches(crate::AROUND)
}

#[cfg(test)]
mod tests;
