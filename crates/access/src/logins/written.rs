//! Judgements as the record holds them: whole numbers and texts. Pure. Not here: who is judged (`judge`).

use risk::{Action, Finding, Judgement, Kind};
use tlog::detail::{
    Judged, JudgedReason, LOGIN_FINDINGS_MAX, LOGIN_REASONS_MAX, LoginAction, LoginFinding, LoginFindingKind,
};
use tlog::entry::Micros;

/// A judgement, with those of its findings that are news.
pub fn judged(judgement: &Judgement, action: Action) -> Judged {
    let news = judgement.findings.iter().filter(|finding| finding.is_new);
    Judged {
        score: number(judgement.score),
        action: written(action),
        reasons: judgement.reasons.iter().take(LOGIN_REASONS_MAX).map(reason).collect(),
        findings: news.take(LOGIN_FINDINGS_MAX).map(finding).collect(),
    }
}

/// What a finding is called in a response's reason: its kind and number.
pub fn named(found: &Finding) -> String {
    format!("{} {:016x}", found.kind.word(), found.id)
}

fn reason(reason: &risk::Reason) -> JudgedReason {
    JudgedReason {
        term: reason.term.word().to_owned(),
        log_odds: number(reason.log_odds),
        observed: reason.observed.to_string(),
        expected: reason.expected.to_string(),
    }
}

fn finding(found: &Finding) -> LoginFinding {
    LoginFinding {
        kind: kind(found.kind),
        id: format!("{:016x}", found.id),
        since: Micros(found.since_ms.saturating_mul(1_000)).to_string(),
        attempts: found.attempts,
        users: found.users,
        sources: found.sources,
        successes: found.successes,
        action: written(found.action),
    }
}

/// Log-odds to a thousandth. What is no number is as bad as can be.
fn number(value: f64) -> String {
    let value = if value.is_finite() { value } else { 1e9 };
    format!("{value:.3}")
}

pub fn written(action: Action) -> LoginAction {
    match action {
        Action::Allow => LoginAction::Allow,
        Action::StepUp => LoginAction::StepUp,
        Action::Throttle => LoginAction::Throttle,
        Action::Block => LoginAction::Block,
        Action::Revoke => LoginAction::Revoke,
    }
}

fn kind(kind: Kind) -> LoginFindingKind {
    match kind {
        Kind::Spray => LoginFindingKind::Spray,
        Kind::Stuffing => LoginFindingKind::Stuffing,
        Kind::BruteForce => LoginFindingKind::BruteForce,
        Kind::Replay => LoginFindingKind::Replay,
        Kind::MfaFatigue => LoginFindingKind::MfaFatigue,
        Kind::Takeover => LoginFindingKind::Takeover,
    }
}
