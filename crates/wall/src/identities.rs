//! The closed list of who may log in at a site, and from where, as the monitor holds logins against it: the lines of
//! `pg_hba.conf` that admit anybody. Not here: the file itself (`hba`).

use core::net::IpAddr;

use policy::{Bundle, Network};

use crate::hba::{self, Rule};

/// One line of the closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub who: Who,
    /// From which addresses; none is the Unix socket of the site's own machine.
    pub from: Option<Network>,
}

/// Whom a line of the closed list admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Sessions of gates, each under its certificate.
    Pool,
    /// This role.
    Role(String),
}

/// The closed list of a site.
pub fn identities(bundle: &Bundle, site: &str) -> Vec<Identity> {
    let admits = |rule: &Rule| rule.method != "reject";
    let identity = |rule: Rule| Identity {
        who: if rule.user.starts_with('+') { Who::Pool } else { Who::Role(rule.user.clone()) },
        from: rule.address.as_deref().and_then(Network::parse),
    };
    hba::rules(bundle, site).into_iter().filter(admits).map(identity).collect()
}

impl Identity {
    /// Whether the line admits from this address; none is the Unix socket.
    pub fn admits_from(&self, address: Option<IpAddr>) -> bool {
        match (self.from, address) {
            (None, None) => true,
            (Some(network), Some(address)) => network.holds(address),
            _ => false,
        }
    }
}
