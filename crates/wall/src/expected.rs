//! The facts of a site that is exactly as the bundle says: the other half of `drift`. Written next to nothing of the
//! statements in `baseline` and `profile` on purpose: two descriptions of one thing that a test holds together.

mod profile;
mod services;

use policy::{Bundle, Holders, Homes, Table, Within};

use crate::baseline::{WATCH_CONNECTIONS_MAX, WATCH_FUNCTIONS};
use crate::drift::{COLUMN, Drift, Facts, compare, compare_either, normal, unknown_columns};
use crate::names::{
    self, ADMIN, DATABASE, HOMES_TABLE, LINK, OWN_SCHEMA, POOL, PSEUDONYM_SCHEMA, RESIDENCY, STANDBY, STATS,
    STATS_SCHEMA, STOP, WATCH, literal, partition, repl_role,
};
use crate::tables::{NEW_LINK, home, is_required, own_partitions, printed};
use crate::{WallError, catalogs, hba, mask, residency, stats, stop, triggers};

/// What a site should be while homes are held as stated; while one moves, each fact of it may be as it was or as it will be.
#[derive(Debug)]
pub struct Expected {
    now: Facts,
    next: Option<Facts>,
}

impl Expected {
    /// Of a site of this bundle.
    ///
    /// # Errors
    /// When a profile of the bundle cannot be compiled.
    pub fn of(bundle: &Bundle, homes: &Homes, site: &str) -> Result<Self, WallError> {
        let next = homes.next().map(|next| expected(bundle, next, site)).transpose()?;
        Ok(Self { now: expected(bundle, homes.now(), site)?, next })
    }

    /// What is otherwise at the site.
    pub fn drift(&self, live: &Facts) -> Vec<Drift> {
        match &self.next {
            Some(next) => compare_either(live, &self.now, next),
            None => compare(live, &self.now),
        }
    }

    /// Columns there that the catalog does not know.
    pub fn unknown_columns(&self, live: &Facts) -> Vec<String> {
        unknown_columns(live, &self.now)
    }
}

/// Every fact of a site of this bundle, while the homes are held by these.
///
/// # Errors
/// When a profile of the bundle cannot be compiled.
pub fn expected(bundle: &Bundle, holders: &Holders, site: &str) -> Result<Facts, WallError> {
    let mut facts = Facts::new();
    add_own_roles(bundle, holders, site, &mut facts);
    add_tables(bundle, site, &mut facts);
    add_code(bundle, holders, site, &mut facts);
    add_replication(bundle, holders, site, &mut facts);
    for profile in bundle.profiles() {
        profile::add(bundle, profile, site, &mut facts)?;
    }
    services::add(bundle, site, &mut facts);
    catalogs::expected(bundle, site, &mut facts);
    for (name, value) in hba::SETTINGS {
        add(&mut facts, format!("setting {name}"), *value);
    }
    add(&mut facts, format!("setting {}", hba::SYNCHRONOUS), hba::synchronous(bundle, site));
    for (number, rule) in (1..).zip(hba::rules(bundle, site)) {
        add(&mut facts, format!("hba {number}"), rule.printed());
    }
    Ok(facts)
}

fn add(facts: &mut Facts, object: impl Into<String>, state: impl Into<String>) {
    facts.insert(object.into(), state.into());
}

fn grant(facts: &mut Facts, privilege: &str, object: &str, to: &str) {
    add(facts, format!("grant of {privilege} on {object} to {to}"), "plain");
}

/// What a role may be beyond holding grants.
#[derive(Default)]
struct Role {
    super_: bool,
    no_inherit: bool,
    login: bool,
    replication: bool,
    limit: Option<u16>,
}

fn role(facts: &mut Facts, name: &str, role: &Role) {
    let flag = |flag: bool| if flag { "t" } else { "f" };
    let all = flag(role.super_);
    let limit = role.limit.map_or("-1".to_owned(), |limit| limit.to_string());
    add(
        facts,
        format!("role {name}"),
        format!(
            "super={all} inherit={} createrole={all} createdb={all} login={} replication={} bypassrls={all} limit={limit} until=ever",
            flag(!role.no_inherit),
            flag(role.login),
            flag(role.replication),
        ),
    );
}

