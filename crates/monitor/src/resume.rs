//! How the state comes back at a start: from the snapshot and what followed it, or, when there is none or anything of it
//! does not hold, from the whole copy. What is taken from a snapshot is under a root that the log signed and that the
//! entries of the copy still make; checksums and details before it are for `trefoil-monitor check` to look at.

use thiserror::Error;
use tlog::{
    checkpoint::Checkpoint,
    entry::Entry,
    note::{SignedNote, VerifierKey},
};

use crate::{
    batch::Item,
    copy::{Copy, CopyError, Position, skim},
    entries,
    folder::Folder,
    forget::Wrapped,
    replay::{Depth, Replayer},
    snapshot::{Sections, Snapshot, SnapshotError},
    state::{Saved, State},
};

/// Names of the state's own sections.
const STATE: &str = "state";
const USED: &str = "used";

/// What a monitor goes on from.
pub struct Resumed {
    pub state: State,
    pub copy: Copy,
    /// The size that the snapshot was of; 0 when the whole copy was read.
    pub snapshot: u64,
}

/// Why a snapshot is not used.
#[derive(Debug, Error)]
enum Unusable {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("it holds no state")]
    State,
    #[error("the log did not sign the tree that it is of")]
    Unsigned,
    #[error("the copy holds another tree")]
    Tree,
    #[error("a day key does not open: {0}")]
    Key(String),
    #[error("the copy: {0}")]
    Copy(#[from] CopyError),
}

/// The state of the copy in a monitor's folder, and the copy open for appending.
pub fn resume(
    folder: &Folder,
    origin: &str,
    log: &VerifierKey,
    identity: &str,
    keys: &Wrapped,
) -> Result<Resumed, CopyError> {
    let snapshot = Snapshot::read(&folder.snapshot(), identity).map_err(Unusable::from);
    let resumed = snapshot.and_then(|found| match found {
        Some(snapshot) => from_snapshot(folder, origin, log, (identity, keys), snapshot).map(Some),
        None => Ok(None),
    });
    match resumed {
        Ok(Some(resumed)) => return Ok(resumed),
        Ok(None) => {}
        Err(why) => eprintln!("the snapshot is not used and the whole copy is read: {why}"),
    }
    let mut replayer = Replayer::new(log, identity, keys, Depth::Start);
    let copy = Copy::open(&folder.copy(), &mut replayer)?;
    Ok(Resumed { state: replayer.state, copy, snapshot: 0 })
}

fn from_snapshot(
    folder: &Folder,
    origin: &str,
    log: &VerifierKey,
    (identity, keys): (&str, &Wrapped),
    snapshot: Snapshot,
) -> Result<Resumed, Unusable> {
    let Snapshot { size, root, position, sections } = snapshot;
    let saved: Saved = sections.get_json(STATE).ok_or(Unusable::State)?;
    let used = sections.get(USED).ok_or(Unusable::State)?;
    let signed = signed_tree(saved.note(), log).ok_or(Unusable::Unsigned)?;
    if signed != (Checkpoint { origin: origin.to_owned(), size, root }) {
        return Err(Unusable::Unsigned);
    }
    let skimmed = skim(&folder.copy(), position, &saved.made())?;
    if (skimmed.tree.size(), skimmed.tree.root()) != (size, root) {
        return Err(Unusable::Tree);
    }
    let mut state = State::load(&saved, used, skimmed.tree).ok_or(Unusable::State)?;
    for (index, line, blob) in &skimmed.items {
        let wrong = |e: &dyn std::fmt::Display| Unusable::Key(format!("entry {index}: {e}"));
        let entry = Entry::parse(line).map_err(|e| wrong(&e))?;
        let mut draft = state.draft();
        let blob = keys.blob(&entry, blob.as_deref()).map_err(|e| wrong(&e))?;
        let item = Item { entry: line, blob: blob.as_deref() };
        entries::recall(&mut draft, identity, *index, &entry, item).map_err(|fault| wrong(&fault.reason))?;
        let changes = draft.changes();
        state.absorb_keys(changes);
    }
    if !state.has_keys_of(&saved) {
        return Err(Unusable::State);
    }
    let mut replayer = Replayer::resumed(log, identity, keys, state, position);
    let copy = Copy::open(&folder.copy(), &mut replayer)?;
    Ok(Resumed { state: replayer.state, copy, snapshot: size })
}

/// The tree that a note speaks of, if the log signed it.
fn signed_tree(note: &str, log: &VerifierKey) -> Option<Checkpoint> {
    let note = SignedNote::parse(note).ok()?;
    note.verify(std::slice::from_ref(log)).ok()?;
    Checkpoint::parse(&note.text).ok()
}

/// What a snapshot of the state says.
pub fn snapshot(state: &State, position: Position) -> Snapshot {
    let (saved, used) = state.save();
    let mut sections = Sections::default();
    sections.put_json(STATE, &saved);
    sections.put(USED, used);
    Snapshot { size: state.size(), root: state.root(), position, sections }
}
