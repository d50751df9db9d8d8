//! From the copy to observations: entries are parsed and their details opened once more, away from the cosignature's
//! path, so that what the detectors have seen is a function of the copy. A detail whose key is forgotten shows nothing.

use std::{collections::HashMap, sync::Arc};

use policy::{Bundle, PrincipalKind};
use serde::{Serialize, de::DeserializeOwned};
use tlog::{
    detail::{
        self, Cut, DayKey, GateStart, JudgedLogin, LoginJudged, ProbesCommitted, Refused, Released,
        ResidencyEvidence, SessionClose, SessionOpen, Written,
    },
    entry::{Entry, Kind, Micros},
};

use super::{
    compare,
    observation::{Asker, Observation, Succession, What},
};
use crate::{
    batch::{Batch, Item},
    bundle::Shelf,
    copy::{self, Frame, Position, Replay, SEGMENT_BYTES_MAX},
    forget::Wrapped,
};

/// Day keys that are kept open.
const KEYS_MAX: usize = 64;

/// What opens the copy.
pub struct Reader {
    pub shelf: Shelf,
    pub wrapped: Wrapped,
    /// `AGE-SECRET-KEY-1…`.
    pub identity: String,
    keys: HashMap<String, Option<Arc<DayKey>>>,
    /// How far the copy is read.
    pub position: Position,
    pub size: u64,
    /// How many of the accepted bundles were shown.
    pub policies: usize,
}

/// Reads on, and shows what there is.
pub struct Reading<'a, F> {
    pub reader: &'a mut Reader,
    pub show: F,
}

impl<F: FnMut(&Observation)> Replay for Reading<'_, F> {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), String> {
        self.reader.frame(&frame, &mut self.show)
    }

    fn size(&self) -> u64 {
        self.reader.size
    }

    fn from(&self) -> Position {
        self.reader.position
    }
}

impl Reader {
    /// From the beginning of the copy.
    pub fn new(shelf: Shelf, wrapped: Wrapped, identity: String) -> Reader {
        let (keys, position) = (HashMap::new(), Position::default());
        Reader { shelf, wrapped, identity, keys, position, size: 0, policies: 0 }
    }

    fn frame(&mut self, frame: &Frame<'_>, show: &mut impl FnMut(&Observation)) -> Result<(), String> {
        let batch = Batch::parse(frame.batch).map_err(|e| e.to_string())?;
        for (item, index) in batch.items.iter().zip(batch.first..) {
            let entry = Entry::parse(item.entry).map_err(|e| format!("entry {index}: {e}"))?;
            self.succession(index, &entry.gate, frame.received, show);
            let what = self.what(&entry, *item).unwrap_or(What::Other);
            let (gate, session) = (entry.gate.into(), entry.session);
            show(&Observation { index, time: entry.time, received: frame.received, gate, session, what });
            self.size = index.saturating_add(1);
        }
        if self.position.offset >= SEGMENT_BYTES_MAX {
            self.position = Position { segment: batch.first, offset: 0 };
        }
        let bytes = u64::try_from(frame.batch.len()).unwrap_or(u64::MAX);
        self.position.offset = self.position.offset.saturating_add(copy::FRAME_HEAD_BYTES + bytes);
        Ok(())
    }

    /// Bundles that were taken over before this was received, and were not shown yet.
    fn succession(&mut self, index: u64, gate: &str, received: Micros, show: &mut impl FnMut(&Observation)) {
        while let Some((when, new)) = self.shelf.accepted().get(self.policies).cloned() {
            if when > received {
                return;
            }
            let before = self.policies.checked_sub(1).and_then(|at| self.shelf.accepted().get(at));
            let old = before.map(|(_, hash)| hash.clone());
            self.policies += 1;
            // A bundle that cannot be read any more is not compared; that it is gone, `check` says.
            let Ok(bundle) = self.shelf.get(&new) else { continue };
            let before = old.as_ref().and_then(|hash| self.shelf.get(hash).ok());
            let widened = before.map(|before| compare::widened(&before, &bundle)).unwrap_or_default();
            let principals = bundle.directory().principals.iter().map(|one| one.name.clone()).collect();
            let what = What::Policy(Box::new(Succession { old, new, widened, principals }));
            show(&Observation { index, time: when, received: when, gate: gate.into(), session: None, what });
        }
    }

