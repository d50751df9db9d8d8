//! Suspicious logins, as the record seals them: what was judged of a login and why, what the gate did about it until when,
//! who looked at what is known of somebody, and what an analyst says of a login. How a score comes about is the crate `risk`'s.

use serde::{Deserialize, Serialize};

use super::brake::Ended;
use super::typed::Refused;
use crate::entry::Micros;
use crate::hash::unhex;

/// Most judgements that are handed in at once.
pub const LOGINS_HANDED_MAX: usize = 512;
/// Most findings that an entry holds.
pub const LOGIN_FINDINGS_MAX: usize = 64;
/// Most reasons of a judgement.
pub const LOGIN_REASONS_MAX: usize = 32;
/// The longest response: after it, somebody has to decide again.
pub const RESPONSE_DAYS_MAX: i64 = 90;

/// Longest name, address, agent or other text of a login.
const TEXT_BYTES_MAX: usize = 512;
const DAY_US: i64 = 86_400_000_000;

/// Of `login.judged`: somebody who did not prove who they are; a login at this gate that is suspicious; or what was judged
/// of the company's other systems. Told apart by their fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LoginJudged {
    /// A proof that failed.
    Refused(Refused),
    /// A login at this gate.
    Own(Box<JudgedLogin>),
    /// Logins elsewhere.
    Handed(HandedLogins),
}

/// A login at this gate whose judgement is above `allow`, or that shows a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedLogin {
    pub principal: String,
    /// Name of the listener, from which the place follows.
    pub listener: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Behind trusted proxies: the client's own.
    pub address: String,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    pub proof: Proof,
    /// A code was given shortly before, from the same source.
    pub confirmed: bool,
    /// The gate only observes: it says what it would have done.
    pub observed: bool,
    pub judged: Judged,
}

/// Whether somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// The password was theirs.
    Held,
    /// It was not, or the code was not.
    Failed,
    /// There is no such principal.
    Unknown,
}

/// What is done about a login, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginAction {
    Allow,
    /// A second proof is asked for.
    StepUp,
    /// Its source is slowed down.
    Throttle,
    /// It is refused.
    Block,
    /// It is refused, and what is open is ended.
    Revoke,
}

impl LoginAction {
    pub fn as_str(self) -> &'static str {
        match self {
            LoginAction::Allow => "allow",
            LoginAction::StepUp => "step_up",
            LoginAction::Throttle => "throttle",
            LoginAction::Block => "block",
            LoginAction::Revoke => "revoke",
        }
    }
}

/// A judgement. Numbers with fractions are text, because the record holds whole ones only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// Log-odds that this is not the user: the sum of the reasons'.
    pub score: String,
    pub action: LoginAction,
    /// The largest first.
    pub reasons: Vec<JudgedReason>,
    /// What this login completed, or added to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<LoginFinding>,
}

/// One contribution to a score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgedReason {
    pub term: String,
    pub log_odds: String,
    pub observed: String,
    pub expected: String,
}

/// What several logins show together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFinding {
    pub kind: LoginFindingKind,
    /// 16 hexadecimal digits: more of the same campaign brings the same ones.
    pub id: String,
    /// When its first login was, RFC 3339.
    pub since: String,
    pub attempts: u64,
    pub users: u64,
    pub sources: u64,
    /// Logins of it that succeeded.
    pub successes: u64,
    pub action: LoginAction,
}

/// Kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginFindingKind {
    Spray,
    Stuffing,
    BruteForce,
    Replay,
    MfaFatigue,
    Takeover,
}

impl LoginFindingKind {
    pub fn as_str(self) -> &'static str {
        match self {
            LoginFindingKind::Spray => "spray",
            LoginFindingKind::Stuffing => "stuffing",
            LoginFindingKind::BruteForce => "brute_force",
            LoginFindingKind::Replay => "replay",
            LoginFindingKind::MfaFatigue => "mfa_fatigue",
            LoginFindingKind::Takeover => "takeover",
        }
    }
}

