//! Counts the rows of one statement's result and the subjects in them, as bytes go by. A row that cannot be read is
//! counted as one that says nothing about its subject. Not here: limits (`limits`).

use std::sync::Arc;

use sql::{CopyFormat, CopyOptions, Counting};
use tlog::detail::{Counted, SUBJECTS_EXACT_MAX, Subjects};
use tlog::hash::hex;

use super::fields::{Ended, Field, Line, Measured};
use super::key::{Digest, ScopeKey};
use super::shape::{Key, Reading, Shape};
use super::sketch::Distinct;
use super::views::Whose;

/// A longer key is no key that could be counted.
const KEY_BYTES_MAX: usize = 256;
/// What COPY in binary begins with.
const BINARY_SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// Digits and sign of an `i64`.
const INT8_TEXT_BYTES_MAX: usize = 20;

/// Counts one statement's result.
#[derive(Debug)]
pub struct Counter {
    shape: Arc<Shape>,
    key: ScopeKey,
    subjects: Distinct<Box<[u8]>>,
    rows: u64,
    /// Rows that did not say whom they are about.
    silent_rows: u64,
    /// Of the last row: hashes that were not known to be seen before.
    fresh: Vec<u128>,
    /// Of the last row: subjects it may show beside those.
    unseen: u64,
    began: bool,
}

impl Counter {
    pub(super) fn new(shape: Arc<Shape>, key: ScopeKey) -> Self {
        Self {
            shape,
            key,
            subjects: Distinct::new(SUBJECTS_EXACT_MAX),
            rows: 0,
            silent_rows: 0,
            fresh: Vec::new(),
            unseen: 0,
            began: false,
        }
    }

    /// Counts a row by the body of its DataRow, or as much of it as there is.
    pub(super) fn row(&mut self, body: &[u8]) {
        self.begin_row();
        let shape = Arc::clone(&self.shape);
        let read = self.measured(&shape.keys, body);
        self.end_row(read);
    }

    /// Counts a row by the body of its CopyData, or as much of it as there is. False when it is none: a header or a
    /// trailer.
    pub(super) fn copy(&mut self, body: &[u8], is_whole: bool) -> bool {
        let shape = Arc::clone(&self.shape);
        let Some(options) = &shape.copy else {
            self.begin_row();
            self.end_row(Err(Ended));
            return true;
        };
        let first = !std::mem::replace(&mut self.began, true);
        match options.format {
            CopyFormat::Binary => self.binary(&shape.keys, body, first),
            CopyFormat::Text | CopyFormat::Csv if first && options.header => false,
            CopyFormat::Text | CopyFormat::Csv => {
                self.begin_row();
                let read = self.line(&shape.keys, options, body, is_whole);
                self.end_row(read);
                true
            }
        }
    }

    fn binary(&mut self, keys: &[Key], body: &[u8], first: bool) -> bool {
        let row = if first { after_header(body) } else { Some(body) };
        match row {
            // The header alone, or the mark of the end.
            Some([] | [0xff, 0xff]) => false,
            Some(row) => {
                self.begin_row();
                let read = self.measured(keys, row);
                self.end_row(read);
                true
            }
            None => {
                self.begin_row();
                self.end_row(Err(Ended));
                true
            }
        }
    }

    fn begin_row(&mut self) {
        self.rows = self.rows.saturating_add(1);
        self.fresh.clear();
    }

    /// Notes whether the row said whom it is about.
    fn end_row(&mut self, read: Result<bool, Ended>) {
        let said = read == Ok(true) && self.shape.tells_subjects();
        self.unseen = match self.shape.counting {
            Counting::None => 0,
            Counting::OnePerRow | Counting::Mixed if said => 0,
            Counting::OnePerRow | Counting::Mixed => self.shape.rows_most.max(1),
        };
        self.silent_rows = self.silent_rows.saturating_add(u64::from(!said));
    }

    /// Reads the keys of a row; whether the key of its own subject was among them.
    fn measured(&mut self, keys: &[Key], row: &[u8]) -> Result<bool, Ended> {
        if keys.is_empty() {
            return Ok(false);
        }
        let mut fields = Measured::of(row)?;
        let (mut next, mut owned) = (0, false);
        for key in keys {
            while next < key.index {
                fields.next()?;
                next += 1;
            }
            next += 1;
            if let Some(value) = fields.next()? {
                owned |= self.insert(key, value);
            }
        }
        Ok(owned)
    }