    fn what(&mut self, entry: &Entry, item: Item<'_>) -> Option<What> {
        Some(match entry.kind {
            Kind::GateStart => {
                What::Started { subject_key: self.open::<GateStart>(entry, item)?.subject_key }
            }
            Kind::GateStop => What::Stopped,
            Kind::SessionOpen => {
                let detail: SessionOpen = self.open(entry, item)?;
                What::Opened(Box::new(self.asker(entry, detail)))
            }
            Kind::SessionClose => {
                let SessionClose { rows, bytes, .. } = self.open(entry, item)?;
                What::Closed { rows, bytes }
            }
            Kind::AccessDecision => {
                let refused: Refused = self.open(entry, item)?;
                self.refused(entry, refused)
            }
            Kind::LoginJudged => match self.open::<LoginJudged>(entry, item)? {
                LoginJudged::Refused(refused) => self.refused(entry, refused),
                LoginJudged::Own(login) => {
                    let JudgedLogin { principal, listener, purpose, ticket, .. } = (*login).clone();
                    let address = Some(login.address.clone());
                    let asker = Box::new(
                        self.asker(entry, nothing_opened(principal, listener, address, purpose, ticket)),
                    );
                    What::Judged { asker, login }
                }
                LoginJudged::Handed(handed) => What::Handed(Box::new(handed)),
            },
            Kind::LoginResponded => What::Responded(Box::new(self.open(entry, item)?)),
            Kind::AccessRelease => {
                let count = entry.count.as_ref()?;
                // Further windows of a result name no statement.
                let statements = self.open::<Released>(entry, item).map(|released| released.statements);
                let (state, rows, bytes) = (count.state, count.rows, count.bytes);
                What::Released { state, rows, bytes, statements: statements.unwrap_or_default() }
            }
            Kind::AccessWrite => {
                let written: Written = self.open(entry, item)?;
                What::Wrote { statements: u64::try_from(written.statements.len()).unwrap_or(u64::MAX) }
            }
            Kind::AccessCut => What::Cut { limit: self.open::<Cut>(entry, item)?.limit },
            Kind::ProbeCommitted => What::Committed(self.open::<ProbesCommitted>(entry, item)?.probes),
            Kind::ProbeRevealed => What::Revealed(Box::new(self.open(entry, item)?)),
            Kind::ResidencyEvidence => {
                What::Residency(Box::new(self.open::<ResidencyEvidence>(entry, item)?))
            }
            Kind::KeyForgotten => {
                self.keys.remove(entry.key.as_deref()?);
                What::Other
            }
            _ => return None,
        })
    }

    fn refused(&mut self, entry: &Entry, refused: Refused) -> What {
        let Refused { principal, listener, purpose, ticket, stage, statement, rule, .. } = refused;
        let asker = Box::new(self.asker(entry, nothing_opened(principal, listener, None, purpose, ticket)));
        What::Refused { asker, stage, rule, statement }
    }

    fn asker(&mut self, entry: &Entry, said: SessionOpen) -> Asker {
        let bundle = entry.policy.as_ref().and_then(|policy| self.shelf.get(policy).ok());
        let bundle: Arc<Bundle> = bundle.unwrap_or_else(|| self.shelf.current().clone());
        let known = bundle.directory().principal(&said.principal);
        let place = bundle.place_of(&said.listener).to_string();
        Asker {
            known: known.is_some(),
            service: known.is_some_and(|one| one.kind == PrincipalKind::Service),
            employer: known.map(|one| one.employer.clone()).unwrap_or_default(),
            roles: known.map(|one| one.roles.iter().cloned().collect()).unwrap_or_default(),
            office: known.map(|one| bundle.place_of(&one.office).to_string()),
            principal: said.principal,
            place,
            address: said.address,
            purpose: said.purpose,
            ticket: said.ticket,
            profile: said.profile,
            site: said.site,
            role: said.role,
        }
    }

    /// Opens a detail that is not in the copy, and answers the commitment that it fits.
    pub fn open_beside<T: DeserializeOwned + Serialize>(
        &mut self,
        entry: &Entry,
        blob: &[u8],
    ) -> Option<(T, [u8; 32])> {
        let key = self.key(entry.key.as_deref()?)?;
        detail::open_as(&key, blob).ok()
    }

    fn open<T: DeserializeOwned + Serialize>(&mut self, entry: &Entry, item: Item<'_>) -> Option<T> {
        let key = self.key(entry.key.as_deref()?)?;
        detail::open_as(&key, item.blob?).ok().map(|(detail, _)| detail)
    }

    fn key(&mut self, id: &str) -> Option<Arc<DayKey>> {
        if let Some(key) = self.keys.get(id) {
            return key.clone();
        }
        if self.keys.len() >= KEYS_MAX {
            self.keys.clear();
        }
        let wrapped = self.wrapped.get(id).ok().flatten();
        let key = wrapped.and_then(|blob| detail::unwrap_day_key(&self.identity, &blob).ok());
        let key = key.map(|(key, ..)| Arc::new(key));
        self.keys.insert(id.to_owned(), key.clone());
        key
    }
}

/// Who asked and got no session.
fn nothing_opened(
    principal: String,
    listener: String,
    address: Option<String>,
    purpose: Option<String>,
    ticket: Option<String>,
) -> SessionOpen {
    let [profile, site, role, csr] = [const { String::new() }; 4];
    SessionOpen { principal, listener, address, purpose, ticket, profile, site, role, csr }
}
