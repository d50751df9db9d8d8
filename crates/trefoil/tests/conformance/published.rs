//! A record in a folder, published in steps as the gate's publisher does it, with its keys; and what a signer of two
//! histories would publish.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tlog::checkpoint::Checkpoint;
use tlog::entry::{Entry, Kind, Micros};
use tlog::hash::Hash;
use tlog::note::{KeyType, SigningKey};
use tlog::rule::ReleaseRule;
use tlog::tile::Edge;

const ORIGIN: &str = "example.com/record";
const SECOND_US: i64 = 1_000_000;

pub struct Published {
    root: TempDir,
    pub dir: PathBuf,
    pub rule: PathBuf,
    edge: RefCell<Edge>,
}

impl Published {
    /// An empty one.
    pub fn new() -> Published {
        let root = tempfile::tempdir().unwrap();
        let (dir, rule) = (root.path().join("published"), root.path().join("rule.policy"));
        fs::create_dir(&dir).unwrap();
        let [log, witness, redecided] = keys();
        let both = [("witness", witness.verifier()), ("redecided", redecided.verifier())];
        fs::write(&rule, ReleaseRule::all_of(log.verifier(), &both).unwrap().to_string()).unwrap();
        Published { root, dir, rule, edge: RefCell::default() }
    }

    /// Publishes further entries, up to this size.
    pub fn grow(&self, size: u64) {
        publish(&self.dir, &mut self.edge.borrow_mut(), size, "gate");
    }

    /// Another history under the same keys, in a folder of its own.
    pub fn fork(&self, size: u64, name: &str) -> PathBuf {
        let dir = self.root.path().join(name);
        publish(&dir, &mut Edge::new(), size, name);
        dir
    }

    pub fn root(&self) -> Hash {
        self.edge.borrow().root()
    }

    pub fn entry(&self, index: u64) -> Vec<u8> {
        entry(index, "gate")
    }

    /// The bytes of a tile of leaf hashes, computed from the entries.
    pub fn bytes_of(&self, path: &str) -> Vec<u8> {
        let id: tlog::tile::TileId = path.trim_start_matches('/').parse().unwrap();
        let first = id.index() * 256;
        let leaves =
            (first..first + u64::from(id.width())).map(|index| tlog::hash::leaf_hash(&self.entry(index)));
        leaves.flat_map(|leaf| leaf.0).collect()
    }

    pub fn rule(&self) -> &str {
        self.rule.to_str().unwrap()
    }

    pub fn log_vkey(&self) -> String {
        keys()[0].verifier().to_string()
    }

    /// The checkpoint, if one is published.
    pub fn note(&self) -> Option<Vec<u8>> {
        fs::read(self.dir.join("checkpoint")).ok()
    }

    /// A path that the test may use.
    pub fn scratch(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }
}

fn keys() -> [SigningKey; 3] {
    let key = |name: &str, kind, seed| SigningKey::from_seed(name, kind, [seed; 32]).unwrap();
    [
        key(ORIGIN, KeyType::Ed25519, 1),
        key("example.com/witness", KeyType::CosignatureV1, 2),
        key("example.com/redecided", KeyType::CosignatureV1, 3),
    ]
}

fn entry(index: u64, gate: &str) -> Vec<u8> {
    let time = Micros(i64::try_from(index).unwrap() * SECOND_US);
    Entry::new(time, Kind::GateStart, gate).encode().unwrap()
}

fn publish(dir: &Path, edge: &mut Edge, size: u64, gate: &str) {
    let entries: Vec<_> = (edge.size()..size).map(|index| entry(index, gate)).collect();
    for file in edge.append(&entries).unwrap() {
        let path = dir.join(file.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.bytes).unwrap();
        if file.id.is_full() {
            let _ = fs::remove_dir_all(dir.join(file.id.partials_folder()));
        }
    }
    let text = Checkpoint { origin: ORIGIN.to_owned(), size, root: edge.root() }.to_string();
    let [log, witness, redecided] = keys();
    let mut note = log.sign_note(&text).unwrap();
    note.signatures.extend([witness, redecided].map(|key| key.cosign(&text, 1_700_000_000).unwrap()));
    fs::write(dir.join("checkpoint"), note.to_string()).unwrap();
}

pub fn trefoil(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trefoil"));
    command.args(arguments).stdin(Stdio::null());
    command
}
