//! `trefoil tour`: tells the example's story through real client connections, and compares every line with what was
//! promised. A line says what was observed, not what should have been; the last line counts.

mod client;
mod keys;
mod limits;
mod logins;
mod monitor;
mod people;
mod record;
mod residency;
mod rogue;
mod subject;
mod witness;

use std::path::Path;

use serde::Serialize;

use crate::cli::tour::Tour;
use crate::enclave::ready::Ready;
use crate::enclave::state::Lock;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::terminal::{self, Paint};

/// One line of the story.
#[derive(Debug, Serialize)]
pub(crate) struct Observation {
    /// What was looked at.
    subject: String,
    /// What was seen.
    observed: String,
    as_promised: bool,
}

/// What has been observed so far; lines are printed as they come.
pub(crate) struct Story<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) ready: &'a Ready,
    json: bool,
    paint: Paint,
    observations: Vec<Observation>,
    left_out: Vec<String>,
}

/// What was seen, and whether it is as promised. An error is something that could not be seen, so it is not.
pub(crate) type Seen = Result<(bool, String), String>;

impl Story<'_> {
    /// Begins a chapter.
    pub(crate) fn chapter(&self, title: &str) {
        if !self.json {
            terminal::say(&format!("\n{}", self.paint.strong(title)));
        }
    }

    pub(crate) fn observe(&mut self, subject: &str, seen: Seen) {
        let (as_promised, observed) =
            seen.unwrap_or_else(|why| (false, format!("could not be observed: {why}")));
        if !self.json {
            let word = if as_promised { self.paint.good("ok ") } else { self.paint.bad("NOT") };
            terminal::say(&format!("{word} {subject}: {observed}"));
        }
        self.observations.push(Observation { subject: subject.to_owned(), observed, as_promised });
    }

    /// What could not be shown here, and what it would take. It counts as nothing.
    pub(crate) fn leave_out(&mut self, why: &str) {
        if !self.json {
            terminal::say(&format!("not shown: {why}"));
        }
        self.left_out.push(why.to_owned());
    }
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    observations: &'a [Observation],
    /// What was not looked at, and why.
    left_out: &'a [String],
    as_promised: usize,
    of: usize,
}

pub(crate) fn run(asked: &Tour) -> Result<(), Ended> {
    let folder = asked.report.enclave.folder();
    folder.require_complete()?;
    if !Lock::is_held(&folder)? {
        let dir = folder.dir().display();
        return Err(Ended::cannot_tell(format!("nothing runs in {dir}; start it with `trefoil up`")));
    }
    let ready = Ready::read(&folder)?;
    if !ready.has_tour() {
        let here = "the tour tells the story of examples/europe, and the people here are others";
        return Err(Ended::cannot_tell(format!(
            "{here}; `trefoil check` compares what is with what was promised"
        )));
    }
    let (json, paint) = (asked.report.json, Paint::for_stdout());
    let (observations, left_out) = (Vec::new(), Vec::new());
    let mut story = Story { folder: &folder, ready: &ready, json, paint, observations, left_out };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.or_cannot_tell("starting")?.block_on(tell(&mut story, asked.rogue.as_deref()))?;
    story.conclude()
}

async fn tell(story: &mut Story<'_>, rogue: Option<&Path>) -> Result<(), Ended> {
    let person = subject::find(story.ready).await?;
    people::tell(story, &person).await;
    limits::tell(story, &person).await;
    record::tell(story, &person);
    monitor::tell(story).await;
    rogue::tell(story, rogue).await?;
    logins::tell(story).await;
    witness::tell(story, &person).await;
    keys::tell(story).await?;
    residency::tell(story).await;
    record::tell_tampered(story);
    Ok(())
}

impl Story<'_> {
    fn conclude(&self) -> Result<(), Ended> {
        let of = self.observations.len();
        let as_promised = self.observations.iter().filter(|observation| observation.as_promised).count();
        if self.json {
            terminal::say_json(&Told {
                observations: &self.observations,
                left_out: &self.left_out,
                as_promised,
                of,
            })?;
        } else {
            terminal::say(&format!("\n{as_promised} of {of} observations as promised"));
        }
        if as_promised == of { Ok(()) } else { Err(Ended::not("")) }
    }
}
