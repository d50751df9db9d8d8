//! Policy that widens access: a bundle was taken over that permits what the one before did not. What that is `compare`
//! says, from the two bundles themselves.

use tlog::detail::Severity;

use super::{
    finding::{Finding, said},
    observation::What,
    people::Seen,
};

pub const NAME: &str = "policy-widened";

/// Sentences that a finding repeats.
const SENTENCES_MAX: usize = 20;

pub fn observe(seen: &Seen<'_>, found: &mut Vec<Finding>) {
    let What::Policy(policy) = &seen.o.what else { return };
    let (Some(old), false) = (&policy.old, policy.widened.is_empty()) else { return };
    let reasons = policy.widened.iter().take(SENTENCES_MAX);
    let reasons =
        reasons.map(|sentence| said("the new policy permits", sentence.clone(), format!("policy {old}")));
    found.push(seen.of_gate(NAME, Severity::High, reasons.collect()));
}
