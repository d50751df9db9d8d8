//! Limits: how much a principal may be shown. Not here: counting (the gate), the order in which limits are reached.

use std::collections::BTreeSet;

use toml::Spanned;

use super::check_new_name;
use crate::catalog::{Class, check_word};
use crate::directory::Principal;
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawLimit, Text};

words! {
    /// Over what is counted.
    Per {
        /// One statement.
        Statement = "statement",
        /// From connect to disconnect.
        Session = "session",
        /// All sessions of a principal, from midnight to midnight UTC.
        Day = "day",
    }
}

/// How much may be shown before a result is cut. At least one of the three amounts is there, none of them 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// What the error and the entry say.
    pub name: String,
    /// Counted are results that show a column of this class, however little of it; none: every result.
    pub class: Option<Class>,
    /// Over what is counted.
    pub per: Per,
    /// Most rows.
    pub rows: Option<u64>,
    /// Most bytes of rows, as they are sent.
    pub bytes: Option<u64>,
    /// Most distinct subjects.
    pub subjects: Option<u64>,
}

/// A limit and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitRule {
    /// Of whom; each principal is counted apart.
    pub whose: Whose,
    /// How much.
    pub limit: Limit,
    /// Where `enclave.toml` says whose it is.
    pub(crate) at: std::ops::Range<usize>,
}

/// Whose a limit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Each principal's.
    Everybody,
    /// That of the principal with this name.
    Principal(String),
    /// That of each principal with this role.
    Role(String),
}

impl Whose {
    pub(crate) fn covers(&self, principal: &Principal) -> bool {
        match self {
            Self::Everybody => true,
            Self::Principal(name) => *name == principal.name,
            Self::Role(role) => principal.roles.contains(role),
        }
    }
}

pub(super) fn check(raw: Vec<RawLimit>, found: &mut Problems<'_>) -> Vec<LimitRule> {
    let mut limits = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, limit) in raw.into_iter().enumerate() {
        limits.extend(check_limit(limit, &format!("limits[{i}]"), &mut seen, found));
    }
    limits
}

fn check_limit(
    raw: RawLimit,
    key: &str,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Option<LimitRule> {
    let name_at = raw.name.span();
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Name, seen, found);
    let (whose, at) = match (raw.principal, raw.role) {
        (None, None) => (Whose::Everybody, name_at.clone()),
        (Some(principal), None) => (Whose::Principal(principal.get_ref().clone()), principal.span()),
        (None, Some(role)) => (Whose::Role(role.get_ref().clone()), role.span()),
        (Some(_), Some(role)) => {
            let problem = format!("limit `{name}` names a principal and a role");
            found.at(role.span(), &format!("{key}.role"), problem, "name one of them");
            return None;
        }
    };
    let per = check_word(&raw.per, &format!("{key}.per"), Per::parse, Per::ALL, found);
    let class_of = |word: &Text, found: &mut Problems<'_>| {
        check_word(word, &format!("{key}.class"), Class::parse, Class::ALL, found)
    };
    let class = match raw.class {
        Some(word) => Some(class_of(&word, found)?),
        None => None,
    };
    if raw.rows.is_none() && raw.bytes.is_none() && raw.subjects.is_none() {
        let problem = format!("limit `{name}` limits nothing");
        found.at(name_at, key, problem, "give at least one of `rows`, `bytes` and `subjects`");
    }
    let mut amount = |raw: Option<Spanned<u64>>, what: &str| {
        let raw = raw?;
        if *raw.get_ref() == 0 {
            let problem = format!("limit `{name}` is 0 {what}");
            found.at(
                raw.span(),
                &format!("{key}.{what}"),
                problem,
                "withdraw the policy that permits it instead",
            );
        }
        Some(raw.into_inner())
    };
    let (rows, bytes, subjects) =
        (amount(raw.rows, "rows"), amount(raw.bytes, "bytes"), amount(raw.subjects, "subjects"));
    Some(LimitRule { whose, at, limit: Limit { name, class, per: per?, rows, bytes, subjects } })
}
