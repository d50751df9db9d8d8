//! The channel by which the monitor is heard: an answer that is held open, a signed word a line. A word that does not
//! follow from what is known, or silence, makes the gate ask again, which is answered with all that is in force.

use std::sync::Arc;

use tlog::brake::Change;
use tokio::sync::watch;
use tokio::time::{Duration, sleep, timeout};

use super::{Brakes, note_lifted};
use crate::gate::Gate;

/// How long the monitor may say nothing; it says something each half second.
const SILENCE_MS_MAX: u64 = 2_000;
/// How long after a failure the next attempt is made.
const RETRY_MS: u64 = 200;

/// Listens until `stop` becomes true.
pub async fn listen(gate: Arc<Gate>, mut stop: watch::Receiver<bool>) {
    #[cfg(feature = "rogue")]
    if crate::rogue::tells(crate::rogue::Lie::Brakes) {
        return;
    }
    let mut last = String::new();
    loop {
        let heard = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            heard = hear(&gate) => heard,
        };
        if heard != last {
            tracing::warn!(problem = heard, "the monitor's brakes are not heard; those that are known stay");
            last = heard;
        }
        sleep(Duration::from_millis(RETRY_MS)).await;
    }
}

/// Hears until something is wrong, and says what.
async fn hear(gate: &Arc<Gate>) -> String {
    let path = format!("/brakes?gate={}", gate.config.name);
    let limit = Duration::from_millis(SILENCE_MS_MAX);
    let open = timeout(limit, record::listen(&gate.config.monitor, Some(&gate.config.monitor_tls), &path));
    let mut lines = match open.await {
        Ok(Ok(lines)) => lines,
        Ok(Err(error)) => return error.to_string(),
        Err(_) => return format!("no answer within {SILENCE_MS_MAX} ms"),
    };
    loop {
        let line = match timeout(limit, lines.next()).await {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => return "the monitor has hung up".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => return format!("nothing was said for {SILENCE_MS_MAX} ms"),
        };
        if let Err(problem) = obey(gate, &line) {
            return problem;
        }
    }
}

fn obey(gate: &Arc<Gate>, line: &str) -> Result<(), String> {
    let note: String = serde_json::from_str(line).map_err(|e| format!("not a word: {e}"))?;
    let (change, carrying) = gate.brakes.take(&note).map_err(|e| e.to_string())?;
    let Change { applied, lifted } = change;
    if applied.is_empty() && lifted.is_empty() {
        return Ok(());
    }
    let brakes: &Brakes = &gate.brakes;
    // Sessions are ending by now; what is not on the disk would be heard again after a restart.
    if let Err(error) = brakes.keep() {
        tracing::error!(%error, "what is stopped is not kept");
    }
    carrying.into_iter().for_each(|carrying| drop(tokio::spawn(carrying.finish(Arc::clone(gate)))));
    for (stopped, because) in lifted {
        tokio::spawn(note_lifted(Arc::clone(gate), stopped, because));
    }
    Ok(())
}
