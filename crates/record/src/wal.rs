//! The write-ahead file: where entries become durable before anything is signed. A folder of segments, each a
//! row of frames (see `batch`). A torn tail, which a crash leaves, is cut at open; damage anywhere else is
//! refused, because what was staged may have been signed. Publication and deletion of what is published are
//! not here.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::batch::{Batch, Damage};
use crate::durable;
use crate::steps::{Step, Steps};

/// A segment that has grown past this is followed by a new one, so that published ones can be removed.
const SEGMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What every segment begins with.
const MAGIC: &[u8] = b"trefoil wal v1\n\n";

/// The write-ahead file, open for writing by one process.
pub(crate) struct Wal {
    dir: PathBuf,
    steps: Steps,
    /// The segment that is written to; none before the first frame after an open.
    current: Option<(File, u64)>,
    /// Held while this lives: two writers would sign two trees.
    _lock: File,
}

/// What is wrong with a write-ahead file.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    #[error("{}: {error}; make the folder readable and writable for the gate", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: another gate is writing this record; stop it first", path.display())]
    Locked { path: PathBuf },
    #[error(
        "{}: damaged at byte {at}, and not by a torn write; restore the file, because entries in it may have been signed",
        path.display()
    )]
    Damaged { path: PathBuf, at: usize },
    #[error(
        "{}: begins with entry {found}, but entry {expected} is the next; restore the missing segment",
        path.display()
    )]
    Gap { path: PathBuf, found: u64, expected: u64 },
}

impl Wal {
    /// Opens the folder, locks it, cuts a torn tail and gives every staged batch, oldest first, to `each`.
    pub(crate) fn open(dir: &Path, steps: Steps, each: &mut dyn FnMut(Batch)) -> Result<Self, WalError> {
        let io = |error| WalError::Io { path: dir.to_owned(), error };
        durable::make_dir(dir).map_err(io)?;
        let path = dir.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WalError::Locked { path }),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        durable::finish_destroying(dir).map_err(io)?;
        if let Some(torn) = read_dir(dir, each)? {
            torn.cut().map_err(|error| WalError::Io { path: torn.path.clone(), error })?;
        }
        Ok(Self { dir: dir.to_owned(), steps, current: None, _lock: lock })
    }

    /// Makes a batch durable. After an error nothing more may be written until the folder is opened again:
    /// nobody knows what of the frame is on the disk.
    pub(crate) fn stage(&mut self, batch: &Batch) -> io::Result<()> {
        let full = self.current.as_ref().is_none_or(|(_, bytes)| *bytes >= SEGMENT_BYTES_MAX);
        if full {
            self.current = Some((self.new_segment(batch.first())?, 0));
        }
        let Some((file, bytes)) = &mut self.current else { return Err(io::Error::other("no segment")) };
        // Crash here: the frame is missing or torn, and is cut at open. Nobody was told that it exists.
        self.steps.run(Step::FrameWritten, || file.write_all(batch.frame()))?;
        // Crash here: the same, or the frame is whole and is sent after the restart.
        self.steps.run(Step::FrameSynced, || file.sync_data())?;
        *bytes += batch.frame().len() as u64;
        Ok(())
    }

    /// The next batch begins a segment, so that those before it can be removed once it is published.
    pub(crate) fn begin_segment(&mut self) {
        self.current = None;
    }

    fn new_segment(&self, first: u64) -> io::Result<File> {
        self.steps.run(Step::SegmentMade, || {
            let mut file = File::create(segment_path(&self.dir, first))?;
            file.write_all(MAGIC)?;
            file.sync_all()?;
            durable::sync_dir(&self.dir)?;
            Ok(file)
        })
    }
}

/// A tail that a crash left: everything from `at` on was never acknowledged.
pub(crate) struct Torn {
    path: PathBuf,
    at: usize,
}

