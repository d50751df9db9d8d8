//! `trefoil up`: makes an enclave at its first start, runs its parts, and prints how to use them. On an enclave that
//! already runs it asks the running supervisor to start what is missing.

mod ask;
mod first;
mod grow;
mod keys;
mod leftovers;
mod monitor;
mod parts;
mod process;
mod progress;
mod rule;
mod secrets;
mod supervise;
mod told;

use crate::cli::Up;
use crate::enclave::ready::Ready;
use crate::enclave::state::Lock;
use crate::ended::{Ended, OrEnded};
use crate::folder::{Folder, Stage};

pub(crate) use process::{program_beside, tied_to_us};
pub(crate) use secrets::{Secrets, random_password};

pub(crate) fn run(asked: &Up) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    prepare(&folder)?;
    if asked.detached {
        // A session of its own: closing the terminal does not end it.
        rustix::process::setsid().or_cannot_tell("leaving the terminal's session")?;
    }
    if Lock::is_held(&folder)? {
        ask::running(&folder)?;
    } else if asked.detach && !asked.detached {
        ask::new_in_background(&folder, asked)?;
    } else {
        let lock = Lock::take(&folder)?;
        let lock =
            lock.ok_or_else(|| Ended::cannot_tell("another `trefoil up` has just started this enclave"))?;
        return supervise::run(&folder, asked, lock);
    }
    Ready::read(&folder)?.print(asked.json)
}

/// Asks the running supervisor to start what does not run, and waits until everything is ready.
pub(crate) fn start_missing(folder: &Folder) -> Result<(), Ended> {
    ask::running(folder)
}

/// Makes the folder and marks it as ours before anything is locked in it.
fn prepare(folder: &Folder) -> Result<(), Ended> {
    let dir = folder.dir().display();
    if folder.stage() == Stage::Foreign {
        let remedy = "choose an empty folder with --dir";
        return Err(Ended::cannot_tell(format!(
            "{dir} holds something that `trefoil up` did not make; {remedy}"
        )));
    }
    if folder.stage() == Stage::Complete {
        return Ok(());
    }
    folder.begin().or_cannot_tell(format!("making {dir}"))
}
