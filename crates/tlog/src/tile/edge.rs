//! The right edge of a tiled log: takes entries as they come and yields the files to write. What a publisher keeps
//! between commits; at most one incomplete tile per level and one incomplete bundle, whatever the log's size.

use thiserror::Error;

use super::{
    Content, TILE_WIDTH, TileError, TileId, decode_bundle, decode_hashes, encode_hashes, partial_tiles,
    push_entry,
};
use crate::hash::{Hash, leaf_hash};
use crate::tree::Frontier;

/// A file of the published log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileFile {
    pub id: TileId,
    pub bytes: Vec<u8>,
}

impl TileFile {
    /// Path below the log's prefix.
    pub fn path(&self) -> String {
        self.id.to_string()
    }
}

/// Why the edge of a published log could not be loaded.
#[derive(Debug, Error)]
pub enum ResumeError<E> {
    #[error("{id} could not be read")]
    Read { id: TileId, source: E },
    #[error("{id} is missing; publish again from the write-ahead file")]
    Missing { id: TileId },
    #[error("{id}: {source}")]
    Damaged { id: TileId, source: TileError },
    #[error("{id}: entry {place} does not hash to what the tile of leaf hashes says")]
    Differs { id: TileId, place: usize },
}

/// The incomplete tile of hashes at every level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashEdge {
    size: u64,
    /// Lowest level first; each row is shorter than a full tile.
    rows: Vec<Vec<Hash>>,
}

impl HashEdge {
    pub fn new() -> HashEdge {
        HashEdge::default()
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash and hands over each tile that it fills, lowest level first.
    pub fn push(&mut self, leaf: Hash, mut filled: impl FnMut(TileId, &[Hash])) {
        self.size = self.size.saturating_add(1);
        let mut node = leaf;
        let mut at_level = self.size;
        for level in 0u8.. {
            if self.rows.len() == usize::from(level) {
                self.rows.push(Vec::new());
            }
            let Some(row) = self.rows.get_mut(usize::from(level)) else { return };
            row.push(node);
            if row.len() < usize::from(TILE_WIDTH) {
                return;
            }
            at_level /= u64::from(TILE_WIDTH);
            if let Some(id) = TileId::new(Content::Hashes { level }, at_level.saturating_sub(1), TILE_WIDTH) {
                filled(id, row);
            }
            let mut inner = Frontier::new();
            row.drain(..).for_each(|hash| inner.push(hash));
            node = inner.root();
        }
    }

    /// The incomplete tiles, lowest level first.
    pub fn partials(&self) -> impl Iterator<Item = (TileId, &[Hash])> {
        partial_tiles(self.size).into_iter().filter_map(|id| match id.content() {
            Content::Entries => None,
            Content::Hashes { level } => Some((id, self.rows.get(usize::from(level))?.as_slice())),
        })
    }

    /// The tree's frontier, for its root.
    pub fn frontier(&self) -> Frontier {
        let mut peaks = Vec::new();
        for row in self.rows.iter().rev() {
            let mut inner = Frontier::new();
            row.iter().for_each(|hash| inner.push(*hash));
            peaks.extend_from_slice(inner.peaks());
        }
        // Each row's peaks are the ones in its eight bits of the size, so the count always fits.
        Frontier::from_peaks(self.size, peaks).unwrap_or_default()
    }
}

/// The incomplete tiles and the incomplete entry bundle of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    hashes: HashEdge,
    /// Bytes of the incomplete bundle.
    bundle: Vec<u8>,
}

impl Edge {
    /// The edge of the empty log.
    pub fn new() -> Edge {
        Edge::default()
    }

    /// Loads the edge of a published log of `size` entries through `read`, which returns a file's bytes by its id,
    /// and checks the incomplete bundle against its leaf hashes. Compare [`Edge::root`] with the checkpoint's.
    pub fn resume<E>(
        size: u64,
        mut read: impl FnMut(TileId) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Edge, ResumeError<E>> {
        let mut edge = Edge::new();
        edge.hashes.size = size;
        for id in partial_tiles(size) {
            let bytes = read(id)
                .map_err(|source| ResumeError::Read { id, source })?
                .ok_or(ResumeError::Missing { id })?;
            match id.content() {
                Content::Entries => edge.bundle = bytes,
                Content::Hashes { level } => {
                    let row = decode_hashes(&bytes, id.width())
                        .map_err(|source| ResumeError::Damaged { id, source })?;
                    edge.hashes.rows.resize(usize::from(level), Vec::new());
                    edge.hashes.rows.push(row);
                }
            }
        }
        edge.check_bundle()?;
        Ok(edge)
    }

    /// Number of entries.
    pub fn size(&self) -> u64 {
        self.hashes.size
    }

    /// Root of the tree over them.
    pub fn root(&self) -> Hash {
        self.hashes.frontier().root()
    }

    /// The tree's frontier.
    pub fn frontier(&self) -> Frontier {
        self.hashes.frontier()
    }

    /// Appends entries. Returns the files to write before a checkpoint of the new size may be published: the tiles
    /// that became full, then the incomplete ones that are new. On an error nothing was appended.
    pub fn append<T: AsRef<[u8]>>(&mut self, entries: &[T]) -> Result<Vec<TileFile>, TileError> {
        if let Some(entry) = entries.iter().find(|entry| entry.as_ref().len() > super::ENTRY_BYTES_MAX) {
            return Err(TileError::EntryTooLong { got: entry.as_ref().len() });
        }
        let before = partial_tiles(self.size());
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.as_ref();
            push_entry(&mut self.bundle, entry)?;
            let bundle = &mut self.bundle;
            self.hashes.push(leaf_hash(entry), |id, hashes| {
                if id.content() == (Content::Hashes { level: 0 }) {
                    let id = TileId { content: Content::Entries, ..id };
                    files.push(TileFile { id, bytes: std::mem::take(bundle) });
                }
                files.push(TileFile { id, bytes: encode_hashes(hashes) });
            });
        }
        let after = partial_tiles(self.size()).into_iter().filter(|id| !before.contains(id));
        for id in after {
            let bytes = match id.content() {
                Content::Entries => self.bundle.clone(),
                Content::Hashes { level } => {
                    self.hashes.rows.get(usize::from(level)).map_or_else(Vec::new, |row| encode_hashes(row))
                }
            };
            files.push(TileFile { id, bytes });
        }
        Ok(files)
    }

    fn check_bundle<E>(&self) -> Result<(), ResumeError<E>> {
        let Some(leaves) = self.hashes.rows.first().filter(|row| !row.is_empty()) else { return Ok(()) };
        let width = u16::try_from(leaves.len()).unwrap_or(TILE_WIDTH);
        let index = self.size() / u64::from(TILE_WIDTH);
        let id = TileId { content: Content::Entries, index, width };
        let entries =
            decode_bundle(&self.bundle, width).map_err(|source| ResumeError::Damaged { id, source })?;
        match entries.iter().zip(leaves).position(|(entry, leaf)| leaf_hash(entry) != *leaf) {
            None => Ok(()),
            Some(place) => Err(ResumeError::Differs { id, place }),
        }
    }
}
