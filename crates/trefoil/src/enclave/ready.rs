//! Everything an outsider needs to use a running enclave: who listens where, and a line to paste for each example
//! principal. Read from the enclave's folder; printed by `up`, used by `tour`. The JSON form is a promise to tools.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::enclave::ports::Ports;
use crate::ended::Ended;
use crate::folder::{self, Folder};
use crate::terminal::{self, Paint};

pub(crate) const HOST: &str = "127.0.0.1";
pub(crate) const DATABASE: &str = "trefoil";
/// Some of the people of `examples/europe`, of whom the tour tells.
const TOUR: [&str; 3] = ["aoife", "lukas", "wei"];

/// DIR/principals.json: how the example principals log in. For people who try an enclave out; the gate itself holds
/// verifiers alone.
pub(crate) type Logins = BTreeMap<String, Login>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) password: String,
    /// The place that the printed line connects from.
    pub(crate) place: String,
    pub(crate) purpose: Option<String>,
    pub(crate) ticket: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ready {
    pub(crate) dir: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) monitor: String,
    pub(crate) record: PathBuf,
    /// Where the record is served.
    pub(crate) record_url: String,
    pub(crate) sites: Vec<Site>,
    pub(crate) principals: Vec<Principal>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listener {
    pub(crate) place: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Site {
    pub(crate) name: String,
    pub(crate) country: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) admin_url: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Principal {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) place: String,
    pub(crate) psql: String,
}

impl Ready {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        let ports = Ports::read(folder)?;
        let logins: Logins = folder::read_json(&folder.principals())?;
        let estate = crate::enclave::estate::Estate::read(folder)?;
        let ca = folder.operator("ca.pem");
        let port = |place: &str| ports.gate.get(place).copied().unwrap_or_default();
        let listeners = estate.bundle().enclave().places.iter().map(|place| Listener {
            place: place.name.clone(),
            host: HOST.to_owned(),
            port: port(&place.name),
        });
        let named = estate.bundle().directory().principals.iter();
        let principals = named.filter_map(|principal| logins.get_key_value(&principal.name));
        let principals = principals.map(|(name, login)| Principal {
            name: name.clone(),
            password: login.password.clone(),
            place: login.place.clone(),
            psql: psql(name, login, port(&login.place), &ca),
        });
        Ok(Self {
            dir: folder.dir().to_owned(),
            listeners: listeners.collect(),
            monitor: ports.monitor_url(),
            record: folder.record(),
            record_url: ports.record_url(),
            sites: estate.sites(),
            principals: principals.collect(),
            ca,
        })
    }

    /// Whether those are here whose story `tour` tells.
    pub(crate) fn has_tour(&self) -> bool {
        TOUR.iter().all(|name| self.principals.iter().any(|principal| principal.name == *name))
    }

    pub(crate) fn print(&self, json: bool) -> Result<(), Ended> {
        if json {
            return terminal::say_json(self);
        }
        let paint = Paint::for_stdout();
        let mut lines = vec![format!("{} {}", paint.strong("Enclave ready in"), self.dir.display())];
        for site in &self.sites {
            lines.push(format!("  site     {:<14} {}  {}:{}", site.name, site.country, site.host, site.port));
        }
        for listener in &self.listeners {
            lines.push(format!("  gate     {:<14}     {}:{}", listener.place, listener.host, listener.port));
        }
        lines.push(format!("  monitor                     {}", self.monitor));
        lines.push(format!("  record                      {}", self.record_url));
        lines.push(format!("                              {}", self.record.display()));
        lines.push(String::new());
        lines.push(paint.strong("Connect as"));
        for principal in &self.principals {
            lines.push(format!("  {} from {}", principal.name, principal.place));
            lines.push(format!("    {}", principal.psql));
        }
        lines.push(String::new());
        let dir = shell_word(&self.dir.to_string_lossy());
        let look = if self.has_tour() { "tour" } else { "check" };
        lines.push(format!("See the promises kept: trefoil {look} --dir {dir}"));
        terminal::say(&lines.join("\n"));
        Ok(())
    }
}

/// A line to paste into a shell.
fn psql(name: &str, login: &Login, port: u16, ca: &std::path::Path) -> String {
    let settings = [("purpose", &login.purpose), ("ticket", &login.ticket)];
    let options: Vec<String> = settings
        .iter()
        .filter_map(|(key, value)| value.as_ref().map(|value| format!("-c trefoil.{key}={value}")))
        .collect();
    let mut words = vec![
        format!("host={HOST}"),
        format!("port={port}"),
        format!("dbname={DATABASE}"),
        format!("user={}", conninfo_value(name)),
        "sslmode=verify-full".to_owned(),
        format!("sslrootcert={}", conninfo_value(&ca.to_string_lossy())),
    ];
    if !options.is_empty() {
        words.push(format!("options={}", conninfo_value(&options.join(" "))));
    }
    format!("PGPASSWORD={} psql {}", shell_word(&login.password), shell_word(&words.join(" ")))
}

/// A value as libpq's connection strings quote it.
pub(crate) fn conninfo_value(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A word as a POSIX shell quotes it: double quotes, because connection strings are full of single ones.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        if "\"\\$`".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_to_paste() {
        let login = Login {
            password: "s3cret".into(),
            place: "ireland".into(),
            purpose: Some("support".into()),
            ticket: Some("T-1234".into()),
        };
        let check =
            |ca: &str, expected: &str| assert_eq!(psql("aoife", &login, 20001, ca.as_ref()), expected);
        check(
            "/e/operator/ca.pem",
            "PGPASSWORD=s3cret psql \"host=127.0.0.1 port=20001 dbname=trefoil user=aoife sslmode=verify-full \
             sslrootcert=/e/operator/ca.pem options='-c trefoil.purpose=support -c trefoil.ticket=T-1234'\"",
        );
        check(
            "/my $/ca.pem",
            "PGPASSWORD=s3cret psql \"host=127.0.0.1 port=20001 dbname=trefoil user=aoife sslmode=verify-full \
             sslrootcert='/my \\$/ca.pem' options='-c trefoil.purpose=support -c trefoil.ticket=T-1234'\"",
        );
    }
}
