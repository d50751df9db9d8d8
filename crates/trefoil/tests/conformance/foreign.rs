//! A record judged by the crates signed_note and tlog_tiles, ports of what Go's checksum database runs: its note, its
//! tiles, every entry, and proofs between and into its trees.

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{
    Checkpoint, Error, Hash, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, prove_tree, record_hash, stored_hash_index, tree_hash,
};

/// The file of a record at a path.
pub type Read<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

const HEIGHT: u8 = 8;
/// Entries that are proved one by one.
const PROVED: u64 = 20;

struct Tiles<'a>(Read<'a>);

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(tiles
            .iter()
            .map(|tile| (self.0)(&path(tile)).unwrap_or_else(|| panic!("{}", path(tile))))
            .collect())
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// That crate's paths have the tiles' height in them, as the checksum database's have.
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1).replacen("tile/data/", "tile/entries/", 1)
}

fn opened(note: &[u8], vkey: &str) -> Checkpoint {
    let note = Note::from_bytes(note).unwrap();
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).unwrap())]);
    let (verified, others) = note.verify(&known).unwrap();
    assert_eq!((verified.len(), others.len()), (1, 2), "the log's signature, and two that it does not know");
    Checkpoint::from_bytes(note.text()).unwrap()
}

pub fn verify(read: Read<'_>, vkey: &str, older: Option<&[u8]>) {
    let checkpoint = opened(&read("checkpoint").unwrap(), vkey);
    let (size, root) = (checkpoint.size(), *checkpoint.hash());
    let tiles = Tiles(read);
    let hashes = TileHashReader::new(size, root, &tiles);
    assert_eq!(tree_hash(size, &hashes).unwrap(), root);
    for first in (0..size).step_by(256) {
        let width = u32::try_from((size - first).min(256)).unwrap();
        let bundle = read(&path(&Tile::new(HEIGHT, 0, first / 256, width, true))).unwrap();
        let indexes: Vec<u64> =
            (first..first + u64::from(width)).map(|index| stored_hash_index(0, index)).collect();
        // Each of these is authenticated against the root on its way here.
        let leaves = hashes.read_hashes(&indexes).unwrap();
        let mut rest = bundle.as_slice();
        for leaf in leaves {
            let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
            assert_eq!(record_hash(&rest[2..2 + length]), leaf, "near entry {first}");
            rest = &rest[2 + length..];
        }
        assert!(rest.is_empty());
    }
    for index in (0..size).step_by(usize::try_from(size / PROVED + 1).unwrap()) {
        let leaf = hashes.read_hashes(&[stored_hash_index(0, index)]).unwrap()[0];
        let proof = prove_record(size, index, &hashes).unwrap();
        check_record(&proof, size, root, index, leaf).unwrap();
    }
    let Some(older) = older.map(|older| opened(older, vkey)) else { return };
    let proof = prove_tree(size, older.size(), &hashes).unwrap();
    check_tree(&proof, size, root, older.size(), *older.hash()).unwrap();
}

/// A receipt, taken apart by hand, its proof and note judged by the foreign crates.
pub fn verify_receipt(receipt: &str, vkey: &str, entry: &[u8]) {
    let (head, note) = receipt.split_once("\n\n").unwrap();
    let checkpoint = opened(note.as_bytes(), vkey);
    let mut lines = head.lines().skip(2);
    let index = lines.next().unwrap().strip_prefix("index ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(|line| Hash::parse_hash(line).unwrap()).collect();
    check_record(&proof, checkpoint.size(), *checkpoint.hash(), index, record_hash(entry)).unwrap();
}
