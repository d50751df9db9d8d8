//! A probe: an entry that no monitor may cosign, sent as the next batch would be, to find out whether it decides by itself.
//! It goes to the monitor alone, in the place and under the checkpoint that a real entry would have, so that nothing
//! distinguishes it before it is decided.
//!
//! A monitor that refuses stores nothing, and neither does the record: the probe is dropped, and the next real entry has
//! its index. The log has then signed one checkpoint that is under no cosignature and leads nowhere; `probe.revealed`
//! holds the entry that explains it. A monitor that cosigns holds the probe, so that it becomes an entry like any other:
//! the record goes on, and its own cosignature is the evidence.

use hyper::StatusCode;
use tlog::tree::Frontier;

use super::{Exchange, Refused, advance, encode, unexpected};
use crate::batch::Batch;
use crate::stage::Staged;

/// How often a monitor that did not answer is asked whether it holds the probe.
const ASKED_AGAIN_MAX: usize = 3;

/// What became of a probe.
pub(crate) enum Fate {
    /// The monitor refused it, for this reason.
    Refused(String),
    /// The monitor holds it: the tree with it.
    Held(Frontier),
}

impl Exchange {
    /// Whether everything is cosigned and nothing is in flight, so that a probe would be the next batch.
    pub(crate) fn is_at_rest(&self) -> bool {
        let holds_all = self.held.as_ref().is_some_and(|held| held.size() == self.cosigned.size());
        self.link.is_some() && self.pending.is_empty() && self.refused.is_none() && holds_all
    }

    /// Sends a batch that is not staged. Only [`Exchange::is_at_rest`].
    pub(crate) async fn probe(&mut self, batch: &Batch) -> Result<Fate, String> {
        let held = self.cosigned.clone();
        let staged = Staged::new(batch.clone());
        let mut tree = held.clone();
        advance(&mut tree, &staged, batch.next());
        let note = self.sign(&tree).map_err(|setback| setback.problem())?;
        let body = encode(&note, held.size(), batch.records(batch.first(), batch.next()));
        let Ok(answer) = self.send(body).await else { return self.doubtful(tree).await };
        match answer.status {
            StatusCode::OK => Ok(Fate::Held(tree)),
            StatusCode::UNPROCESSABLE_ENTITY => {
                let refused = serde_json::from_slice::<Refused>(&answer.body);
                refused.map(|refused| Fate::Refused(refused.reason)).map_err(|_| unexpected(&answer))
            }
            _ => Err(unexpected(&answer)),
        }
    }

    /// No answer came: whether the monitor holds the probe, it says itself.
    async fn doubtful(&mut self, tree: Frontier) -> Result<Fate, String> {
        // Whatever comes of this, the next round asks what the monitor holds.
        self.held = None;
        let mut problem = String::new();
        for _ in 0..ASKED_AGAIN_MAX {
            let Some(link) = &mut self.link else { break };
            match crate::monitor::ask_state(link).await {
                Ok(state) if state.size == tree.size() => return Ok(Fate::Held(tree)),
                Ok(_) => return Err("the monitor did not answer the probe, and does not hold it".to_owned()),
                Err(error) => problem = error.to_string(),
            }
        }
        Err(problem)
    }
}
