//! Puts events on their users' shares. Not here: judging them.

use std::collections::VecDeque;

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishAckFuture;
use bytes::Bytes;
use rand::TryRngCore;
use rand::rngs::OsRng;

use super::{Asking, Estate, NatsError, share_of, subject_in};

/// A message holds events of one share, a line each, of about so many bytes.
const MESSAGE_BYTES: usize = 64 << 10;
/// So many messages may wait to be acknowledged.
const WAITING_MAX: usize = 256;
/// A message that is not acknowledged is sent again so often.
const TRIES: u32 = 5;
const TRY_AGAIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Publishes events. What was added is in the stream when [`Publisher::flush`] returns.
pub struct Publisher {
    estate: Estate,
    /// Names our messages, so that one that is sent again is known.
    run: String,
    count: u64,
    shares: Vec<Vec<u8>>,
    waiting: VecDeque<(Sent, PublishAckFuture)>,
}

/// A message that was sent.
struct Sent {
    subject: String,
    id: String,
    payload: Bytes,
}

impl Publisher {
    /// One that publishes to this estate.
    pub fn new(estate: Estate) -> Result<Self, NatsError> {
        let mut run = [0; 8];
        OsRng.try_fill_bytes(&mut run).asking(|| "drawing a name".to_owned())?;
        let shares = (0..estate.shares()).map(|_| Vec::new()).collect();
        let run = run.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { estate, run, count: 0, shares, waiting: VecDeque::new() })
    }

    /// Adds the event of a user: one line of JSON, without its end.
    pub async fn add(&mut self, user: &str, line: &[u8]) -> Result<(), NatsError> {
        let share = share_of(user, self.estate.shares());
        let Some(lines) = self.shares.get_mut(usize::try_from(share).unwrap_or(usize::MAX)) else {
            return Ok(());
        };
        lines.extend_from_slice(line);
        lines.push(b'\n');
        if lines.len() >= MESSAGE_BYTES {
            let lines = std::mem::take(lines);
            self.send(share, lines).await?;
        }
        Ok(())
    }

    /// Sends what was added, and waits until all of it is in the stream.
    pub async fn flush(&mut self) -> Result<(), NatsError> {
        for share in 0..self.estate.shares() {
            let lines = self.shares.get_mut(usize::try_from(share).unwrap_or(usize::MAX));
            if let Some(lines) = lines.filter(|lines| !lines.is_empty()).map(std::mem::take) {
                self.send(share, lines).await?;
            }
        }
        while !self.waiting.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    async fn send(&mut self, share: u32, lines: Vec<u8>) -> Result<(), NatsError> {
        if self.waiting.len() >= WAITING_MAX {
            self.settle().await?;
        }
        self.count += 1;
        let id = format!("{}-{}", self.run, self.count);
        let sent = Sent { subject: subject_in(share), id, payload: lines.into() };
        let acknowledged = self.start(&sent).await?;
        self.waiting.push_back((sent, acknowledged));
        Ok(())
    }

    async fn start(&self, sent: &Sent) -> Result<PublishAckFuture, NatsError> {
        let mut headers = HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, sent.id.as_str());
        let publishing =
            self.estate.context.publish_with_headers(sent.subject.clone(), headers, sent.payload.clone());
        publishing.await.asking(|| format!("publishing to {}", sent.subject))
    }

    /// Waits for the oldest message.
    async fn settle(&mut self) -> Result<(), NatsError> {
        let Some((sent, acknowledged)) = self.waiting.pop_front() else { return Ok(()) };
        let mut outcome = acknowledged.await;
        for _ in 1..TRIES {
            if outcome.is_ok() {
                break;
            }
            tokio::time::sleep(TRY_AGAIN).await;
            // One that arrived although nobody told us is known by its id.
            outcome = self.start(&sent).await?.await;
        }
        outcome.asking(|| format!("publishing to {}", sent.subject)).map(|_| ())
    }
}
