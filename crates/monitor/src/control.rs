//! How the command line reaches a monitor that runs: a socket in its folder, for its owner alone. One question is one
//! line of JSON, and so is the answer. Who may open the socket may open the keys beside it, so that nobody is asked for
//! more. What is asked and answered belongs to those who are asked.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixStream as Caller},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader as Reader},
    net::{UnixListener, UnixStream},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    brake::{self, Brakes},
    clock,
    config::{Config, ConfigError},
    folder::{self, Folder, FolderError},
    incident::{
        Incidents,
        desk::{self, Desk, Told},
    },
    monitor::StartError,
    own::Own,
};

/// The longest question.
const ASK_BYTES_MAX: u64 = 256 * 1024;
/// The longest answer.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long a question may take to arrive, and the command line to be answered.
const ASK_WAIT_MS_MAX: u64 = 5_000;
const ANSWER_WAIT_MS_MAX: u64 = 600_000;
/// How often is looked whether a monitor that starts answers.
const ASK_AGAIN_MS: u64 = 50;

/// A question, by who answers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    Incidents(desk::Ask),
    Brakes(brake::desk::Ask),
    /// Whether everything that was found is kept.
    Sound,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Told(Told),
    /// What was asked for does not hold.
    Not(String),
    /// It cannot be told.
    Unknown(String),
}

/// Everybody who answers.
#[derive(Clone)]
pub struct Desks {
    pub incidents: Desk,
    pub brakes: Brakes,
}

impl Desks {
    /// Opens the folder of a monitor that does not run; the caller holds its lock.
    pub fn open(folder: &Folder) -> Result<Desks, StartError> {
        let config = Config::read(folder)?;
        let identity = folder::read_secret(&folder.identity()).map_err(ConfigError::from)?.trim().to_owned();
        let own = Own::open(folder, &config.own, &identity)?;
        let brakes = Brakes::open(folder, config.brakes, Some(own.clone()), clock::now())?;
        let incidents = Incidents::open(own, &config.origin)?;
        let (folder, contacts) = (folder.clone(), config.report);
        Ok(Desks { incidents: Desk { incidents, folder, contacts, identity }, brakes })
    }

    /// Answers one question. Blocks for as long as it takes.
    pub fn answer(&self, ask: Ask) -> Answer {
        let (answered, refused) = match ask {
            Ask::Incidents(ask) => {
                let answered = self.incidents.ask(ask, clock::now());
                let refused = answered.as_ref().is_err_and(|error| error.is_refusal());
                (answered.map_err(|error| error.to_string()), refused)
            }
            Ask::Sound => match self.incidents.incidents.sound() {
                Ok(()) => (Ok(Told { text: "what is found is kept".to_owned(), json: true.into() }), false),
                Err(why) => (Err(format!("the monitor that runs cosigns nothing: {why}")), true),
            },
            Ask::Brakes(ask) => {
                let answered = self.brakes.ask(ask, clock::now());
                let refused = answered.as_ref().is_err_and(|error| error.is_refusal());
                (answered.map_err(|error| error.to_string()), refused)
            }
        };
        match answered {
            Ok(told) => Answer::Told(told),
            Err(why) if refused => Answer::Not(why),
            Err(why) => Answer::Unknown(why),
        }
    }
}

/// Asks whoever has the folder: the monitor that runs on it, or, when none does, this process. A monitor that is about
/// to start or to stop is waited for.
pub fn ask(folder: &Folder, ask: &Ask) -> Result<Answer, AskError> {
    let until = clock::instant() + Duration::from_millis(ASK_WAIT_MS_MAX);
    loop {
        if let Some(answer) = ask_running(folder, ask)? {
            return Ok(answer);
        }
        match folder.lock() {
            Ok(_lock) => return Ok(Desks::open(folder)?.answer(ask.clone())),
            Err(FolderError::Locked(_)) if clock::instant() < until => {
                std::thread::sleep(Duration::from_millis(ASK_AGAIN_MS));
            }
            Err(error) => return Err(AskError::Folder(error)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    #[error("the monitor that runs on this folder: {0}")]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Folder(FolderError),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Asks the monitor that runs on this folder; none when no monitor answers there.
pub fn ask_running(folder: &Folder, ask: &Ask) -> io::Result<Option<Answer>> {
    let mut stream = match Caller::connect(folder.control()) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(Duration::from_millis(ANSWER_WAIT_MS_MAX)))?;
    stream.write_all(format!("{}\n", serde_json::to_string(ask)?).as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    if line.is_empty() {
        return Err(io::Error::other("the monitor ended before it answered; ask again"));
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// The socket and those who answer at it. Removed when dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    desks: Desks,
}

impl Socket {
    /// Binds the socket in a folder that the caller has locked, so that one that is there is a dead monitor's.
    pub fn bind(folder: &Folder, desks: Desks) -> io::Result<Socket> {
        let path = folder.control();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // The folder is its owner's alone, so that nobody else comes between these two.
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Socket { listener, path, desks })
    }

    /// Answers until it is dropped, one caller at a time.
    pub async fn serve(self) {
        loop {
            let served = match self.listener.accept().await {
                Ok((stream, _)) => answer(stream, self.desks.clone()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                eprintln!("{}: {error}", self.path.display());
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(Path::new(&self.path));
    }
}

async fn answer(stream: UnixStream, desks: Desks) -> io::Result<()> {
    let mut stream = Reader::new(stream);
    let mut line = String::new();
    let wait = Duration::from_millis(ASK_WAIT_MS_MAX);
    timeout(wait, (&mut stream).take(ASK_BYTES_MAX).read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(ask) => spawn_blocking(move || desks.answer(ask)).await.map_err(io::Error::other)?,
        Err(error) => Answer::Unknown(format!("the question was not understood: {error}")),
    };
    let mut line = serde_json::to_string(&answer)?;
    line.push('\n');
    timeout(wait, stream.write_all(line.as_bytes())).await??;
    stream.flush().await
}
