//! What an operator may ask about logins, and what those who watch other systems hand in: the gate is the record's only
//! writer. Each is in the record before it is answered. Not here: the socket (`control`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use record::Draft;
use risk::Verdict;
use serde::{Deserialize, Serialize};
use tlog::detail::{
    HandedLogins, LoginExplained, LoginJudged, LoginMarked, LoginVerdict, ResponseChange, ResponseKind,
};
use tlog::entry::Kind;

use super::file::{self, FileError};
use super::judge;
use super::responses::{self, New};
use super::verdicts::{Given, UNMARKED_MAX};
use crate::clock;
use crate::control::{Answer, LoginMark};
use crate::entries::detail_of;
use crate::gate::Gate;

/// Who may hand in: past it, somebody invents names.
const WATCHES_MAX: usize = 8_192;
/// Longest reason.
const BECAUSE_BYTES_MAX: usize = 512;
/// What is lost without the file.
const HELD: &str = "what was handed in of other systems already";

/// The last that each watch handed in: its number, and the entry that holds it.
#[derive(Debug)]
pub struct Handed {
    path: PathBuf,
    last: BTreeMap<String, Last>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    sequence: u64,
    entry: u64,
}

impl Handed {
    /// Of earlier runs.
    pub fn open(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join("handed.json");
        Ok(Self { last: file::read(&path, HELD)?, path })
    }
}

/// The responses in force.
pub fn list(gate: &Gate) -> Answer {
    Answer::Responses(gate.logins.responses.list(clock::now()))
}

