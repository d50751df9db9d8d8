//! A start from a snapshot: it gives the state that folding the whole copy gives, and whatever is wrong with it leads to
//! just that. Not here: what is folded (`batches`), and the disk under the copy (`copy`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;

use std::fs;

use lab::{AOIFE, BILLING, CLEARED, Lab, ORIGIN, Sealed, WRITE};
use monitor::{
    copy::{CopyError, Position},
    forget::Wrapped,
    monitor::Answer,
    resume::{self, Resumed},
    snapshot::{Sections, Snapshot},
    state::Saved,
};
use tlog::{entry::CountState, hash::Hash};

/// A log with something of everything that is folded, its monitor stopped.
fn stopped() -> Lab {
    let mut lab = Lab::started();
    let sessions = [lab.open(&AOIFE), lab.open(&BILLING), lab.open(&AOIFE)];
    let gate = &mut lab.gate;
    gate.key.id = "2026-03-01.access.2".to_owned();
    gate.key.seal = [8; 32];
    let key = gate.key_made();
    let pieces = [
        gate.release(&sessions[0], CLEARED, CountState::Exact, 3, 90),
        gate.release(&sessions[0], CLEARED, CountState::Window, 100, 4_000),
        gate.write(&sessions[1], &[WRITE]),
        gate.close(&sessions[2], 0, 0),
    ];
    let items: Vec<Sealed> = [key].into_iter().chain(pieces.map(|piece| gate.seal(piece))).collect();
    lab.accept(&items);
    lab.open(&AOIFE);
    stop(&mut lab);
    lab
}

fn stop(lab: &mut Lab) {
    lab.monitor().stop().unwrap();
    lab.monitor = None;
}

fn resume(lab: &Lab) -> Result<Resumed, CopyError> {
    let identity = identity(lab);
    let keys = Wrapped::open(lab.folder().keys()).unwrap();
    resume::resume(&lab.folder(), ORIGIN, lab.gate.log.verifier(), &identity, &keys)
}

fn identity(lab: &Lab) -> String {
    fs::read_to_string(lab.folder().identity()).unwrap().trim().to_owned()
}

/// All that is known of a state.
fn known(resumed: &Resumed) -> (Saved, Vec<Vec<u8>>, u64, Hash, Position) {
    let (saved, used) = resumed.state.save();
    let mut used: Vec<Vec<u8>> = used.chunks(16).map(<[u8]>::to_vec).collect();
    used.sort();
    (saved, used, resumed.state.size(), resumed.state.root(), resumed.copy.position())
}

#[test]
fn a_snapshot_gives_what_the_copy_gives() {
    let mut lab = stopped();
    let path = lab.folder().snapshot();
    let kept = fs::read(&path).unwrap();
    let from_snapshot = resume(&lab).unwrap();
    assert_eq!(from_snapshot.snapshot, from_snapshot.state.size(), "nothing is left to fold");
    fs::remove_file(&path).unwrap();
    let whole = resume(&lab).unwrap();
    assert_eq!(whole.snapshot, 0);
    assert_eq!(known(&from_snapshot), known(&whole));

    // The monitor goes on from it, also with what came after it was written.
    fs::write(&path, &kept).unwrap();
    lab.restart();
    let heartbeat = lab.gate.batch(&[]);
    let Answer::Cosigned(cosigned) = lab.submit(&heartbeat) else { panic!("no cosignature") };
    assert_eq!(cosigned.certificates.len(), 1, "the last opening is certified again");
    let session = lab.open(&AOIFE);
    let piece = lab.gate.release(&session, CLEARED, CountState::Exact, 1, 30);
    let items = [lab.gate.seal(piece)];
    lab.accept(&items);
    lab.monitor = None;
    let from_snapshot = resume(&lab).unwrap();
    assert_eq!(from_snapshot.snapshot + 2, from_snapshot.state.size());
    fs::remove_file(&path).unwrap();
    assert_eq!(known(&from_snapshot), known(&resume(&lab).unwrap()));
}

#[test]
fn a_snapshot_that_does_not_hold_is_done_without() {
    let mut lab = stopped();
    let path = lab.folder().snapshot();
    let (kept, identity) = (fs::read(&path).unwrap(), identity(&lab));
    let good = Snapshot::read(&path, &identity).unwrap().unwrap();
    let expected = known(&resume(&lab).unwrap());
    let check = |what: &str, lab: &Lab| {
        let resumed = resume(lab).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(resumed.snapshot, 0, "{what}: it was used");
        assert_eq!(known(&resumed), expected, "{what}");
    };
    for byte in (0..kept.len()).step_by(41) {
        let mut damaged = kept.clone();
        damaged[byte] ^= 1;
        fs::write(&path, damaged).unwrap();
        check(&format!("byte {byte}"), &lab);
    }
    for length in [0, 1, 100, kept.len() - 1] {
        fs::write(&path, &kept[..length]).unwrap();
        check(&format!("{length} bytes"), &lab);
    }
    let Position { segment, offset } = good.position;
    let others = [
        ("another root", Snapshot { root: Hash([7; 32]), ..good.clone() }),
        ("another size", Snapshot { size: good.size - 1, ..good.clone() }),
        (
            "a place in a frame",
            Snapshot { position: Position { segment, offset: offset - 1 }, ..good.clone() },
        ),
        (
            "a place past the end",
            Snapshot { position: Position { segment, offset: offset + 90 }, ..good.clone() },
        ),
        ("another segment", Snapshot { position: Position { segment: 3, offset }, ..good.clone() }),
        ("no state", Snapshot { sections: Sections::default(), ..good.clone() }),
    ];
    for (what, other) in others {
        other.write(&path, &identity).unwrap();
        check(what, &lab);
    }
    // Of a log that the same operator made anew.
    let mut another = stopped();
    let theirs = Snapshot::read(&another.folder().snapshot(), &self::identity(&another)).unwrap().unwrap();
    another.monitor = None;
    theirs.write(&path, &identity).unwrap();
    check("another log", &lab);

    // What is wrong with the copy itself is said as before.
    fs::write(&path, &kept).unwrap();
    lab.monitor = None;
    let segment = lab.folder().copy().join(format!("{:020}.seg", 0));
    let mut bytes = fs::read(&segment).unwrap();
    let entry = bytes.windows(9).position(|part| part == b"\"classes\"").unwrap();
    bytes[entry + 1] ^= 1;
    fs::write(&segment, bytes).unwrap();
    assert!(matches!(resume(&lab), Err(CopyError::Damaged { .. })));
}
