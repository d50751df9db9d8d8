//! Reads what PostgreSQL's `pgoutput` says of committed transactions, version 1 of its protocol: bytes in, changes out.
//! Everything is bounds-checked, and a message that is not of that protocol is an error.

use std::collections::BTreeMap;

/// Seconds from 1970 to 2000, from which PostgreSQL counts.
const EPOCH_SECONDS: i64 = 946_684_800;

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Insert,
    Update,
    Delete,
    Truncate,
}

impl Operation {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
        }
    }
}

/// A row that a committed transaction changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) operation: Operation,
    /// Column → value in text; of a deleted row, those of its key. A value that did not change and is stored apart is not
    /// there.
    pub(super) row: BTreeMap<String, Option<String>>,
    /// Microseconds since 1970.
    pub(super) committed_us: i64,
}

/// The stream of one slot, message by message.
#[derive(Debug, Default)]
pub(super) struct Stream {
    relations: BTreeMap<u32, Relation>,
    /// Of the transaction that is being read.
    pending: Vec<Change>,
}

#[derive(Debug)]
struct Relation {
    schema: String,
    table: String,
    columns: Vec<(String, bool)>,
}

/// Where a transaction ended, and what it changed.
pub(super) type Committed = (u64, Vec<Change>);

impl Stream {
    /// Takes one message; what a transaction changed when it was its last. None when it is not a message of the protocol.
    pub(super) fn take(&mut self, message: &[u8]) -> Option<Option<Committed>> {
        let mut rest = Bytes(message);
        match rest.byte()? {
            b'B' => self.pending.clear(),
            b'C' => {
                let (_flags, _at, end, committed) = (rest.byte()?, rest.long()?, rest.long()?, rest.long()?);
                let us = i64::try_from(committed).ok()?.checked_add(EPOCH_SECONDS.checked_mul(1_000_000)?)?;
                let mut changes = std::mem::take(&mut self.pending);
                changes.iter_mut().for_each(|change| change.committed_us = us);
                return Some(Some((end, changes)));
            }
            b'R' => self.relation(&mut rest)?,
            b'I' => self.row(&mut rest, Operation::Insert)?,
            b'U' => self.row(&mut rest, Operation::Update)?,
            b'D' => self.row(&mut rest, Operation::Delete)?,
            b'T' => self.truncate(&mut rest)?,
            // Where it came from, and types that are not PostgreSQL's own.
            b'O' | b'Y' => {}
            _ => return None,
        }
        Some(None)
    }

    fn relation(&mut self, rest: &mut Bytes<'_>) -> Option<()> {
        let id = rest.int()?;
        let (schema, table, _identity, count) = (rest.text()?, rest.text()?, rest.byte()?, rest.short()?);
        let mut columns = Vec::new();
        for _ in 0..count {
            let (flags, name, _type, _modifier) = (rest.byte()?, rest.text()?, rest.int()?, rest.int()?);
            columns.push((name, flags & 1 == 1));
        }
        self.relations.insert(id, Relation { schema, table, columns });
        Some(())
    }

    fn row(&mut self, rest: &mut Bytes<'_>, operation: Operation) -> Option<()> {
        let relation = self.relations.get(&rest.int()?)?;
        let mut kind = rest.byte()?;
        let mut row = tuple(relation, rest, operation == Operation::Delete)?;
        if operation == Operation::Update && (kind == b'K' || kind == b'O') {
            kind = rest.byte()?;
            row = tuple(relation, rest, false)?;
        }
        let expected: &[u8] = if operation == Operation::Delete { b"KO" } else { b"N" };
        if !expected.contains(&kind) {
            return None;
        }
        self.pending.push(Change {
            schema: relation.schema.clone(),
            table: relation.table.clone(),
            operation,
            row,
            committed_us: 0,
        });
        Some(())
    }

    fn truncate(&mut self, rest: &mut Bytes<'_>) -> Option<()> {
        let (count, _options) = (rest.int()?, rest.byte()?);
        for _ in 0..count {
            let relation = self.relations.get(&rest.int()?)?;
            self.pending.push(Change {
                schema: relation.schema.clone(),
                table: relation.table.clone(),
                operation: Operation::Truncate,
                row: BTreeMap::new(),
                committed_us: 0,
            });
        }
        Some(())
    }
}

fn tuple(
    relation: &Relation,
    rest: &mut Bytes<'_>,
    key_only: bool,
) -> Option<BTreeMap<String, Option<String>>> {
    let count = rest.short()?;
    let mut row = BTreeMap::new();
    for (name, in_key) in relation.columns.iter().take(usize::from(count)) {
        let value = match rest.byte()? {
            b'n' => Some(None),
            b'u' => None,
            b't' => {
                let length = usize::try_from(rest.int()?).ok()?;
                Some(Some(String::from_utf8(rest.bytes(length)?.to_vec()).ok()?))
            }
            _ => return None,
        };
        if let Some(value) = value.filter(|_| *in_key || !key_only) {
            row.insert(name.clone(), value);
        }
    }
    (usize::from(count) == relation.columns.len()).then_some(row)
}

/// What is left of a message.
struct Bytes<'m>(&'m [u8]);

impl<'m> Bytes<'m> {
    fn bytes(&mut self, count: usize) -> Option<&'m [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn short(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn int(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// Up to a zero byte.
    fn text(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = String::from_utf8(self.bytes(end)?.to_vec()).ok()?;
        self.byte()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, Stream};

    fn relation() -> Vec<u8> {
        let mut message = b"R\0\0\0\x07data\0users_a\0d\0\x02".to_vec();
        message.extend(b"\x01id\0\0\0\0\x14\xff\xff\xff\xff");
        message.extend(b"\0handle\0\0\0\0\x19\xff\xff\xff\xff");
        message
    }

    #[test]
    fn a_transaction_is_read_and_every_cut_of_it_is_an_error_or_less() {
        let commit = {
            let mut message = b"C\0".to_vec();
            message.extend([0, 0, 0, 0, 0, 0, 0, 1]);
            message.extend([0, 0, 0, 0, 0, 0, 0, 2]);
            message.extend([0; 8]);
            message
        };
        let messages: [Vec<u8>; 6] = [
            b"B\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x05".to_vec(),
            relation(),
            b"I\0\0\0\x07N\0\x02t\0\0\0\x011t\0\0\0\x02me".to_vec(),
            b"U\0\0\0\x07N\0\x02t\0\0\0\x011u".to_vec(),
            b"D\0\0\0\x07K\0\x02t\0\0\0\x011n".to_vec(),
            commit,
        ];
        let mut stream = Stream::default();
        let mut read = None;
        for message in &messages {
            for cut in 1..message.len() {
                // Whatever is cut, nothing panics.
                let _ = Stream::default().take(&message[..cut]);
            }
            read = stream.take(message).expect("a message of the protocol").or(read);
        }
        let (end, changes) = read.expect("a commit");
        assert_eq!(end, 2);
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.operation, change.table.as_str(), change.row.len()))
            .collect();
        let expected = [
            (Operation::Insert, "users_a", 2),
            (Operation::Update, "users_a", 1),
            (Operation::Delete, "users_a", 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(changes[0].row["handle"].as_deref(), Some("me"));
        assert_eq!(changes[0].committed_us, 946_684_800_000_000);
        for wrong in [&b""[..], b"X", b"I\0\0\0\x09N\0\0", b"U\0\0\0\x07X\0\0"] {
            assert!(stream.take(wrong).is_none(), "{wrong:?}");
        }
    }
}
