//! All that was learnt, as bytes. A head (form, version, a hash of the key), then blocks, each with its length and a digest
//! under the key that goes on from the block before. What is torn, of another key or another program
//! is an error. Not here: files.

use std::hash::Hasher as _;
use std::io::{self, Read, Write};

use siphasher::sip::SipHasher13;

use crate::bytes;
use crate::campaign::Campaigns;
use crate::everybody::Everybody;
use crate::key::{Key, Of, Tag};
use crate::store::{SHARDS, Store, Sweep};
use crate::weights::Weights;

use super::marks::Marks;
use super::repeats::Repeats;
use super::watermark::Watermark;
use super::{Engine, Settings};

const FORM: &[u8; 8] = b"tfrisk\0\0";
const VERSION: u32 = 1;
/// No block of ours is longer.
const BLOCK_BYTES_MAX: u64 = 1 << 30;

/// Why a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It cannot be read at all, or ends too early.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no snapshot of logins")]
    Foreign,
    /// It was written by another version.
    #[error("version {0} of the snapshot is not {VERSION}: replay the events with this program")]
    Version(u32),
    /// It was written under another key.
    #[error("the snapshot was written under another key: give the key that it was written with")]
    Key,
    /// A digest does not hold, or what it covers makes no sense.
    #[error("block {0} of the snapshot is damaged: take an older one and replay the events since")]
    Damaged(u64),
}

impl Engine {
    /// Writes all that was learnt. It takes the memory of one shard, whatever there is.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut out = Out { to, chain: chain(&self.key), block: Vec::new() };
        out.to.write_all(FORM)?;
        out.to.write_all(&VERSION.to_le_bytes())?;
        out.to.write_all(&proof(&self.key).0.to_le_bytes())?;
        for word in self.watermark.pack() {
            out.block.extend_from_slice(&word.to_le_bytes());
        }
        let sweep = self.store.swept();
        out.block.extend_from_slice(&sweep.done.to_le_bytes());
        out.block.extend_from_slice(&sweep.due_ms.to_le_bytes());
        out.end_block()?;
        self.everybody.write(&mut out.block);
        out.end_block()?;
        self.marks.write(&mut out.block);
        out.end_block()?;
        self.repeats.write(&mut out.block);
        out.end_block()?;
        self.campaigns.write(&mut out.block);
        out.end_block()?;
        for at in 0..SHARDS {
            self.store.write_shard(at, &mut out.block);
            out.end_block()?;
        }
        out.to.flush()
    }

    /// Reads what [`Engine::write`] wrote, to go on by these weights and settings.
    pub fn read(
        from: &mut impl Read,
        key: Key,
        weights: Weights,
        settings: Settings,
    ) -> Result<Self, SnapshotError> {
        let mut head = [0; 20];
        from.read_exact(&mut head)?;
        let mut rest = head.as_slice();
        let damaged = || SnapshotError::Foreign;
        if &bytes::take::<8>(&mut rest).ok_or_else(damaged)? != FORM {
            return Err(SnapshotError::Foreign);
        }
        let version = bytes::u32(&mut rest).ok_or_else(damaged)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        if bytes::u64(&mut rest) != Some(proof(&key).0) {
            return Err(SnapshotError::Key);
        }
        let mut new = Self::new(key, weights, settings);
        let mut blocks = In { from, chain: chain(&new.key), block: Vec::new(), at: 0 };
        blocks.next(|from| new.read_head(from))?;
        new.everybody = blocks.next(Everybody::read)?;
        new.marks = blocks.next(Marks::read)?;
        new.repeats = blocks.next(Repeats::read)?;
        new.campaigns = blocks.next(|from| Campaigns::read(&settings.campaign, from))?;
        for at in 0..SHARDS {
            blocks.next(|from| new.store.read_shard(at, std::mem::take(from)))?;
        }
        Ok(new)
    }

    fn read_head(&mut self, from: &mut &[u8]) -> Option<()> {
        let mut word = || bytes::u64(from).map(u64::cast_signed);
        self.watermark = Watermark::unpack([word()?, word()?, word()?])?;
        self.store = Store::new(self.settings.history_bytes_max);
        self.store.set_swept(Sweep { done: word()?.cast_unsigned(), due_ms: word()? });
        Some(())
    }
}

/// What shows that a snapshot is of a key, and nothing more of it.
fn proof(key: &Key) -> Tag {
    key.tag(Of::Event, b"snapshot of logins: the key")
}

/// Where the chain of digests begins: it cannot be made without the key.
fn chain(key: &Key) -> [u8; 16] {
    let half = |bytes: &[u8]| key.tag(Of::Event, bytes).0.to_le_bytes();
    let mut chain = [0; 16];
    let (one, other) = chain.split_at_mut(8);
    one.copy_from_slice(&half(b"snapshot of logins: digest, one"));
    other.copy_from_slice(&half(b"snapshot of logins: digest, two"));
    chain
}

/// The digest of a block; the next begins with it.
fn digest(chain: &mut [u8; 16], block: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_key(chain);
    hasher.write(block);
    let digest = hasher.finish();
    for (byte, mixed) in chain.iter_mut().zip(digest.to_le_bytes()) {
        *byte ^= mixed;
    }
    digest
}

struct Out<'a, W> {
    to: &'a mut W,
    chain: [u8; 16],
    block: Vec<u8>,
}

impl<W: Write> Out<'_, W> {
    fn end_block(&mut self) -> io::Result<()> {
        self.to.write_all(&(self.block.len() as u64).to_le_bytes())?;
        self.to.write_all(&self.block)?;
        self.to.write_all(&digest(&mut self.chain, &self.block).to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

struct In<'a, R> {
    from: &'a mut R,
    chain: [u8; 16],
    block: Vec<u8>,
    at: u64,
}

impl<R: Read> In<'_, R> {
    fn next<T>(&mut self, read: impl FnOnce(&mut &[u8]) -> Option<T>) -> Result<T, SnapshotError> {
        let mut word = [0; 8];
        self.from.read_exact(&mut word)?;
        let length = u64::from_le_bytes(word);
        if length > BLOCK_BYTES_MAX {
            return Err(SnapshotError::Damaged(self.at));
        }
        self.block.clear();
        let got = self.from.by_ref().take(length).read_to_end(&mut self.block)?;
        if got as u64 != length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.from.read_exact(&mut word)?;
        let mut rest = self.block.as_slice();
        let holds = digest(&mut self.chain, rest) == u64::from_le_bytes(word);
        let read = holds.then(|| read(&mut rest)).flatten().filter(|_| rest.is_empty());
        let read = read.ok_or(SnapshotError::Damaged(self.at))?;
        self.at += 1;
        Ok(read)
    }
}
