//! Keys for cancelling: which session a CancelRequest means. The session itself asks its site, and holds its
//! client's next statements until the site has taken note, so that a late cancel hits nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{Rng, RngCore};
use subtle::ConstantTimeEq;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

/// How long who cancels waits for the session to have done it.
const CANCEL_MS_MAX: u64 = 3_000;
/// Cancels of one session that wait for it at once; more wait for room.
const RINGS_MAX: usize = 4;
/// The secret of clients that speak protocol 3.0.
const SHORT_SECRET_BYTES: usize = 4;
/// The secret of all others.
const LONG_SECRET_BYTES: usize = 32;

/// Dropped when a cancel has been done, or found nothing to do.
pub type Answered = oneshot::Sender<()>;

/// The sessions that can be cancelled.
#[derive(Debug, Default)]
pub struct Cancels {
    by_pid: Arc<Mutex<HashMap<i32, Handle>>>,
}

#[derive(Debug)]
struct Handle {
    secret: Box<[u8]>,
    ring: mpsc::Sender<Answered>,
}

/// A session's own key; it can be cancelled until this is dropped.
#[derive(Debug)]
pub struct Key {
    /// Shown to the client as a process id; invented.
    pub pid: i32,
    /// Shown to the client.
    pub secret: Box<[u8]>,
    /// Rings when somebody presents the key.
    pub rings: mpsc::Receiver<Answered>,
    by_pid: Arc<Mutex<HashMap<i32, Handle>>>,
}

impl Cancels {
    /// A key that no other session has; a long one for who can read it.
    pub fn issue(&self, long: bool) -> Key {
        let mut by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rng = rand::rng();
        let pid = loop {
            let pid = rng.random_range(1..=i32::MAX);
            if !by_pid.contains_key(&pid) {
                break pid;
            }
        };
        let mut secret =
            vec![0; if long { LONG_SECRET_BYTES } else { SHORT_SECRET_BYTES }].into_boxed_slice();
        rng.fill_bytes(&mut secret);
        let (ring, rings) = mpsc::channel(RINGS_MAX);
        by_pid.insert(pid, Handle { secret: secret.clone(), ring });
        Key { pid, secret, rings, by_pid: Arc::clone(&self.by_pid) }
    }

    /// Rings the session that has this key, and waits until it has done what there was to do: clients take the end of
    /// this connection to mean that no later statement is hit. Any other key is ignored without an answer, as
    /// PostgreSQL does.
    pub async fn cancel(&self, pid: i32, secret: &[u8]) {
        let Some(ring) = self.ring(pid, secret) else {
            return;
        };
        let (answered, done) = oneshot::channel();
        let rung = async {
            if ring.send(answered).await.is_ok() {
                // Its sender is dropped unsent: an error is the answer.
                let _ = done.await;
            }
        };
        // Who has given up has dropped `done`, by which the session knows that nobody means its next statement.
        let _ = timeout(Duration::from_millis(CANCEL_MS_MAX), rung).await;
    }

    fn ring(&self, pid: i32, secret: &[u8]) -> Option<mpsc::Sender<Answered>> {
        let by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let known = by_pid.get(&pid).filter(|handle| bool::from(handle.secret.ct_eq(secret)));
        known.map(|handle| handle.ring.clone())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.by_pid.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}
