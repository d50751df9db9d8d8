//! What a site is before it has any profile: base tables partitioned by home, random tokens, the roles that are not
//! people's, and everything that PostgreSQL gives to everybody taken back. Run once, in one transaction, in the new
//! database, by the administrator. Not here: the tables in detail (`tables`, `triggers`, `pseudonyms`), profiles
//! (`profile`), direct services (`services`), who may connect from where (`hba`).

use policy::{Bundle, Holders};

use crate::names::{
    self, ADMIN, DATABASE, OWN_SCHEMA, POOL, PSEUDONYM_SCHEMA, WATCH, list, literal, quoted, relation,
};
use crate::tables::partitions_of;
use crate::{catalogs, homes, mask, pseudonyms, stats, stop, tables, triggers};

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
    ddl.extend(catalogs::lay(bundle, site));
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
    for role in siblings.map(|sibling| quoted(&names::repl_role(&sibling.name))) {
        ddl.extend([
            format!("CREATE ROLE {role} LOGIN REPLICATION"),
            format!("GRANT CONNECT ON DATABASE {DATABASE} TO {role}"),
            format!(
                "GRANT USAGE ON SCHEMA {} TO {role}",
                list([&*bundle.catalog().schema, PSEUDONYM_SCHEMA])
            ),
            format!("GRANT SELECT ON {own} TO {role}"),
        ]);
    }
}

/// Replaces a role's password by its SCRAM verifier.
pub fn set_password(role: &str, verifier: &str) -> String {
    format!("ALTER ROLE {} PASSWORD {}", quoted(role), literal(verifier))
}
