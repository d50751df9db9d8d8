//! Suspicious logins, as the gate judges its own and hands in those of other systems: what shows a campaign or a takeover,
//! a right password that no second proof followed, and a gate that lets in whom it said that it stops. Scores are the
//! gate's; here is what they mean for somebody who has to act. Failed logins by themselves are `logins`'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tlog::{
    detail::{
        About, HandedLogins, Judged, JudgedLogin, LoginAction, LoginFinding, LoginFindingKind,
        LoginResponded, LoginResponse, Proof, Reason, ResponseChange, ResponseKind, Severity,
    },
    entry::Micros,
};

use super::{
    finding::{Finding, amount, counted, said},
    observation::What,
    people::Seen,
};

pub const NAME: &str = "suspicious-logins";

/// Thresholds: `[detect.suspicious-logins]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Minutes in which a second proof follows a right password that needs one, if it was the owner's.
    pub unconfirmed_minutes: u32,
}

pub const SHIPPED: Limits = Limits { unconfirmed_minutes: 60 };

/// Campaigns that are remembered as told, responses in force, and principals who are waited for.
const TOLD_MAX: usize = 4_096;
const RESPONSES_MAX: usize = 8_192;
const WAITING_MAX: usize = 4_096;
/// Reasons of a judgement that are repeated.
const REASONS_MAX: usize = 4;
const MINUTE_US: i64 = 60 * 1_000_000;

/// Some 100 bytes a campaign, response or principal.
#[derive(Default, Serialize, Deserialize)]
pub struct Suspicion {
    /// How bad what was told of a campaign was, by its number.
    told: BTreeMap<String, Severity>,
    /// Blocks, by id.
    force: BTreeMap<String, Force>,
    /// Who was asked for a second proof, since when, and by which entry.
    waiting: BTreeMap<String, Waiting>,
}

/// A block.
#[derive(Serialize, Deserialize)]
struct Force {
    response: LoginResponse,
    /// By the gate's clock.
    until: i64,
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    since: i64,
    index: u64,
    address: String,
    reasons: Vec<Reason>,
}

impl Suspicion {
    pub fn observe(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        match &seen.o.what {
            What::Judged { login, .. } => self.judged(login, seen, found),
            What::Handed(handed) => self.handed(handed, seen, found),
            What::Responded(responded) => self.responded(responded),
            What::Opened(_) => self.opened(seen, found),
            What::Tick => {}
            _ => return,
        }
        self.unconfirmed(limits, seen, found);
    }

    fn judged(&mut self, login: &JudgedLogin, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        self.campaigns(&login.judged.findings, "this gate", seen, found);
        if login.proof != Proof::Held || login.confirmed {
            return;
        }
        match login.judged.action {
            LoginAction::Allow => {}
            // Whoever it was knows the password.
            LoginAction::Block | LoginAction::Revoke => {
                let reasons = reasons(&login.judged, &login.address);
                found.push(seen.of_principal(NAME, Severity::High, reasons));
            }
            LoginAction::StepUp | LoginAction::Throttle => {
                let is_new = !self.waiting.contains_key(&login.principal);
                if is_new && self.waiting.len() < WAITING_MAX && !login.observed {
                    let (since, index) = (seen.o.time.0, seen.o.index);
                    let (address, reasons) = (login.address.clone(), reasons(&login.judged, &login.address));
                    self.waiting.insert(login.principal.clone(), Waiting { since, index, address, reasons });
                }
            }
        }
    }

    fn handed(&mut self, handed: &HandedLogins, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let whose = format!("the systems that {} watches", handed.watch);
        self.campaigns(&handed.findings, &whose, seen, found);
        for login in &handed.logins {
            self.campaigns(&login.judged.findings, &whose, seen, found);
            if login.succeeded && login.judged.action >= LoginAction::Block {
                let from = login.address.as_deref().unwrap_or("an unknown address");
                let about = About { principal: Some(login.user.clone()), ..About::default() };
                let finding = seen.of_gate(NAME, Severity::High, reasons(&login.judged, from));
                found.push(Finding { about, ..finding });
            }
        }
    }

    /// Each once, and again when it has become worse.
    fn campaigns(&mut self, all: &[LoginFinding], whose: &str, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        for campaign in all {
            let severity = severity(campaign);
            if self.told.get(&campaign.id).is_some_and(|told| *told >= severity) {
                continue;
            }
            if self.told.len() >= TOLD_MAX {
                self.told.pop_first();
            }
            self.told.insert(campaign.id.clone(), severity);
            let kind = campaign.kind.as_str();
            let reasons = vec![
                said(&format!("{kind} against {whose}"), campaign.id.clone(), "none"),
                counted("attempts", amount(campaign.attempts), 0.0),
                counted("principals tried", amount(campaign.users), 0.0),
                counted("sources", amount(campaign.sources), 0.0),
                counted("logins that succeeded", amount(campaign.successes), 0.0),
            ];
            // What is done to one session is about its principal; a campaign is about nobody alone.
            let of_one = matches!(
                campaign.kind,
                LoginFindingKind::Replay | LoginFindingKind::MfaFatigue | LoginFindingKind::Takeover
            );
            let is_known = of_one && seen.who.is_some();
            found.push(if is_known {
                seen.of_principal(NAME, severity, reasons)
            } else {
                seen.of_gate(NAME, severity, reasons)
            });
        }
    }

