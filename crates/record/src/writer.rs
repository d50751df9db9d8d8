//! The writer: one thread that stages what is queued and exchanges it with the monitor, batch after batch. What
//! arrives while a checkpoint is in flight is the next batch. It waits for events and never polls.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::QUEUE_ENTRIES_MAX;
use crate::clock::now;
use crate::draft::Why;
use crate::exchange::Exchange;
use crate::probe::Asked;
use crate::publish::Ask;
use crate::shared::Lag;
use crate::stage::{Queued, Stager, What};
use crate::ticket::Ticket;

/// While the monitor takes longer than this to answer, what is queued is staged without waiting for it, once in
/// this long: it becomes durable and gets its index, and goes out when the monitor answers.
const STAGE_EVERY_MS: u64 = 50;

/// From so many waiters on, a round is held back for those who are about to come.
const GATHER_FROM_WAITERS: usize = 6;
/// How often is looked whether they have come; the kernel adds some 50 us. How often at most, and how often when
/// nobody came.
const GATHER_STEP_US: u64 = 60;
const GATHER_STEPS_MAX: u32 = 8;
const GATHER_IDLE_STEPS_MAX: u32 = 3;

/// What the writer is asked.
pub(crate) enum Job {
    Append(Queued),
    /// Send an entry that the monitor must refuse, when everything else is cosigned.
    Probe(Asked),
    /// Record that these keys are forgotten, and answer what to wait for, or which of them is in use.
    Forget {
        ids: Vec<String>,
        done: oneshot::Sender<Result<Vec<Arc<Ticket>>, String>>,
    },
    /// Finish: have everything cosigned within the wait, publish, and answer how far it came.
    Stop {
        wait: Duration,
        done: oneshot::Sender<Result<Lag, Why>>,
    },
}

pub(crate) struct Writer {
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) stager: Stager,
    pub(crate) exchange: Exchange,
    pub(crate) stop: Option<Stop>,
    /// Who waited when the last round ended: those whom it answered, and those who had come meanwhile.
    pub(crate) waiters: usize,
}

/// A stop that was asked for.
pub(crate) struct Stop {
    until: Instant,
    done: Option<oneshot::Sender<Result<Lag, Why>>>,
}

impl Writer {
    /// Runs until a stop, an error, or the end of all handles.
    pub(crate) async fn run(mut self) {
        let outcome = self.work().await;
        let shared = self.stager.shared.clone();
        shared.close(outcome.clone().err().unwrap_or(Why::Stopped));
        if let Err(why) = &outcome {
            tracing::error!(%why, "the record stops");
        }
        self.jobs.close();
        self.fail_waiters(&shared.closed().unwrap_or(Why::Stopped)).await;
        let flushed = self.flush().await;
        let done = self.stop.take().and_then(|stop| stop.done);
        // Unlocks the write-ahead file, so that whoever was waiting may open it again.
        drop(self);
        if let Some(done) = done {
            let _ = done.send(outcome.and(flushed).map(|()| shared.lag()));
        }
    }

    async fn work(&mut self) -> Result<(), Why> {
        let mut jobs = Vec::new();
        let mut ended = false;
        loop {
            if let Some(why @ Why::Storage(_)) = self.stager.shared.closed() {
                return Err(why);
            }
            if let Some(stop) = &self.stop
                && (!self.exchange.is_behind() || now() >= stop.until)
            {
                return Ok(());
            }
            if self.send_probe().await? {
                continue;
            }
            let due = [self.exchange.due_at(), self.stop.as_ref().map(|stop| stop.until)];
            let due = due.into_iter().flatten().min();
            tokio::select! {
                biased;
                count = self.jobs.recv_many(&mut jobs, QUEUE_ENTRIES_MAX), if !ended => {
                    ended = count == 0;
                    if ended {
                        self.stop.get_or_insert(Stop { until: now(), done: None });
                    }
                }
                () = sleep_until(due.unwrap_or_else(now)), if due.is_some() => {}
            }
            self.gather(&mut jobs);
            let taken = jobs.len();
            let staged = stage(&mut self.stager, &mut self.stop, jobs.drain(..))?;
            self.exchange.add(staged);
            if self.exchange.due_at().is_some_and(|at| at <= now()) {
                self.round(&mut jobs).await?;
                self.waiters = taken + self.jobs.len();
            }
        }
    }

