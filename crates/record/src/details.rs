//! Sealed details of published entries: append-only bundles of 256, beside the published log and never in it.
//! Each is a row of `u32 length, sealed detail`, where length 0 is none. Opening them is in `show`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::batch::split_part;
use crate::durable;

/// Details in a full bundle: as many as an entry bundle has entries.
pub(crate) const BUNDLE_ENTRIES: u64 = 256;
/// Bundles in a folder.
const FOLDER_BUNDLES: u64 = 1000;

/// Where the next detail goes.
pub(crate) struct Details {
    dir: PathBuf,
    next: u64,
    /// The incomplete bundle, once it was written to.
    open: Option<File>,
}

impl Details {
    /// Opens the bundles of a log that is published up to `size`. Details after it, which a crash may leave, are
    /// cut off: they are written again.
    pub(crate) fn open(dir: &Path, size: u64) -> io::Result<Self> {
        durable::make_dir(dir)?;
        let mut details = Self { dir: dir.to_owned(), next: size, open: None };
        let held = size % BUNDLE_ENTRIES;
        if held > 0 {
            let path = bundle_path(dir, size / BUNDLE_ENTRIES);
            let end = end_of(&fs::read(&path)?, held)
                .ok_or_else(|| io::Error::other(format!("{}: details are missing", path.display())))?;
            let file = OpenOptions::new().append(true).open(&path)?;
            file.set_len(end)?;
            details.open = Some(file);
        }
        Ok(details)
    }

    /// Appends the details of the next entries, in order, and makes them durable.
    pub(crate) fn append<'a>(&mut self, blobs: impl Iterator<Item = &'a [u8]>) -> io::Result<()> {
        let (mut bytes, mut full) = (Vec::new(), Vec::new());
        for blob in blobs {
            let length = u32::try_from(blob.len()).map_err(io::Error::other)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(blob);
            self.next += 1;
            if self.next.is_multiple_of(BUNDLE_ENTRIES) {
                self.write(&bytes, self.next / BUNDLE_ENTRIES - 1)?;
                bytes.clear();
                full.extend(self.open.take());
            }
        }
        if !bytes.is_empty() {
            self.write(&bytes, self.next / BUNDLE_ENTRIES)?;
            full.extend(self.open.as_ref().map(File::try_clone).transpose()?);
        }
        durable::sync_files(&full.iter().collect::<Vec<_>>())
    }

    fn write(&mut self, bytes: &[u8], bundle: u64) -> io::Result<()> {
        let file = match &mut self.open {
            Some(file) => file,
            none => {
                let path = bundle_path(&self.dir, bundle);
                let folder = path.parent().unwrap_or(&self.dir);
                durable::make_dir(folder)?;
                let file = File::create(&path)?;
                durable::sync_dir(folder)?;
                none.insert(file)
            }
        };
        file.write_all(bytes)
    }
}

/// The details of a bundle; an entry without one has an empty one.
pub(crate) fn read_bundle(dir: &Path, bundle: u64) -> io::Result<Vec<Vec<u8>>> {
    let Some(bytes) = durable::read(&bundle_path(dir, bundle))? else { return Ok(Vec::new()) };
    let mut rest = bytes.as_slice();
    let parts = std::iter::from_fn(|| {
        let (part, after) = split_part(rest)?;
        rest = after;
        Some(part.to_vec())
    });
    Ok(parts.collect())
}

fn bundle_path(dir: &Path, bundle: u64) -> PathBuf {
    let (folder, place) = (bundle / FOLDER_BUNDLES, bundle % FOLDER_BUNDLES);
    dir.join(format!("{folder:06}")).join(format!("{place:03}.details"))
}

/// Where the first `count` details end.
fn end_of(bytes: &[u8], count: u64) -> Option<u64> {
    let mut rest = bytes;
    for _ in 0..count {
        (_, rest) = split_part(rest)?;
    }
    u64::try_from(bytes.len() - rest.len()).ok()
}
