//! The PostgreSQL protocol, version 3: bytes in, borrowed views out; writers append to a `Vec<u8>`.
//!
//! Here: framing (`codec`), what clients send (`startup`, `frontend`, `options`), what servers send (`backend`),
//! the server side of SCRAM-SHA-256 (`scram`) and the queue of replies that are owed (`pipeline`).
//! Not here: sockets, TLS, clocks, randomness (the nonce and the salt are arguments), SQL, policy. Nothing in this
//! crate decides who may do what.
//!
//! Text: every string that is read must end in NUL and be UTF-8, so a session must keep `client_encoding` at UTF8.
//! The exceptions are bytes, never text: bound parameter values, passwords and SASL data, and the values of
//! ErrorResponse and NoticeResponse fields (before a session has an encoding, a server reports in its own).

pub mod backend;
pub mod codec;
pub mod frontend;
pub mod options;
pub mod pipeline;
pub mod scram;
pub mod startup;
mod violation;

pub use violation::{Unwritable, Violation};
