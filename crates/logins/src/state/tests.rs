//! A state is lost at every step, twice: with the step's work lost, and with it done but reported lost. What was
//! promised is there afterwards, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::steps::When;

/// What a state learns here: how many frames, and their sum.
type Learnt = (u64, u64);

/// A run from what the folder holds: takes `frames` in, each after the others, and commits after every second one.
/// Answers what it knew at its end or when it failed, and how many frames it promised.
fn run(dir: &Path, frames: &[u8], steps: Steps) -> (Learnt, u64) {
    let mut state = State::open(dir).unwrap();
    let newest = state.resume(|header: Learnt, _body| Ok(header)).unwrap();
    assert!(newest.refused.is_empty(), "{:?}", newest.refused);
    let mut learnt = newest.used.map_or((0, 0), |(_, learnt)| learnt);
    state.steps = steps;
    let mut inbox = state.inbox(learnt.0).unwrap();
    let learn = |learnt: &mut Learnt, lines: &[u8]| {
        *learnt = (learnt.0 + 1, learnt.1 + u64::from(lines[0]));
    };
    for lines in inbox.replay(learnt.0).unwrap() {
        learn(&mut learnt, &lines.unwrap());
    }
    let mut promised = learnt.0;
    for frame in frames {
        if inbox.append(&[*frame]).is_err() {
            return (learnt, promised);
        }
        promised += 1;
        learn(&mut learnt, &[*frame]);
        if learnt.0.is_multiple_of(2) {
            let committed = state.commit(&learnt, |out| out.write_all(b"body"));
            if committed.is_err() || inbox.prune(learnt.0.saturating_sub(2)).is_err() {
                return (learnt, promised);
            }
        }
    }
    (learnt, promised)
}

fn failing(step: Step, when: When, skip: usize) -> Steps {
    let seen = AtomicUsize::new(0);
    let hook = move |at, side| at == step && side == when && seen.fetch_add(1, Ordering::Relaxed) == skip;
    Steps { hook: Some(Arc::new(hook)) }
}

#[test]
fn what_was_promised_outlives_a_crash_at_every_step() {
    let frames: Vec<u8> = (1..=8).collect();
    let whole = run(tempfile::tempdir().unwrap().path(), &frames, Steps::default()).0;
    assert_eq!(whole, (8, 36));
    for step in Step::FOLDER {
        for when in [When::Before, When::After] {
            for skip in 0..3 {
                let dir = tempfile::tempdir().unwrap();
                let (_, promised) = run(dir.path(), &frames, failing(step, when, skip));
                // What was promised is there, and no more than one frame beyond it.
                let (before, _) = run(dir.path(), &[], Steps::default());
                assert!(
                    (promised..=promised + 1).contains(&before.0),
                    "{step:?} {when:?} {skip}: {before:?}"
                );
                let rest = &frames[usize::try_from(before.0).unwrap()..];
                let (after, _) = run(dir.path(), rest, Steps::default());
                assert_eq!(after, whole, "{step:?} {when:?} {skip}");
            }
        }
    }
}

#[test]
fn a_torn_snapshot_is_refused_and_the_one_before_it_used() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = State::open(dir.path()).unwrap();
    assert!(matches!(State::open(dir.path()), Err(StateError::Locked { .. })));
    for number in 0..4_u64 {
        state.commit(&number, |out| out.write_all(&[3; 100])).unwrap();
    }
    drop(state);
    let folder = Folder::look(dir.path()).unwrap();
    assert_eq!(folder.numbers().unwrap(), [2, 3]);
    let read = |folder: &Folder| folder.newest(|number: u64, _| Ok(number));
    assert_eq!(read(&folder).unwrap().used, Some((3, 3)));
    let torn = OpenOptions::new().write(true).open(folder.snapshot(3)).unwrap();
    torn.set_len(60).unwrap();
    let newest = read(&folder).unwrap();
    assert_eq!((newest.used, newest.refused.len()), (Some((2, 2)), 1));
    fs::write(folder.snapshot(2), "no snapshot, but as long as one would be if it were one").unwrap();
    assert!(matches!(read(&folder), Err(StateError::Snapshots { .. })));
    // The key is asked for: without it a state is not begun anew beside what another key made.
    fs::write(dir.path().join(KEY), "+0123456789abcdef0123456789abcde").unwrap();
    assert!(matches!(Folder::look(dir.path()), Err(StateError::Key(_))));
}
