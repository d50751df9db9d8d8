//! Outputs: who is told of incidents, each at its own pace. An output goes through the own record in its order and
//! remembers how far it is in a file of its own, which moves on only when the receiver has taken the message. So
//! nothing is lost when either side is down or killed; what may come twice carries the same id. What is said is
//! `message` and `ocsf`; how it gets there is `webhook`, `syslog` and `file`.

mod connect;
mod file;
mod message;
mod ocsf;
mod syslog;
mod webhook;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{task::spawn_blocking, time::sleep};

pub use message::Message;

use crate::{
    clock,
    folder::{self, Folder, FolderError},
    incident::Incidents,
};

/// After a failure an output waits this long, twice as long after each further one, up to the second.
const RETRY_MS_MIN: u64 = 250;
const RETRY_MS_MAX: u64 = 60_000;
/// How long a receiver may take with one message.
const DELIVER_WAIT_MS_MAX: u64 = 10_000;
/// Most outputs.
pub const OUTPUTS_MAX: usize = 16;

/// What a message looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The incident as `incidents show --json` has it.
    Incident,
    /// OCSF Detection Finding (2004).
    Ocsf,
}

/// `[notify.NAME]` of monitor.toml, as written. Paths are below the monitor's folder, or absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "lowercase", deny_unknown_fields)]
pub enum RawOutput {
    Webhook {
        /// `https://…`; `http://` to this machine alone.
        url: String,
        format: Format,
        /// File of the secret by which the receiver knows the sender, base 64, mode 0600.
        secret_file: PathBuf,
        /// PEM file of the authorities that the receiver's certificate may be of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        roots_file: Option<PathBuf>,
    },
    Syslog {
        over: syslog::Over,
        /// `host:port`, or a path.
        address: String,
        format: Format,
        /// As for a webhook; with `over = "tls"`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        roots_file: Option<PathBuf>,
    },
    File {
        path: PathBuf,
        format: Format,
    },
}

/// Why an output cannot be used.
#[derive(Debug, Error)]
pub enum NotifyError {
    #[error("monitor.toml: notify.{name}: {problem}")]
    Value { name: String, problem: String },
    #[error("monitor.toml: notify.{name}: {source}")]
    File { name: String, source: FolderError },
    #[error("monitor.toml: notify: at most {OUTPUTS_MAX} outputs are told")]
    Many,
}

/// Why a message was not taken, in words: it is tried again whatever it was.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct NotTaken(String);

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> NotTaken {
        NotTaken(error.to_string())
    }
}

/// An output, checked.
struct Output {
    name: String,
    format: Format,
    way: Way,
    /// File of how far it is.
    cursor: PathBuf,
}

enum Way {
    Webhook(webhook::Webhook),
    Syslog(syslog::Syslog),
    File(PathBuf),
}

/// All outputs, not yet telling.
pub struct Outputs(Vec<Output>);

impl Outputs {
    /// Checks the outputs of a configuration.
    pub fn read(folder: &Folder, raw: &BTreeMap<String, RawOutput>) -> Result<Outputs, NotifyError> {
        if raw.len() > OUTPUTS_MAX {
            return Err(NotifyError::Many);
        }
        let read = |(name, raw): (&String, &RawOutput)| Output::read(folder, name, raw);
        raw.iter().map(read).collect::<Result<_, _>>().map(Outputs)
    }

    /// Tells everybody, each from where it was. Ends when the tasks are dropped.
    pub fn start(self, incidents: &Incidents) -> tokio::task::JoinSet<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for output in self.0 {
            tasks.spawn(output.run(incidents.clone()));
        }
        tasks
    }
}

