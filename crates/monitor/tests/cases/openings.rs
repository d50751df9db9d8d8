//! Forged session.open entries.

use serde_json::json;
use tlog::entry::Decision;

use super::Case;
use crate::lab::{AOIFE, LUKAS, csr};

pub const CASES: &[Case] = &[
    (
        "another profile's hash",
        |s| {
            let other = s.others_profile(&LUKAS);
            s.forged(&AOIFE, |e, _| e.profile = Some(other))
        },
        "decision",
        "the gate gave profile",
    ),
    (
        "another profile's name",
        |s| s.forged(&AOIFE, |_, d| d["profile"] = json!("analytics")),
        "decision",
        "the gate gave profile",
    ),
    (
        "a role of another profile",
        |s| {
            let role = s.lab.gate.role(&LUKAS, 1);
            s.forged(&AOIFE, |_, d| {
                d["csr"] = json!(csr(&role));
                d["role"] = json!(role);
            })
        },
        "decision",
        "is not one of the 8 roles of profile support",
    ),
    (
        "a role beyond the pool",
        |s| {
            let role = s.lab.gate.role(&AOIFE, 9);
            s.forged(&AOIFE, |_, d| {
                d["csr"] = json!(csr(&role));
                d["role"] = json!(role);
            })
        },
        "decision",
        "is not one of the 8 roles",
    ),
    (
        "role number spelled otherwise",
        |s| s.forged(&AOIFE, |_, d| d["role"] = json!(d["role"].as_str().unwrap().replace("_001", "_1"))),
        "decision",
        "is not one of the 8 roles",
    ),
    (
        "a role at another site",
        |s| s.forged(&AOIFE, |_, d| d["site"] = json!("hamar")),
        "decision",
        "at hamar",
    ),
    ("an unknown site", |s| s.forged(&AOIFE, |_, d| d["site"] = json!("virginia")), "decision", "no site"),
    (
        "a request for another role",
        |s| s.forged(&AOIFE, |_, d| d["csr"] = json!(csr("trefoil_admin"))),
        "detail",
        "names \"trefoil_admin\"",
    ),
    (
        "a request whose signature is altered",
        |s| {
            s.forged(&AOIFE, |_, d| {
                let pem = d["csr"].as_str().unwrap().to_owned();
                let end = pem.rfind("\n-----END").unwrap();
                let at = end - 8;
                let other = if pem.as_bytes()[at] == b'A' { "B" } else { "A" };
                d["csr"] = json!(format!("{}{other}{}", &pem[..at], &pem[at + 1..]));
            })
        },
        "detail",
        "the certificate request",
    ),
    ("no request", |s| s.forged(&AOIFE, |_, d| d["csr"] = json!("")), "detail", "the certificate request"),
    (
        "a denied principal",
        |s| {
            let mut piece = s.opening(&AOIFE);
            let detail = piece.detail.as_mut().unwrap();
            detail.as_object_mut().unwrap().remove("purpose");
            s.seal(piece)
        },
        "decision",
        "is denied by",
    ),
    (
        "an unknown principal",
        |s| s.forged(&AOIFE, |_, d| d["principal"] = json!("mallory")),
        "decision",
        "is denied by unknown-principal",
    ),
    (
        "an unmapped listener",
        |s| s.forged(&AOIFE, |_, d| d["listener"] = json!("unmapped")),
        "decision",
        "is denied by",
    ),
    (
        "another place",
        |s| s.forged(&AOIFE, |e, _| e.place = Some("DE".to_owned())),
        "decision",
        "the place is IE, not DE",
    ),
    ("no place", |s| s.forged(&AOIFE, |e, _| e.place = None), "decision", "the place is IE, not none"),
    (
        "a policy that was never accepted",
        |s| s.forged(&AOIFE, |e, _| e.policy = Some("0".repeat(64))),
        "decision",
        "the policy in force is",
    ),
    ("no policy", |s| s.forged(&AOIFE, |e, _| e.policy = None), "decision", "without a policy"),
    (
        "a denial that opens",
        |s| s.forged(&AOIFE, |e, _| e.decision = Some(Decision::Deny)),
        "decision",
        "opened by a denial",
    ),
    (
        "a class it does not have",
        |s| s.forged(&LUKAS, |e, _| e.classes.push("secret".to_owned())),
        "decision",
        "no class \"secret\"",
    ),
    (
        "another principal's hash",
        |s| {
            let other = s.lab.gate.key.principal("lukas");
            s.forged(&AOIFE, |e, _| e.principal = Some(other))
        },
        "identity",
        "principal's hash",
    ),
    ("no principal", |s| s.forged(&AOIFE, |e, _| e.principal = None), "identity", "without the hashes"),
    (
        "another request's hash",
        |s| s.forged(&AOIFE, |e, _| e.request = Some("0".repeat(64))),
        "identity",
        "request's hash",
    ),
    (
        "a session id of before",
        |s| {
            let open = s.open.clone();
            s.forged(&AOIFE, |e, _| e.session = Some(open))
        },
        "session",
        "was used before",
    ),
    (
        "the id of a closed session",
        |s| {
            let closed = s.closed.clone();
            s.forged(&AOIFE, |e, _| e.session = Some(closed))
        },
        "session",
        "was used before",
    ),
    ("no session id", |s| s.forged(&AOIFE, |e, _| e.session = None), "session", "names no session"),
    (
        "no detail",
        |s| {
            let mut piece = s.opening(&AOIFE);
            piece.detail = None;
            s.seal(piece)
        },
        "detail",
        "without a detail",
    ),
    ("a field too many", |s| s.forged(&AOIFE, |_, d| d["extra"] = json!(1)), "detail", "unknown field"),
];
