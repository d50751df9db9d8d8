//! The second decision: every entry of a batch is taken apart, opened, and decided again, before it is cosigned. Here
//! are the rules that hold for all kinds; those of each kind are in the modules below. Nothing here writes or answers.

mod ahead;
mod brake;
mod gate;
mod logins;
mod refused;
mod release;
mod residency;
mod session;
mod subjects;
mod write;

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tlog::{
    detail::{self, DayKey, DetailError},
    entry::{Entry, EntryError, Kind, Micros},
    hash::{hex, unhex},
    json::JsonError,
};

use crate::{
    batch::Item,
    brake::Brakes,
    bundle::BundleError,
    decide::{Decision, Judge},
    incident::{Breach, Fault},
    state::{Draft, Question, Says, Session, SessionId},
};

pub use ahead::question;

/// How far a gate's clock may be from the monitor's.
pub const CLOCK_SKEW_S_MAX: i64 = 300;
pub(crate) const CLOCK_SKEW_US_MAX: i64 = CLOCK_SKEW_S_MAX * 1_000_000;

/// Decides entries again, for one batch.
pub struct Examiner<'a, 'b> {
    pub judge: &'a mut Judge,
    /// Unwraps day keys: `AGE-SECRET-KEY-1…`.
    pub identity: &'a str,
    pub now: Micros,
    /// By which name the gate that posts is enrolled. None for an auditor, whom nobody posts to.
    pub poster: Option<&'a str>,
    /// What is stopped. None for an auditor, who takes for true what the record says of brakes.
    pub brakes: Option<&'a Brakes>,
    /// Orders that the gate says in these entries that it carried out.
    pub obeyed: Vec<String>,
    pub draft: Draft<'b>,
}

/// An entry with what belongs to it.
struct Subject<'e> {
    index: u64,
    entry: &'e Entry,
    blob: Option<&'e [u8]>,
}

impl Examiner<'_, '_> {
    /// Checks one entry and folds it into the draft. After an error the draft is of no use.
    pub fn examine(&mut self, index: u64, item: Item<'_>) -> Result<(), Fault> {
        self.examine_read(index, Entry::parse(item.entry), item)
    }

    /// As [`Examiner::examine`], of an entry that was read.
    pub fn examine_read(
        &mut self,
        index: u64,
        read: Result<Entry, EntryError>,
        item: Item<'_>,
    ) -> Result<(), Fault> {
        let entry = read.map_err(|e| Fault::new(Breach::Malformed, e.to_string()))?;
        self.check_time(entry.time)?;
        self.check_gate(&entry)?;
        let subject = Subject { index, entry: &entry, blob: item.blob };
        match entry.kind {
            Kind::KeyMade => self.key_made(&subject),
            Kind::GateStart => self.gate_start(&subject),
            Kind::GateStop => self.gate_stop(&subject),
            Kind::SitesClosed | Kind::SitesReopened => self.site_standing(&subject),
            Kind::SitesFailover | Kind::SitesFailback => self.homes_stated(&subject),
            Kind::BrakeApplied => self.brake_applied(&subject),
            Kind::BrakeLifted => self.brake_lifted(&subject),
            Kind::SessionOpen => self.session_open(&subject),
            Kind::SessionClose => self.session_close(&subject),
            Kind::AccessDecision => self.access_decision(&subject),
            Kind::LoginJudged => self.login_judged(&subject),
            Kind::LoginResponded => self.login_responded(&subject),
            Kind::LoginExplained => self.login_explained(&subject),
            Kind::LoginMarked => self.login_marked(&subject),
            Kind::AccessRelease => self.access_release(&subject),
            Kind::AccessWrite => self.access_write(&subject),
            Kind::AccessCommit => self.access_commit(&subject),
            Kind::AccessCut => self.access_cut(&subject),
            Kind::KeyForgotten => self.key_forgotten(&subject),
            Kind::ProbeCommitted => self.probes_committed(&subject),
            Kind::ProbeRevealed => self.probes_revealed(&subject),
            Kind::ResidencyEvidence => self.residency_evidence(&subject),
            Kind::PolicyApplied
            | Kind::DirectoryChanged
            | Kind::MonitorStart
            | Kind::MonitorStop
            | Kind::IncidentOpened
            | Kind::IncidentChanged => {
                let reason = format!("{} is not expected from an access gate", entry.kind.as_str());
                Err(Fault::new(Breach::Unexpected, reason))
            }
        }
    }

