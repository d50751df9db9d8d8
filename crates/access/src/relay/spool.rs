//! Bytes on their way out: appended at the end, sent from the front. Not here: who may append.

use wire::codec::HEADER_BYTES;

/// Sent bytes that are kept in front of the rest at most, before the rest is moved.
const SENT_BYTES_MAX: usize = 524_288;
/// Memory that an idle queue keeps at most.
pub const IDLE_BYTES_MAX: usize = 8_192;

/// A queue of bytes whose front can be sent in parts without moving the rest.
#[derive(Debug, Default)]
pub struct Spool {
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes at the front that continue a message whose beginning is not kept; may be more than are here.
    begun: usize,
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

    /// Notes that so many bytes of the front were sent. `missing`: bytes of the last message that are still to be
    /// appended.
    pub fn advance(&mut self, count: usize, missing: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            (self.sent, self.begun) = (0, missing);
        } else if self.sent >= SENT_BYTES_MAX {
            // A peer that is always a little behind would never let it be cleared.
            let end = self.end_of_message().unwrap_or_else(|| self.bytes.len().saturating_add(missing));
            self.bytes.drain(..self.sent);
            (self.sent, self.begun) = (0, end.saturating_sub(self.sent));
        }
    }

    /// Drops what is not sent, but for the rest of the message that is being sent. Whether what is left ends with a
    /// message's end.
    pub fn cut_to_message(&mut self) -> bool {
        let end = self.end_of_message().filter(|end| *end <= self.bytes.len());
        self.bytes.truncate(end.unwrap_or(self.sent));
        end.is_some()
    }

    /// Where the message ends that is being sent; it may be beyond what is here. `None` if not even its length is here.
    fn end_of_message(&self) -> Option<usize> {
        let mut end = self.begun;
        while end < self.sent {
            let header = self.bytes.get(end..end.saturating_add(HEADER_BYTES))?;
            let length = u32::from_be_bytes(*header.last_chunk::<4>()?);
            // The length counts itself, and not the tag before it.
            end = end.saturating_add(1).saturating_add(usize::try_from(length).ok()?);
        }
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: usize) -> Vec<u8> {
        let length = u32::try_from(body + 4).unwrap().to_be_bytes();
        [&b"D"[..], &length, &vec![b'x'; body]].concat()
    }

    /// Messages of 10 bytes; of `parts` bytes each is appended and sent what it says, and `missing` of the last one are
    /// never appended. How much is left when the rest is dropped.
    fn check(messages: usize, missing: usize, parts: &[usize], expected: (usize, bool)) {
        let all = message(5).repeat(messages);
        let mut spool = Spool::default();
        spool.tail().extend_from_slice(&all[..all.len() - missing]);
        for part in parts {
            spool.advance(*part, missing);
        }
        let whole = spool.cut_to_message();
        assert_eq!((spool.len(), whole), expected, "{messages} messages without {missing} bytes: {parts:?}");
    }

    #[test]
    fn what_is_dropped_is_whole_messages() {
        check(3, 0, &[], (0, true));
        check(3, 0, &[10], (0, true));
        check(3, 0, &[1], (9, true));
        check(3, 0, &[9, 3], (8, true));
        check(3, 0, &[30], (0, true));
        // A row of which not all has come: those before it are whole.
        check(3, 4, &[5], (5, true));
        check(3, 4, &[22], (0, false));
        check(3, 4, &[26], (0, false));
        check(3, 8, &[21], (0, false));
        // Long enough for what was sent to be forgotten.
        let many = SENT_BYTES_MAX / 10 + 2;
        check(many, 0, &[SENT_BYTES_MAX + 4], (8, true));
        check(many, 0, &[SENT_BYTES_MAX - 8, 7, 7], (6, true));
        check(many, 9, &[SENT_BYTES_MAX + 3], (0, false));
    }
}