impl Output {
    fn read(folder: &Folder, name: &str, raw: &RawOutput) -> Result<Output, NotifyError> {
        let wrong = |problem: String| NotifyError::Value { name: name.to_owned(), problem };
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(wrong("a name is up to 64 lower-case letters, digits and hyphens".to_owned()));
        }
        let unread = |source| NotifyError::File { name: name.to_owned(), source };
        let below = |path: &Path| folder.path().join(path);
        let roots = |path: &Option<PathBuf>| {
            path.as_ref().map(|path| connect::roots(&below(path))).transpose().map_err(wrong)
        };
        let (format, way) = match raw {
            RawOutput::Webhook { url, format, secret_file, roots_file } => {
                let secret = folder::read_secret(&below(secret_file)).map_err(unread)?;
                let webhook = webhook::Webhook::new(url, &secret, roots(roots_file)?).map_err(wrong)?;
                (*format, Way::Webhook(webhook))
            }
            RawOutput::Syslog { over, address, format, roots_file } => {
                let syslog = syslog::Syslog::new(*over, address, roots(roots_file)?).map_err(wrong)?;
                (*format, Way::Syslog(syslog))
            }
            RawOutput::File { path, format } => (*format, Way::File(below(path))),
        };
        Ok(Output { name: name.to_owned(), format, way, cursor: folder.cursor(name) })
    }

    async fn run(self, incidents: Incidents) {
        let mut grown = incidents.watch();
        let mut pace = Pace::default();
        loop {
            grown.borrow_and_update();
            match self.next(&incidents).await {
                Ok(Some(message)) => match self.deliver(&message).await {
                    Ok(()) => pace = Pace::default(),
                    Err(error) => pace.wait(&self.name, &error.to_string()).await,
                },
                Ok(None) => {
                    if grown.changed().await.is_err() {
                        return;
                    }
                }
                Err(error) => pace.wait(&self.name, &error).await,
            }
        }
    }

    /// The next message that the receiver has not taken.
    async fn next(&self, incidents: &Incidents) -> Result<Option<Message>, String> {
        let from = read_cursor(&self.cursor).map_err(|e| e.to_string())?;
        let own = incidents.own().origin().to_owned();
        let incidents = incidents.clone();
        let event = spawn_blocking(move || incidents.read(|store| store.event(from)));
        let event = event.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        Ok(event.map(|(index, incident)| Message::new(&own, index, incident)))
    }

    /// Commit order: the receiver takes it, then the cursor moves on. A crash between the two tells it twice.
    async fn deliver(&self, message: &Message) -> Result<(), NotTaken> {
        let body = match self.format {
            Format::Incident => message.json(),
            Format::Ocsf => ocsf::finding(message),
        };
        let body = body.to_string();
        let taken = async {
            match &self.way {
                Way::Webhook(webhook) => webhook.post(message, body, clock::now()).await,
                Way::Syslog(syslog) => syslog.send(message, &body).await,
                Way::File(path) => {
                    let path = path.clone();
                    let written = spawn_blocking(move || file::append(&path, &body)).await;
                    Ok(written.map_err(io::Error::other)??)
                }
            }
        };
        let wait = Duration::from_millis(DELIVER_WAIT_MS_MAX);
        let silent = |_| NotTaken(format!("no answer within {DELIVER_WAIT_MS_MAX} ms"));
        tokio::time::timeout(wait, taken).await.map_err(silent)??;
        let (cursor, next) = (self.cursor.clone(), message.index.saturating_add(1));
        let moved = spawn_blocking(move || write_cursor(&cursor, next)).await;
        moved.map_err(io::Error::other)?.map_err(|error| NotTaken(error.to_string()))
    }
}

/// How long to wait after a failure, and what was said of it.
#[derive(Default)]
struct Pace {
    wait_ms: u64,
    said: Option<String>,
}

impl Pace {
    async fn wait(&mut self, name: &str, problem: &str) {
        if self.said.as_deref() != Some(problem) {
            eprintln!("notify.{name}: {problem}; it is tried again");
            self.said = Some(problem.to_owned());
        }
        self.wait_ms = (self.wait_ms * 2).clamp(RETRY_MS_MIN, RETRY_MS_MAX);
        sleep(Duration::from_millis(self.wait_ms)).await;
    }
}

/// The first entry of the own record that the receiver has not taken. A file that is not there is a new output's.
fn read_cursor(path: &Path) -> Result<u64, FolderError> {
    if !path.exists() {
        return Ok(0);
    }
    let wrong = || FolderError::Text(path.to_owned());
    folder::read_text(path)?.trim_end().parse().map_err(|_| wrong())
}

fn write_cursor(path: &Path, next: u64) -> Result<(), FolderError> {
    if let Some(dir) = path.parent() {
        folder::make_dir(dir)?;
    }
    folder::write_file(path, format!("{next}\n").as_bytes(), 0o600)
}
