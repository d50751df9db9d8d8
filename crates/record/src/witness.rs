//! Witnesses of others: every one that the release rule names with an address is asked for its cosignature by C2SP
//! tlog-witness (`POST <address>/add-checkpoint`), and nothing else is assumed of it. Each is asked by a task of its own,
//! one checkpoint at a time, so that a slow one holds up nobody but those who need it; whoever was busy goes on with the
//! newest checkpoint. Which cosignatures are enough is the release rule's to say (`exchange`).
//!
//! What a witness cosigned last is remembered, not stored: a wrong guess costs one answer with the size that is right.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::StatusCode;
use tlog::note::{Signature, SignedNote, VerifierKey};
use tlog::rule::ReleaseRule;
use tlog::witness::AddCheckpoint;
use tokio::sync::{mpsc, watch};

use crate::grown::Grown;
use crate::link::{Answer, Link, LinkError};
use crate::tls::Tls;

/// How often a witness is asked about one checkpoint: by a guess, by the size that it answered, and once more if somebody
/// else told it of another one meanwhile.
const ASKED_MAX: usize = 3;
/// How much of an unexpected answer is quoted.
const PROBLEM_CHARS_MAX: usize = 200;

/// All of them.
pub(crate) struct Witnesses {
    /// Until the first checkpoint, none is at work.
    idle: Vec<Asker>,
    asked: watch::Sender<Option<Arc<Asked>>>,
    answers: mpsc::UnboundedReceiver<Answered>,
    count: usize,
}

/// A checkpoint that its log has signed.
struct Asked {
    note: SignedNote,
    size: u64,
}

/// What a witness said to a checkpoint.
struct Answered {
    to: Arc<Asked>,
    outcome: Result<Signature, String>,
}

/// Asks one witness.
struct Asker {
    key: VerifierKey,
    link: Link,
    grown: Arc<Mutex<Grown>>,
    /// What it cosigned last, as far as we know.
    size: u64,
    asked: watch::Receiver<Option<Arc<Asked>>>,
    answers: mpsc::UnboundedSender<Answered>,
}

impl Witnesses {
    /// Those that the rule gives an address. `size` is what each is believed to have cosigned.
    pub(crate) fn of(rule: &ReleaseRule, grown: &Arc<Mutex<Grown>>, size: u64) -> Result<Self, LinkError> {
        let (asked, wanted) = watch::channel(None);
        let (answers, heard) = mpsc::unbounded_channel();
        let mut idle = Vec::new();
        for (key, url) in rule.addresses() {
            let tls = if url.starts_with("https:") { Some(Tls::of_system()?) } else { None };
            let link = Link::new(url, tls.as_ref())?;
            let (key, grown, asked, answers) = (key.clone(), grown.clone(), wanted.clone(), answers.clone());
            idle.push(Asker { key, link, grown, size, asked, answers });
        }
        Ok(Self { count: idle.len(), idle, asked, answers: heard })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Asks all of them about this checkpoint.
    pub(crate) fn ask(&mut self, note: &SignedNote, size: u64) {
        if self.is_empty() {
            return;
        }
        for asker in self.idle.drain(..) {
            tokio::spawn(asker.run());
        }
        self.asked.send_replace(Some(Arc::new(Asked { note: note.clone(), size })));
    }

    /// Adds the cosignatures of the checkpoint that was asked about last, until they are enough. Otherwise, when all have
    /// answered, says what is missing and why.
    pub(crate) async fn gather<E: std::fmt::Display>(
        &mut self,
        cosignatures: &mut Vec<Signature>,
        enough: impl Fn(&[Signature]) -> Result<(), E>,
    ) -> Result<(), String> {
        let asked = self.asked.borrow().clone();
        let (mut waiting, mut problems) = (self.count, Vec::new());
        loop {
            while let Ok(answered) = self.answers.try_recv() {
                take(answered, asked.as_ref(), &mut waiting, cosignatures, &mut problems);
            }
            let Err(missing) = enough(cosignatures) else { return Ok(()) };
            if waiting == 0 {
                return Err([vec![missing.to_string()], problems].concat().join("; "));
            }
            let Some(answered) = self.answers.recv().await else { return Err(missing.to_string()) };
            take(answered, asked.as_ref(), &mut waiting, cosignatures, &mut problems);
        }
    }
}

/// Takes an answer into account, unless it is to an earlier checkpoint.
fn take(
    answered: Answered,
    asked: Option<&Arc<Asked>>,
    waiting: &mut usize,
    cosignatures: &mut Vec<Signature>,
    problems: &mut Vec<String>,
) {
    if !asked.is_some_and(|asked| Arc::ptr_eq(asked, &answered.to)) {
        return;
    }
    *waiting = waiting.saturating_sub(1);
    match answered.outcome {
        Ok(cosignature) => cosignatures.push(cosignature),
        Err(problem) => problems.push(problem),
    }
}

impl Asker {
    /// Until the record stops.
    async fn run(mut self) {
        let mut last = None;
        while self.asked.changed().await.is_ok() {
            let Some(asked) = self.asked.borrow_and_update().clone() else { continue };
            let outcome =
                self.cosign(&asked).await.map_err(|problem| format!("{}: {problem}", self.key.name()));
            let problem = outcome.as_ref().err().cloned();
            if problem != last {
                match &problem {
                    Some(problem) => tracing::warn!(problem, "a witness does not cosign"),
                    None => tracing::info!(witness = self.key.name(), "a witness cosigns again"),
                }
                last = problem;
            }
            let _ = self.answers.send(Answered { to: asked, outcome });
        }
    }

