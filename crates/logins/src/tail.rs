//! A file of lines, from where it was left, to its end or for as long as it grows: through rotation by renaming, by
//! copying and truncating, and while nobody looked. A place in a file is known by how the file begins, so that it is
//! found again under another name. Not here: what the lines say.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::state::{StateError, at};

/// So much is read at once.
const BLOCK_BYTES: usize = 1 << 20;
/// The longest line; what is longer is left out, and said to be.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// By so much of its beginning a file is known.
const HEAD_BYTES_MAX: usize = 1_024;
/// A renamed file is read on while it grows, and until it was found at its end so many times.
const ENDS_SEEN_MIN: u32 = 2;

/// How far a file was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Bytes read.
    pub offset: u64,
    /// SHA-256 of the first bytes, up to 1 024 of those read, in hexadecimal digits.
    pub head: String,
}

/// What a look at a file gave.
#[derive(Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Whole lines, each with its end but perhaps the last.
    Lines(&'a [u8]),
    /// Nothing more for now.
    Idle,
    /// The end.
    End,
}

/// What a file is known by: its length now, and how it begins.
pub(crate) fn place_of(path: &Path) -> io::Result<Place> {
    let mut file = File::open(path)?;
    let offset = file.metadata()?.len();
    let mut head = vec![0; head_bytes(offset)];
    file.read_exact(&mut head)?;
    Ok(Place { offset, head: digits(&head) })
}

/// Whether a file is the one of this place; it may have grown.
pub(crate) fn is_of(path: &Path, place: &Place) -> io::Result<bool> {
    Part::open(path)?.resume(place)
}

/// A file that is read.
pub struct Tail {
    path: PathBuf,
    follow: bool,
    now: Part,
    /// Older files under other names, the next one last.
    before: Vec<PathBuf>,
    ends_seen: u32,
    /// Is that of the file itself, not of an older one.
    is_itself: bool,
    told: Vec<String>,
}

impl Tail {
    /// Goes on where `place` says, or begins.
    pub fn open(path: &Path, follow: bool, place: Option<&Place>) -> Result<Self, StateError> {
        let mut tail = Self {
            path: path.to_owned(),
            follow,
            now: Part::open(path).map_err(at(path))?,
            before: Vec::new(),
            ends_seen: 0,
            is_itself: true,
            told: Vec::new(),
        };
        let Some(place) = place else { return Ok(tail) };
        if tail.now.resume(place).map_err(at(path))? {
            return Ok(tail);
        }
        let mut older = siblings(path).map_err(at(path))?;
        while let Some(sibling) = older.pop() {
            let mut part = Part::open(&sibling).map_err(at(&sibling))?;
            if part.resume(place).map_err(at(&sibling))? {
                tail.now = part;
                tail.is_itself = false;
                return Ok(tail);
            }
            // It is newer than the one that is looked for.
            tail.before.push(sibling);
        }
        tail.before.clear();
        tail.told.push(format!(
            "{}: the file that was read to byte {} is gone, and what it held after that; reading the new one from its beginning",
            path.display(),
            place.offset
        ));
        Ok(tail)
    }

    /// How far it was read: after all blocks that were given.
    pub fn place(&self) -> Place {
        self.now.place()
    }

    /// What there is to say to whoever runs this, once.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    /// The next lines.
    pub fn read(&mut self) -> Result<Block<'_>, StateError> {
        self.step().map_err(at(&self.path))?;
        let given = self.now.given();
        if !given.is_empty() {
            // Borrowed anew: the loop of `step` ended with lines.
            return Ok(Block::Lines(given));
        }
        Ok(if self.follow || !self.is_itself { Block::Idle } else { Block::End })
    }

    fn step(&mut self) -> io::Result<()> {
        loop {
            let whole = self.now.fill()?;
            if std::mem::take(&mut self.now.left_out) {
                self.told.push(format!(
                    "{}: a line longer than {LINE_BYTES_MAX} bytes was left out",
                    self.path.display()
                ));
            }
            if whole {
                self.ends_seen = 0;
                return Ok(());
            }
            if self.is_itself && !self.follow {
                self.now.take_rest();
                return Ok(());
            }
            if self.now.is_truncated()? {
                self.told.push(format!("{}: it was cut; reading it from its beginning", self.path.display()));
                self.now.restart()?;
                continue;
            }
            if self.is_itself && !self.is_renamed()? {
                return Ok(());
            }
            self.ends_seen += 1;
            // Whoever writes may still have the old file open.
            if self.follow && self.before.is_empty() && self.ends_seen < ENDS_SEEN_MIN {
                return Ok(());
            }
            if self.now.has_rest() {
                self.now.take_rest();
                return Ok(());
            }
            self.go_on()?;
        }
    }

    /// To the next file.
    fn go_on(&mut self) -> io::Result<()> {
        self.ends_seen = 0;
        if let Some(next) = self.before.pop() {
            self.now = Part::open(&next)?;
            self.is_itself = false;
        } else {
            self.now = Part::open(&self.path)?;
            self.is_itself = true;
        }
        Ok(())
    }

    fn is_renamed(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            // Renamed, and no new one is there yet: the old one is read on until there is.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(there) => {
                let open = self.now.file.metadata()?;
                Ok((there.dev(), there.ino()) != (open.dev(), open.ino()))
            }
        }
    }
}

