//! What is known of a share of the users, or of all of them: an engine, and the last risky logins with why they were held
//! to be. Events go in as lines and come out as judgements; the same lines in the same order give the same ones. Not
//! here: where lines come from (`watch`, `nats`), where a share is kept (`state`, `nats`).

mod recent;

use std::io::{self, Read, Write};
use std::sync::{Arc, PoisonError, RwLock};

use places::Places;
use risk::{Engine, Event, Judgement, Settings, Verdict, Weights};

use crate::answer::{self, Above, At};
use crate::login::Login;
use crate::ocsf;
use crate::problem::Wrong;
use crate::state::{Folder, Newest, Refused, Secret, StateError};
use crate::watch::{Covers, Handed};
use recent::Recent;

pub use recent::Risky;

/// Lines that are read before the first of them is judged: the engine judges several sooner than as many alone.
pub(crate) const TOGETHER: usize = 16;

/// How events are judged.
#[derive(Clone)]
pub struct Judging {
    /// Under which names are hashed and what is kept is sealed.
    pub secret: Secret,
    /// What each feature weighs.
    pub weights: Arc<Weights>,
    /// From where on something is done.
    pub settings: Settings,
    /// Where addresses are, as far as that is known.
    pub places: Arc<RwLock<Places>>,
    /// Which judgements are told.
    pub above: Above,
}

/// A share.
pub struct Share {
    judging: Judging,
    engine: Engine,
    recent: Recent,
    /// What is to be handed in, where somebody takes it.
    pub(crate) handed: Option<Vec<Handed>>,
    counts: Counts,
}

/// What became of events, since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that were judged.
    pub judged: u64,
    /// Lines of other classes.
    pub passed_over: u64,
    /// Lines that are no event.
    pub refused: u64,
    /// Judgements that were told.
    pub told: u64,
}

impl Share {
    /// One that knows nobody.
    pub fn new(judging: &Judging) -> Self {
        let engine = Engine::new(judging.secret.key(), (*judging.weights).clone(), judging.settings);
        Self {
            judging: judging.clone(),
            engine,
            recent: Recent::default(),
            handed: None,
            counts: Counts::default(),
        }
    }

    /// Reads what [`Share::write`] wrote.
    pub(crate) fn read(judging: &Judging, mut from: &mut dyn Read) -> Result<Self, Refused> {
        let recent = Recent::read(&judging.secret, from)?;
        let (key, weights) = (judging.secret.key(), (*judging.weights).clone());
        let engine = Engine::read(&mut from, key, weights, judging.settings)
            .map_err(|error| Refused::Contents(error.to_string()))?;
        Ok(Self { judging: judging.clone(), engine, recent, handed: None, counts: Counts::default() })
    }

    /// Writes all that is known.
    pub(crate) fn write(&self, mut out: &mut dyn Write) -> io::Result<()> {
        self.recent.write(&self.judging.secret, out)?;
        self.engine.write(&mut out)
    }

    /// Judges every line and appends what is to be told of it; without `out` nothing is.
    pub(crate) fn take(
        &mut self,
        at: impl Fn(u64) -> At,
        lines: &[u8],
        mut out: Option<&mut Vec<u8>>,
    ) -> u64 {
        let before = self.counts.judged;
        let mut lines = crate::lines::of(lines).peekable();
        while lines.peek().is_some() {
            let read = lines.by_ref().take(TOGETHER).map(|(number, line)| (at(number - 1), self.login(line)));
            // A line that is none was told to whoever sent it; the count of them is told here.
            let logins: Vec<_> = read.filter_map(|(at, read)| Some((at, read.ok()??))).collect();
            let judgements = self.judge(logins.iter().map(|(_, login)| login));
            for ((at, login), judgement) in logins.iter().zip(&judgements) {
                self.tell(*at, &login.event(), judgement, out.as_deref_mut());
            }
        }
        self.counts.judged - before
    }

