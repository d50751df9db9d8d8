//! The scene that batches are forged in, and the tables of forgeries by kind of entry. What is done with them is in
//! `batches`.

mod entries;
mod evidence;
mod logins;
mod openings;
mod refusals;
mod releases;
mod subjects;
mod writes;

use serde_json::Value;
use tlog::{
    detail::Stage,
    entry::{CountState, Entry},
};

use crate::lab::{AOIFE, BILLING, CLEARED, LUKAS, Lab, Piece, Sealed, WRITE, Who};

/// A started gate with an open session of Aoife's, one with an open window, a closed one, and one of a service that has
/// written once.
pub struct Scene {
    pub lab: Lab,
    pub open: String,
    pub windowed: String,
    pub closed: String,
    pub writing: String,
}

impl Scene {
    pub fn new() -> Scene {
        let mut lab = Lab::started();
        let (open, windowed, closed) = (lab.open(&AOIFE), lab.open(&AOIFE), lab.open(&LUKAS));
        let writing = lab.open(&BILLING);
        let released = [
            lab.gate.write(&writing, &[WRITE]),
            lab.gate.release(&open, CLEARED, CountState::Exact, 3, 90),
            lab.gate.release(&windowed, CLEARED, CountState::Window, 100, 4_000),
            lab.gate.close(&closed, 0, 0),
        ];
        let items = released.map(|piece| lab.gate.seal(piece));
        lab.accept(&items);
        Scene { lab, open, windowed, closed, writing }
    }

    pub fn opening(&mut self, who: &Who) -> Piece {
        let id = self.lab.gate.session_id();
        self.lab.gate.open(who, &id)
    }

    pub fn release(&mut self, text: &str) -> Piece {
        let open = self.open.clone();
        self.lab.gate.release(&open, text, CountState::Exact, 1, 10)
    }

    pub fn seal(&mut self, piece: Piece) -> Vec<Sealed> {
        vec![self.lab.gate.seal(piece)]
    }

    /// Seals an opening whose entry was changed.
    pub fn forged(&mut self, who: &Who, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
        let mut piece = self.opening(who);
        forge(&mut piece.entry, piece.detail.as_mut().unwrap());
        self.seal(piece)
    }

    pub fn forged_release(&mut self, forge: impl FnOnce(&mut Entry, &mut Value)) -> Vec<Sealed> {
        let mut piece = self.release(CLEARED);
        forge(&mut piece.entry, piece.detail.as_mut().unwrap());
        self.seal(piece)
    }

    pub fn refused_statement(&mut self, text: &str) -> Piece {
        let open = self.open.clone();
        self.lab.gate.refusal(&AOIFE, Some(&open), Stage::Statement, Some(text))
    }

    pub fn others_profile(&self, who: &Who) -> String {
        let gate = &self.lab.gate;
        gate.bundle.decide(&gate.ask(who)).unwrap().profile().hash.to_string()
    }
}

/// Entries that are not cosigned: what is forged, the batch, the kind of incident, a part of the reason.
pub type Case = (&'static str, fn(&mut Scene) -> Vec<Sealed>, &'static str, &'static str);

/// Everything that is not cosigned.
pub fn all() -> Vec<Case> {
    [
        openings::CASES,
        releases::CASES,
        subjects::CASES,
        writes::CASES,
        refusals::CASES,
        entries::CASES,
        evidence::CASES,
        logins::CASES,
    ]
    .concat()
}
