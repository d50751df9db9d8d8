//! Histories of many users in few bytes: 4 096 shards by hash of the user, each a run of packed records and an index of
//! four bytes an entry. A shard grows by a sixteenth, throws away what is dead, and forgets, all by itself, so that no event
//! waits for more than one of them. Same events, same contents: what is forgotten depends on no capacity. Not here: what a
//! history says (`history`).

mod history;
mod shard;

use arrayvec::ArrayVec;

pub use history::*;
use shard::Shard;

use crate::key::Tag;

/// Shards; a snapshot has a block for each.
pub const SHARDS: usize = 4_096;
const SHARD_BITS: u32 = 12;
/// Days after which a history that was not used is forgotten.
pub const KEEP_DAYS: u16 = 183;
/// In which every shard is swept once.
const SWEEP_MS: i64 = 7 * 86_400_000;

/// Histories by user.
#[derive(Debug, Clone)]
pub struct Store {
    shards: Vec<Shard>,
    /// Bytes that all may hold; each shard has its part.
    bytes_max: u64,
    sweep: Sweep,
}

/// Where sweeping is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Sweeps done: each is of the next shard.
    pub done: u64,
    /// When the next is due, milliseconds since 1970.
    pub due_ms: i64,
}

impl Store {
    /// An empty one that holds at most so many bytes: whoever was away longest is forgotten first.
    pub fn new(bytes_max: u64) -> Self {
        Self { shards: vec![Shard::default(); SHARDS], bytes_max, sweep: Sweep::default() }
    }

    /// Reads a user's history into an empty one. Whether there is any that is not older than what is kept.
    pub fn get(&self, user: Tag, today: u16, history: &mut History) -> bool {
        let bytes = self.shards.get(shard_of(user)).and_then(|shard| shard.get(user));
        let is_one = bytes.is_some_and(|bytes| history.unpack(bytes).is_some());
        if is_one && is_old(history.last_day(), today) {
            *history = History::default();
            return false;
        }
        is_one
    }

    /// Reads where the index has a user.
    pub fn reach_index(&self, user: Tag) -> u64 {
        self.shards.get(shard_of(user)).map_or(0, |shard| shard.reach_index(user))
    }

    /// Reads a user's history, as far as it is long mostly.
    pub fn reach_record(&self, user: Tag) -> u64 {
        self.shards.get(shard_of(user)).map_or(0, |shard| shard.reach_record(user))
    }

    /// Keeps a user's history, in place of what was kept.
    pub fn put(&mut self, user: Tag, history: &History) {
        let mut packed = ArrayVec::new();
        history.pack(&mut packed);
        self.put_packed(user, &packed);
    }

    fn put_packed(&mut self, user: Tag, packed: &[u8]) {
        let bytes_max = self.bytes_max / SHARDS as u64;
        if let Some(shard) = self.shards.get_mut(shard_of(user)) {
            shard.put(user, packed);
            if shard.bytes_due() > bytes_max {
                shard.forget_oldest();
            }
        }
    }

    /// Forgets a user. Whether anything was held.
    pub fn remove(&mut self, user: Tag) -> bool {
        self.shards.get_mut(shard_of(user)).is_some_and(|shard| shard.remove(user))
    }

    /// Forgets what is too old in the next shard, if its turn has come.
    pub fn sweep(&mut self, now_ms: i64) {
        if now_ms < self.sweep.due_ms {
            return;
        }
        let step_ms = SWEEP_MS / SHARDS as i64;
        // Where events are rare, each sweeps a shard; after a pause nothing is made up for but one round.
        self.sweep.due_ms = (self.sweep.due_ms.saturating_add(step_ms)).max(now_ms.saturating_sub(SWEEP_MS));
        self.sweep.done = self.sweep.done.wrapping_add(1);
        let today = u16::try_from((now_ms / 86_400_000).max(0)).unwrap_or(u16::MAX);
        let at = usize::try_from(self.sweep.done % SHARDS as u64).unwrap_or(0);
        if let Some(shard) = self.shards.get_mut(at) {
            shard.forget_before(today.saturating_sub(KEEP_DAYS));
        }
    }

    /// Users held.
    pub fn users(&self) -> u64 {
        self.shards.iter().map(Shard::users).sum()
    }

    /// Bytes of memory held, with everything that is reserved.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(Shard::bytes).sum::<usize>() + self.shards.capacity() * size_of::<Shard>()
    }

    /// Where sweeping is: part of a snapshot.
    pub fn swept(&self) -> Sweep {
        self.sweep
    }

    /// Records of one shard, packed one behind the other, appended to `into`.
    pub fn write_shard(&self, at: usize, into: &mut Vec<u8>) {
        if let Some(shard) = self.shards.get(at) {
            shard.write(into);
        }
    }

    /// Reads what [`Store::write_shard`] wrote. `None` if it is no such thing, or not of this shard.
    pub fn read_shard(&mut self, at: usize, bytes: &[u8]) -> Option<()> {
        *self.shards.get_mut(at)? = Shard::read(at, bytes)?;
        Some(())
    }

    /// Continues sweeping where a snapshot was.
    pub fn set_swept(&mut self, sweep: Sweep) {
        self.sweep = sweep;
    }
}

/// Whether what was last used on a day is forgotten today.
pub fn is_old(day: u16, today: u16) -> bool {
    day < today.saturating_sub(KEEP_DAYS)
}

fn shard_of(user: Tag) -> usize {
    usize::try_from(user.0 >> (64 - SHARD_BITS)).unwrap_or(0)
}
