//! A message as an OCSF event: class Detection Finding (2004) of schema 1.1, which most SIEMs take as it is. What OCSF
//! has no field for is under `unmapped`.

use serde_json::{Value, json};
use tlog::{
    detail::{Change, Severity},
    entry::Micros,
};

use super::message::{Event, Message};
use crate::incident::Status;

const SCHEMA: &str = "1.1.0";
const CLASS: u64 = 2004;

/// The event.
pub fn finding(message: &Message) -> Value {
    let Message { id, own, index, incident, .. } = message;
    let opened = &incident.opened;
    let (activity, activity_name) = match message.event {
        Event::Opened => (1, "Create"),
        Event::Evidence | Event::Probed | Event::Acknowledged | Event::Reported => (2, "Update"),
        Event::Closed => (3, "Close"),
    };
    let (severity, severity_name) = severity(incident.severity);
    let (status, status_name) = match incident.status {
        Status::Open => (1, "New"),
        Status::Acknowledged | Status::Reported => (2, "In Progress"),
        Status::Closed => (4, "Resolved"),
    };
    let time = Micros::parse_rfc3339(&message.time).unwrap_or(incident.opened_at);
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "time": millis(time),
        "message": format!("{}: {}", opened.detector, why(message).first().map_or("", String::as_str)),
        "metadata": {
            "version": SCHEMA,
            "uid": id,
            "sequence": index,
            "log_name": own,
            "product": {
                "name": "Trefoil monitor",
                "vendor_name": "Trefoil",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "finding_info": info(message, time, severity_name),
        "evidences": [{ "data": { "log": opened.log, "entries": incident.evidence } }],
        "unmapped": {
            "due": opened.due,
            "state": incident.status,
            "about": opened.about,
            "reasons": incident.reasons(),
        },
    });
    if let (Some(Change::Closed { because, .. }), Some(fields)) =
        (incident.steps.last().map(|step| &step.change), event.as_object_mut())
    {
        fields.insert("comment".to_owned(), json!(because));
    }
    event
}

fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    }
}

/// `finding_info`: what the events of one incident have in common.
fn info(message: &Message, time: Micros, severity: &str) -> Value {
    let Message { incident, .. } = message;
    let opened = &incident.opened;
    let happened = Micros::parse_rfc3339(&opened.at).unwrap_or(incident.opened_at);
    json!({
        "uid": opened.id,
        "title": format!("{} ({})", opened.detector, severity.to_lowercase()),
        "desc": why(message).join("; "),
        "created_time": millis(incident.opened_at),
        "modified_time": millis(time),
        "first_seen_time": millis(happened),
        "types": [opened.detector],
        "data_sources": [opened.log],
        "analytic": { "name": opened.detector, "uid": opened.detector, "type_id": 1, "type": "Rule" },
    })
}

/// The reasons, in words.
fn why(message: &Message) -> Vec<String> {
    message.incident.reasons().iter().map(|r| format!("{}: {}", r.what, r.observed)).collect()
}

/// OCSF times are milliseconds since 1970.
fn millis(time: Micros) -> i64 {
    time.0.div_euclid(1_000)
}
