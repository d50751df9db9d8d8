//! What the engine has learnt, and how it survives: a key, a snapshot, and a journal of what came after. Losing none of
//! it silently: a file that is not what a gate wrote refuses the start. Not here: what a judgement leads to (`judge`).

use std::path::{Path, PathBuf};

use risk::{Engine, Judgement, Key, Known, Settings, Weights};
use tlog::hash::{hex, unhex};

use super::file::{self, FileError};
use super::journal::{self, Journal, Line, Logged, Marked};
use super::sealed::SEAL_BYTES;
use super::verdicts::{Given, Verdicts};

/// Bytes of the key: that of tags, and that which seals the journal.
const KEY_BYTES: usize = TAG_BYTES + SEAL_BYTES;
const TAG_BYTES: usize = 16;
/// Logins after which a snapshot is taken: so many are judged again at a start, in a fraction of a second.
pub const JOURNAL_LINES_MAX: u64 = 10_000;
/// Before a snapshot of the engine: the number of the last login in it.
const HEAD_BYTES: usize = 8;
/// What is lost without the files.
const HELD: &str = "what was learnt of everybody's logins";

/// The engine and its files.
pub struct State {
    engine: Engine,
    journal: Journal,
    /// Logins that can be marked.
    pub verdicts: Verdicts,
    folder: PathBuf,
    /// Of the last login that was learnt from.
    number: u64,
    /// Why the last login could not be journalled; a snapshot makes it good.
    is_behind: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} logins, {:?})", self.number, self.journal)
    }
}

impl State {
    /// What earlier runs learnt; a folder that has no key begins anew with one of `random`.
    pub fn open(folder: &Path, settings: Settings, random: [u8; KEY_BYTES]) -> Result<Self, FileError> {
        let bytes = key(folder, random)?;
        let (tag, seal) = split(&bytes);
        let key = Key::new(tag);
        let path = snapshot_path(folder);
        let (mut number, mut engine) = match file::bytes(&path)? {
            None => (0, Engine::new(key, Weights::shipped(), settings)),
            Some(bytes) => {
                let invalid = |problem: String| FileError::invalid(&path, problem, HELD);
                let (head, rest) = bytes
                    .split_first_chunk::<HEAD_BYTES>()
                    .ok_or_else(|| invalid("it is cut short".to_owned()))?;
                let read = Engine::read(&mut &*rest, key, Weights::shipped(), settings);
                (u64::from_le_bytes(*head), read.map_err(|error| invalid(error.to_string()))?)
            }
        };
        let journal = journal::open(folder, &seal, |line| {
            // What is in the snapshot already: the gate ended between taking it and clearing the journal.
            if line.number() > number {
                number = line.number();
                match line {
                    Line::Login(logged) => drop(judge(&mut engine, &logged)),
                    // Where there was room, there is.
                    Line::Marked(marked) => drop(mark(&mut engine, &marked)),
                }
            }
        })?;
        let verdicts = Verdicts::open(folder, &seal)?;
        Ok(Self { engine, journal, verdicts, folder: folder.to_owned(), number, is_behind: false })
    }

    /// Judges a login, and learns from it.
    pub fn judge(&mut self, mut logged: Logged) -> Judgement {
        self.number = self.number.saturating_add(1);
        logged.number = self.number;
        let judgement = judge(&mut self.engine, &logged);
        self.keep(&Line::Login(Box::new(logged)));
        judgement
    }

    /// Learns what an analyst says of the login of an entry; with nothing, what was said is taken back.
    ///
    /// # Errors
    /// Why it cannot be learnt.
    pub fn mark(&mut self, entry: u64, given: Option<Given>) -> Result<(), String> {
        let told =
            self.verdicts.get(entry).ok_or("it is not learnt, as the login is not remembered any more")?;
        let number = self.number.saturating_add(1);
        let verdict = given.as_ref().map(|given| given.verdict);
        let marked = Marked { number, verdict, marked: told.logged.clone() };
        mark(&mut self.engine, &marked).map_err(|problem| format!("it is not learnt: {problem}"))?;
        self.number = number;
        self.keep(&Line::Marked(Box::new(marked)));
        let kept = self.verdicts.give(entry, given);
        kept.map_err(|error| {
            format!("it is learnt, and the list of verdicts will not know it after a start: {error}")
        })
    }

