//! The files as they are written, before any check. Every field is required unless it is an `Option`; an unknown key
//! is refused. Not here: what the values mean (`enclave`, `catalog`, `directory`).

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::enclave::OneOrMore;

pub(crate) type Text = Spanned<String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEnclave {
    pub(crate) name: Text,
    pub(crate) region: Vec<Text>,
    pub(crate) purposes: Vec<Text>,
    pub(crate) sessions_per_profile: Spanned<u16>,
    pub(crate) sites: Spanned<Vec<RawSite>>,
    pub(crate) places: Vec<RawPlace>,
    pub(crate) profiles: Spanned<Vec<RawProfile>>,
    /// Absent: nothing is limited.
    pub(crate) limits: Option<Vec<RawLimit>>,
    /// Absent: a statement may take any time.
    pub(crate) statement_seconds_max: Option<Spanned<u32>>,
    /// Absent: a session may be idle for any time.
    pub(crate) idle_seconds_max: Option<Spanned<u32>>,
    /// Absent: nothing but the gate and the enclave's own parts connects to a site.
    pub(crate) services: Option<Vec<RawService>>,
    /// Absent: no auditor opens details.
    pub(crate) auditor: Option<Text>,
    /// By retention class. Absent: nothing is forgotten.
    pub(crate) retention_days_min: Option<BTreeMap<String, Spanned<u32>>>,
    /// Absent: the monitor alone cosigns the record.
    pub(crate) record: Option<RawRecord>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRecord {
    /// Absent: every witness must have cosigned.
    pub(crate) quorum: Option<Spanned<usize>>,
    pub(crate) witness: Option<OneOrMore>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWitness {
    pub(crate) name: Text,
    pub(crate) vkey: Text,
    pub(crate) url: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSite {
    pub(crate) name: Text,
    pub(crate) country: Text,
    pub(crate) synchronous: Option<bool>,
    /// Absent: it has none.
    pub(crate) standby: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPlace {
    pub(crate) name: Text,
    pub(crate) country: Option<Text>,
    /// Absent: only a listener can be this place.
    pub(crate) networks: Option<Vec<Text>>,
}

/// Whose: a principal's, a role's, or with neither everybody's. Of what: a class, or with none everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLimit {
    pub(crate) name: Text,
    pub(crate) principal: Option<Text>,
    pub(crate) role: Option<Text>,
    pub(crate) class: Option<Text>,
    pub(crate) per: Text,
    pub(crate) rows: Option<Spanned<u64>>,
    pub(crate) bytes: Option<Spanned<u64>>,
    pub(crate) subjects: Option<Spanned<u64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawService {
    pub(crate) name: Text,
    pub(crate) sites: Spanned<Vec<Text>>,
    pub(crate) addresses: Spanned<Vec<Text>>,
    pub(crate) reads: Spanned<Vec<Text>>,
    pub(crate) writes: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawProfile {
    pub(crate) name: Text,
    pub(crate) exemplar: Spanned<RawExemplar>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExemplar {
    pub(crate) principal: Text,
    pub(crate) place: Text,
    pub(crate) purpose: Option<Text>,
    pub(crate) ticket: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCatalog {
    pub(crate) schema: Text,
    pub(crate) subject_table: Text,
    pub(crate) pseudonym_scopes: Vec<Text>,
    pub(crate) tables: Vec<RawTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTable {
    pub(crate) name: Text,
    pub(crate) key: Text,
    pub(crate) subject_key: Text,
    pub(crate) home: Text,
    pub(crate) scopes: Vec<RawScope>,
    pub(crate) columns: Vec<RawColumn>,
    /// Absent: no column holds another row's key.
    pub(crate) references: Option<Vec<RawReference>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReference {
    pub(crate) column: Text,
    pub(crate) table: Text,
    pub(crate) within: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawScope {
    pub(crate) name: Text,
    pub(crate) column: Option<Text>,
    pub(crate) equals: Option<Spanned<RawValue>>,
    pub(crate) subjects: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawValue {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawColumn {
    pub(crate) name: Text,
    #[serde(rename = "type")]
    pub(crate) data_type: Text,
    pub(crate) class: Text,
    pub(crate) identifier: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDirectory {
    pub(crate) roles: Vec<Text>,
    pub(crate) employers: Vec<Text>,
    pub(crate) principals: Vec<RawPrincipal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPrincipal {
    pub(crate) name: Text,
    pub(crate) display: Text,
    pub(crate) kind: Text,
    pub(crate) employer: Text,
    pub(crate) office: Text,
    pub(crate) roles: Vec<Text>,
}
