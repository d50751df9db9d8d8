//! Forgetting: the keys of a day that has passed are destroyed, and nobody can open what they sealed any more. The entry
//! `key.forgotten` names the key and has no detail; it is witnessed before anything is destroyed, and a monitor that
//! cosigns it has destroyed its side. Entries, their order and their commitments stay, so the record verifies as before.
//!
//! **Order**, each step durable before the next:
//!
//! 1. `ID.forgetting`, which says how long the record was. Crash: the next start looks whether step 2 happened.
//! 2. The entry, in a new segment of the write-ahead file, staged and witnessed as every other. Crash: the same.
//! 3. What held the wrapped key is overwritten and removed: earlier segments, once they are published, then `ID.age`.
//! 4. `ID.forgotten`, which says which entry it was, then `ID.forgetting` is removed.
//!
//! **Absent:** whether a key may be forgotten yet by policy (the caller's); what disks, file systems and backups keep.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tlog::detail::key_id_parts;
use tlog::entry::{Entry, Kind, Micros};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::clock::now;
use crate::config::{Clock, Config};
use crate::draft::NotWitnessed;
use crate::handle::Record;
use crate::show::{Reading, ShowError};
use crate::steps::{Step, Steps, When};
use crate::ticket::Ticket;
use crate::writer::Job;
use crate::{durable, keys, wal};

/// How long publication may take before a forgetting is left to the next start, in milliseconds.
const PUBLISHED_WAIT_MS_MAX: u64 = 10_000;
const LOOK_EVERY_MS: u64 = 25;
/// What the files of a key's end are called after its id.
const BEGUN: &str = "forgetting";
const DONE: &str = "forgotten";

/// Where what is to be forgotten lies.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) keys_dir: PathBuf,
    pub(crate) record_dir: PathBuf,
    pub(crate) details_dir: PathBuf,
    pub(crate) wal_dir: PathBuf,
    pub(crate) clock: Clock,
    pub(crate) steps: Steps,
}

/// A key that was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// The key's id.
    pub key: String,
    /// Index of the `key.forgotten`.
    pub entry: u64,
    /// When, RFC 3339.
    pub time: String,
}

