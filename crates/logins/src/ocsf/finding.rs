//! A finding of `risk` as an OCSF event: class Detection Finding (2004). Not here: incidents, which the monitor makes of
//! findings and writes in the same class.

use risk::{Action, Finding, Kind};
use serde_json::{Value, json};

use super::SCHEMA;

const CLASS: u32 = 2004;

/// The event. `at_ms` is when it was found, milliseconds since 1970.
pub fn finding(finding: &Finding, at_ms: i64) -> Value {
    let (activity, activity_name) = if finding.is_new { (1, "Create") } else { (2, "Update") };
    let (severity_id, severity) = severity(finding);
    let word = finding.kind.word();
    json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "time": at_ms,
        "message": message(finding),
        "count": finding.attempts,
        "metadata": {
            "version": SCHEMA,
            "product": {
                "name": "Trefoil logins",
                "vendor_name": "Trefoil",
                "version": env!("CARGO_PKG_VERSION"),
            },
        },
        "finding_info": {
            // Sixteen digits: a number this large is not exact in every reader of JSON.
            "uid": format!("{:016x}", finding.id),
            "title": title(finding.kind),
            "desc": message(finding),
            "created_time": finding.since_ms,
            "modified_time": at_ms,
            "first_seen_time": finding.since_ms,
            "last_seen_time": at_ms,
            "types": [word],
            "analytic": { "name": title(finding.kind), "uid": word, "type_id": 3, "type": "Statistical" },
        },
        "evidences": [{
            "data": {
                "attempts": finding.attempts,
                "users": finding.users,
                "sources": finding.sources,
                "successes": finding.successes,
            },
        }],
        "unmapped": { "kind": word, "action": finding.action.word() },
    })
}

fn severity(finding: &Finding) -> (u64, &'static str) {
    match (finding.action, finding.successes) {
        (Action::Revoke, _) => (5, "Critical"),
        (_, 1..) => (4, "High"),
        (Action::Allow, 0) => (2, "Low"),
        (_, 0) => (3, "Medium"),
    }
}

const fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Spray => "Password spray",
        Kind::Stuffing => "Credential stuffing",
        Kind::BruteForce => "Brute force",
        Kind::Replay => "Session in two places",
        Kind::MfaFatigue => "Prompts until somebody gives in",
        Kind::Takeover => "Takeover of an account",
    }
}

fn message(finding: &Finding) -> String {
    let Finding { attempts, users, sources, successes, .. } = finding;
    format!(
        "{}: {attempts} attempts at {users} users from {sources} sources, {successes} of them successful",
        title(finding.kind)
    )
}
