//! Entries: the leaves of the record, one line of canonical JSON each. Kinds are in `entry::kind`, times in
//! `entry::time`; the sealed part that an entry commits to is in `detail`.

mod direct;
mod kind;
mod time;

use serde::Deserialize;
use thiserror::Error;

pub use kind::Kind;
pub use time::Micros;

use crate::hash::unhex;
use crate::json::{INTEGER_MAX, write_string, write_whole};
pub use crate::tile::ENTRY_BYTES_MAX;

/// Longest name of a gate, in bytes.
pub const GATE_BYTES_MAX: usize = 128;
/// Most classes in an entry, and the longest class in bytes.
pub const CLASSES_MAX: usize = 16;
/// Place of a principal whose country is not known.
pub const PLACE_UNKNOWN: &str = "unknown";
/// Version of the format, in every entry's `v`.
const VERSION: u64 = 1;

/// Why an entry cannot be written or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    #[error("the entry has {got} bytes; the most is {ENTRY_BYTES_MAX}")]
    TooLong { got: usize },
    #[error("not an entry: {problem}")]
    Form { problem: String },
    #[error("version {got} is not known here; this reader knows version {VERSION}")]
    Version { got: u64 },
    #[error("`{field}` must be {must}")]
    Field { field: &'static str, must: &'static str },
    #[error("the entry is not in canonical form (RFC 8785); write it with Entry::encode")]
    NotCanonical,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    Permit,
    Deny,
}

impl Decision {
    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Permit => "permit",
            Decision::Deny => "deny",
        }
    }

    pub fn parse(text: &str) -> Option<Decision> {
        [Decision::Permit, Decision::Deny].into_iter().find(|decision| decision.as_str() == text)
    }
}

/// What a count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CountState {
    /// A result that was held and released whole: exactly this.
    Exact,
    /// An upper bound authorised for what is released next.
    Window,
    /// The exact total of a result that was released in windows.
    Total,
}

impl CountState {
    pub fn as_str(self) -> &'static str {
        match self {
            CountState::Exact => "exact",
            CountState::Window => "window",
            CountState::Total => "total",
        }
    }

    pub fn parse(text: &str) -> Option<CountState> {
        [CountState::Exact, CountState::Window, CountState::Total]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Rows and bytes released or authorised; each at most 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub state: CountState,
    pub rows: u64,
    pub bytes: u64,
}

/// What the checks of a `residency.evidence` said, all sites together; each at most 2^53 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    pub pass: u64,
    pub fail: u64,
    /// What could not be seen; it has not passed.
    pub unknown: u64,
}

/// One leaf of the record. Public: it names no one and quotes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub time: Micros,
    pub kind: Kind,
    /// Name of the gate that wrote it.
    pub gate: String,
    /// 32 lower-case hexadecimal digits.
    pub session: Option<String>,
    /// 64 hexadecimal digits: [`crate::detail::DayKey::principal`].
    pub principal: Option<String>,
    /// 64 hexadecimal digits: [`crate::detail::DayKey::request`].
    pub request: Option<String>,
    /// Country code of two capitals, or [`PLACE_UNKNOWN`].
    pub place: Option<String>,
    pub decision: Option<Decision>,
    /// 64 hexadecimal digits: hash of the policy bundle.
    pub policy: Option<String>,
    /// 64 hexadecimal digits: hash of the profile.
    pub profile: Option<String>,
    /// Classes of the columns concerned, each once.
    pub classes: Vec<String>,
    pub count: Option<Count>,
    /// Of `residency.evidence` and no other kind.
    pub checks: Option<Checks>,
    /// Id of the day key that seals the detail and hashes principal and request.
    pub key: Option<String>,
    /// 64 hexadecimal digits: [`crate::detail::commitment`].
    pub detail: Option<String>,
}

impl Entry {
    /// An entry with nothing but what every entry has.
    pub fn new(time: Micros, kind: Kind, gate: &str) -> Entry {
        Entry {
            time,
            kind,
            gate: gate.to_owned(),
            session: None,
            principal: None,
            request: None,
            place: None,
            decision: None,
            policy: None,
            profile: None,
            classes: Vec::new(),
            count: None,
            checks: None,
            key: None,
            detail: None,
        }
    }

