//! One shard: records one behind the other, and an index of open addressing whose entries are eight bits of the user's
//! hash and where the record is. A record that changes its length is written anew and dies where it was; when the room is
//! used up, what is dead goes, or the room grows by a sixteenth. Not here: what is in a record but its last time.

use crate::key::Tag;

use super::SHARD_BITS;
use super::history::{HEAD_BYTES, History};

/// A record's first word: the user's hash without the shard's bits, above its length and whether it is dead.
const WORD_BYTES: usize = 8;
const LENGTH_BITS: u32 = 11;
const DEAD: u64 = 1 << LENGTH_BITS;
const LENGTH: u64 = DEAD - 1;
/// Records begin at multiples of this.
const UNIT_BYTES: usize = 2;
/// Places are 24 bits of units.
const ARENA_BYTES_MAX: usize = UNIT_BYTES << 24;
/// What memory is read in.
const LINE_BYTES: usize = 64;
/// An entry of the index that is none. No record can begin there.
const EMPTY: u32 = u32::MAX;
/// Bytes that a user costs beside the record: the index and what is reserved, about.
const OVERHEAD_BYTES: u64 = 6;

#[derive(Debug, Clone, Default)]
pub struct Shard {
    index: Vec<u32>,
    arena: Vec<u8>,
    live: u32,
    dead_bytes: u32,
    /// No record was used last before this, seconds since 1970.
    oldest_s: u32,
}

impl Shard {
    /// A user's packed history.
    pub fn get(&self, user: Tag) -> Option<&[u8]> {
        let (_, at) = self.find(user)?;
        let length = self.length_at(at)?;
        self.arena.get(at + WORD_BYTES..at + length)
    }

    /// Reads where a user's entry would be.
    pub fn reach_index(&self, user: Tag) -> u64 {
        home(user, self.index.len()).and_then(|slot| self.index.get(slot)).copied().unwrap_or(0).into()
    }

    /// Reads a user's record, a byte in each line of memory.
    pub fn reach_record(&self, user: Tag) -> u64 {
        let record = self.get(user).unwrap_or_default();
        record.iter().step_by(LINE_BYTES).chain(record.last()).fold(0, |read, byte| read ^ u64::from(*byte))
    }

    /// Keeps a packed history.
    pub fn put(&mut self, user: Tag, packed: &[u8]) {
        let length = (WORD_BYTES + packed.len()).next_multiple_of(UNIT_BYTES);
        let last_s = packed.first_chunk::<4>().map_or(0, |time| u32::from_le_bytes(*time));
        self.oldest_s = self.oldest_s.min(last_s);
        let found = self.find(user);
        if let Some((_, at)) = found.filter(|(_, at)| self.length_at(*at) == Some(length)) {
            let end = at + WORD_BYTES + packed.len();
            if let Some(place) = self.arena.get_mut(at + WORD_BYTES..end) {
                place.copy_from_slice(packed);
            }
            return;
        }
        if let Some((_, at)) = found {
            self.kill(at);
        }
        if self.arena.len() + length > ARENA_BYTES_MAX {
            self.forget_oldest();
        }
        let has_moved = self.make_room(length);
        let at = self.append(user, packed, length);
        match found.filter(|_| !has_moved) {
            Some((slot, _)) => self.set(slot, entry_of(user, at)),
            None => {
                if (self.live as usize + 1) * 5 > self.index.len() * 4 {
                    self.rebuild_index(user, index_slots(self.live + 1));
                }
                self.enter(user, at);
            }
        }
        self.live += 1;
    }

    /// Forgets a user. Whether anything was held.
    pub fn remove(&mut self, user: Tag) -> bool {
        let Some((slot, at)) = self.find(user) else { return false };
        self.kill(at);
        self.close_gap(slot);
        true
    }

    /// Forgets whoever was away since before a day.
    pub fn forget_before(&mut self, day: u16) {
        let limit = u32::from(day).saturating_mul(86_400);
        if self.oldest_s >= limit {
            return;
        }
        let oldest = |shard: &Self| shard.records().filter_map(|(at, _)| shard.last_s(at)).min();
        if oldest(self).is_some_and(|oldest| oldest < limit) {
            self.compact(limit);
            self.shrink();
        }
        self.oldest_s = oldest(self).unwrap_or(u32::MAX);
    }

