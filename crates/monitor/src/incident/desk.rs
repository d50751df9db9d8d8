//! What a person can ask of the incidents, on a monitor that runs and on one that does not. The questions are those of
//! the command line; the way to a running monitor is `control`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tlog::{
    detail::Change,
    entry::Micros,
    hash::hex,
    json::{JsonError, canonical},
};

use super::{
    Incident, IncidentError, Incidents, Status,
    evidence::{Evidence, EvidenceError, Keys},
    facts,
    report::{self, Contacts, Material, Said},
    show,
};
use crate::{
    config::{ConfigError, Cosigners},
    folder::Folder,
};

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Ask {
    List {
        state: Option<Status>,
    },
    Show {
        id: String,
    },
    Ack {
        id: String,
        by: String,
    },
    Close {
        id: String,
        by: String,
        because: String,
    },
    /// The notification as it would be written now. Changes nothing.
    Draft {
        id: String,
        said: Said,
    },
    /// The notification whose JSON has this digest was written.
    Reported {
        id: String,
        by: Option<String>,
        notification: String,
    },
    /// What proves the evidence.
    Receipts {
        id: String,
    },
}

/// An answer: text for people, JSON for programs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    pub text: String,
    pub json: Value,
}

/// Why a question has no answer.
#[derive(Debug, Error)]
pub enum DeskError {
    #[error(transparent)]
    Incident(#[from] IncidentError),
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl DeskError {
    /// Whether it was understood and does not hold, rather than that it cannot be told.
    pub fn is_refusal(&self) -> bool {
        matches!(self, DeskError::Incident(IncidentError::Refused(_)))
    }
}

/// Where questions are answered.
#[derive(Clone)]
pub struct Desk {
    pub incidents: Incidents,
    pub folder: Folder,
    pub contacts: Contacts,
    /// Opens what is sealed.
    pub identity: String,
}

impl Desk {
    /// Answers a question. Blocks: it may read the whole copy.
    pub fn ask(&self, ask: Ask, now: Micros) -> Result<Told, DeskError> {
        match ask {
            Ask::List { state } => self.list(state, now),
            Ask::Show { id } => Ok(shown(&self.one(&id)?, now)),
            Ask::Ack { id, by } => self.change(&id, Change::Acknowledged { by }, now),
            Ask::Close { id, by, because } => self.change(&id, Change::Closed { by, because }, now),
            Ask::Draft { id, said } => self.draft(&id, &said, now),
            Ask::Reported { id, by, notification } => {
                self.change(&id, Change::Reported { by, notification }, now)
            }
            Ask::Receipts { id } => self.receipts(&id, now),
        }
    }

    fn one(&self, id: &str) -> Result<Incident, DeskError> {
        let found = self.incidents.read(|store| store.get(id).cloned())?;
        Ok(found.map_err(IncidentError::from)?)
    }

    fn list(&self, state: Option<Status>, now: Micros) -> Result<Told, DeskError> {
        let told = self.incidents.read(|store| {
            let listed =
                || store.iter().filter(|incident| state.is_none_or(|state| incident.status == state));
            let mut text: String = listed().map(|incident| show::row(incident, now) + "\n").collect();
            text.push_str(&show::summary(store.iter(), now).0);
            Told {
                text,
                json: json!(listed().map(|incident| show::json(incident, Some(now))).collect::<Vec<_>>()),
            }
        });
        Ok(told?)
    }

    fn change(&self, id: &str, change: Change, now: Micros) -> Result<Told, DeskError> {
        let incident = self.incidents.change(id, change, now)?;
        let text = format!("incident {id}: {}", incident.status.as_str());
        Ok(Told { text, json: show::json(&incident, Some(now)) })
    }

    fn evidence(&self, wanted: &BTreeSet<u64>) -> Result<Evidence, DeskError> {
        Ok(Evidence::read(&self.folder.copy(), wanted)?)
    }

    fn draft(&self, id: &str, said: &Said, now: Micros) -> Result<Told, DeskError> {
        let incident = self.one(id)?;
        // Whether it may be reported, before the copy is read.
        let change = Change::Reported { by: None, notification: String::new() };
        self.incidents.read(|store| store.change(id, change).map(drop))?.map_err(IncidentError::from)?;
        let held = self.held(&incident);
        let mut keys = Keys::open(&self.folder, &self.identity)?;
        let facts = facts::of(&self.evidence(&held)?, &mut keys, incident.evidence.len())?;
        let own = self.incidents.own().origin();
        let material =
            Material { incident: &incident, facts: &facts, contacts: &self.contacts, said, own, now };
        let notification = report::notification(&material);
        Ok(Told { text: notification.markdown(), json: json!(notification) })
    }

    fn receipts(&self, id: &str, now: Micros) -> Result<Told, DeskError> {
        let incident = self.one(id)?;
        let cosigners = Cosigners::read(&self.folder)?;
        let keys = [&cosigners.witness, &cosigners.redecided];
        let receipts = self.evidence(&self.held(&incident))?.receipts(&keys, now)?;
        let held =
            receipts.iter().map(|(index, receipt)| json!({ "index": index, "receipt": receipt.to_string() }));
        let refused = incident.exhibits().map(|exhibit| json!({ "refused": exhibit }));
        let text = format!("{} receipts, {} refused entries", receipts.len(), incident.exhibits().count());
        Ok(Told { text, json: held.chain(refused).collect() })
    }

    /// The evidence that can be in the copy: of an incident with refused entries, the entries at these places are others.
    fn held(&self, incident: &Incident) -> BTreeSet<u64> {
        let has_refused = incident.exhibits().next().is_some();
        if has_refused { BTreeSet::new() } else { incident.evidence.clone() }
    }
}

fn shown(incident: &Incident, now: Micros) -> Told {
    Told { text: show::text(incident, now), json: show::json(incident, Some(now)) }
}

/// The digest by which the own record names a notification: of its canonical JSON (RFC 8785).
pub fn digest(notification: &Value) -> Result<String, JsonError> {
    Ok(hex(&Sha256::digest(canonical(notification)?)))
}
