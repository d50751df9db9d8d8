//! Which refused entries were the gate's own questions. A gate commits to probes, has them refused, and reveals them
//! (`record probe`); what was refused opened an incident, and is closed here when, and only when, the entry is one that was
//! committed to before it was refused. Read from the copy, so that a crash between the two only delays it.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use tlog::{
    detail::{Exhibit, Probe, ProbeRevealed, ProbesRevealed, SessionOpen},
    entry::{Entry, Kind, Micros},
    hash::hex,
    proof::Receipt,
};

use super::{IncidentError, Incidents};
use crate::audit::check_probes;

/// Probes between their commitment and what follows from their being revealed.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Probes {
    /// Commitments that were not revealed yet, by the entry's index.
    committed: BTreeMap<u64, Vec<String>>,
    /// What was revealed and not looked at yet.
    revealed: Vec<Revealed>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Revealed {
    /// Index of the `probe.revealed`.
    index: u64,
    /// Index of the `probe.committed`.
    committed: u64,
    probe: ProbeRevealed,
}

/// Opens the sealed detail of a `session.open`: what it says, and the commitment that it fits.
pub type Opening<'a> = dyn FnMut(&Entry, &[u8]) -> Option<(SessionOpen, [u8; 32])> + 'a;

impl Probes {
    /// Takes note of a `probe.committed`.
    pub fn committed(&mut self, index: u64, commitments: Vec<String>) {
        self.committed.insert(index, commitments);
    }

    /// Takes note of a `probe.revealed`. What was not committed to explains nothing.
    pub fn revealed(&mut self, index: u64, said: ProbesRevealed) {
        let committed = said.committed;
        if check_probes(&said, self.committed.get(&committed)).is_err() {
            return;
        }
        self.committed.remove(&committed);
        let refused = said.probes.into_iter().filter(|probe| !probe.cosigned);
        self.revealed.extend(refused.map(|probe| Revealed { index, committed, probe }));
    }

    /// Closes what is explained. What cannot be kept now is tried again the next time.
    pub fn settle(
        &mut self,
        incidents: &Incidents,
        open: &mut Opening<'_>,
        now: Micros,
    ) -> Result<(), IncidentError> {
        while let Some(Revealed { index, committed, probe }) = self.revealed.first() {
            let line = probe.line.as_str();
            let exhibits: Vec<Exhibit> = incidents.read(|store| {
                let kept = store.iter().flat_map(|incident| incident.exhibits());
                kept.filter(|exhibit| exhibit.entry.as_deref() == Some(line)).cloned().collect()
            })?;
            if exhibits.iter().any(|exhibit| is_probe(exhibit, *committed, &probe.probe, open)) {
                incidents.probed(line, *index, now)?;
            }
            self.revealed.remove(0);
        }
        Ok(())
    }
}

/// Whether what was refused asked exactly this, after it was committed to.
fn is_probe(exhibit: &Exhibit, committed: u64, probe: &Probe, open: &mut Opening<'_>) -> bool {
    let mut asked = || {
        let entry = Entry::parse(exhibit.entry.as_ref()?.as_bytes()).ok()?;
        let index = Receipt::parse(exhibit.proof.as_ref()?).ok()?.index;
        let blob = STANDARD.decode(exhibit.blob.as_ref()?).ok()?;
        let (detail, commitment) = open(&entry, &blob)?;
        let is_bound = entry.detail.as_deref() == Some(hex(&commitment).as_str());
        (entry.kind == Kind::SessionOpen && is_bound && committed < index).then_some(detail)
    };
    asked().is_some_and(|asked| {
        let SessionOpen { principal, listener, purpose, ticket, profile, site, address: _, role: _, csr: _ } =
            asked;
        Probe { principal, listener, purpose, ticket, profile, site } == *probe
    })
}
