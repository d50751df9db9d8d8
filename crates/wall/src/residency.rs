//! What the residency checker's role may call and read at a site, and nothing else: `trefoil residency grants` prints it,
//! and provisioning lays it. Where PostgreSQL's own views would show more than a checker needs (statements of others,
//! passwords in connection strings), a function of the administrator's shows less. Nothing here reads a row of a table.
//! Not here: what is asked, and what is judged of it (`residency`).

mod checks;

pub use checks::CHECKS;

use crate::drift::Facts;
use crate::names::{ADMIN, RESIDENCY, RESIDENCY_SCHEMA, literal, quoted};

/// The checker may have this many connections: one, and one that has not ended yet.
pub const RESIDENCY_CONNECTIONS_MAX: u16 = 4;

/// A function of the administrator's that the checker may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// In the schema `trefoil_residency`.
    pub name: &'static str,
    /// Columns, as `RETURNS TABLE` has them.
    pub returns: &'static str,
    /// The query that it is. A superuser may run it as it is.
    pub source: String,
    /// Whoever is a member of this role sees by the bare query what the function shows; none is superusers alone.
    pub instead: Option<&'static str>,
}

/// Settings by which something leaves a cluster, or copies of data are kept: those whose values are shown.
pub const SETTINGS: &[&str] = &[
    "allow_in_place_tablespaces",
    "archive_cleanup_command",
    "archive_command",
    "archive_library",
    "archive_mode",
    "auto_explain.log_min_duration",
    "basebackup_to_shell.command",
    "bonjour",
    "data_directory",
    "debug_print_parse",
    "debug_print_plan",
    "debug_print_rewritten",
    "default_tablespace",
    "dynamic_library_path",
    "extension_control_path",
    "jit_provider",
    "listen_addresses",
    "local_preload_libraries",
    "log_connections",
    "log_destination",
    "log_directory",
    "log_min_duration_sample",
    "log_min_duration_statement",
    "log_parameter_max_length",
    "log_parameter_max_length_on_error",
    "log_replication_commands",
    "log_statement",
    "log_transaction_sample_rate",
    "logging_collector",
    "oauth_validator_libraries",
    "primary_conninfo",
    "primary_slot_name",
    "recovery_end_command",
    "restore_command",
    "session_preload_libraries",
    "shared_preload_libraries",
    "ssl",
    "ssl_passphrase_command",
    "synchronous_standby_names",
    "temp_tablespaces",
    "wal_keep_size",
    "wal_recycle",
];

/// A connection string without its passwords: one of `{}`.
const WITHOUT_PASSWORDS: &str = "CASE WHEN {} ~* '^postgres(ql)?://' \
    THEN regexp_replace(regexp_replace({}, '://[^/@]*@', '://'), '(password=)[^&]*', '\\1', 'gi') \
    ELSE regexp_replace({}, '(password\\s*=\\s*)(''([^''\\\\]|\\\\.)*''|(\\\\.|[^\\s\\\\])*)', '\\1''''', 'gi') END";

/// The functions.
pub fn functions() -> [Function; 5] {
    let settings = SETTINGS.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    let value = |column: &str| WITHOUT_PASSWORDS.replace("{}", column);
    [
        Function {
            name: "sessions",
            returns: "pid integer, kind text, role text, database text, application text, address text, tls boolean, \
                      snapshot_seconds bigint, sending text",
            source: "SELECT a.pid, a.backend_type, a.usename::text, a.datname::text, a.application_name, \
                     host(a.client_addr), s.ssl, CASE WHEN a.backend_xmin IS NOT NULL \
                     THEN extract(epoch FROM clock_timestamp() - a.xact_start)::bigint END, r.state \
                     FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid \
                     LEFT JOIN pg_stat_replication r ON r.pid = a.pid \
                     WHERE a.pid <> pg_backend_pid()"
                .to_owned(),
            instead: Some("pg_read_all_stats"),
        },
        Function {
            name: "upstream",
            returns: "status text, host text, port integer, slot text",
            source: "SELECT status, sender_host, sender_port, slot_name FROM pg_stat_wal_receiver".to_owned(),
            instead: Some("pg_read_all_stats"),
        },
        Function {
            name: "settings",
            returns: "name text, setting text, kind text, source text, file text, line integer, pending boolean",
            source: format!(
                "SELECT name, {}, vartype, source, sourcefile, sourceline, pending_restart FROM pg_settings \
                 WHERE name IN ({settings})",
                value("setting")
            ),
            instead: Some("pg_read_all_settings"),
        },
        Function {
            name: "file_settings",
            returns: "number integer, name text, setting text, file text, line integer, applied boolean, error text",
            source: format!(
                "SELECT seqno, name, CASE WHEN name IN ({settings}) THEN {} END, sourcefile, sourceline, applied, \
                 error FROM pg_file_settings",
                value("setting")
            ),
            instead: None,
        },
        Function {
            name: "subscriptions",
            returns: "name text, database text, enabled boolean, slot text, connection text",
            source: format!(
                "SELECT s.subname::text, d.datname::text, s.subenabled, s.subslotname::text, {} \
                 FROM pg_subscription s LEFT JOIN pg_database d ON d.oid = s.subdbid",
                value("s.subconninfo")
            ),
            instead: None,
        },
    ]
}

