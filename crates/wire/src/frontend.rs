//! What a client sends after start-up: types, borrowed views of their bodies, and, because the gate is itself a
//! client of the sites, writers. Not here: opening packets (`startup`), what a message is answered with (`pipeline`).

mod read;
mod write;

pub use read::{Bind, Formats, Message, Oids, Parse, SaslInitial, Target, Values};
pub use write::{
    cancel, close, describe, flush, parse, query, sasl_initial, sasl_response, ssl_request, startup, sync,
    terminate,
};

use crate::codec;

/// The longest body of a Query, Parse, Bind, FunctionCall, CopyData or CopyFail, in bytes.
pub const FRONTEND_BYTES_MAX: usize = 4_194_304;
/// The longest body of a message that carries names and numbers only, in bytes (PostgreSQL's own bound).
pub const FRONTEND_SMALL_BYTES_MAX: usize = 10_000;
/// The longest body of a password or SASL message, in bytes.
pub const AUTH_BYTES_MAX: usize = 2_048;

/// The types of message that a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tag {
    Bind,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    FunctionCall,
    Parse,
    /// PasswordMessage, SASLInitialResponse, SASLResponse or GSSResponse: which one follows from what was asked.
    Password,
    Query,
    Sync,
    Terminate,
}

impl codec::Tag for Tag {
    fn from_byte(byte: u8) -> Option<Tag> {
        Some(match byte {
            b'B' => Tag::Bind,
            b'C' => Tag::Close,
            b'd' => Tag::CopyData,
            b'c' => Tag::CopyDone,
            b'f' => Tag::CopyFail,
            b'D' => Tag::Describe,
            b'E' => Tag::Execute,
            b'H' => Tag::Flush,
            b'F' => Tag::FunctionCall,
            b'P' => Tag::Parse,
            b'p' => Tag::Password,
            b'Q' => Tag::Query,
            b'S' => Tag::Sync,
            b'X' => Tag::Terminate,
            _ => return None,
        })
    }

    fn byte(self) -> u8 {
        match self {
            Tag::Bind => b'B',
            Tag::Close => b'C',
            Tag::CopyData => b'd',
            Tag::CopyDone => b'c',
            Tag::CopyFail => b'f',
            Tag::Describe => b'D',
            Tag::Execute => b'E',
            Tag::Flush => b'H',
            Tag::FunctionCall => b'F',
            Tag::Parse => b'P',
            Tag::Password => b'p',
            Tag::Query => b'Q',
            Tag::Sync => b'S',
            Tag::Terminate => b'X',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Tag::Bind => "Bind",
            Tag::Close => "Close",
            Tag::CopyData => "CopyData",
            Tag::CopyDone => "CopyDone",
            Tag::CopyFail => "CopyFail",
            Tag::Describe => "Describe",
            Tag::Execute => "Execute",
            Tag::Flush => "Flush",
            Tag::FunctionCall => "FunctionCall",
            Tag::Parse => "Parse",
            Tag::Password => "PasswordMessage",
            Tag::Query => "Query",
            Tag::Sync => "Sync",
            Tag::Terminate => "Terminate",
        }
    }

    fn body_bytes_max(self) -> usize {
        match self {
            Tag::Flush | Tag::Sync | Tag::Terminate | Tag::CopyDone => 0,
            Tag::Close | Tag::Describe | Tag::Execute => FRONTEND_SMALL_BYTES_MAX,
            Tag::Password => AUTH_BYTES_MAX,
            Tag::Bind | Tag::CopyData | Tag::CopyFail | Tag::FunctionCall | Tag::Parse | Tag::Query => {
                FRONTEND_BYTES_MAX
            }
        }
    }
}