/// Takes a response back.
pub async fn undo(gate: &Gate, id: &str, because: String) -> Answer {
    if let Err(answer) = check_reason(&because) {
        return answer;
    }
    match gate.logins.responses.undo(id) {
        Ok(Some(response)) => {
            tracing::warn!(id, because, "a response to suspicious logins is undone");
            let told = Box::new(response.clone());
            let entry = judge::note(gate, response, ResponseChange::Undone, Some(because), Vec::new()).await;
            Answer::Responded { response: told, entry }
        }
        Ok(None) => Answer::Refused(format!(
            "no response {id} is in force; `trefoil logins responses list` names those that are"
        )),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// Lets somebody's next logins from an address pass, as the operator answers for them.
pub async fn pass(gate: &Arc<Gate>, principal: &str, from: &str, because: &str) -> Answer {
    if let Err(answer) = check_reason(because) {
        return answer;
    }
    if gate.config.bundle.directory().principal(principal).is_none() {
        return Answer::Refused(format!("`{principal}` is no principal"));
    }
    let Some(source) = responses::parse_source(from) else {
        return Answer::Refused(format!("`{from}` is no address, such as 192.0.2.7"));
    };
    let because = format!("the operator answers: {because}");
    let lasts = gate.logins.settings.pass;
    let new = New { kind: ResponseKind::Pass, source, principal: Some(principal), because: &because, lasts };
    match judge::begin_pass(gate, new).await {
        Ok((response, entry)) => Answer::Responded { response: Box::new(response), entry },
        Err(problem) => Answer::Refused(problem),
    }
}

/// What the gate knows of somebody's logins, for a purpose that policy knows, after an entry says who looked.
pub async fn explain(gate: &Gate, asked: LoginExplained) -> Answer {
    let bundle = &gate.config.bundle;
    if let Err(problem) = asked.check() {
        return Answer::Refused(problem);
    }
    if !bundle.enclave().purposes.contains(&asked.purpose) {
        let known: Vec<&str> = bundle.enclave().purposes.iter().map(String::as_str).collect();
        return Answer::Refused(format!(
            "policy knows no purpose `{}`; use one of {}",
            asked.purpose,
            known.join(", ")
        ));
    }
    let mut draft = Draft::new(Kind::LoginExplained);
    draft.policy = Some(bundle.hash().to_string());
    match append(gate, draft, &asked).await {
        Ok(entry) => match serde_json::to_value(gate.logins.known(&asked.user)) {
            Ok(known) => Answer::Explained { entry, known },
            Err(error) => Answer::Failed(error.to_string()),
        },
        Err(answer) => answer,
    }
}

/// Learns what an analyst says of a login that the record holds a judgement of, or takes it back, after an entry says so.
pub async fn mark(gate: &Gate, event: u64, verdict: LoginVerdict, undo: bool, because: String) -> Answer {
    let principal = match may_mark(gate, event, verdict, undo) {
        Ok(principal) => principal,
        Err(why) => return Answer::Refused(why),
    };
    let marked = LoginMarked { entry: event, principal, verdict, undone: undo, because };
    if let Err(problem) = marked.check() {
        return Answer::Refused(problem);
    }
    let mut draft = Draft::new(Kind::LoginMarked);
    draft.principal = Some(marked.principal.clone());
    draft.policy = Some(gate.config.bundle.hash().to_string());
    let entry = match append(gate, draft, &marked).await {
        Ok(entry) => entry,
        Err(answer) => return answer,
    };
    let given = Given { verdict: of_risk(verdict), because: marked.because, marked: entry };
    match gate.logins.state().mark(event, (!undo).then_some(given)) {
        Ok(()) => Answer::Marked(entry),
        Err(problem) => Answer::Failed(format!("entry {entry} says so: {problem}")),
    }
}

/// Whose login an entry is of, when it may be marked so. Orders come one after the other.
fn may_mark(gate: &Gate, event: u64, verdict: LoginVerdict, undo: bool) -> Result<String, String> {
    let state = gate.logins.state();
    let Some(told) = state.verdicts.get(event) else {
        return Err(format!(
            "entry {event} is none of the last {UNMARKED_MAX} judgements of logins at this gate; `trefoil record show` \
             lists them as login.judged, and proofs that failed and logins elsewhere have none"
        ));
    };
    match &told.given {
        Some(given) if undo && given.verdict != of_risk(verdict) => {
            Err(format!("the verdict on entry {event} is another; `trefoil logins mark --list` prints it"))
        }
        None if undo => Err(format!("there is no verdict on entry {event}")),
        None if !state.verdicts.has_room() => Err("no more verdicts fit: take some back".to_owned()),
        _ => Ok(told.logged.user.clone()),
    }
}

/// The verdicts in force.
pub fn marks(gate: &Gate) -> Answer {
    let state = gate.logins.state();
    let marks = state.verdicts.given().map(|(event, given)| LoginMark {
        event,
        verdict: match given.verdict {
            Verdict::Legitimate => LoginVerdict::Legitimate,
            Verdict::Attack => LoginVerdict::Attack,
        },
        because: given.because.clone(),
        entry: given.marked,
    });
    Answer::Marks(marks.collect())
}

fn of_risk(verdict: LoginVerdict) -> Verdict {
    match verdict {
        LoginVerdict::Legitimate => Verdict::Legitimate,
        LoginVerdict::Attack => Verdict::Attack,
    }
}

/// Appends what was judged of other systems. What was handed in already is answered as it was then.
pub async fn hand_in(gate: &Gate, handed: HandedLogins) -> Answer {
    let (watch, sequence) = (handed.watch.clone(), handed.sequence);
    let judged = LoginJudged::Handed(handed);
    if let Err(problem) = judged.check() {
        return Answer::Refused(problem);
    }
    {
        let known = gate.logins.handed.lock().unwrap_or_else(PoisonError::into_inner);
        match known.last.get(&watch) {
            Some(last) if sequence == last.sequence => return Answer::Recorded(last.entry),
            Some(last) if sequence < last.sequence => return Answer::Behind(last.sequence),
            None if known.last.len() >= WATCHES_MAX => {
                return Answer::Refused(format!("{WATCHES_MAX} others hand in already"));
            }
            _ => {}
        }
    }
    let mut draft = Draft::new(Kind::LoginJudged);
    draft.policy = Some(gate.config.bundle.hash().to_string());
    let entry = match append(gate, draft, &judged).await {
        Ok(entry) => entry,
        Err(answer) => return answer,
    };
    let mut known = gate.logins.handed.lock().unwrap_or_else(PoisonError::into_inner);
    known.last.insert(watch, Last { sequence, entry });
    match file::write(&known.path, &known.last) {
        Ok(()) => Answer::Recorded(entry),
        Err(error) => {
            Answer::Failed(format!("entry {entry} holds it, and that it does is not kept: {error}"))
        }
    }
}

async fn append(gate: &Gate, mut draft: Draft, detail: &impl Serialize) -> Result<u64, Answer> {
    draft.detail = Some(detail_of(detail).map_err(|fault| Answer::Failed(fault.internal))?);
    match gate.record.append(draft).await {
        Ok(witnessed) => Ok(witnessed.index()),
        Err(not) => Err(Answer::Failed(not.to_string())),
    }
}

fn check_reason(because: &str) -> Result<(), Answer> {
    if (1..=BECAUSE_BYTES_MAX).contains(&because.len()) {
        return Ok(());
    }
    Err(Answer::Refused(format!("a reason is 1 to {BECAUSE_BYTES_MAX} bytes")))
}
