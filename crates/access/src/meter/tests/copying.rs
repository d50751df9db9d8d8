//! Counting by CopyData, in each of COPY's formats. PostgreSQL's own way of writing rows is written here once more, as
//! the other side of `fields`.

use sql::{CopyFormat, CopyOptions};

use super::*;
use crate::meter::fields::{Ended, Field, Line};

/// PostgreSQL's defaults.
fn options(format: CopyFormat) -> CopyOptions {
    let (delimiter, null) = if format == CopyFormat::Csv { (b',', "") } else { (b'\t', "\\N") };
    CopyOptions { format, delimiter, null: null.to_owned(), header: false, quote: b'"', escape: b'"' }
}

/// What COPY's messages count as: how many are rows, and whom they show.
fn check(options: &CopyOptions, messages: &[&[u8]]) -> (u64, Counted, Vec<String>) {
    let lab = LAB.with(std::rc::Rc::clone);
    let permit = support(&lab.bundle);
    let columns = [("users.handle", TEXT, T), ("users.id", INT8, T)];
    let shape = lab.shape(&permit, "SELECT handle, id FROM users", &columns).copied(options.clone());
    let mut meter = lab.metering.session(SITE, &permit);
    let mut counter = meter.begin(shape.into()).unwrap();
    let mut rows = 0;
    for message in messages {
        rows += u64::from(meter.copy(&mut counter, message, true, message.len()).unwrap());
    }
    assert_eq!(rows, counter.rows());
    let subjects = meter.end(&counter).unwrap();
    (rows, subjects.state, subjects.digests)
}

fn digests(ids: &[&str]) -> Vec<String> {
    let key = SubjectKey::new([7; 32]).of_scope("");
    let mut digests: Vec<_> = ids.iter().map(|id| tlog::hash::hex(&key.digest(id.as_bytes()))).collect();
    digests.sort();
    digests
}

#[test]
fn rows_of_copy() {
    use Counted::{AtLeast, Exact};
    let is = |options: &CopyOptions, messages: &[&[u8]], rows: u64, state: Counted, ids: &[&str]| {
        assert_eq!(check(options, messages), (rows, state, digests(ids)), "{options:?}");
    };
    let text = options(CopyFormat::Text);
    is(&text, &[b"a\t1\n", b"b\t2\n", b"c\t1\n"], 3, Exact, &["1", "2"]);
    is(&text, &[b"a\\tb\\\\\t1\n", b"\\N\t2\n", b"c\t\\N\n"], 3, AtLeast, &["1", "2"]);
    is(&text, &[b"only one field\n", b"a\t1\n"], 2, AtLeast, &["1"]);
    let other = CopyOptions { delimiter: b'|', null: "x".to_owned(), ..text };
    is(&other, &[b"a\\|b|1\n", b"x|2\n", b"c|x\n"], 3, AtLeast, &["1", "2"]);
    let csv = options(CopyFormat::Csv);
    is(&csv, &[b"a,1\n", b"\"b,\"\"\n\",2\n", b",3\n"], 3, Exact, &["1", "2", "3"]);
    is(&csv, &[b"a,\n", b"a,\"1\"\n"], 2, AtLeast, &["1"]);
    is(&csv, &[b"\"never closed,1\n", b"a,2\n"], 2, AtLeast, &["2"]);
    let named = CopyOptions { header: true, ..csv.clone() };
    is(&named, &[b"handle,id\n", b"a,1\n"], 1, Exact, &["1"]);
    let other = CopyOptions { quote: b'\'', escape: b'\\', delimiter: b';', ..csv };
    is(&other, &[b"'it\\'s; \\\\';1\n", b"x;2\n"], 2, Exact, &["1", "2"]);
    let binary = options(CopyFormat::Binary);
    let header = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    let one = row(&[Some(b"a"), Some(&1_i64.to_be_bytes())]);
    let two = row(&[None, Some(&2_i64.to_be_bytes())]);
    let first = [&header[..], &one].concat();
    is(&binary, &[&first, &two, b"\xff\xff"], 2, Exact, &["1", "2"]);
    is(&binary, &[header, &one, b"\xff\xff"], 1, Exact, &["1"]);
    is(&binary, &[b"no header", &two], 2, AtLeast, &["2"]);
}