fn add_own_roles(bundle: &Bundle, holders: &Holders, site: &str, facts: &mut Facts) {
    role(facts, ADMIN, &Role { super_: true, login: true, replication: true, ..Role::default() });
    role(facts, POOL, &Role::default());
    role(facts, catalogs::READERS, &Role::default());
    role(facts, WATCH, &Role { login: true, limit: Some(WATCH_CONNECTIONS_MAX), ..Role::default() });
    add(facts, format!("member {WATCH} of pg_signal_backend"), "plain");
    add(facts, format!("settings of {WATCH} in every database"), "search_path=pg_catalog, pg_temp");
    grant(facts, "SELECT", "relation pg_hba_file_rules", WATCH);
    for function in WATCH_FUNCTIONS {
        grant(facts, "EXECUTE", &format!("function {function}"), WATCH);
    }
    let database = format!("database {DATABASE}");
    role(facts, STATS, &Role { login: true, limit: Some(stats::STATS_CONNECTIONS_MAX), ..Role::default() });
    stats::expected(facts);
    grant(facts, "USAGE", &format!("schema {STATS_SCHEMA}"), STATS);
    for function in stats::granted() {
        grant(facts, "EXECUTE", &function, STATS);
    }
    role(facts, STOP, &Role { login: true, limit: Some(stop::STOP_CONNECTIONS_MAX), ..Role::default() });
    add(facts, format!("member {STOP} of pg_signal_backend"), "plain");
    let settings = stop::SETTINGS.map(|(name, value)| format!("{name}={value}"));
    add(facts, format!("settings of {STOP} in every database"), settings.join("; "));
    for function in stop::STOP_FUNCTIONS {
        grant(facts, "EXECUTE", &format!("function {function}"), STOP);
    }
    let limit = Some(residency::RESIDENCY_CONNECTIONS_MAX);
    role(facts, RESIDENCY, &Role { login: true, limit, ..Role::default() });
    residency::expected(facts);
    for name in [POOL, WATCH, STATS, STOP, RESIDENCY] {
        grant(facts, "CONNECT", &database, name);
    }
    for sibling in bundle.enclave().sites.iter().filter(|sibling| sibling.name != site) {
        let name = repl_role(&sibling.name);
        role(facts, &name, &Role { login: true, replication: true, ..Role::default() });
        grant(facts, "CONNECT", &database, &name);
        for schema in [&*bundle.catalog().schema, PSEUDONYM_SCHEMA] {
            grant(facts, "USAGE", &format!("schema {schema}"), &name);
        }
        for (schema, table) in own_partitions(bundle, holders, site) {
            grant(facts, "SELECT", &format!("relation {schema}.{table}"), &name);
        }
    }
    if hba::has_standby(bundle, site) {
        role(facts, STANDBY, &Role { login: true, replication: true, ..Role::default() });
    }
    for name in [DATABASE, "postgres", "template0", "template1"] {
        add(facts, format!("database {name}"), "present");
    }
    for name in ["pg_default", "pg_global"] {
        add(facts, format!("tablespace {name}"), "present");
    }
    add(facts, "extension plpgsql", "present");
}

fn add_tables(bundle: &Bundle, site: &str, facts: &mut Facts) {
    let catalog = bundle.catalog();
    for schema in [&*catalog.schema, PSEUDONYM_SCHEMA, OWN_SCHEMA] {
        add(facts, format!("schema {schema}"), format!("owner={ADMIN}"));
    }
    add_homes(facts);
    for table in &catalog.tables {
        add_table(bundle, &catalog.schema, &table.name, true, &table.home, facts);
        add_columns(bundle, site, table, facts);
        let on = format!("constraint on {}.{}", catalog.schema, table.name);
        add(facts, format!("{on}: PRIMARY KEY ({}, {})", table.key, table.home), "in force");
        for reference in table.references.iter().filter(|reference| reference.within == Within::Home) {
            let Some(to) = catalog.table(&reference.table) else { continue };
            let key = format!(
                "FOREIGN KEY ({}, {}) REFERENCES {}.{}({}, {})",
                reference.column, table.home, catalog.schema, to.name, to.key, to.home
            );
            add(facts, format!("{on}: {key}"), "in force");
        }
    }
    for scope in &catalog.pseudonym_scopes {
        add_table(bundle, PSEUDONYM_SCHEMA, scope, false, "home", facts);
        for (column, data_type) in [("subject", "uuid"), ("home", "text"), ("token", "text")] {
            let state = format!("{data_type} not null");
            add(facts, format!("{COLUMN}{PSEUDONYM_SCHEMA}.{scope}.{column}"), state);
        }
        for key in ["PRIMARY KEY (subject, home)", "UNIQUE (token, home)"] {
            add(facts, format!("constraint on {PSEUDONYM_SCHEMA}.{scope}: {key}"), "in force");
        }
    }
}

