//! What a killed supervisor leaves behind for a moment: parts that the kernel has told to end and that are still at it.
//! The next start waits for them, and asks again if they have not heard.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::enclave::state::{State, is_alive};
use crate::ended::Ended;
use crate::folder::{self, Folder};

const ASK_AGAIN_MS: u64 = 5_000;
const END_MS_MAX: u64 = 60_000;
const POLL_MS: u64 = 50;

/// Waits until no process of an earlier run is left. The caller holds the lock, so none of them has a supervisor.
pub(crate) async fn wait(folder: &Folder) -> Result<(), Ended> {
    let mut pids = pids(folder);
    for waited in 0..END_MS_MAX / POLL_MS {
        pids.retain(|pid| is_ours(*pid, folder));
        if pids.is_empty() {
            return Ok(());
        }
        if waited == ASK_AGAIN_MS / POLL_MS {
            for pid in &pids {
                ask_to_end(*pid);
            }
        }
        tokio::time::sleep(Duration::from_millis(POLL_MS)).await;
    }
    let list: Vec<String> = pids.iter().map(ToString::to_string).collect();
    Err(Ended::not(format!(
        "processes of an earlier run do not end: {}; end them and try again",
        list.join(", ")
    )))
}

/// Those that the last supervisor named, and the servers that hold a site's folder.
fn pids(folder: &Folder) -> Vec<i32> {
    let state = folder::read_json::<State>(&folder.run("supervisor.json"));
    let mut pids: Vec<i32> =
        state.map(|state| state.parts.iter().filter_map(|part| part.pid).collect()).unwrap_or_default();
    let sites = fs::read_dir(folder.sites()).into_iter().flatten().flatten();
    let servers = sites.filter_map(|site| {
        let text = fs::read_to_string(site.path().join("data/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse::<i32>().ok()
    });
    pids.extend(servers);
    pids
}

/// Whether a process has to do with this folder; its number may belong to somebody else by now.
fn is_ours(pid: i32, folder: &Folder) -> bool {
    let dir = folder.dir().to_string_lossy().into_owned();
    let sites =
        fs::canonicalize(folder.sites()).map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    is_alive(pid) && (line.contains(&dir) || (!sites.is_empty() && line.contains(&sites)))
}

fn ask_to_end(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It can only have ended meanwhile. For PostgreSQL this is the fast shutdown, and the others know it too.
        let _ = rustix::process::kill_process(pid, Signal::INT);
    }
}
