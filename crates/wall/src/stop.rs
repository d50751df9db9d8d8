//! What the monitor can do at a site where a gate does not obey: `trefoil_stop` sees who is connected under which role,
//! and ends sessions. It reads nothing else: no table, no text of a statement, and it can end no superuser's session.
//! Not here: when it does (the monitor).

use crate::names::{DATABASE, STOP};

/// The monitor may have this many connections: one, and one that has not ended yet.
pub const STOP_CONNECTIONS_MAX: u16 = 4;

/// Ends every session of these roles (`$1`, names), or those of them with these processes (`$2`; null for all): (role,
/// process) of each. They are found before any is ended: a condition that ends sessions may otherwise be asked of those
/// that another condition leaves out.
pub const END_SESSIONS: &str = "WITH found AS MATERIALIZED (SELECT pg_catalog.pg_get_userbyid(usesysid)::text AS role, \
    pid FROM pg_catalog.pg_stat_get_activity(NULL) WHERE pg_catalog.pg_get_userbyid(usesysid)::text = ANY ($1) \
    AND ($2::integer[] IS NULL OR pid = ANY ($2))) \
    SELECT role, pid FROM found WHERE pg_catalog.pg_terminate_backend(pid, 0)";

/// What it may call: to find sessions, and to end them.
pub(crate) const STOP_FUNCTIONS: [&str; 3] =
    ["pg_stat_get_activity(integer)", "pg_get_userbyid(oid)", "pg_terminate_backend(integer,bigint)"];

/// What the role's sessions begin with, in the order of their names.
pub(crate) const SETTINGS: [(&str, &str); 2] =
    [("default_transaction_read_only", "on"), ("search_path", "pg_catalog, pg_temp")];

/// The role, at a site that does not have it.
pub(crate) fn lay() -> Vec<String> {
    let mut ddl = vec![
        format!("CREATE ROLE {STOP} LOGIN CONNECTION LIMIT {STOP_CONNECTIONS_MAX}"),
        format!("GRANT pg_signal_backend TO {STOP}"),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {STOP}"),
    ];
    let grant = |function| format!("GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {STOP}");
    ddl.extend(STOP_FUNCTIONS.map(grant));
    ddl.extend(SETTINGS.map(|(name, value)| format!("ALTER ROLE {STOP} SET {name} = {value}")));
    ddl
}
