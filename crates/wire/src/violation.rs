//! What a peer did against the protocol, and what could not be written. Not here: what the peer is told.

use thiserror::Error;

/// A peer broke the protocol. Whose fault it is follows from whose bytes were read; the connection is beyond repair.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Violation {
    #[error("message type {0:#04x} is unknown here; check that the peer speaks PostgreSQL protocol 3")]
    UnknownTag(u8),
    #[error(
        "{of} has length {length}, below the least of {min}; check that the peer speaks PostgreSQL protocol 3"
    )]
    TooShort { of: &'static str, length: u32, min: u32 },
    #[error("{of} has length {length}, above the bound of {max}; send less in one message")]
    TooLong { of: &'static str, length: u32, max: usize },
    #[error("{of} ends before its last field; check that the peer speaks PostgreSQL protocol 3")]
    Truncated { of: &'static str },
    #[error("{of} goes on after its last field; check that the peer speaks PostgreSQL protocol 3")]
    Trailing { of: &'static str },
    #[error("{of} has a string without its NUL; check that the peer speaks PostgreSQL protocol 3")]
    Unterminated { of: &'static str },
    #[error("{of} has a string that is not UTF-8; set client_encoding to UTF8")]
    NotUtf8 { of: &'static str },
    #[error("{of} has a {field} outside what the protocol allows; check the peer's driver")]
    BadField { of: &'static str, field: &'static str },
    #[error("protocol version {major}.{minor} is not supported; connect with version 3.0")]
    Version { major: u16, minor: u16 },
    #[error("start-up parameter {name:?} is given twice; give it once")]
    Duplicate { name: String },
    #[error("a {tag} came where no such reply is owed; the two sides have lost step, connect again")]
    NotOwed { tag: &'static str },
    #[error("more than {max} replies are owed; read replies before sending more")]
    TooManyOwed { max: usize },
}

/// A message cannot be written as asked. Nothing has been appended then.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unwritable {
    #[error("a string holds a NUL, which would end it early; remove the NUL")]
    Nul,
    #[error("the message is longer than the protocol can say; split it")]
    TooLong,
}