    /// Has a line outlive the gate.
    fn keep(&mut self, line: &Line) {
        let Err(error) = self.journal.append(line) else { return };
        // A disk that is full is no reason to let nobody in; what is lost if the gate ends now is said.
        if !std::mem::replace(&mut self.is_behind, true) {
            tracing::error!(%error, "what is learnt of logins is not kept until a snapshot can be taken");
        }
    }

    /// Whether much was learnt since the last snapshot.
    pub fn is_due(&self) -> bool {
        self.is_behind || self.journal.lines >= JOURNAL_LINES_MAX
    }

    /// Writes all that was learnt. If the gate ends between the two steps, the numbers say what is in both.
    pub fn snapshot(&mut self) -> Result<(), FileError> {
        let path = snapshot_path(&self.folder);
        let mut bytes = self.number.to_le_bytes().to_vec();
        self.engine.write(&mut bytes).map_err(FileError::io(&path))?;
        file::write_bytes(&path, &bytes)?;
        self.journal.clear()?;
        self.is_behind = false;
        Ok(())
    }

    /// What is known of a user.
    pub fn known(&self, user: &str, now_ms: i64) -> Known {
        self.engine.known(user, now_ms)
    }
}

fn mark(engine: &mut Engine, marked: &Marked) -> Result<(), String> {
    let event = marked.marked.event();
    match marked.verdict {
        Some(verdict) => engine.mark(&event, verdict).map_err(|full| full.to_string()),
        None => {
            engine.unmark(&event);
            Ok(())
        }
    }
}

fn judge(engine: &mut Engine, logged: &Logged) -> Judgement {
    engine.settings_mut().enforced = logged.is_enforced;
    engine.judge(&logged.event())
}

/// The key that is kept, or a new one.
fn key(folder: &Path, random: [u8; KEY_BYTES]) -> Result<[u8; KEY_BYTES], FileError> {
    let path = folder.join("key");
    let Some(bytes) = file::bytes(&path)? else {
        // What was learnt under a lost key means nothing under another.
        for learnt in [snapshot_path(folder), journal::path(folder)] {
            if file::bytes(&learnt)?.is_some_and(|bytes| !bytes.is_empty()) {
                return Err(FileError::invalid(
                    &path,
                    format!("it is gone, and {} is there", learnt.display()),
                    HELD,
                ));
            }
        }
        file::write_bytes(&path, hex(&random).as_bytes())?;
        return Ok(random);
    };
    let text = String::from_utf8_lossy(&bytes);
    unhex::<KEY_BYTES>(text.trim()).ok_or_else(|| FileError::invalid(&path, "it is not a key", HELD))
}

fn split(key: &[u8; KEY_BYTES]) -> ([u8; TAG_BYTES], [u8; SEAL_BYTES]) {
    let (mut tag, mut seal) = ([0; TAG_BYTES], [0; SEAL_BYTES]);
    let (first, rest) = key.split_at(TAG_BYTES);
    tag.copy_from_slice(first);
    seal.copy_from_slice(rest);
    (tag, seal)
}

fn snapshot_path(folder: &Path) -> PathBuf {
    folder.join("snapshot")
}

#[cfg(test)]
mod tests {
    use super::super::journal::tests::logged;
    use super::*;

    const RANDOM: [u8; KEY_BYTES] = [7; KEY_BYTES];

    fn open(folder: &Path) -> Result<State, FileError> {
        State::open(folder, Settings::default(), RANDOM)
    }

    /// Some logins of two people, and what is known of them then.
    fn learn(state: &mut State, count: u64) -> [Known; 2] {
        for n in 0..count {
            let (user, ip) = if n % 3 == 0 { ("lukas", "198.51.100.9") } else { ("aoife", "192.0.2.7") };
            state.judge(logged(state.number, user, ip));
        }
        known(state)
    }

    fn known(state: &State) -> [Known; 2] {
        ["aoife", "lukas"].map(|user| state.known(user, 1_772_366_400_000))
    }

