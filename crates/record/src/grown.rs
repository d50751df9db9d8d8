//! The tree as witnesses are proved that it only grew: the nodes from what is published on are kept in memory, older
//! ones are read from the published tiles. Kept only where there are witnesses to prove it to.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tlog::hash::{Hash, node_hash};
use tlog::reader::{Source, Tiles};
use tlog::tree::{Frontier, Hashes, consistency_proof};

use crate::durable;
use crate::shared::Shared;

/// From so many nodes on, those that can be read from tiles are let go.
const NODES_MAX: usize = 32_768;

pub(crate) struct Grown {
    tiles: Published,
    shared: Arc<Shared>,
    size: u64,
    /// By level and index. The peaks of some published tree, and every node that came after it.
    nodes: BTreeMap<(u8, u64), Hash>,
    tidy_at: usize,
}

impl Grown {
    /// The tree of a published log.
    pub(crate) fn new(record_dir: PathBuf, published: &Frontier, shared: Arc<Shared>) -> Self {
        let size = published.size();
        let nodes = peaks(size).zip(published.peaks()).map(|(place, hash)| (place, *hash)).collect();
        Self { tiles: Published(record_dir), shared, size, nodes, tidy_at: NODES_MAX }
    }

    /// Adds the leaf of the entry `index`, if it is the next one.
    pub(crate) fn push(&mut self, index: u64, leaf: Hash) {
        if index != self.size {
            return;
        }
        let (mut node, mut at) = (leaf, index);
        self.nodes.insert((0, at), node);
        for level in 1..=u8::MAX {
            // An odd place has its sibling on the left, so that the two have a parent now.
            let Some(left) = (at % 2 == 1).then(|| self.nodes.get(&(level - 1, at - 1))).flatten() else {
                break;
            };
            node = node_hash(left, &node);
            at /= 2;
            self.nodes.insert((level, at), node);
        }
        self.size += 1;
        if self.nodes.len() > self.tidy_at {
            self.tidy();
        }
    }

    /// Lets go of what can be read from the published tiles.
    fn tidy(&mut self) {
        let published = self.shared.lag().published.min(self.size);
        let is_peak = |level: u8, index: u64| peaks(published).any(|peak| peak == (level, index));
        self.nodes.retain(|(level, index), _| {
            let ends = (index + 1).checked_shl(u32::from(*level)).unwrap_or(u64::MAX);
            ends > published || is_peak(*level, *index)
        });
        self.tidy_at = NODES_MAX.max(2 * self.nodes.len());
    }

    /// Proof that the first `old` entries are the beginning of the first `new`.
    pub(crate) fn proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let tiles = Tiles::new(&self.tiles, self.shared.lag().published);
        consistency_proof(&Both { nodes: &self.nodes, tiles }, old, new).map_err(|error| error.to_string())
    }
}

/// Places of the peaks of a tree of `size` leaves, largest first.
fn peaks(size: u64) -> impl Iterator<Item = (u8, u64)> {
    let levels = (0..64_u8).rev().filter(move |level| size >> level & 1 == 1);
    levels.map(move |level| (level, (size >> level) - 1))
}

/// What is in memory, and what is published.
struct Both<'a> {
    nodes: &'a BTreeMap<(u8, u64), Hash>,
    tiles: Tiles<'a, Published>,
}

impl Hashes for Both<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.nodes.get(&(level, index)).copied().or_else(|| self.tiles.node(level, index))
    }
}

/// The published folder.
struct Published(PathBuf);

impl Source for Published {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        durable::read(&self.0.join(path))
    }
}

#[cfg(test)]
mod tests {
    use tlog::hash::leaf_hash;
    use tlog::tile::Edge;
    use tlog::tree::{Levels, root_at, verify_consistency};

    use super::*;

    /// Proofs from any size, of a tree of which so many entries are published, and were when it was opened.
    fn check(opened: u64, published: u64, size: u64) {
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<_> = (0..size).map(|index| index.to_string()).collect();
        let mut tree = Levels::new();
        entries.iter().for_each(|entry| tree.push(leaf_hash(entry.as_bytes())));
        let mut edge = Edge::new();
        let publish = |edge: &mut Edge, to: u64| {
            let range = usize::try_from(edge.size()).unwrap()..usize::try_from(to).unwrap();
            for file in edge.append(&entries[range]).unwrap() {
                let path = dir.path().join(file.path());
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, file.bytes).unwrap();
            }
        };
        publish(&mut edge, opened);
        let shared = Arc::<Shared>::default();
        shared.set_published(opened);
        let mut grown = Grown::new(dir.path().to_owned(), &edge.frontier(), shared.clone());
        for (index, entry) in (0..).zip(&entries) {
            if index == published {
                publish(&mut edge, published);
                shared.set_published(published);
                grown.tidy();
            }
            grown.push(index, leaf_hash(entry.as_bytes()));
        }
        for new in [opened.max(published), size - 1, size] {
            for old in (0..=new).filter(|old| old % 7 == 0 || new - old < 20) {
                let proof = grown.proof(old, new).unwrap();
                let (before, after) = (root_at(&tree, old).unwrap(), root_at(&tree, new).unwrap());
                verify_consistency(old, new, &proof, &before, &after).unwrap();
            }
        }
    }

    #[test]
    fn what_is_forgotten_is_read_from_tiles() {
        for (opened, published, size) in
            [(0, 0, 40), (0, 17, 40), (13, 13, 30), (256, 300, 530), (511, 513, 514), (5, 700, 900)]
        {
            check(opened, published, size);
        }
    }
}
