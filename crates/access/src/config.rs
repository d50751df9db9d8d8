//! `gate.toml` and what it points to: raw text becomes a checked configuration once, or the gate does not start.
//! Not here: the meaning of the signed bundle (crate `policy`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::logins::totp::Secret;
use crate::logins::{RawLogins, Settings};
use policy::Network;
use serde::Deserialize;
use tlog::note::{SignedNote, SigningKey, VerifierKey};
use tlog::rule::ReleaseRule;

/// More threads than this only wait for each other.
const WORKERS_MAX: u32 = 1_024;
/// Releases stop within this time when the monitor says nothing.
const LEASE_MS_MAX: u32 = 2_000;
/// Drift that is looked for less often than this is not watched.
const DRIFT_CHECK_SECONDS_MAX: u32 = 3_600;

/// Everything a gate needs to run, read and checked.
#[derive(Debug)]
pub struct Config {
    /// The gate's name, as in the record's entries.
    pub name: String,
    /// The record's origin (C2SP tlog-checkpoint).
    pub origin: String,
    /// The signed policy bundle.
    pub bundle: policy::Bundle,
    /// By which the operator signs bundles, and statements about homes.
    pub bundle_key: VerifierKey,
    /// One listener per office, or one for the proxies before all of them.
    pub listeners: Vec<Listener>,
    /// Connections of one address at once.
    pub connections_per_address_max: u32,
    /// Threads that sessions run on; one for each core when it is not said.
    pub workers: Option<u32>,
    /// How often every site is compared with policy.
    pub drift_check_seconds: u32,
    /// The socket at which the gate says how it is.
    pub status: PathBuf,
    /// The sites, nearest first, each followed by its standby if it has one.
    pub sites: Vec<Site>,
    /// The monitor's address, `https://host:port`.
    pub monitor: String,
    /// By which certificates the monitor and this gate know each other.
    pub monitor_tls: record::Tls,
    /// PEM files of the TLS identity shown to clients.
    pub server_cert: PathBuf,
    /// Its private key.
    pub server_key: PathBuf,
    /// PEM file of the CA that signed the sites' server certificates.
    pub site_ca: PathBuf,
    /// Passwords and verifiers.
    pub secrets: Secrets,
    /// Where they are.
    secrets_file: PathBuf,
    /// Folder of the write-ahead file.
    pub wal: PathBuf,
    /// Folder of sealed details.
    pub details: PathBuf,
    /// Folder of wrapped day keys.
    pub keys: PathBuf,
    /// Folder of what was taken from the day's limits.
    pub usage: PathBuf,
    /// Folder of the published log.
    pub record: PathBuf,
    /// How long after the monitor's last word a session may still be waiting for the next.
    pub lease_ms: u32,
    /// File of what the monitor has stopped.
    pub brakes: PathBuf,
    /// By which the monitor signs what it stops.
    pub brake_key: VerifierKey,
    /// What a checkpoint needs before anything is released under it.
    pub rule: ReleaseRule,
    /// The log's signing key.
    pub log_key: SigningKey,
    /// What is done about suspicious logins.
    pub logins: Settings,
    /// Who can open day keys: age recipients of operator and monitor, and that of the bundle's auditor.
    pub recipients: Vec<String>,
}

/// An address that stands for an office, or that trusted proxies reach and say who they speak for.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The name in enclave.toml of the place of those who connect directly; without it, only proxies may connect.
    pub place: Option<String>,
    /// Where to listen.
    pub address: SocketAddr,
    /// Proxies that send a header of PROXY protocol version 2, which says the client's address; the place follows
    /// from the networks in enclave.toml.
    pub proxy: Vec<Network>,
}

/// The address of a site, or of its standby.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The site's name in enclave.toml, or its standby's.
    pub name: String,
    /// Host name or address, as in the site's server certificate.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Its second server, which serves whoever only reads.
    #[serde(default)]
    standby: Option<Address>,
    /// Of a standby: the site whose it is.
    #[serde(skip)]
    pub of: Option<String>,
}

/// Where a site's standby listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    host: String,
    port: u16,
}

impl Site {
    /// The site's name, as its roles and passwords go by it.
    pub fn site(&self) -> &str {
        self.of.as_ref().unwrap_or(&self.name)
    }

