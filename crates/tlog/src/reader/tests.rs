//! The reader against one honest record, published in steps, and against everything that can be done to it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use proptest::prelude::*;

use super::*;
use crate::entry::{Entry, Micros};
use crate::note::{KeyType, SigningKey};
use crate::tile::Edge;

const ORIGIN: &str = "example.com/log";
const KEY: &str = "2026-01-31.access";

/// A record in memory, by path.
#[derive(Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        self.0.keys().for_each(|path| each(path));
        Ok(true)
    }
}

fn signer(name: &str, kind: KeyType, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, kind, [seed; 32]).unwrap()
}

fn log() -> SigningKey {
    signer(ORIGIN, KeyType::Ed25519, 1)
}

fn witnesses() -> [SigningKey; 2] {
    [
        signer("example.com/witness", KeyType::CosignatureV1, 2),
        signer("example.com/redecided", KeyType::CosignatureV1, 3),
    ]
}

fn rule() -> ReleaseRule {
    let [witness, redecided] = witnesses();
    let both = [("witness", witness.verifier()), ("redecided", redecided.verifier())];
    ReleaseRule::all_of(log().verifier(), &both).unwrap()
}

fn note(text: &str) -> SignedNote {
    let mut note = log().sign_note(text).unwrap();
    note.signatures.extend(witnesses().map(|witness| witness.cosign(text, 1_000).unwrap()));
    note
}

/// Publishes entries, given as bytes, in steps of these sizes and a last one to the end.
fn publish(entries: &[Vec<u8>], steps: &[usize]) -> Files {
    let mut files = Files::default();
    let mut edge = Edge::new();
    let mut from = 0;
    for to in steps.iter().copied().chain([entries.len()]) {
        for file in edge.append(&entries[from..to]).unwrap() {
            files.0.insert(file.path(), file.bytes);
        }
        from = to;
    }
    let text = Checkpoint { origin: ORIGIN.to_owned(), size: edge.size(), root: edge.root() }.to_string();
    files.0.insert(CHECKPOINT_PATH.to_owned(), note(&text).to_string().into_bytes());
    files
}

fn entry(time: i64, kind: Kind, session: Option<u8>) -> Entry {
    let session = session.map(|digit| format!("{digit:032x}"));
    Entry { session, ..Entry::new(Micros(time), kind, "dublin-1") }
}

/// A day's beginning and releases in one session, `count` entries in all.
fn story(count: usize) -> Vec<Entry> {
    let mut entries = vec![
        Entry { key: Some(KEY.to_owned()), ..entry(0, Kind::KeyMade, None) },
        entry(0, Kind::GateStart, None),
        entry(1, Kind::SessionOpen, Some(1)),
    ];
    for time in (2..).take(count.saturating_sub(4)) {
        let detail = Some("5".repeat(64));
        entries.push(Entry {
            key: Some(KEY.to_owned()),
            detail,
            ..entry(time, Kind::AccessRelease, Some(1))
        });
    }
    entries.push(entry(i64::MAX / 100_000, Kind::SessionClose, Some(1)));
    entries
}

fn encode(entries: &[Entry]) -> Vec<Vec<u8>> {
    entries.iter().map(|entry| entry.encode().unwrap()).collect()
}

fn findings(files: &Files) -> Vec<String> {
    Reader::new(files, &rule()).verify().findings.iter().map(ToString::to_string).collect()
}

#[test]
fn honest_records_are_clean() {
    for (count, steps) in [
        (4, vec![]),
        (255, vec![1, 2]),
        (256, vec![255]),
        (257, vec![3, 256]),
        (1_000, vec![10, 10, 300, 511, 512, 900]),
        (66_000, vec![65_535, 65_536, 65_540]),
    ] {
        let files = publish(&encode(&story(count)), &steps);
        let report = Reader::new(&files, &rule()).verify();
        assert_eq!(report.findings, [], "{count}");
        assert!(report.is_clean());
        assert_eq!((report.origin.as_str(), report.size), (ORIGIN, u64::try_from(count).unwrap()));
        assert_eq!(report.entries_by_kind.values().sum::<u64>(), report.size);
        assert_eq!((report.entries_by_kind[&Kind::KeyMade], report.signers.len(), report.ahead), (1, 3, 0));
    }
    let empty = publish(&[], &[]);
    assert_eq!(findings(&empty), [""; 0]);
}

