//! Events that no file keeps, because they came by HTTP or standard input: kept from before anybody is told that they
//! were taken in until two snapshots cover them. They hold names and addresses, so they are sealed under the state's
//! key.
//!
//! Files named after the number of their first frame. A frame: `u32be length | sealed lines`, sealed with its number. A frame that a crash tore at the end of the last file was promised to nobody.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::sealed::Sealer;
use super::{Secret, StateError, at, remove, sync_dir};
use crate::steps::{Step, Steps};

const DIR: &str = "inbox";
/// Longest frame.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// A file is begun after so many bytes.
const FILE_BYTES_MIN: u64 = 64 << 20;

/// The inbox of a state.
pub struct Inbox {
    dir: PathBuf,
    sealer: Sealer,
    /// The number of the next frame.
    next: u64,
    /// The last file, and how long it is.
    last: Option<(File, u64)>,
    steps: Steps,
}

impl Inbox {
    /// Opens it and removes what a crash tore. Frames that were numbered before `from`, which snapshots cover, may be gone.
    pub(super) fn open(dir: &Path, secret: &Secret, from: u64, steps: &Steps) -> Result<Self, StateError> {
        let dir = dir.join(DIR);
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        let sealer = Sealer::new(secret, DIR);
        let mut inbox = Self { dir, sealer, next: from, last: None, steps: steps.clone() };
        inbox.repair()?;
        Ok(inbox)
    }

    /// How many frames were ever taken in.
    pub fn taken(&self) -> u64 {
        self.next
    }

    /// Cuts a torn frame off the last file.
    fn repair(&mut self) -> Result<(), StateError> {
        let Some(first) = self.files()?.pop() else { return Ok(()) };
        let path = self.file(first);
        let mut frames = self.read(first)?;
        while let Some(frame) = frames.next() {
            match frame {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(at(&path)(error)),
            }
        }
        let (whole, number) = (frames.whole, frames.number);
        let file = OpenOptions::new().append(true).open(&path).map_err(at(&path))?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(at(&path))?;
        // Its file may be all that says how many there were.
        if number >= self.next {
            self.next = number;
            self.last = Some((file, whole));
        }
        Ok(())
    }

    /// Keeps lines; they are on the disk when this returns.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), StateError> {
        let dir = self.dir.clone();
        self.try_append(lines).map_err(at(&dir))
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        let sealed = self.sealer.seal(&self.next.to_be_bytes(), lines)?;
        if sealed.len() > FRAME_BYTES_MAX {
            return Err(io::Error::other("too many bytes at once"));
        }
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        let frame = [&length.to_be_bytes()[..], &sealed].concat();
        let (steps, dir) = (self.steps.clone(), self.dir.clone());
        if self.last.as_ref().is_none_or(|(_, bytes)| *bytes >= FILE_BYTES_MIN) {
            let path = self.file(self.next);
            let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
            sync_dir(&dir)?;
            self.last = Some((file, 0));
        }
        let Some((file, bytes)) = &mut self.last else { return Err(io::Error::other("no file")) };
        steps.run(Step::FrameWritten, || file.write_all(&frame))?;
        steps.run(Step::FrameSynced, || file.sync_data())?;
        *bytes += u64::try_from(frame.len()).unwrap_or(0);
        self.next += 1;
        Ok(())
    }

    /// The lines of every frame from this number on.
    pub fn replay(&self, from: u64) -> Result<Replay, StateError> {
        let files = self.files()?;
        // The last file that begins before it may hold it.
        let first = files.partition_point(|first| *first <= from).saturating_sub(1);
        let files = files.into_iter().skip(first).map(|first| (first, self.file(first))).collect();
        Ok(Replay { files, now: None, sealer: self.sealer.clone(), from })
    }

    /// Removes files that hold nothing from this number on.
    pub fn prune(&self, from: u64) -> Result<(), StateError> {
        let files = self.files()?;
        for (place, first) in files.iter().enumerate() {
            // The last one is appended to.
            if files.get(place + 1).is_some_and(|next| *next <= from) {
                let path = self.file(*first);
                self.steps.run(Step::Removed, || remove(&path)).map_err(at(&path))?;
            }
        }
        Ok(())
    }

    fn file(&self, first: u64) -> PathBuf {
        self.dir.join(first.to_string())
    }

    fn files(&self) -> Result<Vec<u64>, StateError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(at(&self.dir))? {
            let name = entry.map_err(at(&self.dir))?.file_name();
            files.extend(name.to_str().and_then(|name| name.parse::<u64>().ok()));
        }
        files.sort_unstable();
        Ok(files)
    }

    fn read(&self, first: u64) -> Result<Frames, StateError> {
        Frames::open(self.file(first), first, &self.sealer)
    }
}

/// Frames of an inbox, one after the other.
pub struct Replay {
    files: VecDeque<(u64, PathBuf)>,
    now: Option<Frames>,
    sealer: Sealer,
    from: u64,
}

impl Iterator for Replay {
    type Item = Result<Vec<u8>, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.now.is_none() {
                let (first, path) = self.files.pop_front()?;
                match Frames::open(path, first, &self.sealer) {
                    Ok(frames) => self.now = Some(frames),
                    Err(error) => return Some(Err(error)),
                }
            }
            let frames = self.now.as_mut()?;
            let number = frames.number;
            match frames.next() {
                None => self.now = None,
                Some(Ok(_)) if number < self.from => {}
                Some(frame) => return Some(frame.map_err(at(&frames.path))),
            }
        }
    }
}

/// The frames of one file.
struct Frames {
    path: PathBuf,
    sealer: Sealer,
    from: BufReader<File>,
    /// The number of the next one.
    number: u64,
    /// How many bytes the whole ones have.
    whole: u64,
}

impl Frames {
    fn open(path: PathBuf, first: u64, sealer: &Sealer) -> Result<Self, StateError> {
        let file = File::open(&path).map_err(at(&path))?;
        Ok(Self { path, sealer: sealer.clone(), from: BufReader::new(file), number: first, whole: 0 })
    }

    /// The next frame's lines. A torn one is [`io::ErrorKind::UnexpectedEof`].
    fn next(&mut self) -> Option<io::Result<Vec<u8>>> {
        match self.from.by_ref().bytes().next()? {
            Ok(first) => Some(self.frame(first)),
            Err(error) => Some(Err(error)),
        }
    }

    fn frame(&mut self, first: u8) -> io::Result<Vec<u8>> {
        let mut rest = [0; 3];
        self.from.read_exact(&mut rest)?;
        let [b, c, d] = rest;
        let length = usize::try_from(u32::from_be_bytes([first, b, c, d])).unwrap_or(usize::MAX);
        // A file system may have made the file longer and not yet written what it is longer by.
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if length > FRAME_BYTES_MAX {
            return Err(io::Error::other("no frame of an inbox"));
        }
        let mut frame = vec![0; length];
        self.from.read_exact(&mut frame)?;
        let Some(opened) = self.sealer.open(&self.number.to_be_bytes(), &frame) else {
            let is_last = self.from.fill_buf()?.is_empty();
            return Err(if is_last {
                io::ErrorKind::UnexpectedEof.into()
            } else {
                io::Error::other("a frame was altered, or is of another key")
            });
        };
        self.number += 1;
        self.whole += 4 + u64::try_from(length).unwrap_or(0);
        Ok(opened)
    }
}