/// Functions of PostgreSQL's own that the checker calls. Names and sizes of files, slots, lines of `pg_hba.conf`: no data.
/// Most of them everybody may call, unless that was taken back.
pub const EXECUTE: &[&str] = &[
    "pg_control_checkpoint()",
    "pg_control_system()",
    "pg_get_replication_slots()",
    "pg_hba_file_rules()",
    "pg_ls_dir(text,boolean,boolean)",
    "pg_ls_waldir()",
    "pg_prepared_xact()",
    "pg_show_replication_origin_status()",
    "pg_stat_file(text,boolean)",
    "pg_stat_get_progress_info(text)",
];

/// Relations of PostgreSQL's own that the checker reads, beside those that everybody reads.
pub const SELECT: &[&str] = &["pg_hba_file_rules", "pg_replication_origin_status"];

/// What the role's sessions begin with, in the order of their names.
pub const SESSION_SETTINGS: [(&str, &str); 2] =
    [("default_transaction_read_only", "on"), ("search_path", "pg_catalog, pg_temp")];

/// Everything, at a database that has nothing of it. Whoever runs it is a superuser, and owns the functions.
pub fn lay(database: &str) -> Vec<String> {
    let mut ddl = vec![
        format!("CREATE ROLE {RESIDENCY} LOGIN CONNECTION LIMIT {RESIDENCY_CONNECTIONS_MAX}"),
        format!("GRANT CONNECT ON DATABASE {} TO {RESIDENCY}", quoted(database)),
    ];
    ddl.extend(SESSION_SETTINGS.map(|(name, value)| format!("ALTER ROLE {RESIDENCY} SET {name} = {value}")));
    ddl.extend([
        format!("CREATE SCHEMA {RESIDENCY_SCHEMA}"),
        format!("GRANT USAGE ON SCHEMA {RESIDENCY_SCHEMA} TO {RESIDENCY}"),
    ]);
    for Function { name, returns, source, .. } in functions() {
        ddl.push(format!(
            "CREATE FUNCTION {RESIDENCY_SCHEMA}.{name}() RETURNS TABLE ({returns}) LANGUAGE sql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS $body${source}$body$"
        ));
    }
    ddl.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {RESIDENCY_SCHEMA} FROM PUBLIC"));
    ddl.push(format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {RESIDENCY_SCHEMA} TO {RESIDENCY}"));
    ddl.extend(
        EXECUTE
            .iter()
            .map(|function| format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {RESIDENCY}")),
    );
    ddl.extend(SELECT.iter().map(|relation| format!("GRANT SELECT ON pg_catalog.{relation} TO {RESIDENCY}")));
    ddl
}

/// The facts of it, but for the role itself.
pub fn expected(facts: &mut Facts) {
    let mut add = |object: String, state: String| drop(facts.insert(object, state));
    add(format!("schema {RESIDENCY_SCHEMA}"), format!("owner={ADMIN}"));
    let settings = SESSION_SETTINGS.map(|(name, value)| format!("{name}={value}"));
    add(format!("settings of {RESIDENCY} in every database"), settings.join("; "));
    let mut grant = |privilege: &str, object: String| {
        add(format!("grant of {privilege} on {object} to {RESIDENCY}"), "plain".to_owned());
    };
    grant("USAGE", format!("schema {RESIDENCY_SCHEMA}"));
    for function in functions() {
        grant("EXECUTE", format!("function {RESIDENCY_SCHEMA}.{}()", function.name));
    }
    EXECUTE.iter().for_each(|function| grant("EXECUTE", format!("function {function}")));
    SELECT.iter().for_each(|relation| grant("SELECT", format!("relation {relation}")));
    for Function { name, source, .. } in functions() {
        add(
            format!("function {RESIDENCY_SCHEMA}.{name}()"),
            format!(
                "owner={ADMIN} language=sql definer=t volatile=v leakproof=f returns=record \
                 settings=search_path=pg_catalog, pg_temp source={source}"
            ),
        );
    }
}
