//! `trefoil logins mark`: verdicts of analysts, learnt by the gate, by the watch that runs on a state, or here when none does.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::{Answer, LoginMark, Order};
use logins::answer::Above;
use logins::share::Judging;
use logins::state::{Folder, Learnt, Mark, Marks, StateError};
use logins::watch::{Told, Watch, WatchError, seal_line};
use logins::{clock, nats};
use risk::{Settings, Weights};
use serde_json::json;
use tlog::detail::LoginVerdict;

use super::watch::server;
use crate::cli::logins::watch::{self as cli, Verdict};
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder as Enclave;
use crate::record_log::{order_gate, unexpected};
use crate::terminal;

/// How long a running watch may take to learn a verdict.
const LEARN_WAIT_MS_MAX: u64 = 10_000;
const LOOK_EVERY_MS: u64 = 50;
/// The longest event.
const LINE_BYTES_MAX: u64 = 1 << 20;

impl Verdict {
    const fn of_risk(self) -> risk::Verdict {
        match self {
            Self::Legitimate => risk::Verdict::Legitimate,
            Self::Attack => risk::Verdict::Attack,
        }
    }

    const fn of_record(self) -> LoginVerdict {
        match self {
            Self::Legitimate => LoginVerdict::Legitimate,
            Self::Attack => LoginVerdict::Attack,
        }
    }
}

pub(crate) fn run(asked: &cli::Mark) -> Result<(), Ended> {
    if asked.list {
        return match &asked.state {
            Some(state) => list(state, asked.json),
            None => list_at_gate(&asked.enclave.folder(), asked.json),
        };
    }
    let (Some(event), Some(verdict), Some(because)) = (&asked.event, asked.verdict, &asked.because) else {
        return Err(Ended::cannot_tell("name an event, a verdict, and --because"));
    };
    let line = asked.line.as_deref().map(read_line).transpose()?;
    if asked.server.nats.is_some() {
        return in_nats(asked, event, verdict, because, line);
    }
    let Some(state) = &asked.state else { return at_gate(asked, event, verdict, because) };
    let secret = Folder::look(state).or_cannot_tell("--state")?.secret();
    let line = line.map(|line| seal_line(&secret, line.as_bytes())).transpose().or_cannot_tell("--line")?;
    let mark = Mark {
        event: event.clone(),
        verdict: verdict.of_risk(),
        undo: asked.undo,
        line,
        because: because.clone(),
        at_ms: clock::now_ms(),
    };
    match learn(state, mark)? {
        Some(Learnt { problem: None, .. }) => Ok(()),
        Some(Learnt { problem: Some(problem), .. }) => Err(Ended::not(problem)),
        None => {
            terminal::note("it is kept, and learnt when a watch runs on the state again");
            Ok(())
        }
    }
}

/// Has the gate learn a verdict, which its record holds first.
fn at_gate(asked: &cli::Mark, event: &str, verdict: Verdict, because: &str) -> Result<(), Ended> {
    if asked.line.is_some() {
        return Err(Ended::cannot_tell("--line is for --state and --nats: the gate knows its own logins"));
    }
    let Ok(event) = event.parse() else {
        return Err(Ended::cannot_tell(format!(
            "{event} is no index of an entry: `trefoil record show` lists them as login.judged; an event of a watch needs \
             --state or --nats"
        )));
    };
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let verdict = verdict.of_record();
    let order = Order::MarkLogin { event, verdict, undo: asked.undo, because: because.to_owned() };
    let Answer::Marked(entry) = order_gate(&folder, &order)? else { return Err(unexpected()) };
    if asked.json {
        return terminal::say_json(
            &json!({ "event": event, "verdict": verdict, "undo": asked.undo, "entry": entry }),
        );
    }
    let word = worded(verdict.as_str(), asked.undo);
    terminal::say(&format!("{event}: {word}, learnt by the gate; entry {entry} says so"));
    Ok(())
}

fn list_at_gate(folder: &Enclave, json: bool) -> Result<(), Ended> {
    folder.require_complete()?;
    let Answer::Marks(marks) = order_gate(folder, &Order::LoginMarks)? else { return Err(unexpected()) };
    for mark in &marks {
        if json {
            terminal::say_json(mark)?;
            continue;
        }
        let LoginMark { event, verdict, because, entry } = mark;
        terminal::say(&format!("{event}: {}, because {because} (entry {entry})", verdict.as_str()));
    }
    if marks.is_empty() && !json {
        terminal::say("no verdict is in force");
    }
    Ok(())
}

