//! What the details of the access gate's entries hold. `serde_json::to_value` and `from_value` translate; a reader
//! refuses unknown fields, so that nothing lies in a detail that nobody looks at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Most digests that a [`Subjects`] lists; above, it carries a sketch.
pub const SUBJECTS_EXACT_MAX: usize = 4_096;

/// Of `session.open`: who asks for which pool role, and the certificate request for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionOpen {
    pub principal: String,
    /// Name of the listener, from which the place follows.
    pub listener: String,
    /// Its address, behind trusted proxies; entries of earlier gates have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Name of the profile.
    pub profile: String,
    /// Name of the site, or of its standby.
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
    /// Text that declared the cursor, when this fetched from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Whom the rows are about. Absent where none were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Subjects>,
}

/// How sure a count of subjects is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// These subjects and no others.
    Exact,
    /// These at least: some of what was released is not tied to one subject.
    AtLeast,
    /// Nothing of what was released is tied to a subject that could be counted.
    Unknown,
}

/// Distinct subjects of released rows. What exact, at least and unknown mean is in docs/metering.md.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    pub state: Counted,
    pub n: u64,
    /// Sorted, in hexadecimal: the first 16 bytes of HMAC-SHA-256 under the gate's subject key. At most
    /// [`SUBJECTS_EXACT_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// HyperLogLog registers in base64, in place of more digests than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sketch: Option<String>,
}

/// Of `access.write`: statements that were about to be sent to a site, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    pub site: String,
    pub statements: Vec<WriteStatement>,
}

/// One statement that writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteStatement {
    pub text: String,
    /// As in [`Statement`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Option<String>>,
}

/// Of `access.commit`: a transaction that wrote was about to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committed {
    /// Statements recorded by `access.write` since the transaction began.
    pub writes: u64,
    /// Text that commits.
    pub text: String,
}

/// Of `access.cut`: a result that was ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Name of the limit that was reached, when one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    pub reason: String,
    /// Released of the result before the cut.
    pub rows: u64,
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Subjects>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
}

/// Of `session.close`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionClose {
    pub reason: String,
    /// Released in the whole session.
    pub rows: u64,
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subjects: Option<Subjects>,
}

/// Of `gate.start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateStart {
    pub version: String,
    /// Profile names and their hashes in hexadecimal.
    pub profiles: BTreeMap<String, String>,
    pub sites: Vec<String>,
    /// Key of the digests of subjects until the gate stops: 32 random bytes in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_key: Option<String>,
}

/// Of `gate.stop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateStop {
    pub reason: String,
}

/// Of `sites.failover` and `sites.failback`: which site writes which home, as the operator says it. The first entry of a
/// move says how it will be, before anything is changed; the last, that it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomesStated {
    /// The same in every entry of one move: 16 hexadecimal digits.
    pub id: String,
    /// The home that moves, or whose site comes back.
    pub home: String,
    /// Who holds it when the move begins.
    pub from: String,
    pub to: String,
    /// `planned`: from a site that stopped first; `taken_over`: from one that was gone; `back`: nothing moves, a site that
    /// was gone follows its siblings again.
    pub course: String,
    /// Whether the move is over.
    pub done: bool,
    /// Rows that the site that is back had committed and shipped to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unshipped: Option<u64>,
    /// SHA-256 of the file at that site which keeps them, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// The operator's signed note: `policy::Homes`.
    pub statement: String,
}

/// Of `sites.closed` and `sites.reopened`: the gate uses a site no longer, or again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteStanding {
    pub site: String,
    /// What differs from policy, or that nothing does any more.
    pub reason: String,
}
