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

/// What was seen, in a sentence. That a try succeeded is said where there is something to try.
fn message(finding: &Finding) -> String {
    let Finding { attempts, successes, .. } = *finding;
    let seen = match finding.kind {
        Kind::Spray | Kind::Stuffing | Kind::BruteForce => many(attempts, "attempt"),
        Kind::MfaFatigue => many(attempts, "prompt"),
        Kind::Replay => many(attempts, "use of a session that is elsewhere"),
        Kind::Takeover => many(attempts, "change of password or factor after a risky login"),
    };
    let succeeded = match finding.kind {
        Kind::Spray | Kind::Stuffing | Kind::BruteForce => format!(", {successes} of them successful"),
        Kind::MfaFatigue => format!(", {successes} of them accepted"),
        Kind::Replay | Kind::Takeover => String::new(),
    };
    let (users, sources) = (many(finding.users, "user"), many(finding.sources, "source"));
    format!("{}: {seen}, at {users} from {sources}{succeeded}", title(finding.kind))
}

/// So many of something whose first word is in the plural when it is not one.
fn many(count: u64, what: &str) -> String {
    match what.split_once(' ') {
        _ if count == 1 => format!("1 {what}"),
        None => format!("{count} {what}s"),
        Some((word, rest)) => format!("{count} {word}s {rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_seen() {
        for (kind, attempts, successes, wanted) in [
            (
                Kind::Spray,
                40,
                1,
                "Password spray: 40 attempts, at 1 user from 2 sources, 1 of them successful",
            ),
            (
                Kind::MfaFatigue,
                7,
                0,
                "Prompts until somebody gives in: 7 prompts, at 1 user from 2 sources, 0 of them accepted",
            ),
            (
                Kind::Replay,
                2,
                0,
                "Session in two places: 2 uses of a session that is elsewhere, at 1 user from 2 sources",
            ),
            (
                Kind::Takeover,
                1,
                1,
                "Takeover of an account: 1 change of password or factor after a risky login, at 1 user from 2 sources",
            ),
        ] {
            let action = Action::Block;
            let found = Finding {
                kind,
                id: 1,
                is_new: true,
                since_ms: 0,
                attempts,
                users: 1,
                sources: 2,
                successes,
                action,
            };
            assert_eq!(message(&found), wanted);
        }
    }
}
