//! The client's side of a connection until it is a session: where it comes from, TLS, the opening packet. Not here:
//! passwords (`login`), whether policy lets the principal in (`admit`).

use std::net::IpAddr;
use std::sync::Arc;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::server::TlsStream;
use wall::names::HOME_SETTING;
use wire::backend::{self, Report, Severity};
use wire::startup::{self, STARTUP_BYTES_MAX, Startup};
use wire::{Violation, options};

use crate::admit::Asker;
use crate::attempts::Seat;
use crate::config::Listener;
use crate::fault::{Fault, Shown};
use crate::gate::Gate;
use crate::origin::{self, Origin, OriginError};
use crate::{login, logins};

/// The protocol that a client names when it begins with TLS at once (`sslnegotiation=direct`).
pub const ALPN: &[u8] = b"postgresql";

/// How long a client may take from its first byte until it is authenticated.
const OPENING_MS_MAX: u64 = 10_000;
/// How long a client may take to read why it is sent away.
const GOODBYE_MS_MAX: u64 = 1_000;
/// A client that says nothing is asked whether it is still there after this long,
const KEEPALIVE_IDLE_S_MAX: u64 = 60;
/// again after this long,
const KEEPALIVE_INTERVAL_S: u64 = 10;
/// and so often.
const KEEPALIVE_RETRIES_MAX: u32 = 3;
/// The first byte of a TLS connection; no opening packet begins with it, because none is that long.
const TLS_HANDSHAKE: u8 = 0x16;
/// The database that clients name; there is one.
const DATABASE: &str = "trefoil";
/// Settings in the opening packet that go on to the site as they are.
const SETTINGS_PASSED: [&str; 6] =
    ["application_name", "datestyle", "extra_float_digits", "intervalstyle", "timezone", "statement_timeout"];

/// What a connection turned out to be.
pub enum Opened {
    /// An authenticated client.
    Session(Box<Client>),
    /// Somebody gave a second proof, and was told so.
    Confirmed,
    /// Somebody wants a session's statement cancelled.
    Cancel {
        /// As shown in BackendKeyData.
        pid: i32,
        /// Likewise.
        secret: Vec<u8>,
        /// To be closed when it is done.
        connection: Box<dyn AsyncWrite + Send + Unpin>,
    },
}

impl Opened {
    fn cancel(cancel: startup::Cancel, connection: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self::Cancel { pid: cancel.pid, secret: cancel.secret, connection: Box::new(connection) }
    }
}

/// Closes a connection in good order: libpq takes an end without one for a failure.
pub async fn hang_up(mut connection: Box<dyn AsyncWrite + Send + Unpin>) {
    let _ = timeout(Duration::from_millis(GOODBYE_MS_MAX), connection.shutdown()).await;
}

/// An authenticated client.
#[derive(Debug)]
pub struct Client {
    /// Its connection.
    pub stream: TlsStream<TcpStream>,
    /// Who it is and what it asks for.
    pub asker: Asker,
    /// Whether it reads cancel keys of more than four bytes.
    pub takes_long_cancel_keys: bool,
    /// Its share of what its address may have, while it is connected.
    _seat: Seat,
}

/// Why a connection did not become a session; logged, and where it helps said to the client before.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The connection broke, or the TLS handshake failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The peer does not speak the protocol.
    #[error("{0}")]
    Protocol(#[from] Violation),
    /// It is not known where it comes from.
    #[error("{0}")]
    Origin(#[from] OriginError),
    /// Its address has as many connections as it may.
    #[error("{0} has as many connections as one address may have (connections_per_address_max in gate.toml)")]
    Crowded(IpAddr),
    /// It took too long.
    #[error("not authenticated within {OPENING_MS_MAX} ms")]
    Slow,
    /// It was told why.
    #[error("{0}")]
    Refused(Fault),
}

/// Opens a connection that came in through a listener.
pub async fn open(
    gate: &Arc<Gate>,
    listener: &Listener,
    tcp: TcpStream,
    peer: IpAddr,
) -> Result<Opened, OpenError> {
    timeout(Duration::from_millis(OPENING_MS_MAX), open_in_time(gate, listener, tcp, peer))
        .await
        .map_err(|_| OpenError::Slow)?
}

async fn open_in_time(
    gate: &Arc<Gate>,
    listener: &Listener,
    mut tcp: TcpStream,
    peer: IpAddr,
) -> Result<Opened, OpenError> {
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&keepalive())?;
    let origin = origin::find(&gate.config.bundle, listener, &mut tcp, peer).await?;
    let seat = gate.attempts.sit(origin.address).ok_or(OpenError::Crowded(origin.address))?;
    let mut first = [0];
    if tcp.peek(&mut first).await? == 0 {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    if first == [TLS_HANDSHAKE] {
        let mut stream = gate.tls.accept(tcp).await?;
        // Without it, somebody could have a browser say what a client says.
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            let message = "TLS from the first byte asks for the ALPN protocol \"postgresql\"";
            let fault = Fault::protocol(message);
            return Err(refuse(&mut stream, fault).await);
        }
        return open_encrypted(gate, stream, origin, seat).await;
    }
    ask_for_encryption(gate, tcp, origin, seat).await
}

