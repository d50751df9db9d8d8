//! `trefoil logins explain USER --state DIR`: what a watch knows of a user, and why the last risky logins were held to be.
//! Where the state belongs to an enclave, its record says first who was looked at and why; else whoever may read the folder may
//! ask.

use std::path::Path;
use std::sync::Arc;

use logins::answer::Above;
use logins::nats;
use logins::share::{Judging, Risky, Share};
use logins::state::{Folder, Secret};
use risk::{Known, Settings, Weights};
use serde_json::{Value, json};
use tlog::detail::LoginExplained;

use super::handing;
use super::watch::{key, server};
use crate::cli::logins::gate::Explain;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

pub(super) fn run(asked: &Explain, state: &Path) -> Result<(), Ended> {
    if let Some(enclave) = handing::enclave_of(state)? {
        let (Some(purpose), Some(ticket)) = (asked.purpose.clone(), asked.ticket.clone()) else {
            return Err(Ended::not(format!(
                "{} belongs to the enclave in {}: --purpose and --ticket say why, and its record that you looked",
                state.display(),
                enclave.dir().display()
            )));
        };
        let entry = handing::look(&enclave, LoginExplained { user: asked.user.clone(), purpose, ticket })?;
        terminal::note(&format!("entry {entry} says that you looked"));
    } else if asked.purpose.is_some() || asked.ticket.is_some() {
        terminal::note("this state belongs to no enclave: nothing records that you looked, or why");
    }
    if asked.kept.server.nats.is_some() {
        return in_nats(asked, state);
    }
    let folder = Folder::look(state).or_cannot_tell("--state")?;
    let newest = logins::share::newest(&folder, &judging(folder.secret())).or_cannot_tell("--state")?;
    newest.refused.iter().for_each(|why| terminal::complain(why));
    match newest.used {
        Some((_, (covers, share))) => told(asked, &share, ("lines", covers.lines)),
        None => Err(nothing()),
    }
}

fn in_nats(asked: &Explain, state: &Path) -> Result<(), Ended> {
    let server = server(&asked.kept.server)?;
    let secret = Secret::read(&key(state)).or_cannot_tell("--state")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")?;
    let newest = runtime.block_on(async {
        let estate = nats::Estate::open(&server, asked.kept.server.shares).await?;
        nats::newest(&estate, &judging(secret), &asked.user).await
    });
    match newest.or_cannot_tell("--nats")? {
        Some((sequence, share)) => told(asked, &share, ("sequence", sequence)),
        None => Err(nothing()),
    }
}

pub(super) fn nothing() -> Ended {
    Ended::cannot_tell("nothing was learnt yet: there is no snapshot")
}

pub(super) fn judging(secret: Secret) -> Judging {
    let (weights, settings) = (Arc::new(Weights::shipped()), Settings::default());
    Judging { secret, weights, settings, places: Arc::default(), above: Above::Everything }
}

/// Says what is known, up to a place of the input.
fn told(asked: &Explain, share: &Share, (place, at): (&str, u64)) -> Result<(), Ended> {
    let known = share.known(&asked.user);
    let is_asked = |risky: &Risky| {
        asked
            .kept
            .event
            .as_ref()
            .is_none_or(|event| risky.event == *event || risky.id.as_ref() == Some(event))
    };
    let risky: Vec<Value> = share
        .risky(&asked.user)
        .iter()
        .filter(|risky| is_asked(risky))
        .map(|risky| serde_json::from_str(&risky.judgement).unwrap_or_default())
        .collect();
    if asked.json {
        terminal::say_json(&json!({
            "user": asked.user,
            "as_of": { place: at },
            "known": known,
            "risky": risky,
        }))?;
    } else {
        say_known(&asked.user, &known);
        risky.iter().for_each(say_risky);
    }
    let is_known = known.logins > 0 || known.marked != (0, 0) || !risky.is_empty();
    if !is_known || (asked.kept.event.is_some() && risky.is_empty()) {
        return Err(Ended::not(format!("nothing is known of that as of {place} {at}")));
    }
    Ok(())
}

fn say_known(user: &str, known: &Known) {
    terminal::say(&format!("{user}: {} logins learnt", known.logins));
    for network in &known.networks {
        let country = network.country.as_deref().unwrap_or("country unknown");
        let asn = network.asn.map_or_else(|| "network unknown".to_owned(), |asn| format!("AS{asn}"));
        let trust = if network.is_on_probation { ", on probation" } else { "" };
        terminal::say(&format!(
            "  from {country}, {asn} ({}): {} logins{trust}",
            network.kind, network.logins
        ));
    }
    for client in &known.clients {
        let trust = if client.is_on_probation { ", on probation" } else { "" };
        let (browser, system, device) = (client.browser, client.system, client.device);
        terminal::say(&format!("  with {browser} on {system} ({device}): {} logins{trust}", client.logins));
    }
    terminal::say(&format!("  {} targets, {} hosts", known.targets, known.hosts));
    if known.marked != (0, 0) {
        let (legitimate, attacks) = known.marked;
        terminal::say(&format!("  verdicts: {legitimate} legitimate, {attacks} attacks"));
    }
}

fn say_risky(risky: &Value) {
    let text = |key: &str| match risky.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let event = match risky.get("index") {
        Some(index) => index.to_string(),
        None => format!("{}:{}", text("share"), text("sequence")),
    };
    terminal::say(&format!("event {event}: score {}, {}", text("score"), text("action")));
    for reason in risky.get("reasons").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| match reason.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => format!("{:+.2}", number.as_f64().unwrap_or(0.0)),
            _ => "nothing".to_owned(),
        };
        terminal::say(&format!(
            "  {:>6} {}: {}, expected {}",
            part("log_odds"),
            part("term"),
            part("observed"),
            part("expected")
        ));
    }
}
