//! Handing in at an enclave's gate, the record's only writer: risky logins elsewhere and what they show together, and who
//! looked at what is known of somebody. Not here: what is handed in, and that it is once (`logins::watch`, `logins::nats`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{Answer, Order};
use logins::state::{Folder as State, Secret};
use logins::watch::{Hand, Handed};
use risk::key::Of;
use risk::{Action, Finding, Judgement, Kind};
use tlog::detail::{
    HandedLogin, HandedLogins, Judged, JudgedReason, LoginAction, LoginExplained, LoginFinding,
    LoginFindingKind,
};
use tlog::entry::Micros;

use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::record_log::{order_gate, unexpected};

/// In a state's folder: the enclave that it belongs to.
const ENCLAVE: &str = "enclave";
/// The longest text that the record keeps.
const TEXT_BYTES_MAX: usize = 512;

/// Makes a state one of an enclave's: what it shows is handed in there, and whoever looks says why.
pub(super) fn belong(state: &Path, dir: &Path) -> Result<Hand, Ended> {
    let enclave = enclave_at(dir)?;
    let secret = given_to(state, &enclave)?;
    let watch = name(&file_name(state), &secret);
    Ok(Box::new(move |sequence, batch| match hand_in(&enclave, &watch, sequence, batch)? {
        None => Ok(()),
        Some(last) => Err(format!("`{watch}` has handed in {last} already, and this is {sequence}")),
    }))
}

/// The same for shares of a stream in NATS, each a watch of its own, whichever process holds it.
pub(super) fn shares_belong(
    state: &Path,
    enclave: Folder,
    stream: String,
) -> Result<logins::nats::Hand, Ended> {
    let secret = given_to(state, &enclave)?;
    Ok(Arc::new(move |share, sequence, batch| {
        // What comes before the last is judged again after a crash, and is there.
        hand_in(&enclave, &name(&format!("share-{share}-{stream}"), &secret), sequence, batch).map(|_| ())
    }))
}

/// The enclave in a folder.
pub(super) fn enclave_at(dir: &Path) -> Result<Folder, Ended> {
    let enclave = Folder::at(std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()));
    enclave.require_complete()?;
    Ok(enclave)
}

/// Makes a state one of an enclave's; answers the state's key.
fn given_to(state: &Path, enclave: &Folder) -> Result<Secret, Ended> {
    let secret = State::look(state).or_cannot_tell("--state")?.secret();
    folder::write_secret(&state.join(ENCLAVE), format!("{}\n", enclave.dir().display()).as_bytes())?;
    Ok(secret)
}

/// Hands a batch in; answers the last number, if that is a later one.
fn hand_in(enclave: &Folder, watch: &str, sequence: u64, batch: &[Handed]) -> Result<Option<u64>, String> {
    let logins = batch.iter().map(login).collect();
    let handed = HandedLogins { watch: watch.to_owned(), sequence, logins, findings: Vec::new() };
    match order_gate(enclave, &Order::Logins(Box::new(handed))) {
        Ok(Answer::Recorded(_)) => Ok(None),
        Ok(Answer::Behind(last)) => Ok(Some(last)),
        Ok(_) => Err(unexpected().to_string()),
        Err(ended) => Err(ended.to_string()),
    }
}

/// The enclave that a state belongs to, if it belongs to one.
pub(super) fn enclave_of(state: &Path) -> Result<Option<Folder>, Ended> {
    let path = state.join(ENCLAVE);
    if !path.try_exists().or_cannot_tell(format!("reading {}", path.display()))? {
        return Ok(None);
    }
    Ok(Some(Folder::at(PathBuf::from(folder::read_text(&path)?.trim()))))
}

/// Has the record say who is looked at and why, before anybody is; answers the entry.
pub(super) fn look(enclave: &Folder, asked: LoginExplained) -> Result<u64, Ended> {
    match order_gate(enclave, &Order::ExplainLogins(asked))? {
        Answer::Explained { entry, .. } => Ok(entry),
        _ => Err(unexpected()),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Names a watch: by its state's folder, or its share and stream, and by what tells its key from others.
fn name(of: &str, secret: &Secret) -> String {
    let tag = secret.key().tag(Of::Event, b"trefoil logins watch").0;
    short(&format!("{of}-{tag:016x}"))
}

fn short(text: &str) -> String {
    let end = (0..=text.len().min(TEXT_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

fn login(handed: &Handed) -> HandedLogin {
    HandedLogin {
        user: short(&handed.user),
        time: time(handed.time_ms),
        address: handed.address.clone(),
        target: handed.target.as_deref().map(short),
        event: handed.id.as_deref().map(short),
        succeeded: handed.succeeded,
        judged: judged(&handed.judgement),
    }
}

fn time(ms: i64) -> String {
    // What was read as a time is one.
    Micros(ms.saturating_mul(1_000)).to_rfc3339().unwrap_or_default()
}

fn judged(judgement: &Judgement) -> Judged {
    let reason = |reason: &risk::Reason| JudgedReason {
        term: reason.term.word().to_owned(),
        log_odds: format!("{:.6}", reason.log_odds),
        observed: reason.observed.to_string(),
        expected: reason.expected.to_string(),
    };
    Judged {
        score: format!("{:.6}", judgement.score),
        action: action(judgement.action),
        reasons: judgement.reasons.iter().map(reason).collect(),
        findings: judgement.findings.iter().map(finding).collect(),
    }
}

fn finding(finding: &Finding) -> LoginFinding {
    LoginFinding {
        kind: match finding.kind {
            Kind::Spray => LoginFindingKind::Spray,
            Kind::Stuffing => LoginFindingKind::Stuffing,
            Kind::BruteForce => LoginFindingKind::BruteForce,
            Kind::Replay => LoginFindingKind::Replay,
            Kind::MfaFatigue => LoginFindingKind::MfaFatigue,
            Kind::Takeover => LoginFindingKind::Takeover,
        },
        id: format!("{:016x}", finding.id),
        since: time(finding.since_ms),
        attempts: finding.attempts,
        users: finding.users,
        sources: finding.sources,
        successes: finding.successes,
        action: action(finding.action),
    }
}

fn action(action: Action) -> LoginAction {
    match action {
        Action::Allow => LoginAction::Allow,
        Action::StepUp => LoginAction::StepUp,
        Action::Throttle => LoginAction::Throttle,
        Action::Block => LoginAction::Block,
        Action::Revoke => LoginAction::Revoke,
    }
}
