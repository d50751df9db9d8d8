//! The handle by which everyone else appends: takes room, queues, waits. The work is done by `writer`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::DETAIL_BYTES_MAX;
use crate::clock::now;
use crate::config::{Config, OpenError};
use crate::draft::{Draft, Like, NotWitnessed, Why, Witnessed};
use crate::forget::Places;
use crate::shared::{Lag, Shared};
use crate::stage::{Queued, What};
use crate::steps::Steps;
use crate::ticket::Ticket;
use crate::writer::Job;

/// What an entry takes beside its detail, roughly.
const ENTRY_ROOM_BYTES: usize = 1_024;

/// A record, open for appending. Cheap to clone. When the last handle is dropped, what is cosigned is published
/// and the writer ends; what is not cosigned is sent after the next open.
#[derive(Clone)]
pub struct Record {
    pub(crate) jobs: mpsc::Sender<Job>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) cosign_wait: Duration,
    pub(crate) places: Arc<Places>,
}

impl Record {
    /// Opens a record: replays the write-ahead file, cuts a torn tail, and goes on with what is not cosigned.
    /// Blocks for as long as the disk takes; the monitor need not answer.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        crate::open::open(config, Steps::default())
    }

    /// Appends an entry. It is queued when this returns; the future ends when the entry is witnessed, when it is
    /// known that it will not be, or when `cosign_wait` has passed since. Dropping the future does not take the
    /// entry back.
    pub fn append(
        &self,
        draft: Draft,
    ) -> impl Future<Output = Result<Witnessed, NotWitnessed>> + Send + use<> {
        self.append_like(draft.into())
    }

    /// As [`Record::append`], of an entry that says much that others say.
    pub fn append_like(
        &self,
        like: Like,
    ) -> impl Future<Output = Result<Witnessed, NotWitnessed>> + Send + use<> {
        let began = self.begin(like);
        async move {
            let waiting = began?;
            match timeout_at(waiting.until, poll_fn(|context| waiting.poll(context))).await {
                Ok(outcome) => outcome,
                Err(_) => waiting.give_up(),
            }
        }
    }

    /// As [`Record::append_like`], for who polls and keeps the time by himself.
    ///
    /// # Errors
    /// When the entry is not taken.
    pub fn begin(&self, like: Like) -> Result<Waiting, NotWitnessed> {
        let ticket = self.queue(like)?;
        Ok(Waiting {
            ticket,
            until: now() + self.cosign_wait,
            wait: self.cosign_wait,
            shared: self.shared.clone(),
        })
    }

    /// Finishes: takes no more entries, has what is staged cosigned if the monitor answers within `cosign_wait`,
    /// and publishes what is cosigned. Answers how far the record came.
    pub async fn stop(&self) -> Result<Lag, Why> {
        let (done, wait) = oneshot::channel();
        let stopped = |_| self.shared.closed().unwrap_or(Why::Stopped);
        let job = Job::Stop { wait: self.cosign_wait, done };
        self.jobs.send(job).await.map_err(|_| stopped(()))?;
        wait.await.map_err(|_| stopped(()))?
    }

    /// How many entries each stage has reached.
    pub fn lag(&self) -> Lag {
        self.shared.lag()
    }

    /// Ends the wait for a ticket: its outcome, if it came at the last moment; otherwise, that the monitor is silent.
    pub(crate) fn give_up(&self, ticket: &Ticket) -> Result<Witnessed, NotWitnessed> {
        ticket.give_up().unwrap_or_else(|index| {
            let waited_ms = u64::try_from(self.cosign_wait.as_millis()).unwrap_or(u64::MAX);
            Err(Why::Silent { waited_ms, last: self.shared.last() }.at(index))
        })
    }

    fn queue(&self, like: Like) -> Result<Arc<Ticket>, NotWitnessed> {
        let detail_bytes = like.detail.as_ref().map_or(0, |detail| detail.text().len());
        if detail_bytes > DETAIL_BYTES_MAX {
            return Err(unfit(format!(
                "its detail has {detail_bytes} bytes; the most is {DETAIL_BYTES_MAX}"
            )));
        }
        let bytes = ENTRY_ROOM_BYTES + detail_bytes;
        self.shared.enter(bytes).map_err(|why| why.at(None))?;
        let ticket = Arc::<Ticket>::default();
        let job = Job::Append(Queued { what: What::Like(like), ticket: ticket.clone(), bytes });
        match self.jobs.try_send(job) {
            Ok(()) => Ok(ticket),
            Err(error) => {
                self.shared.leave(1, bytes);
                let why = match error {
                    mpsc::error::TrySendError::Full(_) => self.shared.full(),
                    mpsc::error::TrySendError::Closed(_) => self.shared.closed().unwrap_or(Why::Stopped),
                };
                Err(why.at(None))
            }
        }
    }
}

/// An entry that was appended. Dropping this does not take the entry back.
#[must_use = "what the entry speaks of waits for its witness"]
#[derive(Debug)]
pub struct Waiting {
    ticket: Arc<Ticket>,
    until: Instant,
    wait: Duration,
    shared: Arc<Shared>,
}

impl Waiting {
    /// When the wait is over: who polls calls [`Waiting::give_up`] then.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// The outcome, once; until then, the task is woken when it is there.
    pub fn poll(&self, context: &Context<'_>) -> Poll<Result<Witnessed, NotWitnessed>> {
        self.ticket.poll(context)
    }

    /// Ends the wait: the outcome, if it came at the last moment; otherwise, that the monitor is silent.
    ///
    /// # Errors
    /// When the entry is not witnessed.
    pub fn give_up(&self) -> Result<Witnessed, NotWitnessed> {
        self.ticket.give_up().unwrap_or_else(|index| {
            let waited_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
            Err(Why::Silent { waited_ms, last: self.shared.last() }.at(index))
        })
    }
}

fn unfit(problem: String) -> NotWitnessed {
    Why::Unfit(problem.into()).at(None)
}
