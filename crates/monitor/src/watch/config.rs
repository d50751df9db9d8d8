//! `[sites]` of monitor.toml: where the monitor reads what the sites count, and how much of it may be unexplained. A
//! monitor without the section reads no site, and says so when it starts.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_postgres::config::{Host, SslMode};

use super::{SECOND_US, account::Count, fold::Limits};
use crate::config::ConfigError;

/// How often a site is read at most and at least, in seconds.
const INTERVAL_SECONDS_MIN: u32 = 1;
const INTERVAL_SECONDS_MAX: u32 = 3_600;
/// How long the record may take at most to say what a site has counted, in seconds.
const SETTLE_SECONDS_MAX: u32 = 300;

/// As written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSites {
    /// Seconds between two readings of a site.
    pub interval_seconds: u32,
    /// Seconds that the record is read longer than the counters: a statement is recorded after it was executed.
    pub settle_seconds: u32,
    /// Statements that clients who left had asked for and were not shown, at one site in one day.
    pub abandoned_calls_per_day: u32,
    /// Rows of those.
    pub abandoned_rows_per_day: u32,
    /// File of the certificate, PEM, of the authority by which sites are known; beside monitor.toml unless absolute.
    pub ca: PathBuf,
    pub site: Vec<RawSite>,
}

/// One site, as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSite {
    pub name: String,
    /// How `trefoil_stats` connects: host, port, dbname, user and password, as libpq writes them.
    pub stats: String,
    /// How `trefoil_stop` connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
    /// The site's log, as it is shipped to the monitor.
    pub log: PathBuf,
}

/// Checked.
#[derive(Debug, Clone)]
pub struct Sites {
    pub interval: Duration,
    pub limits: Limits,
    pub ca: PathBuf,
    pub sites: Vec<Site>,
}

/// One site.
#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    pub stats: tokio_postgres::Config,
    pub stop: Option<tokio_postgres::Config>,
    pub log: PathBuf,
}

impl Sites {
    /// Checks the section of the monitor whose folder this is.
    pub fn check(raw: RawSites, folder: &Path) -> Result<Sites, ConfigError> {
        let bounds = INTERVAL_SECONDS_MIN..=INTERVAL_SECONDS_MAX;
        if !bounds.contains(&raw.interval_seconds) {
            return Err(wrong(format!("interval_seconds is {}", raw.interval_seconds), "write 1 to 3600"));
        }
        if raw.settle_seconds > SETTLE_SECONDS_MAX {
            return Err(wrong(format!("settle_seconds is {}", raw.settle_seconds), "write at most 300"));
        }
        let mut names = BTreeSet::new();
        let mut sites = Vec::new();
        for site in raw.site {
            if !names.insert(site.name.clone()) {
                return Err(wrong(format!("two sites are called {:?}", site.name), "name each site once"));
            }
            sites.push(Site {
                stats: connection(&site.name, "stats", &site.stats)?,
                stop: site.stop.map(|stop| connection(&site.name, "stop", &stop)).transpose()?,
                log: folder.join(site.log),
                name: site.name,
            });
        }
        let abandoned = Count {
            calls: i64::from(raw.abandoned_calls_per_day),
            rows: i64::from(raw.abandoned_rows_per_day),
        };
        let settle_us = i64::from(raw.settle_seconds).saturating_mul(SECOND_US);
        Ok(Sites {
            interval: Duration::from_secs(u64::from(raw.interval_seconds)),
            limits: Limits { settle_us, abandoned },
            ca: folder.join(raw.ca),
            sites,
        })
    }
}

/// A connection over TLS to one named host, with a user and a password.
fn connection(site: &str, key: &str, text: &str) -> Result<tokio_postgres::Config, ConfigError> {
    let remedy = "write host=… port=… dbname=… user=… password=…";
    let problem = |what: &str| wrong(format!("{key} of site {site:?}: {what}"), remedy);
    let mut config: tokio_postgres::Config = text.parse().map_err(|_| problem("not a connection string"))?;
    let one_host = matches!(config.get_hosts(), [Host::Tcp(_)]);
    if !one_host || config.get_user().is_none() || config.get_password().is_none() {
        return Err(problem("it needs one host, a user and a password"));
    }
    config.ssl_mode(SslMode::Require).application_name("trefoil monitor");
    Ok(config)
}

fn wrong(problem: String, remedy: &'static str) -> ConfigError {
    ConfigError::Value { key: "sites", problem, remedy }
}
