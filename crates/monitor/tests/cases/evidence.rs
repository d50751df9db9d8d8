//! Forgeries of evidence of residency: something is left out, or everybody is told something else than the monitor.

use serde_json::{Value, json};
use tlog::entry::Entry;

use super::{Case, Scene};
use crate::lab::{SECOND, Sealed};

fn forged(s: &mut Scene, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
    let mut piece = s.lab.gate.evidence();
    forge(&mut piece.entry, piece.detail.as_mut().unwrap());
    s.seal(piece)
}

pub const CASES: &[Case] = &[
    (
        "a site left out",
        |s| {
            forged(s, |e, d| {
                let left = d["sites"].as_array_mut().unwrap().pop().unwrap();
                let passed = u64::try_from(left["checks"].as_array().unwrap().len()).unwrap();
                e.checks.as_mut().unwrap().pass -= passed;
            })
        },
        "detail",
        "the sites are",
    ),
    (
        "a check left out",
        |s| {
            forged(s, |e, d| {
                d["sites"][1]["checks"].as_array_mut().unwrap().remove(2);
                e.checks.as_mut().unwrap().pass -= 1;
            })
        },
        "detail",
        "the check replication-slot of dublin-2 is left out",
    ),
    (
        "a check twice",
        |s| {
            forged(s, |e, d| {
                let again = d["sites"][1]["checks"][2].clone();
                d["sites"][1]["checks"].as_array_mut().unwrap().push(again);
                e.checks.as_mut().unwrap().pass += 1;
            })
        },
        "detail",
        "is there twice",
    ),
    (
        "a failure that is not in the counts",
        |s| {
            forged(s, |_, d| {
                let check = &mut d["sites"][0]["checks"][0];
                check["result"] = json!("fail");
                check["findings"] = json!([{ "object": "a standby", "reason": "nobody's" }]);
            })
        },
        "count",
        "the counts of checks",
    ),
    ("evidence without counts", |s| forged(s, |e, _| e.checks = None), "count", "the counts of checks"),
    (
        "a failure of nothing",
        |s| forged(s, |_, d| d["sites"][0]["checks"][0]["result"] = json!("fail")),
        "detail",
        "names nothing",
    ),
    (
        "evidence of an hour ago",
        |s| {
            let hour_ago = tlog::entry::Micros(s.lab.gate.now.0 - 3_600 * SECOND).to_string();
            forged(s, |_, d| d["began"] = json!(hour_ago))
        },
        "clock",
        "was recorded at",
    ),
    (
        "evidence of another policy",
        |s| forged(s, |e, _| e.policy = Some("5a".repeat(32))),
        "decision",
        "the policy in force is",
    ),
    ("evidence of no policy", |s| forged(s, |e, _| e.policy = None), "decision", "without a policy"),
];
