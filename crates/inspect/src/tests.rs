//! What is found, a line a case (testdata); and properties of any text whatever.

mod columns;
mod made;

use proptest::prelude::*;

use crate::{Finding, Stream, scan};

const TEXTS: &str = include_str!("../testdata/text.tsv");

/// A text between whose marks the findings are, and what they are.
fn check(expected: &str, marked: &str) -> Result<(), String> {
    let mut text = String::new();
    let mut spans = Vec::new();
    for part in marked.split_inclusive(['«', '»']) {
        let bare = part.trim_end_matches(['«', '»']);
        text.push_str(bare);
        match part.chars().last() {
            Some('«') => spans.push((text.len(), 0)),
            Some('»') => spans.last_mut().unwrap().1 = text.len(),
            _ => {}
        }
    }
    let found: Vec<(usize, usize)> = scan(text.as_bytes()).iter().map(span).collect();
    let kinds: Vec<String> = scan(text.as_bytes()).iter().map(told).collect();
    let kinds = if kinds.is_empty() { "-".to_owned() } else { kinds.join(",") };
    if kinds == expected && found == spans {
        return Ok(());
    }
    let values: Vec<&str> = found.iter().map(|(start, end)| &text[*start..*end]).collect();
    Err(format!("{marked}\n    expected {expected}, found {kinds} {values:?}"))
}

fn span(finding: &Finding) -> (usize, usize) {
    let start = usize::try_from(finding.offset).unwrap();
    (start, start + usize::try_from(finding.length).unwrap())
}

fn told(finding: &Finding) -> String {
    format!("{}/{}/{}", finding.kind.as_str(), finding.scheme, finding.validation.as_str())
}

#[test]
fn texts_hold_what_the_table_says() {
    let lines = TEXTS.lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<String> = lines
        .filter_map(|line| {
            let (expected, marked) = line.split_once('\t').unwrap();
            check(expected, marked).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
}

/// Text in which identifiers and what is nearly one are frequent.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> =
        TEXTS.lines().filter_map(|line| line.split_once('\t')).map(|(_, text)| text).collect();
    let piece = prop_oneof![
        prop::sample::select(lines).prop_map(|line| line.replace(['«', '»'], "").into_bytes()),
        prop::collection::vec(
            prop::sample::select(b"0123456789abAZ@.:-+/ ()_%\xC2\xB0\xFF\n".to_vec()),
            0..40
        ),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn streamed(text: &[u8], pieces: &[usize]) -> Vec<(Finding, Vec<u8>)> {
    let mut found = Vec::new();
    let mut stream = Stream::default();
    let mut rest = text;
    for length in pieces.iter().cycle() {
        let (piece, after) = rest.split_at((*length).clamp(1, rest.len().max(1)).min(rest.len()));
        stream.push(piece, &mut |finding, bytes| found.push((finding, bytes.to_vec())));
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    stream.finish(&mut |finding, bytes| found.push((finding, bytes.to_vec())));
    found
}

proptest! {
    #[test]
    fn findings_are_in_the_text_and_in_order(text in texts()) {
        let mut after = 0;
        for finding in scan(&text) {
            let (start, end) = span(&finding);
            prop_assert!(after <= start && start < end && end <= text.len());
            after = end;
        }
    }

    #[test]
    fn pieces_hold_what_the_whole_holds(text in texts(), pieces in prop::collection::vec(1..900_usize, 1..8)) {
        let text = text.repeat(3);
        let whole: Vec<(Finding, Vec<u8>)> =
            scan(&text).into_iter().map(|found| (found, text[span(&found).0..span(&found).1].to_vec())).collect();
        prop_assert_eq!(streamed(&text, &pieces), whole);
    }
}

/// Texts on which a search that goes back would take the square of their length.
#[test]
fn time_is_linear_in_the_text() {
    for unit in ["a", "1", "@", "a@", "1 ", "1.", "1-", ":", "1:", "+1", "a.", "DE89 ", "°", "1°1'"] {
        let text = unit.repeat(200_000 / unit.len());
        scan(text.as_bytes());
    }
}
