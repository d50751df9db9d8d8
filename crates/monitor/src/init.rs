//! Makes a monitor: its keys, its certificate authority, its age identity, its copy of the signed bundle and its
//! configuration. Randomness comes from the operating system here and nowhere else.

use std::path::Path;

use age::secrecy::ExposeSecret;
use rand::{TryRngCore, rngs::OsRng};
use serde::Serialize;
use thiserror::Error;
use tlog::{
    entry::Micros,
    note::{KeyError, KeyType, SigningKey},
    rule::{ReleaseRule, RuleTextError},
};

use crate::{
    bundle::{self, BundleError},
    ca::{self, CaError},
    config::{self, Config, ConfigError, RawConfig},
    folder::{Folder, FolderError, write_file},
    own::RawOwn,
};

/// What a monitor is made from.
pub struct Plan<'a> {
    pub config: RawConfig,
    /// Folder of the operator's signed bundle.
    pub bundle: &'a Path,
    /// Names of the two cosigners; made from the enclave's name when absent.
    pub witness_name: Option<String>,
    pub redecided_name: Option<String>,
    /// Origin of the monitor's own record; likewise.
    pub own_origin: Option<String>,
}

/// What the operator needs to know of the monitor: all of it public.
#[derive(Debug, Serialize)]
pub struct Made {
    /// Verifier key of the witness.
    pub witness: String,
    /// Verifier key of the second decision.
    pub redecided: String,
    /// File of the authority's certificate, for `ssl_ca_file` at the sites.
    pub ca: String,
    /// File of the certificate by which gates know the monitor.
    pub door: String,
    /// Verifier key of brakes.
    pub brake: String,
    /// Whom day keys are wrapped for, `age1…`.
    pub recipient: String,
    /// Hash of the accepted policy bundle.
    pub policy: String,
    /// Verifier key of the monitor's own record.
    pub own: String,
}

/// Why no monitor was made.
#[derive(Debug, Error)]
pub enum InitError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("{name:?} cannot be a cosigner's name: {problem}")]
    Name { name: String, problem: KeyError },
    #[error("both cosigners are named {0:?}; give them two names")]
    SameName(String),
    #[error("the operating system gave no randomness: {0}")]
    Random(#[from] rand::rand_core::OsError),
    #[error("monitor.toml: {0}")]
    Toml(#[from] toml::ser::Error),
    #[error("the rule of the own record: {0}")]
    Rule(#[from] RuleTextError),
}

/// Makes the folder. Everything is checked before anything is written, and monitor.toml is written last: without it
/// the folder is no monitor's, and making one can be tried again.
pub fn init(folder: &Folder, mut plan: Plan<'_>, now: Micros) -> Result<Made, InitError> {
    let operator = config::verifier("bundle", &plan.config.bundle)?;
    let signed = bundle::read(plan.bundle, &operator)?;
    let enclave = signed.bundle.enclave().name.clone();
    let own_origin = plan.own_origin.take().unwrap_or_else(|| format!("{enclave}-monitor.example/incidents"));
    let own = key(own_origin.clone(), KeyType::Ed25519)?;
    let auditor = signed.bundle.enclave().auditor.clone();
    plan.config.own = Some(RawOwn { origin: own_origin, auditor });
    let text = toml::to_string(&plan.config)?;
    Config::check(plan.config)?;
    let named = |name: Option<String>, what: &str| {
        name.unwrap_or_else(|| format!("{enclave}-monitor.example/{what}"))
    };
    let witness = cosigner(named(plan.witness_name, "witness"))?;
    let redecided = cosigner(named(plan.redecided_name, "redecided"))?;
    if witness.name() == redecided.name() {
        return Err(InitError::SameName(witness.name().to_owned()));
    }
    let brake = key(format!("{enclave}-monitor.example/brake"), KeyType::Ed25519)?;
    let authority = ca::make(&format!("{enclave} monitor CA"), now)?;
    let door = ca::make(&format!("{enclave} monitor door"), now)?;
    let identity = age::x25519::Identity::generate();

    folder.create()?;
    bundle::accept(&folder.bundles(), &signed, now)?;
    let secret =
        |path: &Path, text: &str| write_file(path, format!("{}\n", text.trim_end()).as_bytes(), 0o600);
    secret(&folder.witness_key(), &witness.to_secret_text())?;
    secret(&folder.redecided_key(), &redecided.to_secret_text())?;
    secret(&folder.own_key(), &own.to_secret_text())?;
    secret(&folder.brake_key(), &brake.to_secret_text())?;
    secret(&folder.ca_key(), &authority.key_pem)?;
    secret(&folder.identity(), identity.to_string().expose_secret())?;
    secret(&folder.door_key(), &door.key_pem)?;
    write_file(&folder.door_cert(), door.cert_pem.as_bytes(), 0o644)?;
    let rule = ReleaseRule::all_of(own.verifier(), &[])?;
    write_file(&folder.own_rule(), rule.to_string().as_bytes(), 0o644)?;
    write_file(&folder.ca_cert(), authority.cert_pem.as_bytes(), 0o644)?;
    write_file(&folder.config(), text.as_bytes(), 0o600)?;
    Ok(Made {
        witness: witness.verifier().to_string(),
        redecided: redecided.verifier().to_string(),
        ca: folder.ca_cert().display().to_string(),
        door: folder.door_cert().display().to_string(),
        brake: brake.verifier().to_string(),
        recipient: identity.to_public().to_string(),
        policy: signed.bundle.hash().to_string(),
        own: own.verifier().to_string(),
    })
}

/// A key that cosigns, under this name.
pub(crate) fn cosigner(name: String) -> Result<SigningKey, InitError> {
    key(name, KeyType::CosignatureV1)
}

fn key(name: String, kind: KeyType) -> Result<SigningKey, InitError> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed)?;
    SigningKey::from_seed(&name, kind, seed).map_err(|problem| InitError::Name { name, problem })
}
