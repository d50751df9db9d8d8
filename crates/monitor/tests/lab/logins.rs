//! Entries about logins, as the gate makes them.

use serde_json::{Value, json};
use tlog::{
    detail::Stage,
    entry::{Decision, Kind},
};

use super::{Gate, Piece, SECOND, Who};

impl Gate {
    /// login.judged of somebody whose password was theirs.
    pub fn judged(&mut self, who: &Who, action: &str, decision: Decision) -> Piece {
        // What every entry about a principal says.
        let asked = self.refusal(who, None, Stage::Login, None);
        let detail = asked.detail.as_ref().unwrap();
        let mut login = json!({
            "principal": who.principal, "listener": who.listener, "address": "192.0.2.7", "proof": "held",
            "confirmed": false, "observed": false, "judged": judged(action),
        });
        for field in ["purpose", "ticket"] {
            if let Some(said) = detail.get(field) {
                login[field] = said.clone();
            }
        }
        let mut piece = self.piece(Kind::LoginJudged, login);
        piece.entry = asked.entry;
        piece.entry.decision = Some(decision);
        piece
    }

    /// login.judged of the company's other systems.
    pub fn handed(&mut self) -> Piece {
        let login = json!({
            "user": "bob", "time": self.now.to_string(), "succeeded": true, "judged": judged("block"),
        });
        let detail = json!({ "watch": "vpn", "sequence": 1, "logins": [login] });
        self.said(Kind::LoginJudged, detail)
    }

    /// login.responded: nobody comes from an address for an hour.
    pub fn responded(&mut self) -> Piece {
        let until = tlog::entry::Micros(self.now.0 + 3_600 * SECOND).to_string();
        let response = json!({
            "id": "00000000000000a1", "kind": "block", "source": "192.0.2.7", "since": self.now.to_string(),
            "until": until, "because": "spray",
        });
        self.said(Kind::LoginResponded, json!({ "response": response, "change": "begun" }))
    }

    /// login.explained: somebody looks at what is known of Aoife.
    pub fn explained(&mut self) -> Piece {
        let detail = json!({ "user": "aoife", "purpose": "security", "ticket": "SEC-1" });
        self.said(Kind::LoginExplained, detail)
    }

    /// login.marked: an analyst says that a login of Aoife's was somebody else.
    pub fn marked(&mut self) -> Piece {
        let detail =
            json!({ "entry": 0, "principal": "aoife", "verdict": "attack", "because": "she called" });
        let mut piece = self.said(Kind::LoginMarked, detail);
        piece.entry.principal = Some(self.key.principal("aoife"));
        piece
    }

    fn said(&mut self, kind: Kind, detail: Value) -> Piece {
        let mut piece = self.piece(kind, detail);
        piece.entry.policy = Some(self.bundle.hash().to_string());
        piece
    }
}

fn judged(action: &str) -> Value {
    let reason = json!({ "term": "place", "log_odds": "6.000", "observed": "SG", "expected": "IE" });
    json!({ "score": "6.000", "action": action, "reasons": [reason] })
}