/// Who holds each home, as the site was told.
fn add_homes(facts: &mut Facts) {
    let table = format!("{OWN_SCHEMA}.{HOMES_TABLE}");
    let state = format!("owner={ADMIN} kind=r persistence=p rls=f forced=f options= part=");
    add(facts, format!("table {table}"), state);
    for (column, state) in [
        ("home", "text not null"),
        ("holder", "text not null"),
        ("term", "bigint not null"),
        ("applied", "pg_lsn"),
    ] {
        add(facts, format!("{COLUMN}{table}.{column}"), state);
    }
    add(facts, format!("constraint on {table}: PRIMARY KEY (home)"), "in force");
}

fn add_columns(bundle: &Bundle, site: &str, table: &Table, facts: &mut Facts) {
    let schema = &bundle.catalog().schema;
    let is_subject = table.name == bundle.catalog().subject_table;
    let link = if is_subject { format!("uuid not null default {NEW_LINK}") } else { "uuid".to_owned() };
    add(facts, format!("{COLUMN}{schema}.{}.{LINK}", table.name), link);
    for column in &table.columns {
        let mut state = printed(column.data_type).to_owned();
        if is_required(table, &column.name) {
            state.push_str(" not null");
        }
        if column.name == table.home {
            state.push_str(&format!(" default {}", home(site)));
        }
        add(facts, format!("{COLUMN}{schema}.{}.{}", table.name, column.name), state);
    }
}

fn add_table(bundle: &Bundle, schema: &str, table: &str, rls: bool, home: &str, facts: &mut Facts) {
    let rls = if rls { "t" } else { "f" };
    add(
        facts,
        format!("table {schema}.{table}"),
        format!("owner={ADMIN} kind=p persistence=p rls={rls} forced=f options= part=LIST ({home})"),
    );
    for site in &bundle.enclave().sites {
        let of = format!("{schema}.{table} FOR VALUES IN ({})", literal(&site.name));
        add(
            facts,
            format!("table {schema}.{}", partition(table, &site.name)),
            format!("owner={ADMIN} kind=r persistence=p rls=f forced=f options= part={of}"),
        );
    }
}

fn add_code(bundle: &Bundle, holders: &Holders, site: &str, facts: &mut Facts) {
    for mask in mask::ALL {
        add(
            facts,
            format!("function {}", mask.signature()),
            format!(
                "owner={ADMIN} language=sql definer=f volatile=i leakproof=f returns={} settings= source={}",
                mask.result,
                mask.source()
            ),
        );
    }
    for function in triggers::functions(bundle.catalog()) {
        let (definer, settings) =
            if function.definer { ("t", "search_path=pg_catalog, pg_temp") } else { ("f", "") };
        add(
            facts,
            format!("function {OWN_SCHEMA}.{}()", function.name),
            format!(
                "owner={ADMIN} language=plpgsql definer={definer} volatile=v leakproof=f returns=trigger \
                 settings={settings} source={}",
                function.source
            ),
        );
    }
    let own = triggers::of_own(bundle, holders, site).into_iter();
    for trigger in own.chain(triggers::of_siblings(bundle, holders, site)) {
        add_trigger(facts, trigger.name, &format!("{}.{}", trigger.schema, trigger.table), &trigger.text);
    }
}

fn add_trigger(facts: &mut Facts, name: &str, on: &str, text: &str) {
    add(facts, format!("trigger {name} on {on}"), format!("{} enabled=O", normal(text)));
}

fn add_replication(bundle: &Bundle, holders: &Holders, site: &str, facts: &mut Facts) {
    let mut own = own_partitions(bundle, holders, site);
    own.sort_unstable();
    let own: Vec<String> = own.into_iter().map(|(schema, name)| format!("{schema}.{name}")).collect();
    add(
        facts,
        format!("publication {}", names::publication(site)),
        format!("all=f schemas=0 root=f tables={}", own.join(",")),
    );
    for sibling in bundle.enclave().sites.iter().filter(|sibling| sibling.name != site) {
        add(
            facts,
            format!("subscription {}", names::subscription(&sibling.name)),
            format!(
                "enabled={} owner={ADMIN} slot={} publications={}",
                if holders.is_out(&sibling.name) { "f" } else { "t" },
                names::slot(site),
                names::publication(&sibling.name)
            ),
        );
    }
}
