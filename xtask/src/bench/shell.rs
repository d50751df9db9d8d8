//! Running other programs: found or named as missing, their output kept for what goes wrong.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

/// Who runs PostgreSQL and pgbouncer when we are root: neither runs as root.
const SERVER_USER: &str = "postgres";
const END_SECS_MAX: u64 = 30;

/// A program that runs until this is dropped.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(i32::try_from(self.0.id()).unwrap_or_default()) {
            let _ = kill_process(pid, Signal::INT);
        }
        for _ in 0..END_SECS_MAX * 10 {
            if self.0.try_wait().ok().flatten().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, String> {
        let file = std::fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let errors = file.try_clone().map_err(|e| e.to_string())?;
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        child.map(Self).map_err(|e| format!("{command:?}: {e}"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

/// A command as the user who runs servers, ended by the kernel when this thread ends.
pub(crate) fn as_server(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if geteuid().is_root() {
        command.args(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT", "--"]).arg(program).current_dir("/");
    command
}

/// Hands a folder to the user who runs servers.
pub(crate) fn give_to_server(folder: &Path) -> Result<(), String> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let owner = format!("{SERVER_USER}:{SERVER_USER}");
    run(Command::new("chown").arg("-R").arg(owner).arg(folder)).map(drop)
}

/// Runs to the end; its standard output, or what it complained about.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let tail: Vec<&str> = said.lines().rev().take(5).collect();
    Err(format!("{command:?} failed ({}): {}", output.status, tail.join(" | ")))
}

/// A program in one of these folders, or in PATH.
pub(crate) fn find(name: &str, folders: &[PathBuf], package: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folders.iter().cloned().chain(std::env::split_paths(&path));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        format!("{name} is not installed: apt-get install {package}, or `. .ci/install.sh && ensure_bench`")
    })
}
