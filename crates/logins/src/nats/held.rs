//! One share while it is held: from its last snapshot through its events, judgement by judgement, to the next snapshot.
//! Where it stops, for whatever reason, whoever takes it next goes on. Not here: who takes it (`worker`).

use std::io::Cursor;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::{self, context::PublishErrorKind};
use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

use super::lease::{self, Alive, Entry};
use super::{
    Asking, Estate, MARK_HEADER, Marked, NatsError, Settings, THROUGH_HEADER, subject_in, subject_judged,
};
use crate::answer::At;
use crate::clock;
use crate::share::{Judging, Share};
use crate::state::{Refused, snapshot};
use crate::steps::{Step, Steps, When};
use crate::watch::HANDED_MAX;

/// So many messages are asked for at once, and judged before anything is published.
const BATCH: usize = 1_000;
/// A message of judgements has about so many bytes.
const MESSAGE_BYTES: usize = 256 << 10;
/// A consumer that nobody asks is removed by the server after this.
const CONSUMER_IDLE: Duration = Duration::from_secs(300);
/// After so long without an event it is looked whether some were lost on the way.
const QUIET: Duration = Duration::from_secs(2);
/// A part of a snapshot may take so long to arrive.
const PART_WAIT: Duration = Duration::from_secs(10);
/// A publication that is not acknowledged is tried again so often.
const PUBLISH_TRIES: u32 = 5;
/// What one message shows is handed in in fewer parts: NATS takes no message of more than 64 MiB, and no event is shorter
/// than eight bytes. A part too many would take the number of the next message, whose own would not be taken any more.
const PARTS: u64 = 1 << 16;
/// Writing snapshots takes at most this share of the time.
const SNAPSHOT_PAUSE: u32 = 20;

/// A share that is held.
pub(super) struct Held {
    estate: Estate,
    settings: Settings,
    number: u32,
    alive: Alive,
    entry: Entry,
    revision: u64,
    share: Share,
    is_tidy: bool,
    /// The last event that was judged: its sequence in the stream.
    sequence: u64,
    /// The last event whose judgement is published, and the message that says so.
    through: u64,
    last: u64,
    since: Since,
    steps: Steps,
}

/// What happened since the last snapshot.
struct Since {
    events: u64,
    at: Instant,
    /// No snapshot before so long after the last.
    pause: Duration,
}

/// What judgements wait to be published: lines, and the last event that they cover.
#[derive(Default)]
struct Outbox {
    lines: Vec<u8>,
    through: u64,
}

impl Held {
    /// Takes up a share whose entry names us.
    pub(super) async fn take_up(
        estate: &Estate,
        settings: &Settings,
        alive: &Alive,
        number: u32,
        (entry, revision): (Entry, u64),
    ) -> Result<Self, NatsError> {
        let found = newest(estate, &settings.judging, number, &entry, &*settings.tell).await?;
        let (mut share, sequence, through) = match found {
            Some((share, snapshot)) => (share, snapshot.sequence, snapshot.through),
            None => (Share::new(&settings.judging), 0, 0),
        };
        share.handed = settings.hand.is_some().then(Vec::new);
        let mut held = Self {
            estate: estate.clone(),
            settings: settings.clone(),
            number,
            alive: alive.clone(),
            entry,
            revision,
            share,
            is_tidy: false,
            sequence,
            through,
            last: 0,
            since: Since { events: 0, at: clock::instant(), pause: Duration::ZERO },
            steps: settings.steps.clone(),
        };
        held.look_back().await?;
        Ok(held)
    }

    /// Removes objects that a crash left of this share and that no entry names. Those of our own epoch and later stay: a
    /// successor's may be among them.
    async fn tidy(&self) {
        let Ok(mut objects) = self.estate.objects.list().await else { return };
        // The list waits for ever for an object that was removed while it was read.
        while let Ok(Some(Ok(object))) = tokio::time::timeout(QUIET, objects.next()).await {
            let is_old =
                lease::epoch_of(&object.name, self.number).is_some_and(|epoch| epoch < self.entry.epoch);
            if is_old && !self.entry.snapshots.iter().any(|snapshot| snapshot.object == object.name) {
                // It costs room alone.
                let _ = self.estate.objects.delete(&object.name).await;
            }
        }
    }

