//! Where judgements are told, so that each is told once: in a file, whose own end says how far it came, or on standard
//! output, where a small file beside the snapshots says so.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use serde::Deserialize;

use crate::answer::At;

/// Of the file's end, so much is looked at: more than what one event can bring.
const END_BYTES: u64 = 4 << 20;

/// Where it is told.
pub struct Told {
    to: To,
    /// Events before this one were told.
    from: u64,
}

enum To {
    /// Nowhere.
    Nobody,
    /// A file.
    File(File),
    /// A stream, and the file that says how far it came.
    Stream(Box<dyn Write + Send>, File),
}

#[derive(Deserialize)]
struct Line {
    index: u64,
}

impl Told {
    /// Nowhere.
    pub fn nobody() -> Self {
        Self { to: To::Nobody, from: 0 }
    }

    /// At the end of a file.
    pub fn file(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { to: To::File(file), from: 0 })
    }

    /// Goes on where everything about the events before `covered` was told, and perhaps more. Whatever a crash left in a file
    /// of the last event is taken away, and told again.
    pub(super) fn resume(&mut self, covered: u64) -> io::Result<()> {
        let To::File(file) = &mut self.to else { return Ok(()) };
        let length = file.metadata()?.len();
        let start = length.saturating_sub(END_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        let (keep, from) = last(&end, covered).map_err(|line| {
            io::Error::other(format!("it ends with a line that is no judgement, {line:?}; name another file"))
        })?;
        if start > 0 && keep == 0 {
            return Err(io::Error::other("its end holds no judgement; name another file"));
        }
        file.set_len(start + u64::try_from(keep).unwrap_or(0))?;
        self.from = from;
        Ok(())
    }

    /// On a stream, of which a file in the state's folder says how far it came. When the machine fails rather than the
    /// process, and at the moment of a crash, what was told last may be told again, by the same name.
    pub fn stream(out: impl Write + Send + 'static, dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join("told"))?;
        let mut from = [0; 8];
        let from = match file.read_exact(&mut from) {
            Ok(()) => u64::from_be_bytes(from),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { to: To::Stream(Box::new(out), file), from })
    }

    /// Whether what is said of an event was not told yet.
    pub(super) fn is_new(&self, at: At) -> bool {
        match at {
            At::Index(index) => index >= self.from && !matches!(self.to, To::Nobody),
            At::Stream { .. } => true,
        }
    }

    /// Tells what was said of the events before this one.
    pub(super) fn tell(&mut self, said: &mut Vec<u8>, before: u64) -> Result<(), String> {
        let told = match &mut self.to {
            To::Nobody => Ok(()),
            To::File(file) => file.write_all(said),
            // One that is ahead is of what was told before a crash.
            To::Stream(..) if before <= self.from => Ok(()),
            To::Stream(out, file) => out
                .write_all(said)
                .and_then(|()| out.flush())
                .and_then(|()| file.write_all_at(&before.to_be_bytes(), 0)),
        };
        said.clear();
        self.from = self.from.max(before);
        told.map_err(|error| format!("telling judgements: {error}"))
    }

    pub(super) fn sync(&mut self) -> Result<(), String> {
        match &self.to {
            To::File(file) => file.sync_data().map_err(|error| format!("telling judgements: {error}")),
            To::Nobody | To::Stream(..) => Ok(()),
        }
    }
}

/// Of a file's end: how many bytes of it stay, and from which event on is to be told. What there is about events before
/// `covered` is all there.
fn last(end: &[u8], covered: u64) -> Result<(usize, u64), String> {
    let whole = memchr::memrchr(b'\n', end).map_or(0, |at| at + 1);
    let lines = || {
        let mut to = whole;
        std::iter::from_fn(move || {
            let before = end.get(..to.checked_sub(1)?)?;
            let from = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
            let line = end.get(from..to)?;
            to = from;
            Some((from, line))
        })
    };
    let index =
        |line: &[u8]| -> Option<u64> { serde_json::from_slice(line).ok().map(|line: Line| line.index) };
    let Some((_, line)) = lines().next() else { return Ok((0, covered)) };
    let Some(last) = index(line) else { return Err(String::from_utf8_lossy(line).trim().to_owned()) };
    if last < covered {
        return Ok((whole, covered));
    }
    // What was said of the last event may not be all.
    let mut keep = whole;
    for (from, line) in lines() {
        if index(line) != Some(last) {
            break;
        }
        keep = from;
    }
    Ok((keep, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_of_the_last_event_is_told_again() {
        let finding = r#"{"index":7,"finding":{}}"#;
        let cases: [(String, usize, u64); 6] = [
            (String::new(), 0, 0),
            ("{\"index\":3".to_owned(), 0, 0),
            ("{\"index\":3}\n".to_owned(), 0, 3),
            ("{\"index\":3}\n{\"index\":5}\n{\"ind".to_owned(), 12, 5),
            (format!("{{\"index\":3}}\n{{\"index\":7}}\n{finding}\n"), 12, 7),
            (format!("{{\"index\":3}}\n{finding}\n{finding}\n"), 12, 7),
        ];
        for (text, keep, from) in cases {
            assert_eq!(last(text.as_bytes(), 0), Ok((keep, from)), "{text}");
            // A snapshot covers it: all is there.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            assert_eq!(last(text.as_bytes(), 8), Ok((whole, 8)), "{text}");
        }
        assert!(last(b"something else\n", 0).is_err());
    }
}