    #[test]
    fn nothing_that_was_learnt_is_lost_or_learnt_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = open(folder.path()).unwrap();
        let before = learn(&mut state, 20);
        assert!(before.iter().all(|known| known.logins > 5), "{before:?}");
        // Killed: the journal has it all.
        drop(state);
        let mut state = open(folder.path()).unwrap();
        assert_eq!(known(&state), before);
        // Killed after the snapshot was written, and before the journal was cleared.
        let journal = std::fs::read(journal::path(folder.path())).unwrap();
        state.snapshot().unwrap();
        assert_eq!(std::fs::read(journal::path(folder.path())).unwrap(), b"");
        std::fs::write(journal::path(folder.path()), journal).unwrap();
        drop(state);
        let mut state = open(folder.path()).unwrap();
        assert_eq!(known(&state), before, "what is in both is learnt once");
        let after = learn(&mut state, 5);
        drop(state);
        assert_eq!(known(&open(folder.path()).unwrap()), after);
    }

    #[test]
    fn a_verdict_survives_and_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = open(folder.path()).unwrap();
        learn(&mut state, 20);
        let one = logged(state.number, "aoife", "203.0.113.9");
        let score = |state: &mut State, number: u64| {
            let judgement = state.judge(logged(number, "aoife", "203.0.113.9"));
            judgement.reasons.iter().find(|reason| reason.term == risk::Term::Mark).map(|one| one.log_odds)
        };
        state.judge(one.clone());
        state.verdicts.tell(7, one).unwrap();
        let given = |verdict| Some(Given { verdict, because: "she called".to_owned(), marked: 8 });
        assert!(state.mark(9, given(risk::Verdict::Attack)).is_err(), "nobody knows of entry 9");
        state.mark(7, given(risk::Verdict::Attack)).unwrap();
        let marked = known(&state);
        assert_eq!(marked[0].marked, (0, 1));
        // Killed: the journal has it. Then a snapshot has it.
        drop(state);
        let mut state = open(folder.path()).unwrap();
        assert_eq!(known(&state), marked);
        assert!(score(&mut state, 30).unwrap() > 0.0);
        state.snapshot().unwrap();
        drop(state);
        let mut state = open(folder.path()).unwrap();
        assert_eq!(known(&state)[0].marked, (0, 1));
        state.mark(7, given(risk::Verdict::Legitimate)).unwrap();
        assert_eq!(known(&state)[0].marked, (1, 0), "the last one counts");
        assert!(score(&mut state, 31).unwrap() < 0.0);
        state.mark(7, None).unwrap();
        for _ in 0..2 {
            assert_eq!((known(&state)[0].marked, score(&mut state, 32)), ((0, 0), None), "it is taken back");
            drop(state);
            state = open(folder.path()).unwrap();
        }
        assert!(state.verdicts.given().next().is_none());
    }

    #[test]
    fn what_is_damaged_refuses_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = open(folder.path()).unwrap();
        learn(&mut state, 9);
        state.snapshot().unwrap();
        drop(state);
        let snapshot = snapshot_path(folder.path());
        let whole = std::fs::read(&snapshot).unwrap();
        assert!(!String::from_utf8_lossy(&whole).contains("aoife"));
        let mut altered = whole.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        let key = folder.path().join("key");
        for (file, bytes, said) in [
            (&snapshot, whole[..4].to_vec(), "snapshot: it is cut short"),
            (&snapshot, whole[..whole.len() - 1].to_vec(), "snapshot"),
            (&snapshot, altered, "snapshot"),
            (&key, b"07".to_vec(), "key: it is not a key"),
            (&key, "08".repeat(KEY_BYTES).into_bytes(), "another key"),
        ] {
            let before = std::fs::read(file).unwrap();
            std::fs::write(file, bytes).unwrap();
            let error = open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("what was learnt"), "{error}");
            std::fs::write(file, before).unwrap();
        }
        std::fs::remove_file(&key).unwrap();
        assert!(open(folder.path()).unwrap_err().to_string().contains("key: it is gone"));
    }
}
