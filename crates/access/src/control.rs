//! What a running gate is asked to do, by whoever may open its socket, which is its own user alone: one order a
//! connection, as a line of JSON, and one answer. What it does then is in `record::Record::forget`, `probe` and `evidence`. Not here:
//! what it says of itself (`status`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use record::{ForgetError, Gone};
use serde::{Deserialize, Serialize};
use tlog::detail::{
    HandedLogins, HomesStated, LoginExplained, LoginResponse, LoginVerdict, ProbesRevealed, ResidencyEvidence,
};
use tlog::entry::Kind;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Duration, timeout};

use crate::config::Config;
use crate::gate::Gate;
use crate::{evidence, homes, logins, probe};

/// Name of the socket, in the folder of the one that says how the gate is.
pub const CONTROL_SOCKET: &str = "control.sock";
/// The longest order, and how long one may take to arrive.
const ORDER_BYTES_MAX: u64 = 4 << 20;
const ORDER_MS_MAX: u64 = 2_000;
/// The longest answer that is read, and how long one may take.
const ANSWER_BYTES_MAX: u64 = 4 << 20;
const ANSWER_MS_MAX: u64 = 120_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Destroy the keys of a day, of one retention class or of all.
    Forget { day: String, class: Option<String> },
    /// Commit to so many probes, unless some are committed to and not sent yet.
    CommitProbes { count: usize },
    /// Send what was committed to, and reveal it.
    SendProbes,
    /// Put the operator's next statement about homes in force.
    Failover(HomesStated),
    /// The same, on the way back.
    Failback(HomesStated),
    /// Append what the residency checker found.
    Evidence(Box<ResidencyEvidence>),
    /// Append what was judged of the company's other systems.
    Logins(Box<HandedLogins>),
    /// Which responses to suspicious logins are in force.
    Responses,
    /// Take one back.
    UndoResponse { id: String, because: String },
    /// Let a principal's logins from an address pass.
    PassLogin { principal: String, from: String, because: String },
    /// What is known of somebody's logins.
    ExplainLogins(LoginExplained),
    /// What an analyst says of a login, by the index of its `login.judged`; or take that back.
    MarkLogin { event: u64, verdict: LoginVerdict, undo: bool, because: String },
    /// Which verdicts are in force.
    LoginMarks,
}

/// What came of it. The field names are a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Forgotten(Vec<Gone>),
    /// Index of the `probe.committed`.
    Committed(u64),
    Probed(Probed),
    /// Index of the entry; none where the statement was in force already.
    Stated(Option<u64>),
    /// Index of the entry that holds what was handed in.
    Recorded(u64),
    /// What was handed in comes before what the same watch handed in last, which has this sequence.
    Behind(u64),
    /// In force.
    Responses(Vec<LoginResponse>),
    /// What became of a response, and which entry says so.
    Responded {
        response: Box<LoginResponse>,
        entry: String,
    },
    /// What is known of somebody's logins, and which entry says who looked.
    Explained {
        entry: u64,
        known: serde_json::Value,
    },
    /// Index of the entry that holds the verdict.
    Marked(u64),
    /// In force.
    Marks(Vec<LoginMark>),
    /// It may not be.
    Refused(String),
    /// It may be, and did not happen or not wholly.
    Failed(String),
}

/// A verdict in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginMark {
    /// Index of the `login.judged`.
    pub event: u64,
    pub verdict: LoginVerdict,
    pub because: String,
    /// Index of the `login.marked`.
    pub entry: u64,
}

/// What became of probes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Index of the `probe.revealed`.
    pub revealed: u64,
    #[serde(flatten)]
    pub probes: ProbesRevealed,
}

/// Where the gate with this configuration takes orders.
pub(crate) fn socket(config: &Config) -> PathBuf {
    config.status.with_file_name(CONTROL_SOCKET)
}

/// Finishes what was begun before, then does what it is asked, one order after the other, until it is dropped.
pub(crate) async fn serve(gate: Arc<Gate>, listener: Option<UnixListener>) {
    match gate.record.finish_forgetting().await {
        Ok(gone) => gone.iter().for_each(|gone| tracing::info!(key = gone.key, "a key is forgotten at last")),
        Err(error) => tracing::error!(%error, "a key that is to be forgotten is still there"),
    }
    let Some(listener) = listener else { return };
    loop {
        match listener.accept().await {
            Ok((asker, _)) => serve_one(&gate, asker).await,
            Err(error) => {
                tracing::warn!(%error, "no order can be taken");
                tokio::time::sleep(Duration::from_millis(ORDER_MS_MAX)).await;
            }
        }
    }
}

