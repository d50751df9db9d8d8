//! Messages that the gate itself sends to a site; clients' own messages are relayed as they came. Each function
//! appends to `out`. Not here: Bind and Execute, which the gate never makes.

use super::{Tag, Target};
use crate::Unwritable;
use crate::codec::{counted, frame, put_text};

/// Asks for TLS; the answer is one byte.
pub fn ssl_request(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
}

/// Opens a session of protocol 3.0.
pub fn startup(out: &mut Vec<u8>, parameters: &[(&str, &str)]) -> Result<(), Unwritable> {
    counted(out, |out| {
        out.extend_from_slice(&[0, 3, 0, 0]);
        for (name, value) in parameters {
            put_text(out, name)?;
            put_text(out, value)?;
        }
        out.push(0);
        Ok(())
    })
}

/// Asks, on a connection of its own, to cancel what a session is running.
pub fn cancel(out: &mut Vec<u8>, pid: i32, secret: &[u8]) -> Result<(), Unwritable> {
    counted(out, |out| {
        out.extend_from_slice(&[0x04, 0xd2, 0x16, 0x2e]);
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(secret);
        Ok(())
    })
}

/// SASLInitialResponse.
pub fn sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: &[u8]) -> Result<(), Unwritable> {
    frame(out, Tag::Password, |out| {
        put_text(out, mechanism)?;
        let length = i32::try_from(data.len()).map_err(|_| Unwritable::TooLong)?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
        Ok(())
    })
}

/// SASLResponse.
pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) -> Result<(), Unwritable> {
    frame(out, Tag::Password, |out| {
        out.extend_from_slice(data);
        Ok(())
    })
}

/// A simple Query.
pub fn query(out: &mut Vec<u8>, text: &str) -> Result<(), Unwritable> {
    frame(out, Tag::Query, |out| put_text(out, text))
}

/// Parse; an empty name is the unnamed statement, no types leave all of them open.
pub fn parse(out: &mut Vec<u8>, name: &str, text: &str, types: &[u32]) -> Result<(), Unwritable> {
    frame(out, Tag::Parse, |out| {
        put_text(out, name)?;
        put_text(out, text)?;
        let count = u16::try_from(types.len()).map_err(|_| Unwritable::TooLong)?;
        out.extend_from_slice(&count.to_be_bytes());
        for oid in types {
            out.extend_from_slice(&oid.to_be_bytes());
        }
        Ok(())
    })
}

/// Describe.
pub fn describe(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), Unwritable> {
    frame(out, Tag::Describe, |out| put_target(out, target))
}

/// Close.
pub fn close(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), Unwritable> {
    frame(out, Tag::Close, |out| put_target(out, target))
}

fn put_target(out: &mut Vec<u8>, target: Target<'_>) -> Result<(), Unwritable> {
    let (kind, name) = match target {
        Target::Statement(name) => (b'S', name),
        Target::Portal(name) => (b'P', name),
    };
    out.push(kind);
    put_text(out, name)
}

/// Sync.
pub fn sync(out: &mut Vec<u8>) {
    out.extend_from_slice(b"S\0\0\0\x04");
}

/// Flush.
pub fn flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"H\0\0\0\x04");
}

/// Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    out.extend_from_slice(b"X\0\0\0\x04");
}
