//! The connection to the monitor or to a witness: HTTP/1.1, with TLS or without, kept alive, one request at a time.
//! What is sent and what an answer means is in `exchange` and `witness`.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::tls::{Tls, TlsError};

/// The longest that connecting, sending and answering may take together. Past it the connection is given up;
/// what the monitor did with the request is learned from its next answer.
const ANSWER_WAIT_MS_MAX: u64 = 5_000;
/// The longest answer: a certificate for each of the entries of the largest batch.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A client of one monitor or witness. Connects when first used and after a failure.
pub(crate) struct Link {
    base: Uri,
    host: String,
    port: u16,
    /// None: plain HTTP.
    tls: Option<Tls>,
    open: Option<SendRequest<Full<Bytes>>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("{0:?} is not an address; write it as https://host:port, or http:// where nothing is secret")]
    Address(String),
    #[error("{0:?} is an https address, but no certificates are configured for it")]
    NoCertificates(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{host}:{port}: {error}; see that it runs there")]
    Connect { host: String, port: u16, error: std::io::Error },
    #[error("{host}:{port}: no answer within {waited_ms} ms")]
    Silent { host: String, port: u16, waited_ms: u64 },
    #[error("{host}:{port}: {error}")]
    Broken { host: String, port: u16, error: String },
}

/// An answer: its status and its body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Link {
    /// A link to `url`, such as `https://127.0.0.1:7380`; `tls` counts for https alone. Does not connect yet.
    pub(crate) fn new(url: &str, tls: Option<&Tls>) -> Result<Self, LinkError> {
        let wrong = || LinkError::Address(url.to_owned());
        let base: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let (tls, port) = match base.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                (Some(tls.cloned().ok_or_else(|| LinkError::NoCertificates(url.to_owned()))?), 443)
            }
            _ => return Err(wrong()),
        };
        let host = base.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let port = base.port_u16().unwrap_or(port);
        Ok(Self { base, host, port, tls, open: None })
    }

    /// Gets `path`.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, LinkError> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// Posts `body` to `path`.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<Answer, LinkError> {
        self.ask(Method::POST, path, body).await
    }

    async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> Result<Answer, LinkError> {
        let reused = self.open.is_some();
        let wait = Duration::from_millis(ANSWER_WAIT_MS_MAX);
        let attempts = async {
            match self.try_ask(method.clone(), path, body.clone()).await {
                // A monitor that was restarted has closed the connection. Asking twice does no harm: it knows
                // what it holds.
                Err(LinkError::Broken { .. }) if reused => self.try_ask(method, path, body).await,
                other => other,
            }
        };
        let outcome = tokio::time::timeout(wait, attempts).await;
        outcome.unwrap_or_else(|_| {
            let (host, port) = (self.host.clone(), self.port);
            Err(LinkError::Silent { host, port, waited_ms: ANSWER_WAIT_MS_MAX })
        })
    }

    /// Gets `path`, on a connection of its own; the answer goes on for as long as it is listened to.
    pub(crate) async fn listen(&self, path: &str) -> Result<Incoming, LinkError> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        let mut sender = self.connect().await?;
        sender.ready().await.map_err(|error| self.broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.broken(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(self.broken(&format!("the monitor answered {status} to {path}"))),
        }
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, LinkError> {
        let prefix = self.base.path().trim_end_matches('/');
        Request::builder()
            .method(method)
            .uri(format!("{prefix}{path}"))
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(body))
            .map_err(|error| self.broken(&error))
    }

    async fn try_ask(&mut self, method: Method, path: &str, body: Bytes) -> Result<Answer, LinkError> {
        let request = self.request(method, path, body)?;
        let mut sender = match self.open.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await.map_err(|error| self.broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.broken(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| self.broken(&error))?.to_bytes();
        self.open = Some(sender);
        Ok(Answer { status, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, LinkError> {
        let connect = |error| LinkError::Connect { host: self.host.clone(), port: self.port, error };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let Some(tls) = &self.tls else { return self.speak(stream).await };
        let name = tls.expected(&self.host)?;
        self.speak(tls.connector().connect(name, stream).await.map_err(connect)?).await
    }

    async fn speak(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<SendRequest<Full<Bytes>>, LinkError> {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
        // Ends by itself when the sender is dropped or the other end closes.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    pub(crate) fn broken(&self, error: &dyn std::fmt::Display) -> LinkError {
        LinkError::Broken { host: self.host.clone(), port: self.port, error: error.to_string() }
    }
}