    /// Forgets the eighth that was away longest.
    pub fn forget_oldest(&mut self) {
        let mut times: Vec<u32> = self.records().filter_map(|(at, _)| self.last_s(at)).collect();
        let eighth = times.len() / 8;
        if eighth < times.len() {
            let (_, limit, _) = times.select_nth_unstable(eighth);
            let limit = limit.saturating_add(1);
            self.compact(limit);
        }
    }

    pub fn users(&self) -> u64 {
        u64::from(self.live)
    }

    pub fn bytes(&self) -> usize {
        self.index.capacity() * size_of::<u32>() + self.arena.capacity()
    }

    /// What its live records are due, whatever is reserved or dead.
    pub fn bytes_due(&self) -> u64 {
        let records = self.arena.len() as u64 - u64::from(self.dead_bytes);
        records + records / 16 + OVERHEAD_BYTES * u64::from(self.live)
    }

    pub fn write(&self, into: &mut Vec<u8>) {
        for (at, length) in self.records() {
            into.extend_from_slice(self.arena.get(at..at + length).unwrap_or_default());
        }
    }

    pub fn read(shard: usize, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > ARENA_BYTES_MAX {
            return None;
        }
        let mut new = Self { arena: bytes.to_vec(), ..Self::default() };
        let mut at = 0;
        while at < bytes.len() {
            let word = new.word(at)?;
            let length = new.length_at(at)?;
            History::default().unpack(bytes.get(at + WORD_BYTES..at + length)?)?;
            if word & DEAD != 0 || length == 0 {
                return None;
            }
            new.live += 1;
            at += length;
        }
        let (users, shard) = (new.live, u64::try_from(shard).ok()?);
        new.index = vec![EMPTY; index_slots(users)];
        let found: Vec<(Tag, usize)> =
            new.records().map(|(at, _)| (tag_of(shard, new.word(at).unwrap_or(0)), at)).collect();
        for (user, at) in found {
            // Twice the same user is no snapshot of ours.
            if new.find(user).is_some() {
                return None;
            }
            new.enter(user, at);
        }
        Some(new)
    }

    /// Slot of the index and place of a user's record.
    fn find(&self, user: Tag) -> Option<(usize, usize)> {
        let slots = self.index.len();
        let mut slot = home(user, slots)?;
        for _ in 0..slots {
            let entry = *self.index.get(slot)?;
            if entry == EMPTY {
                return None;
            }
            if entry >> 24 == finger(user) {
                let at = place(entry);
                if self.word(at).is_some_and(|word| word >> SHARD_BITS == key_of(user)) {
                    return Some((slot, at));
                }
            }
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
        }
        None
    }

    /// Writes a record at the end, and says where.
    fn append(&mut self, user: Tag, packed: &[u8], length: usize) -> usize {
        let units = (length / UNIT_BYTES) as u64 & LENGTH;
        let at = self.arena.len();
        self.arena.extend_from_slice(&((key_of(user) << SHARD_BITS) | units).to_le_bytes());
        self.arena.extend_from_slice(packed);
        self.arena.resize(at + length, 0);
        at
    }

    /// Writes an entry for a record that has none.
    fn enter(&mut self, user: Tag, at: usize) {
        let slots = self.index.len();
        let Some(mut slot) = home(user, slots) else { return };
        for _ in 0..slots {
            if let Some(entry) = self.index.get_mut(slot).filter(|entry| **entry == EMPTY) {
                *entry = entry_of(user, at);
                return;
            }
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
        }
    }

    /// A new index for everything that lives but the record that was appended last.
    fn rebuild_index(&mut self, without: Tag, slots: usize) {
        self.index = vec![EMPTY; slots];
        let shard = without.0 >> (64 - SHARD_BITS);
        let mut at = 0;
        while let (Some(word), Some(length)) = (self.word(at), self.length_at(at)) {
            let user = tag_of(shard, word);
            if word & DEAD == 0 && user != without {
                self.enter(user, at);
            }
            at += length;
        }
    }

    /// Takes an entry out and moves what was pushed aside by it back, so that no mark is left.
    fn close_gap(&mut self, gap: usize) {
        let slots = self.index.len();
        let mut gap = gap;
        let mut slot = gap;
        for _ in 1..slots {
            slot = if slot + 1 == slots { 0 } else { slot + 1 };
            let Some(entry) = self.index.get(slot).copied().filter(|entry| *entry != EMPTY) else { break };
            let Some(home) = self.word(place(entry)).and_then(|word| home(tag_of(0, word), slots)) else {
                break;
            };
            // It may move if its home is not between the gap and where it is.
            let (from_home, from_gap) = ((slot + slots - home) % slots, (slot + slots - gap) % slots);
            if from_home >= from_gap {
                self.set(gap, entry);
                gap = slot;
            }
        }
        self.set(gap, EMPTY);
    }

