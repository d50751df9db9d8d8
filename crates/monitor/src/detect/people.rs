//! Who is who: principals, their peers and their open sessions, numbered once so that every detector's own state is a
//! list by number. Peers are those with the same roles. What anybody does is the detectors' business.
//!
//! Bytes: some 150 a principal, some 300 an open session.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tlog::detail::{About, Reason, Severity};

use super::{
    finding::Finding,
    observation::{Asker, Observation, What},
};

/// Principals who are told apart; later ones share a number.
const PEOPLE_MAX: usize = 100_000;
/// Groups of peers that are told apart; later ones share a number.
const GROUPS_MAX: usize = 1_024;
/// Sessions that are followed at a time; of later ones nothing is known.
const SESSIONS_MAX: usize = 65_536;

/// Everybody, numbered.
#[derive(Default, Serialize, Deserialize)]
pub struct People {
    numbers: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    sessions: HashMap<String, Session>,
}

/// A session between its open and its close.
#[derive(Serialize, Deserialize)]
pub struct Session {
    pub who: Who,
    pub asker: Asker,
    /// When it was opened, microseconds.
    pub opened: i64,
    /// Entry that opened it.
    pub index: u64,
}

/// A principal's number and that of the peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub person: usize,
    pub group: usize,
    pub service: bool,
}

/// An observation, and of whom it is.
pub struct Seen<'a> {
    pub o: &'a Observation,
    /// None where nobody in the directory is concerned.
    pub who: Option<Who>,
    pub asker: Option<&'a Asker>,
    /// The session that it belongs to, if it is followed.
    pub session: Option<&'a Session>,
}

impl People {
    /// Takes note of who comes, before the detectors look.
    pub fn enter(&mut self, o: &Observation) {
        match (&o.what, &o.session) {
            (What::Opened(asker), Some(id)) => {
                let who = self.who(asker);
                if self.sessions.len() < SESSIONS_MAX {
                    let session =
                        Session { who, asker: (**asker).clone(), opened: o.received.0, index: o.index };
                    self.sessions.insert(id.clone(), session);
                }
            }
            (What::Refused { asker, .. } | What::Judged { asker, .. }, _) if asker.known => {
                self.who(asker);
            }
            (What::Policy(policy), _) => {
                policy.principals.iter().for_each(|name| {
                    number(&mut self.numbers, name, PEOPLE_MAX);
                });
            }
            _ => {}
        }
    }

    /// Of whom the observation is.
    pub fn seen<'a>(&'a self, o: &'a Observation) -> Seen<'a> {
        let session = o.session.as_ref().and_then(|id| self.sessions.get(id));
        let asker = match &o.what {
            What::Opened(asker) | What::Refused { asker, .. } | What::Judged { asker, .. } => Some(&**asker),
            _ => session.map(|session| &session.asker),
        };
        let who = match asker {
            Some(asker) if asker.known => session.map(|session| session.who).or_else(|| self.known(asker)),
            _ => None,
        };
        Seen { o, who, asker, session }
    }

    /// Forgets who has gone, after the detectors have looked.
    pub fn leave(&mut self, o: &Observation) {
        match (&o.what, &o.session) {
            (What::Closed { .. }, Some(id)) => {
                self.sessions.remove(id);
            }
            // What it had open can only be closed: nothing more comes of it.
            (What::Started { .. } | What::Stopped, _) => self.sessions.clear(),
            _ => {}
        }
    }

    /// The number of a principal of that name.
    pub fn number_of(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    fn who(&mut self, asker: &Asker) -> Who {
        let person = number(&mut self.numbers, &asker.principal, PEOPLE_MAX);
        let group = number(&mut self.groups, &group(asker), GROUPS_MAX);
        Who { person, group, service: asker.service }
    }

    fn known(&self, asker: &Asker) -> Option<Who> {
        let person = self.number_of(&asker.principal)?;
        let group = self.groups.get(&group(asker)).copied()?;
        Some(Who { person, group, service: asker.service })
    }
}

fn group(asker: &Asker) -> String {
    asker.roles.join(" ")
}

fn number(numbers: &mut HashMap<String, usize>, name: &str, max: usize) -> usize {
    if let Some(known) = numbers.get(name) {
        return *known;
    }
    let next = numbers.len().min(max);
    if numbers.len() < max {
        numbers.insert(name.to_owned(), next);
    }
    next
}

impl Seen<'_> {
    /// A finding about the principal.
    pub fn of_principal(&self, detector: &'static str, severity: Severity, reasons: Vec<Reason>) -> Finding {
        let principal = self.asker.map(|asker| asker.principal.clone());
        self.found(detector, severity, About { principal, ..About::default() }, reasons)
    }

    /// A finding about the session.
    pub fn of_session(&self, detector: &'static str, severity: Severity, reasons: Vec<Reason>) -> Finding {
        let principal = self.asker.map(|asker| asker.principal.clone());
        let (session, gate) = (self.o.session.clone(), Some(self.o.gate.to_string()));
        let about = About { session, principal, gate, ..About::default() };
        self.found(detector, severity, about, reasons)
    }

    /// A finding about the gate.
    pub fn of_gate(&self, detector: &'static str, severity: Severity, reasons: Vec<Reason>) -> Finding {
        let about = About { gate: Some(self.o.gate.to_string()), ..About::default() };
        self.found(detector, severity, about, reasons)
    }

    fn found(
        &self,
        detector: &'static str,
        severity: Severity,
        about: About,
        reasons: Vec<Reason>,
    ) -> Finding {
        Finding { detector, severity, at: self.o.received, about, evidence: vec![self.o.index], reasons }
    }
}

/// The state at a number, made if it is new.
pub fn slot<T: Default>(states: &mut Vec<T>, number: usize) -> Option<&mut T> {
    if states.len() <= number {
        states.resize_with(number.saturating_add(1), T::default);
    }
    states.get_mut(number)
}
