//! The binary log, of bytes laid out here as MS-EVEN6 and the descriptions of the file format have them: a header, a chunk,
//! records of BinXml without templates.

use super::*;

const CHUNK_BYTES: usize = 1 << 16;
const RECORDS_AT: usize = 512;
/// 100 ns since 1601 of 1 May 2024, 10:00 UTC.
const FILETIME: u64 = (1_714_557_600 + 11_644_473_600) * 10_000_000;

/// An element: its name, its attributes, and elements or a text in it.
enum Inner {
    Text(&'static str),
    Elements(Vec<Element>),
}

struct Element(&'static str, Vec<(&'static str, &'static str)>, Inner);

fn text(name: &'static str, text: &'static str) -> Element {
    Element(name, Vec::new(), Inner::Text(text))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A name, where it is first used, in a chunk of which so much is written.
fn push_name(chunk: &mut Vec<u8>, name: &str) {
    let at = chunk.len() as u32 + 4;
    chunk.extend(at.to_le_bytes());
    chunk.extend([0; 6]);
    chunk.extend((name.len() as u16).to_le_bytes());
    chunk.extend(utf16(name));
    chunk.extend([0; 2]);
}

fn push_text(chunk: &mut Vec<u8>, text: &str) {
    chunk.extend([0x05, 0x01]);
    chunk.extend((text.len() as u16).to_le_bytes());
    chunk.extend(utf16(text));
}

fn push_element(chunk: &mut Vec<u8>, Element(name, attributes, inner): &Element) {
    chunk.push(if attributes.is_empty() { 0x01 } else { 0x41 });
    chunk.extend([0; 4]);
    push_name(chunk, name);
    if !attributes.is_empty() {
        chunk.extend([0; 4]);
    }
    for (name, value) in attributes {
        chunk.push(0x06);
        push_name(chunk, name);
        push_text(chunk, value);
    }
    chunk.push(0x02);
    match inner {
        Inner::Text(text) => push_text(chunk, text),
        Inner::Elements(elements) => elements.iter().for_each(|element| push_element(chunk, element)),
    }
    chunk.push(0x04);
}

fn event(number: &'static str, data: &[(&'static str, &'static str)]) -> Element {
    let system = vec![
        text("EventID", number),
        Element("TimeCreated", vec![("SystemTime", "2024-05-01T10:00:00.000000Z")], Inner::Text("")),
        text("EventRecordID", "9"),
        text("Channel", "Security"),
        text("Computer", "dc.example.org"),
    ];
    let data = data.iter().map(|(name, value)| Element("Data", vec![("Name", *name)], Inner::Text(value)));
    let parts = vec![
        Element("System", Vec::new(), Inner::Elements(system)),
        Element("EventData", Vec::new(), Inner::Elements(data.collect())),
    ];
    Element("Event", Vec::new(), Inner::Elements(parts))
}

/// A log of one chunk.
fn log(events: &[Element]) -> Vec<u8> {
    let mut chunk = vec![0; RECORDS_AT];
    let mut last = 0;
    for (number, event) in events.iter().enumerate() {
        last = chunk.len();
        chunk.extend(b"**\0\0");
        chunk.extend([0; 4]);
        chunk.extend((number as u64 + 1).to_le_bytes());
        chunk.extend(FILETIME.to_le_bytes());
        chunk.extend([0x0F, 1, 1, 0]);
        push_element(&mut chunk, event);
        chunk.push(0);
        let size = (chunk.len() - last + 4) as u32;
        chunk.extend(size.to_le_bytes());
        chunk[last + 4..last + 8].copy_from_slice(&size.to_le_bytes());
    }
    let count = events.len() as u64;
    let mut header = b"ElfChnk\0".to_vec();
    for number in [1, count, 1, count] {
        header.extend(number.to_le_bytes());
    }
    for number in [128, last as u32, chunk.len() as u32] {
        header.extend(number.to_le_bytes());
    }
    chunk[..header.len()].copy_from_slice(&header);
    chunk.resize(CHUNK_BYTES, 0);
    let mut file = b"ElfFile\0".to_vec();
    for number in [0, 0, count + 1] {
        file.extend(number.to_le_bytes());
    }
    file.extend(128_u32.to_le_bytes());
    for number in [1_u16, 3, 4_096, 1] {
        file.extend(number.to_le_bytes());
    }
    file.resize(4_096, 0);
    [file, chunk].concat()
}

fn logons() -> Vec<u8> {
    log(&[
        event("4624", &[("TargetUserName", "ana"), ("IpAddress", "203.0.113.9"), ("LogonType", "10")]),
        event("4688", &[("NewProcessName", "x")]),
        event("4625", &[("TargetUserName", "bo"), ("SubStatus", "0xc000006a"), ("IpAddress", "-")]),
    ])
}

const WANTED: [&str; 2] = [
    "2024-05-01T10:00:00Z logon ok ana ip=203.0.113.9 agent=Windows remote target=dc.example.org \
     id=dc.example.org/9/1714557600000",
    "2024-05-01T10:00:00Z logon Password bo target=dc.example.org id=dc.example.org/9/1714557600000 code=0xc000006a",
];

#[test]
fn a_log_is_read_from_a_stream_and_from_a_file() {
    let (items, counts) = all(Format::Evtx, logons(), &options());
    assert_eq!(items, WANTED);
    assert_eq!(counts, Counts { logins: 2, others: 1, problems: 0 });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Security.evtx");
    std::fs::write(&path, logons()).unwrap();
    let mut count = 0;
    let counts = read(Format::Evtx, Input::File(File::open(&path).unwrap()), &options(), &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((counts.unwrap().logins, count), (2, 2));
}

#[test]
fn a_damaged_record_is_told() {
    let mut log = logons();
    // A token that is none, where the second record's text begins.
    let second = log.windows(4).enumerate().filter(|(_, four)| *four == b"**\0\0").nth(1).unwrap().0;
    log[second + 24] = 0xEE;
    let (items, counts) = all(Format::Evtx, log, &options());
    assert_eq!(counts.problems, 1, "{items:?}");
    assert!(items.iter().any(|item| item.starts_with("record 2: damaged: ")), "{items:?}");
    assert!(items.iter().any(|item| item == WANTED[0]), "{items:?}");
}
