//! The own record over HTTP, read-only, as C2SP tlog-tiles says: whoever wants to verify what the monitor found need
//! not ask for a copy. Only names that a published log has are looked up.

use std::{io, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tlog::{reader::CHECKPOINT_PATH, tile::TileId};

use crate::folder::Folder;

/// A published tile never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The routes under `/own/`.
pub fn router(folder: &Folder) -> Router {
    let dir = Arc::new(folder.own().join("record"));
    Router::new().route("/own/{*path}", get(file)).with_state(dir)
}

async fn file(State(dir): State<Arc<PathBuf>>, Path(path): Path<String>) -> Response {
    let (kind, cache) = match path.as_str() {
        CHECKPOINT_PATH => ("text/plain; charset=utf-8", "no-cache"),
        tile if tile.parse::<TileId>().is_ok() => ("application/octet-stream", FOREVER),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match tokio::fs::read(dir.join(&path)).await {
        Ok(bytes) => ([(CONTENT_TYPE, kind), (CACHE_CONTROL, cache)], bytes).into_response(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
