//! A gate that lies, so that tests and the tour can show what becomes of it. Nothing of this is in the product: it is
//! built with the feature `rogue` alone, for a program of its own (`trefoil-rogue`). It tells one lie a run. Not here:
//! who finds out (the monitor).

use std::sync::OnceLock;

use policy::{Ask, Bundle, Permit};
use record::{Draft, Probed, Why};
use tlog::detail::{Counted, SessionClose, Statement, Subjects};
use tlog::entry::{Count, CountState};

use crate::admit::Asker;
use crate::fault::Fault;
use crate::gate::Gate;

/// What the record is told that somebody asked: every profile may.
const LESSER: &str = "SELECT 1";
/// Bytes of the one row that it gives.
const LESSER_BYTES: u64 = 12;

/// What a gate does that it should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It does not hear the monitor's brakes.
    Brakes,
    /// It permits somebody what policy permits to others alone, and asks the monitor for the certificate.
    Decides,
    /// It records less than it shows.
    Lesser,
}

static TOLD: OnceLock<Lie> = OnceLock::new();

/// Which lie this process tells, by its name; before its gate starts. False where there is no such lie, or another is
/// told already.
pub fn tell(name: &str) -> bool {
    let lie = match name {
        "brakes" => Lie::Brakes,
        "decides" => Lie::Decides,
        "lesser" => Lie::Lesser,
        _ => return false,
    };
    TOLD.set(lie).is_ok()
}

/// Whether this gate tells that lie.
pub(crate) fn tells(lie: Lie) -> bool {
    TOLD.get() == Some(&lie)
}

/// What policy permits to somebody else, for whom it denies.
pub(crate) fn decides(bundle: &Bundle, asker: &Asker) -> Option<Permit> {
    if !tells(Lie::Decides) {
        return None;
    }
    let others = bundle.directory().principals.iter().filter(|other| other.name != asker.principal);
    let mut asks = others.flat_map(|other| bundle.enclave().places.iter().map(move |place| (other, place)));
    asks.find_map(|(other, place)| {
        let ask = Ask {
            principal: &other.name,
            place: bundle.place_of(&place.name),
            purpose: asker.purpose.as_deref(),
            ticket: asker.ticket.as_deref(),
        };
        bundle.decide(&ask).ok()
    })
}

/// Asks the monitor to certify what this gate decided by itself. To the monitor it is an entry like any other; here it
/// becomes one only if it is cosigned, so that the gate could go on as if nothing had been asked.
pub(crate) async fn asks(gate: &Gate, opening: Draft) -> Fault {
    match gate.record.probe(opening).await {
        Ok(Probed { index, refused: Some(reason), .. }) => {
            Fault::not_witnessed(&Why::Refused { index, reason: reason.into() }, Some(index))
        }
        Ok(Probed { index, refused: None, .. }) => {
            Fault::ours(format!("the monitor cosigned entry {index}, which it should not have"))
        }
        Err(error) => Fault::ours(error.to_string()),
    }
}

/// What the record is told of statements that were shown whole.
pub(crate) fn lessens(mut count: Count, mut statements: Vec<Statement>) -> (Count, Vec<Statement>) {
    if tells(Lie::Lesser) && count.state == CountState::Exact {
        for statement in statements.iter_mut().filter(|statement| statement.rows > 1) {
            let bytes = statement.bytes.min(LESSER_BYTES);
            count.rows = count.rows.saturating_sub(statement.rows - 1);
            count.bytes = count.bytes.saturating_sub(statement.bytes - bytes);
            *statement = Statement {
                text: LESSER.to_owned(),
                parameters: Vec::new(),
                rows: 1,
                bytes,
                tag: Some(LESSER.to_owned()),
                error: None,
                cursor: None,
                subjects: Some(Subjects { state: Counted::Exact, n: 0, digests: Vec::new(), sketch: None }),
            };
        }
    }
    (count, statements)
}

/// What it is told of the session at its end: no more than that.
pub(crate) fn closes(closed: SessionClose) -> SessionClose {
    if !tells(Lie::Lesser) {
        return closed;
    }
    SessionClose { rows: 0, bytes: 0, subjects: None, ..closed }
}
