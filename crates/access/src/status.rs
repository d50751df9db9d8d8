//! What a running gate says of itself, to whoever may open its socket: one JSON object a connection. Nothing can be
//! changed through it. Not here: what is counted (`figures`).

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Duration, interval, timeout};

use crate::clock;
use crate::figures::{Rates, Totals, Waits};
use crate::gate::Gate;
use crate::standing::Standing;

/// How long an asker may take to read the answer, and the gate to give it.
const ANSWER_MS_MAX: u64 = 2_000;
/// The longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a gate says of itself. The field names are a promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateStatus {
    pub sessions: Sessions,
    pub sites: Vec<SiteStatus>,
    pub totals: Totals,
    pub rates: Rates,
    pub waits: Waits,
    pub lag: GateLag,
}

/// Sessions that are open, or being opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub count: u64,
    /// Where there are any, by name of profile and site.
    pub by_profile_and_site: Vec<SessionsOf>,
}

/// Sessions of a profile at a site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionsOf {
    pub profile: String,
    pub site: String,
    pub count: u64,
}

/// Whether a site is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStatus {
    pub name: String,
    pub used: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far the record is, in entries. The first number is the monitor's lag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateLag {
    /// Durable here and not cosigned yet.
    pub entries: u64,
    pub staged: u64,
    pub cosigned: u64,
    pub published: u64,
}

impl Gate {
    /// How things stand.
    pub(crate) fn status(&self) -> GateStatus {
        let names = self.config.bundle.profiles();
        let mut by: Vec<SessionsOf> = self
            .pool
            .taken()
            .into_iter()
            .map(|(profile, site, count)| {
                let named = names.iter().find(|known| known.hash == profile);
                let profile = named.map_or_else(|| profile.to_string(), |profile| profile.name.clone());
                SessionsOf { profile, site, count }
            })
            .collect();
        by.sort();
        let sites = self.sites.iter().map(|stand| {
            let standing = stand.now();
            let reason = match &standing {
                Standing::Used if !stand.is_fresh() => Some("it is behind its site".to_owned()),
                Standing::Used => None,
                Standing::Closed(why) => Some(why.to_string()),
                Standing::Stopping => Some("the gate is stopping".to_owned()),
            };
            SiteStatus { name: stand.site.name.clone(), used: reason.is_none(), reason }
        });
        let lag = self.record.lag();
        GateStatus {
            sessions: Sessions { count: by.iter().map(|of| of.count).sum(), by_profile_and_site: by },
            sites: sites.collect(),
            totals: self.figures.totals(),
            rates: self.figures.rates(clock::instant()),
            waits: self.figures.waits(),
            lag: GateLag {
                entries: lag.staged.saturating_sub(lag.cosigned),
                staged: lag.staged,
                cosigned: lag.cosigned,
                published: lag.published,
            },
        }
    }
}

/// Opens the socket, readable by the gate's own user alone. One that an earlier gate left is replaced.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Counts the seconds, and answers whoever asks; one after the other, and until it is dropped.
pub async fn serve(gate: Arc<Gate>, listener: Option<UnixListener>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = second.tick() => gate.figures.tick(clock::instant()),
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(asker) => answer(&gate, asker).await,
                Err(error) => tracing::warn!(%error, "the status cannot be asked for"),
            },
        }
    }
}

async fn accept(listener: Option<&UnixListener>) -> io::Result<UnixStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

async fn answer(gate: &Gate, mut asker: UnixStream) {
    let Ok(mut said) = serde_json::to_vec(&gate.status()) else { return };
    said.push(b'\n');
    // An asker that does not read is not waited for.
    let _ = timeout(Duration::from_millis(ANSWER_MS_MAX), async {
        asker.write_all(&said).await?;
        asker.shutdown().await
    })
    .await;
}

/// Asks the gate that serves this socket.
pub async fn ask(path: &Path) -> io::Result<GateStatus> {
    let ask = async {
        let mut said = Vec::new();
        UnixStream::connect(path).await?.take(ANSWER_BYTES_MAX).read_to_end(&mut said).await?;
        serde_json::from_slice(&said).map_err(io::Error::other)
    };
    timeout(Duration::from_millis(ANSWER_MS_MAX), ask).await.map_err(io::Error::other)?
}
