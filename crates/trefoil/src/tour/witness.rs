//! No witness, no data: the monitor is stopped and started while somebody reads.

use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::clock::Stopwatch;
use crate::enclave::state::{State, is_alive};
use crate::ended::Ended;
use crate::folder::Folder;
use crate::tour::client::{self, Session};
use crate::tour::people::{AOIFE, support_query};
use crate::tour::subject::Person;
use crate::tour::{Seen, Story};
use crate::up;

const REFUSED_MS_MAX: u128 = 2_000;
const END_MS_MAX: u64 = 10_000;
const POLL_MS: u64 = 20;
const AGAIN_MS_MAX: u64 = 15_000;

pub(crate) async fn tell(story: &mut Story<'_>, person: &Person) {
    story.chapter("No witness, no data");
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string());
    let stopped = stop(story.folder, "monitor").await;
    story.observe("the monitor is stopped", stopped.map(|pid| (true, format!("process {pid} has ended"))));
    let seen = match &session {
        Ok(session) => refused_read(session, person).await,
        Err(why) => Err(why.clone()),
    };
    story.observe("a read in a session that is open", seen);
    let seen = refused_connect(story).await;
    story.observe("a new session", seen);
    let seen = start_missing(story.folder).await;
    story.observe("`up` is asked again", seen);
    let seen = read_again(story, person).await;
    story.observe("the same read", seen);
}

/// Ends a part; its process.
pub(crate) async fn stop(folder: &Folder, part: &str) -> Result<i32, String> {
    let said = |ended: Ended| ended.to_string();
    let state = State::of_running(folder).map_err(said)?.ok_or("nothing runs")?;
    let found = state.parts.iter().find(|found| found.name == part).and_then(|found| found.pid);
    let raw = found.ok_or_else(|| format!("the {part} does not run"))?;
    let pid = Pid::from_raw(raw).ok_or_else(|| format!("the {part} has no process"))?;
    rustix::process::kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
    for _ in 0..END_MS_MAX / POLL_MS {
        if !is_alive(raw) {
            return Ok(raw);
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    Err(format!("process {raw} does not end"))
}

async fn refused_read(session: &Session, person: &Person) -> Seen {
    let watch = Stopwatch::start();
    let outcome = session.rows(&support_query(person)).await;
    let took = watch.elapsed().as_millis();
    match outcome {
        Ok(rows) => Ok((false, format!("{} rows after {took} ms", rows.len()))),
        Err(refused) => {
            let holds = took <= REFUSED_MS_MAX && refused.message.contains("monitor");
            Ok((holds, format!("{refused} (after {took} ms)")))
        }
    }
}

async fn refused_connect(story: &Story<'_>) -> Seen {
    let watch = Stopwatch::start();
    let outcome = client::ask(story.ready, AOIFE).await;
    let took = watch.elapsed().as_millis();
    match outcome {
        Ok(_) => Ok((false, format!("opened after {took} ms"))),
        Err(refused) => {
            let holds = took <= REFUSED_MS_MAX && refused.message.contains("monitor");
            Ok((holds, format!("{refused} (after {took} ms)")))
        }
    }
}

/// Has `trefoil up` start what does not run.
pub(crate) async fn start_missing(folder: &Folder) -> Seen {
    let folder = folder.clone();
    let asked = tokio::task::spawn_blocking(move || up::start_missing(&folder)).await;
    match asked {
        Ok(Ok(())) => Ok((true, "every part is ready".to_owned())),
        Ok(Err(ended)) => Ok((false, ended.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

/// What the monitor missed is sent to it first, so the first attempt may still be refused.
async fn read_again(story: &Story<'_>, person: &Person) -> Seen {
    let mut last = String::new();
    let watch = Stopwatch::start();
    while watch.elapsed().as_millis() < u128::from(AGAIN_MS_MAX) {
        let outcome = match client::ask(story.ready, AOIFE).await {
            Ok(session) => session.rows(&support_query(person)).await,
            Err(refused) => Err(refused),
        };
        match outcome {
            Ok(rows) => {
                let took = watch.elapsed().as_millis();
                return Ok((
                    rows.len() == 1,
                    format!("{} row, {took} ms after the monitor was ready", rows.len()),
                ));
            }
            Err(refused) => last = refused.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    Ok((false, last))
}