fn worded(verdict: &str, undo: bool) -> String {
    if undo { format!("not {verdict} any more") } else { verdict.to_owned() }
}

fn read_line(path: &Path) -> Result<String, Ended> {
    let mut line = String::new();
    let doing = || format!("--line {}", path.display());
    if path == Path::new("-") {
        std::io::stdin().take(LINE_BYTES_MAX).read_to_string(&mut line).or_cannot_tell(doing())?;
    } else {
        let file = std::fs::File::open(path).or_cannot_tell(doing())?;
        file.take(LINE_BYTES_MAX).read_to_string(&mut line).or_cannot_tell(doing())?;
    }
    Ok(line.trim().to_owned())
}

/// Has a verdict learnt by whoever writes the state.
fn learn(state: &Path, mark: Mark) -> Result<Option<Learnt>, Ended> {
    let judging = |secret| Judging {
        secret,
        weights: Arc::new(Weights::shipped()),
        settings: Settings::default(),
        places: Arc::default(),
        above: Above::Everything,
    };
    match Watch::open(state, judging, Told::nobody(), terminal::complain) {
        Ok(mut watch) => watch.mark(mark).or_cannot_tell("--state"),
        Err(WatchError::State(StateError::Locked { .. })) => {
            let mut marks = Marks::open(state).or_cannot_tell("--state")?;
            let number = marks.add(mark).or_cannot_tell("--state")? - 1;
            for _ in 0..LEARN_WAIT_MS_MAX / LOOK_EVERY_MS {
                marks.refresh().or_cannot_tell("--state")?;
                if let Some((_, Some(learnt))) = marks.get(number) {
                    return Ok(Some(learnt.clone()));
                }
                std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
            }
            Ok(None)
        }
        Err(error) => Err(error).or_cannot_tell("--state"),
    }
}

fn list(state: &Path, json: bool) -> Result<(), Ended> {
    Folder::look(state).or_cannot_tell("--state")?;
    let marks = Marks::open(state).or_cannot_tell("--state")?;
    for (number, mark) in marks.all().iter().enumerate() {
        let learnt = marks.get(number).and_then(|(_, learnt)| learnt);
        let problem = learnt.and_then(|learnt| learnt.problem.as_deref());
        let Mark { event, verdict, undo, because, at_ms, .. } = mark;
        if json {
            terminal::say_json(&json!({
                "event": event,
                "verdict": verdict,
                "undo": undo,
                "because": because,
                "at_ms": at_ms,
                "learnt": learnt.is_some_and(|learnt| learnt.problem.is_none()),
                "problem": problem,
            }))?;
            continue;
        }
        let word = match verdict {
            risk::Verdict::Legitimate => "legitimate",
            risk::Verdict::Attack => "attack",
        };
        let word = worded(word, *undo);
        let state = match (learnt, problem) {
            (None, _) => " (not learnt yet)".to_owned(),
            (Some(_), Some(problem)) => format!(" (not learnt: {problem})"),
            (Some(_), None) => String::new(),
        };
        terminal::say(&format!("{event}: {word}, because {because}{state}"));
    }
    Ok(())
}

/// Puts a verdict among the events of its share.
fn in_nats(
    asked: &cli::Mark,
    event: &str,
    verdict: Verdict,
    because: &str,
    line: Option<String>,
) -> Result<(), Ended> {
    let server = server(&asked.server)?;
    let at = event.parse().map_err(|error: String| Ended::cannot_tell(error))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")?;
    runtime.block_on(async {
        let estate = nats::Estate::open(&server, asked.server.shares).await.or_cannot_tell("--nats")?;
        let asked = nats::Asked {
            at,
            verdict: verdict.of_risk(),
            undo: asked.undo,
            because: because.to_owned(),
            line,
        };
        nats::mark(&estate, asked).await.or_not("--nats")?;
        terminal::note("it is among the events of its share; whoever holds the share learns it");
        Ok(())
    })
}
