//! What an enclave's bundle says that may be at a site: the closed list of promise 1 and what replication between sites
//! needs, from the same description that drift is found by (`wall`). Not here: how a site is connected to.

use policy::{Bundle, Holders, Network};
use wall::identities::{Who, identities};
use wall::{WallError, names};

use crate::{Expectations, Home, Identity};

/// Where the other servers are: all parts of an enclave's folder share one host.
const HERE: &str = "127.0.0.1";

/// What may be at a site of this bundle, while these sites hold the homes.
///
/// # Errors
/// When the bundle cannot be compiled.
pub fn of_enclave(bundle: &Bundle, holders: &Holders, site: &str) -> Result<Expectations, WallError> {
    let facts = wall::expected(bundle, holders, site)?;
    let mut expected = Expectations::default();
    for (object, state) in &facts {
        if let Some(trigger) = object.strip_prefix("trigger ") {
            expected.allow("trigger", trigger);
        } else if let Some(extension) = object.strip_prefix("extension ") {
            expected.allow("extension", extension);
        } else if let Some(whose) = object.strip_prefix("settings of ") {
            for setting in state.split("; ") {
                expected.allow("override", format!("{whose}: {setting}"));
            }
        } else if object.starts_with("hba ") {
            expected.hba.get_or_insert_default().push(state.clone());
        } else if let Some(name) = object.strip_prefix("publication ") {
            let tables = state.split_once("tables=").map_or("", |(_, tables)| tables);
            for table in tables.split(',') {
                expected.allow("publication", format!("{name}: {table}"));
            }
        } else if let Some(name) = object.strip_prefix("subscription ") {
            expected.allow("subscription", name);
        } else if let Some(role) = object.strip_prefix("role ")
            && state.contains(" replication=t ")
        {
            expected.allow("role-attribute", format!("{role} REPLICATION"));
        }
    }
    expected.allow("library", wall::stats::EXTENSION);
    for sibling in bundle.enclave().sites.iter().filter(|sibling| sibling.name != site) {
        expected.allow("standby", names::repl_role(&sibling.name));
        expected.allow("replication-slot", names::slot(&sibling.name));
    }
    let own = bundle.enclave().sites.iter().find(|known| known.name == site);
    if own.is_some_and(|own| own.standby) {
        expected.allow("standby", format!("{} (whole cluster)", names::STANDBY));
        expected.allow("base-backup", format!("{} at {HERE}", names::STANDBY));
        expected.allow("replication-slot", names::STANDBY);
    }
    let waits_for = wall::hba::synchronous(bundle, site);
    if !waits_for.is_empty() {
        expected.allow("upstream-setting", format!("{}={waits_for}", wall::hba::SYNCHRONOUS));
    }
    expected.identities = Some(admitted(bundle, site));
    expected.homes = homes(bundle);
    Ok(expected)
}

/// What may be at the standby of a site whose first server listens on this port.
///
/// # Errors
/// When the bundle cannot be compiled.
pub fn of_standby(
    bundle: &Bundle,
    holders: &Holders,
    site: &str,
    port: u16,
) -> Result<Expectations, WallError> {
    let mut expected = of_enclave(bundle, holders, site)?;
    expected.allow("upstream", format!("{HERE}:{port}"));
    expected.allow("upstream-setting", format!("primary_conninfo to {HERE}"));
    expected.allow("upstream-setting", format!("primary_slot_name={}", names::STANDBY));
    Ok(expected)
}

/// The closed list, from `pg_hba.conf` as the wall writes it.
fn admitted(bundle: &Bundle, site: &str) -> Vec<Identity> {
    let pool: Vec<String> = bundle
        .profiles()
        .iter()
        .map(|profile| format!("tp_{}_{site}_*", names::short(&profile.hash)))
        .collect();
    let from = |network: Option<Network>| network.into_iter().collect::<Vec<_>>();
    let mut list = Vec::new();
    for identity in identities(bundle, site) {
        let roles = match identity.who {
            Who::Pool => pool.clone(),
            Who::Role(role) => vec![role],
        };
        list.extend(roles.into_iter().map(|role| Identity { role, from: from(identity.from) }));
    }
    list
}

/// Every table is partitioned by home. What a partition's bound rules out need not be looked for.
fn homes(bundle: &Bundle) -> Vec<Home> {
    let homes: Vec<String> = bundle.enclave().sites.iter().map(|site| site.name.clone()).collect();
    let catalog = bundle.catalog();
    let tables =
        catalog.tables.iter().map(|table| (format!("{}.{}", catalog.schema, table.name), table.home.clone()));
    let scopes = catalog.pseudonym_scopes.iter();
    let tokens = scopes.map(|scope| (format!("{}.{scope}", names::PSEUDONYM_SCHEMA), "home".to_owned()));
    let home = |(table, column)| Home { table, column, homes: homes.clone(), rows: false };
    tables.chain(tokens).map(home).collect()
}
