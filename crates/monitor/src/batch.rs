//! The bytes a gate posts: a signed checkpoint and the entries up to it, each with its sealed detail. Only the frame
//! is taken apart here, borrowed and bounded; what the parts mean is `judge` and `entries`.

use thiserror::Error;

/// The largest batch that is read.
pub const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most entries under one checkpoint of a batch.
pub const ENTRIES_PER_BATCH_MAX: usize = 4_096;
/// The longest signed checkpoint: a text of three lines and room for many signatures.
pub const NOTE_BYTES_MAX: usize = 16_384;
/// The longest sealed detail, or wrapped day key.
pub const BLOB_BYTES_MAX: usize = tlog::detail::DETAIL_BYTES_MAX + 1_024;

/// One batch: `u32be len, note | u64be first index | (u32be len, entry | u32be len, blob)*`.
#[derive(Debug, PartialEq)]
pub struct Batch<'a> {
    /// The signed checkpoint, as text.
    pub note: &'a str,
    /// The index of the first entry; the size held so far when there are none.
    pub first: u64,
    pub items: Vec<Item<'a>>,
}

/// One entry of a batch.
#[derive(Debug, PartialEq, Clone, Copy)]
pub struct Item<'a> {
    /// Canonical JSON, exactly as it was hashed.
    pub entry: &'a [u8],
    /// The sealed detail, when there is one.
    pub blob: Option<&'a [u8]>,
}

/// Why bytes are not a batch.
#[derive(Debug, Error, PartialEq)]
pub enum Malformed {
    #[error("the batch ends within {0}")]
    Short(&'static str),
    #[error("{what} has {found} bytes; at most {max} are read")]
    Long { what: &'static str, found: usize, max: usize },
    #[error("more than {ENTRIES_PER_BATCH_MAX} entries")]
    Entries,
    #[error("the checkpoint is not UTF-8")]
    Text,
}

impl<'a> Batch<'a> {
    /// Takes the bytes apart; every byte belongs to something.
    pub fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, Malformed> {
        let mut rest = bytes;
        let note = part(&mut rest, "the checkpoint", NOTE_BYTES_MAX)?;
        let note = std::str::from_utf8(note).map_err(|_| Malformed::Text)?;
        let first = u64::from_be_bytes(*take(&mut rest, "the first index")?);
        let mut items = Vec::new();
        while !rest.is_empty() {
            if items.len() == ENTRIES_PER_BATCH_MAX {
                return Err(Malformed::Entries);
            }
            let entry = part(&mut rest, "an entry", tlog::entry::ENTRY_BYTES_MAX)?;
            let blob = part(&mut rest, "a sealed detail", BLOB_BYTES_MAX)?;
            items.push(Item { entry, blob: (!blob.is_empty()).then_some(blob) });
        }
        Ok(Batch { note, first, items })
    }
}

impl Batch<'_> {
    /// The bytes that [`Batch::parse`] takes apart.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.note.as_bytes());
        bytes.extend(self.first.to_be_bytes());
        for item in &self.items {
            put(&mut bytes, item.entry);
            put(&mut bytes, item.blob.unwrap_or_default());
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    // Parts that were read are shorter.
    bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(part);
}

/// The signed checkpoint of a posted batch.
pub fn note(bytes: &[u8]) -> Option<&str> {
    let mut rest = bytes;
    std::str::from_utf8(part(&mut rest, "the checkpoint", NOTE_BYTES_MAX).ok()?).ok()
}

fn take<'a, const N: usize>(rest: &mut &'a [u8], what: &'static str) -> Result<&'a [u8; N], Malformed> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(Malformed::Short(what))?;
    *rest = tail;
    Ok(head)
}

fn part<'a>(rest: &mut &'a [u8], what: &'static str, max: usize) -> Result<&'a [u8], Malformed> {
    let found = usize::try_from(u32::from_be_bytes(*take(rest, what)?)).unwrap_or(usize::MAX);
    if found > max {
        return Err(Malformed::Long { what, found, max });
    }
    let (head, tail) = rest.split_at_checked(found).ok_or(Malformed::Short(what))?;
    *rest = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in [&b"note"[..], &7_u64.to_be_bytes(), b"{}", b"", b"{1}", b"blob"] {
            if piece.len() != 8 {
                bytes.extend(u32::try_from(piece.len()).unwrap().to_be_bytes());
            }
            bytes.extend(piece);
        }
        bytes
    }

    #[test]
    fn every_byte_belongs_to_something() {
        let bytes = sample();
        let batch = Batch::parse(&bytes).unwrap();
        assert_eq!((batch.note, batch.first), ("note", 7));
        assert_eq!(batch.encode(), bytes);
        let blobs: Vec<_> = batch.items.iter().map(|item| item.blob).collect();
        assert_eq!(blobs, [None, Some(&b"blob"[..])]);
        for end in 0..bytes.len() {
            let cut = Batch::parse(&bytes[..end]);
            let whole = end == 16 || end == 26;
            assert_eq!(cut.is_ok(), whole, "cut at {end}: {cut:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        let check = |bytes: &[u8], expected: Malformed| assert_eq!(Batch::parse(bytes), Err(expected));
        check(
            &u32::MAX.to_be_bytes(),
            Malformed::Long { what: "the checkpoint", found: 4_294_967_295, max: NOTE_BYTES_MAX },
        );
        check(&[0, 0, 0, 1, 0xff], Malformed::Text);
        let mut many = [vec![0; 4], vec![0; 8]].concat();
        many.extend(vec![0; 8 * (ENTRIES_PER_BATCH_MAX + 1)]);
        check(&many, Malformed::Entries);
    }
}