    /// Judges until it is told to stop (then it commits, and nobody holds the share) or something fails.
    pub(super) async fn run(&mut self, mut stop: watch::Receiver<bool>) -> Result<(), NatsError> {
        loop {
            if self.follow(&mut stop).await? {
                self.commit(true).await?;
                return Ok(());
            }
        }
    }

    /// Follows the share's events with one consumer. Answers whether it was told to stop; when not, events were lost on
    /// the way and another consumer is to begin where this one came to.
    async fn follow(&mut self, stop: &mut watch::Receiver<bool>) -> Result<bool, NatsError> {
        let consumer = self.consumer().await?;
        let doing = || format!("reading {}", subject_in(self.number));
        let messages = consumer.stream().max_messages_per_batch(BATCH).expires(Duration::from_secs(5));
        let messages = messages.messages().await.asking(doing)?;
        let mut chunks = messages.ready_chunks(BATCH);
        let mut delivered = 0_u64;
        loop {
            let chunk = tokio::select! {
                biased;
                () = super::told_to_stop(stop) => return Ok(true),
                chunk = tokio::time::timeout(QUIET, chunks.next()) => chunk,
            };
            if !self.alive.is() {
                return Err(NatsError::Lost(self.number));
            }
            match chunk {
                Ok(Some(chunk)) => {
                    if !self.judge(chunk, &mut delivered).await? {
                        return Ok(false);
                    }
                }
                Ok(None) => return Ok(false),
                Err(_) => {
                    // Nothing comes: either there is nothing, or what was sent or asked for did not arrive.
                    let Ok(info) = consumer.get_info().await else { return Ok(false) };
                    if info.delivered.consumer_sequence > delivered || info.num_pending > 0 {
                        return Ok(false);
                    }
                    if !std::mem::replace(&mut self.is_tidy, true) {
                        self.tidy().await;
                    }
                }
            }
            if self.is_due() {
                self.commit(false).await?;
            }
        }
    }

