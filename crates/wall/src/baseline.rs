//! What a site is before it has any profile: base tables partitioned by home, random tokens, the roles that are not
//! people's, and everything that PostgreSQL gives to everybody taken back. Run once, in one transaction, in the new
//! database, by the administrator. Not here: the tables in detail (`tables`, `triggers`, `pseudonyms`), profiles
//! (`profile`), direct services (`services`), who may connect from where (`hba`).

use std::collections::BTreeSet;

use policy::{Bundle, Holders};

use crate::names::{
    self, ADMIN, DATABASE, OWN_SCHEMA, POOL, PSEUDONYM_SCHEMA, STANDBY, WATCH, list, literal, partition,
    quoted, relation,
};
use crate::tables::{partitioned, partitions_of};
use crate::{catalogs, hba, homes, mask, pseudonyms, residency, stats, stop, tables, triggers};

/// Creates the database; cannot run inside a transaction.
pub fn create_database() -> String {
    format!("CREATE DATABASE {DATABASE} OWNER {ADMIN} TEMPLATE template0")
}

/// Functions of `pg_catalog` that everybody may call and nobody should: regular expressions over their names.
/// Ordinary operators are functions as well, which is why this is a list and not everything.
pub const REVOKED: &[&str] = &[
    // Large objects: a place to write, even in a read-only transaction.
    "^lo_",
    "^lo(read|write)$",
    // Channels between sessions.
    "^pg_notify$",
    "^pg_listening_channels$",
    "^pg_notification_queue_usage$",
    // All but the function that gives up locks of which there are none: pools call it when they reset a session.
    "^pg_(try_)?advisory_(?!unlock_all$)",
    "^pg_export_snapshot$",
    "^pg_logical_emit_message$",
    // Functions that run the text they are given: the statement check would not see it.
    "^(query|cursor|table|schema|database)_to_xml",
    "^ts_stat$",
    "^ts_rewrite$",
    // What others do, and counts of what a profile does not show.
    "^pg_stat_get_",
    "^pg_lock_status$",
    "^pg_blocking_pids$",
    "^pg_safe_snapshot_blocking_pids$",
    "^pg_prepared_xact$",
    "^pg_get_replication_slots$",
    // Ending sessions is for the watch.
    "^pg_(terminate|cancel)_backend$",
];

/// What the watch may call of it: to find sessions, to end them, and to read who may connect.
pub(crate) const WATCH_FUNCTIONS: &[&str] = &[
    "pg_stat_get_activity(integer)",
    "pg_terminate_backend(integer,bigint)",
    "pg_cancel_backend(integer)",
    "pg_hba_file_rules()",
];

/// The watch may have this many connections: one per gate and monitor, and some to spare.
pub(crate) const WATCH_CONNECTIONS_MAX: u16 = 16;

/// Everything, for one site of the bundle.
pub fn baseline(bundle: &Bundle, site: &str) -> Vec<String> {
    let mut ddl = take_back();
    ddl.extend([
        format!("CREATE ROLE {POOL} NOLOGIN"),
        format!("CREATE ROLE {WATCH} LOGIN CONNECTION LIMIT {WATCH_CONNECTIONS_MAX}"),
        format!("ALTER ROLE {WATCH} SET search_path = pg_catalog, pg_temp"),
        format!("GRANT pg_signal_backend TO {WATCH}"),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {POOL}, {WATCH}"),
        "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO trefoil_watch".to_owned(),
    ]);
    let grant = |function| format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {WATCH}");
    ddl.extend(WATCH_FUNCTIONS.iter().map(grant));
    ddl.extend(stats::lay());
    ddl.extend(stop::lay());
    ddl.extend(residency::lay(DATABASE));
    ddl.push(format!("CREATE SCHEMA {}", quoted(&bundle.catalog().schema)));
    ddl.extend([PSEUDONYM_SCHEMA, OWN_SCHEMA].map(|schema| format!("CREATE SCHEMA {schema}")));
    ddl.extend(homes::lay(bundle));
    ddl.extend(mask::ALL.iter().map(|mask| mask.create()));
    ddl.extend(triggers::functions(bundle.catalog()).iter().map(triggers::TriggerFunction::create));
    ddl.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {OWN_SCHEMA} FROM PUBLIC"));
    ddl.extend(tables::create(bundle, site));
    ddl.extend(bundle.catalog().pseudonym_scopes.iter().flat_map(|scope| pseudonyms::create(bundle, scope)));
    ddl.extend(triggers::of_own(bundle, &Holders::first(bundle), site).iter().map(triggers::Trigger::create));
    add_replication(bundle, site, &mut ddl);
    if hba::has_standby(bundle, site) {
        ddl.push(admit_standby());
    }
    ddl.extend(catalogs::lay(bundle, site));
    ddl
}

/// The roles by which siblings follow a site that has its baseline: a row each, their name. For the administrator.
pub const LIVE_SIBLINGS: &str =
    "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname LIKE 'trefoil\\_repl\\_%'";

