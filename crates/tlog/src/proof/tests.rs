//! Receipts: what is written is read and proves what it should, made from tiles of every shape; and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::checkpoint::Checkpoint;
use crate::note::{KeyType, SigningKey};
use crate::reader::{Source, Tiles, TilesError};
use crate::tile::Edge;
use crate::tree::verify_consistency;

const ORIGIN: &str = "example.com/log";

struct Files(BTreeMap<String, Vec<u8>>);

impl Source for Files {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        Ok(self.0.get(path).cloned())
    }
}

/// A log of so many entries, published in one step, and its signed checkpoint.
fn log(size: u64) -> (Files, SignedNote, ReleaseRule) {
    let mut edge = Edge::new();
    let entries: Vec<String> = (0..size).map(|index| format!("entry {index}")).collect();
    let files = edge.append(&entries).unwrap().into_iter().map(|file| (file.path(), file.bytes)).collect();
    let key = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [1; 32]).unwrap();
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: edge.root() }.to_string();
    (Files(files), key.sign_note(&text).unwrap(), ReleaseRule::all_of(key.verifier(), &[]).unwrap())
}

fn receipt(files: &Files, note: &SignedNote, index: u64) -> Result<Receipt, TilesError> {
    let size = Checkpoint::parse(&note.text).unwrap().size;
    let tiles = Tiles::new(files, size);
    let (entry, hashes) = (tiles.entry(index)?, tiles.inclusion(index)?);
    Ok(Receipt { extra: Some(entry), index, hashes, note: note.clone() })
}

#[test]
fn every_entry_of_every_shape_is_proved() {
    for size in [1, 2, 3, 255, 256, 257, 511, 512, 600, 65_536, 66_000] {
        let (files, note, rule) = log(size);
        let step = usize::try_from(size / 40 + 1).unwrap();
        for index in (0..size).step_by(step).chain([size - 1]) {
            let made = receipt(&files, &note, index).unwrap();
            let read = Receipt::parse(made.to_string()).unwrap();
            assert_eq!(read, made);
            let (accepted, entry) = read.verify_entry(&rule).unwrap();
            assert_eq!((accepted.checkpoint.size, entry), (size, format!("entry {index}").as_bytes()));
            // Without the entry it proves the same to whoever knows the leaf.
            let bare = Receipt { extra: None, ..made.clone() };
            assert!(bare.to_string().starts_with(&format!("{RECEIPT_START}\nindex {index}\n")));
            assert!(bare.verify(&rule, &leaf_hash(entry)).is_ok());
            assert_eq!(bare.verify_entry(&rule).unwrap_err(), ReceiptError::NoEntry);
        }
        assert!(matches!(receipt(&files, &note, size), Err(TilesError::Proof(_))));
    }
}

#[test]
fn tiles_prove_consistency() {
    let (files, note, _) = log(66_000);
    let new = Checkpoint::parse(&note.text).unwrap();
    for old in [0, 1, 2, 255, 256, 257, 511, 600, 65_535, 65_536, 65_537, 66_000] {
        let (_, older, _) = log(old);
        let older = Checkpoint::parse(&older.text).unwrap();
        let proof = Tiles::new(&files, new.size).consistency(old).unwrap();
        assert_eq!(verify_consistency(old, new.size, &proof, &older.root, &new.root), Ok(()), "{old}");
    }
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let check = |path: &str, change: fn(&mut Vec<u8>), expected: &str| {
        let (mut files, note, _) = log(600);
        change(files.0.get_mut(path).unwrap());
        files.0.retain(|_, bytes| !bytes.is_empty());
        assert_eq!(receipt(&files, &note, 300).unwrap_err().to_string(), expected);
    };
    check("tile/entries/001", Vec::clear, "tile/entries/001: is missing");
    check("tile/0/001", Vec::clear, "tile/0/001: is missing");
    check("tile/0/002.p/88", Vec::clear, "tile/0/002.p/88: is missing");
    check(
        "tile/0/001",
        |bytes| bytes.truncate(8_191),
        "tile/0/001: a tile of width 256 has 8192 bytes, not 8191",
    );
    check("tile/entries/001", |bytes| bytes.truncate(1), "tile/entries/001: the bundle ends inside entry 0");
}

#[test]
fn refused() {
    let (files, note, rule) = log(600);
    let good = receipt(&files, &note, 300).unwrap();
    let verify = |receipt: &Receipt| receipt.verify_entry(&rule).map(|_| ()).unwrap_err();
    for (altered, error) in [
        (Receipt { index: 301, ..good.clone() }, ProofError::Root),
        (Receipt { index: 600, ..good.clone() }, ProofError::NoSuchLeaf { index: 600, size: 600 }),
        (Receipt { extra: Some(b"entry 301".to_vec()), ..good.clone() }, ProofError::Root),
        (Receipt { hashes: good.hashes[1..].to_vec(), ..good.clone() }, ProofError::Length { got: 9 }),
    ] {
        assert_eq!(verify(&altered), ReceiptError::Proof(error));
    }
    let other = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [2; 32]).unwrap();
    let forged = Receipt { note: other.sign_note(&note.text).unwrap(), ..good.clone() };
    assert!(matches!(verify(&forged), ReceiptError::Rule(_)));
    for extra in [vec![], vec![0; ENTRY_BYTES_MAX + 1]] {
        assert_eq!(verify(&Receipt { extra: Some(extra), ..good.clone() }), ReceiptError::NoEntry);
    }

    let text = good.to_string();
    let hash = good.hashes[0].to_base64();
    let many = format!("{hash}\n").repeat(64);
    for (text, error) in [
        (String::new(), ReceiptError::Start),
        (text.replace("@v1", "@v2"), ReceiptError::Start),
        (format!(" {text}"), ReceiptError::Start),
        (text.replace("extra ", "extra  "), ReceiptError::Extra),
        (text.replace("extra ", "Extra "), ReceiptError::Index),
        (text.replace("index 300", "index 0300"), ReceiptError::Index),
        (text.replace("index 300", "index +300"), ReceiptError::Index),
        (text.replace("index 300\n", ""), ReceiptError::Index),
        (text.replace(&hash, "AAAA"), ReceiptError::Hash { line: 1 }),
        (text.replace(&format!("{hash}\n"), &many), ReceiptError::TooManyHashes),
        (text.split("\n\n").next().unwrap().to_owned(), ReceiptError::NoCheckpoint),
        (text.split('—').next().unwrap().to_owned(), ReceiptError::Note(NoteError::NoSignatures)),
        ("x".repeat(RECEIPT_BYTES_MAX + 1), ReceiptError::TooLong),
    ] {
        assert_eq!(Receipt::parse(&text), Err(error), "{}", text.chars().take(400).collect::<String>());
    }
    assert_eq!(Receipt::parse([0xff]), Err(ReceiptError::NotUtf8));
}

#[test]
fn no_bit_of_a_receipt_can_change() {
    let (files, note, rule) = log(5);
    let bytes = receipt(&files, &note, 3).unwrap().to_string().into_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut altered = bytes.clone();
            altered[at] ^= 1 << bit;
            let read = Receipt::parse(&altered).and_then(|read| read.verify_entry(&rule).map(|_| ()));
            assert!(read.is_err(), "bit {bit} of byte {at}: {}", String::from_utf8_lossy(&altered));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Receipt::parse(&bytes);
        let _ = Receipt::parse([RECEIPT_START.as_bytes(), b"\n", &bytes].concat());
    }
}
