//! What the monitor reads at a site: how many statements and rows PostgreSQL counted for each role, who is connected
//! under which certificate, and since when the counters count. `trefoil_stats` may call the functions below and nothing
//! else: they belong to the administrator and give numbers and names of roles, never the text of a statement, a
//! parameter or a row. Not here: judging the numbers (the monitor).

use crate::drift::Facts;
use crate::names::{ADMIN, DATABASE, STATS, STATS_SCHEMA};

/// The monitor may have this many connections: one that reads, one for brakes, and of each one that has not ended yet.
pub const STATS_CONNECTIONS_MAX: u16 = 4;

/// PostgreSQL's own extension that counts statements. Only its functions are kept: its views show texts.
pub const EXTENSION: &str = "pg_stat_statements";
/// Kinds of statements counted apart before the least used are forgotten, which the monitor reports.
pub const STATEMENTS_MAX: &str = "20000";

/// Statements and rows since the counters were last emptied, by role: (number of the role, its name, calls, rows).
pub const COUNTERS: &str = "SELECT * FROM trefoil_stats.counters()";
/// Connections: (process, role, kind, address or null for the Unix socket, serial number of the certificate or null,
/// begin in microseconds of Unix time).
pub const LIVE: &str = "SELECT * FROM trefoil_stats.live()";
/// One row: (times that counters were dropped, when all were emptied, when the server started, its clock), times in
/// microseconds of Unix time.
pub const STANDING: &str = "SELECT * FROM trefoil_stats.standing()";

/// A function of the administrator's that the monitor may call.
struct Function {
    name: &'static str,
    returns: &'static str,
    source: &'static str,
}

const FUNCTIONS: [Function; 3] = [
    Function {
        name: "counters",
        returns: "number bigint, role text, calls bigint, rows bigint",
        source: "SELECT s.userid::bigint, r.rolname::text, sum(s.calls)::bigint, sum(s.rows)::bigint \
                 FROM trefoil_stats.pg_stat_statements(false) s JOIN pg_roles r ON r.oid = s.userid GROUP BY 1, 2",
    },
    Function {
        name: "live",
        returns: "pid integer, role text, kind text, address text, serial text, since bigint",
        source: "SELECT a.pid, a.usename::text, a.backend_type, host(a.client_addr), s.client_serial::text, \
                 (extract(epoch FROM a.backend_start) * 1000000)::bigint \
                 FROM pg_stat_activity a LEFT JOIN pg_stat_ssl s ON s.pid = a.pid \
                 WHERE a.backend_type IN ('client backend', 'walsender')",
    },
    Function {
        name: "standing",
        returns: "dropped bigint, emptied bigint, started bigint, now bigint",
        source: "SELECT i.dealloc, (extract(epoch FROM i.stats_reset) * 1000000)::bigint, \
                 (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, \
                 (extract(epoch FROM clock_timestamp()) * 1000000)::bigint \
                 FROM trefoil_stats.pg_stat_statements_info() i",
    },
];

/// What the role's sessions begin with, in the order of their names.
const SETTINGS: [(&str, &str); 2] =
    [("default_transaction_read_only", "on"), ("search_path", "pg_catalog, pg_temp")];

/// The role and its functions, at a site that has nothing of them.
pub(crate) fn lay() -> Vec<String> {
    let mut ddl = vec![
        format!("CREATE ROLE {STATS} LOGIN CONNECTION LIMIT {STATS_CONNECTIONS_MAX}"),
        format!("GRANT CONNECT ON DATABASE {DATABASE} TO {STATS}"),
        format!("CREATE SCHEMA {STATS_SCHEMA}"),
        format!("GRANT USAGE ON SCHEMA {STATS_SCHEMA} TO {STATS}"),
        format!("CREATE EXTENSION {EXTENSION} SCHEMA {STATS_SCHEMA}"),
    ];
    for view in [EXTENSION, "pg_stat_statements_info"] {
        ddl.push(format!("ALTER EXTENSION {EXTENSION} DROP VIEW {STATS_SCHEMA}.{view}"));
        ddl.push(format!("DROP VIEW {STATS_SCHEMA}.{view}"));
    }
    for Function { name, returns, source } in &FUNCTIONS {
        ddl.push(format!(
            "CREATE FUNCTION {STATS_SCHEMA}.{name}() RETURNS TABLE ({returns}) LANGUAGE sql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS $body${source}$body$"
        ));
    }
    ddl.push(format!("REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {STATS_SCHEMA} FROM PUBLIC"));
    for Function { name, .. } in &FUNCTIONS {
        ddl.push(format!("GRANT EXECUTE ON FUNCTION {STATS_SCHEMA}.{name}() TO {STATS}"));
    }
    for (name, value) in SETTINGS {
        ddl.push(format!("ALTER ROLE {STATS} SET {name} = {value}"));
    }
    ddl
}

/// The facts of it, but for the role itself and what is granted to it.
pub(crate) fn expected(facts: &mut Facts) {
    let mut add = |object: String, state: String| drop(facts.insert(object, state));
    add(format!("extension {EXTENSION}"), "present".to_owned());
    add(format!("schema {STATS_SCHEMA}"), format!("owner={ADMIN}"));
    let settings = SETTINGS.map(|(name, value)| format!("{name}={value}"));
    add(format!("settings of {STATS} in every database"), settings.join("; "));
    for Function { name, source, .. } in &FUNCTIONS {
        add(
            format!("function {STATS_SCHEMA}.{name}()"),
            format!(
                "owner={ADMIN} language=sql definer=t volatile=v leakproof=f returns=record \
                 settings=search_path=pg_catalog, pg_temp source={source}"
            ),
        );
    }
}

/// The functions that the role may call.
pub(crate) fn granted() -> impl Iterator<Item = String> {
    FUNCTIONS.iter().map(|function| format!("function {STATS_SCHEMA}.{}()", function.name))
}
