//! What the monitor is told of the sites: where they are, how `trefoil_stats` and `trefoil_stop` log in there, where
//! their logs are, and by which authority they are known. It goes into the monitor's own configuration, which the third
//! party may change.

use policy::Bundle;
use serde::Serialize;

use crate::enclave::ports::Ports;
use crate::enclave::ready::{DATABASE, HOST};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::up::secrets::Secrets;

/// In the monitor's folder: the certificate of the operator's authority, which signs the sites'.
const SITES_CA: &str = "sites-ca.pem";
/// How often a site is read, and how long the record may take to say what a site has counted.
const INTERVAL_SECONDS: u32 = 5;
const SETTLE_SECONDS: u32 = 3;
/// What clients who left may leave unexplained at a site in a day: many times what people do, and far from a table.
const ABANDONED_CALLS_PER_DAY: u32 = 1_000;
const ABANDONED_ROWS_PER_DAY: u32 = 100_000;

#[derive(Serialize)]
struct Sites {
    interval_seconds: u32,
    settle_seconds: u32,
    abandoned_calls_per_day: u32,
    abandoned_rows_per_day: u32,
    ca: &'static str,
    site: Vec<Site>,
}

#[derive(Serialize)]
struct Site {
    name: String,
    stats: String,
    stop: String,
    log: String,
}

/// Tells a monitor that does not run; what else is in its configuration stays.
pub(crate) fn tell(folder: &Folder, bundle: &Bundle, ports: &Ports, secrets: &Secrets) -> Result<(), Ended> {
    let doing = "telling the monitor where the sites are";
    let login = |role: &str, port: u16, password: &str| {
        format!("host={HOST} port={port} dbname={DATABASE} user={role} password={password}")
    };
    let site = |(name, port): (&String, &u16)| {
        // A standby has the passwords of its site.
        let site = bundle.enclave().site_of_server(name).map_or(name, |site| &site.name);
        let known = |passwords: &std::collections::BTreeMap<String, String>| {
            let missing = || Ended::cannot_tell(format!("{doing}: no password is kept for {name}"));
            passwords.get(site).cloned().ok_or_else(missing)
        };
        Ok(Site {
            stats: login(wall::names::STATS, *port, &known(&secrets.stats)?),
            stop: login(wall::names::STOP, *port, &known(&secrets.stop)?),
            log: folder.log(&format!("site {name}")).display().to_string(),
            name: name.clone(),
        })
    };
    let sites = Sites {
        interval_seconds: INTERVAL_SECONDS,
        settle_seconds: SETTLE_SECONDS,
        abandoned_calls_per_day: ABANDONED_CALLS_PER_DAY,
        abandoned_rows_per_day: ABANDONED_ROWS_PER_DAY,
        ca: SITES_CA,
        site: ports.sites.iter().map(site).collect::<Result<_, Ended>>()?,
    };
    let ca = folder::read_text(&folder.operator("ca.pem"))?;
    folder::write_public(&folder.monitor().join(SITES_CA), ca.as_bytes())?;
    let path = folder.monitor().join("monitor.toml");
    let mut table: toml::Table = folder::read_text(&path)?.parse().or_cannot_tell("reading monitor.toml")?;
    table.insert("sites".to_owned(), toml::Value::try_from(sites).or_cannot_tell(doing)?);
    let text = toml::to_string(&table).or_cannot_tell("writing monitor.toml")?;
    folder::write_secret(&path, text.as_bytes())
}
