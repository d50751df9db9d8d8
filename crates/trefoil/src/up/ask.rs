//! `up` when another process is, or is to be, the supervisor: asks it, waits until every part is ready, and says what
//! went wrong when one is not.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::cli::Up;
use crate::enclave::state::{Lock, Phase, State};
use crate::ended::{CANNOT_TELL, Ended, OrEnded};
use crate::folder::Folder;
use crate::terminal;

/// A first start makes clusters and people; the largest takes a while on a small machine.
const FIRST_START_SECS_MAX: u64 = 3_600;
const ROUND_SECS_MAX: u64 = 300;
const POLL_MS: u64 = 100;
const LOG: &str = "up";

/// Asks the running supervisor to start what does not run, and waits until everything is ready.
pub(crate) fn running(folder: &Folder) -> Result<(), Ended> {
    let Some(state) = State::of_running(folder)? else {
        return Err(Ended::cannot_tell("the enclave is just being ended; run `trefoil up` again"));
    };
    match state.phase {
        // Somebody is starting it: their end is ours.
        Phase::Starting => wait_round(folder, state.round, FIRST_START_SECS_MAX),
        Phase::Stopping => {
            Err(Ended::cannot_tell("the enclave is being ended; run `trefoil up` again afterwards"))
        }
        Phase::Ready | Phase::Incomplete(_) => {
            state.signal(Signal::USR1)?;
            wait_round(folder, state.round, ROUND_SECS_MAX)
        }
    }
}

fn wait_round(folder: &Folder, before: u64, secs_max: u64) -> Result<(), Ended> {
    for _ in 0..secs_max * 1000 / POLL_MS {
        let Some(state) = State::of_running(folder)? else {
            return Err(Ended::not(format!("the enclave has ended; see {}", folder.log(LOG).display())));
        };
        if state.round > before {
            return match state.phase {
                Phase::Ready => Ok(()),
                Phase::Incomplete(why) => Err(Ended::Not(why)),
                Phase::Starting | Phase::Stopping => Err(Ended::not("the enclave is being ended")),
            };
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    Err(Ended::not(format!("the enclave is not ready after {secs_max} s; see {}", folder.log(LOG).display())))
}

/// Starts a supervisor that stays, repeats what it says while it starts, and returns when it is ready.
pub(crate) fn new_in_background(folder: &Folder, asked: &Up) -> Result<(), Ended> {
    let path = folder.log(LOG);
    let doing = || format!("writing {}", path.display());
    let log = OpenOptions::new().create(true).append(true).open(&path).or_cannot_tell(doing())?;
    let mut heard = File::open(&path).or_cannot_tell(doing())?;
    heard.seek(SeekFrom::End(0)).or_cannot_tell(doing())?;
    let mut child = spawn(folder, asked, log)?;
    for _ in 0..FIRST_START_SECS_MAX * 1000 / POLL_MS {
        let ended = child.try_wait().or_cannot_tell("waiting for the supervisor")?;
        repeat(&mut heard);
        if let Some(status) = ended {
            // Its last words were on the log, so they have just been repeated.
            let cannot_tell = status.code() == Some(i32::from(CANNOT_TELL));
            return Err(if cannot_tell { Ended::cannot_tell("") } else { Ended::not("") });
        }
        if is_ready(folder, &child)? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    Err(Ended::not(format!(
        "the enclave is not ready after {FIRST_START_SECS_MAX} s; see {}",
        path.display()
    )))
}

fn spawn(folder: &Folder, asked: &Up, log: File) -> Result<Child, Ended> {
    let doing = "starting the supervisor";
    let program = std::env::current_exe().or_cannot_tell(doing)?;
    let mut command = Command::new(program);
    command.args(["up", "--detached", "--dir"]).arg(folder.dir());
    command.args(["--subjects", &asked.subjects.to_string(), "--seed", &asked.seed.to_string()]);
    if let Some(files) = &asked.enclave_files {
        command.arg("--enclave").arg(files);
    }
    if let Some(file) = &asked.country_file {
        command.arg("--country-file").arg(file);
    }
    let errors = log.try_clone().or_cannot_tell(doing)?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().or_cannot_tell(doing)
}

fn is_ready(folder: &Folder, child: &Child) -> Result<bool, Ended> {
    if !Lock::is_held(folder)? {
        return Ok(false);
    }
    let state = State::of_running(folder)?;
    Ok(state.is_some_and(|state| u32::try_from(state.pid) == Ok(child.id()) && state.phase == Phase::Ready))
}

/// Prints what the log has gained, on standard error.
fn repeat(log: &mut File) {
    let mut text = Vec::new();
    // What cannot be repeated is still in the log.
    if log.read_to_end(&mut text).is_ok() && !text.is_empty() {
        terminal::note(String::from_utf8_lossy(&text).trim_end());
    }
}
