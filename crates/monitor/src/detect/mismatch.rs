//! Decision mismatch: the gate posted what the monitor would not have decided, or what contradicts itself. Nothing of it
//! was cosigned. Always critical; there is no habit to compare with.

use tlog::detail::Severity;

use super::{
    finding::{Finding, said},
    observation::What,
    people::Seen,
};
use crate::incident::Breach;

pub const NAME: &str = "decision-mismatch";

/// Whether a breach is about what was decided, rather than about the order of the record.
pub fn is_about_decisions(breach: Breach) -> bool {
    match breach {
        Breach::Detail
        | Breach::Identity
        | Breach::Decision
        | Breach::Verdict
        | Breach::Count
        | Breach::Key
        | Breach::Brake
        | Breach::Unexpected => true,
        Breach::Fork | Breach::Malformed | Breach::Clock | Breach::Session => false,
    }
}

pub fn observe(seen: &Seen<'_>, found: &mut Vec<Finding>) {
    let What::Breach(fault) = &seen.o.what else { return };
    if is_about_decisions(fault.breach) {
        let reason = said(fault.breach.as_str(), fault.reason.clone(), "the monitor's own decision");
        found.push(seen.of_gate(NAME, Severity::Critical, vec![reason]));
    }
}
