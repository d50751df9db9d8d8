//! `trefoil confirm`: a second proof, given to the gate by a connection of its own. The code is seen by a gate that shows a
//! fitting certificate and by nobody else. Not here: what a code is (`access::totp`).

mod passfile;

use std::future::poll_fn;
use std::io::{BufRead, IsTerminal, Write};

use serde_json::json;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::catalog::connect;
use crate::cli::confirm::Confirm;
use crate::enclave::ready::DATABASE;
use crate::ended::{Ended, OrEnded};
use crate::terminal;

const DIGITS: usize = 6;
const PORT_DEFAULT: u16 = 5432;

pub(crate) fn run(asked: &Confirm) -> Result<(), Ended> {
    let (mut config, tls) = connect::verified(&target(asked))?;
    if config.get_user().is_none() {
        return Err(Ended::cannot_tell("who are you? Write user=NAME, or set PGUSER"));
    }
    if config.get_dbname().is_none() {
        config.dbname(DATABASE);
    }
    let password = match config.get_password() {
        Some(_) => None,
        None => Some(password(&config)?),
    };
    if let Some(password) = password {
        config.password(password);
    }
    let code = match &asked.code {
        Some(code) => code.clone(),
        None => prompt("One-time code: ")?,
    };
    if code.len() != DIGITS || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Ended::cannot_tell(format!(
            "a code is {DIGITS} digits, as your authenticator app shows them"
        )));
    }
    let options = config.get_options().map_or_else(String::new, |options| format!("{options} "));
    config.options(format!("{options}-c trefoil.confirm={code}")).application_name("trefoil confirm");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let said = runtime.or_cannot_tell("starting")?.block_on(ask(&config, tls))?;
    if asked.json {
        return terminal::say_json(&json!({ "confirmed": true, "said": said }));
    }
    terminal::say(&said);
    Ok(())
}

/// What was written, or what the environment says, as libpq reads it.
fn target(asked: &Confirm) -> String {
    let mut target = asked.target.clone().unwrap_or_default();
    if target.contains("://") {
        return target;
    }
    for (word, variable) in
        [("host", "PGHOST"), ("port", "PGPORT"), ("user", "PGUSER"), ("sslrootcert", "PGSSLROOTCERT")]
    {
        let is_said =
            target.split_whitespace().any(|pair| pair.split_once('=').is_some_and(|(key, _)| key == word));
        if let (false, Ok(value)) = (is_said, std::env::var(variable)) {
            target.push_str(&format!(" {word}={value}"));
        }
    }
    target
}

/// Connects; what the gate said when it was content.
async fn ask(config: &Config, tls: rustls::ClientConfig) -> Result<String, Ended> {
    let connected = config.connect(MakeRustlsConnect::new(tls)).await;
    let (client, mut connection) = connected.map_err(|error| told(&error))?;
    drop(client);
    let mut said = None;
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => said = Some(notice.message().to_owned()),
            Ok(_) => {}
            Err(error) if said.is_none() => return Err(told(&error)),
            // It has hung up, as it does when it has said so.
            Err(_) => break,
        }
    }
    said.ok_or_else(|| {
        Ended::cannot_tell("the server says nothing of a confirmation; is it a gate of Trefoil?")
    })
}

/// What the gate refuses is refused; what else goes wrong cannot be told.
fn told(error: &tokio_postgres::Error) -> Ended {
    if let Some(said) = error.as_db_error() {
        let hint = said.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        return Ended::not(format!("{}{hint}", said.message()));
    }
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Ended::cannot_tell(format!("connecting to the gate: {error}{cause}"))
}

fn password(config: &Config) -> Result<String, Ended> {
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Ok(password);
    }
    let host = config.get_hosts().iter().find_map(|host| match host {
        Host::Tcp(host) => Some(host.as_str()),
        Host::Unix(_) => None,
    });
    let port = config.get_ports().first().copied().unwrap_or(PORT_DEFAULT);
    let (database, user) = (config.get_dbname().unwrap_or(DATABASE), config.get_user().unwrap_or_default());
    let asked = passfile::Asked { host: host.unwrap_or("localhost"), port, database, user };
    if let Some(password) = passfile::find(&asked)? {
        return Ok(password);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Ended::cannot_tell("no password: set PGPASSWORD, or write it into ~/.pgpass"));
    }
    rpassword::prompt_password(format!("Password of {user}: ")).or_cannot_tell("reading the password")
}

fn prompt(what: &str) -> Result<String, Ended> {
    let mut terminal = std::io::stderr().lock();
    terminal
        .write_all(what.as_bytes())
        .and_then(|()| terminal.flush())
        .or_cannot_tell("asking for a code")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).or_cannot_tell("reading the code")?;
    Ok(line.trim().to_owned())
}
