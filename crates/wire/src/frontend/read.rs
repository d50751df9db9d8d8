//! Borrowed views of what a client sends. A view is checked whole when it is read, so its iterators do not fail.
//! Not here: whether a statement is allowed.

use super::Tag;
use crate::Violation;
use crate::codec::{Body, Format, Frame, Tag as _};

/// One client message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    Query(&'a str),
    Parse(Parse<'a>),
    Bind(Bind<'a>),
    Describe(Target<'a>),
    /// `rows_max` is `None` when all rows are asked for.
    Execute {
        portal: &'a str,
        rows_max: Option<u32>,
    },
    Close(Target<'a>),
    Sync,
    Flush,
    Terminate,
    /// Unread: see `SaslInitial::read`.
    Password(&'a [u8]),
    /// Unread: fast-path calls are refused whatever they hold.
    FunctionCall(&'a [u8]),
    CopyData(&'a [u8]),
    CopyDone,
    CopyFail(&'a str),
}

impl<'a> Message<'a> {
    /// Reads a frame's body; every malformed body is a violation.
    pub fn read(frame: Frame<'a, Tag>) -> Result<Message<'a>, Violation> {
        let mut body = Body::new(frame.body, frame.tag.name());
        let message = match frame.tag {
            Tag::Password => return Ok(Message::Password(frame.body)),
            Tag::FunctionCall => return Ok(Message::FunctionCall(frame.body)),
            Tag::CopyData => return Ok(Message::CopyData(frame.body)),
            Tag::Parse => return Parse::read(body).map(Message::Parse),
            Tag::Bind => return Bind::read(body).map(Message::Bind),
            Tag::Query => Message::Query(body.text()?),
            Tag::Describe => Message::Describe(Target::read(&mut body)?),
            Tag::Close => Message::Close(Target::read(&mut body)?),
            Tag::Execute => {
                let portal = body.text()?;
                // PostgreSQL takes zero and everything below it for "all".
                let rows_max = u32::try_from(body.i32()?).ok().filter(|rows| *rows > 0);
                Message::Execute { portal, rows_max }
            }
            Tag::Sync => Message::Sync,
            Tag::Flush => Message::Flush,
            Tag::Terminate => Message::Terminate,
            Tag::CopyDone => Message::CopyDone,
            Tag::CopyFail => Message::CopyFail(body.text()?),
        };
        body.end()?;
        Ok(message)
    }
}

/// What a Describe or a Close is about. The empty name is the unnamed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    Statement(&'a str),
    Portal(&'a str),
}

impl<'a> Target<'a> {
    fn read(body: &mut Body<'a>) -> Result<Target<'a>, Violation> {
        match body.u8()? {
            b'S' => body.text().map(Target::Statement),
            b'P' => body.text().map(Target::Portal),
            _ => Err(body.bad("kind")),
        }
    }
}

/// A statement to prepare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// Empty for the unnamed statement.
    pub name: &'a str,
    pub text: &'a str,
    pub types: Oids<'a>,
}

impl<'a> Parse<'a> {
    fn read(mut body: Body<'a>) -> Result<Parse<'a>, Violation> {
        let (name, text) = (body.text()?, body.text()?);
        let count = usize::from(body.u16()?);
        let types = body.bytes(count.saturating_mul(4))?;
        body.end()?;
        Ok(Parse { name, text, types: Oids { types } })
    }
}

/// The parameter types that a Parse declares; 0 leaves one open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oids<'a> {
    types: &'a [u8],
}

impl Iterator for Oids<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (oid, rest) = self.types.split_first_chunk::<4>()?;
        self.types = rest;
        Some(u32::from_be_bytes(*oid))
    }
}

/// Parameters bound to a statement, making a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// Empty for the unnamed portal.
    pub portal: &'a str,
    /// Empty for the unnamed statement.
    pub statement: &'a str,
    formats: Formats<'a>,
    count: u16,
    values: Body<'a>,
    results: Formats<'a>,
}

impl<'a> Bind<'a> {
    fn read(mut body: Body<'a>) -> Result<Bind<'a>, Violation> {
        let (portal, statement) = (body.text()?, body.text()?);
        let formats = Formats::read(&mut body)?;
        let count = body.u16()?;
        if formats.count() > 1 && formats.count() != usize::from(count) {
            return Err(body.bad("number of parameter formats"));
        }
        let values = body;
        for _ in 0..count {
            body.value()?;
        }
        let results = Formats::read(&mut body)?;
        body.end()?;
        Ok(Bind { portal, statement, formats, count, values, results })
    }

    /// How many parameters are bound.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The parameters in order, each with its format; `None` is NULL. Values are bytes, not text.
    pub fn values(&self) -> Values<'a> {
        Values { formats: self.formats, left: self.count, at: 0, values: self.values }
    }

    /// The formats asked for the result's columns.
    pub fn results(&self) -> Formats<'a> {
        self.results
    }
}

/// Format codes: none means all text, one stands for all, else one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats<'a> {
    codes: &'a [u8],
}

impl<'a> Formats<'a> {
    fn read(body: &mut Body<'a>) -> Result<Formats<'a>, Violation> {
        let count = body.u16()?;
        let start = body.rest();
        for _ in 0..count {
            body.format()?;
        }
        let bytes = usize::from(count).saturating_mul(2);
        Ok(Formats { codes: start.get(..bytes).unwrap_or_default() })
    }

    /// How many codes were sent.
    pub fn count(&self) -> usize {
        self.codes.len() / 2
    }

    /// The format of the value or column at `index`, counted from zero.
    pub fn of(&self, index: usize) -> Format {
        let at = if self.count() == 1 { 0 } else { index };
        // `read` has let through 0 and 1 alone, so the low byte tells.
        match self.codes.get(at.saturating_mul(2).saturating_add(1)) {
            Some(1) => Format::Binary,
            _ => Format::Text,
        }
    }
}

/// The parameters of a Bind.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    formats: Formats<'a>,
    left: u16,
    at: usize,
    values: Body<'a>,
}

impl<'a> Iterator for Values<'a> {
    type Item = (Format, Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let format = self.formats.of(self.at);
        self.at = self.at.saturating_add(1);
        // `Bind::read` has walked all values, so this cannot fail.
        self.values.value().ok().map(|value| (format, value))
    }
}

/// The first message of a SASL exchange: the mechanism chosen and its first data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitial<'a> {
    pub mechanism: &'a str,
    pub data: Option<&'a [u8]>,
}

impl<'a> SaslInitial<'a> {
    /// Reads the body of the first `Tag::Password` after AuthenticationSASL. The body of the next one is SASL data
    /// as it is.
    pub fn read(body: &'a [u8]) -> Result<SaslInitial<'a>, Violation> {
        let mut body = Body::new(body, "SASLInitialResponse");
        let (mechanism, data) = (body.text()?, body.value()?);
        body.end()?;
        Ok(SaslInitial { mechanism, data })
    }
}
