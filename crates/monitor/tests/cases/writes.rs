//! Forged access.write, access.commit and access.cut entries.

use serde_json::json;
use tlog::entry::CountState;

use super::{Case, Scene};
use crate::lab::{CLEARED, Piece, REFUSED, Sealed, WRITE};

fn write(s: &mut Scene, texts: &[&str]) -> Vec<Sealed> {
    let writing = s.writing.clone();
    let piece = s.lab.gate.write(&writing, texts);
    s.seal(piece)
}

fn commit(s: &mut Scene, writes: u64, text: &str) -> Vec<Sealed> {
    let writing = s.writing.clone();
    let piece = s.lab.gate.commit(&writing, writes, text);
    s.seal(piece)
}

fn cut(s: &mut Scene, rows: u64, forge: impl FnOnce(&mut Piece)) -> Vec<Sealed> {
    let windowed = s.windowed.clone();
    let mut piece = s.lab.gate.cut(&windowed, "support-personal-day", rows, 400);
    forge(&mut piece);
    s.seal(piece)
}

pub const CASES: &[Case] = &[
    ("a write that is refused", |s| write(s, &[REFUSED]), "verdict", "refused by"),
    (
        "a write of what may not be written",
        |s| write(s, &[WRITE, "UPDATE payments SET id = 2 WHERE id = 1"]),
        "verdict",
        "refused by",
    ),
    ("a write that reads", |s| write(s, &[CLEARED]), "verdict", "writes nothing"),
    ("a read behind a write", |s| write(s, &["DELETE FROM payments; SELECT 1"]), "verdict", ""),
    ("a write without a statement", |s| write(s, &[]), "detail", "without a statement"),
    (
        "a write by somebody who may not write",
        |s| {
            let open = s.open.clone();
            let piece = s.lab.gate.write(&open, &[WRITE]);
            s.seal(piece)
        },
        "verdict",
        "refused by",
    ),
    (
        "a write at another site than the session's",
        |s| {
            let writing = s.writing.clone();
            let mut piece = s.lab.gate.write(&writing, &[WRITE]);
            piece.detail.as_mut().unwrap()["site"] = json!("hamar");
            s.seal(piece)
        },
        "decision",
        "a session at dublin-1 writes at hamar",
    ),
    (
        "a write that was not recorded before it ran",
        |s| {
            let id = s.lab.gate.session_id();
            let opening = s.lab.gate.open(&crate::lab::BILLING, &id);
            let mut piece = s.lab.gate.release(&id, WRITE, CountState::Exact, 0, 0);
            piece.detail.as_mut().unwrap()["statements"][0]["tag"] = json!("UPDATE 1");
            [opening, piece].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "verdict",
        "not recorded before it ran",
    ),
    (
        "a write by a name that does not say so",
        |s| {
            let writing = s.writing.clone();
            let mut piece = s.lab.gate.release(&writing, "EXECUTE w", CountState::Exact, 0, 0);
            piece.detail.as_mut().unwrap()["statements"][0]["tag"] = json!("UPDATE 1");
            s.seal(piece)
        },
        "verdict",
        "whose text does not say so",
    ),
    (
        "a commit of more than was recorded",
        |s| commit(s, 2, "COMMIT"),
        "count",
        "a commit of 2 writes, but 1",
    ),
    ("a commit of nothing", |s| commit(s, 0, "COMMIT"), "count", "a commit of 0 writes"),
    ("a commit that rolls back", |s| commit(s, 1, "ROLLBACK"), "verdict", "commits nothing"),
    ("a commit with more behind it", |s| commit(s, 1, "COMMIT; SELECT 1"), "verdict", "commits nothing"),
    (
        "a cut by a limit that the session does not have",
        |s| cut(s, 10, |piece| piece.detail.as_mut().unwrap()["limit"] = json!("trainee-day")),
        "decision",
        "no limit \"trainee-day\"",
    ),
    (
        "a cut of a statement that is refused",
        |s| cut(s, 10, |piece| piece.detail.as_mut().unwrap()["statement"] = json!(REFUSED)),
        "verdict",
        "cut that is refused",
    ),
    ("a cut after more than the windows held", |s| cut(s, 201, |_| ()), "count", "no window held"),
    ("a cut without a detail", |s| cut(s, 10, |piece| piece.detail = None), "detail", "without a detail"),
];
