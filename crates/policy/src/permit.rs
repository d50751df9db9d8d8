//! What is asked of policy and what it answers. Only `Bundle::decide` can make a [`Permit`]: its fields are private,
//! and nothing deserialises or defaults to one. Not here: how the answer is found (`decide`).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::catalog::{Class, Identifier};
use crate::directory::Principal;
use crate::enclave::Limit;
use crate::names::Place;
use crate::profile::{Disclosure, PolicyHash, Profile};

/// Who asks, from where and why. Nothing in it is trusted to be known or well-formed.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The name that authenticated.
    pub principal: &'a str,
    /// From `Bundle::place_of`.
    pub place: Place,
    /// As the client stated it.
    pub purpose: Option<&'a str>,
    /// As the client stated it.
    pub ticket: Option<&'a str>,
}

/// Proof that policy permits this principal, from this place and for this purpose, to see a profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    principal: String,
    roles: Vec<String>,
    place: Place,
    purpose: Option<String>,
    ticket: Option<String>,
    profile: Arc<Profile>,
    policy: PolicyHash,
    limits: Vec<Limit>,
}

impl Permit {
    pub(crate) fn new(
        principal: &Principal,
        ask: &Ask<'_>,
        profile: Arc<Profile>,
        policy: PolicyHash,
        limits: Vec<Limit>,
    ) -> Self {
        Self {
            principal: principal.name.clone(),
            roles: principal.roles.iter().cloned().collect(),
            place: ask.place,
            purpose: ask.purpose.map(str::to_owned),
            ticket: ask.ticket.map(str::to_owned),
            profile,
            policy,
            limits,
        }
    }

    /// Who is permitted.
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// From where.
    pub fn place(&self) -> Place {
        self.place
    }

    /// One of the enclave's purposes.
    pub fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
    }

    /// At most `TICKET_BYTES_MAX` printable bytes.
    pub fn ticket(&self) -> Option<&str> {
        self.ticket.as_deref()
    }

    /// What may be seen.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The bundle that decided.
    pub fn policy(&self) -> PolicyHash {
        self.policy
    }

    /// How much of it: every limit that is the principal's, in the order of `enclave.toml`.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Whether subjects are counted: then nothing may be shown that hides how many there are.
    pub fn is_capped(&self) -> bool {
        self.limits.iter().any(|limit| limit.subjects.is_some())
    }

    /// The request that was decided, to be put into canonical form and recorded: strings, and an array of strings.
    pub fn request(&self) -> Value {
        let roles = self.roles.iter().map(String::as_str);
        request(&self.principal, roles, self.place, self.purpose(), self.ticket())
    }
}

pub(crate) fn request<'a>(
    principal: &str,
    roles: impl Iterator<Item = &'a str>,
    place: Place,
    purpose: Option<&str>,
    ticket: Option<&str>,
) -> Value {
    let roles: Vec<_> = roles.collect();
    let mut request = json!({ "principal": principal, "roles": roles, "place": place.as_str() });
    if let Value::Object(fields) = &mut request {
        for (key, value) in [("purpose", purpose), ("ticket", ticket)] {
            fields.extend(value.map(|value| (key.to_owned(), Value::from(value))));
        }
    }
    request
}

/// Why somebody may not connect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence} [rule {rule}]; needed: {needs}")]
#[non_exhaustive]
pub struct Denial {
    /// The `@id` of the policy that forbids it, or one of the `RULE_…` constants.
    pub rule: String,
    /// What was refused, and by which rule.
    pub sentence: String,
    /// What would be needed instead.
    pub needs: String,
}

/// The principal is not in the directory.
pub const RULE_UNKNOWN_PRINCIPAL: &str = "unknown-principal";
/// No policy let an unmapped place in, and none can.
pub const RULE_UNKNOWN_PLACE: &str = "unknown-place";
/// The purpose is not in the enclave's list.
pub const RULE_UNKNOWN_PURPOSE: &str = "unknown-purpose";
/// The ticket is empty, too long or has letters that no ticket has.
pub const RULE_MALFORMED_TICKET: &str = "malformed-ticket";
/// No policy permits it, and none forbids it.
pub const RULE_NO_PERMIT: &str = "no-permit";
/// To connect is permitted, but no row of any table.
pub const RULE_NOTHING_DISCLOSED: &str = "nothing-disclosed";
/// What policy permits is no profile of the enclave.
pub const RULE_NOT_PROVISIONED: &str = "not-provisioned";
/// A policy could not be evaluated: whatever it would have forbidden is refused.
pub const RULE_POLICY_FAULT: &str = "policy-fault";

/// Every built-in rule: no policy may have one of these as its `@id`. (`unknown-place` may: it is the same rule.)
pub(crate) const RULES: [&str; 7] = [
    RULE_UNKNOWN_PRINCIPAL,
    RULE_UNKNOWN_PURPOSE,
    RULE_MALFORMED_TICKET,
    RULE_NO_PERMIT,
    RULE_NOTHING_DISCLOSED,
    RULE_NOT_PROVISIONED,
    RULE_POLICY_FAULT,
];

/// What policy answers a request that may connect. For people; a permit is what counts.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answers {
    /// The policy that permits to connect.
    pub rule: String,
    /// In the catalog's order.
    pub tables: Vec<TableAnswer>,
}

/// The answer for one table, and the policies behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableAnswer {
    /// Name of the table.
    pub table: String,
    /// Name of the row scope; none: no row of the table is permitted.
    pub scope: Option<String>,
    /// The policy that permits the scope; without one, the policy that forbids every row, or [`RULE_NO_PERMIT`].
    pub rule: String,
    /// Every column is in one of them.
    pub groups: Vec<GroupAnswer>,
    /// The policy that permits to delete rows; none: not permitted.
    pub delete: Option<String>,
}

impl TableAnswer {
    /// The answer for the column with this name.
    pub fn group(&self, column: &str) -> Option<&GroupAnswer> {
        self.groups.iter().find(|group| group.columns.iter().any(|name| name == column))
    }
}

/// The answer for one group of columns.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupAnswer {
    /// Of every column of the group.
    pub class: Class,
    /// Of every column of the group.
    pub identifier: Identifier,
    /// Names of the columns, in the catalog's order.
    pub columns: Vec<String>,
    /// None: withheld.
    pub disclosure: Option<Disclosure>,
    /// The policy that permits it; when withheld, the one that forbids to show it clear, or [`RULE_NO_PERMIT`].
    pub rule: String,
    /// The policy that permits to give it to a new row; none: not permitted.
    pub insert: Option<String>,
    /// The policy that permits to change it; none: not permitted.
    pub update: Option<String>,
}
