//! What a witness cosigned last for one log, on the disk: two slots in one file, written in turn, so that one
//! fdatasync makes the new one durable and a torn write leaves the old one, under which nobody has been told more. The
//! slots hold a text; what it says is `witness`.
//!
//! A slot is `magic | u64be number | u32be length | SHA-256 of number and text | text`.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::folder;

/// The longest text.
pub const TEXT_BYTES_MAX: usize = 128 * 1024;

const MAGIC: [u8; 4] = *b"TWH1";
const HEAD_BYTES: usize = 4 + 8 + 4 + 32;
const SLOT_BYTES: usize = HEAD_BYTES + TEXT_BYTES_MAX;

/// Why what was cosigned is not known, or could not be kept.
#[derive(Debug, Error)]
pub enum HeldError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: damaged, so that it is not known what was cosigned; restore the newest backup", .0.display())]
    Damaged(PathBuf),
    #[error("{}: {bytes} bytes are more than {TEXT_BYTES_MAX}", path.display())]
    Long { path: PathBuf, bytes: usize },
    #[error("an earlier write failed; start the witness again once the disk works")]
    Poisoned,
}

/// The file of one log.
pub struct Slots {
    file: File,
    path: PathBuf,
    /// Of the text written last; 0 before the first.
    number: u64,
    poisoned: bool,
}

/// What a slot holds.
#[derive(PartialEq)]
enum Slot {
    Empty,
    Torn,
    Whole { number: u64, text: String },
}

impl Slots {
    /// Opens or makes the file; answers the newest text.
    pub fn open(path: &Path) -> Result<(Slots, Option<String>), HeldError> {
        let io = |source| HeldError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(io)?;
        let bytes = u64::try_from(2 * SLOT_BYTES).unwrap_or(u64::MAX);
        match file.metadata().map_err(io)?.len() {
            // Before it has its length nothing was ever written.
            0 => {
                file.set_len(bytes).and_then(|()| file.sync_all()).map_err(io)?;
                folder::sync_parent(path).map_err(io)?;
            }
            length if length != bytes => return Err(HeldError::Damaged(path.to_owned())),
            _ => {}
        }
        let [one, other] = [read(&file, 0), read(&file, 1)];
        let newest = match (one.map_err(io)?, other.map_err(io)?) {
            (Slot::Empty | Slot::Torn, Slot::Empty) => None,
            (Slot::Whole { number: 1, text }, Slot::Empty | Slot::Torn) => Some((1, text)),
            (Slot::Whole { number, text }, Slot::Torn) | (Slot::Torn, Slot::Whole { number, text }) => {
                Some((number, text))
            }
            (Slot::Whole { number, text }, Slot::Whole { number: other, .. }) if number == other + 1 => {
                Some((number, text))
            }
            (Slot::Whole { number: one, .. }, Slot::Whole { number, text }) if number == one + 1 => {
                Some((number, text))
            }
            _ => return Err(HeldError::Damaged(path.to_owned())),
        };
        let (number, text) = newest.map_or((0, None), |(number, text)| (number, Some(text)));
        Ok((Slots { file, path: path.to_owned(), number, poisoned: false }, text))
    }

    /// Makes a text durable. After an error nothing more is taken: what is on the disk is unknown until it is read.
    pub fn store(&mut self, text: &str) -> Result<(), HeldError> {
        if self.poisoned {
            return Err(HeldError::Poisoned);
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(HeldError::Long { path: self.path.clone(), bytes: text.len() });
        }
        self.poisoned = true;
        let number = self.number.saturating_add(1);
        let written = self.file.write_all_at(&encode(number, text), offset(number));
        let synced = written.and_then(|()| self.file.sync_data());
        synced.map_err(|source| HeldError::Io { path: self.path.clone(), source })?;
        self.number = number;
        self.poisoned = false;
        Ok(())
    }
}

/// Number 1 is in the first slot, 2 in the second, 3 in the first.
fn offset(number: u64) -> u64 {
    if number % 2 == 1 { 0 } else { u64::try_from(SLOT_BYTES).unwrap_or(u64::MAX) }
}

fn encode(number: u64, text: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(number.to_be_bytes());
    bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(checksum(number, text.as_bytes()));
    bytes.extend(text.as_bytes());
    bytes
}

fn checksum(number: u64, text: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(number.to_be_bytes()).chain_update(text).finalize().into()
}

fn read(file: &File, slot: u64) -> io::Result<Slot> {
    let at = slot * u64::try_from(SLOT_BYTES).unwrap_or(u64::MAX);
    let mut head = [0; HEAD_BYTES];
    file.read_exact_at(&mut head, at)?;
    if head == [0; HEAD_BYTES] {
        return Ok(Slot::Empty);
    }
    let parts = || {
        let (magic, rest) = head.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (length, sum) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let number = u64::from_be_bytes(*number);
        // Each number has one slot.
        let whole = *magic == MAGIC && length <= TEXT_BYTES_MAX && offset(number) == at && number > 0;
        whole.then(|| (number, length, sum.to_vec()))
    };
    let Some((number, length, sum)) = parts() else { return Ok(Slot::Torn) };
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, at + u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX))?;
    match String::from_utf8(text) {
        Ok(text) if checksum(number, text.as_bytes()) == *sum => Ok(Slot::Whole { number, text }),
        _ => Ok(Slot::Torn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held after so many texts, when these bytes of the file were changed afterwards.
    fn check(texts: u64, changed: &[usize], expected: Option<Option<u64>>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        for number in 1..=texts {
            let (mut slots, before) = Slots::open(&path).unwrap();
            assert_eq!(before, (number > 1).then(|| (number - 1).to_string()));
            slots.store(&number.to_string()).unwrap();
        }
        if texts == 0 {
            drop(Slots::open(&path).unwrap());
        }
        let mut bytes = std::fs::read(&path).unwrap();
        changed.iter().for_each(|at| bytes[*at] ^= 1);
        std::fs::write(&path, bytes).unwrap();
        let held = Slots::open(&path).ok().map(|(_, text)| text.map(|text| text.parse().unwrap()));
        assert_eq!(held, expected, "{texts} texts, {changed:?} changed");
    }

    #[test]
    fn the_newest_whole_text_counts_and_damage_is_refused() {
        let second = SLOT_BYTES;
        for (texts, changed, expected) in [
            (0, &[][..], Some(None)),
            (1, &[], Some(Some(1))),
            (2, &[], Some(Some(2))),
            (7, &[], Some(Some(7))),
            // The write of the first, the second and the seventh was torn.
            (1, &[HEAD_BYTES], Some(None)),
            (2, &[second + 20], Some(Some(1))),
            (7, &[HEAD_BYTES], Some(Some(6))),
            (7, &[3], Some(Some(6))),
            (7, &[15], Some(Some(6))),
            // No crash leaves both torn.
            (7, &[3, second + 3], None),
            (2, &[3, second + HEAD_BYTES], None),
        ] {
            check(texts, changed, expected);
        }
        // One of two that is gone was not torn.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let (mut slots, _) = Slots::open(&path).unwrap();
        (1..4).for_each(|number: u64| slots.store(&number.to_string()).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[second..second + HEAD_BYTES].fill(0);
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(Slots::open(&path), Err(HeldError::Damaged(_))));
    }
}
