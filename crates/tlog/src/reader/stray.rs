//! Files beside the tree that the checkpoint needs: incomplete tiles of earlier sizes, which must agree with what came
//! later; files written ahead; and files that no published log has.

use super::{CHECKPOINT_PATH, Report, Source, read_file};
use crate::tile::{Content, TILE_LEVELS_MAX, TileId, decode_bundle, decode_hashes, partial_tiles};

pub(super) fn look<S: Source>(source: &S, report: &mut Report) {
    let edge = partial_tiles(report.size);
    let listed = source.list(&mut |path| {
        if path == CHECKPOINT_PATH {
            return;
        }
        let known = path
            .parse::<TileId>()
            .ok()
            .filter(|id| !matches!(id.content(), Content::Hashes { level } if level >= TILE_LEVELS_MAX));
        match known {
            None => report.find(path, "is no file of a published log"),
            Some(id) if !is_covered(id, report.size) => report.ahead = report.ahead.saturating_add(1),
            // The walk has compared these.
            Some(id) if id.is_full() || edge.contains(&id) => {}
            Some(id) => earlier(source, id, &edge, report),
        }
    });
    if let Err(error) = listed {
        report.find("the record", format!("its files cannot be listed: {error}"));
    }
}

/// Whether a tree of `size` leaves determines every hash or entry of the tile.
fn is_covered(id: TileId, size: u64) -> bool {
    id.in_tree(size).is_some_and(|now| now.width() >= id.width())
}

/// Compares an incomplete tile of an earlier size with what now stands in its place.
fn earlier<S: Source>(source: &S, id: TileId, edge: &[TileId], report: &mut Report) {
    let now = edge
        .iter()
        .find(|other| other.content() == id.content() && other.index() == id.index())
        .copied()
        .unwrap_or(id.full());
    let Some(Some(bytes)) = read_file(source, &id.to_string(), report) else { return };
    // Where the later tile is missing, the walk has said so.
    let Some(Some(later)) = read_file(source, &now.to_string(), report) else { return };
    let well_formed = match id.content() {
        Content::Entries => decode_bundle(&bytes, id.width()).map(|_| ()),
        Content::Hashes { .. } => decode_hashes(&bytes, id.width()).map(|_| ()),
    };
    match well_formed {
        Err(error) => report.find(id.to_string(), error.to_string()),
        Ok(()) if !later.starts_with(&bytes) => {
            report.find(id.to_string(), format!("differs from the beginning of {now}"));
        }
        Ok(()) => {}
    }
}
