//! The form of a snapshot, which is the same in a folder and in NATS: everything that was learnt up to a place of the
//! input, and which place that is. It is authenticated with a key that follows from the state's own, so that one that
//! is torn, altered or of another estate is known before any of it is used.
//!
//! `magic | u32be length, header as JSON | body | HMAC-SHA256 of all before`

use std::io::{self, Read, Seek, SeekFrom, Write};

use hmac::{Hmac, Mac};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Changes with the form: a snapshot of another is refused.
const MAGIC: &[u8; 27] = b"trefoil-logins snapshot v1\n";
const TAG_BYTES: u64 = 32;
const HEADER_BYTES_MAX: u32 = 1 << 20;
const BLOCK_BYTES: usize = 1 << 16;

/// Why a snapshot is refused.
#[derive(Debug, Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It begins or ends like no snapshot of this version.
    #[error("it is no snapshot of this version")]
    Form,
    /// Its authentication fails.
    #[error("it is torn, altered, or was made under another key")]
    Altered,
    /// What it holds cannot be used.
    #[error("it cannot be used: {0}")]
    Contents(String),
}

/// The key that snapshots are authenticated with.
#[derive(Clone, Copy)]
pub(crate) struct Seal([u8; 32]);

impl Seal {
    /// The one that follows from a state's key.
    pub(crate) fn of(key: &[u8; 16]) -> Self {
        Self(Sha256::new().chain_update(MAGIC).chain_update(key).finalize().into())
    }

    fn mac(&self) -> Result<Hmac<Sha256>, Refused> {
        Hmac::new_from_slice(&self.0).map_err(|_| Refused::Form)
    }
}

/// Writes a snapshot: its header, then whatever `body` writes.
pub(crate) fn write<W: Write>(
    out: W,
    seal: &Seal,
    header: &impl Serialize,
    body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mac = seal.mac().map_err(io::Error::other)?;
    let header = serde_json::to_vec(header)?;
    let length = u32::try_from(header.len()).ok().filter(|length| *length <= HEADER_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("the header of a snapshot is too long"))?;
    let mut out = Counted { out, mac };
    out.write_all(MAGIC)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(&header)?;
    // The MAC is fed in blocks, whatever pieces the body comes in.
    let mut buffered = io::BufWriter::with_capacity(BLOCK_BYTES, out);
    body(&mut buffered)?;
    let Counted { mut out, mac } = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.write_all(&mac.finalize().into_bytes())?;
    out.flush()
}

struct Counted<W> {
    out: W,
    mac: Hmac<Sha256>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.mac.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Checks all of a snapshot, then gives its header and a reader of its body.
pub(crate) fn read<H: DeserializeOwned, R: Read + Seek>(
    mut from: R,
    seal: &Seal,
) -> Result<(H, impl Read + use<H, R>), Refused> {
    let length = from.seek(SeekFrom::End(0))?;
    let covered = length.checked_sub(TAG_BYTES).ok_or(Refused::Form)?;
    from.rewind()?;
    let mut mac = seal.mac()?;
    let mut block = vec![0; BLOCK_BYTES];
    let mut left = covered;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
        let part = block.get_mut(..part).unwrap_or_default();
        from.read_exact(part)?;
        mac.update(part);
        left -= u64::try_from(part.len()).unwrap_or(left);
    }
    let mut tag = [0; 32];
    from.read_exact(&mut tag)?;
    // The form is looked at first: what is no snapshot at all is told from one that was altered.
    from.rewind()?;
    let mut magic = [0; MAGIC.len()];
    let mut size = [0; 4];
    from.read_exact(&mut magic).and_then(|()| from.read_exact(&mut size)).map_err(|_| Refused::Form)?;
    if magic != *MAGIC {
        return Err(Refused::Form);
    }
    mac.verify_slice(&tag).map_err(|_| Refused::Altered)?;
    let size = u32::from_be_bytes(size);
    let before = u64::try_from(MAGIC.len()).unwrap_or(0) + 4 + u64::from(size);
    let body = covered.checked_sub(before).filter(|_| size <= HEADER_BYTES_MAX).ok_or(Refused::Form)?;
    let mut header = vec![0; usize::try_from(size).map_err(|_| Refused::Form)?];
    from.read_exact(&mut header)?;
    let header = serde_json::from_slice(&header).map_err(|error| Refused::Contents(error.to_string()))?;
    Ok((header, io::BufReader::with_capacity(BLOCK_BYTES, from).take(body)))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, &Seal::of(&[7; 16]), &("header", 5), |out| out.write_all(body)).unwrap();
        bytes
    }

    fn opened(bytes: &[u8]) -> Result<Vec<u8>, Refused> {
        let (header, mut body): ((String, u8), _) = read(Cursor::new(bytes), &Seal::of(&[7; 16]))?;
        assert_eq!(header, ("header".to_owned(), 5));
        let mut all = Vec::new();
        body.read_to_end(&mut all)?;
        Ok(all)
    }

    #[test]
    fn a_snapshot_reads_as_it_was_written_and_not_otherwise() {
        for body in [&b""[..], b"x", &[9; 200_000]] {
            let whole = sealed(body);
            assert_eq!(opened(&whole).unwrap(), body);
            // Cut anywhere, or changed anywhere, it is refused.
            for at in (0..whole.len()).step_by(whole.len() / 97 + 1) {
                assert!(opened(&whole[..at]).is_err(), "cut at {at}");
                let mut altered = whole.clone();
                altered[at] ^= 1;
                assert!(opened(&altered).is_err(), "altered at {at}");
            }
            let other = read::<(String, u8), _>(Cursor::new(&whole), &Seal::of(&[8; 16]));
            assert!(matches!(other.map(|_| ()), Err(Refused::Altered)));
        }
    }
}