/// What was judged of the company's other systems, as whoever watches them hands it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandedLogins {
    /// Who watches: the name of its state.
    pub watch: String,
    /// Counts what it handed in, so that nothing is taken twice.
    pub sequence: u64,
    /// At most [`LOGINS_HANDED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<HandedLogin>,
    /// At most [`LOGIN_FINDINGS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<LoginFinding>,
}

/// A login elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandedLogin {
    pub user: String,
    /// When, by the clock of whoever saw it, RFC 3339.
    pub time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The source's own identifier of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Whether it was let in there, as the source says.
    pub succeeded: bool,
    pub judged: Judged,
}

/// Of `login.responded`: what the gate does about suspicious logins from now on, or does no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginResponded {
    pub response: LoginResponse,
    pub change: ResponseChange,
    /// Why it was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Sessions that it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
}

/// What became of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseChange {
    Begun,
    Expired,
    Undone,
}

/// What a gate does about a source, never about an owner: with a principal, about that principal from that source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginResponse {
    /// 16 hexadecimal digits.
    pub id: String,
    pub kind: ResponseKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// An IPv4 address, or the /64 network of an IPv6 address.
    pub source: String,
    /// RFC 3339, as in an entry's `time`.
    pub since: String,
    /// Likewise; there is no response without an end.
    pub until: String,
    /// What it answers.
    pub because: String,
}

/// Kinds of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseKind {
    /// The principal gave a second proof, or the operator answers for them: a login that asks for one passes.
    Pass,
    /// One attempt now and then.
    Throttle,
    /// No login, and no session.
    Block,
}

impl ResponseKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ResponseKind::Pass => "pass",
            ResponseKind::Throttle => "throttle",
            ResponseKind::Block => "block",
        }
    }
}

/// Of `login.explained`: somebody looks at what is known of a user's logins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginExplained {
    pub user: String,
    /// One of the enclave's purposes.
    pub purpose: String,
    pub ticket: String,
}

/// Of `login.marked`: an analyst of the operator's says who a login was, which the gate learns, or takes that back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginMarked {
    /// Index of the `login.judged`.
    pub entry: u64,
    /// Whose login it was, or who it claimed to be.
    pub principal: String,
    pub verdict: LoginVerdict,
    /// The verdict is taken back.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub undone: bool,
    pub because: String,
}

/// What an analyst says of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginVerdict {
    /// It was the principal.
    Legitimate,
    /// It was somebody else.
    Attack,
}

impl LoginVerdict {
    pub fn as_str(self) -> &'static str {
        match self {
            LoginVerdict::Legitimate => "legitimate",
            LoginVerdict::Attack => "attack",
        }
    }
}

impl LoginJudged {
    /// Whether it says what it must, within its bounds.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        match self {
            LoginJudged::Refused(_) => Ok(()),
            LoginJudged::Own(own) => own.judged.check(),
            LoginJudged::Handed(handed) => handed.check(),
        }
    }
}

impl JudgedLogin {
    /// Whether a gate that does as it judges lets this login in.
    pub fn is_let_in(&self) -> bool {
        let asks_more = self.judged.action > LoginAction::Allow;
        let is_stopped = self.judged.action >= LoginAction::Block;
        self.proof == Proof::Held && (self.observed || !asks_more || (self.confirmed && !is_stopped))
    }
}

impl Judged {
    fn check(&self) -> Result<(), String> {
        if self.score.parse::<f64>().is_ok_and(f64::is_finite)
            && (1..=LOGIN_REASONS_MAX).contains(&self.reasons.len())
            && self.reasons.iter().all(JudgedReason::fits)
        {
            return check_findings(&self.findings);
        }
        Err(format!("a judgement is a score and 1 to {LOGIN_REASONS_MAX} reasons, each in log-odds"))
    }
}

impl JudgedReason {
    fn fits(&self) -> bool {
        let texts = [&self.term, &self.observed, &self.expected];
        self.log_odds.parse::<f64>().is_ok_and(f64::is_finite) && texts.iter().all(|text| fits(text))
    }
}