/// Why keys were not forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    #[error("{0:?} is no day; write it as 2026-01-31")]
    Day(String),
    #[error("{day} has not passed; the keys of a day can be forgotten from the next day on (UTC)")]
    NotPassed { day: String },
    #[error("policy has the keys of class {class} kept for {days_min} days, and {day} is {days} days ago")]
    TooEarly { day: String, class: String, days_min: u32, days: i64 },
    #[error(
        "policy does not say how long the keys of class {class} are kept; add it to retention_days_min in enclave.toml"
    )]
    NoRetention { class: String },
    #[error("the key {key} is in use: a session that is open now began under it; end the session first")]
    InUse { key: String },
    #[error("the keys of {day} were forgotten already, by entry {entry} at {time}")]
    Already { day: String, entry: u64, time: String },
    #[error("there is no key of {day}{} here", class.as_ref().map(|class| format!(" and class {class}")).unwrap_or_default())]
    NoKey { day: String, class: Option<String> },
    #[error("{0}; nothing was destroyed; what was recorded is finished at the gate's next start")]
    NotWitnessed(#[from] NotWitnessed),
    #[error("entry {entry} is recorded, but not published yet; the gate finishes at its next start")]
    NotPublished { entry: u64 },
    #[error("reading the record: {0}")]
    Read(#[from] ShowError),
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the record is stopped")]
    Stopped,
}

/// What `ID.forgetting` says.
#[derive(Serialize, Deserialize)]
struct Begun {
    /// Size of the record before the entry.
    size: u64,
}

/// The keys under which sessions that are open were opened.
#[derive(Default)]
pub(crate) struct InUse(HashMap<String, String>);

impl InUse {
    /// Takes note of an entry that opens or closes a session.
    pub(crate) fn note(&mut self, kind: Kind, line: &[u8]) {
        if !matches!(kind, Kind::SessionOpen | Kind::SessionClose) {
            return;
        }
        let Ok(Entry { session: Some(session), key, .. }) = Entry::parse(line) else { return };
        match key.filter(|_| kind == Kind::SessionOpen) {
            Some(key) => self.0.insert(session, key),
            None => self.0.remove(&session),
        };
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.0.values().any(|key| key == id)
    }
}

impl Record {
    /// Forgets the keys of a day, of one retention class or of all. `days_min` says for how many days policy has the
    /// keys of a class kept; where it says nothing, they are not forgotten.
    ///
    /// # Errors
    /// When not all of them are forgotten.
    pub async fn forget(
        &self,
        day: &str,
        class: Option<&str>,
        days_min: impl Fn(&str) -> Option<u32>,
    ) -> Result<Vec<Gone>, ForgetError> {
        // What was asked for before and came to its entry must not be recorded twice.
        let finished = self.finish_forgetting().await?;
        let ids = match self.to_forget(day, class, days_min) {
            Err(ForgetError::Already { .. }) if !finished.is_empty() => return Ok(finished),
            ids => ids?,
        };
        for id in &ids {
            let size = self.lag().staged;
            self.places.write(id, BEGUN, &Begun { size })?;
        }
        let staged = self.stage_forgetting(&ids).await;
        let tickets = staged.inspect_err(|_| {
            // Nothing was staged.
            ids.iter().for_each(|id| drop(durable::remove(&self.places.path(id, BEGUN))));
        })?;
        let until = now() + self.cosign_wait;
        let mut entries = Vec::new();
        for ticket in &tickets {
            let outcome = timeout_at(until, std::future::poll_fn(|context| ticket.poll(context))).await;
            let witnessed = outcome.unwrap_or_else(|_| self.give_up(ticket))?;
            entries.push(witnessed.index());
        }
        let mut gone = finished;
        for (id, entry) in ids.iter().zip(entries) {
            gone.push(self.destroy(id, entry).await?);
        }
        Ok(gone)
    }

    /// Finishes what was begun before the gate stopped: keys whose end is recorded are destroyed.
    ///
    /// # Errors
    /// When something cannot be read or destroyed; the next start tries again.
    pub async fn finish_forgetting(&self) -> Result<Vec<Gone>, ForgetError> {
        let mut gone = Vec::new();
        for id in self.places.ids(BEGUN)? {
            let path = self.places.path(&id, BEGUN);
            let begun: Option<Begun> = read_json(&path)?;
            let from = begun.map_or(0, |begun| begun.size);
            match self.places.entry_of(&id, from)? {
                Some(entry) => gone.push(self.destroy(&id, entry).await?),
                // It was not recorded, so it did not happen: whoever wants it asks again.
                None => durable::remove(&path).map_err(|error| ForgetError::Io { path, error })?,
            }
        }
        Ok(gone)
    }

    fn to_forget(
        &self,
        day: &str,
        class: Option<&str>,
        days_min: impl Fn(&str) -> Option<u32>,
    ) -> Result<Vec<String>, ForgetError> {
        let wrong = || ForgetError::Day(day.to_owned());
        let midnight = Micros::parse_rfc3339(&format!("{day}T00:00:00.000000Z")).ok_or_else(wrong)?;
        let days = keys::day_of((self.places.clock)()).saturating_sub(keys::day_of(midnight));
        if days < 1 {
            return Err(ForgetError::NotPassed { day: day.to_owned() });
        }
        let is_asked = |id: &String| {
            key_id_parts(id).is_some_and(|(of, is)| of == day && class.is_none_or(|class| class == is))
        };
        let mut ids = self.places.ids("age")?;
        ids.retain(is_asked);
        for id in &ids {
            let (_, class) = key_id_parts(id).ok_or_else(wrong)?;
            let class = class.to_owned();
            let Some(days_min) = days_min(&class) else { return Err(ForgetError::NoRetention { class }) };
            if days < i64::from(days_min) {
                return Err(ForgetError::TooEarly { day: day.to_owned(), class, days_min, days });
            }
        }
        if !ids.is_empty() {
            return Ok(ids);
        }
        let done = self.places.ids(DONE)?.into_iter().find(is_asked);
        let done = done.map(|id| read_json::<Gone>(&self.places.path(&id, DONE))).transpose()?.flatten();
        Err(match done {
            Some(Gone { entry, time, .. }) => ForgetError::Already { day: day.to_owned(), entry, time },
            None => ForgetError::NoKey { day: day.to_owned(), class: class.map(str::to_owned) },
        })
    }

    async fn stage_forgetting(&self, ids: &[String]) -> Result<Vec<Arc<Ticket>>, ForgetError> {
        let (done, wait) = oneshot::channel();
        self.shared.set_forgetting(true);
        let asked = self.jobs.send(Job::Forget { ids: ids.to_vec(), done }).await;
        asked.map_err(|_| ForgetError::Stopped)?;
        let in_use = |key| ForgetError::InUse { key };
        wait.await.map_err(|_| ForgetError::Stopped)?.map_err(in_use)
    }

    /// Steps 3 and 4, which can be done again.
    async fn destroy(&self, id: &str, entry: u64) -> Result<Gone, ForgetError> {
        self.shared.set_forgetting(true);
        let places = &self.places;
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| ForgetError::Io { path, error }
        };
        let until = now() + Duration::from_millis(PUBLISHED_WAIT_MS_MAX);
        while self.lag().published <= entry
            || wal::has_before(&places.wal_dir, entry).map_err(io(&places.wal_dir))?
        {
            if now() >= until {
                return Err(ForgetError::NotPublished { entry });
            }
            tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
        let path = keys::path_of(&places.keys_dir, id);
        durable::destroy(&path, &places.steps).map_err(io(&path))?;
        let time = (places.clock)().to_string();
        let gone = Gone { key: id.to_owned(), entry, time };
        places.steps.check(Step::KeyForgotten, When::Before).map_err(io(&path))?;
        places.write(id, DONE, &gone)?;
        places.steps.check(Step::KeyForgotten, When::After).map_err(io(&path))?;
        let begun = places.path(id, BEGUN);
        durable::remove(&begun).map_err(io(&begun))?;
        self.shared.set_forgetting(!places.ids(BEGUN)?.is_empty());
        Ok(gone)
    }
}

impl Places {
    pub(crate) fn of(config: &Config, steps: Steps) -> Self {
        Self {
            keys_dir: config.keys_dir.clone(),
            record_dir: config.record_dir.clone(),
            details_dir: config.details_dir.clone(),
            wal_dir: config.wal_dir.clone(),
            clock: config.clock.clone(),
            steps,
        }
    }

    fn path(&self, id: &str, what: &str) -> PathBuf {
        path(&self.keys_dir, id, what)
    }

    fn write(&self, id: &str, what: &str, value: &impl Serialize) -> Result<(), ForgetError> {
        let path = self.path(id, what);
        let beside = self.keys_dir.join(format!("{id}.tmp"));
        let written = serde_json::to_vec(value)
            .map_err(io::Error::other)
            .and_then(|bytes| durable::replace(&path, &beside, &bytes));
        written.map_err(|error| ForgetError::Io { path, error })
    }

    /// The ids of which there is a file of this kind.
    fn ids(&self, what: &str) -> Result<Vec<String>, ForgetError> {
        let listed = fs::read_dir(&self.keys_dir).and_then(|items| {
            let names = items.map(|item| Ok(item?.file_name().to_string_lossy().into_owned()));
            names.collect::<io::Result<Vec<_>>>()
        });
        let names = listed.map_err(|error| ForgetError::Io { path: self.keys_dir.clone(), error })?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(what)?.strip_suffix('.'));
        let mut ids: Vec<String> = ids.filter(|id| key_id_parts(id).is_some()).map(str::to_owned).collect();
        ids.sort();
        Ok(ids)
    }

    /// Where the record says that the key is forgotten, at `from` or after.
    fn entry_of(&self, id: &str, from: u64) -> Result<Option<u64>, ForgetError> {
        let reading = Reading::open(self.record_dir.clone(), self.details_dir.clone(), self.wal_dir.clone())?;
        let mut found = None;
        reading.each(from, u64::MAX, |shown| {
            let entry = shown.entry()?;
            if entry.kind == Kind::KeyForgotten && entry.key.as_deref() == Some(id) {
                found = Some(shown.index);
            }
            Ok::<(), ShowError>(())
        })?;
        Ok(found)
    }
}

/// When and by which entry a key of this folder was forgotten, if it was.
pub(crate) fn forgotten(keys_dir: &Path, id: &str) -> io::Result<Option<Gone>> {
    let bytes = durable::read(&path(keys_dir, id, DONE))?;
    bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)).transpose()
}

fn path(keys_dir: &Path, id: &str, what: &str) -> PathBuf {
    keys_dir.join(format!("{id}.{what}"))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ForgetError> {
    let read = durable::read(path).and_then(|bytes| {
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(io::Error::other)).transpose()
    });
    read.map_err(|error| ForgetError::Io { path: path.to_owned(), error })
}
