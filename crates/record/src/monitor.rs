//! What the gate asks the monitor beside cosigning: how far it is and by which policy it decides.

use serde::Deserialize;

use crate::link::{Link, LinkError};
use crate::tls::Tls;

/// What the monitor says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MonitorState {
    /// How many entries of this log it holds.
    pub size: u64,
    /// Hash of the policy bundle that it accepted, 64 hex digits.
    pub policy: String,
}

/// Asks the monitor at `url` (`https://host:port`) for its state.
///
/// # Errors
/// When it does not answer, or with something else.
pub async fn monitor_state(url: &str, tls: Option<&Tls>) -> Result<MonitorState, LinkError> {
    ask_state(&mut Link::new(url, tls)?).await
}

pub(crate) async fn ask_state(link: &mut Link) -> Result<MonitorState, LinkError> {
    let answer = link.get("/state").await?;
    if !answer.status.is_success() {
        return Err(
            link.broken(&format!("the monitor answered {} to a question for its state", answer.status))
        );
    }
    serde_json::from_slice(&answer.body).map_err(|error| link.broken(&error))
}