/// What a site that has its baseline gets when another comes to the enclave after it: room for the rows of the newcomer,
/// which it does not write, and the role by which the newcomer follows it. `scopes` are the pseudonym scopes that the
/// site has; those that it has not yet come with room for everybody.
pub fn extend(bundle: &Bundle, site: &str, newcomer: &str, scopes: &BTreeSet<String>) -> Vec<String> {
    let is_there = |schema: &str, table: &str| schema != PSEUDONYM_SCHEMA || scopes.contains(table);
    let mut ddl = Vec::new();
    for (schema, table) in partitioned(bundle).into_iter().filter(|(schema, table)| is_there(schema, table)) {
        ddl.push(tables::add_partition(schema, table, newcomer));
        ddl.extend(triggers::origin_only(newcomer, schema, table).iter().map(triggers::Trigger::create));
    }
    ddl.push(homes::add(newcomer));
    let own = partitions_of(bundle, site).filter(|(schema, name)| {
        *schema != PSEUDONYM_SCHEMA || scopes.iter().any(|scope| partition(scope, site) == *name)
    });
    let own: Vec<String> = own.map(|(schema, name)| relation(schema, &name)).collect();
    ddl.extend(admit_sibling(bundle, newcomer, &own.join(", ")));
    ddl.push(catalogs::admit(&names::repl_role(newcomer)));
    ddl
}

/// What a site gets when it has its rows and those of its siblings: indexes are built faster at once than row by row,
/// and a table with a trigger is copied a row at a time. Whatever is there already stays.
pub fn settle(bundle: &Bundle, site: &str) -> Vec<String> {
    let mut ddl = tables::indexes(bundle);
    ddl.extend(
        triggers::of_siblings(bundle, &Holders::first(bundle), site).iter().map(triggers::Trigger::create),
    );
    ddl
}

/// Takes back what everybody has by default.
fn take_back() -> Vec<String> {
    let patterns = literal(&REVOKED.join("|"));
    vec![
        format!("REVOKE ALL ON DATABASE {DATABASE}, postgres, template1, template0 FROM PUBLIC"),
        "DROP SCHEMA public".to_owned(),
        "REVOKE ALL ON LANGUAGE plpgsql, sql FROM PUBLIC".to_owned(),
        // Signatures differ between versions of PostgreSQL, names do not.
        format!(
            "DO $take_back$ DECLARE f regprocedure; BEGIN \
             FOR f IN SELECT oid FROM pg_catalog.pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
             AND proname ~ {patterns} LOOP \
             EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f); END LOOP; END $take_back$"
        ),
    ]
}

/// Publishes the site's own partitions, and lets each sibling read those and nothing else.
fn add_replication(bundle: &Bundle, site: &str, ddl: &mut Vec<String>) {
    let own: Vec<String> =
        partitions_of(bundle, site).map(|(schema, name)| relation(schema, &name)).collect();
    let own = own.join(", ");
    ddl.push(format!("CREATE PUBLICATION {} FOR TABLE {own}", quoted(&names::publication(site))));
    let siblings = bundle.enclave().sites.iter().filter(|sibling| sibling.name != site);
    ddl.extend(siblings.flat_map(|sibling| admit_sibling(bundle, &sibling.name, &own)));
}

/// Whether a site lets a standby follow it: one row. For the administrator.
pub const LIVE_STANDBY: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'trefoil_standby')";

/// The role by which a standby follows a site. It is granted nothing: it copies pages and reads no row.
pub fn admit_standby() -> String {
    format!("CREATE ROLE {STANDBY} LOGIN REPLICATION")
}

/// Lets no standby follow any more.
pub fn retire_standby() -> [String; 2] {
    [
        format!(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = {}",
            literal(STANDBY)
        ),
        format!("DROP ROLE {STANDBY}"),
    ]
}

/// Keeps for a standby what it has not taken yet, from before it is made.
pub fn keep_for_standby() -> String {
    let slot = literal(STANDBY);
    format!(
        "SELECT pg_create_physical_replication_slot({slot}, true) \
         WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = {slot})"
    )
}

/// The role by which a sibling reads a site's own partitions, `own`.
fn admit_sibling(bundle: &Bundle, sibling: &str, own: &str) -> [String; 4] {
    let role = quoted(&names::repl_role(sibling));
    [
        format!("CREATE ROLE {role} LOGIN REPLICATION"),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {role}"),
        format!("GRANT USAGE ON SCHEMA {} TO {role}", list([&*bundle.catalog().schema, PSEUDONYM_SCHEMA])),
        format!("GRANT SELECT ON {own} TO {role}"),
    ]
}

/// Replaces a role's password by its SCRAM verifier.
pub fn set_password(role: &str, verifier: &str) -> String {
    format!("ALTER ROLE {} PASSWORD {}", quoted(role), literal(verifier))
}