    /// The site, and its standby if it has one.
    fn servers(self) -> impl Iterator<Item = Self> {
        let standby = self.standby.clone().map(|Address { host, port }| Self {
            name: policy::standby_of(&self.name),
            host,
            port,
            database: self.database.clone(),
            standby: None,
            of: Some(self.name.clone()),
        });
        std::iter::once(self).chain(standby)
    }
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
    /// Principal → secret of one-time codes, base 32.
    #[serde(default)]
    totp: BTreeMap<String, String>,
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
    listeners: Vec<RawListener>,
    sites: Vec<Site>,
    connections_per_address_max: u32,
    workers: Option<u32>,
    drift_check_seconds: u32,
    status: PathBuf,
    monitor: String,
    /// The monitor's authority, the certificate that it issued for this gate, and its key.
    monitor_door: PathBuf,
    monitor_cert: PathBuf,
    monitor_key: PathBuf,
    server_cert: PathBuf,
    server_key: PathBuf,
    site_ca: PathBuf,
    secrets: PathBuf,
    wal: PathBuf,
    details: PathBuf,
    keys: PathBuf,
    usage: PathBuf,
    record: PathBuf,
    lease_ms: u32,
    brakes: PathBuf,
    brake_key: String,
    rule: PathBuf,
    log_key: PathBuf,
    recipients: Vec<String>,
    logins: RawLogins,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListener {
    place: Option<String>,
    address: SocketAddr,
    #[serde(default)]
    proxy: Vec<String>,
}

impl Config {
    /// Reads `gate.toml`; paths in it are relative to its own folder.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(&text(file)?).map_err(|e| invalid(file, e.to_string()))?;
        let at = |path: &Path| file.parent().unwrap_or(Path::new(".")).join(path);
        let bundle_key =
            raw.bundle_key.parse::<VerifierKey>().map_err(|e| invalid(file, format!("bundle_key: {e}")))?;
        let bundle = signed_bundle(&at(&raw.bundle), &bundle_key)?;
        let brake_key =
            raw.brake_key.parse::<VerifierKey>().map_err(|e| invalid(file, format!("brake_key: {e}")))?;
        let secrets_file = at(&raw.secrets);
        let secrets: Secrets =
            serde_json::from_str(&text(&secrets_file)?).map_err(|e| invalid(&secrets_file, e.to_string()))?;
        let rule_file = at(&raw.rule);
        let rule = ReleaseRule::parse(&text(&rule_file)?).map_err(|e| invalid(&rule_file, e.to_string()))?;
        let key_file = at(&raw.log_key);
        let log_key =
            text(&key_file)?.trim().parse::<SigningKey>().map_err(|e| invalid(&key_file, e.to_string()))?;
        let monitor_tls = monitor_tls(&at(&raw.monitor_door), &at(&raw.monitor_cert), &at(&raw.monitor_key))?;
        check_names(file, &raw, &bundle)?;
        let mut recipients = raw.recipients.clone();
        let auditor = bundle.enclave().auditor.iter();
        recipients.extend(auditor.filter(|auditor| !raw.recipients.contains(auditor)).cloned());
        check_bounds(file, &raw)?;
        Ok(Self {
            listeners: listeners(file, raw.listeners, &bundle)?,
            bundle,
            bundle_key,
            connections_per_address_max: raw.connections_per_address_max,
            workers: raw.workers,
            drift_check_seconds: raw.drift_check_seconds,
            status: at(&raw.status),
            sites: raw.sites.into_iter().flat_map(Site::servers).collect(),
            monitor: raw.monitor,
            monitor_tls,
            server_cert: at(&raw.server_cert),
            server_key: at(&raw.server_key),
            site_ca: at(&raw.site_ca),
            secrets,
            secrets_file,
            logins: raw.logins.check(at).map_err(|problem| invalid(file, problem))?,
            wal: at(&raw.wal),
            details: at(&raw.details),
            keys: at(&raw.keys),
            usage: at(&raw.usage),
            record: at(&raw.record),
            lease_ms: raw.lease_ms,
            brakes: at(&raw.brakes),
            brake_key,
            rule,
            log_key,
            recipients,
            name: raw.name,
            origin: raw.origin,
        })
    }
}