/// As `CopyAttributeOutText` writes.
fn write_text(value: Option<&[u8]>, options: &CopyOptions, out: &mut Vec<u8>) {
    let Some(value) = value else { return out.extend(options.null.as_bytes()) };
    for byte in value {
        match byte {
            0x08 => out.extend(b"\\b"),
            0x0c => out.extend(b"\\f"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x0b => out.extend(b"\\v"),
            byte if *byte == b'\\' || *byte == options.delimiter => out.extend([b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
}

/// As `CopyAttributeOutCSV` writes; it quotes what could be taken for something else.
fn write_csv(value: Option<&[u8]>, options: &CopyOptions, out: &mut Vec<u8>) {
    let Some(value) = value else { return out.extend(options.null.as_bytes()) };
    let special = |byte: &u8| [options.delimiter, options.quote, b'\n', b'\r'].contains(byte);
    if value != options.null.as_bytes() && !value.iter().any(special) && value != b"\\." {
        return out.extend(value);
    }
    out.push(options.quote);
    for byte in value {
        if *byte == options.quote || *byte == options.escape {
            out.push(options.escape);
        }
        out.push(*byte);
    }
    out.push(options.quote);
}

fn values() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    let byte =
        prop_oneof![Just(b'\\'), Just(b'"'), Just(b','), Just(b'\''), Just(b'\n'), Just(b'N'), 1..=255_u8];
    prop::collection::vec(prop::option::of(prop::collection::vec(byte, 0..8)), 1..5)
}

proptest! {
    #[test]
    fn what_copy_writes_is_read(
        values in values(),
        is_csv in any::<bool>(),
        (quote, escape, delimiter) in prop_oneof![
            Just((b'"', b'"', b',')), Just((b'\'', b'\\', b',')), Just((b'"', b'\'', b'\t')), Just((b'"', b'"', b'|')),
        ],
    ) {
        let mut options = options(if is_csv { CopyFormat::Csv } else { CopyFormat::Text });
        (options.quote, options.escape, options.delimiter) = (quote, escape, delimiter);
        let mut line = Vec::new();
        for (at, value) in values.iter().enumerate() {
            if at > 0 {
                line.push(delimiter);
            }
            let write = if is_csv { write_csv } else { write_text };
            write(value.as_deref(), &options, &mut line);
        }
        line.push(b'\n');
        let mut fields = Line::of(&line, is_csv, &options, true);
        for value in &values {
            let expected = value.clone().map_or(Field::Null, |value| Field::Value(value.into()));
            prop_assert_eq!(fields.next(), Ok(expected), "{:?}", String::from_utf8_lossy(&line));
        }
        prop_assert_eq!(fields.next(), Err(Ended));
        // Of a part, each field that can be read is as it is in the whole.
        for end in 0..line.len() {
            let mut fields = Line::of(&line[..end], is_csv, &options, false);
            for value in &values {
                let expected = value.clone().map_or(Field::Null, |value| Field::Value(value.into()));
                match fields.next() {
                    Ok(field) => prop_assert_eq!(field, expected),
                    Err(Ended) => break,
                }
            }
        }
    }

    #[test]
    fn no_copy_does_harm(message in prop::collection::vec(any::<u8>(), 0..60), is_whole in any::<bool>(), which in 0..3_usize) {
        let lab = LAB.with(std::rc::Rc::clone);
        let permit = support(&lab.bundle);
        let options = options([CopyFormat::Text, CopyFormat::Csv, CopyFormat::Binary][which]);
        let columns = [("users.handle", TEXT, T), ("users.id", INT8, T)];
        let shape = lab.shape(&permit, "SELECT handle, id FROM users", &columns).copied(options);
        let mut meter = lab.metering.session(SITE, &permit);
        let mut counter = meter.begin(shape.into()).unwrap();
        meter.copy(&mut counter, &message, is_whole, 0).unwrap();
        meter.copy(&mut counter, &message, is_whole, 0).unwrap();
        prop_assert!(counter.rows() <= 2);
    }
}
