//! The monitor's own copy of the record: every batch it cosigned, whole, in append-only segment files. A frame and the
//! checkpoint it reaches are one write, so the copy and the held checkpoint cannot part. What a frame contains is
//! `batch`; what it means is `state`.
//!
//! Commit order, which every answer depends on:
//!   1. append the frame to the last segment   crash here: a torn tail, cut at the next start
//!   2. fdatasync                              crash here: the frame counts; the gate resends and gets 409, asks again
//!   3. write the mark                         crash here: the mark lags, which is harmless
//!   4. cosign and answer (the caller)
//!
//! The mark says how far this monitor has ever cosigned. It tells a torn tail, never cosigned, from a copy that lost
//! something it had: the first is cut, the second refuses the start.

mod skim;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tlog::entry::Micros;

pub use skim::{Skimmed, skim};

use crate::{batch::BATCH_BYTES_MAX, folder};

/// A segment that has grown past this is followed by a new one.
pub const SEGMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What is read of a segment at a time.
const READ_BYTES: usize = 1 << 20;
const MAGIC: [u8; 4] = *b"TMC1";
const HEADER_BYTES: usize = 4 + 4 + 8 + 32;
const TIME_BYTES: usize = 8;
const MARK: &str = "mark";

/// Why the copy cannot be used.
#[derive(Debug, Error)]
pub enum CopyError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: damaged at byte {offset}: {what}; restore the copy from a backup, never cut it", path.display())]
    Damaged { path: PathBuf, offset: u64, what: String },
    #[error("the copy ends at size {found} but size {marked} was cosigned; restore the copy from a backup")]
    Lost { found: u64, marked: u64 },
    #[error("{}: missing or not a mark; restore it from a backup", .0.display())]
    Mark(PathBuf),
    #[error("an earlier write failed; start again once the disk works")]
    Poisoned,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::Io { path, source }
}

/// A batch as it was stored.
pub struct Frame<'a> {
    /// When the monitor received it.
    pub received: Micros,
    /// The posted bytes.
    pub batch: &'a [u8],
}

/// A place between two frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The index of the segment's first entry, which is its name.
    pub segment: u64,
    /// The byte of the segment.
    pub offset: u64,
}

/// The copy, open for appending.
pub struct Copy {
    dir: PathBuf,
    segment: Option<Segment>,
    mark: File,
    poisoned: bool,
}

struct Segment {
    file: File,
    path: PathBuf,
    first: u64,
    bytes: u64,
}

/// What `Copy::open` asks of the reader of frames: the size after the frame, or what is wrong with it.
pub trait Replay {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), String>;
    /// The number of entries replayed so far.
    fn size(&self) -> u64;
    /// Where the frames begin that are to be replayed: those before it are known already.
    fn from(&self) -> Position {
        Position::default()
    }
    /// So many of the segments' bytes are read, of so many.
    fn progress(&mut self, _done: u64, _of: u64) {}
}

impl Copy {
    /// Reads the whole copy through `replay`, cuts a torn tail, and opens it for appending.
    pub fn open(dir: &Path, replay: &mut impl Replay) -> Result<Copy, CopyError> {
        let last = scan(dir, replay, Tail::Cut)?;
        let path = dir.join(MARK);
        let mut options = OpenOptions::new();
        let mark = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        let segment = last.map(|Last { path, first, bytes }| {
            let file = OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
            Ok(Segment { file, path, first, bytes })
        });
        let copy = Copy { dir: dir.to_owned(), segment: segment.transpose()?, mark, poisoned: false };
        copy.write_mark(replay.size())?;
        copy.sync_mark()?;
        folder::sync_parent(&path).map_err(at(&path))?;
        Ok(copy)
    }

    /// Stores a batch durably. `first` is the size before it and `size` the size after. After an error the copy takes
    /// nothing more: what is on disk is unknown until it is read again.
    pub fn append(&mut self, received: Micros, batch: &[u8], first: u64, size: u64) -> Result<(), CopyError> {
        if self.poisoned {
            return Err(CopyError::Poisoned);
        }
        self.poisoned = true;
        let frame = encode(received, batch);
        let segment = match self.segment.take() {
            Some(segment) if segment.bytes < SEGMENT_BYTES_MAX => segment,
            _ => self.next_segment(first)?,
        };
        let segment = self.segment.insert(segment);
        segment.file.write_all(&frame).map_err(at(&segment.path))?;
        segment.file.sync_data().map_err(at(&segment.path))?;
        segment.bytes += u64::try_from(frame.len()).unwrap_or(u64::MAX);
        self.write_mark(size)?;
        self.poisoned = false;
        Ok(())
    }

