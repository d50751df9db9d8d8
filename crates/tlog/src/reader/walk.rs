//! Walks the published tree from the first entry to the last, recomputing every tile on the way.

use super::order::Order;
use super::{Report, Source, read_file};
use crate::entry::Entry;
use crate::hash::{Hash, leaf_hash};
use crate::tile::{Content, HashEdge, TILE_WIDTH, TileId, decode_bundle, decode_hashes, partial_tiles};

/// Returns the root that the published entries have; `None` when so much is missing that they have none.
pub(super) fn walk<S: Source>(source: &S, report: &mut Report) -> Option<Hash> {
    let size = report.size;
    let mut walk = Walk { source, report, edge: HashEdge::new(), order: Order::default() };
    let width = u64::from(TILE_WIDTH);
    let whole = size / width;
    for index in 0..whole {
        walk.bundle(TileId::new(Content::Entries, index, TILE_WIDTH)?)?;
    }
    for id in partial_tiles(size) {
        match id.content() {
            Content::Entries => walk.bundle(id)?,
            // Compared with the entries of its bundle.
            Content::Hashes { level: 0 } => {}
            Content::Hashes { .. } => walk.partial(id),
        }
    }
    Some(walk.edge.frontier().root())
}

struct Walk<'a, S: Source> {
    source: &'a S,
    report: &'a mut Report,
    edge: HashEdge,
    order: Order,
}

impl<S: Source> Walk<'_, S> {
    /// Checks a bundle, its leaf hashes and the tiles above that become full with it. `None` ends the walk.
    fn bundle(&mut self, id: TileId) -> Option<()> {
        let leaves_id = TileId::new(Content::Hashes { level: 0 }, id.index(), id.width())?;
        let published = self.hashes(leaves_id);
        let read = self.entries(id);
        if read.is_none() {
            self.order.skip();
        }
        let leaves = match read {
            Some(leaves) => {
                if let Some(published) = published {
                    self.compare(leaves_id, &leaves, &published);
                }
                leaves
            }
            // Without the entries, the hashes still connect the rest of the tree with the checkpoint.
            None => published.or_else(|| {
                let first = self.edge.size();
                self.report.find(id.to_string(), format!("nothing from entry {first} on can be checked"));
                None
            })?,
        };
        let mut filled = Vec::new();
        for leaf in leaves {
            self.edge.push(leaf, |id, hashes| filled.push((id, hashes.to_vec())));
        }
        for (id, computed) in filled {
            if id.content() != (Content::Hashes { level: 0 })
                && let Some(published) = self.hashes(id)
            {
                self.compare(id, &computed, &published);
            }
        }
        Some(())
    }

    /// Checks an incomplete tile above the leaves.
    fn partial(&mut self, id: TileId) {
        let Some(published) = self.hashes(id) else { return };
        let computed = self.edge.partials().find(|(other, _)| *other == id).map(|(_, row)| row.to_vec());
        if let Some(computed) = computed {
            self.compare(id, &computed, &published);
        }
    }

    /// The leaf hashes of a bundle's entries; checks each entry. `None`, with a finding, when it cannot be read.
    fn entries(&mut self, id: TileId) -> Option<Vec<Hash>> {
        let (bytes, found) = self.load(id)?;
        let entries = match decode_bundle(&bytes, found.width()) {
            Ok(entries) => entries,
            Err(error) => {
                self.report.find(found.to_string(), error.to_string());
                return None;
            }
        };
        let first = id.index().saturating_mul(u64::from(TILE_WIDTH));
        let mut leaves = Vec::with_capacity(usize::from(id.width()));
        for (index, bytes) in (first..).zip(entries.into_iter().take(usize::from(id.width()))) {
            leaves.push(leaf_hash(bytes));
            match Entry::parse(bytes) {
                Ok(entry) => {
                    let count = self.report.entries_by_kind.entry(entry.kind).or_default();
                    *count = count.saturating_add(1);
                    let report = &mut *self.report;
                    self.order.next(index, &entry, |what| report.find(place(id, index), what));
                }
                Err(error) => {
                    self.order.skip();
                    self.report.find(place(id, index), error.to_string());
                }
            }
        }
        Some(leaves)
    }

    /// The hashes of a tile. `None`, with a finding, when it cannot be read.
    fn hashes(&mut self, id: TileId) -> Option<Vec<Hash>> {
        let (bytes, found) = self.load(id)?;
        match decode_hashes(&bytes, found.width()) {
            Ok(mut hashes) => {
                hashes.truncate(usize::from(id.width()));
                Some(hashes)
            }
            Err(error) => {
                self.report.find(found.to_string(), error.to_string());
                None
            }
        }
    }

    /// The bytes of a tile, or of the full tile where the incomplete one has been tidied away.
    fn load(&mut self, id: TileId) -> Option<(Vec<u8>, TileId)> {
        if let Some(bytes) = read_file(self.source, &id.to_string(), self.report)? {
            return Some((bytes, id));
        }
        if !id.is_full()
            && let Some(bytes) = read_file(self.source, &id.full().to_string(), self.report)?
        {
            return Some((bytes, id.full()));
        }
        self.report.find(id.to_string(), "is missing");
        None
    }

    fn compare(&mut self, id: TileId, computed: &[Hash], published: &[Hash]) {
        let mut differing = computed.iter().zip(published).enumerate().filter(|(_, (a, b))| a != b);
        if let Some((at, (computed, published))) = differing.next() {
            let mut what = format!("hash {at} is {published}, but should be {computed}");
            match differing.count() {
                0 => {}
                others => what.push_str(&format!("; {others} more differ")),
            }
            self.report.find(id.to_string(), what);
        }
    }
}

fn place(id: TileId, index: u64) -> String {
    format!("{id} entry {index}")
}
