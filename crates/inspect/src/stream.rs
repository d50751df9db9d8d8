//! Scanning a text that comes in pieces, with bounded memory: the same findings as of the whole. Not here: where the
//! pieces come from.

use crate::Finding;
use crate::scan::Place;
use crate::text::{AHEAD_BYTES_MAX, BEHIND_BYTES_MAX};

/// A text that is still coming. It keeps the last piece and what must be seen before it.
#[derive(Debug)]
pub struct Stream {
    held: Vec<u8>,
    /// Bytes of the text before those that are held.
    base: u64,
    place: Place,
}

impl Default for Stream {
    fn default() -> Self {
        Self { held: Vec::new(), base: 0, place: Place { next: 0, floor: 0 } }
    }
}

impl Stream {
    /// Takes the next piece; calls `found` with each finding and its bytes.
    pub fn push(&mut self, piece: &[u8], found: &mut impl FnMut(Finding, &[u8])) {
        self.held.extend_from_slice(piece);
        let until = self.held.len().saturating_sub(AHEAD_BYTES_MAX);
        self.scan(until, found);
        self.forget();
    }

    /// Looks at what is left: the text ends here.
    pub fn finish(mut self, found: &mut impl FnMut(Finding, &[u8])) {
        let until = self.held.len();
        self.scan(until, found);
    }

    fn scan(&mut self, until: usize, found: &mut impl FnMut(Finding, &[u8])) {
        let (held, base) = (self.held.as_slice(), self.base);
        self.place.scan(held, until, &mut |hit| {
            found(hit.at(base), held.get(hit.start..hit.end).unwrap_or_default());
        });
    }

    fn forget(&mut self) {
        let past = self.place.next.saturating_sub(BEHIND_BYTES_MAX).min(self.held.len());
        self.held.drain(..past);
        self.base = self.base.saturating_add(u64::try_from(past).unwrap_or(u64::MAX));
        self.place.next = self.place.next.saturating_sub(past);
        self.place.floor = self.place.floor.saturating_sub(past);
    }
}
