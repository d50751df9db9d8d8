//! The packets that open a connection, which have no type byte: SSLRequest, GSSENCRequest, CancelRequest and
//! StartupMessage. Not here: what the gate allows a client to ask for, and the `options` parameter (`options`).

use crate::codec::Body;
use crate::{Violation, codec};

/// The longest opening packet, its length field included, in bytes (PostgreSQL's own bound).
pub const STARTUP_BYTES_MAX: usize = 10_000;
/// The most parameters in a StartupMessage.
pub const STARTUP_PARAMETERS_MAX: usize = 64;
/// A cancel key's length in bytes: 4 in protocol 3.0, up to 256 in 3.2.
pub const CANCEL_KEY_BYTES: std::ops::RangeInclusive<usize> = 4..=256;
/// The newest minor version of protocol 3 that we speak.
pub const MINOR_SPOKEN_MAX: u16 = 2;
/// From this minor version on, a cancel key may be longer than four bytes.
const MINOR_OF_LONG_KEYS: u16 = 2;

/// Length field and request code.
const STARTUP_BYTES_MIN: u32 = 8;
const OF: &str = "StartupMessage";
/// Request codes have a major version that no protocol will have (PostgreSQL, "Message Formats").
const REQUEST_MAJOR: u16 = 1234;
const CANCEL_MINOR: u16 = 5678;
const SSL_MINOR: u16 = 5679;
const GSSENC_MINOR: u16 = 5680;

/// What a client opens a connection with. Owned, because it outlives the buffer it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    /// Answer with one byte, `S` or `N`; what was buffered behind it before TLS is up must be discarded.
    SslRequest,
    /// Answer with one byte, `N`.
    GssencRequest,
    Cancel(Cancel),
    Session(Session),
}

/// A request to cancel what the session of this process and secret is running.
#[derive(Clone, PartialEq, Eq)]
pub struct Cancel {
    pub pid: i32,
    /// `CANCEL_KEY_BYTES` long; compare in constant time.
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cancel").field("pid", &self.pid).finish_non_exhaustive()
    }
}

/// A StartupMessage of protocol 3: names are unique, in the order sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The minor version asked for; what is spoken is [`Session::minor_spoken`].
    pub minor: u16,
    pub parameters: Vec<(String, String)>,
}

impl Session {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The `_pq_.` protocol options asked for, none of which we know.
    pub fn protocol_options(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("_pq_."))
    }

    /// The minor version that is spoken from here on: never newer than asked for.
    pub fn minor_spoken(&self) -> u16 {
        self.minor.min(MINOR_SPOKEN_MAX)
    }

    /// Whether the client must be told by NegotiateProtocolVersion that it gets less than it asked for.
    pub fn must_negotiate(&self) -> bool {
        self.minor > MINOR_SPOKEN_MAX || self.protocol_options().next().is_some()
    }

    /// Whether this client reads cancel keys of more than four bytes.
    pub fn takes_long_cancel_keys(&self) -> bool {
        self.minor_spoken() >= MINOR_OF_LONG_KEYS
    }
}

/// What `next` found at the start of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// At least this many bytes more are needed.
    Need(usize),
    /// An opening packet of `used` bytes.
    Packet { startup: Startup, used: usize },
}

/// Takes one opening packet off the start of `input`.
pub fn next(input: &[u8]) -> Result<Next, Violation> {
    let Some((length, _)) = input.split_first_chunk::<4>() else {
        return Ok(Next::Need(4_usize.saturating_sub(input.len())));
    };
    let length = u32::from_be_bytes(*length);
    if length < STARTUP_BYTES_MIN {
        return Err(Violation::TooShort { of: OF, length, min: STARTUP_BYTES_MIN });
    }
    let used = match usize::try_from(length) {
        Ok(used) if used <= STARTUP_BYTES_MAX => used,
        _ => return Err(Violation::TooLong { of: OF, length, max: STARTUP_BYTES_MAX }),
    };
    let Some(packet) = input.get(4..used) else {
        return Ok(Next::Need(used.saturating_sub(input.len())));
    };
    Ok(Next::Packet { startup: read(packet)?, used })
}

fn read(packet: &[u8]) -> Result<Startup, Violation> {
    let mut body = codec::Body::new(packet, OF);
    let (major, minor) = (body.u16()?, body.u16()?);
    match (major, minor) {
        (REQUEST_MAJOR, SSL_MINOR) => body.end().map(|()| Startup::SslRequest),
        (REQUEST_MAJOR, GSSENC_MINOR) => body.end().map(|()| Startup::GssencRequest),
        (REQUEST_MAJOR, CANCEL_MINOR) => read_cancel(Body::new(body.rest(), "CancelRequest")),
        (3, _) => read_session(minor, body),
        _ => Err(Violation::Version { major, minor }),
    }
}

fn read_cancel(mut body: Body<'_>) -> Result<Startup, Violation> {
    let pid = body.i32()?;
    let secret = body.rest();
    if !CANCEL_KEY_BYTES.contains(&secret.len()) {
        return Err(body.bad("secret length"));
    }
    Ok(Startup::Cancel(Cancel { pid, secret: secret.to_vec() }))
}

fn read_session(minor: u16, mut body: Body<'_>) -> Result<Startup, Violation> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            body.end()?;
            return Ok(Startup::Session(Session { minor, parameters }));
        }
        let value = body.text()?;
        if parameters.len() >= STARTUP_PARAMETERS_MAX {
            return Err(body.bad("number of parameters"));
        }
        // Two readers of a doubled name could each believe a different value.
        if parameters.iter().any(|(known, _)| known == name) {
            return Err(Violation::Duplicate { name: name.to_owned() });
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
}
