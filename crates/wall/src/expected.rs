//! The facts of a site that is exactly as the bundle says: the other half of `drift`. Written next to nothing of the
//! statements in `baseline` and `profile` on purpose: two descriptions of one thing that a test holds together.

use policy::{Bundle, Profile};

use crate::baseline::{WATCH_CONNECTIONS_MAX, WATCH_FUNCTIONS, own_partitions, trigger_functions, triggers};
use crate::drift::{COLUMN, Facts, normal};
use crate::names::{
    self, ADMIN, DATABASE, LINK, OWN_SCHEMA, POOL, PSEUDONYM_SCHEMA, WATCH, literal, partition, repl_role,
};
use crate::profile::session_settings;
use crate::views::compile;
use crate::{WallError, hba, mask};

/// Every fact of a site of this bundle.
///
/// # Errors
/// When a profile of the bundle cannot be compiled.
pub fn expected(bundle: &Bundle, site: &str) -> Result<Facts, WallError> {
    let mut facts = Facts::new();
    add_own_roles(bundle, site, &mut facts);
    add_tables(bundle, &mut facts);
    add_code(bundle, site, &mut facts);
    add_replication(bundle, site, &mut facts);
    for profile in bundle.profiles() {
        add_profile(bundle, profile, site, &mut facts)?;
    }
    for (name, value) in hba::SETTINGS {
        add(&mut facts, format!("setting {name}"), *value);
    }
    for (number, rule) in (1..).zip(hba::rules(bundle, site)) {
        let words = [
            Some(rule.kind),
            Some(&rule.databases),
            Some(&rule.user),
            rule.address,
            Some(rule.method),
            rule.option,
        ];
        add(&mut facts, format!("hba {number}"), words.into_iter().flatten().collect::<Vec<_>>().join(" "));
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

fn add_own_roles(bundle: &Bundle, site: &str, facts: &mut Facts) {
    role(facts, ADMIN, &Role { super_: true, login: true, replication: true, ..Role::default() });
    role(facts, POOL, &Role::default());
    role(facts, WATCH, &Role { login: true, limit: Some(WATCH_CONNECTIONS_MAX), ..Role::default() });
    add(facts, format!("member {WATCH} of pg_signal_backend"), "plain");
    add(facts, format!("settings of {WATCH} in every database"), "search_path=pg_catalog, pg_temp");
    grant(facts, "SELECT", "relation pg_hba_file_rules", WATCH);
    for function in WATCH_FUNCTIONS {
        grant(facts, "EXECUTE", &format!("function {function}"), WATCH);
    }
    let database = format!("database {DATABASE}");
    for name in [POOL, WATCH] {
        grant(facts, "CONNECT", &database, name);
    }
    for sibling in bundle.enclave().sites.iter().filter(|sibling| sibling.name != site) {
        let name = repl_role(&sibling.name);
        role(facts, &name, &Role { login: true, replication: true, ..Role::default() });
        grant(facts, "CONNECT", &database, &name);
        for schema in [&*bundle.catalog().schema, PSEUDONYM_SCHEMA] {
            grant(facts, "USAGE", &format!("schema {schema}"), &name);
        }
        for (schema, table) in own_partitions(bundle, site) {
            grant(facts, "SELECT", &format!("relation {schema}.{table}"), &name);
        }
    }
    for name in [DATABASE, "postgres", "template0", "template1"] {
        add(facts, format!("database {name}"), "present");
    }
    for name in ["pg_default", "pg_global"] {
        add(facts, format!("tablespace {name}"), "present");
    }
    add(facts, "extension plpgsql", "present");
}

fn add_tables(bundle: &Bundle, facts: &mut Facts) {
    let catalog = bundle.catalog();
    for schema in [&*catalog.schema, PSEUDONYM_SCHEMA, OWN_SCHEMA] {
        add(facts, format!("schema {schema}"), format!("owner={ADMIN}"));
    }
    for table in &catalog.tables {
        add_table(bundle, &catalog.schema, &table.name, true, &table.home, facts);
        add(facts, format!("{COLUMN}{}.{}.{LINK}", catalog.schema, table.name), "uuid");
        for column in &table.columns {
            let data_type = match column.data_type {
                policy::ColumnType::Timestamptz => "timestamp with time zone",
                other => other.as_str(),
            };
            add(facts, format!("{COLUMN}{}.{}.{}", catalog.schema, table.name, column.name), data_type);
        }
    }
    for scope in &catalog.pseudonym_scopes {
        add_table(bundle, PSEUDONYM_SCHEMA, scope, false, "home", facts);
        for (column, data_type) in [("subject", "uuid"), ("home", "text"), ("token", "text")] {
            add(facts, format!("{COLUMN}{PSEUDONYM_SCHEMA}.{scope}.{column}"), data_type);
        }
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

fn add_code(bundle: &Bundle, site: &str, facts: &mut Facts) {
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
    for (name, definer, source) in trigger_functions(bundle.catalog()) {
        let (definer, settings) = if definer { ("t", "search_path=pg_catalog, pg_temp") } else { ("f", "") };
        add(
            facts,
            format!("function {OWN_SCHEMA}.{name}()"),
            format!(
                "owner={ADMIN} language=plpgsql definer={definer} volatile=v leakproof=f returns=trigger \
                 settings={settings} source={source}"
            ),
        );
    }
    for (name, schema, table, text) in triggers(bundle, site) {
        add(facts, format!("trigger {name} on {schema}.{table}"), format!("{} enabled=O", normal(&text)));
    }
}

fn add_replication(bundle: &Bundle, site: &str, facts: &mut Facts) {
    let mut own: Vec<_> = own_partitions(bundle, site).collect();
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
                "enabled=t owner={ADMIN} slot={} publications={}",
                names::slot(site),
                names::publication(&sibling.name)
            ),
        );
    }
}

fn add_profile(bundle: &Bundle, profile: &Profile, site: &str, facts: &mut Facts) -> Result<(), WallError> {
    let compiled = compile(bundle, profile)?;
    let schema = names::schema_of(profile);
    let owner = names::owner_role(&profile.hash);
    let readers = names::profile_role(&profile.hash);
    role(facts, &owner, &Role { no_inherit: true, ..Role::default() });
    role(facts, &readers, &Role::default());
    add(facts, format!("schema {schema}"), format!("owner={owner}"));
    grant(facts, "USAGE", &format!("schema {schema}"), &readers);
    for (view, query) in &compiled.views {
        let state = format!("owner={owner} kind=v persistence=p rls=f forced=f options= part=");
        add(facts, format!("view {schema}.{view}"), state);
        add(facts, format!("definition of view {schema}.{view}"), normal(query));
        grant(facts, "SELECT", &format!("relation {schema}.{view}"), &readers);
    }
    for mask in compiled.masks.values() {
        grant(facts, "EXECUTE", &format!("function {}", mask.signature()), &readers);
    }
    for ((read, table), columns) in &compiled.reads {
        grant(facts, "USAGE", &format!("schema {read}"), &owner);
        for column in columns {
            grant(facts, "SELECT", &format!("column {read}.{table}.{column}"), &owner);
        }
    }
    for (table, rows) in &compiled.rows {
        add(
            facts,
            format!("policy {owner} on {}.{table}", bundle.catalog().schema),
            format!("command=r permissive=t to={owner} using={} check=", normal(rows)),
        );
    }
    let settings =
        session_settings(profile).map(|(name, value)| format!("{name}={}", value.replace('"', "")));
    for n in 1..=bundle.enclave().sessions_per_profile {
        let name = names::pool_role(&profile.hash, site, n);
        role(facts, &name, &Role { login: true, limit: Some(1), ..Role::default() });
        for group in [&*readers, POOL] {
            add(facts, format!("member {name} of {group}"), "plain");
        }
        add(facts, format!("settings of {name} in every database"), settings.join("; "));
    }
    Ok(())
}
