//! Forged refusals: access.decision and login.judged.

use serde_json::json;
use tlog::{detail::Stage, entry::Decision};

use super::Case;
use crate::lab::{AOIFE, AOIFE_WITHOUT, CLEARED, LUKAS, NOWHERE, REFUSED};

pub const CASES: &[Case] = &[
    (
        "a cleared statement refused",
        |s| {
            let piece = s.refused_statement(CLEARED);
            s.seal(piece)
        },
        "verdict",
        "that is cleared",
    ),
    (
        "refused by another rule",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap()["rule"] = json!("whim");
            s.seal(piece)
        },
        "verdict",
        "refused by \"whim\"",
    ),
    (
        "a refused statement without its text",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap().as_object_mut().unwrap().remove("statement");
            s.seal(piece)
        },
        "detail",
        "without its text",
    ),
    (
        "a refusal that permits",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.entry.decision = Some(Decision::Permit);
            s.seal(piece)
        },
        "decision",
        "must carry the decision deny",
    ),
    (
        "a refusal of another's session",
        |s| {
            let mut piece = s.refused_statement(REFUSED);
            piece.detail.as_mut().unwrap()["principal"] = json!("wei");
            s.seal(piece)
        },
        "detail",
        "another principal",
    ),
    (
        "refused at connect, but permitted",
        |s| {
            let piece = s.lab.gate.refusal(&AOIFE, None, Stage::Connect, None);
            s.seal(piece)
        },
        "decision",
        "the decision is profile support",
    ),
    (
        "refused at connect by another rule",
        |s| {
            let mut piece = s.lab.gate.refusal(&NOWHERE, None, Stage::Connect, None);
            piece.detail.as_mut().unwrap()["rule"] = json!("whim");
            s.seal(piece)
        },
        "decision",
        "refused by \"whim\"",
    ),
    (
        "refused at connect, another place",
        |s| {
            let mut piece = s.lab.gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None);
            piece.entry.place = Some("CN".to_owned());
            s.seal(piece)
        },
        "decision",
        "the place is IE, not CN",
    ),
    (
        "refused at connect, another request",
        |s| {
            let mut piece = s.lab.gate.refusal(&AOIFE_WITHOUT, None, Stage::Connect, None);
            piece.entry.request = Some("0".repeat(64));
            s.seal(piece)
        },
        "identity",
        "request's hash",
    ),
    (
        "a login judged with another's name",
        |s| {
            let mut piece = s.lab.gate.refusal(&LUKAS, None, Stage::Login, None);
            piece.detail.as_mut().unwrap()["principal"] = json!("wei");
            s.seal(piece)
        },
        "identity",
        "principal's hash",
    ),
    (
        "a login at a later stage",
        |s| {
            let mut piece = s.lab.gate.refusal(&LUKAS, None, Stage::Login, None);
            piece.detail.as_mut().unwrap()["stage"] = json!("wall");
            s.seal(piece)
        },
        "detail",
        "another stage",
    ),
];
