//! The first start: keys, bundle, monitor, sites, people, profiles, and the gate's configuration. An interrupted one is
//! cleared and done again, because half an enclave has nothing worth keeping.

use std::fs;
use std::path::Path;

use policy::Bundle;
use serde::Serialize;

use crate::cli::Up;
use crate::clock;
use crate::enclave::estate::{self, Estate};
use crate::enclave::ports::Ports;
use crate::enclave::ready::{DATABASE, HOST};
use crate::ended::{Ended, OrEnded};
use crate::example;
use crate::folder::{self, Folder, MONITOR_CERT, MONITOR_DOOR, MONITOR_KEY, STATUS_SOCKET};
use crate::policy_files;
use crate::record_log::RULE_FILE;
use crate::residency;
use crate::up::keys::{self, OperatorKeys};
use crate::up::monitor::{self, GATE, MonitorKeys};
use crate::up::parts::Parts;
use crate::up::progress::Progress;
use crate::up::rule::{self, OfMonitor};
use crate::up::secrets::{self, Secrets};
use crate::up::told;

/// On one machine every client has the same address, so this is most of what the gate takes at all.
const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1_536;
const DRIFT_CHECK_SECONDS: u32 = 30;
/// Two seconds after the monitor's last word nothing is released any more, and whoever waits has been told.
const LEASE_MS: u32 = 2_000;
/// The operator's copy of the certificate that the sites trust for log-ins.
const MONITOR_CA: &str = "monitor-ca.pem";

/// Makes the enclave; its sites run when this returns, the other parts do not.
pub(crate) async fn start(
    folder: &Folder,
    asked: &Up,
    parts: &mut Parts,
    progress: &Progress,
) -> Result<Estate, Ended> {
    if folder.has_remains() {
        progress.step("clearing what an interrupted first start left");
        folder.clear().or_cannot_tell("clearing what an interrupted first start left")?;
        folder.begin().or_cannot_tell("making the folder again")?;
    }
    progress.step("writing the policy bundle, making keys");
    write_bundle(folder, asked.enclave_files.as_deref())?;
    keys::make_auditor(folder)?;
    let bundle = estate::read_bundle(folder)?;
    let keys = keys::make(folder, &bundle.enclave().name)?;
    policy_files::sign_bundle(folder, &bundle)?;
    let ports = Ports::choose(None, &places(&bundle), &servers(&bundle))?;
    ports.write(folder)?;
    let monitor = monitor::init(folder, &bundle, &keys, &ports)?;
    let mut secrets = Secrets::default();
    secrets.complete(&bundle);
    let logins = secrets::example_logins(&bundle);
    secrets.set_principals(&logins)?;
    secrets.write(folder)?;
    residency::write_checker(folder, asked.country_file.as_deref())?;
    told::tell(folder, &bundle, &ports, &secrets)?;
    folder::write_secret(&folder.principals(), &folder::json_bytes(&logins)?)?;
    configure_gate(folder, &bundle, &ports, &keys, &monitor)?;

    let estate = Estate::at(folder, &ports)?;
    folder::write_public(&folder.operator(MONITOR_CA), monitor.ca.as_bytes())?;
    progress.step("making the sites");
    configure_sites(folder, &estate)?;
    parts.know(&estate, &ports);
    parts.start_sites(&estate, progress).await?;
    let generate = sites::Generate { seed: asked.seed, subjects: u64::from(asked.subjects) };
    provision(&estate, generate, &secrets, progress).await?;
    prepare_standbys(folder, &estate, progress).await?;
    folder.mark_complete().or_cannot_tell("finishing the first start")?;
    Ok(estate)
}

pub(crate) fn places(bundle: &Bundle) -> Vec<String> {
    bundle.enclave().places.iter().map(|place| place.name.clone()).collect()
}

/// The names of every server: the sites' own and their standbys'.
pub(crate) fn servers(bundle: &Bundle) -> Vec<String> {
    let of_site = |site: &policy::Site| {
        let standby = site.standby.then(|| policy::standby_of(&site.name));
        std::iter::once(site.name.clone()).chain(standby)
    };
    bundle.enclave().sites.iter().flat_map(of_site).collect()
}