/// What this file was before it was renamed: files beside it with its name and a number or date after that, the newest
/// last. What is compressed cannot be read.
fn siblings(path: &Path) -> io::Result<Vec<PathBuf>> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let file = entry.file_name();
        let Some(after) = file.as_encoded_bytes().strip_prefix(name.as_encoded_bytes()) else { continue };
        let is_number = |byte: &u8| byte.is_ascii_digit() || b".-_:TZ".contains(byte);
        let about = entry.metadata()?;
        if !after.is_empty() && after.iter().all(is_number) && about.is_file() {
            // Of two that changed at once the one with the lower number is the newer.
            found.push((about.modified()?, std::cmp::Reverse(entry.path())));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path.0).collect())
}

/// Of the first so many bytes, how many belong to the head.
fn head_bytes(bytes: u64) -> usize {
    usize::try_from(bytes).map_or(HEAD_BYTES_MAX, |bytes| bytes.min(HEAD_BYTES_MAX))
}

fn digits(head: &[u8]) -> String {
    Sha256::digest(head).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One file, and what of it was read ahead.
struct Part {
    file: File,
    /// Its first bytes, as far as they were read.
    head: Vec<u8>,
    /// Offset of the buffer's first byte.
    start: u64,
    buffer: Vec<u8>,
    /// So much of the buffer was given out.
    given: usize,
    is_skipping: bool,
    left_out: bool,
}

impl Part {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let head = Vec::with_capacity(HEAD_BYTES_MAX);
        Ok(Self { file, head, start: 0, buffer: Vec::new(), given: 0, is_skipping: false, left_out: false })
    }

    /// Goes to a place, if this is the file that has it.
    fn resume(&mut self, place: &Place) -> io::Result<bool> {
        if self.file.metadata()?.len() < place.offset {
            return Ok(false);
        }
        let mut head = vec![0; head_bytes(place.offset)];
        self.file.read_exact(&mut head)?;
        if digits(&head) != place.head {
            return Ok(false);
        }
        self.file.seek(SeekFrom::Start(place.offset))?;
        (self.start, self.head) = (place.offset, head);
        Ok(true)
    }

    fn place(&self) -> Place {
        let offset = self.start + u64::try_from(self.given).unwrap_or(0);
        Place { offset, head: digits(self.head.get(..head_bytes(offset)).unwrap_or(&self.head)) }
    }

    fn given(&self) -> &[u8] {
        self.buffer.get(..self.given).unwrap_or_default()
    }

    /// Forgets what was given, reads on, and gives the whole lines there are. Whether there are any.
    fn fill(&mut self) -> io::Result<bool> {
        self.drop_front(self.given);
        self.given = 0;
        loop {
            let had = self.buffer.len();
            (&mut self.file).take(BLOCK_BYTES as u64).read_to_end(&mut self.buffer)?;
            if self.buffer.len() == had {
                return Ok(false);
            }
            let wanted = HEAD_BYTES_MAX.saturating_sub(self.head.len());
            self.head.extend(self.buffer.iter().skip(had).take(wanted));
            let mut new = had;
            if self.is_skipping {
                let end = memchr::memchr(b'\n', &self.buffer);
                self.is_skipping = end.is_none();
                self.drop_front(end.map_or(self.buffer.len(), |end| end + 1));
                new = 0;
            }
            if let Some(end) = memchr::memrchr(b'\n', self.buffer.get(new..).unwrap_or_default()) {
                self.given = new + end + 1;
                return Ok(true);
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                (self.is_skipping, self.left_out) = (true, true);
                self.drop_front(self.buffer.len());
            }
        }
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.start += u64::try_from(bytes).unwrap_or(0);
    }

    fn has_rest(&self) -> bool {
        self.buffer.len() > self.given
    }

    /// Gives what stands after the last end of a line.
    fn take_rest(&mut self) {
        self.given = self.buffer.len();
    }

    fn is_truncated(&self) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() < self.start + u64::try_from(self.buffer.len()).unwrap_or(0))
    }

    fn restart(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        (self.start, self.given, self.is_skipping) = (0, 0, false);
        self.head.clear();
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write as _;

    use super::*;

    /// What is done to a file between two looks at it.
    enum Act {
        Append(&'static str),
        /// Renamed, and a new one begun.
        Rotate(&'static str),
        /// Copied, and cut.
        Copy(&'static str),
        /// The program ends, and begins again from the place that was kept.
        Restart,
        Look,
    }
    use Act::{Append, Copy, Look, Restart, Rotate};

    /// Does it all, and looks until nothing more comes.
    fn check(acts: &[Act], follow: bool) -> (String, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "").unwrap();
        let mut tail = Tail::open(&path, follow, None).unwrap();
        let (mut seen, mut told) = (String::new(), Vec::new());
        for act in acts.iter().chain([&Look]) {
            match act {
                Append(text) => {
                    OpenOptions::new().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
                }
                Rotate(to) => {
                    fs::rename(&path, dir.path().join(to)).unwrap();
                    fs::write(&path, "").unwrap();
                }
                Copy(to) => {
                    fs::copy(&path, dir.path().join(to)).unwrap();
                    OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
                }
                Restart => {
                    let place = tail.place();
                    tail = Tail::open(&path, follow, Some(&place)).unwrap();
                }
                Look => {
                    for _ in 0..4 {
                        while let Block::Lines(lines) = tail.read().unwrap() {
                            seen.push_str(std::str::from_utf8(lines).unwrap());
                        }
                    }
                }
            }
            told.append(&mut tail.told());
        }
        (seen, told)
    }

    #[test]
    fn every_line_is_read_once_whatever_becomes_of_the_file() {
        let cases: [(&[Act], &str); 10] = [
            (&[Append("a\nb\n"), Look, Append("c\n")], "a\nb\nc\n"),
            (&[Append("a\nb"), Look, Append("b\n"), Look, Append("c\n")], "a\nbb\nc\n"),
            (&[Append("a\n"), Look, Restart, Append("b\n")], "a\nb\n"),
            (&[Append("a\n"), Look, Append("b"), Look, Restart, Append("c\n")], "a\nbc\n"),
            (&[Append("a\n"), Look, Rotate("log.1"), Append("b\n")], "a\nb\n"),
            (&[Append("a\n"), Look, Append("b"), Rotate("log.1"), Append("c\n")], "a\nbc\n"),
            (&[Append("a\n"), Look, Append("b\n"), Rotate("log.1"), Append("c\n"), Restart], "a\nb\nc\n"),
            (
                &[
                    Append("a\n"),
                    Look,
                    Append("b\n"),
                    Rotate("log.2"),
                    Append("c\n"),
                    Rotate("log.1"),
                    Append("d\n"),
                    Restart,
                ],
                "a\nb\nc\nd\n",
            ),
            (&[Append("aaaa\n"), Look, Copy("log.1"), Append("b\n")], "aaaa\nb\n"),
            (&[Append("aaaa\n"), Look, Append("b\n"), Copy("log.1"), Append("c\n"), Restart], "aaaa\nb\nc\n"),
        ];
        for (at, (acts, expected)) in cases.iter().enumerate() {
            let (seen, _) = check(acts, true);
            assert_eq!(seen, *expected, "case {at}");
        }
        assert_eq!(check(&[Append("a\nb")], false).0, "a\nb", "the last line may have no end");
    }

    #[test]
    fn what_is_gone_is_said_to_be() {
        let (seen, told) = check(&[Append("aaaa\n"), Look, Append("bbbb\n"), Rotate("x"), Restart], true);
        assert_eq!(seen, "aaaa\n");
        assert!(told.join("\n").contains("is gone"), "{told:?}");
    }

    #[test]
    fn a_line_that_is_too_long_is_left_out_and_the_next_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, format!("a\n{}\nb\n", "x".repeat(3 * LINE_BYTES_MAX))).unwrap();
        let mut tail = Tail::open(&path, false, None).unwrap();
        let mut seen = Vec::new();
        while let Block::Lines(lines) = tail.read().unwrap() {
            seen.extend_from_slice(lines);
        }
        // The block that holds the line's end may begin with a part of it no longer.
        assert_eq!(String::from_utf8(seen).unwrap(), "a\nb\n");
        assert_eq!(tail.told().len(), 1);
    }
}
