//! Events that were seen before: the identifiers of the last million or so, as hashes, eight to a line of memory; in a line
//! the oldest goes first. Not here: events without an identifier.

use crate::bytes;
use crate::key::Tag;
use crate::lines::Lines;

/// Lines, 16 MiB together; what was never touched takes no memory. Of the last half million identifiers one in a thousand
/// is forgotten.
const LINES: usize = 262_144;
const LINE: usize = 8;

/// Identifiers that came lately.
#[derive(Debug, Clone)]
pub struct Repeats {
    ids: Lines<u64, LINE>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { ids: Lines::new(LINES) }
    }
}

impl Repeats {
    /// Whether an identifier came before; from now on it has.
    pub fn is_repeat(&mut self, id: Tag) -> bool {
        let Some(line) = self.ids.get_mut(line_of(id)) else { return false };
        // 0 is an empty place.
        let id = id.0.max(1);
        if line.contains(&id) {
            return true;
        }
        line.rotate_right(1);
        if let Some(first) = line.first_mut() {
            *first = id;
        }
        false
    }

    /// Reads where an identifier would be.
    pub fn reach(&self, id: Tag) -> u64 {
        self.ids.get(line_of(id)).map_or(0, |line| line[0])
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        self.ids.bytes()
    }

    /// Appends them to a snapshot: lines that are not empty.
    pub fn write(&self, into: &mut Vec<u8>) {
        for (at, line) in (0u32..).zip(self.ids.iter(LINES)) {
            if *line != [0; LINE] {
                into.extend_from_slice(&at.to_le_bytes());
                line.iter().for_each(|id| into.extend_from_slice(&id.to_le_bytes()));
            }
        }
        into.extend_from_slice(&u32::MAX.to_le_bytes());
    }

    /// Reads what [`Repeats::write`] wrote, from the front of `from`.
    pub fn read(from: &mut &[u8]) -> Option<Self> {
        let mut new = Self::default();
        loop {
            let at = bytes::u32(from)?;
            if at == u32::MAX {
                return Some(new);
            }
            let at = usize::try_from(at).ok().filter(|at| *at < LINES)?;
            for id in new.ids.get_mut(at)? {
                *id = bytes::u64(from)?;
            }
        }
    }
}

fn line_of(id: Tag) -> usize {
    usize::try_from(id.0 >> 32).unwrap_or(0) % LINES
}
