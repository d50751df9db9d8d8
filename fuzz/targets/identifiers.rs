//! Any bytes as text: every finding lies in it, in order, and pieces of it hold the same findings as the whole; a
//! column of its lines is judged.
#![no_main]

use inspect::{Column, Finding, Stream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = inspect::scan(bytes);
    let mut after = 0;
    for found in &whole {
        let end = found.offset + u64::from(found.length);
        assert!(after <= found.offset && found.length > 0 && end <= bytes.len() as u64, "{found:?}");
        after = end;
    }
    let length = bytes.first().map_or(1, |first| usize::from(*first).max(1));
    assert_eq!(streamed(bytes, length), whole);
    let text = String::from_utf8_lossy(bytes);
    let (name, values) = text.split_once('\n').unwrap_or_default();
    let values: Vec<&str> = values.lines().collect();
    let judged = inspect::judge(&Column { name, values: &values });
    assert!((0.0..=1.0).contains(&judged.confidence), "{judged:?}");
});

fn streamed(bytes: &[u8], length: usize) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut stream = Stream::default();
    for piece in bytes.chunks(length) {
        stream.push(piece, &mut |finding, _| found.push(finding));
    }
    stream.finish(&mut |finding, _| found.push(finding));
    found
}
