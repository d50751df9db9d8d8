//! How the gate writes to the record: what every entry of it says, and what becomes of one that is not witnessed.
//! Not here: when an entry is due (`admit`, `relay`).

use policy::Ask;
use record::{Detail, Draft};
use tlog::detail::Refused;
use tlog::entry::{Decision, Kind};

use crate::fault::Fault;
use crate::gate::Gate;

/// A detail as the record takes it.
pub fn detail_of(detail: &impl serde::Serialize) -> Result<Detail, Fault> {
    Detail::of(detail).map_err(|e| Fault::ours(format!("a detail cannot be written: {e}")))
}

impl Gate {
    /// Appends an entry about the gate itself; that it is not witnessed yet stops nothing but releases.
    pub(crate) async fn note(&self, kind: Kind, detail: &impl serde::Serialize) {
        let mut draft = Draft::new(kind);
        draft.policy = Some(self.config.bundle.hash().to_string());
        draft.detail = detail_of(detail).ok();
        if let Err(error) = self.record.append(draft).await {
            tracing::warn!(kind = kind.as_str(), %error, "entry not witnessed yet");
        }
    }

    /// An entry with what every entry of a principal's session says.
    pub(crate) fn draft(&self, kind: Kind, principal: &str, listener: &str) -> Draft {
        let mut draft = Draft::new(kind);
        draft.principal = Some(principal.to_owned());
        draft.place = Some(self.config.bundle.place_of(listener).to_string());
        draft.policy = Some(self.config.bundle.hash().to_string());
        draft
    }

    /// Appends a refusal, and says under which number: `entry 12`, or that it could not be recorded.
    pub(crate) async fn append_refusal(
        &self,
        kind: Kind,
        refused: &Refused,
        session: Option<&str>,
    ) -> String {
        let mut draft = self.draft(kind, &refused.principal, &refused.listener);
        draft.session = session.map(str::to_owned);
        draft.decision = Some(Decision::Deny);
        draft.request = Some(self.config.bundle.request(&Ask {
            principal: &refused.principal,
            place: self.config.bundle.place_of(&refused.listener),
            purpose: refused.purpose.as_deref(),
            ticket: refused.ticket.as_deref(),
        }));
        draft.detail = match detail_of(refused) {
            Ok(detail) => Some(detail),
            Err(fault) => return fault.internal,
        };
        self.append_said(draft).await
    }

    /// Appends an entry, and says under which number.
    pub(crate) async fn append_said(&self, draft: Draft) -> String {
        self.append_told(draft).await.1
    }

    /// Likewise, with the number where it has one.
    pub(crate) async fn append_told(&self, draft: Draft) -> (Option<u64>, String) {
        match self.record.append(draft).await {
            Ok(witnessed) => (Some(witnessed.index()), format!("entry {}", witnessed.index())),
            Err(why) => match why.index {
                Some(index) => (Some(index), format!("entry {index}, not yet cosigned")),
                None => (None, "not recorded: the monitor does not answer".into()),
            },
        }
    }
}
