//! `trefoil logins responses` and `pass`: what the running gate does about suspicious logins, by its socket.

use access::{Answer, Order};
use serde_json::json;
use tlog::detail::LoginResponse;

use crate::cli::Report;
use crate::cli::logins::gate::{Pass, ResponsesCommand, Undo};
use crate::ended::Ended;
use crate::record_log::{order_gate, unexpected};
use crate::terminal;

pub(crate) fn run(asked: &ResponsesCommand) -> Result<(), Ended> {
    match asked {
        ResponsesCommand::List(asked) => list(asked),
        ResponsesCommand::Undo(asked) => undo(asked),
    }
}

fn list(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let Answer::Responses(responses) = order_gate(&folder, &Order::Responses)? else {
        return Err(unexpected());
    };
    if asked.json {
        return terminal::say_json(&json!({ "responses": responses }));
    }
    if responses.is_empty() {
        terminal::say("no response is in force");
    }
    responses.iter().for_each(|response| terminal::say(&line(response)));
    Ok(())
}

fn undo(asked: &Undo) -> Result<(), Ended> {
    let order = Order::UndoResponse { id: asked.id.clone(), because: asked.because.clone() };
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let Answer::Responded { response, entry } = order_gate(&folder, &order)? else {
        return Err(unexpected());
    };
    if asked.json {
        return terminal::say_json(&json!({ "undone": response, "entry": entry }));
    }
    terminal::say(&format!("undone, {entry}: {}", line(&response)));
    Ok(())
}

pub(crate) fn pass(asked: &Pass) -> Result<(), Ended> {
    let (principal, from, because) = (asked.name.clone(), asked.from.clone(), asked.because.clone());
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let order = Order::PassLogin { principal, from, because };
    let Answer::Responded { response, entry } = order_gate(&folder, &order)? else {
        return Err(unexpected());
    };
    if asked.json {
        return terminal::say_json(&json!({ "passes": response, "entry": entry }));
    }
    terminal::say(&format!("{entry}: {}", line(&response)));
    Ok(())
}

fn line(response: &LoginResponse) -> String {
    let LoginResponse { id, kind, principal, source, until, because, .. } = response;
    let whose = principal.as_ref().map_or_else(String::new, |principal| format!(" for {principal}"));
    format!("{id}  {:<8} {source}{whose} until {until}: {because}", kind.as_str())
}
