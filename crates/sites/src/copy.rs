//! PostgreSQL's binary COPY format (PostgreSQL manual, COPY, "Binary Format"). Not here: which rows (`rows`), sending them.

use bytes::{BufMut, Bytes, BytesMut};
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const BATCH_BYTES: usize = 65_536;
/// From 1970-01-01 to PostgreSQL's own beginning, 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows that are not sent yet.
#[derive(Debug)]
pub(crate) struct Batch(BytesMut);

impl Batch {
    /// The first of a stream: it begins with the header.
    pub(crate) fn first() -> Self {
        let mut bytes = BytesMut::with_capacity(BATCH_BYTES * 2);
        bytes.put_slice(HEADER);
        Self(bytes)
    }

    /// What is there, once it is enough to be sent.
    pub(crate) fn take_full(&mut self) -> Option<Bytes> {
        if self.0.len() < BATCH_BYTES {
            return None;
        }
        let full = self.0.split().freeze();
        self.0.reserve(BATCH_BYTES * 2);
        Some(full)
    }

    /// What is left, and the end of the stream.
    pub(crate) fn take_last(mut self) -> Bytes {
        self.0.put_i16(-1);
        self.0.freeze()
    }

    /// Begins a row of so many columns.
    pub(crate) fn row(&mut self, columns: usize) {
        self.0.put_i16(i16::try_from(columns).unwrap_or(i16::MAX));
    }

    pub(crate) fn bigint(&mut self, value: i64) {
        self.0.put_i32(8);
        self.0.put_i64(value);
    }

    pub(crate) fn integer(&mut self, value: i32) {
        self.0.put_i32(4);
        self.0.put_i32(value);
    }

    /// Text longer than a field can be is cut to nothing; the generator makes none.
    pub(crate) fn text(&mut self, value: &str) {
        match i32::try_from(value.len()) {
            Ok(bytes) => {
                self.0.put_i32(bytes);
                self.0.put_slice(value.as_bytes());
            }
            Err(_) => self.0.put_i32(0),
        }
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.0.put_i32(1);
        self.0.put_u8(u8::from(value));
    }

    pub(crate) fn uuid(&mut self, value: &[u8; 16]) {
        self.0.put_i32(16);
        self.0.put_slice(value);
    }

    pub(crate) fn date(&mut self, unix_days: i32) {
        self.integer(unix_days.saturating_sub(EPOCH_DAYS));
    }

    pub(crate) fn timestamptz(&mut self, unix_micros: i64) {
        self.bigint(unix_micros.saturating_sub(EPOCH_MICROS));
    }
}
