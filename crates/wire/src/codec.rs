//! Framing: a type byte, a length, a body. Frames are found without copying, and a header can be read alone so
//! that a huge message streams by its length. Here too: the cursor that readers of bodies share and the frame
//! writer that writers share. Not here: what a body means.

use std::ffi::CStr;

use crate::{Unwritable, Violation};

/// Type byte and length: what must have arrived before a message's length is known.
pub const HEADER_BYTES: usize = 5;
/// The length field counts itself.
const LENGTH_BYTES: u32 = 4;

/// A direction's message types: which bytes exist and how long a body of each may be.
pub trait Tag: Copy {
    /// The type that `byte` stands for in this direction.
    fn from_byte(byte: u8) -> Option<Self>;
    /// The type byte.
    fn byte(self) -> u8;
    /// The protocol's name of the message.
    fn name(self) -> &'static str;
    /// The longest body accepted, in bytes.
    fn body_bytes_max(self) -> usize;
}

/// What the first bytes of a buffer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek<K> {
    /// At least this many bytes more are needed.
    Need(usize),
    /// A message of this type begins here; its body of `body_bytes` follows the `HEADER_BYTES` of its header.
    Header { tag: K, body_bytes: usize },
}

/// Reads the header at the start of `input`, whether or not the body has arrived.
pub fn peek<K: Tag>(input: &[u8]) -> Result<Peek<K>, Violation> {
    let Some(([byte, length @ ..], _)) = input.split_first_chunk::<HEADER_BYTES>() else {
        // An unknown type is refused on its first byte, before a peer can make us wait for more.
        if let Some(byte) = input.first() {
            K::from_byte(*byte).ok_or(Violation::UnknownTag(*byte))?;
        }
        return Ok(Peek::Need(HEADER_BYTES.saturating_sub(input.len())));
    };
    let tag = K::from_byte(*byte).ok_or(Violation::UnknownTag(*byte))?;
    let length = u32::from_be_bytes(*length);
    let max = tag.body_bytes_max();
    let body = length.checked_sub(LENGTH_BYTES).ok_or(Violation::TooShort {
        of: tag.name(),
        length,
        min: LENGTH_BYTES,
    })?;
    match usize::try_from(body) {
        Ok(body_bytes) if body_bytes <= max => Ok(Peek::Header { tag, body_bytes }),
        _ => Err(Violation::TooLong { of: tag.name(), length, max }),
    }
}

/// One message, borrowed from the buffer it arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a, K> {
    pub tag: K,
    pub body: &'a [u8],
}

/// What `next` found at the start of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a, K> {
    /// At least this many bytes more are needed.
    Need(usize),
    /// A whole message; `whole` is its header and body as they arrived (for relaying), `rest` is what follows.
    Frame { frame: Frame<'a, K>, whole: &'a [u8], rest: &'a [u8] },
}

/// Takes one whole message off the start of `input`.
pub fn next<K: Tag>(input: &[u8]) -> Result<Next<'_, K>, Violation> {
    let (tag, body_bytes) = match peek::<K>(input)? {
        Peek::Need(more) => return Ok(Next::Need(more)),
        Peek::Header { tag, body_bytes } => (tag, body_bytes),
    };
    let total = HEADER_BYTES.saturating_add(body_bytes);
    let Some((whole, rest)) = input.split_at_checked(total) else {
        return Ok(Next::Need(total.saturating_sub(input.len())));
    };
    let body = whole.get(HEADER_BYTES..).unwrap_or_default();
    Ok(Next::Frame { frame: Frame { tag, body }, whole, rest })
}

/// How a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Binary,
}

impl Format {
    fn from_code(code: u16, of: &'static str) -> Result<Format, Violation> {
        match code {
            0 => Ok(Format::Text),
            1 => Ok(Format::Binary),
            _ => Err(Violation::BadField { of, field: "format code" }),
        }
    }
}

/// A cursor over one message's body. Every step checks; none copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    rest: &'a [u8],
    of: &'static str,
}

impl<'a> Body<'a> {
    pub fn new(rest: &'a [u8], of: &'static str) -> Body<'a> {
        Body { rest, of }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn bad(&self, field: &'static str) -> Violation {
        Violation::BadField { of: self.of, field }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Violation> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Violation::Truncated { of: self.of })?;
        self.rest = rest;
        Ok(*head)
    }

    pub fn u8(&mut self) -> Result<u8, Violation> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Violation> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn i16(&mut self) -> Result<i16, Violation> {
        self.array().map(i16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Violation> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Violation> {
        self.array().map(i32::from_be_bytes)
    }

    pub fn format(&mut self) -> Result<Format, Violation> {
        let of = self.of;
        self.u16().and_then(|code| Format::from_code(code, of))
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Violation> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Violation::Truncated { of: self.of })?;
        self.rest = rest;
        Ok(head)
    }

    /// A length and that many bytes; the length −1 stands for NULL.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, Violation> {
        match self.i32()? {
            -1 => Ok(None),
            length => {
                let count = usize::try_from(length).map_err(|_| self.bad("value length"))?;
                self.bytes(count).map(Some)
            }
        }
    }

    /// The bytes before the next NUL, which is taken as well.
    pub fn until_nul(&mut self) -> Result<&'a [u8], Violation> {
        let text =
            CStr::from_bytes_until_nul(self.rest).map_err(|_| Violation::Unterminated { of: self.of })?;
        self.rest = self.rest.get(text.count_bytes().saturating_add(1)..).unwrap_or_default();
        Ok(text.to_bytes())
    }

    pub fn text(&mut self) -> Result<&'a str, Violation> {
        std::str::from_utf8(self.until_nul()?).map_err(|_| Violation::NotUtf8 { of: self.of })
    }

    pub fn end(self) -> Result<(), Violation> {
        if self.rest.is_empty() { Ok(()) } else { Err(Violation::Trailing { of: self.of }) }
    }
}

/// Appends a frame whose body `fill` appends. When anything cannot be written, `out` is as it was.
pub(crate) fn frame(
    out: &mut Vec<u8>,
    tag: impl Tag,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    let start = out.len();
    out.push(tag.byte());
    let written = counted(out, fill);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends a length that counts itself, then what `fill` appends.
pub(crate) fn counted(
    out: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>) -> Result<(), Unwritable>,
) -> Result<(), Unwritable> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = fill(out).and_then(|()| {
        let length = i32::try_from(out.len().saturating_sub(start)).map_err(|_| Unwritable::TooLong)?;
        let (_, counted) = out.split_at_mut_checked(start).ok_or(Unwritable::TooLong)?;
        let slot = counted.first_chunk_mut::<4>().ok_or(Unwritable::TooLong)?;
        *slot = length.to_be_bytes();
        Ok(())
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) -> Result<(), Unwritable> {
    if text.as_bytes().contains(&0) {
        return Err(Unwritable::Nul);
    }
    out.extend_from_slice(text.as_bytes());
    out.push(0);
    Ok(())
}
