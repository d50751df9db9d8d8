//! Whether an enclave runs, and what its supervisor says of its parts. The lock is the truth about running: the
//! kernel gives it back however its holder ends. The file beside it is what the holder last said.

use std::fs::{File, OpenOptions, TryLockError};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};

/// How long a supervisor may take to say something after it took the lock.
const FIRST_WORD_MS_MAX: u64 = 5_000;
const POLL_MS: u64 = 50;

/// The right to run this enclave, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// `None` when another process runs this enclave.
    pub(crate) fn take(folder: &Folder) -> Result<Option<Self>, Ended> {
        let path = folder.run("lock");
        let doing = || format!("locking {}", path.display());
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.or_cannot_tell(doing())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).or_cannot_tell(doing()),
        }
    }

    pub(crate) fn is_held(folder: &Folder) -> Result<bool, Ended> {
        Ok(folder.run("lock").exists() && Self::take(folder)?.is_none())
    }
}

/// What the supervisor last said, in DIR/run/supervisor.json.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) pid: i32,
    /// How often it has been asked to start what is missing, and has finished doing so.
    pub(crate) round: u64,
    pub(crate) phase: Phase,
    pub(crate) parts: Vec<PartState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    Starting,
    /// The last round came to its end with every part ready.
    Ready,
    /// The last round came to its end with a part missing, and why.
    Incomplete(String),
    Stopping,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartState {
    pub(crate) name: String,
    /// Absent when it does not run.
    pub(crate) pid: Option<i32>,
    /// How it ended, when it ended by itself.
    pub(crate) ended: Option<String>,
}

impl State {
    pub(crate) fn write(&self, folder: &Folder) -> Result<(), Ended> {
        folder::write_public(&folder.run("supervisor.json"), &folder::json_bytes(self)?)
    }

    /// What the running supervisor says; `None` when nothing runs.
    pub(crate) fn of_running(folder: &Folder) -> Result<Option<Self>, Ended> {
        if !Lock::is_held(folder)? {
            return Ok(None);
        }
        for _ in 0..FIRST_WORD_MS_MAX / POLL_MS {
            // A file of an earlier supervisor names a process that is gone.
            if let Ok(state) = folder::read_json::<Self>(&folder.run("supervisor.json"))
                && is_alive(state.pid)
            {
                return Ok(Some(state));
            }
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
        if !Lock::is_held(folder)? {
            return Ok(None);
        }
        Err(Ended::cannot_tell(format!("the process that runs {} says nothing", folder.dir().display())))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Ended> {
        let pid =
            Pid::from_raw(self.pid).ok_or_else(|| Ended::cannot_tell("the supervisor has no process"))?;
        rustix::process::kill_process(pid, signal)
            .or_cannot_tell(format!("asking the running enclave (process {})", self.pid))
    }
}

pub(crate) fn is_alive(pid: i32) -> bool {
    // Whoever may not be asked is alive.
    Pid::from_raw(pid).is_some_and(|pid| {
        !matches!(rustix::process::test_kill_process(pid), Err(error) if error == rustix::io::Errno::SRCH)
    })
}
