//! monitor.toml, read once into checked values, and the monitor's own secret keys. Every value has one meaning and
//! none has a default: what is missing refuses the start.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tlog::{
    entry::Micros,
    note::{KeyType, SigningKey, VerifierKey},
};

use crate::{
    brake::rules::{RawBrakes, Rules},
    ca::{Ca, CaError},
    detect::{self, Thresholds},
    folder::{self, Folder, FolderError},
    incident::report::Contacts,
    notify::RawOutput,
    own::RawOwn,
    watch::config::RawSites,
};

/// Why the configuration or a key cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("monitor.toml: {0}")]
    Toml(#[from] toml::de::Error),
    #[error("{key}: {problem}; {remedy}")]
    Value { key: &'static str, problem: String, remedy: &'static str },
    #[error("{file}: {problem}; put the original back, or make a new monitor with `trefoil-monitor init`")]
    Key { file: &'static str, problem: String },
    #[error("ca.pem: {0}")]
    Ca(#[from] CaError),
    #[error("witness.toml: {0}")]
    WitnessToml(toml::de::Error),
}

/// monitor.toml as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// Address to serve batches on.
    pub listen: String,
    /// Origin of the log that is followed.
    pub origin: String,
    /// The log's verifier key.
    pub log: String,
    /// The operator's verifier key for policy bundles.
    pub bundle: String,
    /// What is stopped without anybody's asking.
    pub brakes: RawBrakes,
    /// When a detector speaks.
    pub detect: Thresholds,
    /// The monitor's own record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<RawOwn>,
    /// Who reports incidents to whom.
    #[serde(default)]
    pub report: Contacts,
    /// Who else is told of incidents, by name.
    #[serde(default)]
    pub notify: BTreeMap<String, RawOutput>,
    /// Where the monitor reads what the sites count, and ends sessions there. Without it no site is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sites: Option<RawSites>,
}

/// monitor.toml, checked.
pub struct Config {
    pub listen: SocketAddr,
    pub origin: String,
    pub log: VerifierKey,
    pub bundle: VerifierKey,
    pub brakes: Rules,
    pub detect: Thresholds,
    pub own: RawOwn,
    pub report: Contacts,
    pub notify: BTreeMap<String, RawOutput>,
    pub sites: Option<RawSites>,
}

impl Config {
    pub fn read(folder: &Folder) -> Result<Config, ConfigError> {
        Config::check(toml::from_str(&folder::read_text(&folder.config())?)?)
    }

    pub fn check(raw: RawConfig) -> Result<Config, ConfigError> {
        let listen = listen(&raw.listen)?;
        if raw.origin.is_empty() || raw.origin.contains(char::is_whitespace) || raw.origin.contains('+') {
            return Err(ConfigError::Value {
                key: "origin",
                problem: format!("{:?} is not a log's name", raw.origin),
                remedy: "write the first line of the log's checkpoints",
            });
        }
        let log = verifier("log", &raw.log)?;
        let bundle = verifier("bundle", &raw.bundle)?;
        let brakes = Rules::check(&raw.brakes, &detect::NAMES).map_err(|problem| ConfigError::Value {
            key: "brakes",
            problem,
            remedy: "correct the rule, or take it out",
        })?;
        let own = raw.own.ok_or_else(|| ConfigError::Value {
            key: "own",
            problem: "the section is missing".to_owned(),
            remedy: "make a new monitor with `trefoil-monitor init`",
        })?;
        let detect = raw.detect.check().map_err(|e| ConfigError::Value {
            key: "detect",
            problem: e.to_string(),
            remedy: "write it as `trefoil-monitor init` does",
        })?;
        let (report, notify, sites) = (raw.report, raw.notify, raw.sites);
        Ok(Config { detect, listen, origin: raw.origin, log, bundle, brakes, own, report, notify, sites })
    }
}

pub(crate) fn listen(text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|e| ConfigError::Value {
        key: "listen",
        problem: format!("{text:?}: {e}"),
        remedy: "write an address and a port, such as 127.0.0.1:7480",
    })
}

pub(crate) fn verifier(key: &'static str, text: &str) -> Result<VerifierKey, ConfigError> {
    let remedy = "write an Ed25519 verifier key, name+id+base64, as `trefoil record keys` prints it";
    let wrong = |problem: String| ConfigError::Value { key, problem, remedy };
    let parsed: VerifierKey = text.parse().map_err(|e| wrong(format!("{e}")))?;
    if parsed.key_type() != KeyType::Ed25519 {
        return Err(wrong("not a key of type 01".to_owned()));
    }
    Ok(parsed)
}

/// The monitor's secrets, and what they sign as.
pub struct Keys {
    /// Says: append-only, and the largest seen.
    pub witness: SigningKey,
    /// Says: I hold every entry and would have decided the same.
    pub redecided: SigningKey,
    pub ca: Ca,
    /// `AGE-SECRET-KEY-1…`, which unwraps the day keys.
    pub identity: String,
}

/// The two keys that cosign.
pub struct Cosigners {
    /// Says: append-only, and the largest seen.
    pub witness: SigningKey,
    /// Says: I hold every entry and would have decided the same.
    pub redecided: SigningKey,
}

impl Cosigners {
    pub fn read(folder: &Folder) -> Result<Cosigners, ConfigError> {
        let witness = cosigner("witness.key", &folder::read_secret(&folder.witness_key())?)?;
        let redecided = cosigner("redecided.key", &folder::read_secret(&folder.redecided_key())?)?;
        let (one, other) = (witness.verifier(), redecided.verifier());
        if one.name() == other.name() || one.public() == other.public() {
            // An Ed25519 cosignature binds no name: two statements need two keys.
            let problem = "the same name or key as witness.key".to_owned();
            return Err(ConfigError::Key { file: "redecided.key", problem });
        }
        Ok(Cosigners { witness, redecided })
    }
}

impl Keys {
    pub fn read(folder: &Folder, now: Micros) -> Result<Keys, ConfigError> {
        let Cosigners { witness, redecided } = Cosigners::read(folder)?;
        let cert = folder::read_text(&folder.ca_cert())?;
        let ca = Ca::read(&cert, &folder::read_secret(&folder.ca_key())?, now)?;
        let identity = folder::read_secret(&folder.identity())?.trim().to_owned();
        identity
            .parse::<age::x25519::Identity>()
            .map_err(|problem| ConfigError::Key { file: "detail.age", problem: problem.to_owned() })?;
        Ok(Keys { witness, redecided, ca, identity })
    }
}

fn cosigner(file: &'static str, text: &str) -> Result<SigningKey, ConfigError> {
    let wrong = |problem: String| ConfigError::Key { file, problem };
    let key: SigningKey = text.trim().parse().map_err(|e| wrong(format!("{e}")))?;
    if key.verifier().key_type() != KeyType::CosignatureV1 {
        return Err(wrong("not a key of type 04 (cosignature/v1)".to_owned()));
    }
    Ok(key)
}
