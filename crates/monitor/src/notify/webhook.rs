//! An output that is an HTTPS POST, signed as Standard Webhooks says: the receiver computes HMAC-SHA256 over
//! `id.timestamp.body` with the shared secret, and knows that the monitor said it and when. An answer of 200 to 299
//! means that it was taken.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use http_body_util::Full;
use hyper::{
    Request, Uri,
    body::Bytes,
    client::conn::http1::handshake,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use sha2::Sha256;
use tlog::entry::Micros;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    NotTaken,
    connect::{self, Roots},
    message::Message,
};

/// Fewest bytes of a secret.
const SECRET_BYTES_MIN: usize = 16;
const SECOND_US: i64 = 1_000_000;

/// A receiver.
pub struct Webhook {
    url: Uri,
    host: String,
    port: u16,
    /// None in clear, to this machine alone.
    roots: Option<Roots>,
    secret: Vec<u8>,
}

impl Webhook {
    /// Checks what is configured; otherwise says what is wrong with it.
    pub fn new(url: &str, secret: &str, roots: Option<Roots>) -> Result<Webhook, String> {
        let wrong = || format!("url: {url:?} is not an address; write it as https://host/path");
        let parsed: Uri = url.parse().map_err(|_| wrong())?;
        let host = parsed.host().ok_or_else(wrong)?.trim_matches(['[', ']']).to_owned();
        let is_here = matches!(host.as_str(), "127.0.0.1" | "::1" | "localhost");
        let (port, roots) = match (parsed.scheme_str(), roots) {
            (Some("https"), Some(roots)) => (443, Some(roots)),
            (Some("https"), None) => {
                return Err("roots_file is missing; name the authorities that the receiver's certificate may be of, such \
                            as /etc/ssl/certs/ca-certificates.crt"
                    .to_owned());
            }
            (Some("http"), None) if is_here => (80, None),
            (Some("http"), _) => {
                return Err(format!("url: {url} is in clear; write https://, and roots_file"));
            }
            _ => return Err(wrong()),
        };
        let secret = secret.trim();
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
        let secret = secret.ok().filter(|secret| secret.len() >= SECRET_BYTES_MIN).ok_or(
            "secret_file: not base 64 of at least 16 bytes; make one with `openssl rand -base64 32`",
        )?;
        Ok(Webhook { port: parsed.port_u16().unwrap_or(port), url: parsed, host, roots, secret })
    }

    /// Posts a message; fails unless the receiver has taken it.
    pub async fn post(&self, message: &Message, body: String, now: Micros) -> Result<(), NotTaken> {
        let request = self.request(message, body, now)?;
        match &self.roots {
            Some(roots) => exchange(connect::tls(&self.host, self.port, roots).await?, request).await,
            None => exchange(connect::tcp(&self.host, self.port).await?, request).await,
        }
    }

    fn request(
        &self,
        message: &Message,
        body: String,
        now: Micros,
    ) -> Result<Request<Full<Bytes>>, NotTaken> {
        let seconds = now.0.div_euclid(SECOND_US);
        let signature = self.sign(&message.id, seconds, &body)?;
        let target = self.url.path_and_query().map_or("/", |target| target.as_str());
        let host = self.url.authority().map_or(self.host.as_str(), |authority| authority.as_str());
        Request::post(target)
            .header(HOST, host)
            .header(USER_AGENT, concat!("trefoil-monitor/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json")
            .header("connection", "close")
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(body.into()))
            .map_err(|error| NotTaken(error.to_string()))
    }

    fn sign(&self, id: &str, seconds: i64, body: &str) -> Result<String, NotTaken> {
        let mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.secret);
        let mut mac = mac.map_err(|error| NotTaken(error.to_string()))?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(), NotTaken> {
    let failed = |error: hyper::Error| NotTaken(error.to_string());
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let asking = sender.send_request(request);
    tokio::pin!(connection, asking);
    // The connection moves the bytes: it is polled until the answer's head is there.
    let answer = tokio::select! {
        answer = &mut asking => answer.map_err(failed)?,
        ended = &mut connection => {
            ended.map_err(failed)?;
            asking.await.map_err(failed)?
        }
    };
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(NotTaken(format!("the receiver answered {status}"))) }
}
