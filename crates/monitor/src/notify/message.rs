//! What an output says: one step of one incident, and the incident as it was then. The same step makes the same
//! message, whenever and however often it is told.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tlog::{detail::Change, hash::hex};

use crate::incident::{Incident, show};

/// Bytes of the own record's name in an id.
const SOURCE_BYTES: usize = 8;

/// One message.
pub struct Message {
    /// The same for the same step: which own record, and which entry of it.
    pub id: String,
    /// Origin of the own record.
    pub own: String,
    /// Index of the entry in the own record.
    pub index: u64,
    /// What happened.
    pub event: Event,
    /// When, RFC 3339.
    pub time: String,
    /// The incident as it was after that.
    pub incident: Incident,
}

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Opened,
    Evidence,
    Probed,
    Acknowledged,
    Reported,
    Closed,
}

impl Event {
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Opened => "opened",
            Event::Evidence => "evidence",
            Event::Probed => "probed",
            Event::Acknowledged => "acknowledged",
            Event::Reported => "reported",
            Event::Closed => "closed",
        }
    }
}

impl Message {
    /// The message of an entry of the own record, with the incident as of that entry.
    pub fn new(own: &str, index: u64, incident: Incident) -> Message {
        let (event, time) = match incident.steps.last() {
            None => (Event::Opened, incident.opened.opened.clone()),
            Some(step) => {
                let event = match &step.change {
                    Change::Evidence { .. } => Event::Evidence,
                    Change::Probed { .. } => Event::Probed,
                    Change::Acknowledged { .. } => Event::Acknowledged,
                    Change::Reported { .. } => Event::Reported,
                    Change::Closed { .. } => Event::Closed,
                };
                (event, step.time.to_string())
            }
        };
        let source = Sha256::digest(own);
        let source = hex(source.get(..SOURCE_BYTES).unwrap_or_default());
        Message { id: format!("{source}-{index}"), own: own.to_owned(), index, event, time, incident }
    }

    /// The message as JSON.
    pub fn json(&self) -> Value {
        let Message { id, own, index, event, time, incident } = self;
        json!({
            "id": id,
            "event": event.as_str(),
            "time": time,
            "own_record": own,
            "entry": index,
            "incident": show::json(incident, None),
        })
    }
}
