//! Proofs out of published tiles: what a receipt and a comparison with an older checkpoint need, fetching no more than
//! the tiles on the way. What is fetched is not believed: who uses a proof verifies it against a signed root.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

use super::Source;
use crate::hash::Hash;
use crate::tile::{Content, TILE_HEIGHT, TILE_WIDTH, TileError, TileId, decode_bundle, decode_hashes};
use crate::tree::{Frontier, Hashes, ProofError, consistency_proof, inclusion_proof};

/// Why tiles yielded no proof.
#[derive(Debug, Error)]
pub enum TilesError {
    #[error("{path}: cannot be read: {source}")]
    Read { path: String, source: io::Error },
    #[error("{path}: is missing")]
    Missing { path: String },
    #[error("{path}: {source}")]
    Damaged { path: String, source: TileError },
    #[error("{0}")]
    Proof(#[from] ProofError),
}

/// The tiles of a log of a known size.
pub struct Tiles<'a, S: Source> {
    source: &'a S,
    size: u64,
    held: RefCell<BTreeMap<TileId, Vec<Hash>>>,
    /// Why the last tile that was asked for could not be had; [`Hashes`] has no room for it.
    failed: RefCell<Option<TilesError>>,
}

impl<'a, S: Source> Tiles<'a, S> {
    /// Tiles under a checkpoint of `size` entries.
    pub fn new(source: &'a S, size: u64) -> Tiles<'a, S> {
        Tiles { source, size, held: RefCell::default(), failed: RefCell::default() }
    }

    /// The bytes of entry `index`.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, TilesError> {
        let no_such = ProofError::NoSuchLeaf { index, size: self.size };
        let (id, place) = TileId::of_entry(index, self.size).ok_or(no_such)?;
        let (bytes, found) = self.load(id)?;
        let damaged = |source| TilesError::Damaged { path: found.to_string(), source };
        let entries = decode_bundle(&bytes, found.width()).map_err(damaged)?;
        let entry = entries.get(usize::from(place)).copied();
        entry.map(<[u8]>::to_vec).ok_or(TilesError::Proof(no_such))
    }

    /// Inclusion proof of entry `index` in the whole tree, unverified.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, TilesError> {
        self.proof(inclusion_proof(self, index, self.size))
    }

    /// Proof that the tree of `old` entries is a prefix of the whole tree, unverified.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, TilesError> {
        self.proof(consistency_proof(self, old, self.size))
    }

    fn proof(&self, made: Result<Vec<Hash>, ProofError>) -> Result<Vec<Hash>, TilesError> {
        made.map_err(|error| self.failed.take().unwrap_or(TilesError::Proof(error)))
    }

    /// The hash of a complete subtree, computed from the tile in which its parts lie.
    fn subtree(&self, level: u8, index: u64) -> Result<Option<Hash>, TilesError> {
        let (level, within) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let (count, width) = (1u64 << within, u64::from(TILE_WIDTH));
        let Some(first) = index.checked_mul(count) else { return Ok(None) };
        let tile = TileId::new(Content::Hashes { level }, first / width, TILE_WIDTH);
        let Some(id) = tile.and_then(|tile| tile.in_tree(self.size)) else { return Ok(None) };
        let start = usize::try_from(first % width).unwrap_or(usize::MAX);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if !self.held.borrow().contains_key(&id) {
            let (bytes, found) = self.load(id)?;
            let damaged = |source| TilesError::Damaged { path: found.to_string(), source };
            let hashes = decode_hashes(&bytes, found.width()).map_err(damaged)?;
            self.held.borrow_mut().insert(id, hashes);
        }
        let held = self.held.borrow();
        let parts = held.get(&id).and_then(|hashes| hashes.get(start..start.checked_add(count)?));
        Ok(parts.map(|parts| {
            let mut inner = Frontier::new();
            parts.iter().for_each(|hash| inner.push(*hash));
            inner.root()
        }))
    }

    /// The bytes of a tile, or of the full one where the incomplete one has been tidied away.
    fn load(&self, id: TileId) -> Result<(Vec<u8>, TileId), TilesError> {
        for id in [id, id.full()] {
            let path = id.to_string();
            match self.source.read(&path) {
                Ok(Some(bytes)) => return Ok((bytes, id)),
                Ok(None) => {}
                Err(source) => return Err(TilesError::Read { path, source }),
            }
        }
        Err(TilesError::Missing { path: id.to_string() })
    }
}

impl<S: Source> Hashes for Tiles<'_, S> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.subtree(level, index).unwrap_or_else(|error| {
            self.failed.replace(Some(error));
            None
        })
    }
}
