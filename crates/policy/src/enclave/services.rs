//! Services that connect to a site directly, from inside the enclave: named identities and nothing else. Not here:
//! services that come through the gate, which are principals (`directory`).

use std::collections::BTreeSet;

use super::{Network, Site, check_new_name, networks};
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawService, Text};

/// A program that logs in at a site, reads and writes whole tables there, and is not seen by the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Its login role is called after it.
    pub name: String,
    /// Names of the sites that admit it. At least one.
    pub sites: Vec<String>,
    /// Where it may come from. At least one.
    pub addresses: Vec<Network>,
    /// Names of the tables that it reads.
    pub reads: Vec<String>,
    /// Names of the tables that it inserts into, updates and deletes from.
    pub writes: Vec<String>,
    /// Where `enclave.toml` names it.
    pub(crate) at: std::ops::Range<usize>,
}

pub(super) fn check(raw: Vec<RawService>, sites: &[Site], found: &mut Problems<'_>) -> Vec<Service> {
    let mut services = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, service) in raw.into_iter().enumerate() {
        services.push(check_service(service, &format!("services[{i}]"), sites, &mut seen, found));
    }
    services
}

fn check_service(
    raw: RawService,
    key: &str,
    sites: &[Site],
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Service {
    let at = raw.name.span();
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Name, seen, found);
    if raw.sites.get_ref().is_empty() {
        let problem = format!("service `{name}` is admitted by no site");
        found.at(raw.sites.span(), &format!("{key}.sites"), problem, "name at least one of `sites`");
    }
    for (i, site) in raw.sites.get_ref().iter().enumerate() {
        if !sites.iter().any(|one| &one.name == site.get_ref()) {
            let problem = format!("there is no site `{}`", site.get_ref().escape_debug());
            found.at(site.span(), &format!("{key}.sites[{i}]"), problem, "use the name of one of `sites`");
        }
    }
    if raw.addresses.get_ref().is_empty() {
        let problem = format!("service `{name}` may come from nowhere");
        found.at(raw.addresses.span(), &format!("{key}.addresses"), problem, "name at least one network");
    }
    if raw.reads.get_ref().is_empty() && raw.writes.is_empty() {
        let problem = format!("service `{name}` neither reads nor writes");
        found.at(
            raw.reads.span(),
            &format!("{key}.reads"),
            problem,
            "name a table of catalog.toml, or remove the service",
        );
    }
    let addresses =
        networks::check(raw.addresses.into_inner(), &format!("{key}.addresses"), &mut BTreeSet::new(), found);
    let names = |texts: Vec<Text>, what: &str, found: &mut Problems<'_>| {
        let mut seen = BTreeSet::new();
        let texts = texts.into_iter().enumerate();
        let names = texts.map(|(i, text)| {
            check_new_name(text, &format!("{key}.{what}[{i}]"), NameKind::Identifier, &mut seen, found)
        });
        names.collect::<Vec<_>>()
    };
    let sites = raw.sites.into_inner().into_iter().map(Text::into_inner).collect();
    let reads = names(raw.reads.into_inner(), "reads", found);
    let writes = names(raw.writes, "writes", found);
    Service { name, sites, addresses, reads, writes, at }
}
