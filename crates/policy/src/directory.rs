//! The directory: who may ask, for whom they work, and in which roles. Read from `directory.toml`. Not here: secrets,
//! which are the gate's, and what a role permits, which is policy.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::catalog::check_word;
use crate::enclave::{PlaceMap, check_name, check_names, check_new_name};
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawDirectory, RawPrincipal};

/// Longest display name, in bytes.
pub const DISPLAY_BYTES_MAX: usize = 100;

/// Everyone who may ask.
#[derive(Debug)]
#[non_exhaustive]
pub struct Directory {
    /// The closed list of roles.
    pub roles: BTreeSet<String>,
    /// The closed list of employers.
    pub employers: BTreeSet<String>,
    /// In the order of the file.
    pub principals: Vec<Principal>,
}

/// A person or service that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// What they log in as.
    pub name: String,
    /// For people to read.
    pub display: String,
    /// Person or service.
    pub kind: PrincipalKind,
    /// Of the directory's employers.
    pub employer: String,
    /// The place from which they usually ask; a hint for people and detectors, no permission.
    pub office: String,
    /// Of the directory's roles.
    pub roles: BTreeSet<String>,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A human being.
    Person,
    /// A program.
    Service,
}

impl PrincipalKind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "person" => Some(Self::Person),
            "service" => Some(Self::Service),
            _ => None,
        }
    }
}

impl std::fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Person => "person",
            Self::Service => "service",
        })
    }
}

impl Directory {
    /// The principal with this name.
    pub fn principal(&self, name: &str) -> Option<&Principal> {
        self.principals.iter().find(|principal| principal.name == name)
    }
}

/// `places` is absent when `enclave.toml` could not be read; offices are then not checked.
pub(crate) fn check(raw: RawDirectory, places: Option<&[PlaceMap]>, found: &mut Problems<'_>) -> Directory {
    let roles = check_names(raw.roles, "roles", NameKind::Identifier, found);
    let employers = check_names(raw.employers, "employers", NameKind::Name, found);
    let mut directory = Directory { roles, employers, principals: Vec::new() };
    let mut seen = BTreeSet::new();
    for (i, principal) in raw.principals.into_iter().enumerate() {
        let key = format!("principals[{i}]");
        let principal = check_principal(principal, &key, &directory, places, &mut seen, found);
        directory.principals.extend(principal);
    }
    directory
}

fn check_principal(
    raw: RawPrincipal,
    key: &str,
    directory: &Directory,
    places: Option<&[PlaceMap]>,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Option<Principal> {
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Name, seen, found);
    let kinds = [PrincipalKind::Person, PrincipalKind::Service];
    let kind = check_word(&raw.kind, &format!("{key}.kind"), PrincipalKind::parse, &kinds, found);
    let display = raw.display.get_ref();
    if display.is_empty() || display.len() > DISPLAY_BYTES_MAX || display.chars().any(char::is_control) {
        let problem = "this is not a name to show".to_owned();
        let remedy = format!("use 1 to {DISPLAY_BYTES_MAX} bytes without control characters");
        found.at(raw.display.span(), &format!("{key}.display"), problem, remedy);
    }
    if !directory.employers.contains(raw.employer.get_ref()) {
        let problem = format!("there is no employer `{}`", raw.employer.get_ref());
        found.at(raw.employer.span(), &format!("{key}.employer"), problem, "use one of `employers`");
    }
    if places.is_some_and(|places| !places.iter().any(|place| &place.name == raw.office.get_ref())) {
        let problem = format!("there is no place `{}`", raw.office.get_ref());
        found.at(raw.office.span(), &format!("{key}.office"), problem, "use a place of enclave.toml");
    }
    let mut roles = BTreeSet::new();
    for (i, role) in raw.roles.into_iter().enumerate() {
        let key = format!("{key}.roles[{i}]");
        let span = role.span();
        let role = check_name(role, &key, NameKind::Identifier, found);
        if !directory.roles.contains(&role) {
            found.at(span, &key, format!("there is no role `{role}`"), "use one of `roles`");
        } else if !roles.insert(role.clone()) {
            found.at(span, &key, format!("`{role}` is named twice"), "name it once");
        }
    }
    let (display, employer, office) =
        (raw.display.into_inner(), raw.employer.into_inner(), raw.office.into_inner());
    Some(Principal { name, display, kind: kind?, employer, office, roles })
}