    /// Times never run backwards and stay near the monitor's clock. A gate that the monitor could not hear catches up
    /// with older entries: these are no older than when the monitor last knew that it had everything.
    fn check_time(&mut self, time: Micros) -> Result<(), Fault> {
        let clock = |reason: String| Err(Fault::new(Breach::Clock, reason));
        if let Some(before) = self.draft.time.filter(|before| time < *before) {
            return clock(format!("the time {time} is before that of the entry before it, {before}"));
        }
        if time.0 > self.now.0.saturating_add(CLOCK_SKEW_US_MAX) {
            return clock(format!("the time {time} is ahead of the monitor's clock, {}", self.now));
        }
        let oldest =
            self.draft.caught_up().map(|when| when.min(self.now).0.saturating_sub(CLOCK_SKEW_US_MAX));
        if oldest.is_some_and(|oldest| time.0 < oldest) {
            return clock(format!("the time {time} is behind the monitor's clock, {}", self.now));
        }
        self.draft.time = Some(time);
        Ok(())
    }

    /// One log, one gate, which says that it started before it says anything else.
    fn check_gate(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.poster.map_or(Ok(()), |poster| check_poster(poster, &entry.gate))?;
        let gate = self.draft.gate.get_or_insert_with(|| entry.gate.clone());
        if *gate != entry.gate {
            let reason = format!("gate {:?} writes into the log of gate {gate:?}", entry.gate);
            return Err(Fault::new(Breach::Unexpected, reason));
        }
        if !self.draft.running && !matches!(entry.kind, Kind::KeyMade | Kind::GateStart | Kind::GateStop) {
            return Err(Fault::new(Breach::Unexpected, "the gate has not said that it started"));
        }
        Ok(())
    }

    /// Opens a detail that this kind always has.
    fn open_as<T: DeserializeOwned + Serialize>(&self, subject: &Subject<'_>) -> Result<T, Fault> {
        open_some(&self.draft, subject)
    }

    /// The keyed hash of the principal must be that of this name.
    fn check_principal(&self, entry: &Entry, name: &str) -> Result<(), Fault> {
        let Some(found) = &entry.principal else { return Ok(()) };
        let expected = day_key(&self.draft, entry)?.principal(name);
        if *found == expected {
            Ok(())
        } else {
            Err(identity("the principal's hash is not that of the detail"))
        }
    }

    /// The keyed hash of the request must be that of this request.
    fn check_request(&self, entry: &Entry, request: &Value) -> Result<(), Fault> {
        let Some(found) = &entry.request else { return Ok(()) };
        let expected = day_key(&self.draft, entry)?.request(request).map_err(|e| identity(&e.to_string()))?;
        if *found == expected {
            Ok(())
        } else {
            Err(identity("the request's hash is not that of the request"))
        }
    }

    fn decide(&mut self, question: &Question) -> Result<Decision, Fault> {
        self.judge.decide(question).map_err(|e| decision(describe(&e)))
    }

    /// The decision of a session.
    fn decided(&mut self, session: &Session) -> Result<Decision, Fault> {
        let known = session.said.as_ref().map(|said| &said.decided);
        if let Some(decided) = known.and_then(|known| known.get()) {
            return Ok(decided.clone());
        }
        let decided = self.decide(&session.question)?;
        // Whoever came first has put the same there.
        let _ = known.map(|known| known.set(decided.clone()));
        Ok(decided)
    }

    /// The live session that the entry names. What the entry repeats of it must be as it was at the open.
    fn named_session(&mut self, subject: &Subject<'_>) -> Result<(SessionId, Session), Fault> {
        let id = session_id(subject.entry)?;
        let session = self.draft.live_session(&id)?;
        self.check_brakes(subject, &id, &session.question.principal)?;
        if !session.said.as_ref().is_some_and(|said| said.is_said_by(subject.entry)) {
            self.check_same(subject.entry, &session)?;
            self.draft.said(id, Says::of(subject.entry))?;
        }
        Ok((id, session))
    }

    fn check_same(&mut self, entry: &Entry, session: &Session) -> Result<(), Fault> {
        let same = [
            ("policy", &entry.policy, session.question.policy.as_str()),
            ("profile", &entry.profile, &session.profile),
            ("place", &entry.place, &session.place),
        ];
        for (what, found, opened) in same {
            if let Some(found) = found.as_deref().filter(|found| *found != opened) {
                return Err(decision(format!(
                    "the {what} is {found}, but the session was opened with {opened}"
                )));
            }
        }
        self.check_principal(entry, &session.question.principal)?;
        if entry.request.is_some() || !entry.classes.is_empty() {
            let decided = self.decide(&session.question)?;
            let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
            self.check_request(entry, &permit.request())?;
            check_classes(entry, permit)?;
        }
        Ok(())
    }
}

/// Who posts is the gate that writes: its certificate names it.
pub(crate) fn check_poster(poster: &str, gate: &str) -> Result<(), Fault> {
    if poster == gate {
        return Ok(());
    }
    let reason = format!("gate {poster:?}, by its certificate, posts what gate {gate:?} writes");
    Err(Fault::new(Breach::Unexpected, reason))
}

/// The classes an entry shows are among those its profile discloses.
fn check_classes(entry: &Entry, permit: &policy::Permit) -> Result<(), Fault> {
    let disclosed = permit.profile().classes();
    let unknown = entry.classes.iter().find(|class| !disclosed.iter().any(|known| known.as_str() == *class));
    match unknown {
        None => Ok(()),
        Some(class) => Err(decision(format!("the profile discloses no class {class:?}"))),
    }
}

