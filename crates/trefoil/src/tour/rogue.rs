//! A gate that lies takes the real one's place, and is found out: a lie a line. It is a program of its own, built for
//! this alone; without it these lines are left out, and said to be. Not here: the lies (`access::rogue`).

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::clock::Stopwatch;
use crate::enclave::ports::Ports;
use crate::enclave::probe;
use crate::ended::Ended;
use crate::folder::Folder;
use crate::tour::client::{self, Ask, Session};
use crate::tour::people::{AOIFE, WEI};
use crate::tour::{Seen, Story, monitor, witness};
use crate::up;

const PROGRAM: &str = "trefoil-rogue";
const BUILD: &str = "cargo build -p access --features rogue --bin trefoil-rogue";
const READY_MS_MAX: u128 = 30_000;
/// The monitor looks at the sites a second after the order, each second.
const STOPPED_MS_MAX: u128 = 10_000;
/// How long a session is held open after a read of which the record says less, until the site's counters are judged.
const JUDGED_MS_MAX: u128 = 20_000;
const FOUND_MS_MAX: u128 = 20_000;
const READS_MAX: usize = 3;
const POLL_MS: u64 = 100;
/// More than may be unexplained.
const READ: &str = "SELECT id, handle, country FROM users LIMIT 500";

pub(crate) async fn tell(story: &mut Story<'_>, asked: Option<&Path>) -> Result<(), Ended> {
    story.chapter("A gate that lies");
    let Some(program) = program(asked)? else {
        let build =
            format!("build {PROGRAM} (`{BUILD}`), then `trefoil tour --rogue target/debug/{PROGRAM}`");
        story.leave_out(&format!("three lies of a rogue gate: there is no such gate here; {build}"));
        return Ok(());
    };
    let ended = witness::stop(story.folder, "gate").await;
    story.observe("the gate is stopped", ended.map(|pid| (true, format!("process {pid} has ended"))));
    let seen = match Rogue::start(story.folder, &program, "decides").await {
        Ok(rogue) => rogue.until(decides(story)).await,
        Err(why) => Err(why),
    };
    story.observe("a rogue gate decides by itself that wei may read what support may", seen);
    let seen = match Rogue::start(story.folder, &program, "lesser").await {
        Ok(rogue) => rogue.until(lesser(story)).await,
        Err(why) => Err(why),
    };
    story.observe("a rogue gate records less than it shows aoife", seen);
    let seen = match Rogue::start(story.folder, &program, "brakes").await {
        Ok(rogue) => rogue.until(brakes(story)).await,
        Err(why) => Err(why),
    };
    story.observe("a rogue gate does not hear a brake on aoife, who is connected", seen);
    let seen = witness::start_missing(story.folder).await;
    story.observe("the gate is started again", seen);
    Ok(())
}

/// The one that was asked for, or the one beside this program, if there is one.
fn program(asked: Option<&Path>) -> Result<Option<PathBuf>, Ended> {
    match asked {
        Some(path) if path.is_file() => {
            Ok(Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())))
        }
        Some(path) => {
            Err(Ended::cannot_tell(format!("--rogue {}: no such program; {BUILD}", path.display())))
        }
        None => Ok(std::env::current_exe().ok().and_then(|ours| up::program_beside(&ours, PROGRAM).ok())),
    }
}

/// A gate that lies, in the place of the real one.
struct Rogue(Child);

impl Rogue {
    async fn start(folder: &Folder, program: &Path, lie: &str) -> Result<Rogue, String> {
        let log = folder.log("rogue");
        let log =
            OpenOptions::new().create(true).append(true).open(log).map_err(|error| error.to_string())?;
        let mut command = up::tied_to_us(program, &[&folder.gate("gate.toml").to_string_lossy()]);
        command.env("TREFOIL_ROGUE", lie).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut rogue = Rogue(command.spawn().map_err(|error| error.to_string())?);
        let ports = Ports::read(folder).map_err(|ended| ended.to_string())?;
        let watch = Stopwatch::start();
        // No session is needed to see that it is there: one that ends explains what is counted in its time.
        while !probe::gate_answers(&ports).await {
            if let Ok(Some(status)) = rogue.0.try_wait() {
                return Err(format!("it ended at once ({status}); see {}", folder.log("rogue").display()));
            }
            if watch.elapsed().as_millis() > READY_MS_MAX {
                return Err(format!("it does not answer; see {}", folder.log("rogue").display()));
            }
            tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
        }
        Ok(rogue)
    }

