//! `trefoil down`: asks the running supervisor to end everything, and waits until it has.

use std::time::Duration;

use rustix::process::Signal;

use crate::cli::Enclave;
use crate::enclave::state::{Lock, State};
use crate::ended::Ended;
use crate::terminal;

const END_SECS_MAX: u64 = 120;
const POLL_MS: u64 = 50;

pub(crate) fn run(asked: &Enclave) -> Result<(), Ended> {
    let folder = asked.folder();
    let dir = folder.dir().display();
    let Some(state) = State::of_running(&folder)? else {
        terminal::say(&format!("nothing runs in {dir}"));
        return Ok(());
    };
    state.signal(Signal::TERM)?;
    for _ in 0..END_SECS_MAX * 1000 / POLL_MS {
        if !Lock::is_held(&folder)? {
            terminal::say(&format!("ended everything in {dir}"));
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    }
    Err(Ended::not(format!("process {} has not ended after {END_SECS_MAX} s", state.pid)))
}