async fn serve_one(gate: &Arc<Gate>, mut asker: UnixStream) {
    let answer = match timeout(Duration::from_millis(ORDER_MS_MAX), read(&mut asker)).await {
        Ok(Ok(order)) => obey(gate, order).await,
        Ok(Err(error)) => Answer::Refused(format!("not an order: {error}")),
        Err(_) => Answer::Refused("the order did not arrive in time".to_owned()),
    };
    let Ok(mut said) = serde_json::to_vec(&answer) else { return };
    said.push(b'\n');
    // An asker that does not read is not waited for.
    let _ = timeout(Duration::from_millis(ORDER_MS_MAX), async {
        asker.write_all(&said).await?;
        asker.shutdown().await
    })
    .await;
}

async fn read(asker: &mut UnixStream) -> io::Result<Order> {
    let mut line = String::new();
    BufReader::new(asker.take(ORDER_BYTES_MAX)).read_line(&mut line).await?;
    serde_json::from_str(&line).map_err(io::Error::other)
}

async fn obey(gate: &Arc<Gate>, order: Order) -> Answer {
    match order {
        Order::Forget { day, class } => {
            if let Err(answer) = check_monitor(gate).await {
                return answer;
            }
            let days_min = &gate.config.bundle.enclave().retention_days_min;
            let forgotten =
                gate.record.forget(&day, class.as_deref(), |class| days_min.get(class).copied()).await;
            match forgotten {
                Ok(gone) => Answer::Forgotten(gone),
                Err(
                    error @ (ForgetError::NotWitnessed(_)
                    | ForgetError::NotPublished { .. }
                    | ForgetError::Read(_)
                    | ForgetError::Io { .. }
                    | ForgetError::Stopped),
                ) => Answer::Failed(error.to_string()),
                Err(error) => Answer::Refused(error.to_string()),
            }
        }
        Order::CommitProbes { count } => match probe::commit(gate, count).await {
            Ok(committed) => Answer::Committed(committed),
            Err(fault) => Answer::Failed(fault.internal),
        },
        Order::Failover(stated) => state(gate, Kind::SitesFailover, &stated).await,
        Order::Failback(stated) => state(gate, Kind::SitesFailback, &stated).await,
        Order::Evidence(found) => {
            if let Err(answer) = check_monitor(gate).await {
                return answer;
            }
            match evidence::append(gate, &found).await {
                Ok(index) => Answer::Recorded(index),
                Err(answer) => answer,
            }
        }
        Order::Logins(handed) => match check_monitor(gate).await {
            Ok(()) => logins::hand_in(gate, *handed).await,
            Err(answer) => answer,
        },
        Order::ExplainLogins(asked) => match check_monitor(gate).await {
            Ok(()) => logins::explain(gate, asked).await,
            Err(answer) => answer,
        },
        Order::MarkLogin { event, verdict, undo, because } => match check_monitor(gate).await {
            Ok(()) => logins::mark(gate, event, verdict, undo, because).await,
            Err(answer) => answer,
        },
        Order::LoginMarks => logins::marks(gate),
        Order::Responses => logins::list(gate),
        Order::UndoResponse { id, because } => logins::undo(gate, &id, because).await,
        Order::PassLogin { principal, from, because } => {
            logins::pass(gate, &principal, &from, &because).await
        }
        Order::SendProbes => match probe::send(gate).await {
            Ok(probed) => Answer::Probed(probed),
            Err(fault) => Answer::Failed(fault.internal),
        },
    }
}

async fn state(gate: &Gate, kind: Kind, stated: &HomesStated) -> Answer {
    match check_monitor(gate).await {
        Ok(()) => homes::state(gate, kind, stated).await,
        Err(answer) => answer,
    }
}

/// A monitor that decides by a later policy might not take the entry, and nothing is released behind an entry that it
/// does not take.
async fn check_monitor(gate: &Gate) -> Result<(), Answer> {
    let Config { bundle, monitor, monitor_tls, .. } = &gate.config;
    match record::monitor_state(monitor, Some(monitor_tls)).await {
        Ok(state) if state.policy == bundle.hash().to_string() => Ok(()),
        Ok(_) => Err(Answer::Refused(
            "the monitor has accepted another policy than this gate decides by; start the gate again first"
                .to_owned(),
        )),
        Err(error) => Err(Answer::Failed(format!("{error}; nothing was recorded"))),
    }
}

/// Asks the gate that takes orders at this socket.
pub async fn ask(path: &Path, order: &Order) -> io::Result<Answer> {
    let ask = async {
        let mut line = serde_json::to_vec(order).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut gate = UnixStream::connect(path).await?;
        gate.write_all(&line).await?;
        let mut said = Vec::new();
        gate.take(ANSWER_BYTES_MAX).read_to_end(&mut said).await?;
        serde_json::from_slice(&said).map_err(io::Error::other)
    };
    timeout(Duration::from_millis(ANSWER_MS_MAX), ask).await.map_err(io::Error::other)?
}
