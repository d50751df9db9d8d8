//! The copy on disk: torn tails, damage, loss, order of segments. The frames here hold any bytes; what a batch means is
//! tested in `batches`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::{fs, path::Path};

use monitor::copy::{self, Copy, CopyError, Frame, Replay};
use tempfile::TempDir;
use tlog::entry::Micros;

/// Each frame is one entry.
#[derive(Default)]
struct Frames(Vec<(i64, Vec<u8>)>);

impl Replay for Frames {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), String> {
        self.0.push((frame.received.0, frame.batch.to_vec()));
        Ok(())
    }

    fn size(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }
}

fn stored(count: u64) -> TempDir {
    let dir = TempDir::new().unwrap();
    let mut copy = Copy::open(dir.path(), &mut Frames::default()).unwrap();
    for n in 0..count {
        copy.append(Micros(i64::try_from(n).unwrap()), format!("batch {n}").as_bytes(), n, n + 1).unwrap();
    }
    dir
}

fn segment(dir: &Path) -> std::path::PathBuf {
    dir.join(format!("{:020}.seg", 0))
}

fn mark(dir: &Path, size: u64) {
    fs::write(dir.join("mark"), format!("{size:020}\n")).unwrap();
}

fn reopen(dir: &Path) -> Result<usize, CopyError> {
    let mut frames = Frames::default();
    Copy::open(dir, &mut frames)?;
    Ok(frames.0.len())
}

#[test]
fn what_was_stored_is_read_again() {
    let dir = stored(3);
    let mut frames = Frames::default();
    copy::verify(dir.path(), &mut frames).unwrap();
    let expected: Vec<_> = (0..3).map(|n| (n, format!("batch {n}").into_bytes())).collect();
    assert_eq!(frames.0, expected);
}

#[test]
fn a_torn_tail_is_cut_unless_it_was_cosigned() {
    let whole = fs::read(segment(stored(2).path())).unwrap();
    let two = whole.len() / 2;
    for end in two + 1..whole.len() {
        for zeros in [0, whole.len() - end] {
            let dir = stored(2);
            let torn = [&whole[..end], &vec![0; zeros]].concat();
            // The last byte of a frame may be a zero that a tail of zeros restores.
            let expected = if torn == whole { 2 } else { 1 };
            fs::write(segment(dir.path()), torn).unwrap();
            if expected == 1 {
                assert!(matches!(reopen(dir.path()), Err(CopyError::Lost { found: 1, marked: 2 })), "{end}");
            }
            mark(dir.path(), 1);
            assert_eq!(reopen(dir.path()).unwrap(), expected, "cut at {end}, {zeros} zeros");
            assert_eq!(reopen(dir.path()).unwrap(), expected);
        }
    }
}

#[test]
fn damage_before_the_tail_is_never_cut() {
    let whole = fs::read(segment(stored(3).path())).unwrap();
    for byte in 0..whole.len() * 2 / 3 {
        let dir = stored(3);
        let mut damaged = whole.clone();
        damaged[byte] ^= 1;
        fs::write(segment(dir.path()), &damaged).unwrap();
        let error = reopen(dir.path()).unwrap_err();
        assert!(matches!(error, CopyError::Damaged { .. }), "byte {byte}: {error}");
        assert_eq!(fs::read(segment(dir.path())).unwrap(), damaged, "nothing is cut");
    }
}

#[test]
fn a_lost_copy_refuses_the_start() {
    let dir = stored(2);
    fs::remove_file(segment(dir.path())).unwrap();
    assert!(matches!(reopen(dir.path()), Err(CopyError::Lost { found: 0, marked: 2 })));
    let dir = stored(2);
    fs::rename(segment(dir.path()), dir.path().join(format!("{:020}.seg", 1))).unwrap();
    assert!(matches!(reopen(dir.path()), Err(CopyError::Damaged { .. })));
    let dir = stored(2);
    fs::write(dir.path().join("mark"), "two").unwrap();
    assert!(matches!(reopen(dir.path()), Err(CopyError::Mark(_))));
    fs::remove_file(dir.path().join("mark")).unwrap();
    assert!(matches!(reopen(dir.path()), Err(CopyError::Mark(_))));
}
