//! Events by HTTP: `POST /events` with a JSON line each, answered when they are on the disk; with `?judge=1` the answer is
//! their judgements. `GET /healthz` and `GET /metrics` say how it is. Bounds what is read, for how long, and how much may
//! wait. TLS is for whoever stands in front. Not here: judging (`watch`).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

/// The longest body.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Bodies that are read or wait to be judged at the same time.
pub const REQUESTS_MAX: usize = 32;
/// How long a body may take to arrive.
pub const BODY_WAIT_MS_MAX: u64 = 10_000;
/// Lines whose errors are told, of one request.
pub const ERRORS_MAX: usize = 100;

const NDJSON: &str = "application/x-ndjson";

/// Lines that came, and where the answer goes.
pub struct Posted {
    pub(crate) lines: Vec<u8>,
    /// The judgements are wanted.
    pub(crate) is_judged: bool,
    pub(crate) answer: Option<oneshot::Sender<Answer>>,
}

/// What became of lines. The field names are a promise.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    /// Events that were taken in.
    pub(crate) accepted: u64,
    /// Events of other classes.
    pub(crate) passed_over: u64,
    /// Lines that are none.
    pub(crate) refused: u64,
    /// Why, of the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<LineError>,
    /// The judgements are wanted.
    #[serde(skip)]
    pub(crate) is_judged: bool,
    /// Lines of JSON: a judgement or an error each.
    #[serde(skip)]
    pub(crate) judgements: Vec<u8>,
}

/// A line that is no event.
#[derive(Debug, Serialize)]
pub(crate) struct LineError {
    /// Which, from 1.
    pub(crate) line: u64,
    pub(crate) error: String,
}

/// Counts for `/metrics`.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) events: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) told: AtomicU64,
    pub(crate) snapshots: AtomicU64,
    pub(crate) turned_away: AtomicU64,
}

#[derive(Clone)]
struct Shared {
    token: Option<Arc<str>>,
    posted: mpsc::Sender<Posted>,
    requests: Arc<Semaphore>,
    counts: Arc<Counts>,
}

/// Takes requests on this listener until `stop` says so. A token, where there is one, must be in every request that
/// brings events.
pub(crate) async fn serve(
    listener: TcpListener,
    token: Option<String>,
    posted: mpsc::Sender<Posted>,
    counts: Arc<Counts>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let token = token.map(Arc::from);
    let shared = Shared { token, posted, requests: Arc::new(Semaphore::new(REQUESTS_MAX)), counts };
    let router = Router::new()
        .route("/events", post(events))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics))
        .with_state(shared);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

/// Whether nobody but this machine can reach an address.
pub fn is_private(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

async fn events(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if !is_permitted(&shared, &headers) {
        let challenge = [(WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, challenge, "a bearer token is needed\n").into_response();
    }
    let is_judged = match query.as_deref() {
        None | Some("" | "judge=0") => false,
        Some("judge=1") => true,
        Some(_) => return refuse(StatusCode::BAD_REQUEST, "the query is judge=1 or nothing"),
    };
    let Ok(_request) = shared.requests.try_acquire() else { return busy(&shared) };
    let body = timeout(Duration::from_millis(BODY_WAIT_MS_MAX), to_bytes(body, BODY_BYTES_MAX)).await;
    let lines = match body {
        Ok(Ok(lines)) => lines.to_vec(),
        Ok(Err(_)) => {
            let said = format!("no more than {BODY_BYTES_MAX} bytes at once");
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, &said);
        }
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
    };
    let (answer, answered) = oneshot::channel();
    if shared.posted.send(Posted { lines, is_judged, answer: Some(answer) }).await.is_err() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "it is being ended");
    }
    match answered.await {
        // Nothing was promised: whoever sent it sends it again.
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "it could not be kept"),
        Ok(answer) if is_judged => ([(CONTENT_TYPE, NDJSON)], answer.judgements).into_response(),
        Ok(answer) => axum::Json(answer).into_response(),
    }
}

fn is_permitted(shared: &Shared, headers: &HeaderMap) -> bool {
    let Some(token) = &shared.token else { return true };
    let given = headers.get(AUTHORIZATION).and_then(|given| given.to_str().ok());
    let given = given.and_then(|given| given.strip_prefix("Bearer "));
    given.is_some_and(|given| given.as_bytes().ct_eq(token.as_bytes()).into())
}

fn busy(shared: &Shared) -> Response {
    shared.counts.turned_away.fetch_add(1, Ordering::Relaxed);
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], "too many requests wait; send it again\n")
        .into_response()
}

fn refuse(status: StatusCode, said: &str) -> Response {
    (status, format!("{said}\n")).into_response()
}

async fn healthz(State(shared): State<Shared>) -> Response {
    if shared.posted.is_closed() {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "it is being ended");
    }
    "ok\n".into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    let counts = &shared.counts;
    let lines = [
        ("events", "Events that were judged.", &counts.events),
        ("refused_lines", "Lines that were no event.", &counts.refused),
        ("told", "Judgements that were printed.", &counts.told),
        ("snapshots", "Snapshots that were committed.", &counts.snapshots),
        ("turned_away", "Requests that were turned away because too many waited.", &counts.turned_away),
    ];
    let mut text = String::new();
    for (name, help, count) in lines {
        let count = count.load(Ordering::Relaxed);
        let name = format!("trefoil_logins_{name}_total");
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