    fn responded(&mut self, responded: &LoginResponded) {
        let response = &responded.response;
        match (response.kind, responded.change) {
            (ResponseKind::Pass, ResponseChange::Begun) => {
                response.principal.as_ref().map(|principal| self.waiting.remove(principal));
            }
            (ResponseKind::Block, ResponseChange::Begun) if self.force.len() < RESPONSES_MAX => {
                let until = Micros::parse_rfc3339(&response.until).map_or(0, |until| until.0);
                self.force.insert(response.id.clone(), Force { response: response.clone(), until });
            }
            (ResponseKind::Block, ResponseChange::Expired | ResponseChange::Undone) => {
                self.force.remove(&response.id);
            }
            _ => {}
        }
    }

    /// A session from where the gate said that it lets nobody in.
    fn opened(&mut self, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let Some(asker) = seen.asker else { return };
        let Some(address) = asker.address.as_deref() else { return };
        let now = seen.o.time.0;
        self.force.retain(|_, force| now < force.until);
        let stops = |force: &&Force| {
            let whose = force.response.principal.as_ref();
            is_from(address, &force.response.source) && whose.is_none_or(|only| *only == asker.principal)
        };
        let Some(Force { response, .. }) = self.force.values().find(stops) else { return };
        let reasons = vec![
            said("a session from a source that the gate said it stops", address, "none"),
            said("by response", response.id.clone(), response.because.clone()),
        ];
        found.push(seen.of_session(NAME, Severity::Critical, reasons));
    }

    /// A right password, and nobody who proves that it was theirs.
    fn unconfirmed(&mut self, limits: &Limits, seen: &Seen<'_>, found: &mut Vec<Finding>) {
        let allowed = i64::from(limits.unconfirmed_minutes).saturating_mul(MINUTE_US);
        let now = seen.o.time.0;
        let over = |waiting: &Waiting| now.saturating_sub(waiting.since) > allowed;
        if !self.waiting.values().any(over) {
            return;
        }
        let (over, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(_, one)| over(one));
        self.waiting = waiting;
        let over: BTreeMap<String, Waiting> = over;
        for (principal, Waiting { index, address, reasons, .. }) in over {
            let minutes = f64::from(limits.unconfirmed_minutes);
            let mut all = vec![
                counted("minutes without a second proof after a right password", minutes, minutes),
                said("from", address, "where the principal usually is"),
            ];
            all.extend(reasons);
            let about = About { principal: Some(principal), ..About::default() };
            let finding = seen.of_gate(NAME, Severity::Medium, all).shown_by(&[index]);
            found.push(Finding { about, ..finding });
        }
    }
}

/// How bad a campaign is: whoever got in knows a password.
fn severity(campaign: &LoginFinding) -> Severity {
    match campaign.kind {
        LoginFindingKind::Takeover => Severity::Critical,
        LoginFindingKind::Replay | LoginFindingKind::MfaFatigue => Severity::High,
        _ if campaign.successes > 0 => Severity::High,
        LoginFindingKind::Spray | LoginFindingKind::Stuffing | LoginFindingKind::BruteForce => {
            Severity::Medium
        }
    }
}

/// Why a login was judged so, the largest first.
fn reasons(judged: &Judged, address: &str) -> Vec<Reason> {
    let what = format!("a login judged {}", judged.action.as_str());
    let mut all = vec![said(&what, format!("{} log-odds, from {address}", judged.score), "a usual login")];
    all.extend(judged.reasons.iter().take(REASONS_MAX).map(|reason| {
        let what = format!("{} ({} log-odds)", reason.term, reason.log_odds);
        said(&what, reason.observed.clone(), reason.expected.clone())
    }));
    all
}

/// Whether an address is of a source, as responses name them.
fn is_from(address: &str, source: &str) -> bool {
    use std::net::{IpAddr, Ipv6Addr};
    let Ok(address) = address.parse::<IpAddr>().map(|address| address.to_canonical()) else { return false };
    match (address, source.strip_suffix("/64").map(str::parse::<Ipv6Addr>)) {
        (IpAddr::V6(address), Some(Ok(network))) => u128::from(address) >> 64 == u128::from(network) >> 64,
        (IpAddr::V4(address), None) => source.parse() == Ok(address),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
