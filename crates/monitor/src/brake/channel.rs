//! What gates hear of brakes: an answer that is held open. First all that is in force, then each word when it is said,
//! and twice a second that nothing was missed. A gate that is too far behind is hung up on, and asks again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tlog::{brake::BrakeError, entry::Micros};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};

use super::Brakes;
use crate::clock;

/// How often it is said that nothing was missed.
pub const BEAT_EVERY_MS: u64 = 500;

/// A signed word as a line: the note as JSON text.
pub fn line(note: &str) -> Arc<str> {
    let mut line = serde_json::Value::from(note).to_string();
    line.push('\n');
    line.into()
}

impl Brakes {
    /// All that is in force, as a line, and what is said from then on.
    pub(super) fn listen(&self) -> Result<(Arc<str>, broadcast::Receiver<Arc<str>>), BrakeError> {
        let state = self.state();
        let whole = state.force.whole().sign(&self.0.key)?;
        // Under the lock: no word comes between the two.
        Ok((line(&whole), self.0.words.subscribe()))
    }

    /// That nothing has changed, as a line.
    pub(super) fn beat(&self, now: Micros) -> Result<Arc<str>, BrakeError> {
        let beat = self.state().force.beat(now.to_string());
        Ok(line(&beat.sign(&self.0.key)?))
    }
}

struct Ear {
    brakes: Brakes,
    words: broadcast::Receiver<Arc<str>>,
    beats: Interval,
    first: Option<Arc<str>>,
}

impl Ear {
    /// The next line; none when the gate has to ask again.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Ear)> {
        let line = loop {
            if let Some(whole) = self.first.take() {
                break whole;
            }
            tokio::select! {
                word = self.words.recv() => match word {
                    Ok(word) => break word,
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
                _ = self.beats.tick() => {
                    let beat = self.brakes.beat(clock::now()).ok()?;
                    // It may know of a word that waits here, and must not overtake it.
                    if self.words.is_empty() {
                        break beat;
                    }
                }
            }
        };
        Some((Ok(Bytes::copy_from_slice(line.as_bytes())), self))
    }
}

/// GET /brakes.
pub fn answer(brakes: &Brakes) -> Response {
    let (first, words) = match brakes.listen() {
        Ok(heard) => heard,
        Err(error) => {
            eprintln!("brakes: {error}");
            return axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let mut beats = interval(Duration::from_millis(BEAT_EVERY_MS));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ear = Ear { brakes: brakes.clone(), words, beats, first: Some(first) };
    let body = Body::from_stream(stream::unfold(ear, Ear::next));
    ([(CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
