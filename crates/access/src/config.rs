//! `gate.toml` and what it points to: raw text becomes a checked configuration once, or the gate does not start.
//! Not here: the meaning of the signed bundle (crate `policy`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tlog::note::{SignedNote, SigningKey, VerifierKey};
use tlog::rule::ReleaseRule;

/// Everything a gate needs to run, read and checked.
#[derive(Debug)]
pub struct Config {
    /// The gate's name, as in the record's entries.
    pub name: String,
    /// The record's origin (C2SP tlog-checkpoint).
    pub origin: String,
    /// The signed policy bundle.
    pub bundle: policy::Bundle,
    /// One listener per office.
    pub listeners: Vec<Listener>,
    /// The sites, nearest first.
    pub sites: Vec<Site>,
    /// The monitor's address, `http://host:port`.
    pub monitor: String,
    /// PEM files of the TLS identity shown to clients.
    pub server_cert: PathBuf,
    /// Its private key.
    pub server_key: PathBuf,
    /// PEM file of the CA that signed the sites' server certificates.
    pub site_ca: PathBuf,
    /// Passwords and verifiers.
    pub secrets: Secrets,
    /// Folder of the write-ahead file.
    pub wal: PathBuf,
    /// Folder of sealed details.
    pub details: PathBuf,
    /// Folder of wrapped day keys.
    pub keys: PathBuf,
    /// Folder of the published log.
    pub record: PathBuf,
    /// What a checkpoint needs before anything is released under it.
    pub rule: ReleaseRule,
    /// The log's signing key.
    pub log_key: SigningKey,
    /// Who can open day keys: age recipients of operator, monitor and auditor.
    pub recipients: Vec<String>,
}

/// An address that stands for an office.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The place's name in enclave.toml.
    pub place: String,
    /// Where to listen.
    pub address: SocketAddr,
}

/// A site's address.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The site's name in enclave.toml.
    pub name: String,
    /// Host name or address, as in the site's server certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database.
    pub database: String,
}

/// `secrets.json`, readable by the gate alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Pool role → password.
    pub pool: BTreeMap<String, String>,
    /// Principal → SCRAM-SHA-256 verifier.
    pub principals: BTreeMap<String, String>,
    /// Site → password of `trefoil_watch`.
    pub watch: BTreeMap<String, String>,
}

/// Why the gate does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is missing or unreadable.
    #[error("{file}: cannot be read: {source}; run `trefoil up`, or restore it")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not say what it must.
    #[error("{file}: {problem}")]
    Invalid {
        /// Which.
        file: PathBuf,
        /// Line, key, and what to do.
        problem: String,
    },
    /// The bundle's own errors, each with file, line and key.
    #[error("the policy bundle is refused:\n{}", .0.iter().map(|e| format!("  {e}")).collect::<Vec<_>>().join("\n"))]
    Bundle(Vec<policy::ConfigError>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    origin: String,
    bundle: PathBuf,
    bundle_key: String,
    listeners: Vec<Listener>,
    sites: Vec<Site>,
    monitor: String,
    server_cert: PathBuf,
    server_key: PathBuf,
    site_ca: PathBuf,
    secrets: PathBuf,
    wal: PathBuf,
    details: PathBuf,
    keys: PathBuf,
    record: PathBuf,
    rule: PathBuf,
    log_key: PathBuf,
    recipients: Vec<String>,
}

