//! Subjects that cannot be.

use serde_json::{Value, json};

use super::{Case, Scene};
use crate::lab::{CLEARED, Sealed};

fn release(s: &mut Scene, subjects: Value) -> Vec<Sealed> {
    let mut piece = s.release(CLEARED);
    piece.detail.as_mut().unwrap()["statements"][0]["subjects"] = subjects;
    s.seal(piece)
}

fn digests(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("{n:032x}")).collect()
}

pub const CASES: &[Case] = &[
    (
        "rows without their subjects",
        |s| s.forged_release(|_, d| drop(d["statements"][0].as_object_mut().unwrap().remove("subjects"))),
        "detail",
        "without their subjects",
    ),
    (
        "more subjects than digests",
        |s| release(s, json!({"state": "exact", "n": 2, "digests": digests(1)})),
        "count",
        "not that of their digests",
    ),
    (
        "more digests than are listed",
        |s| release(s, json!({"state": "exact", "n": 4097, "digests": digests(4097)})),
        "count",
        "not that of their digests",
    ),
    (
        "a digest twice",
        |s| release(s, json!({"state": "exact", "n": 2, "digests": ["0".repeat(32), "0".repeat(32)]})),
        "count",
        "sorted, each once",
    ),
    (
        "a digest that is none",
        |s| release(s, json!({"state": "exact", "n": 1, "digests": ["users.id = 17"]})),
        "count",
        "32 hexadecimal digits",
    ),
    (
        "unknown subjects that are counted",
        |s| release(s, json!({"state": "unknown", "n": 1, "digests": digests(1)})),
        "count",
        "unknown and counted",
    ),
    (
        "an exact sketch",
        |s| release(s, json!({"state": "exact", "n": 5000, "sketch": ""})),
        "count",
        "a sketch stands for",
    ),
    (
        "a short sketch",
        |s| release(s, json!({"state": "at_least", "n": 5000, "sketch": "AAAA"})),
        "count",
        "4096 ranks",
    ),
    (
        "more subjects than fields",
        |s| release(s, json!({"state": "exact", "n": 1665, "digests": digests(1665)})),
        "count",
        "than the rows have fields",
    ),
    (
        "a state that there is not",
        |s| release(s, json!({"state": "about", "n": 0})),
        "detail",
        "not a detail of this kind",
    ),
];
