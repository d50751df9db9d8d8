//! Whether a host is inside the region. Networks that somebody wrote down come first, then the country file, if there is
//! one; a name is judged by every address that it has now. Not here: the country file itself (whoever implements
//! [`Places`]).

use std::net::IpAddr;
use std::time::Duration;

pub use policy::{Country, Network};

/// How long a name may take to be resolved.
const RESOLVE_MS_MAX: u64 = 1_000;

/// Where addresses are, as a file of countries has it.
pub trait Places: Send + Sync {
    /// The country of an address; none when the file does not say.
    fn country(&self, address: IpAddr) -> Option<Country>;
}

/// What is inside.
#[derive(Default)]
pub struct Hosts {
    /// Networks of the region.
    pub networks: Vec<Network>,
    /// Countries of the region.
    pub region: Vec<Country>,
    /// Where other addresses are.
    pub places: Option<Box<dyn Places>>,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = if self.places.is_some() { "a country file" } else { "no country file" };
        write!(f, "Hosts({:?}, {:?}, {places})", self.networks, self.region)
    }
}

/// Where a host stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In the region.
    Inside,
    /// Not, and how that is known.
    Outside(String),
    /// Nobody can tell, and why.
    Unknown(String),
}

impl Hosts {
    /// Judges a host: an address, a network, a name, or a folder of Unix sockets.
    pub async fn judge(&self, host: &str) -> Standing {
        if host.starts_with('/') || host.starts_with('@') {
            return Standing::Inside;
        }
        if let Some(network) = Network::parse(host) {
            return self.judge_network(network);
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return self.judge_address(address);
        }
        let found = tokio::net::lookup_host((bare, 0));
        match tokio::time::timeout(Duration::from_millis(RESOLVE_MS_MAX), found).await {
            Err(_) => Standing::Unknown(format!("`{host}` is not resolved within {RESOLVE_MS_MAX} ms")),
            Ok(Err(error)) => Standing::Unknown(format!("`{host}` does not resolve: {error}")),
            Ok(Ok(addresses)) => {
                self.judge_all(host, addresses.map(|address| address.ip()).collect::<Vec<_>>())
            }
        }
    }

    /// Every address has to be inside.
    fn judge_all(&self, name: &str, addresses: Vec<IpAddr>) -> Standing {
        let mut worst = Standing::Unknown(format!("`{name}` has no address"));
        for (at, address) in addresses.into_iter().enumerate() {
            match self.judge_address(address) {
                Standing::Outside(why) => return Standing::Outside(format!("`{name}`: {why}")),
                Standing::Unknown(why) => worst = Standing::Unknown(format!("`{name}`: {why}")),
                Standing::Inside if at == 0 => worst = Standing::Inside,
                Standing::Inside => {}
            }
        }
        worst
    }

    /// Judges an address. This machine is inside.
    pub fn judge_address(&self, address: IpAddr) -> Standing {
        let address = address.to_canonical();
        if address.is_loopback() || self.networks.iter().any(|network| network.holds(address)) {
            return Standing::Inside;
        }
        match self.places.as_ref().map(|places| places.country(address)) {
            Some(Some(country)) if self.region.contains(&country) => Standing::Inside,
            Some(Some(country)) => Standing::Outside(format!("{address} is in {country}")),
            Some(None) => Standing::Unknown(format!("nobody knows in which country {address} is")),
            None if self.networks.is_empty() => {
                Standing::Unknown(format!("no network and no country file says where {address} is"))
            }
            None => Standing::Outside(format!("{address} is in no network of the region")),
        }
    }

    /// A network is inside when one that was written down has all of it. A country file speaks of addresses.
    fn judge_network(&self, network: Network) -> Standing {
        let holds = |one: &Network| one.prefix() <= network.prefix() && one.holds(network.first());
        let bits = if network.first().is_ipv4() { 32 } else { 128 };
        if is_loopback(network) || self.networks.iter().any(holds) {
            Standing::Inside
        } else if network.prefix() == bits {
            self.judge_address(network.first())
        } else if network.prefix() > 0 && self.networks.is_empty() {
            Standing::Unknown(format!("no network says where {network} is"))
        } else {
            Standing::Outside(format!("{network} is in no network of the region"))
        }
    }
}

/// Whether every address of a network is this machine's.
fn is_loopback(network: Network) -> bool {
    let bits = if network.first().is_ipv4() { 8 } else { 128 };
    network.first().is_loopback() && network.prefix() >= bits
}

#[cfg(test)]
mod tests {
    use super::{Country, Hosts, Network, Places, Standing};
    use std::net::IpAddr;

    /// The documentation's networks, in two countries.
    struct File;

    impl Places for File {
        fn country(&self, address: IpAddr) -> Option<Country> {
            let code = match address.to_string() {
                text if text.starts_with("192.0.2.") => "IE",
                text if text.starts_with("198.51.100.") => "CN",
                _ => return None,
            };
            Country::parse(code)
        }
    }

    fn word(standing: &Standing) -> &'static str {
        match standing {
            Standing::Inside => "inside",
            Standing::Outside(_) => "outside",
            Standing::Unknown(_) => "unknown",
        }
    }

    #[tokio::test]
    async fn hosts() {
        let networks = || vec![Network::parse("10.1.0.0/16").unwrap()];
        let region = || vec![Country::parse("IE").unwrap()];
        let nothing = Hosts::default();
        let written = Hosts { networks: networks(), ..Hosts::default() };
        let file = Hosts { networks: networks(), region: region(), places: Some(Box::new(File)) };
        for (host, expected) in [
            ("/var/run/postgresql", ["inside"; 3]),
            ("127.0.0.1", ["inside"; 3]),
            ("::1", ["inside"; 3]),
            ("::ffff:127.0.0.1", ["inside"; 3]),
            ("localhost", ["inside"; 3]),
            ("10.1.2.3", ["unknown", "inside", "inside"]),
            ("10.2.2.3", ["unknown", "outside", "unknown"]),
            ("192.0.2.1", ["unknown", "outside", "inside"]),
            ("198.51.100.7", ["unknown", "outside", "outside"]),
            ("no-such-host.invalid", ["unknown"; 3]),
            ("10.1.0.0/16", ["unknown", "inside", "inside"]),
            ("10.1.2.0/24", ["unknown", "inside", "inside"]),
            ("10.0.0.0/8", ["unknown", "outside", "outside"]),
            ("0.0.0.0/0", ["outside"; 3]),
            ("::/0", ["outside"; 3]),
            ("127.0.0.0/8", ["inside"; 3]),
            ("::1/128", ["inside"; 3]),
            ("192.0.2.1/32", ["unknown", "outside", "inside"]),
        ] {
            for (hosts, expected) in [&nothing, &written, &file].into_iter().zip(expected) {
                assert_eq!(word(&hosts.judge(host).await), expected, "{host} by {hosts:?}");
            }
        }
        for (addresses, expected) in [
            (vec!["10.1.0.1", "10.1.0.2"], "inside"),
            (vec!["10.1.0.1", "198.51.100.7"], "outside"),
            (vec!["198.51.100.7", "10.1.0.1"], "outside"),
            (vec!["10.1.0.1", "10.9.0.1"], "unknown"),
            (vec!["10.9.0.1", "10.1.0.1"], "unknown"),
            (vec![], "unknown"),
        ] {
            let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
            assert_eq!(word(&file.judge_all("name", addresses)), expected);
        }
    }
}
