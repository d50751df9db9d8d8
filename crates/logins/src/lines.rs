//! Lines of a stream of any size, without copying what is in the buffer. Not here: what a line means.

use std::io::{self, ErrorKind, Read};

/// Longest line that is read: a longer one is told, and passed over.
pub const LINE_BYTES_MAX: usize = 1 << 20;
const BUFFER_BYTES: usize = 2 * LINE_BYTES_MAX;

/// Lines of a stream.
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at: u64,
    is_over: bool,
}

/// The lines of what is in memory, each with its number, from 1.
pub fn of(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = text;
    (1..).map_while(move |number| {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        rest = rest.get(end + 1..).unwrap_or_default();
        Some((number, line.strip_suffix(b"\r").unwrap_or(line)))
    })
}

/// One line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// It was longer than [`LINE_BYTES_MAX`].
    TooLong,
}

impl<R: Read> Lines<R> {
    /// Lines of a stream.
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![0; BUFFER_BYTES], start: 0, end: 0, at: 0, is_over: false }
    }

    /// The next line and its number, from 1.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<(u64, Line<'_>)>> {
        let Some((from, to, is_long)) = self.found()? else { return Ok(None) };
        self.at += 1;
        let line = self.buffer.get(from..to).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Ok(Some((self.at, if is_long { Line::TooLong } else { Line::Bytes(line) })))
    }

    /// Whether more is in the buffer already, so that the next line costs no waiting.
    pub fn is_at_hand(&self) -> bool {
        self.unread().contains(&b'\n')
    }

    /// Where the next line is in the buffer, and whether it was too long.
    fn found(&mut self) -> io::Result<Option<(usize, usize, bool)>> {
        let mut looked = 0;
        let mut is_long = false;
        loop {
            let unread = self.unread();
            if let Some(at) = memchr::memchr(b'\n', unread.get(looked..).unwrap_or_default()) {
                let from = self.start;
                let to = from + looked + at;
                self.start = to + 1;
                return Ok(Some((from, to, is_long || looked + at > LINE_BYTES_MAX)));
            }
            looked = unread.len();
            if looked > LINE_BYTES_MAX {
                is_long = true;
                (self.start, looked) = (self.end, 0);
            }
            if self.is_over {
                let (from, to) = (self.start, self.end);
                self.start = to;
                return Ok((from < to || is_long).then_some((from, to, is_long)));
            }
            self.fill()?;
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.from.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => self.is_over = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(into.len()).min(self.0.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn check(text: &[u8], wanted: &[Option<&[u8]>]) {
        for drop in [1, 3, 1 << 16, usize::MAX] {
            if drop == 1 && text.len() > LINE_BYTES_MAX {
                continue;
            }
            let mut lines = Lines::new(Drops(text, drop));
            let mut read = Vec::new();
            while let Some((at, line)) = lines.next_line().unwrap() {
                assert_eq!(at, read.len() as u64 + 1);
                read.push(match line {
                    Line::Bytes(bytes) => Some(bytes.to_vec()),
                    Line::TooLong => None,
                });
            }
            let wanted: Vec<_> = wanted.iter().map(|line| line.map(<[u8]>::to_vec)).collect();
            assert!(read == wanted, "of {} bytes, {drop} at a time", text.len());
        }
    }

    #[test]
    fn lines_are_cut_wherever_the_stream_is() {
        check(b"", &[]);
        check(b"a", &[Some(b"a")]);
        check(b"a\n", &[Some(b"a")]);
        check(b"a\r\n\nbc\n", &[Some(b"a"), Some(b""), Some(b"bc")]);
        check(b"a\nb", &[Some(b"a"), Some(b"b")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_one_read() {
        let longest = vec![b'x'; LINE_BYTES_MAX];
        check(&[&longest[..], b"\nb\n"].concat(), &[Some(&longest), Some(b"b")]);
        for size in [LINE_BYTES_MAX + 1, 2 * LINE_BYTES_MAX, 5 * LINE_BYTES_MAX + 17] {
            let long = vec![b'x'; size];
            check(&[b"a\n", &long[..], b"\nb\n"].concat(), &[Some(b"a"), None, Some(b"b")]);
            check(&long, &[None]);
        }
    }
}
