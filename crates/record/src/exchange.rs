//! The exchange with the monitor and with other witnesses: the second half of the commit order. Signs the tree over
//! staged entries, sends them, and accepts the cosignatures only if the release rule is satisfied. One checkpoint is in
//! flight at a time.
//! Staging is in `stage`; when to send is decided in `writer`.

mod probe;

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Deserialize;
use tlog::checkpoint::Checkpoint;
use tlog::note::{Signature, SignedNote, SigningKey};
use tlog::rule::ReleaseRule;
use tlog::tree::Frontier;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use probe::Fate;

use crate::batch::Part;
use crate::clock::now;
use crate::draft::{Why, Witnessed};
use crate::grown::Grown;
use crate::history::History;
use crate::link::{Answer, Link};
use crate::publish::Ask;
use crate::shared::Shared;
use crate::stage::Staged;
use crate::steps::{Step, Steps, When};
use crate::witness::Witnesses;
use crate::{BATCH_BYTES_MAX, ENTRIES_PER_BATCH_MAX};

/// After a failure the next attempt waits this long, twice as long after each further one, up to the second.
const RETRY_MS_MIN: u64 = 25;
const RETRY_MS_MAX: u64 = 400;
/// When nothing was cosigned for this long, the last checkpoint is cosigned again, so that its time stays fresh.
const HEARTBEAT_EVERY_MS: u64 = 10_000;
/// How much of an unexpected answer is quoted.
const PROBLEM_CHARS_MAX: usize = 200;

/// What is staged and not cosigned, and what is known of the monitor.
pub(crate) struct Exchange {
    pub(crate) origin: String,
    pub(crate) log_key: SigningKey,
    pub(crate) rule: ReleaseRule,
    /// None: the record has no monitor.
    pub(crate) link: Option<Link>,
    pub(crate) steps: Steps,
    pub(crate) shared: Arc<Shared>,
    pub(crate) publisher: Sender<Ask>,
    pub(crate) history: History,
    /// The tree under the last checkpoint that satisfied the rule.
    pub(crate) cosigned: Frontier,
    /// The tree that the monitor holds; unknown until it says so. Never smaller than `cosigned`. Without a monitor, what
    /// was signed last.
    pub(crate) held: Option<Frontier>,
    /// Those of others who cosign.
    pub(crate) witnesses: Witnesses,
    /// The tree that they are proved to; none without them.
    pub(crate) grown: Option<Arc<Mutex<Grown>>>,
    /// PEM by entry index, from the monitor, for entries that are not cosigned by all.
    pub(crate) certificates: BTreeMap<String, Box<str>>,
    /// Batches from `cosigned` on.
    pub(crate) pending: VecDeque<Staged>,
    /// The monitor refused the entry at this index; those before it are sent without it.
    pub(crate) refused: Option<u64>,
    /// The next attempt, and how long the one after it waits.
    pub(crate) next_at: Instant,
    pub(crate) backoff: Duration,
}

/// What a round ended with, other than progress.
enum Setback {
    /// Worth another attempt later.
    Again(String),
    /// The monitor would not have decided this entry.
    Refused { index: u64, reason: String },
    /// The record must stop.
    Fatal(String),
}

impl Setback {
    fn problem(self) -> String {
        match self {
            Setback::Again(problem) | Setback::Fatal(problem) => problem,
            Setback::Refused { reason, .. } => reason,
        }
    }
}

/// The monitor's answer to a batch that it cosigned.
#[derive(Deserialize)]
struct Cosigned {
    cosignatures: Vec<String>,
    /// PEM by entry index.
    #[serde(default)]
    certificates: BTreeMap<String, Box<str>>,
}

/// The monitor's answer to a batch that it does not cosign.
#[derive(Deserialize)]
struct Refused {
    index: u64,
    reason: String,
}

impl Exchange {
    /// Adds what was staged.
    pub(crate) fn add(&mut self, staged: Vec<Staged>) {
        if self.pending.is_empty() && !staged.is_empty() && self.backoff.is_zero() {
            self.next_at = now();
        }
        self.grow(&staged);
        self.pending.extend(staged);
    }

