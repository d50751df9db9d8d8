//! Cuts a stream into JSON objects: one a line, one after another, in an array, or printed over many lines. An object
//! that does not end is told, and the next one found. Not here: what is in an object.

use std::io::{self, ErrorKind, Read};

use crate::problem::Wrong;

/// Largest object that is read: a page of Microsoft Graph is below 10 MiB.
const RECORD_BYTES_MAX: usize = 64 << 20;
const PIECE_BYTES: usize = 1 << 18;

/// The objects of a stream.
pub(super) struct Records<R> {
    from: R,
    buffer: Vec<u8>,
    /// What is before this was given out.
    start: usize,
    line: u64,
    is_over: bool,
}

/// The line an object begins in, and the object.
pub(super) type Record<'a> = (u64, Result<&'a [u8], Wrong>);

/// How far the object at the start goes.
enum Cut {
    /// It is so long.
    Whole(usize),
    /// After so many bytes something is wrong with it.
    Broken(usize, &'static str),
}

impl<R: Read> Records<R> {
    pub(super) fn new(from: R) -> Self {
        Self { from, buffer: Vec::new(), start: 0, line: 1, is_over: false }
    }

    /// The next object and the line it begins in.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub(super) fn next_record(&mut self) -> io::Result<Option<Record<'_>>> {
        loop {
            let Some(byte) = self.skip_between()? else { return Ok(None) };
            let line = self.line;
            if byte != b'{' {
                let length = self.rest_of_line()?;
                let text = self.take(length);
                if is_evtx_dump_heading(text) {
                    continue;
                }
                return Ok(Some((line, Err(Wrong::new("", "no JSON object")))));
            }
            return Ok(Some(match self.cut()? {
                Cut::Whole(length) => (line, Ok(self.take(length))),
                Cut::Broken(length, why) => {
                    self.take(length);
                    (line, Err(Wrong::new("", why)))
                }
            }));
        }
    }

    /// Passes over what stands between objects, and gives the byte after it.
    fn skip_between(&mut self) -> io::Result<Option<u8>> {
        loop {
            let unread = self.unread();
            let is_between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']');
            match unread.iter().position(|byte| !is_between(byte)) {
                Some(length) => {
                    self.take(length);
                    return Ok(self.unread().first().copied());
                }
                None => {
                    let length = unread.len();
                    self.take(length);
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn rest_of_line(&mut self) -> io::Result<usize> {
        loop {
            if let Some(length) = memchr::memchr(b'\n', self.unread()) {
                return Ok(length);
            }
            if self.unread().len() > RECORD_BYTES_MAX || !self.fill()? {
                return Ok(self.unread().len());
            }
        }
    }

    /// Where the object that starts here ends.
    fn cut(&mut self) -> io::Result<Cut> {
        let mut state = State { depth: 0, in_string: false, is_escaped: false, last: 0 };
        let mut at = 0;
        loop {
            while let Some(&byte) = self.buffer.get(self.start + at) {
                if byte == b'\n' {
                    if state.in_string {
                        return Ok(Cut::Broken(at, "its line ends within a string"));
                    }
                    // An object cannot begin here unless the one before it was cut off.
                    let next = self.buffer.get(self.start + at + 1);
                    if next == Some(&b'{') && !matches!(state.last, b'[' | b',' | b':') {
                        return Ok(Cut::Broken(at, "it does not end before the next object"));
                    }
                }
                at += 1;
                if state.after(byte) {
                    return Ok(Cut::Whole(at));
                }
            }
            if at > RECORD_BYTES_MAX {
                let length = self.rest_of_line()?;
                return Ok(Cut::Broken(length, "larger than 64 MiB"));
            }
            if !self.fill()? {
                return Ok(Cut::Broken(at, "the input ends before it does"));
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn take(&mut self, length: usize) -> &[u8] {
        let from = self.start;
        self.start = from.saturating_add(length).min(self.buffer.len());
        let taken = self.buffer.get(from..self.start).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', taken).count() as u64;
        taken
    }

    /// Reads more; false when there is nothing.
    fn fill(&mut self) -> io::Result<bool> {
        if self.is_over {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let end = self.buffer.len();
        self.buffer.resize(end + PIECE_BYTES, 0);
        let read = loop {
            match self.from.read(self.buffer.get_mut(end..).unwrap_or_default()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(end + count);
        self.is_over = count == 0;
        read.map(|count| count > 0)
    }
}

/// Where in an object a byte is.
struct State {
    depth: u64,
    in_string: bool,
    is_escaped: bool,
    /// The last byte outside of strings that is no blank.
    last: u8,
}

impl State {
    /// Whether the object ends with this byte.
    fn after(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
        self.depth == 0
    }
}

/// `Record 17`, which evtx_dump prints before each object unless told otherwise.
fn is_evtx_dump_heading(line: &[u8]) -> bool {
    line.strip_prefix(b"Record ").is_some_and(|rest| {
        let rest = rest.trim_ascii();
        !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
    })
}
