//! How an incident is shown: as a line, as JSON for programs, as text for people. Nothing is decided here.

use serde_json::{Value, json};
use tlog::{
    detail::{Change, IncidentOpened},
    entry::Micros,
};

use super::{Incident, Status, store::Step};

/// The line that the monitor prints when it opens one.
pub fn line(opened: &IncidentOpened) -> String {
    let IncidentOpened { id, detector, severity, due, reasons, .. } = opened;
    let why = reasons.first().map_or("", |reason| reason.observed.as_str());
    format!("incident {id}: {detector} ({}): {why}; to be reported by {due}", severity.as_str())
}

/// One object: what `incidents list --json` prints and what outputs carry.
pub fn json(incident: &Incident, now: Option<Micros>) -> Value {
    let opened = &incident.opened;
    let mut shown = json!({
        "id": opened.id,
        "detector": opened.detector,
        "severity": incident.severity,
        "state": incident.status,
        "opened": opened.opened,
        "due": opened.due,
        "at": opened.at,
        "about": opened.about,
        "log": opened.log,
        "evidence": incident.evidence,
        "reasons": incident.reasons(),
        "history": incident.steps.iter().map(step).collect::<Vec<_>>(),
        "refused_entries": incident.exhibits().count(),
    });
    if let (Some(now), Some(fields)) = (now, shown.as_object_mut()) {
        fields.insert("overdue".to_owned(), json!(incident.is_overdue(now)));
    }
    shown
}

/// A step, without what was found: that is in the incident already.
fn step(step: &Step) -> Value {
    let (index, time) = (step.index, step.time.to_string());
    match &step.change {
        Change::Evidence { evidence, .. } => {
            json!({ "to": "evidence", "entry": index, "time": time, "evidence": evidence })
        }
        Change::Probed { entry, revealed } => {
            json!({ "to": "probed", "entry": index, "time": time, "refused": entry, "revealed": revealed })
        }
        Change::Acknowledged { by } => {
            json!({ "to": "acknowledged", "entry": index, "time": time, "by": by })
        }
        Change::Reported { by, notification } => {
            json!({ "to": "reported", "entry": index, "time": time, "by": by, "notification": notification })
        }
        Change::Closed { by, because } => {
            json!({ "to": "closed", "entry": index, "time": time, "by": by, "because": because })
        }
    }
}

/// One line of `incidents list`.
pub fn row(incident: &Incident, now: Micros) -> String {
    let opened = &incident.opened;
    let (severity, status) = (incident.severity.as_str(), incident.status.as_str());
    let due = clock_of(incident, now);
    format!("{:<16} {severity:<8} {status:<12} {:<22} {due}", opened.id, opened.detector)
}

/// What the clock says, in words.
fn clock_of(incident: &Incident, now: Micros) -> String {
    if incident.status >= Status::Reported {
        return incident.status.as_str().to_owned();
    }
    let left = incident.due_at.0.saturating_sub(now.0);
    let hours = left.unsigned_abs() / 3_600_000_000;
    if left < 0 { format!("OVERDUE by {hours} h") } else { format!("report within {hours} h") }
}

/// What `incidents show` prints.
pub fn text(incident: &Incident, now: Micros) -> String {
    let opened = &incident.opened;
    let mut text = format!(
        "incident {}: {}, {}\n  detector  {}\n  opened    {}\n  due       {} ({})\n  happened  {}\n",
        opened.id,
        incident.severity.as_str(),
        incident.status.as_str(),
        opened.detector,
        opened.opened,
        opened.due,
        clock_of(incident, now),
        opened.at,
    );
    let about = &opened.about;
    let abouts = [("gate", &about.gate), ("principal", &about.principal), ("session", &about.session)];
    for (what, who) in abouts {
        if let Some(who) = who {
            text.push_str(&format!("  {what:<9} {who}\n"));
        }
    }
    let entries: Vec<_> = incident.evidence.iter().map(u64::to_string).collect();
    text.push_str(&format!("  evidence  {} of {}\n", entries.join(", "), opened.log));
    for reason in incident.reasons() {
        let factor = reason.factor.as_ref().map(|factor| format!(", {factor} times")).unwrap_or_default();
        let (what, observed, baseline) = (&reason.what, &reason.observed, &reason.baseline);
        text.push_str(&format!("  {what}: {observed} (against {baseline}{factor})\n"));
    }
    for step in &incident.steps {
        let said = match &step.change {
            Change::Evidence { evidence, .. } => format!("{} entries more", evidence.len()),
            Change::Probed { revealed, .. } => {
                format!("a refused entry was a probe, which entry {revealed} reveals")
            }
            Change::Acknowledged { by } => format!("acknowledged by {by}"),
            Change::Reported { by: Some(by), .. } => format!("reported by {by}"),
            Change::Reported { by: None, .. } => "reported".to_owned(),
            Change::Closed { by, because } => format!("closed by {by}: {because}"),
        };
        text.push_str(&format!("  {}  {said}\n", step.time));
    }
    text
}

/// What a status says of all: how many are not closed, and how many should have been reported.
pub fn summary<'a>(incidents: impl Iterator<Item = &'a Incident>, now: Micros) -> (String, Value) {
    let (mut open, mut unreported, mut overdue) = (0u64, 0u64, 0u64);
    for incident in incidents.filter(|incident| incident.status != Status::Closed) {
        open += 1;
        unreported += u64::from(incident.status < Status::Reported);
        overdue += u64::from(incident.is_overdue(now));
    }
    let late = if overdue > 0 { format!(", {overdue} OVERDUE") } else { String::new() };
    (
        format!("{open} incidents not closed, {unreported} of them not reported{late}"),
        json!({ "open": open, "unreported": unreported, "overdue": overdue }),
    )
}