/// The enclave's files: the example of Europe, or those of a folder.
fn write_bundle(folder: &Folder, files: Option<&Path>) -> Result<(), Ended> {
    let policies = folder.bundle().join("policy");
    fs::create_dir_all(&policies).or_cannot_tell(format!("making {}", policies.display()))?;
    if let Some(from) = files {
        let files = access::bundle_files(from).or_cannot_tell(format!("reading {}", from.display()))?;
        for (name, bytes) in files {
            folder::write_public(&folder.bundle().join(name), &bytes)?;
        }
        return Ok(());
    }
    for (name, text) in example::EUROPE {
        folder::write_public(&folder.bundle().join(name), text.as_bytes())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct GateToml {
    name: String,
    origin: String,
    bundle: String,
    bundle_key: String,
    connections_per_address_max: u32,
    drift_check_seconds: u32,
    status: &'static str,
    monitor: String,
    monitor_door: &'static str,
    monitor_cert: &'static str,
    monitor_key: &'static str,
    server_cert: &'static str,
    server_key: &'static str,
    site_ca: String,
    secrets: &'static str,
    wal: &'static str,
    details: &'static str,
    keys: &'static str,
    usage: &'static str,
    record: String,
    lease_ms: u32,
    brakes: &'static str,
    brake_key: String,
    rule: &'static str,
    log_key: &'static str,
    recipients: Vec<String>,
    listeners: Vec<GateListener>,
    sites: Vec<GateSite>,
    logins: GateLogins,
}

/// What is done about suspicious logins.
#[derive(Serialize)]
struct GateLogins {
    mode: &'static str,
    folder: &'static str,
    step_up: f64,
    block: f64,
    learning_days: u32,
    pass_minutes: u32,
    response_minutes: u32,
    never_blocked: [&'static str; 2],
}

impl GateLogins {
    /// Scores as the engine's weights were trained for, but that a second proof answers for nearly all that is unusual. On
    /// one machine every client has the same address, which is no reason to stop them all.
    fn at_first() -> Self {
        let risk::Settings { step_up_at, block_at, .. } = risk::Settings::default();
        Self {
            mode: "enforce",
            folder: "risk",
            step_up: step_up_at,
            block: block_at + SECOND_PROOF_LOG_ODDS,
            learning_days: 7,
            pass_minutes: 5,
            response_minutes: 60,
            never_blocked: ["127.0.0.1/32", "::1/128"],
        }
    }
}

/// Between what an engine without a second proof would refuse and what no second proof answers for.
const SECOND_PROOF_LOG_ODDS: f64 = 4.0;

#[derive(Serialize)]
struct GateListener {
    place: String,
    address: String,
}

#[derive(Serialize)]
struct GateSite {
    name: String,
    host: &'static str,
    port: u16,
    database: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    standby: Option<GateStandby>,
}

#[derive(Serialize)]
struct GateStandby {
    host: &'static str,
    port: u16,
}

/// Writes DIR/gate/gate.toml and the rule that the gate releases under. Paths are relative to the gate's folder.
fn configure_gate(
    folder: &Folder,
    bundle: &Bundle,
    ports: &Ports,
    keys: &OperatorKeys,
    monitor: &MonitorKeys,
) -> Result<(), Ended> {
    let of_monitor = OfMonitor { witness: monitor.witness.clone(), redecided: monitor.redecided.clone() };
    rule::write(folder, bundle, &keys.log, &of_monitor)?;
    let toml = GateToml {
        name: GATE.to_owned(),
        origin: keys.log.name().to_owned(),
        bundle: "../bundle".to_owned(),
        bundle_key: keys.bundle.to_string(),
        connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
        drift_check_seconds: DRIFT_CHECK_SECONDS,
        status: STATUS_SOCKET,
        monitor: ports.monitor_url(),
        monitor_door: MONITOR_DOOR,
        monitor_cert: MONITOR_CERT,
        monitor_key: MONITOR_KEY,
        server_cert: "server.pem",
        server_key: "server.key",
        site_ca: "../operator/ca.pem".to_owned(),
        secrets: "secrets.json",
        wal: "wal",
        details: "details",
        keys: "keys",
        usage: "usage",
        record: "../record".to_owned(),
        lease_ms: LEASE_MS,
        brakes: "brakes.json",
        brake_key: monitor.brake.to_string(),
        rule: RULE_FILE,
        log_key: "log.key",
        recipients: vec![keys.recipient.clone(), monitor.recipient.clone()],
        listeners: listeners(ports),
        sites: gate_sites(bundle, ports),
        logins: GateLogins::at_first(),
    };
    let text = toml::to_string(&toml).or_cannot_tell("writing gate.toml")?;
    folder::write_public(&folder.gate("gate.toml"), text.as_bytes())
}

fn listeners(ports: &Ports) -> Vec<GateListener> {
    let listener = |(place, port): (&String, &u16)| GateListener {
        place: place.clone(),
        address: format!("{HOST}:{port}"),
    };
    ports.gate.iter().map(listener).collect()
}

fn gate_sites(bundle: &Bundle, ports: &Ports) -> Vec<GateSite> {
    let sites = bundle.enclave().sites.iter();
    let port = |server: &str| ports.sites.get(server).copied().unwrap_or_default();
    let standby =
        |site: &policy::Site| GateStandby { host: HOST, port: port(&policy::standby_of(&site.name)) };
    let site = |site: &policy::Site| GateSite {
        name: site.name.clone(),
        host: HOST,
        port: port(&site.name),
        database: DATABASE,
        standby: site.standby.then(|| standby(site)),
    };
    sites.map(site).collect()
}

/// Rewrites every configuration that names a port, and returns the estate at its new ports.
pub(crate) fn move_to(folder: &Folder, ports: &Ports) -> Result<Estate, Ended> {
    let estate = Estate::at(folder, ports)?;
    let path = folder.gate("gate.toml");
    let mut table: toml::Table = folder::read_text(&path)?.parse().or_cannot_tell("reading gate.toml")?;
    let value = |value: Result<toml::Value, toml::ser::Error>| value.or_cannot_tell("writing gate.toml");
    table.insert("monitor".to_owned(), ports.monitor_url().into());
    move_listeners(&mut table, ports)?;
    table.insert("sites".to_owned(), value(toml::Value::try_from(gate_sites(estate.bundle(), ports)))?);
    let text = toml::to_string(&table).or_cannot_tell("writing gate.toml")?;
    folder::write_public(&path, text.as_bytes())?;
    monitor::move_to(folder, ports)?;
    told::tell(folder, estate.bundle(), ports, &Secrets::read(folder)?)?;
    ports.write(folder)?;
    Ok(estate)
}

/// Writes into gate.toml what a gate of an earlier version was not told.
pub(crate) fn complete_gate(folder: &Folder) -> Result<(), Ended> {
    let path = folder.gate("gate.toml");
    let mut table: toml::Table = folder::read_text(&path)?.parse().or_cannot_tell("reading gate.toml")?;
    if table.contains_key("logins") {
        return Ok(());
    }
    let logins = toml::Value::try_from(GateLogins::at_first()).or_cannot_tell("writing gate.toml")?;
    table.insert("logins".to_owned(), logins);
    let text = toml::to_string(&table).or_cannot_tell("writing gate.toml")?;
    folder::write_public(&path, text.as_bytes())
}

/// Moves the listener of each place to its port. What else the operator has written of listeners stays.
fn move_listeners(table: &mut toml::Table, ports: &Ports) -> Result<(), Ended> {
    let kept = table.get_mut("listeners").and_then(toml::Value::as_array_mut);
    let kept = kept.ok_or_else(|| Ended::cannot_tell("gate.toml has no listeners"))?;
    for GateListener { place, address } in listeners(ports) {
        let of_place =
            |kept: &&mut toml::Value| kept.get("place").and_then(toml::Value::as_str) == Some(place.as_str());
        match kept.iter_mut().find(of_place).and_then(toml::Value::as_table_mut) {
            Some(kept) => drop(kept.insert("address".to_owned(), address.into())),
            None => {
                let made = toml::Value::try_from(GateListener { place, address });
                kept.push(made.or_cannot_tell("writing gate.toml")?);
            }
        }
    }
    Ok(())
}

/// Makes the clusters that are not there, and writes the configuration of all of them, as before every start.
pub(crate) fn configure_sites(folder: &Folder, estate: &Estate) -> Result<(), Ended> {
    let authority = keys::authority(folder)?;
    let monitor_ca = folder::read_text(&folder.operator(MONITOR_CA))?;
    for cluster in estate.clusters() {
        let made = cluster.create(estate.bundle(), &authority, &monitor_ca, clock::now());
        made.or_not(format!("making site {}", cluster.site()))?;
    }
    Ok(())
}

/// Makes the standbys that are not there from their sites, which run, and writes the configuration of all of them.
pub(crate) async fn prepare_standbys(
    folder: &Folder,
    estate: &Estate,
    progress: &Progress,
) -> Result<(), Ended> {
    for standby in estate.standbys() {
        let Some(site) = estate.clusters().iter().find(|site| site.site() == standby.site()) else {
            continue;
        };
        if !standby.exists() {
            progress.step(&format!("copying site {} to its standby", site.site()));
        }
        let authority = keys::authority(folder)?;
        let monitor_ca = folder::read_text(&folder.operator(MONITOR_CA))?;
        let bundle = estate.bundle();
        sites::standby::prepare(standby, site, bundle, &authority, &monitor_ca, clock::now())
            .await
            .or_not(format!("making {}", standby.server()))?;
    }
    Ok(())
}

/// Baseline, people, replication and profiles, at sites that run.
pub(crate) async fn provision(
    estate: &Estate,
    generate: sites::Generate,
    secrets: &Secrets,
    progress: &Progress,
) -> Result<(), Ended> {
    let watcher = progress.watcher();
    let provisioned =
        sites::provision(estate.bundle(), estate.clusters(), generate, &secrets.of_sites(), &watcher).await;
    provisioned.or_not("provisioning the sites").map(drop)
}
