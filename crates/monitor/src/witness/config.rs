//! witness.toml, read once into checked values: where to listen, and which logs are cosigned for. A folder with this
//! file is a witness's, one with monitor.toml a monitor's; none is both.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use tlog::note::VerifierKey;

use crate::{
    config::{ConfigError, listen, verifier},
    folder::{self, Folder},
};

/// witness.toml as written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawWitness {
    /// Address to serve on, in plain HTTP.
    pub listen: String,
    /// Verifier keys of the logs. A key's name is the log's origin; an origin may have several keys.
    pub logs: Vec<String>,
}

/// witness.toml, checked.
pub struct WitnessConfig {
    pub listen: SocketAddr,
    /// By origin.
    pub logs: BTreeMap<String, Vec<VerifierKey>>,
}

impl WitnessConfig {
    pub fn read(folder: &Folder) -> Result<WitnessConfig, ConfigError> {
        let text = folder::read_text(&folder.witness_config())?;
        WitnessConfig::check(&toml::from_str(&text).map_err(ConfigError::WitnessToml)?)
    }

    pub fn check(raw: &RawWitness) -> Result<WitnessConfig, ConfigError> {
        let mut logs: BTreeMap<String, Vec<VerifierKey>> = BTreeMap::new();
        for text in &raw.logs {
            let key = verifier("logs", text)?;
            let keys = logs.entry(key.name().to_owned()).or_default();
            if keys.contains(&key) {
                let (problem, remedy) = (format!("{text} stands there twice"), "name each key once");
                return Err(ConfigError::Value { key: "logs", problem, remedy });
            }
            keys.push(key);
        }
        Ok(WitnessConfig { listen: listen(&raw.listen)?, logs })
    }
}