    /// A round costs as much as ten entries, here and at the monitor. Whoever was answered by the last one asks again
    /// at once if he has more to do, so the first who come wait a moment for the others. Without this, half of them
    /// wait while the others are in flight, and there are twice as many rounds.
    fn gather(&mut self, jobs: &mut Vec<Job>) {
        if self.waiters < GATHER_FROM_WAITERS || jobs.is_empty() {
            return;
        }
        let enough = self.waiters - self.waiters / 4;
        let mut idle_steps = 0;
        for _ in 0..GATHER_STEPS_MAX {
            let before = jobs.len();
            if before >= enough || idle_steps >= GATHER_IDLE_STEPS_MAX {
                return;
            }
            // Nothing else runs on this thread between two rounds, and the runtime's timers are coarser.
            std::thread::sleep(Duration::from_micros(GATHER_STEP_US));
            while let Ok(job) = self.jobs.try_recv() {
                jobs.push(job);
            }
            idle_steps = if jobs.len() == before { idle_steps + 1 } else { 0 };
        }
    }

    /// One round with the monitor, during which staging goes on if the monitor is slow.
    async fn round(&mut self, jobs: &mut Vec<Job>) -> Result<(), Why> {
        let Self { jobs: queue, stager, exchange, stop, waiters: _ } = self;
        let every = Duration::from_millis(STAGE_EVERY_MS);
        let mut stage_at = now() + every;
        let mut arrived = Vec::new();
        let outcome = {
            let mut round = pin!(exchange.round());
            loop {
                tokio::select! {
                    biased;
                    outcome = &mut round => break outcome,
                    () = sleep_until(stage_at) => {
                        while let Ok(job) = queue.try_recv() {
                            jobs.push(job);
                        }
                        match stage(stager, stop, jobs.drain(..)) {
                            Ok(staged) => arrived.extend(staged),
                            Err(why) => break Err(why),
                        }
                        stage_at = now() + every;
                    }
                }
            }
        };
        self.exchange.add(arrived);
        outcome
    }

    /// Tells everyone who still waits why nothing will come.
    async fn fail_waiters(&mut self, why: &Why) {
        self.exchange.fail_waiters(why);
        while let Some(job) = self.jobs.recv().await {
            match job {
                Job::Append(queued) => queued.ticket.resolve(Err(why.clone().at(None))),
                Job::Forget { done, .. } => drop(done),
                Job::Probe(asked) => drop(asked),
                Job::Stop { done, .. } => drop(done.send(Err(why.clone()))),
            }
        }
    }

    async fn flush(&self) -> Result<(), Why> {
        let (flushed, wait) = oneshot::channel();
        let gone = |_| self.stager.shared.closed().unwrap_or(Why::Stopped);
        self.exchange.publisher.send(Ask::Flush(flushed)).map_err(|_| gone(()))?;
        wait.await.map_err(|_| gone(()))
    }
}

/// Stages the drafts among some jobs, and notes a stop.
fn stage(
    stager: &mut Stager,
    stop: &mut Option<Stop>,
    jobs: impl Iterator<Item = Job>,
) -> Result<Vec<crate::stage::Staged>, Why> {
    let mut queue = Vec::with_capacity(jobs.size_hint().0);
    for job in jobs {
        match job {
            Job::Append(queued) => queue.push(queued),
            Job::Forget { ids, done } => {
                let tickets = stager.forget(&ids);
                if let Ok(tickets) = &tickets {
                    queue.extend(ids.into_iter().zip(tickets).map(|(id, ticket)| Queued {
                        what: What::Forgotten(id),
                        ticket: ticket.clone(),
                        bytes: 0,
                    }));
                }
                let _ = done.send(tickets);
            }
            Job::Probe(asked) => stager.probes.push_back(asked),
            Job::Stop { wait, done } => {
                stager.shared.close(Why::Stopped);
                *stop = Some(Stop { until: now() + wait, done: Some(done) });
            }
        }
    }
    stager.stage(queue)
}
