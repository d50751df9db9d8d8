//! Events from files, standard input or HTTP, judged one after the other by one process that keeps what it learns in a
//! folder (`state`). It survives being killed at any moment: from the last snapshot on, files are read again and the
//! inbox is replayed, verdicts are learnt again after the same events, and what was told is not told again. Not here:
//! NATS, which shares the work among processes.

mod hand;
mod imported;
mod told;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::mpsc;

use crate::answer::{At, write_judgement};
use crate::clock;
use crate::http::{self, Answer, Counts, ERRORS_MAX, LineError, Posted};
use crate::share::{Judging, Share, TOGETHER};
use crate::state::{Inbox, Learnt, Mark, Marks, Refused, Sealer, State, StateError};
use crate::tail::{Block, LINE_BYTES_MAX, Place, Tail};
use hand::Handing;
pub use hand::{HANDED_MAX, Hand, Handed};
use imported::Imported;
pub use told::Told;

/// How often it is looked whether something new has come to a file, or a verdict.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Requests whose lines reach the disk together hold at most about so many bytes.
const TOGETHER_BYTES: usize = 8 << 20;
/// Writing snapshots takes at most this share of the time.
const SNAPSHOT_PAUSE: u32 = 20;
/// Blocks of a stream that may wait to be judged, and about how long each is.
const STREAM_BLOCKS_MAX: usize = 4;
const STREAM_BLOCK_BYTES: usize = 1 << 20;
/// Risky logins wait so long for others to go with.
const HAND_EVERY: Duration = Duration::from_secs(1);
/// How long requests that are being answered may take at the end.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// What a verdict's line is sealed for.
const MARK_LINE: &str = "mark";

/// Why a watch ends.
#[derive(Debug, Error)]
pub enum WatchError {
    /// The state or an input cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// What is to be told cannot be.
    #[error("{0}")]
    Tell(String),
    /// The stream cannot be read.
    #[error("reading the stream: {0}")]
    Input(io::Error),
    /// A log cannot be imported.
    #[error("{0}")]
    Import(String),
    /// Nobody can be listened to.
    #[error("{address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

/// When a snapshot is due.
#[derive(Debug, Clone, Copy)]
pub struct Every {
    /// After so many events…
    pub events: u64,
    /// …or, when there were any, after so long.
    pub time: Duration,
}

impl Default for Every {
    fn default() -> Self {
        Self { events: 1_000_000, time: Duration::from_secs(30) }
    }
}

/// Up to where a snapshot covers the input.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covers {
    /// Lines that were read, of whatever input.
    pub lines: u64,
    /// Frames of the inbox.
    inbox: u64,
    /// How far each file was read.
    files: BTreeMap<PathBuf, Place>,
    /// How far each log of another format was.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    imported: BTreeMap<PathBuf, Imported>,
    /// Verdicts that were looked at.
    marks: usize,
    /// When it was committed, milliseconds since 1970.
    pub at_ms: i64,
}

/// A state that is being judged into.
pub struct Watch {
    state: State,
    share: Share,
    covers: Covers,
    /// What the snapshot before the newest covers of the inbox: the rest stays.
    covered: u64,
    inbox: Inbox,
    marks: Marks,
    /// After so many lines a verdict is learnt again.
    next_mark: Option<u64>,
    told: Told,
    out: Vec<u8>,
    handing: Option<Handing>,
    /// When something was handed in last.
    handed: Instant,
    every: Every,
    events: u64,
    last: Instant,
    pause: Duration,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    complain: Arc<dyn Fn(&str) + Send + Sync>,
    /// Whoever gives the verdict is told what becomes of it.
    is_marking: bool,
}