#[test]
fn extension_lines_are_counted_and_harm_nothing() {
    let mut files = publish(&encode(&story(10)), &[]);
    let text = SignedNote::parse(&files.0[CHECKPOINT_PATH]).unwrap().text + "one\ntwo\n";
    files.0.insert(CHECKPOINT_PATH.to_owned(), note(&text).to_string().into_bytes());
    let report = Reader::new(&files, &rule()).verify();
    assert_eq!((report.findings.as_slice(), report.extension_lines), ([].as_slice(), 2));
}

#[test]
fn tidied_and_growing_records_are_clean() {
    let entries = encode(&story(700));
    let mut files = publish(&entries[..300], &[]);
    let checkpoint = files.0[CHECKPOINT_PATH].clone();
    // Files of a larger size, under the checkpoint of the smaller one.
    files.0.extend(publish(&entries, &[300]).0);
    files.0.insert(CHECKPOINT_PATH.to_owned(), checkpoint);
    let report = Reader::new(&files, &rule()).verify();
    assert_eq!((report.findings.as_slice(), report.size), ([].as_slice(), 300));
    assert!(report.ahead > 0);
    // The incomplete tiles of the smaller size may go, now that the full ones are there.
    files.0.retain(|path, _| !path.contains("/001.p/"));
    assert_eq!(findings(&files), [""; 0]);
}

/// Changes the honest record of 600 entries, published at 10 and 300 before, and looks for these findings and no
/// more.
fn check(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>), expected: &[&str]) {
    let mut files = publish(&encode(&story(600)), &[10, 300]);
    assert_eq!(findings(&files), [""; 0]);
    change(&mut files.0);
    let found = findings(&files);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found:?} does not say {expected:?}");
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1;
}

#[test]
fn damaged_tiles() {
    check(
        |files| {
            files.remove("tile/0/000");
        },
        &["tile/0/000: is missing"],
    );
    check(
        |files| {
            files.remove("tile/1/000.p/2");
        },
        &["tile/1/000.p/2: is missing"],
    );
    check(
        |files| {
            files.remove("tile/entries/001");
        },
        &["tile/entries/001: is missing"],
    );
    check(
        |files| {
            files.remove("tile/entries/001");
            files.remove("tile/0/001");
        },
        &[
            "tile/0/001: is missing",
            "tile/entries/001: is missing",
            "nothing from entry 256 on can be checked",
        ],
    );
    check(|files| flip(files.get_mut("tile/0/001").unwrap(), 32 * 77), &["tile/0/001: hash 77 is "]);
    check(|files| flip(files.get_mut("tile/0/002.p/88").unwrap(), 0), &["tile/0/002.p/88: hash 0 is "]);
    check(|files| flip(files.get_mut("tile/1/000.p/2").unwrap(), 63), &["tile/1/000.p/2: hash 1 is "]);
    check(
        |files| files.get_mut("tile/0/001").unwrap().push(0),
        &["tile/0/001: a tile of width 256 has 8192 bytes, not 8193"],
    );
    check(
        |files| files.get_mut("tile/entries/001").unwrap().push(0),
        &["tile/entries/001: the bundle has bytes after its 256 entries"],
    );
    check(
        |files| files.get_mut("tile/entries/001").unwrap().truncate(70),
        &["tile/entries/001: the bundle ends inside entry 0", "tile/entries/001.p/44: differs"],
    );
    check(
        |files| files.get_mut("tile/entries/000").unwrap().clear(),
        &["tile/entries/000: the bundle ends inside entry 0", "tile/entries/000.p/10: differs"],
    );
}