    /// Behind the last frame.
    pub fn position(&self) -> Position {
        self.segment.as_ref().map_or_else(Position::default, |segment| Position {
            segment: segment.first,
            offset: segment.bytes,
        })
    }

    /// Makes the mark durable; for a clean stop.
    pub fn sync_mark(&self) -> Result<(), CopyError> {
        self.mark.sync_all().map_err(at(&self.dir.join(MARK)))
    }

    fn next_segment(&self, first: u64) -> Result<Segment, CopyError> {
        let path = self.dir.join(segment_name(first));
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&path).map_err(at(&path))?;
        folder::sync_parent(&path).map_err(at(&path))?;
        Ok(Segment { file, path, first, bytes: 0 })
    }

    fn write_mark(&self, size: u64) -> Result<(), CopyError> {
        // Fixed width and in place: within one sector it is the old mark or the new one.
        self.mark.write_all_at(format!("{size:020}\n").as_bytes(), 0).map_err(at(&self.dir.join(MARK)))
    }
}

/// Reads a copy without changing it.
pub fn verify(dir: &Path, replay: &mut impl Replay) -> Result<(), CopyError> {
    scan(dir, replay, Tail::Keep).map(drop)
}

#[derive(Clone, Copy, PartialEq)]
enum Tail {
    Cut,
    Keep,
}

/// The segment that is appended to.
struct Last {
    path: PathBuf,
    first: u64,
    bytes: u64,
}

/// Reads the segments in order, from where the reader wants them; answers the last one.
fn scan(dir: &Path, replay: &mut impl Replay, tail: Tail) -> Result<Option<Last>, CopyError> {
    // The mark first: a monitor that runs while its copy is read moves the copy on before the mark.
    let marked = read_mark(dir)?;
    let lost =
        |found: u64| marked.filter(|marked| found < *marked).map(|marked| CopyError::Lost { found, marked });
    let from = replay.from();
    let mut segments = segments(dir)?;
    segments.retain(|path| *path >= dir.join(segment_name(from.segment)));
    let count = segments.len();
    let of = segments.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum();
    let (mut last, mut done) = (None, 0);
    for (n, path) in segments.into_iter().enumerate() {
        let (first, start) = if n == 0 { (from.segment, from.offset) } else { (replay.size(), 0) };
        let expected = segment_name(first);
        if path.file_name().is_none_or(|name| name != expected.as_str()) {
            let what = format!("the segment {expected} is missing before it");
            return Err(CopyError::Damaged { path, offset: 0, what });
        }
        let end = read_segment(&path, start, replay, (done, of))?;
        let bytes = fs::metadata(&path).map_err(at(&path))?.len();
        done += bytes;
        if let End::Torn(offset) = end {
            if n + 1 < count {
                let what = "a torn frame, but a later segment follows".to_owned();
                return Err(CopyError::Damaged { path, offset, what });
            }
            if let Some(lost) = lost(replay.size()) {
                return Err(lost);
            }
            if tail == Tail::Cut {
                let file = OpenOptions::new().write(true).open(&path).map_err(at(&path))?;
                file.set_len(offset).and_then(|()| file.sync_all()).map_err(at(&path))?;
            }
            last = Some(Last { path, first, bytes: offset });
        } else {
            last = Some(Last { path, first, bytes });
        }
    }
    match lost(replay.size()) {
        Some(lost) => Err(lost),
        None if marked.is_none() && replay.size() > 0 => Err(CopyError::Mark(dir.join(MARK))),
        None => Ok(last),
    }
}

/// The segments' files, in order.
fn segments(dir: &Path) -> Result<Vec<PathBuf>, CopyError> {
    let mut segments: Vec<PathBuf> = Vec::new();
    for item in fs::read_dir(dir).map_err(at(dir))? {
        let path = item.map_err(at(dir))?.path();
        if path.extension().is_some_and(|ext| ext == "seg") {
            segments.push(path);
        }
    }
    segments.sort();
    Ok(segments)
}