/// Opens the detail, which must be the one committed to, sealed with the key that the entry names.
fn open_detail<T: DeserializeOwned + Serialize>(
    draft: &Draft<'_>,
    subject: &Subject<'_>,
) -> Result<Option<T>, Fault> {
    match (&subject.entry.detail, subject.blob) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(fault_detail("a sealed detail that the entry does not commit to")),
        (Some(_), None) => Err(fault_detail("the sealed detail is missing")),
        (Some(commitment), Some(blob)) => {
            let key = day_key(draft, subject.entry)?;
            let (detail, found) = detail::open_as(&key, blob).map_err(|e| not_of_kind::<T>(&key, blob, e))?;
            check_commitment(commitment, &found)?;
            Ok(Some(detail))
        }
    }
}

/// What is wrong with a detail that does not open; looked for once more where it can be said better.
fn not_of_kind<T: DeserializeOwned>(key: &DayKey, blob: &[u8], error: DetailError) -> Fault {
    let typed = detail::open(key, blob).map(|opened| serde_json::from_value::<T>(opened.value));
    match (error, typed) {
        (DetailError::Json(JsonError::Type), Ok(Err(e))) => {
            fault_detail(format!("not a detail of this kind: {e}"))
        }
        (error, _) => fault_detail(error.to_string()),
    }
}

/// As [`open_detail`], where there must be one.
fn open_some<T: DeserializeOwned + Serialize>(draft: &Draft<'_>, subject: &Subject<'_>) -> Result<T, Fault> {
    let without = || fault_detail(format!("{} without a detail", subject.entry.kind.as_str()));
    open_detail(draft, subject)?.ok_or_else(without)
}

fn day_key(draft: &Draft<'_>, entry: &Entry) -> Result<Arc<DayKey>, Fault> {
    let id = entry.key.as_deref().ok_or_else(|| Fault::new(Breach::Key, "the entry names no day key"))?;
    draft.key(id).ok_or_else(|| Fault::new(Breach::Key, format!("no key {id} was ever made")))
}

fn check_commitment(said: &str, found: &[u8; 32]) -> Result<(), Fault> {
    if hex(found) == said { Ok(()) } else { Err(fault_detail("not the detail committed to")) }
}

fn session_id(entry: &Entry) -> Result<SessionId, Fault> {
    let id =
        entry.session.as_deref().ok_or_else(|| Fault::new(Breach::Session, "the entry names no session"))?;
    unhex(id).ok_or_else(|| Fault::new(Breach::Session, format!("{id:?} is not a session id")))
}

fn describe(error: &BundleError) -> String {
    error.to_string()
}

fn fault_detail(reason: impl Into<String>) -> Fault {
    Fault::new(Breach::Detail, reason)
}

fn identity(reason: &str) -> Fault {
    Fault::new(Breach::Identity, reason)
}

fn decision(reason: impl Into<String>) -> Fault {
    Fault::new(Breach::Decision, reason)
}

/// Folds an entry that was checked and stored before. What is done here is what `examine` does after its checks.
pub fn recall(
    draft: &mut Draft<'_>,
    identity: &str,
    index: u64,
    entry: &Entry,
    item: Item<'_>,
) -> Result<(), Fault> {
    let subject = Subject { index, entry, blob: item.blob };
    match entry.kind {
        Kind::KeyMade if item.blob.is_some() => gate::make_key(draft, identity, &subject),
        Kind::KeyMade => gate::lose_key(draft, &subject),
        Kind::KeyForgotten => gate::forget_key(draft, &subject),
        Kind::GateStart => {
            draft.gate_runs(true);
            Ok(())
        }
        Kind::GateStop => {
            draft.gate_runs(false);
            Ok(())
        }
        Kind::SessionOpen => session::recall_open(draft, &subject),
        Kind::SessionClose => draft.close_session(session_id(entry)?),
        Kind::AccessWrite => write::recall(draft, &subject),
        Kind::AccessRelease => match &entry.count {
            Some(count) => draft.release(session_id(entry)?, count),
            None => Err(Fault::new(Breach::Count, "access.release without a count")),
        },
        // These leave the state as it is.
        _ => Ok(()),
    }
}

/// The detail of an entry, which must be the one committed to.
pub fn open<T: DeserializeOwned + Serialize>(
    draft: &Draft<'_>,
    entry: &Entry,
    blob: Option<&[u8]>,
) -> Result<T, Fault> {
    open_some(draft, &Subject { index: 0, entry, blob })
}

/// The detail of a stored entry is still the one committed to.
pub fn check_detail(draft: &Draft<'_>, entry: &Entry, blob: Option<&[u8]>) -> Result<(), Fault> {
    open_detail::<Value>(draft, &Subject { index: 0, entry, blob }).map(drop)
}
