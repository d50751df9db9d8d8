//! What stands between a client's messages and the site: bytes are sent on, or, from the first message that writes,
//! wait until the entry for it is witnessed. Pure. Not here: what writes (`client_side`), the entries (`asking`).
//!
//! The invariant of the gate for writes lives here: after [`Inlet::needs`] nothing gets into `to_site` but through
//! [`Inlet::open`], which takes a [`Witnessed`].

use record::Witnessed;
use tlog::detail::{Committed, WriteStatement};

use super::spool::Spool;

/// An entry that must be witnessed before what waits may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Statements that write, in order.
    Writes(Vec<WriteStatement>),
    /// The end of a transaction that wrote.
    Commit(Committed),
}

/// Bytes for the site.
#[derive(Debug, Default)]
pub struct Inlet {
    to_site: Spool,
    waiting: Vec<u8>,
    before: Vec<Before>,
    asked: bool,
}

impl Inlet {
    /// What is written next must not be sent before this is witnessed.
    pub fn needs(&mut self, before: Before) {
        if let (Some(Before::Writes(writes)), Before::Writes(more)) = (self.before.last_mut(), &before) {
            writes.extend_from_slice(more);
        } else {
            self.before.push(before);
        }
    }

    /// Where the next message goes: to the site, or behind what waits.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        if self.waits() { &mut self.waiting } else { self.to_site.tail() }
    }

    /// Whether something waits for its entry.
    pub fn waits(&self) -> bool {
        self.asked || !self.before.is_empty()
    }

    /// Whether the record has been asked, so that nothing more may be taken in.
    pub fn has_asked(&self) -> bool {
        self.asked
    }

    /// The entries that what waits needs, when they have not been asked for.
    pub fn ask(&mut self) -> Option<Vec<Before>> {
        if self.asked || self.before.is_empty() {
            return None;
        }
        self.asked = true;
        Some(std::mem::take(&mut self.before))
    }

    /// Lets go what waits: the only way on for what writes.
    pub fn open(&mut self, _: Witnessed) {
        self.asked = false;
        self.to_site.tail().append(&mut self.waiting);
    }

    /// What goes to the site.
    pub fn to_site(&self) -> &[u8] {
        self.to_site.rest()
    }

    /// Notes that so many bytes have gone.
    pub fn sent(&mut self, count: usize) {
        // What goes to the site is never cut within.
        self.to_site.advance(count, 0);
    }

    /// Bytes that are kept here.
    pub fn len(&self) -> usize {
        self.to_site.len().saturating_add(self.waiting.len())
    }

    /// Gives back memory that a large message took.
    pub fn relax(&mut self) {
        self.to_site.relax();
        if self.waiting.is_empty() {
            self.waiting = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> Before {
        Before::Writes(vec![WriteStatement { text: text.into(), parameters: Vec::new() }])
    }

    #[test]
    fn what_writes_waits_and_so_does_what_follows() {
        let mut inlet = Inlet::default();
        inlet.tail().extend_from_slice(b"read");
        inlet.needs(write("a"));
        inlet.tail().extend_from_slice(b"a");
        inlet.needs(write("b"));
        inlet.tail().extend_from_slice(b"b");
        inlet.needs(Before::Commit(Committed { writes: 2, text: "COMMIT".into() }));
        inlet.tail().extend_from_slice(b"commit, read");
        assert_eq!((inlet.to_site(), inlet.len()), (b"read".as_slice(), 18));
        let asked = inlet.ask().map(|before| before.len());
        assert_eq!((asked, inlet.ask(), inlet.has_asked()), (Some(2), None, true));
        inlet.tail().extend_from_slice(b", more");
        assert_eq!(inlet.to_site(), b"read");
    }
}
