//! One waiter for one entry: a slot that the writer fills and a task waits on. One allocation an entry; nothing
//! is polled.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::draft::{NotWitnessed, Witnessed};

pub(crate) type Outcome = Result<Witnessed, NotWitnessed>;

/// Shared by the task that appended and the writer.
#[derive(Debug, Default)]
pub(crate) struct Ticket(Mutex<Slot>);

#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    given_up: bool,
    outcome: Option<Outcome>,
    waker: Option<Waker>,
}

impl Ticket {
    /// The writer gives the entry its index. Answers false if the waiter gave up before: then the entry must
    /// not be staged, because the waiter was told that it has no index.
    pub(crate) fn take_index(&self, index: u64) -> bool {
        let mut slot = self.slot();
        if !slot.given_up {
            slot.index = Some(index);
        }
        !slot.given_up
    }

    /// The writer ends the wait. Only the first outcome counts.
    pub(crate) fn resolve(&self, outcome: Outcome) {
        let mut slot = self.slot();
        slot.outcome.get_or_insert(outcome);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The outcome, once. For one waiter.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<Outcome> {
        let mut slot = self.slot();
        if let Some(outcome) = slot.outcome.take() {
            return Poll::Ready(outcome);
        }
        match &mut slot.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    /// The waiter stops waiting. Answers the outcome that came at the last moment, or the index, if the entry
    /// has one.
    pub(crate) fn give_up(&self) -> Result<Outcome, Option<u64>> {
        let mut slot = self.slot();
        slot.given_up = true;
        slot.outcome.take().ok_or(slot.index)
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
