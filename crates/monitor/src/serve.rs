//! HTTP/1.1 in front of the monitor. For gates that are enrolled: POST /batch, GET /state, GET /brakes. For everybody: GET
//! /<hash of the origin>/checkpoint, the last one that was cosigned. Nobody's checkpoint is cosigned but under a batch: the
//! witness's key must not get ahead of the copy, so that there is no add-checkpoint here (`witness` has it). Bounds what is read and for how long, and runs one batch
//! at a time away from the network's threads. What a batch means is `monitor`.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{Path, RawQuery, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rustls::ServerConfig;
use serde_json::json;
use thiserror::Error;
use tlog::{entry::Micros, hash::Hash};
use tokio::{
    sync::{Mutex, Semaphore, mpsc::Sender},
    task::spawn_blocking,
    time::{MissedTickBehavior, timeout},
};

use crate::{
    batch::{self, BATCH_BYTES_MAX},
    brake::{self, Brakes, stop::Stopper},
    clock,
    control::Socket,
    copy::CopyError,
    detect::{
        Observation,
        feed::{self, Feed, Parts, Seen},
    },
    door::{Door, Gate, Gates},
    enrol::{self, EnrolError},
    folder::Folder,
    honey,
    monitor::{Answer, Monitor, StartError},
    own,
    watch::{Watch, WatchError},
};

/// Large batches that are read at the same time; each may take `BATCH_BYTES_MAX` of memory.
pub const READERS_MAX: usize = 4;
/// A batch up to this size is read without waiting for others: somebody who sends slowly must not hold up the gate.
pub const SMALL_BATCH_BYTES_MAX: usize = 262_144;
/// How long a posted batch may take to arrive.
pub const BODY_WAIT_MS_MAX: u64 = 10_000;

/// How often is looked whether what could not be kept can be by now.
pub const MEND_EVERY_MS: u64 = 500;

/// Media type of a witness's answer that the size is another.
const SIZE_TYPE: &str = "text/x.tlog.size";

#[derive(Clone)]
struct Shared {
    monitor: Arc<Mutex<Monitor>>,
    public: Public,
    brakes: Brakes,
    /// Tells the detectors.
    told: Sender<Seen>,
    readers: Arc<Semaphore>,
}

/// What is public: the last checkpoint with its cosignatures. Apart from the monitor, so that nobody who looks at it
/// holds up a batch. Empty until something is cosigned after a start, which a gate sees to every ten seconds.
#[derive(Clone)]
struct Public {
    /// SHA-256 of the origin, in hexadecimal.
    hash: Arc<str>,
    note: Arc<RwLock<String>>,
}

impl Public {
    /// Called under the monitor's lock, so that no older note comes after a newer one.
    fn keep(&self, body: &[u8], answer: &Answer) {
        let (Answer::Cosigned(cosigned), Some(note)) = (answer, batch::note(body)) else { return };
        let mut kept = self.note.write().unwrap_or_else(PoisonError::into_inner);
        kept.clear();
        kept.push_str(note);
        kept.extend(cosigned.cosignatures.iter().map(String::as_str));
    }
}

/// A monitor bound to its address, not yet serving.
pub struct Server {
    door: Door,
    folder: Folder,
    tls: Arc<ServerConfig>,
    monitor: Arc<Mutex<Monitor>>,
    control: Socket,
    /// What the detectors work with.
    parts: Parts,
    watch: Option<Arc<Watch>>,
    stopper: Option<Stopper>,
}

/// Why the monitor cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("{address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("{}: {error}", path.display())]
    Control { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Door(#[from] EnrolError),
    #[error("the detectors: {0}")]
    Detect(StartError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error(transparent)]
    Stop(#[from] CopyError),
}

impl Server {
    /// Binds the configured address.
    pub async fn bind(folder: &Folder, monitor: Monitor, now: Micros) -> Result<Server, ServeError> {
        let address = monitor.config().listen;
        let tls = enrol::server(folder, now)?;
        let door = Door::bind(address).await.map_err(|error| ServeError::Listen { address, error })?;
        let control = Socket::bind(folder, monitor.desks());
        let control = control.map_err(|error| ServeError::Control { path: folder.control(), error })?;
        let watch = Watch::of(&monitor)?.map(Arc::new);
        let stop = |watch: &Arc<Watch>| {
            Stopper::new(monitor.brakes().clone(), monitor.incidents().clone(), watch.settings())
        };
        let stopper = watch.as_ref().map(stop).transpose().map_err(WatchError::from)?;
        let beside = watch.clone();
        let beside = Box::new(move |o: &Observation| beside.iter().for_each(|watch| watch.recorded(o)));
        let planted = Box::new(honey::lookup(&monitor));
        let parts = Parts::of(&monitor, planted, beside).map_err(ServeError::Detect)?;
        Ok(Server {
            door,
            folder: folder.clone(),
            tls,
            monitor: Arc::new(Mutex::new(monitor)),
            control,
            parts,
            watch,
            stopper,
        })
    }

    /// The address that is served, with its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.door.address()
    }

    /// Serves until `stop` is done; then finishes the batch in flight.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Server { door, folder, tls, monitor, control, parts, watch, stopper } = self;
        let feed = Feed::start(parts);
        let sites = watch.iter().flat_map(|watch| watch.start(feed.heard(), feed.outside()));
        let sites: Vec<_> = sites.collect();
        let (brakes, origin, _told) = {
            let mut monitor = monitor.lock().await;
            // Whoever is told of incidents; dropped, and with it ended, when this ends.
            let told = monitor.outputs().map(|outputs| outputs.start(monitor.incidents()));
            (monitor.brakes().clone(), monitor.config().origin.clone(), told)
        };
        let public = Public { hash: Hash::of(origin.as_bytes()).to_hex().into(), note: Arc::default() };
        let shared = Shared {
            monitor: monitor.clone(),
            public: public.clone(),
            brakes: brakes.clone(),
            told: feed.outside(),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        };
        let everybody = Router::new()
            .route("/{hash}/checkpoint", get(checkpoint))
            .with_state(public)
            .merge(own::http::router(&folder));
        let router = Router::new()
            .route("/batch", post(take_batch))
            .route("/state", get(state))
            .route("/brakes", get(heard))
            .with_state(shared);
        tokio::select! {
            () = door.run(everybody, Some(Gates { folder, tls, router }), stop) => {}
            () = brake::expire(brakes) => {}
            () = mend(monitor.clone()) => {}
            () = brake::stop::run(stopper) => {}
            () = control.serve() => {}
        }
        // Taking the lock waits for the batch in flight.
        let mut monitor = monitor.lock().await;
        sites.iter().for_each(tokio::task::JoinHandle::abort);
        feed.stop();
        watch.iter().for_each(|watch| watch.keep());
        Ok(monitor.stop()?)
    }
}

