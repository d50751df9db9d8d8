//! One child process: started so that it cannot outlive us, watched, and ended. Which processes there are and in which
//! order is in `parts`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::sync::{mpsc, watch};

const LOG_TAIL_BYTES_MAX: u64 = 1_500;

/// A child and how it ended, once it has.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    ended: watch::Receiver<Option<String>>,
}

impl Process {
    /// Starts a command in a process group of its own (so that Ctrl-C reaches it in our order, not the terminal's),
    /// its output appended to a log. Its end is told on `ends` by name.
    ///
    /// Only from the main thread: the kernel's parent-death signal, which `setpriv` sets, means the thread.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        log: &Path,
        ends: mpsc::UnboundedSender<String>,
    ) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = tokio::process::Command::from(command).spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it ended at once"))?;
        let (tell, ended) = watch::channel(None);
        let name = name.to_owned();
        tokio::spawn(async move {
            let how = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => format!("it cannot be waited for: {error}"),
            };
            // Set in the same step as the child is reaped, so that its number is never used again by `signal`.
            tell.send_replace(Some(how));
            // Nobody listens once everything is being ended.
            let _ = ends.send(name);
        });
        Ok(Self { pid, ended })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    pub(crate) fn runs(&self) -> bool {
        self.ended.borrow().is_none()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if self.runs() {
            // It can only have ended meanwhile, which is what is wanted.
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }

    /// Waits for its end. False when the time is over before it.
    pub(crate) async fn wait(&self, at_most: Duration) -> bool {
        let mut ended = self.ended.clone();
        tokio::time::timeout(at_most, ended.wait_for(Option::is_some)).await.is_ok()
    }
}

/// `setpriv`, which makes the kernel end the program when we end, however we end.
pub(crate) fn tied_to_us(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).arg(program).args(arguments);
    command
}

/// A program that is installed beside ours.
pub(crate) fn program_beside(ours: &Path, name: &str) -> io::Result<PathBuf> {
    let beside = ours.with_file_name(name);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("{} is missing; build it", beside.display())))
}

/// How much of its copy a monitor says in its log that it has read, and of how much: `reading the copy: 64 of 700 MiB`.
pub(crate) fn copy_read(log: &Path) -> Option<(u64, u64)> {
    let text = end(log);
    let said = text.lines().rev().find_map(|line| line.strip_prefix("reading the copy: "))?;
    let (done, of) = said.strip_suffix(" MiB")?.split_once(" of ")?;
    Some((done.parse().ok()?, of.parse().ok()?))
}

/// The last bytes of a log.
fn end(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

/// The last lines of a log, to say why a part ended.
pub(crate) fn tail(log: &Path) -> String {
    let text = end(log);
    let lines: Vec<&str> = text.lines().rev().take(6).collect();
    lines.into_iter().rev().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn how_far_a_monitor_has_read_is_its_last_word_on_it() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let check = |text: &str, expected: Option<(u64, u64)>| {
            std::fs::write(log.path(), text).unwrap();
            assert_eq!(copy_read(log.path()), expected, "{text}");
        };
        check("", None);
        check("ready: http://127.0.0.1:1 follows\n", None);
        check("reading the copy: 16 of 700 MiB\nreading the copy: 32 of 700 MiB\nother\n", Some((32, 700)));
        check("reading the copy: 16 of 7", None);
    }
}
