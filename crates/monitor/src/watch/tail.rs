//! What came to a site's log since it was last read. Where the reading is, is kept by the caller: the file's number and
//! an offset. A file that was replaced or cut is read from its beginning, and that is told.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

/// Bytes of a log that are read at a time.
pub const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes by which the place is known again: a file's number may be given to its successor.
const MARK_BYTES_MAX: usize = 64;

/// How far a log has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file's number in its file system; 0 before the first reading.
    inode: u64,
    offset: u64,
    /// What stood right before.
    mark: Vec<u8>,
}

/// What is new.
#[derive(Debug, Default)]
pub struct News {
    pub lines: Vec<String>,
    /// The file is another one, or shorter than it was: what stood between was not read.
    pub cut: bool,
    /// There is more to read at once.
    pub more: bool,
}

impl Position {
    /// At the end of the log as it is: what came before is not looked at.
    pub fn at_end(path: &Path) -> io::Result<Position> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mark_bytes = u64::try_from(MARK_BYTES_MAX).unwrap_or(0).min(metadata.len());
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(mark_bytes)))?;
        let mut mark = Vec::new();
        file.take(mark_bytes).read_to_end(&mut mark)?;
        Ok(Position { inode: metadata.ino(), offset: metadata.len(), mark })
    }

    /// Reads the whole lines that are new, and moves on behind them.
    pub fn read(&mut self, path: &Path) -> io::Result<News> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut news = News::default();
        if metadata.ino() != self.inode || !self.is_at(&mut file)? {
            news.cut = self.inode != 0;
            *self = Position { inode: metadata.ino(), ..Position::default() };
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        let read = file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        news.more = u64::try_from(read).unwrap_or(0) == TAIL_BYTES_MAX;
        let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end.saturating_add(1),
            // A line longer than all that is read at a time is taken in pieces: it is not skipped, nor waited for.
            None if news.more => read,
            None => 0,
        };
        bytes.truncate(whole);
        self.offset = self.offset.saturating_add(u64::try_from(whole).unwrap_or(0));
        self.mark.extend(&bytes);
        self.mark.drain(..self.mark.len().saturating_sub(MARK_BYTES_MAX));
        news.lines = String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
        Ok(news)
    }

    /// Whether the file has at this place what it had.
    fn is_at(&self, file: &mut File) -> io::Result<bool> {
        let marked = u64::try_from(self.mark.len()).unwrap_or(0);
        file.seek(SeekFrom::Start(self.offset.saturating_sub(marked)))?;
        let mut found = Vec::new();
        file.by_ref().take(marked).read_to_end(&mut found)?;
        Ok(found == self.mark)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_read_once_and_a_cut_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let add = |text: &str| {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        add("old\n");
        let mut position = Position::at_end(&path).unwrap();
        let mut check = |lines: &[&str], cut: bool| {
            let news = position.read(&path).unwrap();
            assert_eq!((news.lines, news.cut), (lines.iter().map(|line| (*line).to_owned()).collect(), cut));
        };
        check(&[], false);
        add("one\ntwo");
        check(&["one"], false);
        add(" and more\n");
        check(&["two and more"], false);
        std::fs::write(&path, "new\n").unwrap();
        check(&["new"], true);
        std::fs::remove_file(&path).unwrap();
        add("another file, which is longer\n");
        check(&["another file, which is longer"], true);
    }
}
