//! What an event says was done, and how it ended: sources spell both in many ways. Not here: the words that say why
//! something failed (`crate::why`).

use risk::{Act, Outcome, Why};

use super::raw::Raw;
use super::{ACCOUNT_CHANGE, AUTHENTICATION, ENTITY_MANAGEMENT, NOT_KNOWN, OTHER, REUSE, USER_MANAGEMENT};
use crate::problem::Wrong;
use crate::why::{contains, is_question, is_refusal, names_factor, why, why_at_factor};

/// How something ended, by its status alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    Success,
    Failure,
    /// Another than these two.
    Other,
}

impl Raw<'_> {
    /// What was done and how it ended, or nothing when it is no event of ours.
    pub(super) fn done(&self) -> Result<Option<(Act, Outcome)>, Wrong> {
        let (class, activity) = self.class_and_activity()?;
        let Some(act) = self.act(class, activity) else { return Ok(None) };
        Ok(Some(match (act, self.status()) {
            // That a prompt was sent is no answer to it.
            (Act::Prompt, Some(Status::Success)) if is_question(self.said()) => {
                (Act::Prompt, Outcome::Unknown)
            }
            (act, Some(Status::Success)) => (act, Outcome::Success),
            (act, Some(Status::Failure)) => (act, Outcome::Failure(self.why())),
            // Who writes down that something was changed, and not how that ended, means that it was.
            (Act::PasswordChange | Act::FactorChange, None) => (act, Outcome::Success),
            (Act::Logon | Act::Reuse, status) => self.unsaid(act, status),
            (act, _) => (act, Outcome::Unknown),
        }))
    }

    /// The numbers of the class and of the activity.
    pub(super) fn class_and_activity(&self) -> Result<(u32, u32), Wrong> {
        // A type is defined as 100 times its class and the activity.
        let class_of_type = self.type_uid.map(|uid| u32::try_from(uid / 100).unwrap_or(0));
        let Some(class) = self.class_uid.or(class_of_type) else {
            let why = "missing, or no number: 3002 for an event of authentication";
            return Err(Wrong::new("class_uid", why));
        };
        let by_type = || self.type_uid.filter(|_| class_of_type == Some(class)).map(|uid| (uid % 100) as u32);
        Ok((class, self.activity_id.or_else(by_type).unwrap_or(0)))
    }

    fn act(&self, class: u32, activity: u32) -> Option<Act> {
        match (class, activity) {
            (AUTHENTICATION, 2) => Some(Act::Logoff),
            (AUTHENTICATION, 5) => Some(Act::Reuse),
            (AUTHENTICATION, 0 | OTHER) => {
                Some(self.activity_name.as_deref().and_then(named).unwrap_or(Act::Logon))
            }
            (AUTHENTICATION, _) => Some(Act::Logon),
            (ACCOUNT_CHANGE, 3 | 4) | (USER_MANAGEMENT, 8 | 9) => Some(Act::PasswordChange),
            (ACCOUNT_CHANGE, 10 | 11) | (USER_MANAGEMENT, 12 | 13) => Some(Act::FactorChange),
            (ACCOUNT_CHANGE | USER_MANAGEMENT, 0 | OTHER) | (ENTITY_MANAGEMENT, _) => {
                [&self.activity_name, &self.message, &self.status_detail]
                    .into_iter()
                    .find_map(|said| said.as_deref().and_then(change))
            }
            _ => None,
        }
    }

    fn status(&self) -> Option<Status> {
        const SUCCESS: [&str; 6] = ["success", "succeeded", "successful", "ok", "allowed", "granted"];
        const FAILURE: [&str; 6] = ["failure", "failed", "fail", "denied", "rejected", "error"];
        let word = self.status.as_deref().unwrap_or("");
        let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        match self.status_id {
            Some(1) => Some(Status::Success),
            Some(2) => Some(Status::Failure),
            // Of 99 the schema says that the word says more.
            _ if is(&SUCCESS) => Some(Status::Success),
            _ if is(&FAILURE) => Some(Status::Failure),
            Some(_) => Some(Status::Other),
            None => None,
        }
    }

    fn why(&self) -> Why {
        let said = [&self.status_code, &self.status_detail, &self.message].map(Option::as_deref);
        if self.is_at_factor() { why_at_factor(said) } else { why(said) }
    }

    /// Whether it is said, not in words, that it was about a second factor.
    fn is_at_factor(&self) -> bool {
        self.is_mfa == Some(true) || self.auth_factors.is_some_and(|factors| factors.is_beyond_password)
    }

    /// A logon, or the use of a session, whose status says neither that it succeeded nor that it failed: a prompt for a factor,
    /// one that was refused, the use of what there would be no session without, or what nobody knows. That a logon names a
    /// session says nothing: many have one before they ask for a password.
    fn unsaid(&self, act: Act, status: Option<Status>) -> (Act, Outcome) {
        let said = self.said();
        if said == NOT_KNOWN {
            return (act, Outcome::Unknown);
        }
        let is_at_factor = self.is_at_factor() || names_factor(said);
        let has_session = self.has_session();
        if (is_at_factor || has_session) && is_refusal(said) {
            return (act, Outcome::Failure(self.why()));
        }
        if is_at_factor && act == Act::Logon && is_question(said) {
            return (Act::Prompt, Outcome::Unknown);
        }
        if has_session && act == Act::Reuse {
            return (act, Outcome::Success);
        }
        if is_at_factor && act == Act::Logon && status == Some(Status::Other) && said.is_empty() {
            return (Act::Prompt, Outcome::Unknown);
        }
        (act, Outcome::Unknown)
    }

    /// What is said of how it ended, in words.
    fn said(&self) -> &str {
        let mut texts = [&self.status_detail, &self.message].into_iter().filter_map(Option::as_deref);
        texts.find(|said| !said.is_empty()).unwrap_or("")
    }

    fn has_session(&self) -> bool {
        let of_actor = self.actor.as_ref().and_then(|actor| actor.session.as_ref());
        [self.session.as_ref(), of_actor].into_iter().flatten().any(|session| {
            [&session.uid, &session.uuid, &session.uid_alt, &session.credential_uid]
                .into_iter()
                .any(|uid| uid.as_deref().is_some_and(|uid| !uid.is_empty()))
        })
    }
}

/// What an activity is that the schema has no number for, by its name.
fn named(name: &str) -> Option<Act> {
    if name.eq_ignore_ascii_case(REUSE) {
        return Some(Act::Reuse);
    }
    if let Some(change) = change(name) {
        return Some(change);
    }
    let is_prompt = names_factor(name) || ["challenge", "prompt"].iter().any(|word| contains(name, word));
    is_prompt.then_some(Act::Prompt)
}

/// What was changed, by what somebody calls it.
fn change(said: &str) -> Option<Act> {
    const ASKED: [&str; 4] = ["challenge", "prompt", "verif", "sent"];
    const PASSWORD: [&str; 5] = ["chang", "reset", "updat", "set ", "recover"];
    const FACTOR: [&str; 11] =
        ["add", "enabl", "disabl", "remov", "delet", "regist", "enrol", "reset", "chang", "updat", "activat"];
    const CALLED: [&str; 5] =
        ["factor", "security info", "passkey", "authentication method", "authentication phone"];
    let has = |words: &[&str]| words.iter().any(|word| contains(said, word));
    if has(&ASKED) {
        None
    } else if (names_factor(said) || has(&CALLED)) && has(&FACTOR) {
        Some(Act::FactorChange)
    } else {
        (contains(said, "password") && has(&PASSWORD)).then_some(Act::PasswordChange)
    }
}
