//! The client's side of a connection until it is a session: TLS, the opening packet, SCRAM-SHA-256.
//! Not here: whether policy lets the principal in (`admit`).

use bytes::BytesMut;
use rand::RngCore;
use socket2::{SockRef, TcpKeepalive};
use tlog::detail::{Refused, Stage};
use tlog::entry::Kind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wire::backend::{self, Report, Severity};
use wire::codec::{self, Frame};
use wire::frontend::{SaslInitial, Tag};
use wire::scram::{Exchange, ITERATIONS_DEFAULT, NONCE_BYTES, Verifier};
use wire::startup::{self, STARTUP_BYTES_MAX, Startup};
use wire::{Violation, options};

use crate::admit::Asker;
use crate::fault::{Fault, Shown};
use crate::gate::Gate;

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
/// Requests for encryption before the opening packet; one of each kind is what real clients send.
const ENCRYPTION_REQUESTS_MAX: usize = 2;
/// The database that clients name; there is one.
const DATABASE: &str = "trefoil";
/// Settings in the opening packet that go on to the site as they are.
const SETTINGS_PASSED: [&str; 6] =
    ["application_name", "datestyle", "extra_float_digits", "intervalstyle", "timezone", "statement_timeout"];

/// What a connection turned out to be.
pub enum Opened {
    /// An authenticated client.
    Session(Box<Client>),
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
    /// It took too long.
    #[error("not authenticated within {OPENING_MS_MAX} ms")]
    Slow,
    /// It was told why.
    #[error("{0}")]
    Refused(Fault),
}

/// Opens a connection that came in through the listener of a place.
pub async fn open(gate: &Gate, tls: &TlsAcceptor, tcp: TcpStream, place: &str) -> Result<Opened, OpenError> {
    timeout(Duration::from_millis(OPENING_MS_MAX), open_in_time(gate, tls, tcp, place))
        .await
        .map_err(|_| OpenError::Slow)?
}

async fn open_in_time(
    gate: &Gate,
    tls: &TlsAcceptor,
    mut tcp: TcpStream,
    place: &str,
) -> Result<Opened, OpenError> {
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&keepalive())?;
    for _ in 0..=ENCRYPTION_REQUESTS_MAX {
        // Packets are read to the byte: nothing that came in plain text is still buffered when TLS begins.
        match read_startup(&mut tcp).await? {
            Startup::SslRequest => {
                tcp.write_all(b"S").await?;
                let stream = tls.accept(tcp).await?;
                return open_encrypted(gate, stream, place).await;
            }
            Startup::GssencRequest => tcp.write_all(b"N").await?,
            Startup::Cancel(cancel) => return Ok(Opened::cancel(cancel, tcp)),
            Startup::Session(_) => {
                let message = "this gate takes no connection without TLS";
                let fault = Fault::client("28000", message, Some("Connect with sslmode=verify-full."));
                return Err(refuse(&mut tcp, fault).await);
            }
        }
    }
    Err(OpenError::Refused(Fault::protocol("too many requests for encryption")))
}

