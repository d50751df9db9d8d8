//! One of a session's two connections: what was read and is not taken yet, and whether what was written may still have
//! to be flushed. Its memory follows what passes: an idle session keeps little.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// What is read at once, to begin with; an idle connection keeps as much.
const CHUNK_BYTES_MIN: usize = 2_048;
/// What is read at once while much comes.
const CHUNK_BYTES_MAX: usize = 65_536;

/// A connection.
#[derive(Debug)]
pub struct Leg<S> {
    /// Itself.
    pub stream: S,
    /// What was read.
    pub bytes: BytesMut,
    chunk: usize,
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Leg<S> {
    /// Over a connection of which everything has been taken that was read.
    pub fn new(stream: S) -> Self {
        Self { stream, bytes: BytesMut::new(), chunk: CHUNK_BYTES_MIN, unflushed: false }
    }

    /// Reads once; 0 at the end of the stream.
    pub fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.bytes.is_empty() && self.bytes.capacity() > self.chunk.saturating_mul(2) {
            self.bytes = BytesMut::new();
        }
        if self.bytes.capacity() - self.bytes.len() < self.chunk / 2 {
            self.bytes.reserve(self.chunk);
        }
        let room = self.bytes.capacity() - self.bytes.len();
        let count = ready!(pin!(self.stream.read_buf(&mut self.bytes)).poll(context))?;
        if count >= room {
            self.chunk = (self.chunk * 2).min(CHUNK_BYTES_MAX);
        } else if count < self.chunk / 4 {
            self.chunk = (self.chunk / 2).max(CHUNK_BYTES_MIN);
        }
        Poll::Ready(Ok(count))
    }

    /// Writes what it can, and flushes when there is nothing to write. Pending when there is nothing to do.
    pub fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !bytes.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
            self.unflushed = true;
            return Poll::Ready(Ok(count));
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Pending
    }

    /// Whether what was written has gone.
    pub fn is_flushed(&self) -> bool {
        !self.unflushed
    }
}
