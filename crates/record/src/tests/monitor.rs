//! A monitor for tests: speaks the batch protocol, witnesses by `tlog::witness`, cosigns with two keys, keeps
//! everything it was sent, and can be made to misbehave. Remembers every root that it was ever shown.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tlog::hash::{Hash, leaf_hash};
use tlog::note::{KeyType, SignedNote, SigningKey, VerifierKey};
use tlog::tree::{Levels, consistency_proof, root_at};
use tlog::witness::{self, Held, Rejection};
use tokio::net::TcpListener;

/// How the monitor treats batches.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Mood {
    #[default]
    Honest,
    /// Does not answer.
    Hangs,
    /// Answers 503.
    Busy,
    /// Does not cosign from this entry on.
    Refuses(u64),
    /// Cosigns with one key only.
    HalfHearted,
}

pub(crate) struct State {
    pub(crate) mood: Mood,
    pub(crate) levels: Levels,
    pub(crate) entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// Every signed root, by size.
    pub(crate) shown: BTreeMap<u64, Hash>,
    /// Sizes for which two roots were signed.
    pub(crate) forks: Vec<u64>,
    pub(crate) batches: u64,
    log: VerifierKey,
    keys: [SigningKey; 2],
}

/// A running monitor. Its state outlives restarts of the record.
#[derive(Clone)]
pub(crate) struct TestMonitor {
    pub(crate) url: String,
    pub(crate) keys: [VerifierKey; 2],
    state: Arc<Mutex<State>>,
}

impl TestMonitor {
    /// Starts one for the log with this key.
    pub(crate) fn start(log: VerifierKey) -> Self {
        let key = |name: &str, seed| SigningKey::from_seed(name, KeyType::CosignatureV1, [seed; 32]).unwrap();
        let keys = [key("monitor/witness", 2), key("monitor/redecided", 3)];
        let verifiers = [keys[0].verifier().clone(), keys[1].verifier().clone()];
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Honest,
            levels: Levels::new(),
            entries: Vec::new(),
            shown: BTreeMap::new(),
            forks: Vec::new(),
            batches: 0,
            log,
            keys,
        }));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = state.clone();
        std::thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async { serve(TcpListener::from_std(listener).unwrap(), served).await });
            })
            .unwrap();
        Self { url, keys: verifiers, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Forgets all entries from `size` on, as a restored backup would.
    pub(crate) fn restore(&self, size: usize) {
        let mut state = self.state();
        state.entries.truncate(size);
        let mut levels = Levels::new();
        state.entries.iter().for_each(|(entry, _)| levels.push(leaf_hash(entry)));
        state.levels = levels;
    }
}

/// What stands behind its length, and the rest.
fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(request, state.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if state.lock().unwrap().mood == Mood::Hangs {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    let mut state = state.lock().unwrap();
    let (status, text) = match path.as_str() {
        "/state" => (200, format!("{{\"size\":{},\"policy\":\"00\"}}", state.levels.size())),
        "/batch" => state.batch(&body),
        _ => (404, String::new()),
    };
    Ok(Response::builder().status(status).body(Full::new(text.into())).unwrap())
}

impl State {
    fn batch(&mut self, body: &[u8]) -> (u16, String) {
        self.batches += 1;
        if self.mood == Mood::Busy {
            return (503, "busy".to_owned());
        }
        let (note, rest) = part(body).unwrap();
        let note = SignedNote::parse(note).unwrap();
        let (first, mut rest) = rest.split_first_chunk::<8>().unwrap();
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (entry, after) = part(rest).unwrap();
            let (blob, after) = part(after).unwrap();
            entries.push((entry.to_vec(), blob.to_vec()));
            rest = after;
        }
        match self.judge(&note, u64::from_be_bytes(*first), entries) {
            Ok(certificates) => (200, self.cosign(&note, certificates)),
            Err((status, body)) => (status, body),
        }
    }

    fn judge(
        &mut self,
        note: &SignedNote,
        first: u64,
        entries: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<BTreeMap<String, String>, (u16, String)> {
        let reject = |rejection: Rejection| (rejection.status(), rejection.body());
        let next =
            witness::authenticate(note, self.log.name(), std::slice::from_ref(&self.log)).map_err(reject)?;
        if *self.shown.entry(next.size).or_insert(next.root) != next.root {
            self.forks.push(next.size);
        }
        let held =
            Held { size: self.levels.size(), root: root_at(&self.levels, self.levels.size()).unwrap() };
        if first != held.size {
            return Err(reject(Rejection::Conflict { held: held.size }));
        }
        if let Mood::Refuses(index) = self.mood
            && next.size > index
        {
            return Err((422, format!("{{\"index\":{index},\"reason\":\"not by my policy\"}}")));
        }
        entries.iter().for_each(|(entry, _)| self.levels.push(leaf_hash(entry)));
        let proof = consistency_proof(&self.levels, held.size, next.size).unwrap();
        witness::judge(&held, held.size, &proof, &next).map_err(reject)?;
        let certified =
            |(_, (entry, _)): &(u64, &(Vec<u8>, Vec<u8>))| entry.windows(12).any(|at| at == b"session.open");
        let certificates = (first..)
            .zip(&entries)
            .filter(certified)
            .map(|(index, _)| (index.to_string(), format!("PEM {index}")))
            .collect();
        self.entries.extend(entries);
        Ok(certificates)
    }

    fn cosign(&self, note: &SignedNote, certificates: BTreeMap<String, String>) -> String {
        let keys = if self.mood == Mood::HalfHearted { &self.keys[..1] } else { &self.keys[..] };
        let lines: Vec<_> =
            keys.iter().map(|key| key.cosign(&note.text, 1_700_000_000).unwrap().to_string()).collect();
        serde_json::json!({ "cosignatures": lines, "certificates": certificates }).to_string()
    }
}