    fn line(
        &mut self,
        keys: &[Key],
        options: &CopyOptions,
        body: &[u8],
        is_whole: bool,
    ) -> Result<bool, Ended> {
        let mut fields = Line::of(body, options.format == CopyFormat::Csv, options, is_whole);
        let (mut next, mut owned) = (0, false);
        for key in keys {
            while next < key.index {
                fields.next()?;
                next += 1;
            }
            next += 1;
            if let Field::Value(value) = fields.next()? {
                owned |= self.insert(key, &value);
            }
        }
        Ok(owned)
    }

    /// Adds a key; whether it is that of the row's own subject.
    fn insert(&mut self, key: &Key, value: &[u8]) -> bool {
        let mut digits = [0; INT8_TEXT_BYTES_MAX];
        let Some(text) = text(key, value, &mut digits).filter(|text| text.len() <= KEY_BYTES_MAX) else {
            return false;
        };
        let hash = self.key.quick(text);
        // A sketch does not know what it has seen.
        if self.subjects.insert(hash, || text.into()) || self.subjects.sketch().is_some() {
            self.fresh.push(hash);
        }
        key.whose == Whose::Own
    }

    #[cfg(test)]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn fresh(&self) -> &[u128] {
        &self.fresh
    }

    pub(super) fn unseen(&self) -> u64 {
        self.unseen
    }

    /// What was counted.
    pub(super) fn total(&self) -> Total {
        let mut subjects = Distinct::new(SUBJECTS_EXACT_MAX);
        subjects.merge(&self.subjects, |value| self.key.digest(value));
        let silent_rows = if self.shape.counting == Counting::None { 0 } else { self.silent_rows };
        Total { subjects, rows: self.rows, silent_rows }
    }
}

/// The subjects of one result, or of several.
#[derive(Debug)]
pub struct Total {
    subjects: Distinct<Digest>,
    rows: u64,
    silent_rows: u64,
}

impl Default for Total {
    fn default() -> Self {
        Self { subjects: Distinct::new(SUBJECTS_EXACT_MAX), rows: 0, silent_rows: 0 }
    }
}

impl Total {
    /// Adds another.
    pub(super) fn add(&mut self, other: &Total) {
        self.rows = self.rows.saturating_add(other.rows);
        self.silent_rows = self.silent_rows.saturating_add(other.silent_rows);
        self.subjects.merge(&other.subjects, |digest| *digest);
    }

    /// As an entry's detail says it; `None` when there were no rows.
    pub(super) fn subjects(&self) -> Option<Subjects> {
        if self.rows == 0 {
            return None;
        }
        let mut digests: Vec<String> = self.subjects.each().map(|digest| hex(digest)).collect();
        digests.sort_unstable();
        let (n, sketch) = match self.subjects.sketch() {
            None => (u64::try_from(digests.len()).unwrap_or(u64::MAX), None),
            // More than a list would hold, whatever the sketch says.
            Some(sketch) => {
                let above = u64::try_from(SUBJECTS_EXACT_MAX).unwrap_or(u64::MAX).saturating_add(1);
                (sketch.count().least.max(above), Some(sketch.to_base64()))
            }
        };
        let state = match (self.silent_rows, n) {
            (0, _) if sketch.is_none() => Counted::Exact,
            (_, 0) => Counted::Unknown,
            (_, _) => Counted::AtLeast,
        };
        Some(Subjects { state, n, digests, sketch })
    }
}

/// A key as text: what is digested is the same whatever format the client asked for.
fn text<'a>(key: &Key, value: &'a [u8], digits: &'a mut [u8; INT8_TEXT_BYTES_MAX]) -> Option<&'a [u8]> {
    let number = match key.reading()? {
        Reading::Text => return Some(value),
        Reading::Int8 => i64::from_be_bytes(value.try_into().ok()?),
        Reading::Int4 => i64::from(i32::from_be_bytes(value.try_into().ok()?)),
    };
    let mut left = number.unsigned_abs();
    let mut at = INT8_TEXT_BYTES_MAX;
    loop {
        at = at.checked_sub(1)?;
        *digits.get_mut(at)? = b'0' + u8::try_from(left % 10).ok()?;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        at = at.checked_sub(1)?;
        *digits.get_mut(at)? = b'-';
    }
    digits.get(at..)
}

/// What follows the header of COPY in binary: signature, flags, and an extension with its length.
fn after_header(body: &[u8]) -> Option<&[u8]> {
    let rest = body.strip_prefix(BINARY_SIGNATURE)?;
    let (_flags, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)
}
