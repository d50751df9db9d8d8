//! Reading a record that somebody serves (C2SP tlog-tiles), over HTTP or HTTPS: one connection, kept alive, one request
//! at a time. What is read is believed by nobody: whoever serves it is checked like everybody else.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tlog::reader::Source;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

use super::FILE_BYTES_MAX;
use crate::ended::{Ended, OrEnded};

/// The longest that connecting, asking and reading a file may take together.
const ANSWER_WAIT_MS_MAX: u64 = 30_000;
/// Whom HTTPS is believed when nobody else is named: what the system believes.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

type Sender = SendRequest<Empty<Bytes>>;

/// A record at a URL. Connects when first asked.
#[derive(Debug)]
pub(crate) struct HttpSource {
    /// Of the log, without a slash at its end.
    prefix: String,
    host: String,
    /// As the Host header has it: with the port where it is not the usual one.
    authority: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    runtime: Runtime,
    open: RefCell<Option<Sender>>,
}

impl HttpSource {
    /// The record whose checkpoint is at `url`/checkpoint. `ca`: a PEM file of the authorities to believe.
    pub(crate) fn new(url: &str, ca: Option<&Path>) -> Result<Self, Ended> {
        let wrong =
            || Ended::cannot_tell(format!("{url} is no address of a record: http[s]://HOST[:PORT][/PATH]"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (usual, is_tls) = match uri.scheme_str() {
            Some("http") => (80, false),
            Some("https") => (443, true),
            _ => return Err(wrong()),
        };
        if uri.query().is_some() {
            return Err(wrong());
        }
        let host = uri.host().ok_or_else(wrong)?.to_owned();
        let port = uri.port_u16().unwrap_or(usual);
        let authority = if port == usual { host.clone() } else { format!("{host}:{port}") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self {
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            authority,
            port,
            tls: if is_tls { Some(tls(ca)?) } else { None },
            runtime: runtime.or_cannot_tell("starting")?,
            open: RefCell::default(),
        })
    }

    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        let reused = self.open.borrow().is_some();
        match self.try_get(path).await {
            // A server may close a connection between two requests.
            Err(error) if reused && error.kind() != io::ErrorKind::InvalidData => self.try_get(path).await,
            other => other,
        }
    }

    async fn try_get(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        let request = Request::get(format!("{}/{path}", self.prefix))
            .header(HOST, &self.authority)
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, concat!("trefoil/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(io::Error::other)?;
        let taken = self.open.take().filter(|sender| !sender.is_closed());
        let mut sender = match taken {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.map_err(io::Error::other)?;
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = response.status();
        let encoded = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        let bound = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
        let body = Limited::new(response.into_body(), bound).collect().await.map_err(io::Error::other)?;
        self.open.replace(Some(sender));
        let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
        match status {
            StatusCode::OK if encoded => {
                refused("the server compressed what was asked for as it is".to_owned())
            }
            StatusCode::OK => Ok(Some(body.to_bytes().to_vec())),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            other => refused(format!("the server answered {other}")),
        }
    }

    async fn connect(&self) -> Result<Sender, io::Error> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return speak(stream).await };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        speak(TlsConnector::from(tls.clone()).connect(name, stream).await?).await
    }
}

impl Source for HttpSource {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        let wait = Duration::from_millis(ANSWER_WAIT_MS_MAX);
        let read = self.runtime.block_on(async { tokio::time::timeout(wait, self.get(path)).await });
        let late =
            || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {ANSWER_WAIT_MS_MAX} ms"));
        read.unwrap_or_else(|_| Err(late()))
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Sender, io::Error> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // Ends by itself when the sender is dropped or the server closes.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Ended> {
    let file = ca.unwrap_or_else(|| Path::new(SYSTEM_AUTHORITIES));
    let doing = || format!("reading the authorities in {} (--ca FILE names others)", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).or_cannot_tell(doing())? {
        // A system's list may hold one that is of no use here; it is then believed by nobody.
        let _ = roots.add(certificate.or_cannot_tell(doing())?);
    }
    if roots.is_empty() {
        return Err(Ended::cannot_tell(format!("{}: there is none", doing())));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .or_cannot_tell("choosing the versions of TLS")?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