    async fn consumer(&self) -> Result<PullConsumer, NatsError> {
        let doing = || format!("making a consumer of {}", subject_in(self.number));
        let state = self.estate.input.get_info().await.asking(doing)?.state;
        if state.last_sequence < self.sequence {
            return Err(NatsError::Estate(format!(
                "share {} has judged event {}, and the stream ends at {}: it is another stream than the state is of",
                self.number, self.sequence, state.last_sequence
            )));
        }
        if self.sequence > 0 && state.first_sequence > self.sequence + 1 {
            (self.settings.tell)(format!(
                "share {}: the stream's limits have removed what came between {} and {}, perhaps before it was judged",
                self.number, self.sequence, state.first_sequence
            ));
        }
        // Of this process and epoch alone: whoever holds the share next does not share what is delivered with us.
        let name = format!("share-{}-{}", self.number, self.entry.epoch);
        // One from before a lost connection begins elsewhere. That there is none is no failure.
        let _ = self.estate.input.delete_consumer(&name).await;
        let config = consumer::pull::Config {
            durable_name: Some(name),
            filter_subject: subject_in(self.number),
            deliver_policy: match self.sequence {
                0 => DeliverPolicy::All,
                sequence => DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 },
            },
            // What was judged is in the snapshot, and nowhere else.
            ack_policy: AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE,
            memory_storage: true,
            ..Default::default()
        };
        self.estate.input.create_consumer(config).await.asking(doing)
    }

    /// Judges what was delivered and publishes what there is to say. Answers whether nothing was missing.
    async fn judge(
        &mut self,
        chunk: Vec<Result<jetstream::Message, consumer::pull::MessagesError>>,
        delivered: &mut u64,
    ) -> Result<bool, NatsError> {
        let mut out = Outbox::default();
        let mut is_whole = true;
        for message in chunk {
            let Ok(message) = message else {
                is_whole = false;
                break;
            };
            let info = message.info().asking(|| "reading a message".to_owned())?;
            if info.consumer_sequence != *delivered + 1 {
                is_whole = false;
                break;
            }
            *delivered += 1;
            let sequence = info.stream_sequence;
            self.take(&message, sequence, &mut out);
            self.hand_in(sequence).await?;
            if out.lines.len() >= MESSAGE_BYTES {
                self.publish(&mut out).await?;
            }
        }
        self.publish(&mut out).await?;
        Ok(is_whole)
    }

    fn take(&mut self, message: &jetstream::Message, sequence: u64, out: &mut Outbox) {
        let is_mark = message.headers.as_ref().is_some_and(|headers| headers.get(MARK_HEADER).is_some());
        if is_mark {
            self.verdict(&message.payload, sequence);
        } else {
            let share = self.number;
            let at = |line| At::Stream { share, sequence, line };
            // What is published already is judged again for what it teaches.
            let lines = (sequence > self.through).then_some(&mut out.lines);
            self.since.events += self.share.take(at, &message.payload, lines);
        }
        self.sequence = sequence;
        out.through = sequence;
    }

    /// Hands in what a message shows, before anything says that it was judged. While that fails, nothing goes on.
    async fn hand_in(&mut self, sequence: u64) -> Result<(), NatsError> {
        let (Some(hand), Some(handed)) = (&self.settings.hand, &mut self.share.handed) else { return Ok(()) };
        let handed = std::mem::take(handed);
        if sequence <= self.through {
            return Ok(());
        }
        for (part, batch) in (0..).zip(handed.chunks(HANDED_MAX)) {
            let number = sequence * PARTS + part;
            self.step(Step::HandedIn, When::Before)?;
            let mut is_told = false;
            while let Err(why) = tokio::task::block_in_place(|| hand(self.number, number, batch)) {
                if !std::mem::replace(&mut is_told, true) {
                    (self.settings.tell)(format!("share {}: it is tried again: {why}", self.number));
                }
                if !self.alive.is() {
                    return Err(NatsError::Lost(self.number));
                }
                tokio::time::sleep(self.settings.lease / 10).await;
            }
            self.step(Step::HandedIn, When::After)?;
        }
        Ok(())
    }

    /// Learns a verdict that came among the events.
    fn verdict(&mut self, payload: &[u8], sequence: u64) {
        let learnt =
            serde_json::from_slice::<Marked>(payload).map_err(|error| error.to_string()).and_then(|marked| {
                let line = marked.line.as_deref().map(str::as_bytes);
                self.share.mark(&marked.event, line, (!marked.undo).then_some(marked.verdict))
            });
        if let Err(problem) = learnt {
            (self.settings.tell)(format!("share {}: verdict {sequence}: {problem}", self.number));
        }
        self.since.events += 1;
    }

    /// Publishes judgements, behind the message that we know to be the last.
    async fn publish(&mut self, out: &mut Outbox) -> Result<(), NatsError> {
        if out.lines.is_empty() {
            return Ok(());
        }
        let Outbox { lines, through } = std::mem::take(out);
        let payload = bytes::Bytes::from(lines);
        self.step(Step::Published, When::Before)?;
        for _ in 0..PUBLISH_TRIES {
            let mut headers = HeaderMap::new();
            headers.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.last.to_string());
            headers.insert(async_nats::header::NATS_MESSAGE_ID, format!("{}-{through}", self.number));
            headers.insert(THROUGH_HEADER, through.to_string());
            let subject = subject_judged(self.number);
            let sent = self.estate.context.publish_with_headers(subject, headers, payload.clone()).await;
            let acknowledged = match sent {
                Ok(sent) => sent.await,
                Err(error) => Err(error),
            };
            match acknowledged {
                Ok(ack) => {
                    (self.last, self.through) = (ack.sequence, through);
                    return self.step(Step::Published, When::After);
                }
                // Ours arrived and its acknowledgement did not, or somebody else holds the share.
                Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => {
                    self.look_back().await?;
                    if self.through == through {
                        return Ok(());
                    }
                    return Err(NatsError::Lost(self.number));
                }
                Err(_) if !self.alive.is() => break,
                Err(_) => tokio::time::sleep(self.settings.lease / 10).await,
            }
        }
        Err(NatsError::Lost(self.number))
    }

    /// Looks which judgements of this share are published.
    async fn look_back(&mut self) -> Result<(), NatsError> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind as Kind;
        let subject = subject_judged(self.number);
        match self.estate.judged.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => {
                let through = message.headers.get(THROUGH_HEADER).and_then(|text| text.as_str().parse().ok());
                self.last = message.sequence;
                self.through = self.through.max(through.unwrap_or(0));
                Ok(())
            }
            Err(error) if error.kind() == Kind::NoMessageFound => {
                self.last = 0;
                Ok(())
            }
            Err(error) => Err(error).asking(|| format!("reading the last message of {subject}")),
        }
    }

    fn is_due(&self) -> bool {
        let since = self.since.at.elapsed();
        self.since.events > 0
            && since >= self.since.pause
            && (self.since.events >= self.settings.snapshot_events || since >= self.settings.snapshot_after)
    }

    /// Commits a snapshot of what was learnt up to here; at the end the share becomes nobody's.
    async fn commit(&mut self, is_end: bool) -> Result<(), NatsError> {
        let began = clock::instant();
        let mut entry = self.entry.clone();
        if is_end {
            entry.owner = None;
        }
        let has_news = entry.snapshots.first().is_none_or(|newest| newest.sequence < self.sequence);
        if has_news && self.sequence > 0 {
            let object = self.store().await?;
            let newest = lease::Snapshot { object, sequence: self.sequence, through: self.through };
            entry.snapshots.insert(0, newest);
        }
        let needless = entry.snapshots.split_off(entry.snapshots.len().min(2));
        self.step(Step::EntryReplaced, When::Before)?;
        self.revision = lease::replace(&self.estate.bucket, self.number, &entry, self.revision).await?;
        self.entry = entry;
        self.step(Step::EntryReplaced, When::After)?;
        for old in needless {
            // It costs room alone; whoever takes the share next removes what is left over.
            let _ = self.estate.objects.delete(&old.object).await;
        }
        self.since =
            Since { events: 0, at: clock::instant(), pause: began.elapsed().saturating_mul(SNAPSHOT_PAUSE) };
        Ok(())
    }

    async fn store(&self) -> Result<String, NatsError> {
        let object = lease::object_name(self.number, self.entry.epoch, self.sequence);
        let doing = || format!("storing {object}");
        let mut bytes = Vec::new();
        let seal = self.settings.judging.secret.seal();
        let header = (self.number, self.sequence);
        snapshot::write(&mut bytes, &seal, &header, |out| self.share.write(out)).asking(doing)?;
        self.step(Step::ObjectStored, When::Before)?;
        self.estate.objects.put(object.as_str(), &mut bytes.as_slice()).await.asking(doing)?;
        self.step(Step::ObjectStored, When::After)?;
        Ok(object)
    }

    fn step(&self, step: Step, when: When) -> Result<(), NatsError> {
        self.steps.check(step, when).asking(|| format!("share {}", self.number))
    }
}

