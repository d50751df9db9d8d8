//! Forged access.release and session.close entries.

use serde_json::json;
use tlog::entry::CountState;

use super::Case;
use crate::lab::{CLEARED, REFUSED};

pub const CASES: &[Case] = &[
    (
        "a statement that is refused",
        |s| {
            let piece = s.release(REFUSED);
            s.seal(piece)
        },
        "verdict",
        "a statement was released that is refused by",
    ),
    (
        "a refused statement behind a cleared one",
        |s| {
            s.forged_release(|_, d| {
                let mut second = d["statements"][0].clone();
                second["text"] = json!("COPY data.users TO PROGRAM 'id'");
                second["rows"] = json!(0);
                second["bytes"] = json!(0);
                d["statements"].as_array_mut().unwrap().push(second);
            })
        },
        "verdict",
        "refused by",
    ),
    (
        "text that cannot be parsed",
        |s| {
            let piece = s.release("SELEC 1");
            s.seal(piece)
        },
        "verdict",
        "refused by unparsable",
    ),
    (
        "a session that was never opened",
        |s| s.forged_release(|e, _| e.session = Some("0".repeat(32))),
        "session",
        "never opened",
    ),
    (
        "a closed session",
        |s| {
            let closed = s.closed.clone();
            s.forged_release(|e, _| e.session = Some(closed))
        },
        "session",
        "is closed",
    ),
    (
        "another policy than at the open",
        |s| s.forged_release(|e, _| e.policy = Some("1".repeat(64))),
        "decision",
        "the policy is",
    ),
    (
        "another profile than at the open",
        |s| s.forged_release(|e, _| e.profile = Some("1".repeat(64))),
        "decision",
        "the profile is",
    ),
    (
        "another place than at the open",
        |s| s.forged_release(|e, _| e.place = Some("CN".to_owned())),
        "decision",
        "the place is CN",
    ),
    (
        "another principal than at the open",
        |s| {
            let other = s.lab.gate.key.principal("wei");
            s.forged_release(|e, _| e.principal = Some(other))
        },
        "identity",
        "principal's hash",
    ),
    ("no count", |s| s.forged_release(|e, _| e.count = None), "count", "without a count"),
    (
        "fewer rows than its statements",
        |s| s.forged_release(|_, d| d["statements"][0]["rows"] = json!(2)),
        "count",
        "the statements released 2 rows",
    ),
    (
        "rows of no statement",
        |s| s.forged_release(|_, d| d["statements"] = json!([])),
        "detail",
        "without a statement",
    ),
    (
        "no detail",
        |s| {
            let mut piece = s.release(CLEARED);
            piece.detail = None;
            s.seal(piece)
        },
        "detail",
        "without a detail",
    ),
    (
        "a total without a window",
        |s| {
            let open = s.open.clone();
            let piece = s.lab.gate.release(&open, CLEARED, CountState::Total, 1, 10);
            s.seal(piece)
        },
        "count",
        "without a window",
    ),
    (
        "a total beyond its windows",
        |s| {
            let id = s.windowed.clone();
            let window = s.lab.gate.release(&id, CLEARED, CountState::Window, 100, 4_000);
            let total = s.lab.gate.release(&id, CLEARED, CountState::Total, 200, 8_001 + 65_536);
            [window, total].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "count",
        "a total of 200 rows, 73537 bytes after windows of 200 rows, 8000 bytes",
    ),
    (
        "a second total",
        |s| {
            let id = s.windowed.clone();
            let totals = [1, 1].map(|rows| s.lab.gate.release(&id, CLEARED, CountState::Total, rows, 10));
            totals.map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "count",
        "without a window",
    ),
    (
        "a close that says more than was recorded",
        |s| {
            let open = s.open.clone();
            let piece = s.lab.gate.close(&open, 4, 90);
            s.seal(piece)
        },
        "count",
        "closes with 4 rows, 90 bytes, but 3 rows, 90 bytes",
    ),
    (
        "a release after the close",
        |s| {
            let open = s.open.clone();
            let close = s.lab.gate.close(&open, 3, 90);
            let after = s.release(CLEARED);
            [close, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "session",
        "is closed",
    ),
    (
        "a second close",
        |s| {
            let closed = s.closed.clone();
            let piece = s.lab.gate.close(&closed, 0, 0);
            s.seal(piece)
        },
        "session",
        "is closed",
    ),
    (
        "a release after the gate started again",
        |s| {
            let start = s.lab.gate.start();
            let after = s.release(CLEARED);
            [start, after].map(|piece| s.lab.gate.seal(piece)).to_vec()
        },
        "session",
        "the gate ended",
    ),
];
