//! `trefoil logins explain`: what the gate knows of somebody's logins. It is told for a purpose that policy knows, after the
//! record says who was looked at and why. Not here: what a state's folder or NATS knows (`kept`).

use access::{Answer, Order};
use serde_json::{Value, json};
use tlog::detail::LoginExplained;

use super::kept;
use crate::cli::logins::gate::Explain;
use crate::ended::Ended;
use crate::record_log::{order_gate, unexpected};
use crate::terminal;

pub(super) fn run(asked: &Explain) -> Result<(), Ended> {
    if let Some(state) = &asked.kept.state {
        return kept::run(asked, state);
    }
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let (Some(purpose), Some(ticket)) = (asked.purpose.clone(), asked.ticket.clone()) else {
        return Err(Ended::cannot_tell("--purpose and --ticket say why"));
    };
    let user = asked.user.clone();
    let order = Order::ExplainLogins(LoginExplained { user, purpose, ticket });
    let Answer::Explained { entry, known } = order_gate(&folder, &order)? else { return Err(unexpected()) };
    if asked.json {
        return terminal::say_json(&json!({ "user": asked.user, "entry": entry, "known": known }));
    }
    terminal::say(&format!("{}, as the gate knows them (entry {entry} says that you looked):", asked.user));
    for (name, value) in known.as_object().into_iter().flatten() {
        terminal::say(&format!("  {name}: {}", text(value)));
    }
    Ok(())
}

/// A value without its quotation marks; lists and tables as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
