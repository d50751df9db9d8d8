//! A batch: entries that were staged together, in the one encoding that the write-ahead file and the monitor
//! share, so that what is staged is sent without being copied entry by entry. No files and no network here.
//!
//! A frame is `u32 length | 16 bytes checksum | payload`, a payload `u64 first index | record …`, a record
//! `u32 length, entry | u32 length, sealed detail`; numbers are big-endian, and a detail of length 0 is none.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Length and checksum in front of a payload.
pub(crate) const FRAME_HEAD_BYTES: usize = 4 + CHECKSUM_BYTES;
/// What of the SHA-256 of length and payload is kept.
const CHECKSUM_BYTES: usize = 16;
/// The first index in front of the records.
const PAYLOAD_HEAD_BYTES: usize = 8;
/// The largest payload that is written or read back. A frame is written with one call and held in memory.
pub(crate) const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Entries staged together. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Batch {
    first: u64,
    frame: Bytes,
    /// Where each record ends in `frame`.
    ends: Vec<usize>,
}

/// Some entries of a batch: `from..to`.
pub(crate) struct Part {
    pub(crate) batch: Batch,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Part {
    /// Entry and sealed detail of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.batch.iter(self.from, self.to)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.batch.records(self.from, self.to).len()
    }
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// The bytes end before the frame does.
    Short,
    /// The bytes are not what was written. Carries the length that the frame claims, if believable.
    Wrong { frame_bytes: Option<usize> },
}

impl Batch {
    /// The index of the first entry.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The index after the last entry.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    /// The whole frame, as it lies in the write-ahead file.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The encoded records of `from..to`, clipped to this batch.
    pub(crate) fn records(&self, from: u64, to: u64) -> &[u8] {
        let at = |index: u64| {
            let count = index.clamp(self.first, self.next()) - self.first;
            match count.checked_sub(1) {
                None => FRAME_HEAD_BYTES + PAYLOAD_HEAD_BYTES,
                Some(last) => usize::try_from(last).ok().and_then(|n| self.ends.get(n).copied()).unwrap_or(0),
            }
        };
        self.frame.get(at(from)..at(to)).unwrap_or_default()
    }

    /// Entry and sealed detail of each index of `from..to`, clipped to this batch.
    pub(crate) fn iter(&self, from: u64, to: u64) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.records(from, to);
        std::iter::from_fn(move || {
            let (entry, blob, after) = split_record(rest)?;
            rest = after;
            Some((entry, blob))
        })
    }

    /// Reads the frame at the start of `bytes`, which may go on after it.
    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Damage> {
        let (length, rest) = split_u32(bytes).ok_or(Damage::Short)?;
        if length > PAYLOAD_BYTES_MAX {
            return Err(Damage::Wrong { frame_bytes: None });
        }
        let frame_bytes = FRAME_HEAD_BYTES + length;
        let (sum, rest) = rest.split_at_checked(CHECKSUM_BYTES).ok_or(Damage::Short)?;
        let payload = rest.get(..length).ok_or(Damage::Short)?;
        let wrong = Damage::Wrong { frame_bytes: Some(frame_bytes) };
        if checksum(payload) != sum {
            return Err(wrong);
        }
        let (first, mut rest) = payload.split_first_chunk::<PAYLOAD_HEAD_BYTES>().ok_or(wrong)?;
        let mut ends = Vec::new();
        while !rest.is_empty() {
            let (_, _, after) = split_record(rest).ok_or(wrong)?;
            rest = after;
            ends.push(frame_bytes - rest.len());
        }
        Ok(Self { first: u64::from_be_bytes(*first), frame: bytes.slice(..frame_bytes), ends })
    }
}

/// A batch being put together.
pub(crate) struct Building {
    first: u64,
    frame: Vec<u8>,
    ends: Vec<usize>,
}

impl Building {
    pub(crate) fn new(first: u64) -> Self {
        let mut frame = vec![0; FRAME_HEAD_BYTES];
        frame.extend_from_slice(&first.to_be_bytes());
        Self { first, frame, ends: Vec::new() }
    }

    /// The index that the next entry gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.ends.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The bytes a further record may take, its two lengths included.
    pub(crate) fn room_bytes(&self) -> usize {
        (FRAME_HEAD_BYTES + PAYLOAD_BYTES_MAX).saturating_sub(self.frame.len())
    }

    /// Adds an entry with its sealed detail (empty: none). The caller has compared [`record_bytes`] with
    /// [`Self::room_bytes`].
    pub(crate) fn push(&mut self, entry: &[u8], blob: &[u8]) {
        for part in [entry, blob] {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.frame.extend_from_slice(&length.to_be_bytes());
            self.frame.extend_from_slice(part);
        }
        self.ends.push(self.frame.len());
    }

    pub(crate) fn finish(mut self) -> Batch {
        let length = self.frame.len() - FRAME_HEAD_BYTES;
        let sum = checksum(self.frame.get(FRAME_HEAD_BYTES..).unwrap_or_default());
        let head = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes().into_iter().chain(sum);
        self.frame.iter_mut().zip(head).for_each(|(byte, value)| *byte = value);
        Batch { first: self.first, frame: self.frame.into(), ends: self.ends }
    }
}

/// The bytes that an entry and its detail take in a batch.
pub(crate) fn record_bytes(entry: usize, blob: usize) -> usize {
    8 + entry + blob
}

fn checksum(payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let sum = Sha256::new().chain_update(length.to_be_bytes()).chain_update(payload).finalize();
    let mut kept = [0; CHECKSUM_BYTES];
    kept.iter_mut().zip(sum).for_each(|(to, from)| *to = from);
    kept
}

fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (entry, rest) = split_part(bytes)?;
    let (blob, rest) = split_part(rest)?;
    Some((entry, blob, rest))
}

/// Splits `u32 length, bytes` off the front.
pub(crate) fn split_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = split_u32(bytes)?;
    rest.split_at_checked(length)
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_be_bytes(*length)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Batch {
        let mut building = Building::new(7);
        building.push(b"one", b"");
        building.push(b"two", b"sealed");
        building.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let written = two();
        let mut bytes = written.frame().to_vec();
        bytes.extend_from_slice(b"what follows");
        let read = Batch::read(&bytes.into()).ok();
        let parts = read.map(|batch| {
            let parts: Vec<_> = batch.iter(7, 9).map(|(e, b)| (e.to_vec(), b.to_vec())).collect();
            (batch.first(), batch.next(), parts)
        });
        let expected = vec![(b"one".to_vec(), vec![]), (b"two".to_vec(), b"sealed".to_vec())];
        assert_eq!(parts, Some((7, 9, expected)));
        assert_eq!(written.records(8, 9), b"\0\0\0\x03two\0\0\0\x06sealed");
        assert_eq!(written.records(0, 8), b"\0\0\0\x03one\0\0\0\0");
        assert_eq!(written.records(9, 12), b"");
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let frame = two().frame().to_vec();
        for cut in 0..frame.len() {
            assert_eq!(Batch::read(&frame[..cut].to_vec().into()).err(), Some(Damage::Short), "{cut}");
        }
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::read(&bad.into()).is_err(), "{bit}");
        }
    }
}