/// Reads opening packets until TLS begins: at most one of each kind of request for encryption.
async fn ask_for_encryption(
    gate: &Arc<Gate>,
    mut tcp: TcpStream,
    origin: Origin,
    seat: Seat,
) -> Result<Opened, OpenError> {
    let mut asked_for_gss = false;
    loop {
        // Packets are read to the byte, and an answer is waited for before anything else may be said: what came in
        // plain text, from whoever could put it there, is never taken for what came by TLS (CVE-2021-23214).
        match read_startup(&mut tcp).await? {
            Startup::SslRequest => {
                nothing_behind(&tcp)?;
                tcp.write_all(b"S").await?;
                let stream = gate.tls.accept(tcp).await?;
                return open_encrypted(gate, stream, origin, seat).await;
            }
            Startup::GssencRequest if asked_for_gss => {
                return Err(OpenError::Refused(Fault::protocol("a second request for GSSAPI encryption")));
            }
            Startup::GssencRequest => {
                asked_for_gss = true;
                nothing_behind(&tcp)?;
                tcp.write_all(b"N").await?;
            }
            Startup::Cancel(cancel) => return Ok(Opened::cancel(cancel, tcp)),
            Startup::Session(_) => {
                let message = "this gate takes no connection without TLS";
                let fault = Fault::client("28000", message, Some("Connect with sslmode=verify-full."));
                return Err(refuse(&mut tcp, fault).await);
            }
        }
    }
}

/// Refuses what was sent behind a request for encryption before it was answered.
fn nothing_behind(tcp: &TcpStream) -> Result<(), OpenError> {
    match tcp.try_read(&mut [0]) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
        Ok(0) => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
        Ok(_) => Err(OpenError::Refused(Fault::protocol("plain text behind a request for encryption"))),
        Err(error) => Err(error.into()),
    }
}

async fn open_encrypted(
    gate: &Arc<Gate>,
    mut stream: TlsStream<TcpStream>,
    origin: Origin,
    seat: Seat,
) -> Result<Opened, OpenError> {
    let session = match read_startup(&mut stream).await? {
        Startup::Session(session) => session,
        Startup::Cancel(cancel) => return Ok(Opened::cancel(cancel, stream)),
        Startup::SslRequest | Startup::GssencRequest => {
            return Err(OpenError::Refused(Fault::protocol("a request for encryption inside TLS")));
        }
    };
    let mut asker = match asker(&session, origin) {
        Ok(asker) => asker,
        Err(fault) => return Err(refuse(&mut stream, fault).await),
    };
    if let Err(fault) = logins::check_source(gate, &asker) {
        return Err(refuse(&mut stream, fault).await);
    }
    if session.must_negotiate() {
        let mut out = Vec::new();
        backend::negotiate_protocol_version(&mut out, session.minor_spoken(), session.protocol_options())
            .map_err(|e| OpenError::Refused(Fault::protocol(e.to_string())))?;
        stream.write_all(&out).await?;
    }
    let code = asker.code.take();
    let proven = match (login::log_in(gate, &mut stream, &asker).await, code) {
        (Ok(()), Some(code)) => match logins::confirm(gate, &mut stream, &asker, &code).await {
            Ok(()) => return Ok(Opened::Confirmed),
            Err(error) => Err(error),
        },
        (proven, _) => proven,
    };
    match proven {
        Ok(()) => {
            let takes_long_cancel_keys = session.takes_long_cancel_keys();
            Ok(Opened::Session(Box::new(Client { stream, asker, takes_long_cancel_keys, _seat: seat })))
        }
        Err(OpenError::Refused(fault)) => Err(refuse(&mut stream, fault).await),
        Err(other) => Err(other),
    }
}

/// A client that vanished without a word gives its role back within a minute and a half.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_secs(KEEPALIVE_IDLE_S_MAX))
        .with_interval(Duration::from_secs(KEEPALIVE_INTERVAL_S))
        .with_retries(KEEPALIVE_RETRIES_MAX)
}