    async fn cosign(&mut self, asked: &Asked) -> Result<Signature, String> {
        for _ in 0..ASKED_MAX {
            let old = self.size.min(asked.size);
            let proof = self.grown.lock().unwrap_or_else(PoisonError::into_inner).proof(old, asked.size)?;
            let body = AddCheckpoint { old, proof, note: asked.note.clone() }.to_string();
            let answer = self.link.post("/add-checkpoint", Bytes::from(body)).await;
            let answer = answer.map_err(|error| error.to_string())?;
            match answer.status {
                StatusCode::OK => {
                    let cosignature = self.cosignature(&asked.note.text, &answer)?;
                    self.size = asked.size;
                    return Ok(cosignature);
                }
                StatusCode::CONFLICT => {
                    let held = std::str::from_utf8(&answer.body).ok();
                    let held: Option<u64> = held.and_then(|text| text.trim_end().parse().ok());
                    self.size = held.ok_or_else(|| unexpected(&answer))?;
                    if self.size == old {
                        return Err(format!("it cosigned {old} and says that it did not"));
                    }
                    if self.size > asked.size {
                        return Err(format!(
                            "it has cosigned {} entries, this checkpoint has {}; if that stays so, restore the record",
                            self.size, asked.size
                        ));
                    }
                }
                _ => return Err(unexpected(&answer)),
            }
        }
        Err("its size changes while it is asked; see that nobody else writes this log".to_owned())
    }

    /// The witness's own line of an answer. What else it says is ignored: only its own key is its to speak for.
    fn cosignature(&self, text: &str, answer: &Answer) -> Result<Signature, String> {
        let lines = std::str::from_utf8(&answer.body).map_err(|_| unexpected(answer))?;
        let ours = |line: &Signature| line.name() == self.key.name() && line.key_id() == self.key.id();
        let line = lines.lines().filter_map(|line| Signature::parse(line).ok()).find(ours);
        let line = line.ok_or_else(|| format!("no line by {} in its answer", self.key))?;
        let note = SignedNote { text: text.to_owned(), signatures: vec![line.clone()] };
        let verified = note.verify(std::slice::from_ref(&self.key)).map_err(|error| error.to_string())?;
        // Time zero says nothing of the newest size.
        match verified.first().and_then(|verified| verified.time) {
            Some(1..) => Ok(line),
            _ => Err("its cosignature has no time".to_owned()),
        }
    }
}

fn unexpected(answer: &Answer) -> String {
    let body: String = String::from_utf8_lossy(&answer.body).chars().take(PROBLEM_CHARS_MAX).collect();
    format!("it answered {}: {}", answer.status, body.trim())
}