impl Torn {
    fn cut(&self) -> io::Result<()> {
        if self.at <= MAGIC.len() {
            fs::remove_file(&self.path)?;
            return self.path.parent().map_or(Ok(()), durable::sync_dir);
        }
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.at as u64)?;
        file.sync_all()
    }
}

/// Reads every segment of a folder without changing it and gives each batch, oldest first, to `each`.
/// Answers the torn tail, if there is one.
pub(crate) fn read_dir(dir: &Path, each: &mut dyn FnMut(Batch)) -> Result<Option<Torn>, WalError> {
    let segments = segments(dir).map_err(|error| WalError::Io { path: dir.to_owned(), error })?;
    let mut expected = None;
    let mut left = segments.len();
    for (first, path) in segments {
        left -= 1;
        if expected.is_some_and(|expected| expected != first) {
            return Err(WalError::Gap { path, found: first, expected: expected.unwrap_or_default() });
        }
        expected = Some(first);
        if let Some(at) = read_segment(&path, &mut expected, each)? {
            if left > 0 {
                return Err(WalError::Damaged { path, at });
            }
            return Ok(Some(Torn { path, at }));
        }
    }
    Ok(None)
}

/// Removes segments whose entries all lie below `published`: those followed by one that begins there or below.
/// Overwrites them before, if `destroy` says so.
pub(crate) fn remove_published(dir: &Path, published: u64, destroy: bool, steps: &Steps) -> io::Result<()> {
    let segments = segments(dir)?;
    let nexts = segments.iter().skip(1).map(|(first, _)| *first);
    for ((_, path), _) in segments.iter().zip(nexts).take_while(|(_, next)| *next <= published) {
        let remove =
            || if destroy { durable::destroy(path, &Steps::default()) } else { durable::remove(path) };
        steps.run(Step::SegmentRemoved, remove)?;
    }
    Ok(())
}

/// Whether there is a segment before the one that holds the entry at `index`.
pub(crate) fn has_before(dir: &Path, index: u64) -> io::Result<bool> {
    Ok(segments(dir)?.iter().filter(|(first, _)| *first <= index).count() > 1)
}

/// The segments of a folder with their first indices, oldest first.
fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir)? {
        let path = item?.path();
        if path.extension().is_some_and(|ext| ext == "wal") {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            found.push((
                stem.ok_or_else(|| io::Error::other(format!("{}: not a segment's name", path.display())))?,
                path,
            ));
        }
    }
    found.sort();
    Ok(found)
}

/// Answers where the segment stops being whole, if it does.
fn read_segment(
    path: &Path,
    expected: &mut Option<u64>,
    each: &mut dyn FnMut(Batch),
) -> Result<Option<usize>, WalError> {
    let bytes = fs::read(path).map_err(|error| WalError::Io { path: path.to_owned(), error })?;
    let bytes = Bytes::from(bytes);
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        let torn = MAGIC.starts_with(&bytes);
        return if torn { Ok(Some(0)) } else { Err(WalError::Damaged { path: path.to_owned(), at: 0 }) };
    }
    let mut at = MAGIC.len();
    while at < bytes.len() {
        match Batch::read(&bytes.slice(at..)) {
            Ok(batch) if expected.is_none_or(|expected| expected == batch.first()) => {
                at += batch.frame().len();
                *expected = Some(batch.next());
                each(batch);
            }
            Ok(batch) => {
                let (found, expected) = (batch.first(), expected.unwrap_or_default());
                return Err(WalError::Gap { path: path.to_owned(), found, expected });
            }
            // A frame is synced before the next is written: a whole frame after a wrong one means that the
            // wrong one was whole once.
            Err(Damage::Wrong { frame_bytes: Some(length) })
                if at + length < bytes.len() && Batch::read(&bytes.slice(at + length..)).is_ok() =>
            {
                return Err(WalError::Damaged { path: path.to_owned(), at });
            }
            Err(_) => return Ok(Some(at)),
        }
    }
    Ok(None)
}

fn segment_path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.wal"))
}
