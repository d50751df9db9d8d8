//! Which port each part listens on: chosen free at the first start, kept, and chosen again only where somebody else
//! has taken one meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::ended::Ended;
use crate::folder::{self, Folder};

/// Below the range that outgoing connections draw from, so that nobody takes a port by accident while we are down.
const PORT_MIN: u16 = 20_000;
const PORT_MAX: u16 = 32_000;
const TRIES_MAX: u32 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ports {
    /// Place to port of the gate's listener.
    pub(crate) gate: BTreeMap<String, u16>,
    pub(crate) monitor: u16,
    /// Of the published record; zero in the file of an enclave from before it was served.
    #[serde(default)]
    pub(crate) record: u16,
    /// Site to port of its PostgreSQL server.
    pub(crate) sites: BTreeMap<String, u16>,
}

impl Ports {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        folder::read_json(&folder.run("ports.json"))
    }

    pub(crate) fn write(&self, folder: &Folder) -> Result<(), Ended> {
        folder::write_public(&folder.run("ports.json"), &folder::json_bytes(self)?)
    }

    /// Keeps what is kept and still free, chooses the rest, for exactly these places and sites.
    pub(crate) fn choose(kept: Option<&Self>, places: &[String], sites: &[String]) -> Result<Self, Ended> {
        let mut taken = BTreeSet::new();
        let mut port = |wanted: Option<u16>| -> Result<u16, Ended> {
            let port = match wanted.filter(|port| !taken.contains(port) && is_free(*port)) {
                Some(port) => port,
                None => free_port(&taken)?,
            };
            taken.insert(port);
            Ok(port)
        };
        let mut chosen = Self { gate: BTreeMap::new(), monitor: 0, record: 0, sites: BTreeMap::new() };
        for place in places {
            let wanted = kept.and_then(|kept| kept.gate.get(place).copied());
            chosen.gate.insert(place.clone(), port(wanted)?);
        }
        chosen.monitor = port(kept.map(|kept| kept.monitor))?;
        chosen.record = port(kept.map(|kept| kept.record).filter(|port| *port != 0))?;
        for site in sites {
            let wanted = kept.and_then(|kept| kept.sites.get(site).copied());
            chosen.sites.insert(site.clone(), port(wanted)?);
        }
        Ok(chosen)
    }

    pub(crate) fn record_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.record)
    }

    pub(crate) fn monitor_url(&self) -> String {
        format!("https://{}:{}", Ipv4Addr::LOCALHOST, self.monitor)
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn free_port(taken: &BTreeSet<u16>) -> Result<u16, Ended> {
    let mut random = rand::rng();
    for _ in 0..TRIES_MAX {
        let port = random.random_range(PORT_MIN..PORT_MAX);
        if !taken.contains(&port) && is_free(port) {
            return Ok(port);
        }
    }
    Err(Ended::cannot_tell(format!("no free port between {PORT_MIN} and {PORT_MAX}; end what listens there")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_kept_unless_somebody_has_taken_it() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (places, sites) = (names(&["ireland", "china"]), names(&["dublin-1"]));
        let first = Ports::choose(None, &places, &sites).unwrap();
        assert_eq!(first, Ports::choose(Some(&first), &places, &sites).unwrap());

        let squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, first.gate["china"])).unwrap();
        let second = Ports::choose(Some(&first), &places, &sites).unwrap();
        assert_ne!(first.gate["china"], second.gate["china"]);
        assert_eq!(first.gate["ireland"], second.gate["ireland"]);
        drop(squatter);
    }
}
