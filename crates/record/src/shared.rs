//! What the writer, the publisher and the callers of a record share: how much waits, how far each stage is, and
//! whether the record still takes entries. Decides nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::draft::Why;

/// How many entries each stage has reached. Each is a size: the index after the last entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// In the write-ahead file.
    pub staged: u64,
    /// Under a checkpoint that satisfies the release rule.
    pub cosigned: u64,
    /// In the published folder.
    pub published: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    staged: AtomicU64,
    cosigned: AtomicU64,
    published: AtomicU64,
    waiting_entries: AtomicUsize,
    waiting_bytes: AtomicUsize,
    /// Whether what is removed may hold a key that is to be forgotten.
    forgetting: AtomicBool,
    door: Mutex<Door>,
}

/// Whether entries are taken, and what the monitor said last.
#[derive(Debug, Default)]
struct Door {
    /// Set once, for good: a storage error or a stop.
    closed: Option<Why>,
    /// Set while the monitor refuses an entry.
    blocked: Option<Why>,
    last: Option<Arc<str>>,
}

impl Shared {
    /// Of a record that is opened: everything published is cosigned, and no more is known.
    pub(crate) fn at(staged: u64, published: u64) -> Arc<Self> {
        let shared = Self::default();
        shared.set_staged(staged);
        shared.set_cosigned(published);
        shared.set_published(published);
        Arc::new(shared)
    }

    /// Takes room for an entry of this many bytes, or says why there is none.
    pub(crate) fn enter(&self, bytes: usize) -> Result<(), Why> {
        let door = self.door();
        if let Some(why) = door.closed.as_ref().or(door.blocked.as_ref()) {
            return Err(why.clone());
        }
        drop(door);
        let entries = self.waiting_entries.fetch_add(1, Relaxed) + 1;
        let bytes_now = self.waiting_bytes.fetch_add(bytes, Relaxed) + bytes;
        if entries > crate::BACKLOG_ENTRIES_MAX || bytes_now > crate::BACKLOG_BYTES_MAX {
            self.leave(1, bytes);
            return Err(Why::Full { entries: entries - 1, bytes: bytes_now - bytes });
        }
        Ok(())
    }

    /// Takes room for entries without a detail, of which there are few.
    pub(crate) fn enter_always(&self, entries: usize) {
        self.waiting_entries.fetch_add(entries, Relaxed);
    }

    /// Why there is no room, now.
    pub(crate) fn full(&self) -> Why {
        Why::Full { entries: self.waiting_entries.load(Relaxed), bytes: self.waiting_bytes.load(Relaxed) }
    }

    /// Gives the room of these entries back.
    pub(crate) fn leave(&self, entries: usize, bytes: usize) {
        self.waiting_entries.fetch_sub(entries, Relaxed);
        self.waiting_bytes.fetch_sub(bytes, Relaxed);
    }

    /// Closes the door for good. The first reason stays, but a storage error counts more than a stop.
    pub(crate) fn close(&self, why: Why) {
        let mut door = self.door();
        if !matches!(door.closed, Some(Why::Storage(_))) {
            door.closed = Some(why);
        }
    }

    /// Why the door is closed for good, if it is.
    pub(crate) fn closed(&self) -> Option<Why> {
        self.door().closed.clone()
    }

    /// Refuses entries while the monitor refuses one, or takes them again.
    pub(crate) fn block(&self, why: Option<Why>) {
        self.door().blocked = why;
    }

    /// Notes what the last attempt to reach the monitor ended with; `None` after a success.
    pub(crate) fn set_last(&self, last: Option<Arc<str>>) {
        self.door().last = last;
    }

    pub(crate) fn last(&self) -> Option<Arc<str>> {
        self.door().last.clone()
    }

    pub(crate) fn set_staged(&self, size: u64) {
        self.staged.store(size, Relaxed);
    }

    pub(crate) fn set_cosigned(&self, size: u64) {
        self.cosigned.store(size, Relaxed);
    }

    pub(crate) fn set_published(&self, size: u64) {
        self.published.store(size, Relaxed);
    }

    /// Whether removed segments are overwritten.
    pub(crate) fn is_forgetting(&self) -> bool {
        self.forgetting.load(Relaxed)
    }

    pub(crate) fn set_forgetting(&self, forgetting: bool) {
        self.forgetting.store(forgetting, Relaxed);
    }

    pub(crate) fn lag(&self) -> Lag {
        Lag {
            staged: self.staged.load(Relaxed),
            cosigned: self.cosigned.load(Relaxed),
            published: self.published.load(Relaxed),
        }
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