impl Config {
    /// Reads `gate.toml`; paths in it are relative to its own folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(&text(file)?).map_err(|e| invalid(file, e.to_string()))?;
        let at = |path: &Path| file.parent().unwrap_or(Path::new(".")).join(path);
        let bundle_key =
            raw.bundle_key.parse::<VerifierKey>().map_err(|e| invalid(file, format!("bundle_key: {e}")))?;
        let bundle = signed_bundle(&at(&raw.bundle), &bundle_key)?;
        let secrets_file = at(&raw.secrets);
        let secrets: Secrets =
            serde_json::from_str(&text(&secrets_file)?).map_err(|e| invalid(&secrets_file, e.to_string()))?;
        let rule_file = at(&raw.rule);
        let rule = ReleaseRule::parse(&text(&rule_file)?).map_err(|e| invalid(&rule_file, e.to_string()))?;
        let key_file = at(&raw.log_key);
        let log_key =
            text(&key_file)?.trim().parse::<SigningKey>().map_err(|e| invalid(&key_file, e.to_string()))?;
        check_names(file, &raw, &bundle)?;
        Ok(Self {
            bundle,
            listeners: raw.listeners,
            sites: raw.sites,
            monitor: raw.monitor,
            server_cert: at(&raw.server_cert),
            server_key: at(&raw.server_key),
            site_ca: at(&raw.site_ca),
            secrets,
            wal: at(&raw.wal),
            details: at(&raw.details),
            keys: at(&raw.keys),
            record: at(&raw.record),
            rule,
            log_key,
            recipients: raw.recipients,
            name: raw.name,
            origin: raw.origin,
        })
    }
}

/// The bundle in a folder, if the operator's key signed exactly these files.
///
/// `bundle.note` is a signed note over `trefoil bundle v1\n<hash>\n`.
pub fn signed_bundle(folder: &Path, key: &VerifierKey) -> Result<policy::Bundle, ConfigError> {
    let bundle = policy::Bundle::read(&bundle_files(folder)?).map_err(ConfigError::Bundle)?;
    let file = folder.join("bundle.note");
    let note = SignedNote::parse(&text(&file)?).map_err(|e| invalid(&file, e.to_string()))?;
    let signed = note.verify(std::slice::from_ref(key)).is_ok_and(|verified| !verified.is_empty());
    if !signed {
        let problem = format!("not signed by {}; sign it with `trefoil policy sign`", key.name());
        return Err(invalid(&file, problem));
    }
    if note.text != bundle_note_text(&bundle) {
        let problem = "signed for other files than these; sign them with `trefoil policy sign`";
        return Err(invalid(&file, problem.into()));
    }
    Ok(bundle)
}

/// The text that the operator signs.
pub fn bundle_note_text(bundle: &policy::Bundle) -> String {
    format!("trefoil bundle v1\n{}\n", bundle.hash())
}

/// The files of a bundle in a folder, by their path in it.
pub fn bundle_files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, ConfigError> {
    let mut files = BTreeMap::new();
    for name in ["enclave.toml", "catalog.toml", "directory.toml"] {
        files.insert(name.to_owned(), bytes(&folder.join(name))?);
    }
    let policies = folder.join("policy");
    let unreadable = |source| ConfigError::Read { file: policies.clone(), source };
    for entry in std::fs::read_dir(&policies).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".cedar") {
            files.insert(format!("policy/{name}"), bytes(&path)?);
        }
    }
    Ok(files)
}

/// Every site and place of the configuration is one of the signed bundle.
fn check_names(file: &Path, raw: &Raw, bundle: &policy::Bundle) -> Result<(), ConfigError> {
    let enclave = bundle.enclave();
    for site in &raw.sites {
        if !enclave.sites.iter().any(|s| s.name == site.name) {
            return Err(invalid(file, format!("sites: `{}` is no site of enclave.toml", site.name)));
        }
    }
    for listener in &raw.listeners {
        if !enclave.places.iter().any(|p| p.name == listener.place) {
            return Err(invalid(
                file,
                format!("listeners: `{}` is no place of enclave.toml", listener.place),
            ));
        }
    }
    if raw.sites.is_empty() || raw.listeners.is_empty() {
        return Err(invalid(file, "a gate needs at least one site and one listener".into()));
    }
    Ok(())
}

fn text(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.into(), source })
}

fn bytes(file: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file).map_err(|source| ConfigError::Read { file: file.into(), source })
}

fn invalid(file: &Path, problem: String) -> ConfigError {
    ConfigError::Invalid { file: file.into(), problem }
}
