//! Probes, as whoever appends asks for them: what is sent, and what came of it. How they are sent, and why that spoils
//! nothing, is in `exchange::probe`; what they ask is the caller's.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::draft::{Draft, Like, Why};
use crate::exchange::Fate;
use crate::handle::Record;
use crate::writer::{Job, Writer};

/// The longest that a probe may wait for its turn and its answer, in milliseconds.
const PROBE_WAIT_MS_MAX: u64 = 20_000;

/// A probe that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// The index it was sent with. Its entry has it, if it was cosigned; otherwise the next real one.
    pub index: u64,
    /// The entry's line, as it was sent.
    pub line: Vec<u8>,
    /// Why the monitor refused it; none when it did not.
    pub refused: Option<String>,
}

/// Why it is not known what the monitor would have done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("the probe cannot be sent: {0}")]
    Unfit(String),
    #[error("the probe was not answered: {0}")]
    Unanswered(String),
    #[error(
        "the monitor had no time for a probe within {PROBE_WAIT_MS_MAX} ms; see that trefoil-monitor runs"
    )]
    Silent,
    #[error("the record is stopped")]
    Stopped,
}

/// A probe that waits for its turn.
pub(crate) struct Asked {
    like: Like,
    done: oneshot::Sender<Result<Probed, ProbeError>>,
}

impl Record {
    /// Sends an entry that the monitor must refuse. It becomes an entry only if the monitor cosigns it; what it speaks of
    /// must not happen in either case.
    ///
    /// # Errors
    /// When the monitor's answer is not known.
    pub async fn probe(&self, draft: Draft) -> Result<Probed, ProbeError> {
        let (done, answer) = oneshot::channel();
        let job = Job::Probe(Asked { like: draft.into(), done });
        self.jobs.send(job).await.map_err(|_| ProbeError::Stopped)?;
        let answered = timeout(Duration::from_millis(PROBE_WAIT_MS_MAX), answer).await;
        answered.map_err(|_| ProbeError::Silent)?.map_err(|_| ProbeError::Stopped)?
    }
}

impl Writer {
    /// Sends the next probe that waits, if the time has come. Answers whether it did anything.
    pub(crate) async fn send_probe(&mut self) -> Result<bool, Why> {
        if self.exchange.link.is_none() {
            let why = || ProbeError::Unfit("the record has no monitor that decides".to_owned());
            self.stager.probes.drain(..).for_each(|asked| drop(asked.done.send(Err(why()))));
            return Ok(false);
        }
        // Nothing is sent for who gave up waiting.
        self.stager.probes.retain(|asked| !asked.done.is_closed());
        if !self.exchange.is_at_rest() {
            return Ok(false);
        }
        let Some(asked) = self.stager.probes.pop_front() else { return Ok(false) };
        if let Some(staged) = self.stager.ensure_key(asked.like.kind)? {
            self.exchange.add(vec![staged]);
            self.stager.probes.push_front(asked);
            return Ok(true);
        }
        let outcome = match self.stager.unstaged(&asked.like) {
            Err(problem) => Err(ProbeError::Unfit(problem)),
            Ok((batch, line)) => {
                let index = batch.first();
                match self.exchange.probe(&batch).await {
                    Ok(Fate::Refused(reason)) => Ok(Probed { index, line, refused: Some(reason) }),
                    Ok(Fate::Held(tree)) => {
                        // The monitor holds it already: staged late, and cosigned by the next round.
                        let staged = self.stager.stage_late(batch)?;
                        self.exchange.add(vec![staged]);
                        self.exchange.held = Some(tree);
                        Ok(Probed { index, line, refused: None })
                    }
                    Err(problem) => Err(ProbeError::Unanswered(problem)),
                }
            }
        };
        let _ = asked.done.send(outcome);
        Ok(true)
    }
}