    /// The login of a line, with what is known of its address.
    pub(crate) fn login<'l>(&mut self, line: &'l [u8]) -> Result<Option<Login<'l>>, Wrong> {
        let mut read = ocsf::read(line);
        match &mut read {
            Ok(Some(login)) => self.place(login),
            Ok(None) => self.counts.passed_over += 1,
            Err(_) => self.counts.refused += 1,
        }
        read
    }

    /// Judges logins in their order. Each is then to be told of.
    pub(crate) fn judge<'l>(&mut self, logins: impl Iterator<Item = &'l Login<'l>>) -> Vec<Judgement> {
        let events: Vec<Event<'l>> = logins.map(Login::event).collect();
        self.counts.judged += events.len() as u64;
        self.engine.judge_all(&events)
    }

    /// Remembers a judgement if it is of a risky login, hands it in, and appends what there is to tell.
    pub(crate) fn tell(
        &mut self,
        at: At,
        event: &Event<'_>,
        judgement: &Judgement,
        out: Option<&mut Vec<u8>>,
    ) {
        let is_risky = judgement.score >= self.judging.settings.step_up_at
            || judgement.action > risk::Action::Allow
            || !judgement.findings.is_empty();
        if is_risky {
            self.recent.add(at, self.engine.tag_of(event.user), event, judgement);
        }
        if let Some(handed) = &mut self.handed {
            handed.extend(Handed::of(at, event, judgement));
        }
        if let Some(out) = out {
            self.append(at, event, judgement, out);
        }
    }

    fn append(&mut self, at: At, event: &Event<'_>, judgement: &Judgement, out: &mut Vec<u8>) {
        let before = out.len();
        // Writing to memory does not fail.
        for finding in judgement.findings.iter().filter(|finding| is_news(finding)) {
            let _ = answer::write_finding(out, at, finding, event.time_ms);
        }
        if self.judging.above.has(judgement) {
            let _ = answer::write_judgement(out, at, event, judgement, None);
        }
        self.counts.told += u64::from(out.len() > before);
    }

    /// Adds what is known of a login's address.
    fn place(&self, login: &mut Login<'_>) {
        let mut event = login.event();
        self.judging.places.read().unwrap_or_else(PoisonError::into_inner).fill(&mut event);
        login.place = event.place;
    }

    /// Learns a verdict, or takes it back. Which event it was is known where it was risky; else its line is needed.
    pub(crate) fn mark(
        &mut self,
        name: &str,
        line: Option<&[u8]>,
        verdict: Option<Verdict>,
    ) -> Result<(), String> {
        let line = match line.map(<[u8]>::to_vec).or_else(|| self.recent.line(name)) {
            Some(line) => line,
            None => {
                return Err(format!(
                    "event {name} is not among the last risky ones; give it as it came, with --line FILE"
                ));
            }
        };
        let mut login = match ocsf::read(&line) {
            Ok(Some(login)) => login,
            Ok(None) => return Err("the line is no event of authentication".to_owned()),
            Err(wrong) => return Err(wrong.in_line(1).to_string()),
        };
        self.place(&mut login);
        let event = login.event();
        match verdict {
            Some(verdict) => {
                self.engine.mark(&event, verdict).map_err(|full| full.to_string())?;
                self.recent.keep(name, &line);
            }
            None if self.engine.unmark(&event) => self.recent.release(name),
            None => return Err(format!("there is no verdict on event {name}")),
        }
        Ok(())
    }

    /// What is known of a user, as of the latest event.
    pub fn known(&self, user: &str) -> risk::Known {
        self.engine.known(user, self.engine.now_ms())
    }

    /// The last risky logins of a user, the newest first.
    pub fn risky(&self, user: &str) -> Vec<Risky> {
        self.recent.of(self.engine.tag_of(user))
    }

    /// What was learnt, to judge by without keeping what is learnt from then on.
    pub fn into_engine(self) -> Engine {
        self.engine
    }

    /// How many users are remembered.
    pub fn users(&self) -> u64 {
        self.engine.users()
    }

    /// What became of events.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

/// The newest snapshot of a folder's state that can be used, without writing anything.
pub fn newest(folder: &Folder, judging: &Judging) -> Result<Newest<(Covers, Share)>, StateError> {
    folder.newest(|covers: Covers, body| Ok((covers, Share::read(judging, body)?)))
}

/// Whether a finding is told: when it is new, and when what it is of has doubled.
pub(crate) fn is_news(finding: &risk::Finding) -> bool {
    finding.is_new || finding.attempts.is_power_of_two()
}