    fn grow(&self, staged: &[Staged]) {
        let Some(grown) = &self.grown else { return };
        let mut grown = grown.lock().unwrap_or_else(PoisonError::into_inner);
        for staged in staged {
            (staged.batch.first()..).zip(&staged.leaves).for_each(|(index, leaf)| grown.push(index, *leaf));
        }
    }

    /// Whether entries wait for the monitor.
    pub(crate) fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    /// When the next round is due; none while there is nothing to say.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let alone = self.link.is_none() && self.witnesses.is_empty();
        (self.is_behind() || (!alone && self.cosigned.size() > 0)).then_some(self.next_at)
    }

    /// One round: asks what the monitor holds if that is unknown, else sends the next batch. Answers why the
    /// record must stop, if it must.
    pub(crate) async fn round(&mut self) -> Result<(), Why> {
        match self.try_round().await {
            Ok(()) => {
                self.backoff = Duration::ZERO;
                self.shared.set_last(None);
                let wait = if self.is_behind() { 0 } else { HEARTBEAT_EVERY_MS };
                self.next_at = now() + Duration::from_millis(wait);
                Ok(())
            }
            Err(Setback::Again(problem)) => {
                if self.shared.last().as_deref() != Some(problem.as_str()) {
                    tracing::warn!(problem, "no cosignatures");
                }
                self.shared.set_last(Some(problem.into()));
                self.wait();
                Ok(())
            }
            Err(Setback::Refused { index, reason }) => {
                self.refuse(index, reason.into());
                Ok(())
            }
            Err(Setback::Fatal(problem)) => Err(Why::Storage(problem.into())),
        }
    }

    fn wait(&mut self) {
        let (min, max) = (Duration::from_millis(RETRY_MS_MIN), Duration::from_millis(RETRY_MS_MAX));
        self.backoff = (self.backoff * 2).clamp(min, max);
        self.next_at = now() + self.backoff;
    }

    async fn try_round(&mut self) -> Result<(), Setback> {
        let held = match (self.held.clone(), &mut self.link) {
            (Some(held), _) => held,
            (None, None) => self.cosigned.clone(),
            (None, Some(link)) => {
                let state = crate::monitor::ask_state(link).await.map_err(again)?;
                return self.settle(state.size).await;
            }
        };
        let (tree, body) = self.next_batch(&held);
        let note = self.sign(&tree)?;
        // At the same time as the monitor. One that has cosigned what the monitor refuses cosigns nothing smaller: what
        // comes before the refused entry then waits with it.
        self.witnesses.ask(&note, tree.size());
        if self.link.is_none() {
            return self.accept(note, tree, Vec::new()).await;
        }
        let body = encode(&note, held.size(), &body);
        // Crash here or anywhere below: the monitor may hold the batch or not. After the restart it is asked, and
        // gets what it lacks. The tree for each size stays the same, because entries are signed only after they
        // are durable.
        let answer = self.send(body).await?;
        match answer.status {
            StatusCode::OK => {
                let Cosigned { cosignatures, certificates } =
                    serde_json::from_slice(&answer.body).map_err(again)?;
                let lines = cosignatures.iter().map(|line| Signature::parse(line));
                let cosignatures = lines.collect::<Result<Vec<_>, _>>().map_err(again)?;
                self.certificates.extend(certificates);
                self.held = Some(tree.clone());
                self.refused = self.refused.filter(|index| *index >= tree.size());
                if self.refused.is_none() {
                    self.shared.block(None);
                }
                self.accept(note, tree, cosignatures).await
            }
            StatusCode::CONFLICT => {
                let size =
                    std::str::from_utf8(&answer.body).ok().and_then(|text| text.trim_end().parse().ok());
                let size =
                    size.ok_or_else(|| Setback::Again("the monitor's size is no number".to_owned()))?;
                if size == held.size() {
                    return Err(Setback::Again("the monitor contradicts itself about its size".to_owned()));
                }
                self.settle(size).await
            }
            StatusCode::UNPROCESSABLE_ENTITY => {
                let refused = serde_json::from_slice::<Refused>(&answer.body);
                let refused = refused.map_err(|_| Setback::Again(unexpected(&answer)))?;
                if !(held.size()..tree.size()).contains(&refused.index) {
                    return Err(Setback::Again(unexpected(&answer)));
                }
                Err(Setback::Refused { index: refused.index, reason: refused.reason })
            }
            _ => Err(Setback::Again(unexpected(&answer))),
        }
    }

    /// The next batch after `held`: the tree with it, and its records. Empty when the monitor holds everything,
    /// which makes it cosign again.
    fn next_batch(&self, held: &Frontier) -> (Frontier, Vec<u8>) {
        let from = held.size();
        let end = self.refused.filter(|index| *index > from).unwrap_or(u64::MAX);
        let mut tree = held.clone();
        let mut body = Vec::new();
        for staged in &self.pending {
            let to = staged.batch.next().min(end);
            let records = staged.batch.records(tree.size(), to);
            let entries = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
            if entries > ENTRIES_PER_BATCH_MAX || body.len() + records.len() > BATCH_BYTES_MAX {
                break;
            }
            body.extend_from_slice(records);
            advance(&mut tree, staged, to);
        }
        (tree, body)
    }

    fn sign(&self, tree: &Frontier) -> Result<SignedNote, Setback> {
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: tree.size(), root: tree.root() };
        self.log_key.sign_note(&checkpoint.to_string()).map_err(fatal)
    }

    async fn send(&mut self, body: Bytes) -> Result<Answer, Setback> {
        self.steps.check(Step::Sent, When::Before).map_err(again)?;
        let link = self.link.as_mut().ok_or_else(|| fatal("there is no monitor to send entries to"))?;
        let answer = link.post("/batch", body).await.map_err(again)?;
        self.steps.check(Step::Sent, When::After).map_err(again)?;
        Ok(answer)
    }

    /// Waits for what the rule asks for beyond the monitor's cosignatures: only here does an entry become witnessed.
    async fn accept(
        &mut self,
        mut note: SignedNote,
        tree: Frontier,
        mut cosignatures: Vec<Signature>,
    ) -> Result<(), Setback> {
        // The note's text is what this log signed, so the checkpoint that the rule accepts is the one of `tree`.
        let enough = |given: &[Signature]| self.rule.cosigned_by(&self.log_key, &note.text, given);
        self.witnesses.gather(&mut cosignatures, enough).await.map_err(Setback::Again)?;
        note.signatures.extend(cosignatures);
        self.held = Some(tree.clone());
        self.release(&tree, note)
    }

    /// Wakes the waiters below the new size and hands their entries to the publisher.
    fn release(&mut self, tree: &Frontier, note: SignedNote) -> Result<(), Setback> {
        let mut certificates = std::mem::take(&mut self.certificates);
        let (before, size) = (self.cosigned.size(), tree.size());
        self.cosigned = tree.clone();
        self.shared.set_cosigned(size);
        let (mut parts, mut room_bytes) = (Vec::new(), 0);
        while let Some(staged) = self.pending.front_mut() {
            let (first, next) = (staged.batch.first(), staged.batch.next());
            for (index, ticket) in (first..size).zip(&mut staged.tickets) {
                let Some(ticket) = ticket.take() else { continue };
                let known =
                    if certificates.is_empty() { None } else { certificates.remove(&index.to_string()) };
                ticket.resolve(Ok(Witnessed::new(index, known)));
            }
            let (from, to) = (first.max(before), next.min(size));
            if from < to {
                parts.push(Part { batch: staged.batch.clone(), from, to });
            }
            if next > size {
                break;
            }
            self.shared.leave(staged.room.0, 0);
            room_bytes += staged.room.1;
            self.pending.pop_front();
        }
        let ask = Ask::Publish { parts, size, note: note.to_string(), room_bytes };
        self.publisher.send(ask).map_err(|_| fatal("the record cannot be published"))
    }

    /// Where the monitor does not cosign an entry. Those before it are sent without it at once; it and what
    /// follows is sent again now and then, because the monitor may come to accept the policy it was decided by.
    fn refuse(&mut self, index: u64, reason: Arc<str>) {
        if self.refused != Some(index) {
            tracing::error!(index, %reason, "the monitor does not cosign an entry; nothing more is released");
        }
        let why = Why::Refused { index, reason };
        self.shared.block(Some(why.clone()));
        for staged in &mut self.pending {
            for (at, ticket) in
                (staged.batch.first()..).zip(&mut staged.tickets).filter(|(at, _)| *at >= index)
            {
                if let Some(ticket) = ticket.take() {
                    ticket.resolve(Err(why.clone().at(Some(at))));
                }
            }
        }
        let first = self.refused.replace(index) != Some(index);
        if first && self.held.as_ref().is_some_and(|held| held.size() < index) {
            self.next_at = now();
        } else {
            self.wait();
        }
    }

    /// Ends every wait: the record stops.
    pub(crate) fn fail_waiters(&mut self, why: &Why) {
        for staged in &mut self.pending {
            for (index, ticket) in (staged.batch.first()..).zip(&mut staged.tickets) {
                if let Some(ticket) = ticket.take() {
                    ticket.resolve(Err(why.clone().at(Some(index))));
                }
            }
        }
    }

    /// Takes note of what the monitor holds, and sends what it lacks of what it once cosigned.
    async fn settle(&mut self, size: u64) -> Result<(), Setback> {
        let staged = self.pending.back().map_or(self.cosigned.size(), |staged| staged.batch.next());
        if size > staged {
            return Err(fatal(format!(
                "the monitor holds {size} entries and this record only {staged}; restore the record"
            )));
        }
        self.held = None;
        if size < self.cosigned.size() {
            self.catch_up(size).await?;
        }
        let mut tree = self.cosigned.clone();
        self.pending.iter().for_each(|staged| advance(&mut tree, staged, size));
        self.held = Some(tree);
        Ok(())
    }

    /// Sends published entries again, to a monitor that lost them.
    async fn catch_up(&mut self, size: u64) -> Result<(), Setback> {
        tracing::warn!(size, "the monitor lost entries that it had cosigned; sending them again");
        let (flushed, wait) = oneshot::channel();
        self.publisher.send(Ask::Flush(flushed)).map_err(fatal)?;
        wait.await.map_err(fatal)?;
        let end = self.cosigned.size();
        let mut tree = self.history.tree_at(size, end).map_err(fatal)?;
        while tree.size() < end {
            let from = tree.size();
            let batch = self.history.batch(from, end).map_err(fatal)?;
            let staged = Staged::new(batch);
            advance(&mut tree, &staged, staged.batch.next());
            let body = encode(&self.sign(&tree)?, from, staged.batch.records(from, tree.size()));
            let answer = self.send(body).await?;
            if answer.status != StatusCode::OK {
                return Err(Setback::Again(unexpected(&answer)));
            }
        }
        if tree.root() == self.cosigned.root() {
            Ok(())
        } else {
            Err(fatal("the published record is damaged"))
        }
    }
}

/// Adds the leaves of a batch below `to` that the tree does not have.
fn advance(tree: &mut Frontier, staged: &Staged, to: u64) {
    for (index, leaf) in (staged.batch.first()..to).zip(&staged.leaves) {
        if index == tree.size() {
            tree.push(*leaf);
        }
    }
}

/// The body of a batch: `u32 length, checkpoint | u64 first index | record …`.
fn encode(note: &SignedNote, first: u64, records: &[u8]) -> Bytes {
    let note = note.to_string();
    let length = u32::try_from(note.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), note.as_bytes(), &first.to_be_bytes(), records].concat().into()
}

fn unexpected(answer: &Answer) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).chars().take(PROBLEM_CHARS_MAX).collect();
    format!("the monitor answered {}: {}", answer.status, body.trim())
}

fn again(error: impl std::fmt::Display) -> Setback {
    Setback::Again(error.to_string())
}

fn fatal(error: impl std::fmt::Display) -> Setback {
    Setback::Fatal(error.to_string())
}
