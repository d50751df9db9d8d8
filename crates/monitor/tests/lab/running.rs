//! The program, running on a folder, and a gate that is enrolled there.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use rustls::ClientConfig;
use serde_json::Value;

use crate::lab::client::{self, Stream};

pub struct Running {
    pub child: Child,
    pub url: String,
    /// The gate's.
    pub tls: Arc<ClientConfig>,
}

#[allow(dead_code, reason = "each test file uses its part")]
impl Running {
    /// Runs the program; `tls` is a gate's that is enrolled there.
    pub fn start(dir: &Path, tls: &Arc<ClientConfig>) -> Running {
        let mut child = Command::new("sh")
            // A file that would grow too long is an error as any other, and no signal.
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_trefoil-monitor")])
            .args(["run", "--json", "--dir", dir.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        let url = ready["url"].as_str().unwrap().trim_start_matches("https://").to_owned();
        Running { child, url, tls: tls.clone() }
    }

    pub fn send(&self, head: &str, body: &[u8]) -> Box<dyn Stream> {
        let mut stream = client::connect(&self.url, Some(&self.tls));
        client::send(&mut *stream, head, body).unwrap();
        stream
    }

    /// Status and body.
    pub fn ask(&self, head: &str, body: &[u8]) -> (u16, String) {
        let (status, _, body) = client::answer(&mut *self.send(head, body)).unwrap();
        (status, body)
    }

    pub fn post(&self, body: &[u8]) -> (u16, String) {
        self.ask("POST /batch", body)
    }

    pub fn size(&self) -> u64 {
        let (status, body) = self.ask("GET /state", b"");
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&body).unwrap()["size"].as_u64().unwrap()
    }

    /// Lets no file of the program's grow past this many bytes, as a disk that is full does not; none: any.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Fsize, limit).unwrap();
    }

    pub fn stop(mut self) -> i32 {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