async fn take_batch(
    State(shared): State<Shared>,
    Extension(Gate(gate)): Extension<Gate>,
    headers: HeaderMap,
    body: Body,
) -> Response {
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
        let mut monitor = shared.monitor.lock().await;
        let answer = monitor.submit(&gate, &bytes, clock::now());
        shared.public.keep(&bytes, &answer);
        feed::answered(&shared.told, &bytes, &answer);
        return answer.into_response();
    }
    // Checking is work and storing waits for the disk: with a large batch neither may hold up the network's threads.
    let submitted = spawn_blocking(move || {
        let mut monitor = shared.monitor.blocking_lock();
        let answer = monitor.submit(&gate, &bytes, clock::now());
        shared.public.keep(&bytes, &answer);
        feed::answered(&shared.told, &bytes, &answer);
        answer
    });
    let submitted = submitted.await;
    submitted.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), IntoResponse::into_response)
}

/// Keeps what could not be kept, as soon as it can be, until it is dropped.
async fn mend(monitor: Arc<Mutex<Monitor>>) {
    let incidents = monitor.lock().await.incidents().clone();
    let mut looks = tokio::time::interval(Duration::from_millis(MEND_EVERY_MS));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = String::new();
    loop {
        looks.tick().await;
        if incidents.sound().is_ok() && last.is_empty() {
            continue;
        }
        let monitor = monitor.clone();
        let mended = spawn_blocking(move || monitor.blocking_lock().mend()).await;
        let problem = match mended {
            Ok(Err(error)) => error.to_string(),
            _ => String::new(),
        };
        if problem != last {
            let sound = || "what was found is kept; the monitor cosigns again".to_owned();
            let failing = format!("nothing is cosigned, because the monitor's own record fails: {problem}");
            eprintln!("{}", if problem.is_empty() { sound() } else { failing });
            last = problem;
        }
    }
}

async fn state(
    State(shared): State<Shared>,
    Extension(Gate(gate)): Extension<Gate>,
    RawQuery(asked): RawQuery,
) -> Response {
    let monitor = shared.monitor.lock().await;
    let whose = [named(asked.as_deref()), monitor.gate()];
    if let Some(refused) = whose.into_iter().flatten().find_map(|whose| not_its_own(&gate, whose)) {
        return refused;
    }
    Json(json!({ "size": monitor.size(), "policy": monitor.policy() })).into_response()
}

async fn checkpoint(State(public): State<Public>, Path(hash): Path<String>) -> Response {
    let note = public.note.read().unwrap_or_else(PoisonError::into_inner).clone();
    if *hash == *public.hash && !note.is_empty() {
        return note.into_response();
    }
    (StatusCode::NOT_FOUND, "no checkpoint of such a log was cosigned here\n").into_response()
}

/// Every gate hears the same, and none in another's name.
async fn heard(
    State(shared): State<Shared>,
    Extension(Gate(gate)): Extension<Gate>,
    RawQuery(asked): RawQuery,
) -> Response {
    let refused = named(asked.as_deref()).and_then(|whose| not_its_own(&gate, whose));
    refused.unwrap_or_else(|| brake::channel::answer(&shared.brakes))
}

/// In whose name something is asked, where the query says so: `?gate=NAME`. A name needs no escapes (`enrol`).
fn named(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|part| part.strip_prefix("gate="))
}

/// The answer to a gate that asks for what is another's.
fn not_its_own(gate: &str, whose: &str) -> Option<Response> {
    let why = || format!("by its certificate this is gate {gate:?}, which gets nothing of gate {whose:?}\n");
    (gate != whose).then(|| (StatusCode::FORBIDDEN, why()).into_response())
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