    /// The leaf's bytes: canonical JSON without a newline, at most [`ENTRY_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let time = self.time.to_rfc3339().ok_or(TIME_RANGE)?;
        let mut out = String::with_capacity(1_024);
        // Keys are in RFC 8785 order, which for these is the order of the alphabet.
        out.push('{');
        if let Some(Checks { pass, fail, unknown }) = self.checks {
            let counts = [("\"checks\":{\"fail\":", fail), (",\"pass\":", pass), (",\"unknown\":", unknown)];
            for (name, count) in counts {
                out.push_str(name);
                write_whole(&mut out, false, count);
            }
            out.push_str("},");
        }
        if !self.classes.is_empty() {
            out.push_str("\"classes\":[");
            for (position, class) in self.classes.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_string(&mut out, class);
            }
            out.push_str("],");
        }
        if let Some(Count { state, rows, bytes }) = self.count {
            out.push_str("\"count\":{\"bytes\":");
            write_whole(&mut out, false, bytes);
            out.push_str(",\"rows\":");
            write_whole(&mut out, false, rows);
            out.push_str(",\"state\":\"");
            out.push_str(state.as_str());
            out.push_str("\"},");
        }
        field(&mut out, "decision", self.decision.map(Decision::as_str));
        field(&mut out, "detail", self.detail.as_deref());
        field(&mut out, "gate", Some(&self.gate));
        field(&mut out, "key", self.key.as_deref());
        field(&mut out, "kind", Some(self.kind.as_str()));
        field(&mut out, "place", self.place.as_deref());
        field(&mut out, "policy", self.policy.as_deref());
        field(&mut out, "principal", self.principal.as_deref());
        field(&mut out, "profile", self.profile.as_deref());
        field(&mut out, "request", self.request.as_deref());
        field(&mut out, "session", self.session.as_deref());
        field(&mut out, "time", Some(&time));
        out.push_str("\"v\":1}");
        if out.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong { got: out.len() });
        }
        Ok(out.into_bytes())
    }

    /// Reads a leaf. Unknown fields, unknown kinds, wrong types and any spelling but the canonical one are refused.
    pub fn parse(bytes: &[u8]) -> Result<Entry, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLong { got: bytes.len() });
        }
        direct::read(bytes).map_or_else(|| Entry::parse_any(bytes), Ok)
    }

    /// As [`Entry::parse`], whatever the bytes are.
    fn parse_any(bytes: &[u8]) -> Result<Entry, EntryError> {
        let raw: RawEntry =
            serde_json::from_slice(bytes).map_err(|error| EntryError::Form { problem: error.to_string() })?;
        let entry = raw.check()?;
        // Writing it again is the whole test of canonical form.
        if entry.encode()? == bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    fn check(&self) -> Result<(), EntryError> {
        let gate_fits =
            (1..=GATE_BYTES_MAX).contains(&self.gate.len()) && !self.gate.contains(char::is_control);
        ensure(gate_fits, "gate", "1 to 128 bytes without control characters")?;
        ensure(is_hex::<16>(&self.session), "session", "32 lower-case hexadecimal digits")?;
        for (name, value) in [
            ("principal", &self.principal),
            ("request", &self.request),
            ("policy", &self.policy),
            ("profile", &self.profile),
            ("detail", &self.detail),
        ] {
            ensure(is_hex::<32>(value), name, "64 lower-case hexadecimal digits")?;
        }
        let place_fits = self.place.as_deref().is_none_or(is_place);
        ensure(place_fits, "place", "a country code of two capitals, or \"unknown\"")?;
        let key_fits = self.key.as_deref().is_none_or(crate::detail::is_key_id);
        ensure(key_fits, "key", "a day and a retention class, as in 2026-01-31.access")?;
        let classes_fit = self.classes.len() <= CLASSES_MAX
            && self.classes.iter().all(|class| is_class(class))
            && self
                .classes
                .iter()
                .enumerate()
                .all(|(at, class)| !self.classes.iter().take(at).any(|c| c == class));
        ensure(classes_fit, "classes", "at most 16 different words of lower-case letters")?;
        let count_fits =
            self.count.is_none_or(|count| count.rows <= INTEGER_MAX && count.bytes <= INTEGER_MAX);
        ensure(count_fits, "count", "within 2^53 - 1")?;
        let checks_fit = self.checks.is_none_or(|Checks { pass, fail, unknown }| {
            self.kind == Kind::ResidencyEvidence && [pass, fail, unknown].iter().all(|n| *n <= INTEGER_MAX)
        });
        ensure(checks_fit, "checks", "in residency.evidence alone, and within 2^53 - 1")
    }
}

const TIME_RANGE: EntryError = EntryError::Field {
    field: "time",
    must: "RFC 3339 UTC with six fraction digits and Z, years 0000 to 9999",
};

/// The JSON as it lies on disk, before its values are checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    v: u64,
    time: String,
    kind: String,
    gate: String,
    session: Option<String>,
    principal: Option<String>,
    request: Option<String>,
    place: Option<String>,
    decision: Option<String>,
    policy: Option<String>,
    profile: Option<String>,
    #[serde(default)]
    classes: Vec<String>,
    count: Option<RawCount>,
    checks: Option<RawChecks>,
    key: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCount {
    state: String,
    rows: u64,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChecks {
    fail: u64,
    pass: u64,
    unknown: u64,
}

impl RawEntry {
    fn check(self) -> Result<Entry, EntryError> {
        if self.v != VERSION {
            return Err(EntryError::Version { got: self.v });
        }
        let must = |field, must| EntryError::Field { field, must };
        let decision = match self.decision.as_deref().map(Decision::parse) {
            Some(None) => return Err(must("decision", "\"permit\" or \"deny\"")),
            known => known.flatten(),
        };
        let count = match self.count {
            None => None,
            Some(RawCount { state, rows, bytes }) => {
                let state = CountState::parse(&state)
                    .ok_or(must("count.state", "\"exact\", \"window\" or \"total\""))?;
                Some(Count { state, rows, bytes })
            }
        };
        Ok(Entry {
            time: Micros::parse_rfc3339(&self.time).ok_or(TIME_RANGE)?,
            kind: Kind::parse(&self.kind).ok_or(must("kind", "one of the record's kinds"))?,
            gate: self.gate,
            session: self.session,
            principal: self.principal,
            request: self.request,
            place: self.place,
            decision,
            policy: self.policy,
            profile: self.profile,
            classes: self.classes,
            count,
            checks: self.checks.map(|RawChecks { fail, pass, unknown }| Checks { pass, fail, unknown }),
            key: self.key,
            detail: self.detail,
        })
    }
}

fn field(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        write_string(out, value);
        out.push(',');
    }
}

fn ensure(holds: bool, field: &'static str, must: &'static str) -> Result<(), EntryError> {
    if holds { Ok(()) } else { Err(EntryError::Field { field, must }) }
}

fn is_hex<const N: usize>(value: &Option<String>) -> bool {
    value.as_deref().is_none_or(|text| unhex::<N>(text).is_some())
}

fn is_place(text: &str) -> bool {
    text == PLACE_UNKNOWN || (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()))
}

fn is_class(text: &str) -> bool {
    (1..=CLASSES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests;
