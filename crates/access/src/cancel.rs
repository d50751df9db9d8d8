//! Keys for cancelling: which session a CancelRequest means. The session itself asks its site, and holds its
//! client's next statements until the site has taken note, so that a late cancel hits nothing else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use tokio::sync::Notify;

/// The sessions that can be cancelled.
#[derive(Debug, Default)]
pub struct Cancels {
    by_pid: Arc<Mutex<HashMap<i32, Handle>>>,
}

#[derive(Debug)]
struct Handle {
    secret: [u8; 4],
    notify: Arc<Notify>,
}

/// A session's own key; it can be cancelled until this is dropped.
#[derive(Debug)]
pub struct Key {
    /// Shown to the client as a process id; invented.
    pub pid: i32,
    /// Shown to the client.
    pub secret: i32,
    /// Rings when somebody presents the key.
    pub notify: Arc<Notify>,
    by_pid: Arc<Mutex<HashMap<i32, Handle>>>,
}

impl Cancels {
    /// A key that no other session has.
    pub fn issue(&self) -> Key {
        let mut by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rng = rand::rng();
        let pid = loop {
            let pid = rng.random_range(1..=i32::MAX);
            if !by_pid.contains_key(&pid) {
                break pid;
            }
        };
        let secret: i32 = rng.random();
        let notify = Arc::new(Notify::new());
        by_pid.insert(pid, Handle { secret: secret.to_be_bytes(), notify: Arc::clone(&notify) });
        Key { pid, secret, notify, by_pid: Arc::clone(&self.by_pid) }
    }

    /// Rings the session that has this key; anything else is ignored without an answer, as PostgreSQL does.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        let by_pid = self.by_pid.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = by_pid.get(&pid)
            && handle.secret == secret
        {
            handle.notify.notify_one();
        }
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.by_pid.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}