/// What the newest snapshot that can be used holds, and which it is; none where nothing was learnt.
pub(super) async fn newest<'e>(
    estate: &Estate,
    judging: &Judging,
    number: u32,
    entry: &'e Entry,
    tell: &(dyn Fn(String) + Sync),
) -> Result<Option<(Share, &'e lease::Snapshot)>, NatsError> {
    let mut refused = Vec::new();
    for snapshot in &entry.snapshots {
        match read(estate, judging, number, snapshot).await {
            Ok(share) => {
                refused.into_iter().for_each(tell);
                return Ok(Some((share, snapshot)));
            }
            Err(why) => refused.push(format!("{}: {why}", snapshot.object)),
        }
    }
    if refused.is_empty() {
        return Ok(None);
    }
    Err(NatsError::Snapshots { share: number, why: refused.join("; ") })
}

/// Reads one snapshot of a share.
async fn read(
    estate: &Estate,
    judging: &Judging,
    number: u32,
    of: &lease::Snapshot,
) -> Result<Share, Refused> {
    let other = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    let mut object = estate.objects.get(&of.object).await.map_err(|error| other(&error))?;
    let mut bytes = Vec::with_capacity(object.info().size);
    // A part that is not there any more is waited for by the client for ever.
    while tokio::time::timeout(PART_WAIT, object.read_buf(&mut bytes))
        .await
        .map_err(|late| other(&late))??
        > 0
    {}
    let (header, mut body) = snapshot::read::<(u32, u64), _>(Cursor::new(bytes), &judging.secret.seal())?;
    if header != (number, of.sequence) {
        return Err(Refused::Contents("it is of another share or place".to_owned()));
    }
    Share::read(judging, &mut body)
}