    /// Ends it when something has been seen.
    async fn until(mut self, seeing: impl Future<Output = Seen>) -> Seen {
        let seen = seeing.await;
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let ended = tokio::task::spawn_blocking(move || self.0.wait().map(drop));
        ended.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        seen
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        // It has ended already, unless something went wrong on the way.
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// The monitor decides by itself: no certificate, no session.
async fn decides(story: &Story<'_>) -> Seen {
    const DETECTOR: &str = "decision-mismatch";
    let wei = Ask { purpose: AOIFE.purpose, ticket: AOIFE.ticket, ..WEI };
    let before = monitor::incidents(story.folder, DETECTOR).await?;
    let refused = match client::ask(story.ready, wei).await {
        Ok(_) => return Ok((false, "wei has a session".to_owned())),
        Err(refused) => refused,
    };
    let incident = news(story.folder, DETECTOR, "wei", &before, FOUND_MS_MAX).await?;
    let holds = refused.message.contains("the monitor would not have decided") && incident.is_some();
    Ok((holds, format!("{refused}; {}", incident.unwrap_or_else(|| "no incident".to_owned()))))
}

/// What the site counted is more than what the record says.
async fn lesser(story: &Story<'_>) -> Seen {
    let (mut shown, mut held) = (0, Vec::new());
    for _ in 0..READS_MAX {
        let (session, role) = fresh(story, &mut held).await?;
        let before = monitor::incidents(story.folder, monitor::UNRECONCILED).await?;
        shown += session.rows(READ).await.map_err(|refused| refused.to_string())?.len();
        // Until it is judged the session goes on: of one that ended, something may be unexplained.
        let named = format!("rows of {role} ");
        let incident = news(story.folder, monitor::UNRECONCILED, &named, &before, JUDGED_MS_MAX).await?;
        if let Some(incident) = incident {
            return Ok((true, format!("{shown} rows read; {incident}")));
        }
        held.push(session);
    }
    Ok((false, format!("{shown} rows read; no incident")))
}

/// A session under a role of which nothing was found yet: what is found twice in a day is no news.
async fn fresh(story: &Story<'_>, held: &mut Vec<Session>) -> Result<(Session, String), String> {
    let found = monitor::incidents(story.folder, monitor::UNRECONCILED).await?;
    loop {
        let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string())?;
        let rows = session.rows("SELECT session_user").await.map_err(|refused| refused.to_string())?;
        let role = rows.into_iter().flatten().find_map(|(_, role)| role).ok_or("no role")?;
        if !found.iter().any(|incident| monitor::says(incident, &format!("rows of {role} "))) {
            return Ok((session, role));
        }
        held.push(session);
    }
}

/// The monitor ends the session at the site itself.
async fn brakes(story: &Story<'_>) -> Seen {
    const DETECTOR: &str = "brake-disobeyed";
    let before = monitor::incidents(story.folder, DETECTOR).await?;
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string())?;
    let (seen, id) = monitor::stop(story.folder, &session, STOPPED_MS_MAX).await;
    let (ended, said) = seen?;
    let refused = client::ask(story.ready, AOIFE).await.err();
    let incident = news(story.folder, DETECTOR, &id.unwrap_or_default(), &before, FOUND_MS_MAX).await?;
    monitor::lift_all(story.folder).await?;
    let holds = ended && refused.is_some() && incident.is_some();
    let refused = refused.map_or_else(|| "aoife connects again".to_owned(), |refused| refused.to_string());
    Ok((holds, format!("{said}; {}; then {refused}", incident.unwrap_or_else(|| "no incident".to_owned()))))
}

/// An incident of a detector that was not there before, or not with all of this, whose reasons name something.
async fn news(
    folder: &Folder,
    detector: &str,
    named: &str,
    before: &[Value],
    within_ms: u128,
) -> Result<Option<String>, String> {
    let watch = Stopwatch::start();
    loop {
        let incidents = monitor::incidents(folder, detector).await?;
        let mut new = incidents.iter().filter(|incident| !before.contains(incident));
        if let Some(incident) = new.find(|incident| monitor::says(incident, named)) {
            return Ok(Some(monitor::line(incident)));
        }
        if watch.elapsed().as_millis() > within_ms {
            return Ok(None);
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
}
