//! Rebuilds the state from the copy at start, and checks that the copy is whole. Entries are folded, not decided
//! again: they were when they were cosigned, and a newer statement check must not undo the past.

use tlog::{
    checkpoint::Checkpoint,
    entry::{Entry, Kind},
    hash::leaf_hash,
    note::{SignedNote, VerifierKey},
};

use crate::{
    batch::{Batch, Item},
    copy::{Frame, Position, Replay},
    entries,
    forget::Wrapped,
    incident::Fault,
    state::State,
};

/// How much of each frame is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Tree and checkpoints: enough to go on from.
    Start,
    /// The log's signature on every checkpoint and the commitment of every detail as well.
    Full,
}

/// A state being rebuilt.
pub struct Replayer<'a> {
    pub state: State,
    pub log: &'a VerifierKey,
    pub identity: &'a str,
    keys: &'a Wrapped,
    pub depth: Depth,
    from: Position,
    /// Bytes read when it was last said how far the reading is.
    told: u64,
}

/// How much is read between two lines that say how far the reading is. Whoever waits for the start goes by them.
const PROGRESS_BYTES: u64 = 16 * 1024 * 1024;

impl<'a> Replayer<'a> {
    pub fn new(log: &'a VerifierKey, identity: &'a str, keys: &'a Wrapped, depth: Depth) -> Replayer<'a> {
        Replayer { state: State::default(), log, identity, keys, depth, from: Position::default(), told: 0 }
    }

    /// Goes on from a state that the frames before a place of the copy made.
    pub fn resumed(
        log: &'a VerifierKey,
        identity: &'a str,
        keys: &'a Wrapped,
        state: State,
        from: Position,
    ) -> Replayer<'a> {
        Replayer { state, log, identity, keys, depth: Depth::Start, from, told: 0 }
    }

    /// Folds one frame; answers what is wrong with it.
    fn fold(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let batch = Batch::parse(frame.batch).map_err(|e| e.to_string())?;
        if batch.first != self.state.size() {
            return Err(format!(
                "it begins at {}, but {} entries precede it",
                batch.first,
                self.state.size()
            ));
        }
        let checkpoint = self.checkpoint(batch.note)?;
        let mut tree = self.state.tree.clone();
        let mut draft = self.state.draft();
        for (item, index) in batch.items.iter().zip(batch.first..) {
            tree.push(leaf_hash(item.entry));
            let wrong = |fault: Fault| format!("entry {index}: {}", fault.reason);
            let entry = Entry::parse(item.entry).map_err(|e| format!("entry {index}: {e}"))?;
            draft.time = Some(entry.time);
            draft.gate.get_or_insert_with(|| entry.gate.clone());
            let blob = self.keys.blob(&entry, item.blob).map_err(|e| format!("entry {index}: {e}"))?;
            let item = Item { blob: blob.as_deref(), ..*item };
            entries::recall(&mut draft, self.identity, index, &entry, item).map_err(wrong)?;
            let is_lost = entry.key.as_deref().is_some_and(|key| draft.is_lost(key));
            if self.depth == Depth::Full && entry.kind != Kind::KeyMade && !is_lost {
                entries::check_detail(&draft, &entry, item.blob).map_err(wrong)?;
            }
        }
        if (tree.size(), tree.root()) != (checkpoint.size, checkpoint.root) {
            return Err(format!(
                "its entries do not make the tree of size {} that was signed",
                checkpoint.size
            ));
        }
        let changes = draft.changes();
        self.state.absorb(changes, tree, batch.note.to_owned(), frame.received);
        Ok(())
    }

    fn checkpoint(&self, note: &str) -> Result<Checkpoint, String> {
        let note = SignedNote::parse(note).map_err(|e| e.to_string())?;
        if self.depth == Depth::Full {
            note.verify(std::slice::from_ref(self.log)).map_err(|e| e.to_string())?;
        }
        Checkpoint::parse(&note.text).map_err(|e| e.to_string())
    }
}

impl Replay for Replayer<'_> {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), String> {
        self.fold(&frame)
    }

    fn size(&self) -> u64 {
        self.state.size()
    }

    fn from(&self) -> Position {
        self.from
    }

    fn progress(&mut self, done: u64, of: u64) {
        if done.saturating_sub(self.told) >= PROGRESS_BYTES {
            self.told = done;
            eprintln!("reading the copy: {} of {} MiB", done >> 20, of >> 20);
        }
    }
}
