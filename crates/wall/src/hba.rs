//! Who may open a connection to a site, and the settings that the wall rests on. `pg_hba.conf` cannot name an issuer:
//! the server's `ssl_ca_file` has to hold the monitor's authority alone, or an operator-signed certificate would do.
//! Not here: the rest of the server's configuration (`sites`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use policy::{Bundle, Network};

use crate::names::{
    ADMIN, DATABASE, POOL, RESIDENCY, STANDBY, STATS, STOP, WATCH, repl_role, service_role, subscription,
};
use crate::services;

/// From where gates and sibling sites come: all parts of an enclave folder share one host.
const NETWORK: &str = "127.0.0.1/32";

/// One line of `pg_hba.conf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) kind: &'static str,
    pub(crate) databases: String,
    pub(crate) user: String,
    /// `all`, or a network as its first address and the length of its prefix.
    pub(crate) address: Option<String>,
    pub(crate) method: &'static str,
    pub(crate) option: Option<&'static str>,
}

impl Rule {
    fn words(&self, address: Option<String>) -> String {
        let fixed = [Some(self.kind), Some(&*self.databases), Some(&*self.user)];
        let words = fixed.into_iter().chain([address.as_deref(), Some(self.method), self.option]);
        words.flatten().collect::<Vec<_>>().join(" ")
    }

    /// As `pg_hba_file_rules` shows it: an address and a mask in place of a prefix.
    pub(crate) fn printed(&self) -> String {
        let network = self.address.as_deref().and_then(Network::parse);
        self.words(match network {
            Some(network) => Some(format!("{}/{}", network.first(), mask(network))),
            None => self.address.clone(),
        })
    }
}

/// As many bits set as the network's prefix is long.
fn mask(network: Network) -> String {
    let behind = |bits: u32| bits.saturating_sub(u32::from(network.prefix()));
    match network.first() {
        IpAddr::V4(_) => Ipv4Addr::from(u32::MAX.checked_shl(behind(u32::BITS)).unwrap_or(0)).to_string(),
        IpAddr::V6(_) => Ipv6Addr::from(u128::MAX.checked_shl(behind(u128::BITS)).unwrap_or(0)).to_string(),
    }
}

/// The lines for a site, in order; the first that matches decides.
pub(crate) fn rules(bundle: &Bundle, site: &str) -> Vec<Rule> {
    let over_tls = |user: String, address: String, option| Rule {
        kind: "hostssl",
        databases: DATABASE.to_owned(),
        user,
        address: Some(address),
        method: "scram-sha-256",
        option,
    };
    let reject = |kind, address: Option<&str>| Rule {
        kind,
        databases: "all".to_owned(),
        user: "all".to_owned(),
        address: address.map(str::to_owned),
        method: "reject",
        option: None,
    };
    let mut rules = vec![
        Rule {
            kind: "local",
            databases: format!("{DATABASE},postgres"),
            user: ADMIN.to_owned(),
            address: None,
            method: "peer",
            option: Some("map=trefoil"),
        },
        // The two keys: a password that the gate holds, and a certificate of the monitor for exactly this role.
        over_tls(format!("+{POOL}"), NETWORK.to_owned(), Some("clientcert=verify-full")),
        over_tls(WATCH.to_owned(), NETWORK.to_owned(), None),
        over_tls(STATS.to_owned(), NETWORK.to_owned(), None),
        over_tls(STOP.to_owned(), NETWORK.to_owned(), None),
        over_tls(RESIDENCY.to_owned(), NETWORK.to_owned(), None),
    ];
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    // No `replication` line: a sibling decodes this database's changes and copies no files.
    rules.extend(siblings.map(|sibling| over_tls(repl_role(&sibling.name), NETWORK.to_owned(), None)));
    if has_standby(bundle, site) {
        // The one line that lets a whole server be copied, and only where the bundle says so.
        let all = over_tls(STANDBY.to_owned(), NETWORK.to_owned(), None);
        rules.push(Rule { databases: "replication".to_owned(), ..all });
    }
    for service in services::of_site(bundle, site) {
        let from = service.addresses.iter().map(ToString::to_string);
        rules.extend(from.map(|address| over_tls(service_role(&service.name), address, None)));
    }
    rules.extend([reject("local", None), reject("host", Some("all"))]);
    rules
}

/// Whether a site has a standby.
pub(crate) fn has_standby(bundle: &Bundle, site: &str) -> bool {
    bundle.enclave().sites.iter().any(|known| known.name == site && known.standby)
}

/// The text of a site's `pg_hba.conf`, and of its standby's.
pub fn text(bundle: &Bundle, site: &str) -> String {
    let mut text =
        "# Written by trefoil from the policy bundle. Anything else in here is drift.\n".to_owned();
    for rule in rules(bundle, site) {
        text.push_str(&rule.words(rule.address.clone()));
        text.push('\n');
    }
    text
}

/// Which siblings a commit waits for. A site follows another under a subscription of the other's name.
pub const SYNCHRONOUS: &str = "synchronous_standby_names";

/// Its value at a site: any sibling, or none.
pub fn synchronous(bundle: &Bundle, site: &str) -> String {
    let waits = bundle.enclave().sites.iter().any(|own| own.name == site && own.synchronous);
    if waits { format!("ANY 1 (\"{}\")", subscription(site)) } else { String::new() }
}

/// The text of the `pg_hba.conf` of a site that has been out: the administrator comes in, and nobody else, until it is
/// known not to write its home any more.
pub fn text_of_out() -> String {
    let mut text =
        "# Written by trefoil: this site is out; `trefoil sites failback` lets it in.\n".to_owned();
    text.push_str(&format!("local {DATABASE},postgres {ADMIN} peer map=trefoil\n"));
    text.push_str("local all all reject\nhost all all all reject\n");
    text
}

/// Settings that the wall rests on, as `pg_settings` shows them: drift when a site has another value.
pub const SETTINGS: &[(&str, &str)] = &[
    // A client that is gone must not keep its role, nor a cut query its backend.
    ("client_connection_check_interval", "1000"),
    ("log_connections", "on"),
    ("log_disconnections", "on"),
    // The server's log is not a second copy of the data.
    ("log_error_verbosity", "terse"),
    ("log_min_error_statement", "panic"),
    ("log_parameter_max_length", "0"),
    ("log_parameter_max_length_on_error", "0"),
    // What copies and has gone again is seen in the log alone.
    ("log_replication_commands", "on"),
    ("log_statement", "none"),
    ("password_encryption", "scram-sha-256"),
    // What the monitor holds against the record: every statement, cursors and COPY too, as a session sent it.
    ("pg_stat_statements.max", crate::stats::STATEMENTS_MAX),
    ("pg_stat_statements.save", "on"),
    ("pg_stat_statements.track", "top"),
    ("pg_stat_statements.track_utility", "on"),
    ("row_security", "on"),
    ("ssl", "on"),
    ("ssl_ca_file", "monitor-ca.pem"),
    ("ssl_cert_file", "server.pem"),
    ("ssl_key_file", "server.key"),
    // Recycled files of the write-ahead log keep what was erased.
    ("wal_recycle", "off"),
];