fn segment_name(first: u64) -> String {
    format!("{first:020}.seg")
}

/// The size that was cosigned; none when there is no mark, because nothing ever was.
pub fn read_mark(dir: &Path) -> Result<Option<u64>, CopyError> {
    let path = dir.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map(Some).map_err(|_| CopyError::Mark(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CopyError::Io { path, source }),
    }
}

enum End {
    Whole,
    Torn(u64),
}

/// Reads a segment from a byte of it; `done` of all bytes lie before it.
fn read_segment(
    path: &Path,
    start: u64,
    replay: &mut impl Replay,
    (done, of): (u64, u64),
) -> Result<End, CopyError> {
    let mut file = File::open(path).map_err(at(path))?;
    let bytes = file.metadata().map_err(at(path))?.len();
    file.seek(SeekFrom::Start(start)).map_err(at(path))?;
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    let mut offset = start;
    let mut payload = Vec::new();
    while offset < bytes {
        let left = bytes - offset;
        let damaged =
            |what: &str| CopyError::Damaged { path: path.to_owned(), offset, what: what.to_owned() };
        let mut header = [0; HEADER_BYTES];
        if left < header.len() as u64 {
            return Ok(End::Torn(offset));
        }
        reader.read_exact(&mut header).map_err(at(path))?;
        let Some((length, sum)) = read_header(&header) else {
            // A file that grew before its bytes arrived reads as zeros from some byte on.
            let mut rest = Vec::new();
            reader.take(FRAME_BYTES_MAX).read_to_end(&mut rest).map_err(at(path))?;
            let zeros = rest.iter().all(|byte| *byte == 0);
            return if zeros { Ok(End::Torn(offset)) } else { Err(damaged("not a frame")) };
        };
        let frame = header.len() as u64 + length;
        if frame > left {
            return Ok(End::Torn(offset));
        }
        payload.clear();
        (&mut reader).take(length).read_to_end(&mut payload).map_err(at(path))?;
        if Sha256::digest(&payload).as_slice() != sum {
            return if frame == left { Ok(End::Torn(offset)) } else { Err(damaged("its checksum is wrong")) };
        }
        let (time, batch) = payload.split_first_chunk::<TIME_BYTES>().ok_or_else(|| damaged("no time"))?;
        let received = Micros(i64::from_be_bytes(*time));
        replay.frame(Frame { received, batch }).map_err(|what| damaged(&what))?;
        offset += frame;
        replay.progress(done + offset, of);
    }
    Ok(End::Whole)
}

/// Bytes of a frame beside its batch.
pub(crate) const FRAME_HEAD_BYTES: u64 = (HEADER_BYTES + TIME_BYTES) as u64;
const FRAME_BYTES_MAX: u64 = (HEADER_BYTES + TIME_BYTES + BATCH_BYTES_MAX) as u64;

/// `magic | u32be length | 8 bytes over both | SHA-256 of the payload | payload = i64be received, batch`.
fn encode(received: Micros, batch: &[u8]) -> Vec<u8> {
    let length = u32::try_from(TIME_BYTES + batch.len()).unwrap_or(u32::MAX);
    let mut frame = Vec::with_capacity(HEADER_BYTES + TIME_BYTES + batch.len());
    frame.extend(MAGIC);
    frame.extend(length.to_be_bytes());
    frame.extend(short_sum(length));
    let mut sum = Sha256::new();
    sum.update(received.0.to_be_bytes());
    sum.update(batch);
    frame.extend(sum.finalize());
    frame.extend(received.0.to_be_bytes());
    frame.extend(batch);
    frame
}

/// Length and checksum of the payload, if the header is one. A length that was altered is not believed.
fn read_header(header: &[u8; HEADER_BYTES]) -> Option<(u64, &[u8])> {
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (check, sum) = rest.split_first_chunk::<8>()?;
    let length = u32::from_be_bytes(*length);
    (*magic == MAGIC && *check == short_sum(length)).then_some((u64::from(length), sum))
}

fn short_sum(length: u32) -> [u8; 8] {
    let digest = Sha256::new().chain_update(MAGIC).chain_update(length.to_be_bytes()).finalize();
    digest.first_chunk().copied().unwrap_or_default()
}