async fn open_encrypted(
    gate: &Gate,
    mut stream: TlsStream<TcpStream>,
    place: &str,
) -> Result<Opened, OpenError> {
    let session = match read_startup(&mut stream).await? {
        Startup::Session(session) => session,
        Startup::Cancel(cancel) => return Ok(Opened::cancel(cancel, stream)),
        Startup::SslRequest | Startup::GssencRequest => {
            return Err(OpenError::Refused(Fault::protocol("a request for encryption inside TLS")));
        }
    };
    let asker = match asker(&session, place) {
        Ok(asker) => asker,
        Err(fault) => return Err(refuse(&mut stream, fault).await),
    };
    if session.must_negotiate() {
        let mut out = Vec::new();
        backend::negotiate_protocol_version(&mut out, session.minor_spoken(), session.protocol_options())
            .map_err(|e| OpenError::Refused(Fault::protocol(e.to_string())))?;
        stream.write_all(&out).await?;
    }
    match authenticate(gate, &mut stream, &asker.principal).await {
        Ok(()) => {
            let takes_long_cancel_keys = session.takes_long_cancel_keys();
            Ok(Opened::Session(Box::new(Client { stream, asker, takes_long_cancel_keys })))
        }
        Err(OpenError::Refused(fault)) => {
            record_failed_login(gate, &asker, &fault).await;
            Err(refuse(&mut stream, fault).await)
        }
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
fn asker(session: &startup::Session, place: &str) -> Result<Asker, Fault> {
    let refused = |message: String, hint: &str| Fault::client("22023", message, Some(hint));
    let mut asker = Asker {
        principal: String::new(),
        listener: place.to_owned(),
        purpose: None,
        ticket: None,
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
    fn take_option(&mut self, setting: options::Setting) -> Result<(), Fault> {
        let value = Some(setting.value).filter(|value| !value.is_empty());
        match (setting.name.as_str(), value) {
            ("trefoil.purpose", value) => self.purpose = value,
            ("trefoil.ticket", value) => self.ticket = value,
            (known, Some(value)) if SETTINGS_PASSED.contains(&known) => {
                self.settings.push((known.to_owned(), value));
            }
            (name, _) => {
                let message = format!("the option \"{name}\" is not taken at start-up");
                let hint =
                    "A session takes trefoil.purpose, trefoil.ticket and harmless settings such as timezone.";
                return Err(Fault::client("22023", message, Some(hint)));
            }
        }
        Ok(())
    }
}

async fn authenticate<S>(gate: &Gate, stream: &mut S, principal: &str) -> Result<(), OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let known = gate.config.secrets.principals.get(principal);
    let verifier = match known {
        Some(text) => text.parse(),
        // An unknown principal is asked for a password like any other, and fails like a wrong one.
        None => Verifier::mock(&gate.mock_secret, principal, ITERATIONS_DEFAULT),
    };
    let verifier =
        verifier.map_err(|e| OpenError::Refused(Fault::ours(format!("secrets: {principal}: {e}"))))?;
    let unproven = |e: wire::scram::ScramError| {
        let message = format!("authentication failed for \"{principal}\": {e}");
        OpenError::Refused(Fault::client("28P01", message, None))
    };
    let unwritable = |e: wire::Unwritable| OpenError::Refused(Fault::ours(e.to_string()));
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let mut out = Vec::new();
    backend::authentication_sasl(&mut out, &["SCRAM-SHA-256"]).map_err(unwritable)?;
    stream.write_all(&out).await?;
    stream.flush().await?;

    let mut input = BytesMut::new();
    let body = password_body(stream, &mut input).await?;
    let initial = SaslInitial::read(&body)?;
    if initial.mechanism != "SCRAM-SHA-256" {
        return Err(OpenError::Refused(Fault::protocol("a SASL mechanism that was not offered")));
    }
    let first = initial.data.unwrap_or_default();
    let (challenged, server_first) = Exchange::new(verifier).on_first(first, &nonce).map_err(unproven)?;
    out.clear();
    backend::authentication_sasl_continue(&mut out, server_first.as_bytes()).map_err(unwritable)?;
    stream.write_all(&out).await?;
    stream.flush().await?;

    let body = password_body(stream, &mut input).await?;
    let proven = challenged.on_final(&body).map_err(unproven)?;
    out.clear();
    backend::authentication_sasl_final(&mut out, proven.server_final().as_bytes()).map_err(unwritable)?;
    backend::authentication_ok(&mut out);
    stream.write_all(&out).await?;
    stream.flush().await?;
    if input.is_empty() { Ok(()) } else { Err(OpenError::Refused(Fault::protocol("speaks before it may"))) }
}

async fn password_body(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Vec<u8>, OpenError> {
    loop {
        match codec::next::<Tag>(input)? {
            codec::Next::Frame { frame: Frame { tag: Tag::Password, body }, whole, .. } => {
                let (body, used) = (body.to_vec(), whole.len());
                bytes::Buf::advance(input, used);
                return Ok(body);
            }
            codec::Next::Frame { .. } => {
                return Err(OpenError::Refused(Fault::protocol("something else than a SASL message")));
            }
            codec::Next::Need(_) => {
                if stream.read_buf(input).await? == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
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

async fn record_failed_login(gate: &Gate, asker: &Asker, fault: &Fault) {
    let detail = Refused {
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        purpose: asker.purpose.clone(),
        ticket: asker.ticket.clone(),
        stage: Stage::Login,
        statement: None,
        rule: "authentication".into(),
        sentence: fault.internal.clone(),
    };
    let entry = gate.append_refusal(Kind::LoginJudged, &detail, None).await;
    tracing::info!(principal = asker.principal, place = asker.listener, entry, "login refused");
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
