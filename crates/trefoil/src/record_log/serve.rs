//! `trefoil record serve`: a published record over HTTP, as C2SP tlog-tiles says: `checkpoint`, `tile/…` and
//! `tile/entries/…`, and nothing else. It reads the published folder alone, holds no key and lists nothing. TLS and
//! compression are for whatever stands in front of it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tlog::checkpoint::Checkpoint;
use tlog::note::SignedNote;
use tlog::reader::{CHECKPOINT_PATH, Source};
use tlog::tile::TileId;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::FolderSource;
use super::target::Target;
use crate::cli::Serve;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

/// Connections at a time; further ones wait to be taken.
const CONNECTIONS_MAX: usize = 256;
/// Files that are read at a time; each may take `FILE_BYTES_MAX` of memory.
const READS_MAX: usize = 8;
/// The longest that a request may take to arrive, and a connection be idle.
const REQUEST_WAIT_MS_MAX: u64 = 10_000;
/// The longest request.
const REQUEST_BYTES_MAX: usize = 16_384;
/// The longest that a connection lives, however it is used.
const CONNECTION_SECS_MAX: u64 = 300;
/// Between two tries to take a connection after one failed, as when there are too many open files.
const ACCEPT_AGAIN_MS: u64 = 100;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// A checkpoint is a moment's; a tile that a checkpoint covers never changes; one that is not there may come.
const CACHE_BRIEFLY: &str = "max-age=1, must-revalidate";
const CACHE_FOR_EVER: &str = "public, max-age=31536000, immutable";
const CACHE_NOT: &str = "no-store";

pub(crate) fn serve(asked: &Serve) -> Result<(), Ended> {
    let target = Target::find(asked.target.as_deref(), &asked.enclave)?;
    let folder = target.folder();
    let folder =
        folder.ok_or_else(|| Ended::cannot_tell(format!("{} is no folder of a record", target.name())))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_cannot_tell("starting")?.block_on(run(folder, asked))
}

async fn run(folder: PathBuf, asked: &Serve) -> Result<(), Ended> {
    let mut interrupt = signal(SignalKind::interrupt()).or_cannot_tell("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).or_cannot_tell("listening for signals")?;
    let doing = || format!("listening on {}", asked.listen);
    let listener = TcpListener::bind(asked.listen).await.or_cannot_tell(doing())?;
    let address = listener.local_addr().or_cannot_tell(doing())?;
    say_where(&folder, address, asked.json)?;
    tokio::select! {
        // What is being answered can be asked for again: nothing here is anybody's only copy.
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = accept(listener, folder) => Ok(()),
    }
}

fn say_where(folder: &std::path::Path, address: SocketAddr, json: bool) -> Result<(), Ended> {
    let url = format!("http://{address}");
    if json {
        return terminal::say_json(&json!({ "url": url, "record": folder }));
    }
    terminal::say(&format!("serving {} at {url}", folder.display()));
    Ok(())
}

async fn accept(listener: TcpListener, folder: PathBuf) {
    let shared = Arc::new(Shared { source: FolderSource::new(&folder), reads: Semaphore::new(READS_MAX) });
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(connection(stream, shared.clone(), permit))),
            Err(_) => tokio::time::sleep(Duration::from_millis(ACCEPT_AGAIN_MS)).await,
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, _permit: OwnedSemaphorePermit) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(shared.answer(&request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .max_buf_size(REQUEST_BYTES_MAX)
        .header_read_timeout(Duration::from_millis(REQUEST_WAIT_MS_MAX))
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off, or is cut off here, asks again or does not.
    let _ = tokio::time::timeout(Duration::from_secs(CONNECTION_SECS_MAX), served).await;
}

struct Shared {
    source: FolderSource,
    reads: Semaphore,
}

impl Shared {
    async fn answer(self: Arc<Self>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = said(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let path = request.uri().path().strip_prefix('/').unwrap_or_default().to_owned();
        let (media, cache) = match path.as_str() {
            CHECKPOINT_PATH => (TEXT, CACHE_BRIEFLY),
            _ => (BYTES, CACHE_FOR_EVER),
        };
        let Ok(_reading) = self.reads.acquire().await else {
            return said(StatusCode::SERVICE_UNAVAILABLE, "ending\n");
        };
        let shared = self.clone();
        match tokio::task::spawn_blocking(move || look(&shared.source, &path)).await {
            Ok(Ok(Some(bytes))) => respond(StatusCode::OK, bytes.into(), media, cache),
            Ok(Ok(None)) => said(StatusCode::NOT_FOUND, "there is no such file of the record\n"),
            Ok(Err(_)) | Err(_) => said(StatusCode::INTERNAL_SERVER_ERROR, "the record cannot be read\n"),
        }
    }
}

/// The file of a log at a path. Of tiles, those that the published checkpoint covers, and no others: what is written
/// ahead of it is not signed. An incomplete tile of any earlier size is the beginning of what now stands in its place,
/// so it is there whether or not it was ever written or has been tidied away.
fn look(source: &impl Source, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
    if path == CHECKPOINT_PATH {
        return source.read(path);
    }
    let Ok(id) = path.parse::<TileId>() else { return Ok(None) };
    let Some(size) = published(source)? else { return Ok(None) };
    let Some(now) = id.in_tree(size).filter(|now| now.width() >= id.width()) else { return Ok(None) };
    for held in [id, now, id.full()] {
        if let Some(bytes) = source.read(&held.to_string())? {
            let cut = id.cut(&bytes).map_err(io::Error::other)?;
            return Ok(Some(cut.to_vec()));
        }
    }
    Ok(None)
}

fn published(source: &impl Source) -> Result<Option<u64>, io::Error> {
    let Some(bytes) = source.read(CHECKPOINT_PATH)? else { return Ok(None) };
    let note = SignedNote::parse(&bytes).map_err(io::Error::other)?;
    Ok(Some(Checkpoint::parse(&note.text).map_err(io::Error::other)?.size))
}

fn said(status: StatusCode, why: &'static str) -> Response<Full<Bytes>> {
    respond(status, Bytes::from_static(why.as_bytes()), TEXT, CACHE_NOT)
}

fn respond(
    status: StatusCode,
    body: Bytes,
    media: &'static str,
    cache: &'static str,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