/// Reads the opening packet's parameters; what is not known is refused, not dropped.
fn asker(session: &startup::Session, origin: Origin) -> Result<Asker, Fault> {
    let refused = |message: String, hint: &str| Fault::client("22023", message, Some(hint));
    let mut asker = Asker {
        principal: String::new(),
        address: origin.address,
        listener: origin.place,
        purpose: None,
        ticket: None,
        site: None,
        home: None,
        code: None,
        settings: Vec::new(),
    };
    for (name, value) in &session.parameters {
        match name.to_ascii_lowercase().as_str() {
            "user" => asker.principal.clone_from(value),
            "database" if value == DATABASE => {}
            "database" => {
                let message = format!("there is no database \"{value}\" here");
                return Err(Fault::client("3D000", message, Some("Connect with dbname=trefoil.")));
            }
            "options" => {
                for setting in
                    options::parse(value).map_err(|e| refused(e.to_string(), "Correct the options."))?
                {
                    asker.take_option(setting)?;
                }
            }
            // psql in the C locale asks for SQL_ASCII, and takes the UTF8 that it is told instead.
            "client_encoding" if is_utf8(value) => {}
            "client_encoding" => {
                return Err(refused(
                    format!("client_encoding {value} is not served"),
                    "Use client_encoding=UTF8.",
                ));
            }
            known if SETTINGS_PASSED.contains(&known) => {
                asker.settings.push((known.to_owned(), value.clone()))
            }
            protocol if protocol.starts_with("_pq_.") => {}
            // Drivers that know no `options` send settings as parameters of their own.
            own if own.starts_with("trefoil.") => {
                asker.take_option(options::Setting { name: own.to_owned(), value: value.clone() })?;
            }
            _ => {
                let hint = "Leave it out of the connection parameters.";
                return Err(refused(format!("start-up parameter \"{name}\" is not taken"), hint));
            }
        }
    }
    if asker.principal.is_empty() {
        return Err(Fault::client(
            "28000",
            "no user is named",
            Some("Connect as a principal of the directory."),
        ));
    }
    Ok(asker)
}

fn is_utf8(encoding: &str) -> bool {
    let plain: String = encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(plain.to_ascii_lowercase().as_str(), "utf8" | "unicode" | "sqlascii" | "")
}

impl Asker {
    /// What the client calls itself.
    pub fn agent(&self) -> Option<&str> {
        let named = self.settings.iter().find(|(name, _)| name == "application_name");
        named.map(|(_, agent)| agent.as_str()).filter(|agent| !agent.is_empty())
    }

    fn take_option(&mut self, setting: options::Setting) -> Result<(), Fault> {
        let value = Some(setting.value).filter(|value| !value.is_empty());
        match (setting.name.as_str(), value) {
            ("trefoil.purpose", value) => self.purpose = value,
            ("trefoil.ticket", value) => self.ticket = value,
            ("trefoil.site", value) => self.site = value,
            ("trefoil.confirm", value) => self.code = value,
            ("trefoil.home", value) => {
                // The site is told too: what is inserted there without a home is this one's.
                self.settings.extend(value.iter().map(|home| (HOME_SETTING.to_owned(), home.clone())));
                self.home = value;
            }
            (known, Some(value)) if SETTINGS_PASSED.contains(&known) => {
                self.settings.push((known.to_owned(), value));
            }
            (name, _) => {
                let message = format!("the option \"{name}\" is not taken at start-up");
                let hint = "A session takes trefoil.purpose, trefoil.ticket, trefoil.site, trefoil.home and harmless settings such as timezone.";
                return Err(Fault::client("22023", message, Some(hint)));
            }
        }
        Ok(())
    }
}

/// Reads one opening packet and not a byte more.
async fn read_startup(stream: &mut (impl AsyncRead + Unpin)) -> Result<Startup, OpenError> {
    let mut packet = Vec::with_capacity(STARTUP_BYTES_MAX / 16);
    loop {
        match startup::next(&packet)? {
            startup::Next::Packet { startup, .. } => return Ok(startup),
            startup::Next::Need(more) => {
                let from = packet.len();
                packet.resize(from.saturating_add(more), 0);
                stream.read_exact(packet.get_mut(from..).unwrap_or_default()).await?;
            }
        }
    }
}

/// Says why, and hands the fault on for the log.
async fn refuse(stream: &mut (impl AsyncWrite + Unpin), fault: Fault) -> OpenError {
    say_and_close(stream, &fault.shown).await;
    OpenError::Refused(fault)
}

async fn say_and_close(stream: &mut (impl AsyncWrite + Unpin), shown: &Shown) {
    let mut out = Vec::new();
    let report = Report {
        severity: Severity::Fatal,
        sqlstate: shown.sqlstate,
        message: &shown.message,
        detail: None,
        hint: shown.hint.as_deref(),
    };
    backend::error_response(&mut out, &report);
    let say = async {
        stream.write_all(&out).await?;
        stream.shutdown().await
    };
    // A client that is gone does not need to be told.
    let _ = timeout(Duration::from_millis(GOODBYE_MS_MAX), say).await;
}

impl Client {
    /// Ends a session that was not admitted.
    pub async fn end(&mut self, shown: &Shown) {
        say_and_close(&mut self.stream, shown).await;
    }
}
