//! Reading what was published: entries with their sealed details, and the tree at an earlier size. For a monitor
//! that lost entries, and for `show`.

use std::io;
use std::path::{Path, PathBuf};

use tlog::entry::{Entry, Kind};
use tlog::tile::{Content, Edge, TILE_WIDTH, TileId, decode_bundle, encode_bundle};
use tlog::tree::Frontier;

use crate::batch::{Batch, Building, record_bytes};
use crate::config::Config;
use crate::details::{self, BUNDLE_ENTRIES};
use crate::{BLOB_BYTES_MAX, ENTRIES_PER_BATCH_MAX, durable, keys};

/// The folders of a published record.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) record_dir: PathBuf,
    pub(crate) details_dir: PathBuf,
    /// Folder of the wrapped keys; where only details are read, it is not needed.
    pub(crate) keys_dir: Option<PathBuf>,
}

/// An entry and its sealed detail (empty: none).
pub(crate) type Record = (Vec<u8>, Vec<u8>);

impl History {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            record_dir: config.record_dir.clone(),
            details_dir: config.details_dir.clone(),
            keys_dir: Some(config.keys_dir.clone()),
        }
    }

    /// The tree of the first `size` entries of the `published` ones.
    pub(crate) fn tree_at(&self, size: u64, published: u64) -> io::Result<Frontier> {
        let read = |id: TileId| self.read_tile(id, published);
        Ok(Edge::resume(size, read).map_err(io::Error::other)?.frontier())
    }

    /// As many of the entries `from..published` as one batch takes, at least one.
    pub(crate) fn batch(&self, from: u64, published: u64) -> io::Result<Batch> {
        let mut building = Building::new(from);
        while building.next() < published {
            for (entry, blob) in self.bundle_from(building.next(), published)? {
                let blob = self.with_key(&entry, blob)?;
                let full = building.len() == ENTRIES_PER_BATCH_MAX
                    || building.room_bytes() < record_bytes(entry.len(), blob.len());
                if full {
                    return Ok(building.finish());
                }
                building.push(&entry, &blob);
            }
        }
        Ok(building.finish())
    }

    /// The sealed part of an entry as it was sent: a wrapped key is not among the details. One that was forgotten is
    /// nowhere, and a monitor that lost it takes no entry that used it.
    fn with_key(&self, line: &[u8], blob: Vec<u8>) -> io::Result<Vec<u8>> {
        let Some(keys_dir) = self.keys_dir.as_ref().filter(|_| blob.is_empty()) else { return Ok(blob) };
        let entry = Entry::parse(line).map_err(io::Error::other)?;
        let Some(id) = entry.key.filter(|_| entry.kind == Kind::KeyMade) else { return Ok(blob) };
        Ok(durable::read(&keys::path_of(keys_dir, &id))?.unwrap_or_default())
    }

    /// The entries from `from` to the end of its bundle, or to `published`.
    pub(crate) fn bundle_from(&self, from: u64, published: u64) -> io::Result<Vec<Record>> {
        let damaged = |what: &str| io::Error::other(format!("entry {from}: {what}"));
        let (id, place) = TileId::of_entry(from, published).ok_or_else(|| damaged("is not published"))?;
        let bytes = self.read_tile(id, published)?.ok_or_else(|| damaged("its bundle is missing"))?;
        let entries = decode_bundle(&bytes, id.width()).map_err(io::Error::other)?;
        let blobs = details::read_bundle(&self.details_dir, from / BUNDLE_ENTRIES)?;
        let blobs = blobs.into_iter().map(Some).chain(std::iter::repeat(None));
        let records = entries.into_iter().zip(blobs).skip(usize::from(place));
        records
            .map(|(entry, blob)| match blob {
                Some(blob) if blob.len() <= BLOB_BYTES_MAX => Ok((entry.to_vec(), blob)),
                _ => Err(damaged("its sealed detail is missing or too large")),
            })
            .collect()
    }

    /// A tile of a smaller tree, cut from what the published tree has of it.
    fn read_tile(&self, id: TileId, published: u64) -> io::Result<Option<Vec<u8>>> {
        let level = if let Content::Hashes { level } = id.content() { u32::from(level) } else { 0 };
        let at_level = published.checked_shr(8 * level).unwrap_or(0);
        let held = at_level.saturating_sub(id.index() * u64::from(TILE_WIDTH)).min(u64::from(TILE_WIDTH));
        let held = u16::try_from(held).ok().and_then(|width| TileId::new(id.content(), id.index(), width));
        let Some(held) = held else { return Ok(None) };
        let Some(mut bytes) = read(&self.record_dir, held)? else { return Ok(None) };
        if held.width() > id.width() {
            match id.content() {
                Content::Hashes { .. } => bytes.truncate(usize::from(id.width()) * tlog::hash::HASH_BYTES),
                Content::Entries => {
                    let mut entries = decode_bundle(&bytes, held.width()).map_err(io::Error::other)?;
                    entries.truncate(usize::from(id.width()));
                    bytes = encode_bundle(&entries).map_err(io::Error::other)?;
                }
            }
        }
        Ok(Some(bytes))
    }
}

fn read(dir: &Path, id: TileId) -> io::Result<Option<Vec<u8>>> {
    durable::read(&dir.join(id.to_string()))
}
