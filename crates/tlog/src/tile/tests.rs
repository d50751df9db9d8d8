//! Paths, bundles, and the tiles of growing logs against tiles computed from the definition.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::hash::leaf_hash;
use crate::tree::{Levels, root_at};

fn id(content: Content, index: u64, width: u16) -> TileId {
    TileId::new(content, index, width).unwrap()
}

#[test]
fn paths() {
    let hashes = |level| Content::Hashes { level };
    for (id, path) in [
        (id(hashes(0), 0, 256), "tile/0/000"),
        (id(hashes(0), 0, 1), "tile/0/000.p/1"),
        (id(hashes(1), 999, 255), "tile/1/999.p/255"),
        (id(hashes(2), 1_000, 256), "tile/2/x001/000"),
        (id(hashes(63), 1_234_067, 17), "tile/63/x001/x234/067.p/17"),
        (id(Content::Entries, 1_234_067, 256), "tile/entries/x001/x234/067"),
        (id(Content::Entries, 0, 8), "tile/entries/000.p/8"),
        (id(hashes(0), u64::MAX, 256), "tile/0/x018/x446/x744/x073/x709/x551/615"),
    ] {
        assert_eq!(id.to_string(), path);
        assert_eq!(path.parse(), Ok(id));
    }
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/2",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/../000",
        "checkpoint",
    ] {
        assert_eq!(path.parse::<TileId>(), Err(TileError::Path), "{path}");
    }
    assert_eq!(id(hashes(0), 0, 3).partials_folder(), "tile/0/000.p");
    assert_eq!(TileId::new(Content::Entries, 0, 0), None);
    assert_eq!(TileId::new(Content::Entries, 0, 257), None);
    assert_eq!(TileId::new(hashes(64), 0, 1), None);
}

#[test]
fn tiles_of_a_size() {
    // The two examples of tlog-tiles.
    let paths = |size| partial_tiles(size).iter().map(TileId::to_string).collect::<Vec<_>>();
    assert_eq!(
        paths(70_000),
        ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    assert_eq!(paths(256), ["tile/1/000.p/1"]);
    assert_eq!(paths(0), [""; 0]);
    assert_eq!(tiles_between(0, 70_000).filter(TileId::is_full).count(), 273 * 2 + 1);
    assert_eq!(tiles_between(70_000, 70_000).count(), 0);
    let entry = |index, size| TileId::of_entry(index, size).map(|(id, place)| (id.to_string(), place));
    assert_eq!(entry(300, 70_000), Some(("tile/entries/001".to_owned(), 44)));
    assert_eq!(entry(69_999, 70_000), Some(("tile/entries/273.p/112".to_owned(), 111)));
    assert_eq!(entry(5, 5), None);
}

#[test]
fn bundles() {
    let longest = vec![7u8; ENTRY_BYTES_MAX];
    let entries = [b"abc".as_slice(), b"", &longest];
    let bytes = encode_bundle(&entries).unwrap();
    assert_eq!(&bytes[..9], b"\x00\x03abc\x00\x00\xff\xff");
    assert_eq!(decode_bundle(&bytes, 3).unwrap(), entries);
    for (length, width, error) in [
        (0, 1, TileError::Torn { entry: 0 }),
        (1, 1, TileError::Torn { entry: 0 }),
        (4, 1, TileError::Torn { entry: 0 }),
        (bytes.len() - 1, 3, TileError::Torn { entry: 2 }),
        (bytes.len(), 4, TileError::Torn { entry: 3 }),
        (bytes.len(), 2, TileError::Trailing { width: 2 }),
        (bytes.len(), 0, TileError::BundleWidth { got: 0 }),
        (bytes.len(), 257, TileError::BundleWidth { got: 257 }),
    ] {
        assert_eq!(decode_bundle(&bytes[..length], width), Err(error), "{length}, {width}");
    }
    assert_eq!(
        encode_bundle(&[vec![0u8; ENTRY_BYTES_MAX + 1]]),
        Err(TileError::EntryTooLong { got: ENTRY_BYTES_MAX + 1 })
    );
    assert_eq!(encode_bundle::<&[u8]>(&[]), Err(TileError::BundleWidth { got: 0 }));
    let mut edge = Edge::new();
    assert!(edge.append(&[b"a".to_vec(), vec![0u8; ENTRY_BYTES_MAX + 1]]).is_err());
    assert_eq!(edge, Edge::new());
}

/// Publishes a log of these sizes one after the other and compares every file with the definition of tlog-tiles.
fn check_growth(sizes: &[u32]) {
    let entries: Vec<_> = (0..*sizes.last().unwrap()).map(|number| number.to_string()).collect();
    let mut tree = Levels::new();
    entries.iter().for_each(|entry| tree.push(leaf_hash(entry.as_bytes())));
    let mut files = BTreeMap::new();
    let mut edge = Edge::new();
    for size in sizes {
        let old = edge.size();
        let new = u64::from(*size);
        let range = usize::try_from(old).unwrap()..usize::try_from(new).unwrap();
        let written = edge.append(&entries[range]).unwrap();
        let mut ids: Vec<_> = written.iter().map(|file| file.id).collect();
        let mut expected: Vec<_> = tiles_between(old, new).collect();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "{old} to {new}");
        files.extend(written.into_iter().map(|file| (file.id, file.bytes)));
        assert_eq!(edge.root(), root_at(&tree, new).unwrap());
        // A publisher that starts again finds the same edge.
        let resumed = Edge::resume(new, |id| Ok::<_, std::io::Error>(files.get(&id).cloned())).unwrap();
        assert_eq!((resumed.size(), resumed.frontier()), (new, edge.frontier()));
        edge = resumed;
        assert!(partial_tiles(new).iter().all(|id| files.contains_key(id)));
    }
    for (id, bytes) in &files {
        let start = id.index() * u64::from(TILE_WIDTH);
        let range = start..start + u64::from(id.width());
        match id.content() {
            Content::Entries => {
                let expected: Vec<_> =
                    range.map(|index| entries[usize::try_from(index).unwrap()].as_bytes()).collect();
                assert_eq!(decode_bundle(bytes, id.width()).unwrap(), expected, "{id}");
            }
            Content::Hashes { level } => {
                use crate::tree::Hashes;
                let expected: Vec<_> =
                    range.map(|index| tree.node(level * TILE_HEIGHT, index).unwrap()).collect();
                assert_eq!(decode_hashes(bytes, id.width()).unwrap(), expected, "{id}");
            }
        }
    }
}

