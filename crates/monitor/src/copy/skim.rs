//! Reading the copy for its tree alone: the hash of every entry up to a place that a snapshot names, and the few entries
//! that it asks for. Segments are read by as many threads as there are cores, because hashing them is all the work.
//! Checksums and details are not looked at; `trefoil-monitor check` does.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    thread,
};

use tlog::{
    hash::{Hash, leaf_hash},
    tree::Frontier,
};

use super::{
    CopyError, HEADER_BYTES, Position, READ_BYTES, TIME_BYTES, at, read_header, segment_name, segments,
};
use crate::batch::Batch;

/// Threads that read at once.
const THREADS_MAX: usize = 4;

/// The tree up to a place.
pub struct Skimmed {
    pub tree: Frontier,
    /// The entries that were asked for, each with its sealed detail, in order.
    pub items: Vec<(u64, Vec<u8>, Option<Vec<u8>>)>,
}

/// What one segment holds.
struct Part {
    leaves: Vec<Hash>,
    items: Vec<(u64, Vec<u8>, Option<Vec<u8>>)>,
}

/// Reads the copy up to a place. `wanted`: indexes of entries, ascending.
pub fn skim(dir: &Path, to: Position, wanted: &[u64]) -> Result<Skimmed, CopyError> {
    let last = dir.join(segment_name(to.segment));
    let paths: Vec<PathBuf> = segments(dir)?.into_iter().filter(|path| *path <= last).collect();
    if paths.last() != Some(&last) {
        return Err(damaged(&last, 0, "it is missing"));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let mut skimmed = Skimmed { tree: Frontier::new(), items: Vec::new() };
    for group in paths.chunks(threads) {
        let read = |path: &PathBuf| skim_segment(path, (*path == last).then_some(to.offset), wanted);
        let parts: Vec<Result<Part, CopyError>> = thread::scope(|scope| {
            let running: Vec<_> = group.iter().map(|path| scope.spawn(move || read(path))).collect();
            running
                .into_iter()
                .zip(group)
                .map(|(part, path)| part.join().unwrap_or_else(|_| Err(unread(path))))
                .collect()
        });
        for (part, path) in parts.into_iter().zip(group) {
            let Part { leaves, items } = part?;
            if path.file_name().is_none_or(|name| name != segment_name(skimmed.tree.size()).as_str()) {
                return Err(damaged(path, 0, "not the segment that follows the one before"));
            }
            leaves.into_iter().for_each(|leaf| skimmed.tree.push(leaf));
            skimmed.items.extend(items);
        }
    }
    Ok(skimmed)
}

fn unread(path: &Path) -> CopyError {
    damaged(path, 0, "it could not be read")
}

fn damaged(path: &Path, offset: u64, what: &str) -> CopyError {
    CopyError::Damaged { path: path.to_owned(), offset, what: what.to_owned() }
}

/// Reads a segment, up to a byte of it when one is given, which a frame must end at.
fn skim_segment(path: &Path, end: Option<u64>, wanted: &[u64]) -> Result<Part, CopyError> {
    let file = File::open(path).map_err(at(path))?;
    let end = match end {
        Some(end) => end,
        None => file.metadata().map_err(at(path))?.len(),
    };
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    let mut part = Part { leaves: Vec::new(), items: Vec::new() };
    let (mut offset, mut payload) = (0, Vec::new());
    while offset < end {
        let wrong = |what: &str| damaged(path, offset, what);
        let mut header = [0; HEADER_BYTES];
        reader.read_exact(&mut header).map_err(at(path))?;
        let (length, _) = read_header(&header).ok_or_else(|| wrong("not a frame"))?;
        payload.clear();
        (&mut reader).take(length).read_to_end(&mut payload).map_err(at(path))?;
        let batch = payload.get(TIME_BYTES..).ok_or_else(|| wrong("no time"))?;
        let batch = Batch::parse(batch).map_err(|e| wrong(&e.to_string()))?;
        for (item, index) in batch.items.iter().zip(batch.first..) {
            part.leaves.push(leaf_hash(item.entry));
            if wanted.binary_search(&index).is_ok() {
                part.items.push((index, item.entry.to_vec(), item.blob.map(<[u8]>::to_vec)));
            }
        }
        offset += HEADER_BYTES as u64 + length;
    }
    if offset == end { Ok(part) } else { Err(damaged(path, end, "no frame ends here")) }
}