#[test]
fn altered_entries() {
    // One digit of a time: the entry stays well-formed, but its hash is another.
    check(
        |files| {
            let bundle = files.get_mut("tile/entries/001").unwrap();
            let text = b"00.000455Z";
            let at = bundle.windows(text.len()).position(|window| window == text).unwrap();
            bundle[at + 8] = b'4';
        },
        &["tile/0/001: hash 200 is ", "tile/1/000.p/2: hash 1 is ", "checkpoint: states the root "],
    );
    check(
        |files| {
            let bundle = files.get_mut("tile/entries/002.p/88").unwrap();
            let last = bundle.len() - 1;
            flip(bundle, last);
        },
        &["tile/entries/002.p/88 entry 599: not an entry", "tile/0/002.p/88: hash 87 is ", "states the root"],
    );
}

#[test]
fn strays() {
    check(
        |files| {
            files.insert("tile/0/000.tmp".to_owned(), vec![]);
            files.insert("tile/9/000.p/1".to_owned(), vec![0; 32]);
            files.insert("index.html".to_owned(), vec![]);
        },
        &["index.html: is no file", "tile/0/000.tmp: is no file", "tile/9/000.p/1: is no file"],
    );
    check(
        |files| flip(files.get_mut("tile/0/000.p/10").unwrap(), 1),
        &["tile/0/000.p/10: differs from the beginning of tile/0/000"],
    );
    check(
        |files| files.get_mut("tile/entries/001.p/44").unwrap().truncate(9),
        &["tile/entries/001.p/44: the bundle ends inside entry 0"],
    );
    check(
        |files| flip(files.get_mut("tile/1/000.p/1").unwrap(), 0),
        &["tile/1/000.p/1: differs from the beginning of tile/1/000.p/2"],
    );
}

#[test]
fn checkpoints() {
    let replace = |from: &'static str, to: &'static str| {
        move |files: &mut BTreeMap<String, Vec<u8>>| {
            let text = String::from_utf8(files[CHECKPOINT_PATH].clone()).unwrap();
            files.insert(CHECKPOINT_PATH.to_owned(), text.replace(from, to).into_bytes());
        }
    };
    check(
        |files| {
            files.remove(CHECKPOINT_PATH);
        },
        &["checkpoint: is missing"],
    );
    check(replace("\n\n", "\n"), &["checkpoint: the note has no blank line"]);
    check(replace("\n600\n", "\n0600\n"), &["checkpoint: does not satisfy the release rule: the note is no"]);
    check(replace("— example.com/redecided", "— example.com/other"), &["no cosignature by redecided"]);
    check(replace("— example.com/log", "— example.com/other"), &["has not signed the checkpoint"]);
    check(
        replace("\n600\n", "\n599\n"),
        &[
            "the signature of example.com/log does not verify",
            "is missing",
            "is missing",
            "nothing from entry 512",
        ],
    );
    check(
        |files| {
            let root = crate::hash::leaf_hash(b"other");
            let text = Checkpoint { origin: ORIGIN.to_owned(), size: 600, root }.to_string();
            files.insert(CHECKPOINT_PATH.to_owned(), note(&text).to_string().into_bytes());
        },
        &["checkpoint: states the root "],
    );
    // A size that nobody could publish ends at once.
    check(
        |files| {
            let text = Checkpoint { origin: ORIGIN.to_owned(), size: u64::MAX, root: EMPTY_ROOT }.to_string();
            files.clear();
            files.insert(CHECKPOINT_PATH.to_owned(), note(&text).to_string().into_bytes());
        },
        &["tile/0/000: is missing", "tile/entries/000: is missing", "nothing from entry 0 on"],
    );
}

