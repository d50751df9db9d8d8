//! Rows in PostgreSQL's binary COPY format (PostgreSQL manual, COPY, "Binary Format"). Not here: sending them.

use bytes::{BufMut, Bytes, BytesMut};
use policy::ColumnType;

use crate::people::{Payment, Person};

/// A subject's random link: see `wall::names::LINK`.
pub(crate) type Link = [u8; 16];

/// Columns of `users` that are generated, in this order; the link comes last.
pub(crate) const USERS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Bigint),
    ("home_site", ColumnType::Text),
    ("handle", ColumnType::Text),
    ("full_name", ColumnType::Text),
    ("email", ColumnType::Text),
    ("phone", ColumnType::Text),
    ("birth_date", ColumnType::Date),
    ("country", ColumnType::Text),
    ("language", ColumnType::Text),
    ("analytics_consent", ColumnType::Boolean),
    ("followers", ColumnType::Integer),
    ("created_at", ColumnType::Timestamptz),
];

/// Columns of `payments` that are generated, in this order; the link comes last.
pub(crate) const PAYMENTS: &[(&str, ColumnType)] = &[
    ("id", ColumnType::Bigint),
    ("home_site", ColumnType::Text),
    ("user_id", ColumnType::Bigint),
    ("amount_cents", ColumnType::Bigint),
    ("currency", ColumnType::Text),
    ("iban", ColumnType::Text),
    ("status", ColumnType::Text),
    ("paid_at", ColumnType::Timestamptz),
];

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

    fn row(&mut self, columns: &[(&str, ColumnType)]) {
        self.0.put_i16(i16::try_from(columns.len() + 1).unwrap_or(i16::MAX));
    }

    fn bigint(&mut self, value: i64) {
        self.0.put_i32(8);
        self.0.put_i64(value);
    }

    fn integer(&mut self, value: i32) {
        self.0.put_i32(4);
        self.0.put_i32(value);
    }

    /// Text longer than a field can be is cut to nothing; the generator makes none.
    fn text(&mut self, value: &str) {
        match i32::try_from(value.len()) {
            Ok(bytes) => {
                self.0.put_i32(bytes);
                self.0.put_slice(value.as_bytes());
            }
            Err(_) => self.0.put_i32(0),
        }
    }

    fn boolean(&mut self, value: bool) {
        self.0.put_i32(1);
        self.0.put_u8(u8::from(value));
    }

    fn uuid(&mut self, value: &[u8; 16]) {
        self.0.put_i32(16);
        self.0.put_slice(value);
    }

    fn timestamptz(&mut self, unix_micros: i64) {
        self.bigint(unix_micros.saturating_sub(EPOCH_MICROS));
    }
}

/// Adds a row of `users`.
pub(crate) fn user(batch: &mut Batch, person: &Person, link: &Link) {
    batch.row(USERS);
    batch.bigint(person.id);
    batch.text(&person.home_site);
    batch.text(&person.handle);
    batch.text(&person.full_name);
    batch.text(&person.email);
    batch.text(&person.phone);
    batch.integer(person.birth_date_days.saturating_sub(EPOCH_DAYS));
    batch.text(&person.country);
    batch.text(&person.language);
    batch.boolean(person.analytics_consent);
    batch.integer(person.followers);
    batch.timestamptz(person.created_at_micros);
    batch.uuid(link);
}

/// Adds a row of `payments`.
pub(crate) fn payment(batch: &mut Batch, payment: &Payment, link: &Link) {
    batch.row(PAYMENTS);
    batch.bigint(payment.id);
    batch.text(&payment.home_site);
    batch.bigint(payment.user_id);
    batch.bigint(payment.amount_cents);
    batch.text(&payment.currency);
    batch.text(&payment.iban);
    batch.text(&payment.status);
    batch.timestamptz(payment.paid_at_micros);
    batch.uuid(link);
}
