//! HTTP/1.1 in front of the monitor: POST /batch, GET /state. Bounds what is read and for how long, and runs one batch
//! at a time away from the network's threads. What a batch means is `monitor`.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    batch::BATCH_BYTES_MAX,
    clock,
    door::Door,
    monitor::{Answer, Monitor},
};

/// Large batches that are read at the same time; each may take `BATCH_BYTES_MAX` of memory.
pub const READERS_MAX: usize = 4;
/// A batch up to this size is read without waiting for others: somebody who sends slowly must not hold up the gate.
pub const SMALL_BATCH_BYTES_MAX: usize = 262_144;
/// How long a posted batch may take to arrive.
pub const BODY_WAIT_MS_MAX: u64 = 10_000;
/// How long a stop waits for connections to end; the batch in flight is always finished.
pub const STOP_WAIT_MS_MAX: u64 = 2_000;

/// Media type of a witness's answer that the size is another.
const SIZE_TYPE: &str = "text/x.tlog.size";

#[derive(Clone)]
struct Shared {
    monitor: Arc<Mutex<Monitor>>,
    readers: Arc<Semaphore>,
}

/// A monitor bound to its address, not yet serving.
pub struct Server {
    listener: TcpListener,
    monitor: Arc<Mutex<Monitor>>,
}

impl Server {
    /// Binds the configured address.
    pub async fn bind(monitor: Monitor) -> io::Result<Server> {
        let listener = TcpListener::bind(monitor.config().listen).await?;
        Ok(Server { listener, monitor: Arc::new(Mutex::new(monitor)) })
    }

    /// The address that is served, with its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is done; then finishes the batch in flight.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Server { listener, monitor } = self;
        let readers = Arc::new(Semaphore::new(READERS_MAX));
        let router = Router::new()
            .route("/batch", post(batch))
            .route("/state", get(state))
            .with_state(Shared { monitor: monitor.clone(), readers });
        let (stopping, stopped) = tokio::sync::oneshot::channel();
        let signal = async move {
            stop.await;
            let _ = stopping.send(());
        };
        let serving = axum::serve(Door::new(listener), router).with_graceful_shutdown(signal);
        let limit = async move {
            let _ = stopped.await;
            tokio::time::sleep(Duration::from_millis(STOP_WAIT_MS_MAX)).await;
        };
        tokio::select! {
            served = serving => served?,
            () = limit => {}
        }
        // Taking the lock waits for the batch in flight.
        monitor.lock().await.stop().map_err(io::Error::other)
    }
}

async fn batch(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let small = announced.is_some_and(|bytes: usize| bytes <= SMALL_BATCH_BYTES_MAX);
    let _reading = match &shared.readers {
        _ if small => None,
        readers => match readers.acquire().await {
            Ok(reading) => Some(reading),
            Err(_) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
    };
    let most = if small { SMALL_BATCH_BYTES_MAX } else { BATCH_BYTES_MAX };
    let read = timeout(Duration::from_millis(BODY_WAIT_MS_MAX), to_bytes(body, most)).await;
    let bytes = match read {
        Err(_) => return (StatusCode::REQUEST_TIMEOUT, "the batch did not arrive in time\n").into_response(),
        Ok(Err(_)) => return (StatusCode::PAYLOAD_TOO_LARGE, "the batch is too large\n").into_response(),
        Ok(Ok(bytes)) => bytes,
    };
    if small {
        // It takes less time than handing it to another thread and back, which every release would wait for.
        return shared.monitor.lock().await.submit(&bytes, clock::now()).into_response();
    }
    // Checking is work and storing waits for the disk: with a large batch neither may hold up the network's threads.
    let submitted = spawn_blocking(move || shared.monitor.blocking_lock().submit(&bytes, clock::now())).await;
    submitted.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), IntoResponse::into_response)
}

async fn state(State(shared): State<Shared>) -> Response {
    let monitor = shared.monitor.lock().await;
    Json(json!({ "size": monitor.size(), "policy": monitor.policy() })).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let text = |status: StatusCode, why: String| (status, format!("{why}\n")).into_response();
        match self {
            Answer::Cosigned(cosigned) => Json(cosigned).into_response(),
            Answer::Malformed(why) => text(StatusCode::BAD_REQUEST, why),
            Answer::Unsigned(why) => text(StatusCode::FORBIDDEN, why),
            Answer::UnknownOrigin(why) => text(StatusCode::NOT_FOUND, why),
            Answer::Elsewhere(size) => {
                (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE_TYPE)], format!("{size}\n")).into_response()
            }
            Answer::Refused(refused) => (StatusCode::UNPROCESSABLE_ENTITY, Json(refused)).into_response(),
            Answer::Storage(why) => text(StatusCode::SERVICE_UNAVAILABLE, why),
        }
    }
}
