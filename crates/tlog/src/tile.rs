//! Tiles and entry bundles (C2SP tlog-tiles): their paths, their bytes, and which of them a tree of a given size has.
//! Cutting a growing log into them is in `tile::edge`.

mod edge;

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::checkpoint::parse_decimal;
use crate::hash::{HASH_BYTES, Hash};

pub use edge::{Edge, HashEdge, ResumeError, TileFile};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// log2 of [`TILE_WIDTH`]: levels of the tree that one level of tiles spans.
pub const TILE_HEIGHT: u8 = 8;
/// Levels of tiles that a tree of fewer than 2^64 leaves can have.
pub const TILE_LEVELS_MAX: u8 = 8;
/// Longest entry: its length is written in two bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Longest bundle.
pub const BUNDLE_BYTES_MAX: usize = 256 * (2 + ENTRY_BYTES_MAX);
/// Highest level that a path may name (tlog-tiles).
const PATH_LEVEL_MAX: u8 = 63;

/// Why a path, a tile or a bundle was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TileError {
    #[error("not the path of a tile: tile/<level|entries>/<x000/…/000>[.p/<1-255>]")]
    Path,
    #[error("a tile of width {width} has {} bytes, not {got}", usize::from(*width) * HASH_BYTES)]
    TileLength { width: u16, got: usize },
    #[error("the bundle ends inside entry {entry}")]
    Torn { entry: u16 },
    #[error("the bundle has bytes after its {width} entries")]
    Trailing { width: u16 },
    #[error("an entry has {got} bytes; the most is {ENTRY_BYTES_MAX}")]
    EntryTooLong { got: usize },
    #[error("a bundle has 1 to {TILE_WIDTH} entries, not {got}")]
    BundleWidth { got: usize },
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// An entry bundle.
    Entries,
    /// Hashes of complete subtrees of height 8 × level.
    Hashes { level: u8 },
}

/// Name of a tile or entry bundle. Displays as its path below the log's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    content: Content,
    index: u64,
    width: u16,
}

impl TileId {
    /// `None` unless `width` is 1 to 256 and the level is at most 63.
    pub fn new(content: Content, index: u64, width: u16) -> Option<TileId> {
        let level_fits = !matches!(content, Content::Hashes { level } if level > PATH_LEVEL_MAX);
        ((1..=TILE_WIDTH).contains(&width) && level_fits).then_some(TileId { content, index, width })
    }

    pub fn content(&self) -> Content {
        self.content
    }

    /// Index within its level, counted in tiles.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Hashes or entries in it, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    pub fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The full tile at this place.
    pub fn full(&self) -> TileId {
        TileId { width: TILE_WIDTH, ..*self }
    }

    /// The tile at this place in a tree of `size` leaves, at its width there; `None` if there is none.
    pub fn in_tree(&self, size: u64) -> Option<TileId> {
        let level = match self.content {
            Content::Entries => 0,
            Content::Hashes { level } => level,
        };
        let held = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let before = self.index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = held.checked_sub(before)?.min(u64::from(TILE_WIDTH));
        TileId::new(self.content, self.index, u16::try_from(width).ok()?)
    }

