//! Forged entries about logins: a gate that does otherwise than it judged, or does something without an end.

use serde_json::{Value, json};
use tlog::entry::{Decision, Entry};

use super::{Case, Scene};
use crate::lab::{AOIFE, LUKAS, Piece, Sealed};

type Make = fn(&mut Scene) -> Piece;

fn forged(s: &mut Scene, make: Make, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
    let mut piece = make(s);
    forge(&mut piece.entry, piece.detail.as_mut().unwrap());
    s.seal(piece)
}

const JUDGED: Make = |s| s.lab.gate.judged(&AOIFE, "step_up", Decision::Deny);
const RESPONDED: Make = |s| s.lab.gate.responded();

pub const CASES: &[Case] = &[
    (
        "a login that asks for more, let in",
        |s| forged(s, JUDGED, |e, _| e.decision = Some(Decision::Permit)),
        "decision",
        "a login judged step_up is deny, and the gate says permit",
    ),
    (
        "a blocked login, let in for its code",
        |s| {
            forged(s, JUDGED, |e, d| {
                e.decision = Some(Decision::Permit);
                (d["judged"]["action"], d["confirmed"]) = (json!("block"), json!(true));
            })
        },
        "decision",
        "a login judged block is deny",
    ),
    (
        "a confirmed login, refused",
        |s| forged(s, JUDGED, |_, d| d["confirmed"] = json!(true)),
        "decision",
        "is permit, and the gate says deny",
    ),
    (
        "a judged login without a decision",
        |s| forged(s, JUDGED, |e, _| e.decision = None),
        "decision",
        "the gate says nothing",
    ),
    (
        "another's judged login",
        |s| forged(s, JUDGED, |_, d| d["principal"] = json!(LUKAS.principal)),
        "identity",
        "principal's hash",
    ),
    (
        "a judged login from another place",
        |s| forged(s, JUDGED, |e, _| e.place = Some("SG".to_owned())),
        "decision",
        "the place is IE, not SG",
    ),
    (
        "a judgement for no reason",
        |s| forged(s, JUDGED, |_, d| d["judged"]["reasons"] = json!([])),
        "detail",
        "a judgement is a score and",
    ),
    (
        "logins of other systems that decide here",
        |s| forged(s, |s| s.lab.gate.handed(), |e, _| e.decision = Some(Decision::Permit)),
        "detail",
        "decides on somebody here",
    ),
    (
        "a response without an end",
        |s| forged(s, RESPONDED, |_, d| drop(d["response"].as_object_mut().unwrap().remove("until"))),
        "detail",
        "until",
    ),
    (
        "a response for ever",
        |s| forged(s, RESPONDED, |_, d| d["response"]["until"] = json!("2030-01-01T00:00:00.000000Z")),
        "detail",
        "does not end within",
    ),
    (
        "a response that is over before its end",
        |s| forged(s, RESPONDED, |_, d| d["change"] = json!("expired")),
        "detail",
        "is over when it has come to its end",
    ),
    (
        "a response that begins after its end",
        |s| {
            let then = tlog::entry::Micros(s.lab.gate.now.0 - 7_200 * crate::lab::SECOND).to_string();
            let end = tlog::entry::Micros(s.lab.gate.now.0 - 3_600 * crate::lab::SECOND).to_string();
            forged(s, RESPONDED, |_, d| {
                (d["response"]["since"], d["response"]["until"]) = (json!(then), json!(end));
            })
        },
        "detail",
        "is over when it has come to its end",
    ),
    (
        "a response to everybody",
        |s| forged(s, RESPONDED, |_, d| d["response"]["source"] = json!("0.0.0.0/0")),
        "detail",
        "neither an IPv4 address",
    ),
    (
        "a response of no policy",
        |s| forged(s, RESPONDED, |e, _| e.policy = None),
        "decision",
        "without a policy",
    ),
    (
        "a look for no purpose that policy knows",
        |s| forged(s, |s| s.lab.gate.explained(), |_, d| d["purpose"] = json!("curiosity")),
        "decision",
        "policy knows no purpose",
    ),
    (
        "a look without a ticket",
        |s| forged(s, |s| s.lab.gate.explained(), |_, d| d["ticket"] = json!("")),
        "detail",
        "is said in full",
    ),
    (
        "a verdict on what is not there",
        |s| forged(s, |s| s.lab.gate.marked(), |_, d| d["entry"] = json!(1_000_000)),
        "detail",
        "not in the record yet",
    ),
    (
        "a verdict on another's login",
        |s| forged(s, |s| s.lab.gate.marked(), |_, d| d["principal"] = json!(LUKAS.principal)),
        "identity",
        "principal's hash",
    ),
    (
        "a verdict for no reason",
        |s| forged(s, |s| s.lab.gate.marked(), |_, d| d["because"] = json!("")),
        "detail",
        "and why",
    ),
];
