//! What is in force, folded word by word, by monitor and gates alike. Whose word it is was checked before
//! ([`Word::verify`]); whether it follows from what is known is checked here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BrakeError, ORDERS_MAX, Order, Target, Word};
use crate::hash::Hash;
use crate::note::VerifierKey;

/// An order in force, with the note that gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stopped {
    pub order: Order,
    /// The signed word.
    pub note: String,
}

/// The orders in force, and how far they have come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    sequence: u64,
    orders: BTreeMap<String, Stopped>,
}

/// What a word changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub applied: Vec<Stopped>,
    /// Orders that are in force no more, and why, where it was said.
    pub lifted: Vec<(Stopped, Option<String>)>,
}

/// Who might be stopped, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub session: Option<&'a str>,
    pub principal: &'a str,
    pub gate: &'a str,
}

impl Target {
    /// Whether this is about them. A session that goes to no destination is stopped by none.
    pub fn stops(&self, subject: Subject<'_>) -> bool {
        match self {
            Target::Session(id) => subject.session == Some(id.as_str()),
            Target::Principal(name) => subject.principal == name,
            Target::Gate(name) => subject.gate == name,
            Target::Destination(_) => false,
        }
    }
}

impl InForce {
    /// The sequence of the last word that changed something; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The orders, by id.
    pub fn orders(&self) -> impl Iterator<Item = &Stopped> {
        self.orders.values()
    }

    /// The order of this id, if it is in force.
    pub fn get(&self, id: &str) -> Option<&Stopped> {
        self.orders.get(id)
    }

    /// The first order that stops them.
    pub fn stops(&self, subject: Subject<'_>) -> Option<&Order> {
        self.orders.values().map(|stopped| &stopped.order).find(|order| order.target.stops(subject))
    }

    /// The hash of the orders, in hexadecimal: of each one's note, in the order of their ids.
    pub fn hash(&self) -> String {
        let notes: String = self.orders.values().map(|stopped| stopped.note.as_str()).collect();
        Hash::of(notes.as_bytes()).to_hex()
    }

    /// All of it, in one word.
    pub fn whole(&self) -> Word {
        let orders = self.orders.values().map(|stopped| stopped.note.clone()).collect();
        Word::Whole { sequence: self.sequence, orders }
    }

    /// That nothing has changed, in one word. `time` is the speaker's, RFC 3339.
    pub fn beat(&self, time: String) -> Word {
        Word::Beat { sequence: self.sequence, hash: self.hash(), time }
    }

    /// Takes a word that was verified; `note` is its text and `key` verifies the orders within it.
    ///
    /// # Errors
    /// When the word is older than what is known, or says that one was missed. Then nothing has changed.
    pub fn take(&mut self, word: &Word, note: &str, key: &VerifierKey) -> Result<Change, BrakeError> {
        let (said, known) = (word.sequence(), self.sequence);
        match word {
            Word::Brake { .. } | Word::Lift { .. } if said <= known => Err(BrakeError::Old { said, known }),
            Word::Brake { order, .. } => self.brake(said, order, note),
            Word::Lift { id, because, .. } => {
                self.sequence = said;
                let lifted = self.orders.remove(id).map(|stopped| (stopped, Some(because.clone())));
                Ok(Change { applied: Vec::new(), lifted: lifted.into_iter().collect() })
            }
            Word::Whole { orders, .. } => self.replace(said, orders, key),
            Word::Beat { hash, .. } if said == known && *hash == self.hash() => Ok(Change::default()),
            Word::Beat { .. } => Err(BrakeError::Missed { said, known }),
        }
    }

    fn brake(&mut self, sequence: u64, order: &Order, note: &str) -> Result<Change, BrakeError> {
        order.check()?;
        if self.orders.len() >= ORDERS_MAX {
            return Err(BrakeError::Full);
        }
        let stopped = Stopped { order: order.clone(), note: note.to_owned() };
        self.sequence = sequence;
        self.orders.insert(order.id.clone(), stopped.clone());
        Ok(Change { applied: vec![stopped], lifted: Vec::new() })
    }

    fn replace(&mut self, said: u64, notes: &[String], key: &VerifierKey) -> Result<Change, BrakeError> {
        let known = self.sequence;
        if said < known {
            return Err(BrakeError::Old { said, known });
        }
        let mut next = InForce { sequence: said, orders: BTreeMap::new() };
        for note in notes {
            let Word::Brake { sequence, order } = Word::verify(note, key)? else {
                return Err(BrakeError::Form);
            };
            if sequence > said {
                return Err(BrakeError::Form);
            }
            next.brake(said, &order, note)?;
        }
        // Two lists under one sequence: whoever speaks contradicts himself, and what is stopped stays stopped.
        if said == known && next.hash() != self.hash() {
            return Err(BrakeError::Missed { said, known });
        }
        let before = std::mem::replace(&mut self.orders, next.orders);
        self.sequence = said;
        let applied = self.orders.values().filter(|stopped| !before.contains_key(&stopped.order.id));
        let applied = applied.cloned().collect();
        let gone = before.into_values().filter(|stopped| !self.orders.contains_key(&stopped.order.id));
        Ok(Change { applied, lifted: gone.map(|stopped| (stopped, None)).collect() })
    }
}