impl HandedLogins {
    fn check(&self) -> Result<(), String> {
        if !fits(&self.watch) || self.watch.is_empty() {
            return Err("who watches is not named".to_owned());
        }
        if self.logins.len() > LOGINS_HANDED_MAX {
            return Err(format!("more than {LOGINS_HANDED_MAX} logins at once"));
        }
        if self.logins.is_empty() && self.findings.is_empty() {
            return Err("neither a login nor a finding".to_owned());
        }
        for login in &self.logins {
            let texts =
                [Some(&login.user), login.address.as_ref(), login.target.as_ref(), login.event.as_ref()];
            if login.user.is_empty() || !texts.into_iter().flatten().all(|text| fits(text)) {
                return Err(format!(
                    "a login's texts are at most {TEXT_BYTES_MAX} bytes, and the user is named"
                ));
            }
            if Micros::parse_rfc3339(&login.time).is_none() {
                return Err(format!("{:?} is not a time", login.time));
            }
            login.judged.check()?;
        }
        check_findings(&self.findings)
    }
}

impl LoginResponded {
    /// Whether it has an end and a source, and says why.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let LoginResponse { id, source, since, until, because, principal, kind } = &self.response;
        if unhex::<8>(id).is_none() {
            return Err(format!("{id:?} is not a response's id"));
        }
        if !is_source(source) {
            return Err(format!(
                "{source:?} is neither an IPv4 address nor the /64 network of an IPv6 address"
            ));
        }
        let times = Micros::parse_rfc3339(since).zip(Micros::parse_rfc3339(until));
        let Some((since, until)) = times else {
            return Err("a response without a beginning and an end".to_owned());
        };
        let lasts = until.0.saturating_sub(since.0);
        if !(1..=RESPONSE_DAYS_MAX.saturating_mul(DAY_US)).contains(&lasts) {
            return Err(format!("a response that does not end within {RESPONSE_DAYS_MAX} days"));
        }
        if because.is_empty() || !fits(because) || !principal.iter().all(|principal| fits(principal)) {
            return Err("a response that does not say why".to_owned());
        }
        if *kind == ResponseKind::Pass && principal.is_none() {
            return Err("a pass for nobody".to_owned());
        }
        let undone = self.change == ResponseChange::Undone;
        match &self.because {
            Some(why) if undone && !why.is_empty() && fits(why) => Ok(()),
            None if !undone => Ok(()),
            _ => Err("what is undone says why, and nothing else does".to_owned()),
        }
    }
}

impl LoginExplained {
    /// Whether these are texts of a fitting length.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        let texts = [&self.user, &self.purpose, &self.ticket];
        if texts.iter().all(|text| !text.is_empty() && fits(text)) {
            return Ok(());
        }
        Err("who is looked at, for which purpose and under which ticket is said in full".to_owned())
    }
}

impl LoginMarked {
    /// Whether it says whose login it is about, and why.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if [&self.principal, &self.because].iter().all(|text| !text.is_empty() && fits(text)) {
            return Ok(());
        }
        Err("a verdict says whose login it is about, and why".to_owned())
    }
}

fn check_findings(findings: &[LoginFinding]) -> Result<(), String> {
    if findings.len() > LOGIN_FINDINGS_MAX {
        return Err(format!("more than {LOGIN_FINDINGS_MAX} findings at once"));
    }
    for LoginFinding { id, since, .. } in findings {
        if unhex::<8>(id).is_none() || Micros::parse_rfc3339(since).is_none() {
            return Err(format!("{id:?} since {since:?} does not name a finding"));
        }
    }
    Ok(())
}

fn is_source(text: &str) -> bool {
    match text.strip_suffix("/64") {
        Some(network) => network.parse::<core::net::Ipv6Addr>().is_ok(),
        None => text.parse::<core::net::Ipv4Addr>().is_ok(),
    }
}

fn fits(text: &str) -> bool {
    text.len() <= TEXT_BYTES_MAX
}

#[cfg(test)]
mod tests;