    fn set(&mut self, slot: usize, entry: u32) {
        if let Some(place) = self.index.get_mut(slot) {
            *place = entry;
        }
    }

    /// Makes room for a record. Whether others were moved, and with them the index.
    fn make_room(&mut self, length: usize) -> bool {
        if self.arena.len() + length <= self.arena.capacity() {
            return false;
        }
        let is_worth_it =
            self.dead_bytes as usize >= self.arena.len() / 16 && self.dead_bytes as usize >= length;
        if is_worth_it {
            self.compact(0);
        } else {
            self.arena.reserve_exact((self.arena.len() / 16).max(length).max(512));
        }
        is_worth_it
    }

    /// Moves together what lives and was used since a time, seconds since 1970.
    fn compact(&mut self, since_s: u32) {
        let (mut from, mut to, mut live) = (0, 0, 0u32);
        self.index.fill(EMPTY);
        while let (Some(word), Some(length)) = (self.word(from), self.length_at(from)) {
            if word & DEAD == 0 && self.last_s(from).is_some_and(|last| last >= since_s) {
                self.arena.copy_within(from..from + length, to);
                self.enter(tag_of(0, word), to);
                live += 1;
                to += length;
            }
            from += length;
        }
        self.arena.truncate(to);
        self.live = live;
        self.dead_bytes = 0;
    }

    /// Gives back what a forgetting freed, if it is much.
    fn shrink(&mut self) {
        if self.arena.len() < self.arena.capacity() / 2 {
            self.arena.shrink_to(self.arena.len() + self.arena.len() / 8);
            self.index = vec![EMPTY; index_slots(self.live)];
            self.compact(0);
        }
    }

    fn kill(&mut self, at: usize) {
        let Some(word) = self.word(at) else { return };
        self.dead_bytes += ((word & LENGTH) as usize * UNIT_BYTES) as u32;
        self.live -= 1;
        if let Some(place) = self.arena.get_mut(at..at + WORD_BYTES) {
            place.copy_from_slice(&(word | DEAD).to_le_bytes());
        }
    }

    /// Places and lengths of what lives.
    fn records(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (word, length) = (self.word(at)?, self.length_at(at)?);
            at += length;
            Some((word & DEAD == 0, at - length, length))
        })
        .filter_map(|(is_live, at, length)| is_live.then_some((at, length)))
    }

    fn word(&self, at: usize) -> Option<u64> {
        self.arena.get(at..)?.first_chunk::<WORD_BYTES>().map(|word| u64::from_le_bytes(*word))
    }

    fn length_at(&self, at: usize) -> Option<usize> {
        let length = (self.word(at)? & LENGTH) as usize * UNIT_BYTES;
        (length >= WORD_BYTES + HEAD_BYTES).then_some(length)
    }

    /// When a record was used last: its first four bytes.
    fn last_s(&self, at: usize) -> Option<u32> {
        self.arena.get(at + WORD_BYTES..)?.first_chunk::<4>().map(|time| u32::from_le_bytes(*time))
    }
}

/// Entries of an index for so many users: two thirds full.
fn index_slots(users: u32) -> usize {
    (users as usize * 3 / 2).max(4)
}

/// The user's hash without the shard's bits.
fn key_of(user: Tag) -> u64 {
    user.0 & (u64::MAX >> SHARD_BITS)
}

fn tag_of(shard: u64, word: u64) -> Tag {
    Tag((shard << (64 - SHARD_BITS)) | (word >> SHARD_BITS))
}

/// Where a user's entry would be if nobody else's was there; the shard's bits have no part in it.
fn home(user: Tag, slots: usize) -> Option<usize> {
    let high = (key_of(user) >> (32 - SHARD_BITS)) & 0xFFFF_FFFF;
    (slots > 0).then(|| ((high * slots as u64) >> 32) as usize)
}

fn finger(user: Tag) -> u32 {
    (user.0 & 0xFF) as u32
}

fn entry_of(user: Tag, at: usize) -> u32 {
    (finger(user) << 24) | (at / UNIT_BYTES) as u32
}

fn place(entry: u32) -> usize {
    (entry & 0x00FF_FFFF) as usize * UNIT_BYTES
}
