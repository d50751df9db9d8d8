//! A client that sends exactly the messages it is told to, over TLS and SCRAM, and reports what comes back as a
//! line of tags. Real drivers hide most of what the gate has to get right.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use wire::backend::{CommandTag, Fields, Tag, TransactionStatus, ready_for_query};
use wire::codec::{self, Next};
use wire::frontend;

use super::lab::{Enclave, Who};

/// A connection to the gate that is ready for its first statement.
pub struct Raw {
    stream: StreamOwned<ClientConnection, TcpStream>,
    input: Vec<u8>,
    pub key: (i32, Vec<u8>),
    /// What NegotiateProtocolVersion said, if the gate sent one.
    pub negotiated: Option<Vec<u8>>,
}

/// How a connection begins, where it is not as libpq begins it.
#[derive(Clone, Copy, Default)]
pub struct Opening<'a> {
    /// Sent before anything else.
    pub before: &'a [u8],
    /// TLS from the first byte.
    pub direct: bool,
    pub alpn: Option<&'a [u8]>,
    /// Minor version of the protocol.
    pub minor: u16,
    /// A start-up parameter more.
    pub parameter: Option<(&'a str, &'a str)>,
}

/// One message of a script.
pub enum Say {
    Query(&'static str),
    Parse(&'static str, &'static str),
    Bind(&'static str, &'static str, &'static [&'static str]),
    DescribeStatement(&'static str),
    DescribePortal(&'static str),
    Execute(&'static str, i32),
    /// A Bind without values, with these formats of the result: 0 is text, 1 binary.
    Formats(&'static str, &'static str, &'static [u16]),
    CopyData(&'static str),
    CopyDone,
    CopyFail,
    Close(&'static str),
    Flush,
    Sync,
    FunctionCall,
}

impl Raw {
    pub fn connect(enclave: &Enclave, who: Who) -> Raw {
        Raw::open(enclave, enclave.listener(who.place), who, Opening::default()).unwrap()
    }

    /// Connects in an unusual way; or what the gate said instead, in letters, `closed` if nothing.
    pub fn open(
        enclave: &Enclave,
        (host, port): (String, u16),
        who: Who,
        opening: Opening<'_>,
    ) -> Result<Raw, String> {
        let mut tcp = TcpStream::connect((host.as_str(), port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut out = opening.before.to_vec();
        if !opening.direct {
            frontend::ssl_request(&mut out);
        }
        tcp.write_all(&out).unwrap();
        let mut answer = [0];
        if !opening.direct && tcp.read_exact(&mut answer).is_err() {
            return Err("closed".into());
        }
        assert!(opening.direct || answer == *b"S");
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(enclave.info["ca"].as_str().unwrap()).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = opening.alpn.map(<[u8]>::to_vec).into_iter().collect();
        let name = ServerName::try_from(host).unwrap();
        let stream = StreamOwned::new(ClientConnection::new(Arc::new(tls), name).unwrap(), tcp);
        let mut raw = Raw { stream, input: Vec::new(), key: (0, Vec::new()), negotiated: None };
        raw.log_in(who, &enclave.password(who.name), opening)?;
        Ok(raw)
    }

    fn log_in(&mut self, who: Who, password: &str, opening: Opening<'_>) -> Result<(), String> {
        use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
        let mut out = Vec::new();
        let mut parameters = vec![("user", who.name), ("database", "trefoil"), ("options", who.options)];
        parameters.extend(opening.parameter);
        frontend::startup(&mut out, &parameters).unwrap();
        out[6..8].copy_from_slice(&opening.minor.to_be_bytes());
        if self.stream.write_all(&out).and_then(|()| self.stream.flush()).is_err() {
            return Err("closed".into());
        }
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let Some((tag, body)) = self.next() else { return Err("closed".into()) };
            let code = body.first_chunk::<4>().map(|code| u32::from_be_bytes(*code));
            out.clear();
            match (tag, code) {
                (Tag::Authentication, Some(10)) => {
                    frontend::sasl_initial(&mut out, "SCRAM-SHA-256", scram.message()).unwrap();
                }
                (Tag::Authentication, Some(11)) => {
                    scram.update(&body[4..]).unwrap();
                    frontend::sasl_response(&mut out, scram.message()).unwrap();
                }
                (Tag::Authentication, Some(12)) => scram.finish(&body[4..]).unwrap(),
                (Tag::BackendKeyData, _) => {
                    self.key = (i32::from_be_bytes(*body.first_chunk::<4>().unwrap()), body[4..].to_vec());
                }
                (Tag::NegotiateProtocolVersion, _) => self.negotiated = Some(body),
                (Tag::ReadyForQuery, _) => return Ok(()),
                (Tag::ErrorResponse, _) => {
                    let message = Fields::read(&body).unwrap().get(b'M').unwrap_or_default();
                    let message = String::from_utf8_lossy(message);
                    return Err(format!("{} {message}", describe(tag, &body)));
                }
                _ => {}
            }
            self.send(&out);
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// Says that it will send nothing more.
    pub fn end(&mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().unwrap();
    }

    /// The next message; `None` when the gate has closed the connection.
    pub fn next(&mut self) -> Option<(Tag, Vec<u8>)> {
        loop {
            if let Next::Frame { frame, whole, .. } = codec::next::<Tag>(&self.input).unwrap() {
                let (tag, body, used) = (frame.tag, frame.body.to_vec(), whole.len());
                self.input.drain(..used);
                return Some((tag, body));
            }
            let mut chunk = [0; 65_536];
            let read = self.stream.read(&mut chunk).unwrap_or(0);
            if read == 0 {
                return None;
            }
            self.input.extend_from_slice(&chunk[..read]);
        }
    }

    /// Sends a script at once and reads until as many replies have come as `expected` names; rows are folded into
    /// one `D*n`, those of COPY into one `d*n`.
    pub fn talk(&mut self, script: &[Say], expected: &str) -> String {
        let mut out = Vec::new();
        for say in script {
            say.write(&mut out);
        }
        self.send(&out);
        let mut heard: Vec<String> = Vec::new();
        let (mut rows, mut folded) = (0_u64, "");
        let wanted = expected.split(' ').count();
        while heard.len() < wanted {
            let Some((tag, body)) = self.next() else {
                heard.push("closed".into());
                break;
            };
            let letter = match tag {
                Tag::DataRow => "D",
                Tag::CopyData => "d",
                _ => "",
            };
            if !letter.is_empty() {
                rows += 1;
                folded = letter;
                continue;
            }
            if rows > 0 {
                heard.push(format!("{folded}*{rows}"));
                rows = 0;
            }
            heard.push(describe(tag, &body));
        }
        heard.join(" ")
    }
}

/// A reply in a few letters: `T`, `C:SELECT_1`, `Z:I`, `E:42501`.
fn describe(tag: Tag, body: &[u8]) -> String {
    use codec::Tag as _;
    let letter = char::from(tag.byte());
    match tag {
        Tag::ReadyForQuery => match ready_for_query(body).unwrap() {
            TransactionStatus::Idle => "Z:I".into(),
            TransactionStatus::InTransaction => "Z:T".into(),
            TransactionStatus::Failed => "Z:E".into(),
        },
        Tag::CommandComplete => format!("C:{}", CommandTag::read(body).unwrap().text.replace(' ', "_")),
        Tag::ErrorResponse => format!("E:{}", Fields::read(body).unwrap().sqlstate().unwrap_or("?")),
        _ => letter.to_string(),
    }
}

impl Say {
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Say::Query(text) => frontend::query(out, text).unwrap(),
            Say::Parse(name, text) => frontend::parse(out, name, text, &[]).unwrap(),
            Say::DescribeStatement(name) => {
                frontend::describe(out, frontend::Target::Statement(name)).unwrap()
            }
            Say::DescribePortal(name) => frontend::describe(out, frontend::Target::Portal(name)).unwrap(),
            Say::Flush => frontend::flush(out),
            Say::Sync => frontend::sync(out),
            Say::Bind(portal, statement, values) => bind(out, portal, statement, values, &[]),
            Say::Formats(portal, statement, formats) => bind(out, portal, statement, &[], formats),
            Say::CopyData(data) => frame(out, b'd', data.as_bytes()),
            Say::CopyDone => frame(out, b'c', b""),
            Say::CopyFail => frame(out, b'f', b"no more\0"),
            Say::Execute(portal, rows) => {
                let mut body = [portal.as_bytes(), b"\0"].concat();
                body.extend(rows.to_be_bytes());
                frame(out, b'E', &body);
            }
            Say::Close(statement) => frame(out, b'C', &[b"S", statement.as_bytes(), b"\0"].concat()),
            // lower(text), by its OID, the fast way.
            Say::FunctionCall => frame(out, b'F', &[0, 0, 3, 102, 0, 0, 0, 1, 0, 0, 0, 1, b'X', 0, 0]),
        }
    }
}

fn bind(out: &mut Vec<u8>, portal: &str, statement: &str, values: &[&str], formats: &[u16]) {
    let mut body = [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0"].concat();
    body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(value.as_bytes());
    }
    body.extend(u16::try_from(formats.len()).unwrap().to_be_bytes());
    formats.iter().for_each(|format| body.extend(format.to_be_bytes()));
    frame(out, b'B', &body);
}

fn frame(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(body);
}
