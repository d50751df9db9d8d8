//! About how often each of very many values came: a count-min sketch whose four counters of a value are in one line of
//! memory, so that a value costs one access. Estimates are never too low but by age: every so many additions the next line
//! is halved.

use crate::bytes;
use crate::key::Tag;
use crate::lines::Lines;

/// Lines of 32 counters, 16 MiB together; what was never touched takes no memory.
const LINES: usize = 262_144;
const LINE: usize = 32;
/// Additions between two halvings of a line: a value is halved once in some four million.
const HALVE_EVERY: u64 = 16;

#[derive(Debug, Clone)]
pub struct Crowd {
    counters: Lines<u16, LINE>,
    added: u64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { counters: Lines::new(LINES), added: 0 }
    }
}

impl Crowd {
    /// About how often a value was added.
    pub fn get(&self, tag: Tag) -> u32 {
        self.counters.get(line_of(tag)).map_or(0, |line| lowest(line, tag).into())
    }

    /// Reads where a value is counted.
    pub fn reach(&self, tag: Tag) -> u64 {
        self.counters.get(line_of(tag)).map_or(0, |line| line[0].into())
    }

    /// Adds a value: only the lowest of its counters grow.
    pub fn add(&mut self, tag: Tag) {
        if let Some(line) = self.counters.get_mut(line_of(tag)) {
            let lowest = lowest(line, tag);
            for (at, quarter) in line.chunks_exact_mut(LINE / 4).enumerate() {
                if let Some(counter) = quarter.get_mut(slot_of(tag, at)).filter(|counter| **counter == lowest)
                {
                    *counter = counter.saturating_add(1);
                }
            }
        }
        self.added += 1;
        if self.added.is_multiple_of(HALVE_EVERY) {
            let line = usize::try_from(self.added / HALVE_EVERY % LINES as u64).unwrap_or(0);
            self.counters.get_mut(line).into_iter().flatten().for_each(|counter| *counter /= 2);
        }
    }

    pub fn bytes(&self) -> usize {
        self.counters.bytes()
    }

    /// Appends it to a snapshot: lines that are not empty.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.added.to_le_bytes());
        for (at, line) in (0u32..).zip(self.counters.iter(LINES)) {
            if *line != [0; LINE] {
                into.extend_from_slice(&at.to_le_bytes());
                line.iter().for_each(|counter| into.extend_from_slice(&counter.to_le_bytes()));
            }
        }
        into.extend_from_slice(&u32::MAX.to_le_bytes());
    }

    /// Reads what [`Crowd::write`] wrote, from the front of `from`.
    pub fn read(&mut self, from: &mut &[u8]) -> Option<()> {
        self.added = bytes::u64(from)?;
        loop {
            let at = bytes::u32(from)?;
            if at == u32::MAX {
                return Some(());
            }
            let at = usize::try_from(at).ok().filter(|at| *at < LINES)?;
            for counter in self.counters.get_mut(at)? {
                *counter = u16::from_le_bytes(bytes::take(from)?);
            }
        }
    }
}

/// A value's line.
fn line_of(tag: Tag) -> usize {
    usize::try_from(tag.0 >> 32).unwrap_or(0) % LINES
}

/// A value has a counter in each quarter of its line, so that they never meet.
fn slot_of(tag: Tag, quarter: usize) -> usize {
    (tag.0 >> (quarter * 3)) as usize % (LINE / 4)
}

fn lowest(line: &[u16; LINE], tag: Tag) -> u16 {
    let mut lowest = u16::MAX;
    for (at, quarter) in line.chunks_exact(LINE / 4).enumerate() {
        lowest = lowest.min(quarter.get(slot_of(tag, at)).copied().unwrap_or(0));
    }
    lowest
}
