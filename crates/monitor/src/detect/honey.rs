//! Honeytoken touched: a released result shows a subject who does not exist but for the monitor. Whose digests those are
//! under the key of the gate's run is told by who planted them.
//!
//! Seen in the digests of a result alone: in a sketch of more than 4 096 subjects it cannot be seen, nor where subjects
//! are `unknown`, nor under a pseudonym, whose token the monitor does not know. A result of a crowd holds honeytokens by
//! chance; that it was so large is for `volume`.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tlog::detail::Severity;

use super::{
    finding::{Finding, counted},
    habit::digest,
    observation::What,
    people::Seen,
};

pub const NAME: &str = "honeytoken";

/// Thresholds: `[detect.honeytoken]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// A result of more subjects than that holds honeytokens by chance.
    pub crowd: u32,
}

pub const SHIPPED: Limits = Limits { crowd: 500 };

/// The leading 64 bits of the digests of the planted subjects, under the subject key of the gate's run. Not part of a
/// snapshot: it is worked out again from what was planted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Honey(HashSet<u64>);

impl Honey {
    /// From digests as a release lists them: 32 hexadecimal digits.
    pub fn new<'a>(digests: impl IntoIterator<Item = &'a str>) -> Honey {
        Honey(digests.into_iter().filter_map(digest).collect())
    }
}

pub fn observe(limits: &Limits, honey: &Honey, seen: &Seen<'_>, found: &mut Vec<Finding>) {
    let What::Released { statements, .. } = &seen.o.what else { return };
    if honey.0.is_empty() {
        return;
    }
    for subjects in statements.iter().filter_map(|statement| statement.subjects.as_ref()) {
        let touched =
            subjects.digests.iter().filter_map(|text| digest(text)).filter(|one| honey.0.contains(one));
        let touched = touched.count();
        if touched > 0 && subjects.n <= u64::from(limits.crowd) {
            let touched = f64::from(u32::try_from(touched).unwrap_or(u32::MAX));
            let reason = counted("planted subjects shown", touched, 0.0);
            found.push(seen.of_session(NAME, Severity::Critical, vec![reason]));
            return;
        }
    }
}
