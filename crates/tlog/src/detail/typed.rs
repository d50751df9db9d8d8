//! What the details of the access gate's entries hold. `serde_json::to_value` and `from_value` translate; a reader
//! refuses unknown fields, so that nothing lies in a detail that nobody looks at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of `session.open`: who asks for which pool role, and the certificate request for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    pub principal: String,
    /// Name of the listener, from which the place follows.
    pub listener: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Name of the profile.
    pub profile: String,
    pub site: String,
    /// Pool role at the site.
    pub role: String,
    /// Certificate request for that role, PEM.
    pub csr: String,
}

/// Where a refusal happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    Login,
    Connect,
    Statement,
    Wall,
}

/// Of `access.decision` deny (stages connect, statement, wall) and `login.judged` deny (stage login).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    pub principal: String,
    pub listener: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    pub stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Id of the rule that refused.
    pub rule: String,
    /// The refusal, in words.
    pub sentence: String,
}

/// Of `access.release`: the statements whose results are released, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    pub statements: Vec<Statement>,
}

/// One statement and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub text: String,
    /// Text, `\x…` when sent in binary, `None` for NULL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Option<String>>,
    pub rows: u64,
    pub bytes: u64,
    /// Command tag, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// SQLSTATE, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Of `session.close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionClose {
    pub reason: String,
    /// Released in the whole session.
    pub rows: u64,
    pub bytes: u64,
}

/// Of `gate.start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateStart {
    pub version: String,
    /// Profile names and their hashes in hexadecimal.
    pub profiles: BTreeMap<String, String>,
    pub sites: Vec<String>,
}

/// Of `gate.stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateStop {
    pub reason: String,
}
