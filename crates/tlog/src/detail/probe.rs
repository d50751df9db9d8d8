//! Probes: entries that no monitor may cosign, sent to find out whether it does. What they will ask is committed to
//! before and revealed after. Making and sending them is the gate's.

use serde::{Deserialize, Serialize};

use super::{SALT_BYTES, commitment};
use crate::hash::hex;
use crate::json::{JsonError, canonical_of};

/// Most probes of one commitment.
pub const PROBES_MAX: usize = 64;

/// What a probe claims that policy permits. It does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    pub principal: String,
    pub listener: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Name of the profile that is claimed.
    pub profile: String,
    pub site: String,
}

impl Probe {
    /// What `probe.committed` says of this probe, in hexadecimal.
    pub fn commitment(&self, salt: &[u8; SALT_BYTES]) -> Result<String, JsonError> {
        Ok(hex(&commitment(salt, &canonical_of(self)?)))
    }
}

/// Of `probe.committed`: probes to come, at a time that nobody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbesCommitted {
    /// [`Probe::commitment`] of each.
    pub probes: Vec<String>,
}

/// Of `probe.revealed`: the probes of one commitment, and what became of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbesRevealed {
    /// Index of the `probe.committed`.
    pub committed: u64,
    /// In the order of the commitments.
    pub probes: Vec<ProbeRevealed>,
}

/// One probe, and what the monitor did with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeRevealed {
    pub probe: Probe,
    /// In hexadecimal.
    pub salt: String,
    /// The index it was sent with: its entry, if it was cosigned; otherwise another entry has it.
    pub index: u64,
    /// The entry's line as it was sent. The log signed one checkpoint over it, which explains that checkpoint.
    pub line: String,
    /// Whether the monitor cosigned it: then it does not decide by itself.
    pub cosigned: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_binds_probe_and_salt() {
        let probe = Probe {
            principal: "aoife".to_owned(),
            listener: "china".to_owned(),
            purpose: None,
            ticket: None,
            profile: "support".to_owned(),
            site: "hamar".to_owned(),
        };
        let other = Probe { listener: "ireland".to_owned(), ..probe.clone() };
        let said = probe.commitment(&[1; SALT_BYTES]);
        assert_eq!(said, probe.commitment(&[1; SALT_BYTES]));
        assert_ne!(said, probe.commitment(&[2; SALT_BYTES]));
        assert_ne!(said, other.commitment(&[1; SALT_BYTES]));
    }
}
