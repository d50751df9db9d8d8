//! Logins of which the record holds a judgement, and what analysts say of them: an entry's number is all that an analyst has,
//! so the gate remembers which login it was, until a thousand others came, or for as long as a verdict is in force. Not here:
//! what a verdict changes (crate `risk`), that the record says so first (`orders`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use risk::Verdict;
use serde::{Deserialize, Serialize};

use super::file::FileError;
use super::journal::Logged;
use super::sealed::{SEAL_BYTES, Sealed};

/// Logins without a verdict that are remembered.
pub const UNMARKED_MAX: usize = 1_000;
/// Verdicts in force at a time.
const GIVEN_MAX: usize = 4_096;
/// Lines that say nothing any more, before the file is written anew.
const STALE_MAX: u64 = 2_000;
/// What is lost without the file.
const HELD: &str = "which logins can be marked, and the list of verdicts";

/// A login and the entry that holds its judgement. A later line of the same entry replaces an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub entry: u64,
    pub logged: Logged,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    pub verdict: Verdict,
    pub because: String,
    /// Index of the `login.marked` that says so.
    pub marked: u64,
}

/// What is remembered.
#[derive(Debug)]
pub struct Verdicts {
    file: Sealed<Told>,
    told: BTreeMap<u64, Told>,
    given: usize,
}

impl Verdicts {
    /// Of earlier runs.
    pub fn open(folder: &Path, key: &[u8; SEAL_BYTES]) -> Result<Self, FileError> {
        let mut told = BTreeMap::new();
        let file = Sealed::open(path(folder), key, HELD, |one: Told| {
            told.insert(one.entry, one);
        })?;
        let given = told.values().filter(|told| told.given.is_some()).count();
        let mut verdicts = Self { file, told, given };
        verdicts.make_room();
        Ok(verdicts)
    }

    /// Remembers a login whose judgement an entry holds.
    pub fn tell(&mut self, entry: u64, logged: Logged) -> Result<(), FileError> {
        self.put(Told { entry, logged, given: None })
    }

    /// The login of an entry.
    pub fn get(&self, entry: u64) -> Option<&Told> {
        self.told.get(&entry)
    }

    /// Whether another verdict fits.
    pub fn has_room(&self) -> bool {
        self.given < GIVEN_MAX
    }

    /// Keeps what is said of the login of an entry now: a verdict, or nothing any more.
    pub fn give(&mut self, entry: u64, given: Option<Given>) -> Result<(), FileError> {
        let Some(told) = self.told.get(&entry) else { return Ok(()) };
        let told = Told { given, ..told.clone() };
        self.put(told)
    }

    /// The verdicts in force, by entry.
    pub fn given(&self) -> impl Iterator<Item = (u64, &Given)> {
        self.told.values().filter_map(|told| Some((told.entry, told.given.as_ref()?)))
    }

    fn put(&mut self, told: Told) -> Result<(), FileError> {
        let kept = self.file.append(&told);
        self.given += usize::from(told.given.is_some());
        if let Some(before) = self.told.insert(told.entry, told) {
            self.given -= usize::from(before.given.is_some());
        }
        self.make_room();
        kept?;
        let stale = self.file.lines.saturating_sub(u64::try_from(self.told.len()).unwrap_or(u64::MAX));
        if stale > STALE_MAX { self.file.replace(self.told.values()) } else { Ok(()) }
    }

    fn make_room(&mut self) {
        while self.told.len().saturating_sub(self.given) > UNMARKED_MAX {
            let first = self.told.values().find(|told| told.given.is_none()).map(|told| told.entry);
            let Some(first) = first else { return };
            self.told.remove(&first);
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("judged")
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::logged;
    use super::*;

    fn open(folder: &Path) -> Verdicts {
        Verdicts::open(folder, &[1; SEAL_BYTES]).unwrap()
    }

    fn attack(marked: u64) -> Option<Given> {
        Some(Given { verdict: Verdict::Attack, because: "she called".to_owned(), marked })
    }

    #[test]
    fn the_last_logins_are_remembered_and_those_with_a_verdict() {
        let folder = tempfile::tempdir().unwrap();
        let mut verdicts = open(folder.path());
        verdicts.tell(3, logged(1, "aoife", "192.0.2.7")).unwrap();
        verdicts.tell(5, logged(2, "lukas", "192.0.2.9")).unwrap();
        verdicts.give(5, attack(6)).unwrap();
        verdicts.give(7, attack(8)).unwrap();
        let entries = |verdicts: &Verdicts| verdicts.given().map(|(entry, _)| entry).collect::<Vec<_>>();
        assert_eq!(entries(&verdicts), [5], "there is no login of entry 7");
        for entry in 0..UNMARKED_MAX as u64 {
            verdicts.tell(100 + entry, logged(3, "maeve", "192.0.2.8")).unwrap();
        }
        for verdicts in [&verdicts, &open(folder.path())] {
            assert_eq!(verdicts.get(3), None, "a thousand came after it");
            assert_eq!(verdicts.get(5).unwrap().logged.user, "lukas", "it has a verdict");
            assert_eq!(verdicts.get(100).unwrap().logged.user, "maeve");
            assert_eq!(entries(verdicts), [5]);
        }
        verdicts.give(5, None).unwrap();
        let mut verdicts = open(folder.path());
        assert_eq!((entries(&verdicts), verdicts.get(5)), (vec![], None), "it is like others again");
        assert!(verdicts.has_room());
        let size = || std::fs::metadata(path(folder.path())).unwrap().len();
        let before = size();
        for entry in 0..2 * STALE_MAX {
            verdicts.tell(5_000 + entry, logged(3, "maeve", "192.0.2.8")).unwrap();
        }
        assert!(size() < 4 * before, "the file is bounded");
        assert_eq!(open(folder.path()).told.len(), UNMARKED_MAX);
    }
}
