//! Bytes on their way out: appended at the end, sent from the front. Not here: who may append.

/// Sent bytes that are kept in front of the rest at most, before the rest is moved.
const SENT_BYTES_MAX: usize = 524_288;
/// Memory that an idle queue keeps at most.
pub const IDLE_BYTES_MAX: usize = 8_192;

/// A queue of bytes whose front can be sent in parts without moving the rest.
#[derive(Debug, Default)]
pub struct Spool {
    bytes: Vec<u8>,
    sent: usize,
}

impl Spool {
    /// What is still to be sent.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// How much is still to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    /// Where to append.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Gives back memory when nothing is to be sent.
    pub fn relax(&mut self) {
        if self.bytes.is_empty() && self.bytes.capacity() > IDLE_BYTES_MAX {
            self.bytes = Vec::new();
        }
    }

    /// Notes that so many bytes of the front were sent.
    pub fn advance(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent >= SENT_BYTES_MAX {
            // A peer that is always a little behind would never let it be cleared.
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}