/// Publishes these entries after the beginning of a day and looks for what is said of the last one.
fn check_order(entries: &[Entry], expected: Option<&str>) {
    let mut all = story(4);
    all.pop();
    all.extend_from_slice(entries);
    let found = findings(&publish(&encode(&all), &[]));
    match expected {
        None => assert_eq!(found, [""; 0]),
        Some(expected) => {
            assert_eq!(found.len(), 1, "{found:#?}");
            let place = format!("tile/entries/000.p/{} entry {}: ", all.len(), all.len() - 1);
            assert!(found[0].starts_with(&place) && found[0].contains(expected), "{found:?}: {expected}");
        }
    }
}

#[test]
fn order_of_entries() {
    let at = |kind, session| entry(9, kind, session);
    let of = |gate: &str, entry: Entry| Entry { gate: gate.to_owned(), ..entry };
    let keyed = |key: &str, entry: Entry| Entry { key: Some(key.to_owned()), ..entry };
    check_order(&[at(Kind::AccessCut, Some(1)), at(Kind::SessionClose, Some(1))], None);
    check_order(&[at(Kind::LoginJudged, None), at(Kind::AccessDecision, None)], None);
    check_order(&[at(Kind::AccessRelease, None)], Some("access.release names no session"));
    check_order(&[at(Kind::SessionOpen, None)], Some("session.open names no session"));
    check_order(&[at(Kind::SessionOpen, Some(1))], Some("a second time"));
    check_order(&[at(Kind::AccessRelease, Some(2))], Some("which is not open"));
    check_order(
        &[at(Kind::SessionClose, Some(1)), at(Kind::AccessRelease, Some(1))],
        Some("which is not open"),
    );
    check_order(&[of("hamar", at(Kind::AccessRelease, Some(1)))], Some("of another gate, dublin-1"));
    // A gate that starts again has lost its sessions, and only its own.
    check_order(&[at(Kind::GateStart, None), at(Kind::AccessRelease, Some(1))], Some("which is not open"));
    check_order(&[of("hamar", at(Kind::GateStart, None)), at(Kind::AccessRelease, Some(1))], None);
    check_order(
        &[entry(0, Kind::PolicyApplied, None)],
        Some("is before that of entry 2, 1970-01-01T00:00:00.000001Z"),
    );
    let detailed = Entry { detail: Some("5".repeat(64)), ..at(Kind::PolicyApplied, None) };
    check_order(&[keyed(KEY, detailed.clone())], None);
    check_order(std::slice::from_ref(&detailed), Some("names no key"));
    check_order(&[keyed("2026-02-01.access", detailed.clone())], Some("was not made before"));
    let forgotten = keyed(KEY, at(Kind::KeyForgotten, None));
    check_order(&[forgotten.clone(), keyed(KEY, detailed)], Some("or is forgotten"));
    check_order(&[forgotten.clone(), forgotten], Some("is forgotten already"));
}

#[test]
fn findings_are_counted_beyond_the_bound() {
    let entries = vec![b"nothing".to_vec(); FINDINGS_MAX + 500];
    let report = Reader::new(&publish(&entries, &[]), &rule()).verify();
    assert_eq!((report.findings.len(), report.findings_omitted), (FINDINGS_MAX, 500));
}

/// A source whose files cannot be read.
struct Broken;

impl Source for Broken {
    fn read(&self, _: &str) -> Result<Option<Vec<u8>>, io::Error> {
        Err(io::Error::other("the disk is gone"))
    }
}

#[test]
fn unreadable_files_are_findings() {
    let report = Reader::new(&Broken, &rule()).verify();
    assert_eq!(report.findings.len(), 1);
    assert!(!report.is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any change of any one file of an honest record is found, and none stops the reader.
    #[test]
    fn any_change_is_found(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
        cut in any::<bool>(),
    ) {
        let mut files = publish(&encode(&story(300)), &[10]);
        let path = file.get(&files.0.keys().cloned().collect::<Vec<_>>()).clone();
        let bytes = files.0.get_mut(&path).unwrap();
        let place = at.index(bytes.len());
        if cut {
            bytes.truncate(place);
        } else {
            bytes[place] ^= 1 << bit;
        }
        prop_assert!(!findings(&files).is_empty(), "{path} at {place}");
    }
}