impl Watch {
    /// Opens a state as its last snapshot has it. What it had taken in since is judged again before anything else is.
    pub fn open(
        dir: &Path,
        judging: impl FnOnce(crate::state::Secret) -> Judging,
        mut told: Told,
        complain: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, WatchError> {
        let mut state = State::open(dir)?;
        let judging = judging(state.folder().secret());
        let newest = state.resume(|covers: Covers, body| Ok((covers, Share::read(&judging, body)?)))?;
        newest.refused.iter().for_each(|why| complain(why));
        let (covers, share) = match newest.used {
            Some((_, used)) => used,
            None => (Covers::default(), Share::new(&judging)),
        };
        told.resume(covers.lines)
            .map_err(|error| WatchError::Tell(format!("telling judgements: {error}")))?;
        let (inbox, marks) = (state.inbox(covers.inbox)?, Marks::open(dir)?);
        Ok(Self {
            state,
            share,
            covered: covers.inbox,
            covers,
            inbox,
            marks,
            next_mark: None,
            told,
            out: Vec::new(),
            handing: None,
            handed: clock::instant(),
            every: Every::default(),
            events: 0,
            last: clock::instant(),
            pause: Duration::ZERO,
            counts: Arc::default(),
            stop: Arc::default(),
            complain: Arc::new(complain),
            is_marking: false,
        })
    }

    /// Says when snapshots are due.
    pub fn set_every(&mut self, every: Every) {
        self.every = every;
    }

    /// Has what is risky handed in, batch by batch.
    pub fn hand_in(&mut self, hand: Hand) -> Result<(), WatchError> {
        let dir = self.state.folder().dir();
        let handing = Handing::open(dir, hand).map_err(|error| WatchError::Tell(error.to_string()))?;
        (self.handing, self.share.handed) = (Some(handing), Some(Vec::new()));
        Ok(())
    }

    /// Hands in what waits, if it is time. While too much waits, nothing more is judged.
    fn hand_over(&mut self) {
        let Some(handing) = &mut self.handing else { return };
        self.share.handed.iter_mut().flat_map(|new| new.drain(..)).for_each(|new| handing.add(new));
        if handing.is_empty() || !(handing.is_due() || self.handed.elapsed() >= HAND_EVERY) {
            return;
        }
        self.handed = clock::instant();
        while let Err(problem) = handing.hand_in(self.covers.lines) {
            (self.complain)(&format!("{problem}; it is handed in later"));
            if !handing.is_full() || self.stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(HAND_EVERY);
        }
    }

    /// Whether all is handed in that a snapshot would cover.
    fn is_handed_in(&mut self) -> bool {
        let Some(handing) = &mut self.handing else { return true };
        if let Err(problem) = handing.hand_in(self.covers.lines) {
            (self.complain)(&format!("{problem}; no snapshot is taken before it is handed in"));
        }
        handing.is_empty()
    }

    /// What ends it, once it is set: then it commits.
    pub fn stop(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// What is known.
    pub fn share(&self) -> &Share {
        &self.share
    }

    fn replay(&mut self) -> Result<(), WatchError> {
        for lines in self.inbox.replay(self.covers.inbox)? {
            self.judge(&lines?, None)?;
            self.covers.inbox += 1;
        }
        Ok(())
    }

    /// Judges a file to its end, or for as long as it grows, and commits.
    pub fn file(&mut self, path: &Path, follow: bool) -> Result<(), WatchError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.replay()?;
        let mut tail = Tail::open(&path, follow, self.covers.files.get(&path))?;
        // Until a snapshot says how it begins, a file that is renamed is lost.
        let mut is_new = !self.covers.files.contains_key(&path);
        while !self.stop.load(Ordering::Relaxed) {
            tail.told().iter().for_each(|told| (self.complain)(told));
            let is_over = match tail.read()? {
                Block::Lines(lines) => {
                    self.judge(lines, None)?;
                    false
                }
                Block::Idle => {
                    std::thread::sleep(LOOK_EVERY);
                    self.verdicts()?;
                    self.hand_over();
                    false
                }
                Block::End => true,
            };
            self.covers.files.insert(path.clone(), tail.place());
            if is_over {
                break;
            }
            if is_new && tail.place().offset > 0 {
                self.commit()?;
                is_new = false;
            }
            self.commit_if_due()?;
        }
        self.commit()
    }

    /// Judges a stream to its end, and commits. What was read of it is kept, because nobody can read it again.
    pub fn stream(&mut self, from: impl Read + Send + 'static) -> Result<(), WatchError> {
        let (to, posted) = mpsc::channel(STREAM_BLOCKS_MAX);
        let failed = Arc::new(Mutex::new(None));
        let failure = failed.clone();
        std::thread::spawn(move || {
            if let Err(error) = feed(from, &to) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        self.posted(posted)?;
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.map_or(Ok(()), |error| Err(WatchError::Input(error)))
    }

    /// Judges what is posted by HTTP until it is stopped, and commits. `listening` is told where, once it is.
    pub fn listen(
        &mut self,
        address: SocketAddr,
        token: Option<String>,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<(), WatchError> {
        // Nothing is taken in before what was is judged.
        self.replay()?;
        let at = |error| WatchError::Listen { address, error };
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().map_err(at)?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address)).map_err(at)?;
        listening(listener.local_addr().map_err(at)?);
        let (to, posted) = mpsc::channel(http::REQUESTS_MAX);
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let serving = runtime.spawn(http::serve(listener, token, to, self.counts.clone(), stopped));
        let judged = self.posted(posted);
        stop.send_replace(true);
        runtime.shutdown_timeout(SHUTDOWN);
        drop(serving);
        judged
    }

    /// Judges what is posted until nobody posts any more or it is stopped, and commits.
    pub fn posted(&mut self, mut posted: mpsc::Receiver<Posted>) -> Result<(), WatchError> {
        self.replay()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| WatchError::Tell(error.to_string()))?;
        while !self.stop.load(Ordering::Relaxed) {
            let first = runtime.block_on(async { tokio::time::timeout(LOOK_EVERY, posted.recv()).await });
            match first {
                Ok(Some(first)) => self.together(first, &mut posted)?,
                Ok(None) => break,
                Err(_) => {
                    self.verdicts()?;
                    self.hand_over();
                }
            }
            self.commit_if_due()?;
        }
        self.commit()
    }

    /// Keeps and judges one request and those that wait behind it.
    fn together(&mut self, first: Posted, posted: &mut mpsc::Receiver<Posted>) -> Result<(), WatchError> {
        let mut bytes = first.lines.len();
        let mut all = vec![first];
        while bytes < TOGETHER_BYTES {
            let Ok(next) = posted.try_recv() else { break };
            bytes += next.lines.len();
            all.push(next);
        }
        let mut frame = Vec::with_capacity(bytes + all.len());
        for one in &all {
            frame.extend_from_slice(&one.lines);
            // The next one's first line is no part of this one's last.
            if !one.lines.is_empty() && !one.lines.ends_with(b"\n") {
                frame.push(b'\n');
            }
        }
        self.inbox.append(&frame)?;
        self.covers.inbox += 1;
        for one in all {
            let mut answer = Answer { is_judged: one.is_judged, ..Answer::default() };
            self.judge(&one.lines, Some(&mut answer))?;
            if let Some(to) = one.answer {
                // Whoever hung up is told nothing.
                let _ = to.send(answer);
            }
        }
        Ok(())
    }

    /// Judges lines, and tells what is to be told.
    fn judge(&mut self, lines: &[u8], mut answer: Option<&mut Answer>) -> Result<(), WatchError> {
        self.verdicts()?;
        let before = self.share.counts();
        let mut lines = crate::lines::of(lines).peekable();
        while lines.peek().is_some() {
            if self.next_mark.is_some_and(|after| after <= self.covers.lines) {
                self.verdicts()?;
            }
            // A verdict is learnt again after the line that it was learnt after.
            let until_mark = self.next_mark.map_or(u64::MAX, |after| after.saturating_sub(self.covers.lines));
            let together = usize::try_from(until_mark).unwrap_or(TOGETHER).clamp(1, TOGETHER);
            let batch: Vec<_> = lines.by_ref().take(together).collect();
            self.judge_batch(&batch, answer.as_deref_mut());
        }
        self.count(before, answer);
        self.told.tell(&mut self.out, self.covers.lines).map_err(WatchError::Tell)?;
        self.hand_over();
        Ok(())
    }

    fn judge_batch(&mut self, batch: &[(u64, &[u8])], mut answer: Option<&mut Answer>) {
        let first = self.covers.lines;
        self.covers.lines += batch.len() as u64;
        let lines = (first..).map(At::Index).zip(batch).filter(|(_, (_, line))| !line.is_empty());
        let read: Vec<_> = lines.map(|(at, (number, line))| (at, *number, self.share.login(line))).collect();
        let logins = read.iter().filter_map(|(_, _, read)| read.as_ref().ok()?.as_ref());
        let mut judgements = self.share.judge(logins).into_iter();
        for (at, number, read) in &read {
            match read {
                Ok(Some(login)) => {
                    let Some(judgement) = judgements.next() else { break };
                    let event = login.event();
                    let out = self.told.is_new(*at).then_some(&mut self.out);
                    self.share.tell(*at, &event, &judgement, out);
                    if let Some(answer) = answer.as_deref_mut().filter(|answer| answer.is_judged) {
                        // Writing to memory does not fail.
                        let _ = write_judgement(&mut answer.judgements, *at, &event, &judgement, None);
                    }
                }
                Ok(None) => {}
                Err(wrong) => {
                    let error = wrong.clone().in_line(*number).to_string();
                    self.refused(*number, error, answer.as_deref_mut());
                }
            }
        }
    }

    fn refused(&self, line: u64, error: String, answer: Option<&mut Answer>) {
        match answer {
            None => (self.complain)(&error),
            Some(answer) if answer.is_judged => {
                // Writing to memory does not fail.
                let _ = serde_json::to_writer(&mut answer.judgements, &LineError { line, error });
                answer.judgements.push(b'\n');
            }
            Some(answer) => {
                if answer.errors.len() < ERRORS_MAX {
                    answer.errors.push(LineError { line, error });
                }
            }
        }
    }

    fn count(&mut self, before: crate::share::Counts, answer: Option<&mut Answer>) {
        let now = self.share.counts();
        let (events, refused) = (now.judged - before.judged, now.refused - before.refused);
        self.events += events;
        if let Some(answer) = answer {
            (answer.accepted, answer.refused) = (events, refused);
            answer.passed_over = now.passed_over - before.passed_over;
        }
        self.counts.events.fetch_add(events, Ordering::Relaxed);
        self.counts.refused.fetch_add(refused, Ordering::Relaxed);
        self.counts.told.fetch_add(now.told - before.told, Ordering::Relaxed);
    }

    /// Learns verdicts that are due: those that were learnt after this event before a crash, and new ones.
    fn verdicts(&mut self) -> Result<(), WatchError> {
        self.marks.refresh()?;
        loop {
            let number = self.covers.marks;
            let (mark, is_new) = match self.marks.get(number) {
                None => {
                    self.next_mark = None;
                    return Ok(());
                }
                Some((_, Some(learnt))) if learnt.after > self.covers.lines => {
                    self.next_mark = Some(learnt.after);
                    return Ok(());
                }
                Some((mark, learnt)) => (mark.clone(), learnt.is_none()),
            };
            let problem = self.learn(&mark).err();
            if is_new {
                if let Some(problem) = problem.as_ref().filter(|_| !self.is_marking) {
                    (self.complain)(&format!("verdict {} is not learnt: {problem}", number + 1));
                }
                self.marks.learn(Learnt { after: self.covers.lines, problem })?;
            }
            self.covers.marks += 1;
            self.events += 1;
        }
    }

    fn learn(&mut self, mark: &Mark) -> Result<(), String> {
        let line = match &mark.line {
            None => None,
            Some(line) => Some(open_line(&self.state.folder().secret(), line)?),
        };
        self.share.mark(&mark.event, line.as_deref(), (!mark.undo).then_some(mark.verdict))
    }

    fn commit_if_due(&mut self) -> Result<(), WatchError> {
        let since = self.last.elapsed();
        let is_due = self.events >= self.every.events || since >= self.every.time;
        if self.events > 0 && since >= self.pause && is_due {
            return self.commit();
        }
        Ok(())
    }

    /// Keeps a verdict, and learns it at once where that does not go before what was judged already. Whether it was
    /// learnt, or why not.
    pub fn mark(&mut self, mark: Mark) -> Result<Option<Learnt>, WatchError> {
        let number = self.marks.add(mark)? - 1;
        self.is_marking = true;
        self.verdicts()?;
        let learnt = self.marks.get(number).and_then(|(_, learnt)| learnt.cloned());
        if learnt.is_some() {
            self.commit()?;
        }
        Ok(learnt)
    }

    /// Commits what was learnt.
    pub fn commit(&mut self) -> Result<(), WatchError> {
        let began = clock::instant();
        self.verdicts()?;
        if !self.is_handed_in() {
            // What is covered is not judged again, and would be handed in never.
            (self.last, self.pause) = (clock::instant(), self.every.time);
            return Ok(());
        }
        self.told.sync().map_err(WatchError::Tell)?;
        self.covers.at_ms = clock::now_ms();
        let share = &self.share;
        self.state.commit(&self.covers, |out| share.write(out))?;
        // The snapshot before this one may have to be used.
        self.inbox.prune(self.covered)?;
        self.covered = self.covers.inbox;
        self.counts.snapshots.fetch_add(1, Ordering::Relaxed);
        (self.events, self.last) = (0, clock::instant());
        self.pause = began.elapsed().saturating_mul(SNAPSHOT_PAUSE);
        Ok(())
    }
}

/// Reads a stream in blocks of whole lines.
fn feed(mut from: impl Read, to: &mpsc::Sender<Posted>) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let had = buffer.len();
        buffer.resize(had + STREAM_BLOCK_BYTES, 0);
        let read = match from.read(buffer.get_mut(had..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
            // The last line may have no end.
            Ok(0) if had == 0 => return Ok(()),
            Ok(0) => {
                buffer.truncate(had);
                let _ = to.blocking_send(Posted { lines: buffer, is_judged: false, answer: None });
                return Ok(());
            }
            Ok(read) => read,
        };
        buffer.truncate(had + read);
        let Some(end) = memchr::memrchr(b'\n', &buffer) else {
            if buffer.len() > LINE_BYTES_MAX {
                return Err(io::Error::other(format!("a line is longer than {LINE_BYTES_MAX} bytes")));
            }
            continue;
        };
        let rest = buffer.split_off(end + 1);
        let lines = std::mem::replace(&mut buffer, rest);
        // Whoever judges has ended.
        if to.blocking_send(Posted { lines, is_judged: false, answer: None }).is_err() {
            return Ok(());
        }
    }
}

/// Seals how an event came, for the file of verdicts.
pub fn seal_line(secret: &crate::state::Secret, line: &[u8]) -> Result<String, StateError> {
    use base64::Engine as _;
    let sealed = Sealer::new(secret, MARK_LINE).seal(&[], line);
    let sealed = sealed.map_err(|source| StateError::Io { path: PathBuf::from("marks"), source })?;
    Ok(base64::engine::general_purpose::STANDARD.encode(sealed))
}

fn open_line(secret: &crate::state::Secret, line: &str) -> Result<Vec<u8>, String> {
    use base64::Engine as _;
    let sealed = base64::engine::general_purpose::STANDARD.decode(line).map_err(|error| error.to_string())?;
    Sealer::new(secret, MARK_LINE).open(&[], &sealed).ok_or_else(|| Refused::Altered.to_string())
}