    /// This tile's bytes, which are the beginning of those of a wider one at its place.
    pub fn cut<'b>(&self, wider: &'b [u8]) -> Result<&'b [u8], TileError> {
        let end = match self.content {
            Content::Hashes { .. } => usize::from(self.width) * HASH_BYTES,
            Content::Entries => {
                let mut rest = wider;
                for entry in 0..self.width {
                    (_, rest) = split_entry(rest).ok_or(TileError::Torn { entry })?;
                }
                wider.len() - rest.len()
            }
        };
        wider.get(..end).ok_or(TileError::TileLength { width: self.width, got: wider.len() })
    }

    /// Path of the folder in which the partial tiles of this place lie; it may go once the full tile is there.
    pub fn partials_folder(&self) -> String {
        format!("{}.p", self.full())
    }

    /// The bundle that holds entry `index` of a tree of `size` entries, and the entry's place in it.
    pub fn of_entry(index: u64, size: u64) -> Option<(TileId, u16)> {
        if index >= size {
            return None;
        }
        let width = u64::from(TILE_WIDTH);
        let bundle = index / width;
        let place = u16::try_from(index % width).ok()?;
        let held = u16::try_from((size - bundle * width).min(width)).ok()?;
        Some((TileId::new(Content::Entries, bundle, held)?, place))
    }
}

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries")?,
            Content::Hashes { level } => write!(f, "tile/{level}")?,
        }
        let mut groups = Vec::new();
        let mut rest = self.index;
        while rest >= 1000 || groups.is_empty() {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        if rest > 0 {
            groups.push(rest);
        }
        for (remaining, group) in groups.iter().enumerate().rev() {
            let mark = if remaining == 0 { "" } else { "x" };
            write!(f, "/{mark}{group:03}")?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TileId {
    type Err = TileError;

    fn from_str(path: &str) -> Result<TileId, TileError> {
        let id = parse_path(path).ok_or(TileError::Path)?;
        // One tile has one path: leading groups of zeros would be a second one.
        if id.to_string() == path { Ok(id) } else { Err(TileError::Path) }
    }
}

fn parse_path(path: &str) -> Option<TileId> {
    let (content, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let content = match content {
        "entries" => Content::Entries,
        level => Content::Hashes { level: u8::try_from(parse_decimal(level)?).ok()? },
    };
    let (index, width) = match rest.split_once(".p/") {
        None => (rest, TILE_WIDTH),
        Some((index, width)) => {
            (index, u16::try_from(parse_decimal(width)?).ok().filter(|width| *width < TILE_WIDTH)?)
        }
    };
    let mut value = 0u64;
    for group in index.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        value = value.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    TileId::new(content, value, width)
}

/// The tiles that a tree of `size` leaves has at its right edge: the partial ones, lowest level first, entries
/// before hashes. Full tiles of level l have the indexes below size >> 8(l + 1).
pub fn partial_tiles(size: u64) -> Vec<TileId> {
    let mut tiles = Vec::new();
    let mut at_level = size;
    for level in 0..TILE_LEVELS_MAX {
        if at_level == 0 {
            break;
        }
        let index = at_level / u64::from(TILE_WIDTH);
        let width = u16::try_from(at_level % u64::from(TILE_WIDTH)).unwrap_or(0);
        if level == 0 {
            tiles.extend(TileId::new(Content::Entries, index, width));
        }
        tiles.extend(TileId::new(Content::Hashes { level }, index, width));
        at_level = index;
    }
    tiles
}

/// The tiles to write when a log grows from `old` to `new` entries: those that become full, and the partial ones of
/// the new size that the old size did not have. Iterates in an order in which every tile follows what it hashes.
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = TileId> {
    let width = u64::from(TILE_WIDTH);
    let full = (0..TILE_LEVELS_MAX).flat_map(move |level| {
        let (from, to) = (full_tiles(old, level), full_tiles(new, level));
        (from..to).flat_map(move |index| {
            let entries = (level == 0).then_some(Content::Entries);
            entries
                .into_iter()
                .chain([Content::Hashes { level }])
                .filter_map(move |content| TileId::new(content, index, u16::try_from(width).ok()?))
        })
    });
    let before = partial_tiles(old);
    let partial = partial_tiles(new).into_iter().filter(move |id| !before.contains(id));
    full.chain(partial.filter(move |_| new > old))
}

/// Number of full tiles at a level.
fn full_tiles(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(TILE_HEIGHT) * (u32::from(level) + 1)).unwrap_or(0)
}

/// The bytes of an entry bundle: each entry after its length in two big-endian bytes.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, TileError> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(TileError::BundleWidth { got: entries.len() });
    }
    let mut bytes = Vec::new();
    for entry in entries {
        push_entry(&mut bytes, entry.as_ref())?;
    }
    Ok(bytes)
}

/// Appends one entry to the bytes of a bundle.
fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::EntryTooLong { got: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle of exactly `width` entries.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    if !(1..=TILE_WIDTH).contains(&width) {
        return Err(TileError::BundleWidth { got: usize::from(width) });
    }
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    for entry in 0..width {
        let (content, after) = split_entry(rest).ok_or(TileError::Torn { entry })?;
        entries.push(content);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(TileError::Trailing { width }) }
}

/// The first entry of a bundle's bytes, and what comes after it.
fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, after) = bundle.split_first_chunk::<2>()?;
    after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// The bytes of a tile of hashes.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile of exactly `width` hashes.
pub fn decode_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if hashes.len() != usize::from(width) || !rest.is_empty() {
        return Err(TileError::TileLength { width, got: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

#[cfg(test)]
mod tests;
