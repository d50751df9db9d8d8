//! C2SP tlog-witness over HTTP: POST /add-checkpoint, and GET /<hash of the origin>/checkpoint. Bounds what is read and
//! for how long. What is cosigned is `witness`; connections are `door`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tlog::witness::Rejection;
use tokio::{task::spawn_blocking, time::timeout};

use super::{NotCosigned, Witness};
use crate::clock;

/// The longest request: a proof of 63 lines and a checkpoint with a hundred signatures are some 20 KB.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take to arrive.
pub const REQUEST_WAIT_MS_MAX: u64 = 10_000;

/// Media type of the size that was cosigned last.
const SIZE_TYPE: &str = "text/x.tlog.size";

/// What is served at the root of the witness's address.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{hash}/checkpoint", get(checkpoint))
        .with_state(witness)
}

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: Body) -> Response {
    let wait = Duration::from_millis(REQUEST_WAIT_MS_MAX);
    let body = match timeout(wait, to_bytes(body, REQUEST_BYTES_MAX)).await {
        Err(_) => {
            return (StatusCode::REQUEST_TIMEOUT, "the request did not arrive in time\n").into_response();
        }
        Ok(Err(_)) => return answer(Err(Rejection::Malformed("it does not end, or is too long").into())),
        Ok(Ok(body)) => body,
    };
    // It waits for the disk.
    let added = spawn_blocking(move || witness.add_checkpoint(&body, clock::now())).await;
    added.map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), answer)
}

fn answer(added: Result<String, NotCosigned>) -> Response {
    match added {
        Ok(line) => line.into_response(),
        Err(NotCosigned::Ours(why)) => {
            eprintln!("{why}");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{why}\n")).into_response()
        }
        Err(NotCosigned::Rejected(rejection)) => {
            let status = StatusCode::from_u16(rejection.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let body = rejection.body();
            match rejection {
                Rejection::Conflict { .. } => (status, [(CONTENT_TYPE, SIZE_TYPE)], body).into_response(),
                _ => (status, body).into_response(),
            }
        }
    }
}

async fn checkpoint(State(witness): State<Arc<Witness>>, Path(hash): Path<String>) -> Response {
    match witness.checkpoint(&hash) {
        Some(note) => note.into_response(),
        None => (StatusCode::NOT_FOUND, "no checkpoint of such a log was cosigned here\n").into_response(),
    }
}
