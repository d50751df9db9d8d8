//! What the relay asked the record for and the record has not answered: polled with the session, in the order of the
//! entries. Not here: what is asked (`relay`).

use std::collections::VecDeque;
use std::task::{Context, Poll};

use record::{NotWitnessed, Waiting, Witnessed};
use tokio::time::Instant;

use crate::fault::Fault;
use crate::figures::Totals;
use crate::gate::Gate;
use crate::relay::{AskId, Asking};

/// What became of it: a witness for each entry, in order.
pub type Outcome = Result<Vec<Witnessed>, Fault>;

/// Entries that were appended together.
#[derive(Debug)]
pub struct Asked {
    /// By which the relay knows it.
    pub id: AskId,
    /// Those that are not witnessed yet, and those that the record did not take.
    waiting: VecDeque<Result<Waiting, NotWitnessed>>,
    witnessed: Vec<Witnessed>,
    gave: Totals,
    since: Instant,
}

impl Asked {
    /// Appends what the relay asks for, at once and in order.
    pub fn append(gate: &Gate, asking: Asking, now: Instant) -> Result<Self, Fault> {
        let (id, gave) = (asking.id(), asking.gave());
        let waiting: VecDeque<_> =
            asking.drafts(gate)?.into_iter().map(|entry| gate.record.begin(entry)).collect();
        Ok(Self { id, witnessed: Vec::with_capacity(waiting.len()), waiting, gave, since: now })
    }

    /// When the wait for the next witness is over.
    pub fn until(&self) -> Option<Instant> {
        self.waiting.front().and_then(|waiting| waiting.as_ref().ok()).map(Waiting::until)
    }

    /// The outcome, when every entry is witnessed or one will not be.
    pub fn poll(&mut self, gate: &Gate, context: &Context<'_>, now: Instant) -> Poll<Outcome> {
        while let Some(next) = self.waiting.pop_front() {
            let outcome = match next {
                Err(not) => Err(not),
                Ok(waiting) => match waiting.poll(context) {
                    Poll::Ready(outcome) => outcome,
                    Poll::Pending if waiting.until() <= now => waiting.give_up(),
                    Poll::Pending => {
                        self.waiting.push_front(Ok(waiting));
                        return Poll::Pending;
                    }
                },
            };
            match outcome {
                Ok(witnessed) => self.witnessed.push(witnessed),
                Err(not) => return Poll::Ready(Err(Fault::not_witnessed(&not.why, not.index))),
            }
        }
        gate.figures.released(self.gave, now.duration_since(self.since));
        Poll::Ready(Ok(std::mem::take(&mut self.witnessed)))
    }
}
