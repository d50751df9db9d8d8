//! The fields of a row, in each of the forms in which a site sends rows: DataRow and COPY in binary, COPY in text, COPY
//! in CSV. A row may be there only in part; what is read of it is whole. Not here: what the fields mean (`counter`).

use std::borrow::Cow;

use sql::CopyOptions;

/// A field of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Field<'a> {
    Null,
    Value(Cow<'a, [u8]>),
}

/// The row ends, or what is there of it does, or it is none.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended;

/// Fields with a length before each: how DataRow and COPY in binary write them.
#[derive(Debug)]
pub struct Measured<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> Measured<'a> {
    /// The fields of a row from the count that it begins with.
    pub fn of(row: &'a [u8]) -> Result<Self, Ended> {
        let (count, rest) = row.split_first_chunk::<2>().ok_or(Ended)?;
        Ok(Self { left: u16::from_be_bytes(*count), rest })
    }

    pub fn next(&mut self) -> Result<Option<&'a [u8]>, Ended> {
        self.left = self.left.checked_sub(1).ok_or(Ended)?;
        let (length, rest) = self.rest.split_first_chunk::<4>().ok_or(Ended)?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            self.rest = rest;
            return Ok(None);
        }
        let (value, rest) =
            usize::try_from(length).ok().and_then(|n| rest.split_at_checked(n)).ok_or(Ended)?;
        self.rest = rest;
        Ok(Some(value))
    }
}

/// Fields of one line of COPY in text or CSV.
#[derive(Debug)]
pub struct Line<'a> {
    options: &'a CopyOptions,
    is_csv: bool,
    /// `None` when the last field was taken.
    rest: Option<&'a [u8]>,
    /// Whether the line ends where `rest` does.
    is_whole: bool,
}

impl<'a> Line<'a> {
    /// The fields of a line, which ends with a newline if all of it is there.
    pub fn of(line: &'a [u8], is_csv: bool, options: &'a CopyOptions, is_whole: bool) -> Self {
        let line = if is_whole { line.strip_suffix(b"\n").unwrap_or(line) } else { line };
        Self { options, is_csv, rest: Some(line), is_whole }
    }

    pub fn next(&mut self) -> Result<Field<'a>, Ended> {
        let rest = self.rest.ok_or(Ended)?;
        let end = if self.is_csv { self.csv_end(rest)? } else { self.text_end(rest) };
        let (raw, after) = rest.split_at_checked(end).ok_or(Ended)?;
        if after.is_empty() && !self.is_whole {
            // It may go on where nothing can be seen.
            return Err(Ended);
        }
        self.rest = after.split_first().map(|(_, rest)| rest);
        if raw == self.options.null.as_bytes() {
            return Ok(Field::Null);
        }
        Ok(Field::Value(if self.is_csv { self.unquoted(raw) } else { unescaped(raw) }))
    }

    /// Where the field ends: at a delimiter without a backslash before it, or with the line.
    fn text_end(&self, rest: &[u8]) -> usize {
        let mut escaped = false;
        let end = rest.iter().position(|byte| {
            let is_end = *byte == self.options.delimiter && !escaped;
            escaped = *byte == b'\\' && !escaped;
            is_end
        });
        end.unwrap_or(rest.len())
    }

    /// Where the field ends: at a delimiter outside quotes, or with the line.
    fn csv_end(&self, rest: &[u8]) -> Result<usize, Ended> {
        let (quote, escape) = (self.options.quote, self.options.escape);
        let mut bytes = rest.iter().copied().enumerate().peekable();
        let mut quoted = false;
        while let Some((at, byte)) = bytes.next() {
            if quoted && byte == escape {
                let next = bytes.peek().map(|(_, next)| *next);
                if next == Some(quote) || (next == Some(escape) && escape != quote) {
                    bytes.next();
                    continue;
                }
            }
            if byte == quote {
                quoted = !quoted;
            } else if byte == self.options.delimiter && !quoted {
                return Ok(at);
            }
        }
        if quoted { Err(Ended) } else { Ok(rest.len()) }
    }

    fn unquoted(&self, raw: &'a [u8]) -> Cow<'a, [u8]> {
        let (quote, escape) = (self.options.quote, self.options.escape);
        if !raw.contains(&quote) {
            return Cow::Borrowed(raw);
        }
        let mut value = Vec::with_capacity(raw.len());
        let mut quoted = false;
        let mut bytes = raw.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            if quoted && byte == escape && bytes.peek().is_some_and(|next| *next == quote || *next == escape)
            {
                value.extend(bytes.next());
            } else if byte == quote {
                quoted = !quoted;
            } else {
                value.push(byte);
            }
        }
        Cow::Owned(value)
    }
}

/// What COPY's backslashes stand for.
fn unescaped(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.contains(&b'\\') {
        return Cow::Borrowed(raw);
    }
    let mut value = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        value.extend(bytes.next().map(|escaped| match escaped {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            other => other,
        }));
    }
    Cow::Owned(value)
}