#[test]
fn growth() {
    check_growth(&[1, 2, 255, 256, 257, 511, 512, 600, 600]);
    check_growth(&[65_535, 65_536, 65_537, 66_048, 70_000]);
    check_growth(&[70_000]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn growth_in_any_steps(mut sizes in prop::collection::vec(0u32..2_000, 1..12)) {
        sizes.sort_unstable();
        check_growth(&sizes);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600), width in any::<u16>()) {
        if let Ok(entries) = decode_bundle(&bytes, width) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes.clone());
        }
        if let Ok(hashes) = decode_hashes(&bytes, width) {
            prop_assert_eq!(encode_hashes(&hashes), bytes);
        }
    }

    #[test]
    fn any_path_is_read_without_harm(path in "(tile/)?[0-9a-z/x.p]{0,24}") {
        if let Ok(id) = path.parse::<TileId>() {
            prop_assert_eq!(id.to_string(), path);
        }
    }
}

#[test]
fn a_damaged_edge_is_not_resumed() {
    let mut edge = Edge::new();
    let files = edge.append(&["a", "b", "c"]).unwrap();
    let resume = |change: &dyn Fn(&TileFile) -> Option<Vec<u8>>| {
        Edge::resume(3, |id| {
            Ok::<_, std::io::Error>(files.iter().find(|file| file.id == id).and_then(change))
        })
        .unwrap_err()
    };
    assert!(matches!(resume(&|_| None), ResumeError::Missing { .. }));
    assert!(matches!(resume(&|file| Some(file.bytes[1..].to_vec())), ResumeError::Damaged { .. }));
    let flipped = |file: &TileFile| {
        let mut bytes = file.bytes.clone();
        let last = bytes.last_mut()?;
        *last ^= 1;
        Some(bytes)
    };
    assert!(matches!(resume(&flipped), ResumeError::Differs { place: 2, .. }));
}

#[test]
fn a_tile_is_the_beginning_of_every_wider_one() {
    let entries: Vec<String> = (0..600).map(|index| "x".repeat(index % 7)).collect();
    let publish = |size: usize| {
        let files = Edge::new().append(&entries[..size]).unwrap();
        files.into_iter().map(|file| (file.id, file.bytes)).collect::<std::collections::BTreeMap<_, _>>()
    };
    let newest = publish(600);
    for size in [1, 255, 256, 257, 300, 511, 512, 599, 600] {
        for (id, bytes) in publish(size) {
            let now = id.in_tree(600).unwrap();
            assert!(now.width() >= id.width(), "{id}");
            assert_eq!(id.cut(&newest[&now]), Ok(bytes.as_slice()), "{id}");
            assert_eq!(now.cut(&newest[&now]), Ok(newest[&now].as_slice()));
        }
    }
    for (path, size, expected) in [
        ("tile/0/000", 255, Some("tile/0/000.p/255")),
        ("tile/0/000", 256, Some("tile/0/000")),
        ("tile/0/001", 256, None),
        ("tile/1/000", 255, None),
        ("tile/1/000.p/9", 256, Some("tile/1/000.p/1")),
        ("tile/entries/002.p/1", 600, Some("tile/entries/002.p/88")),
        ("tile/63/000", u64::MAX, None),
    ] {
        let id: TileId = path.parse().unwrap();
        assert_eq!(id.in_tree(size).map(|id| id.to_string()).as_deref(), expected, "{path} of {size}");
    }
    let wide: TileId = "tile/0/000.p/9".parse().unwrap();
    assert!(wide.cut(&[0; 8 * 32]).is_err());
    let wide: TileId = "tile/entries/000.p/9".parse().unwrap();
    assert_eq!(wide.cut(&[0; 17]), Err(TileError::Torn { entry: 8 }));
}
