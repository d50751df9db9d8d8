//! An output that is syslog (RFC 5424), with the message as JSON in its text. Over TCP and TLS each message has a
//! connection of its own, which the receiver closes once it has read it: syslog has no answer, and a receiver that died
//! with the message unread is known by how the connection ends. Over UDP and a unix socket nobody can tell.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{UdpSocket, UnixDatagram, lookup_host},
    time::timeout,
};

use super::{
    NotTaken,
    connect::{self, Roots},
    message::Message,
};

/// Facility 13: log audit.
const FACILITY: u8 = 13;
/// How long a refusal of a datagram is listened for.
const REFUSAL_WAIT_MS: u64 = 50;
/// The highest sequence number (RFC 5424, section 7.3.1).
const SEQUENCE_MAX: u64 = 2_147_483_647;

/// How it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Over {
    Udp,
    Tcp,
    Tls,
    Unix,
}

/// A receiver.
pub enum Syslog {
    Udp(String),
    Tcp(String, u16),
    Tls(String, u16, Roots),
    Unix(PathBuf),
}

impl Syslog {
    /// Checks what is configured; otherwise says what is wrong with it.
    pub fn new(over: Over, address: &str, roots: Option<Roots>) -> Result<Syslog, String> {
        if roots.is_some() != (over == Over::Tls) {
            return Err("roots_file belongs to over = \"tls\", and to it alone".to_owned());
        }
        let wrong = || format!("address: {address:?} is not one; write it as host:port");
        let parts = || {
            let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
            let port: u16 = port.parse().map_err(|_| wrong())?;
            Ok::<_, String>((host.trim_matches(['[', ']']).to_owned(), port))
        };
        Ok(match (over, roots) {
            (Over::Tls, Some(roots)) => {
                let (host, port) = parts()?;
                Syslog::Tls(host, port, roots)
            }
            (Over::Unix, _) => Syslog::Unix(PathBuf::from(address)),
            (Over::Udp, _) => parts().map(|_| Syslog::Udp(address.to_owned()))?,
            (Over::Tcp | Over::Tls, _) => {
                let (host, port) = parts()?;
                Syslog::Tcp(host, port)
            }
        })
    }

    /// Sends a message; fails unless the receiver took it, as far as syslog lets that be known.
    pub async fn send(&self, message: &Message, body: &str) -> Result<(), NotTaken> {
        let line = line(message, body);
        match self {
            Syslog::Tcp(host, port) => stream(connect::tcp(host, *port).await?, &line).await?,
            Syslog::Tls(host, port, roots) => stream(connect::tls(host, *port, roots).await?, &line).await?,
            Syslog::Udp(address) => udp(address, &line).await?,
            Syslog::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.send(line.as_bytes()).await?;
            }
        }
        Ok(())
    }
}

/// The message of RFC 5424.
fn line(message: &Message, body: &str) -> String {
    let severity: u8 = match message.incident.severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
    };
    let priority = FACILITY * 8 + severity;
    let (time, event, version) = (&message.time, message.event.as_str(), env!("CARGO_PKG_VERSION"));
    let host = message.own.split('/').next().unwrap_or("-");
    let sequence = message.index.saturating_add(1).min(SEQUENCE_MAX);
    format!(
        "<{priority}>1 {time} {host} trefoil-monitor - incident.{event} [meta sequenceId=\"{sequence}\"][origin \
         software=\"trefoil-monitor\" swVersion=\"{version}\"] {body}"
    )
}

/// Octet counting (RFC 6587, RFC 5425), then the end; the receiver's end says that it was read.
async fn stream(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str) -> io::Result<()> {
    stream.write_all(format!("{} {line}", line.len()).as_bytes()).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let mut rest = [0; 512];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // Over TLS, an end that was not announced is one too: RFC 5425 asks receivers to announce theirs.
            Err(error) => return Err(error),
        }
    }
}

async fn udp(address: &str, line: &str) -> io::Result<()> {
    let to = lookup_host(address).await?.next().ok_or(io::ErrorKind::NotFound)?;
    let from: SocketAddr = if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    socket.send(line.as_bytes()).await?;
    // Where nobody listens, the receiver's host may say so.
    let refused = timeout(Duration::from_millis(REFUSAL_WAIT_MS), socket.recv(&mut [0; 16])).await;
    match refused {
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}