impl Config {
    /// The secret of a principal's one-time codes, if there is one: as the file says now, because an operator sets one up
    /// for somebody who waits.
    pub(crate) fn totp(&self, principal: &str) -> Result<Option<Secret>, Fault> {
        let wrong = |problem: String| Fault::ours(format!("{}: {problem}", self.secrets_file.display()));
        let text = text(&self.secrets_file).map_err(|error| Fault::ours(error.to_string()))?;
        let secrets: Secrets = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let secret = secrets.totp.get(principal).map(|text| Secret::parse(text)).transpose();
        secret.map_err(|error| wrong(format!("totp: {principal}: {error}")))
    }

    /// Whether a principal can give a second proof.
    pub(crate) fn has_totp(&self, principal: &str) -> bool {
        self.totp(principal).is_ok_and(|secret| secret.is_some())
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

/// Every site of the configuration is one of the signed bundle.
fn check_names(file: &Path, raw: &Raw, bundle: &policy::Bundle) -> Result<(), ConfigError> {
    let enclave = bundle.enclave();
    for site in &raw.sites {
        let Some(known) = enclave.sites.iter().find(|s| s.name == site.name) else {
            return Err(invalid(file, format!("sites: `{}` is no site of enclave.toml", site.name)));
        };
        if site.standby.is_some() && !known.standby {
            let problem =
                format!("sites: `{}` has no standby in enclave.toml; set `standby = true` there", site.name);
            return Err(invalid(file, problem));
        }
    }
    if raw.sites.is_empty() || raw.listeners.is_empty() {
        return Err(invalid(file, "a gate needs at least one site and one listener".into()));
    }
    Ok(())
}

fn check_bounds(file: &Path, raw: &Raw) -> Result<(), ConfigError> {
    for (key, value, max) in [
        ("connections_per_address_max", raw.connections_per_address_max, u32::MAX),
        ("workers", raw.workers.unwrap_or(1), WORKERS_MAX),
        ("drift_check_seconds", raw.drift_check_seconds, DRIFT_CHECK_SECONDS_MAX),
        ("lease_ms", raw.lease_ms, LEASE_MS_MAX),
    ] {
        if !(1..=max).contains(&value) {
            return Err(invalid(file, format!("{key}: {value} is not between 1 and {max}")));
        }
    }
    Ok(())
}

/// Every listener knows where those come from who connect to it.
fn listeners(
    file: &Path,
    raw: Vec<RawListener>,
    bundle: &policy::Bundle,
) -> Result<Vec<Listener>, ConfigError> {
    let places = &bundle.enclave().places;
    let mut listeners = Vec::with_capacity(raw.len());
    for RawListener { place, address, proxy } in raw {
        if let Some(place) = place.as_ref().filter(|place| places.iter().all(|known| known.name != **place)) {
            return Err(invalid(file, format!("listeners: `{place}` is no place of enclave.toml")));
        }
        let network = |text: &String| {
            let problem = || format!("listeners: proxy: `{text}` is not a network, such as 10.1.0.0/16");
            Network::parse(text).ok_or_else(|| invalid(file, problem()))
        };
        let proxy = proxy.iter().map(network).collect::<Result<Vec<_>, _>>()?;
        if place.is_none() && proxy.is_empty() {
            let problem = format!("listeners: {address} has neither a place nor a trusted proxy");
            return Err(invalid(file, problem));
        }
        if !proxy.is_empty() && places.iter().all(|place| place.networks.is_empty()) {
            let problem = "listeners: proxy: no place of enclave.toml has networks, so nobody could come in";
            return Err(invalid(file, problem.into()));
        }
        listeners.push(Listener { place, address, proxy });
    }
    Ok(listeners)
}

/// What the monitor is believed and shown, from files in PEM.
pub fn monitor_tls(door: &Path, cert: &Path, key: &Path) -> Result<record::Tls, ConfigError> {
    let tls = record::Tls::of_monitor(&bytes(door)?, &bytes(cert)?, &bytes(key)?);
    tls.map_err(|error| invalid(cert, error.to_string()))
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
