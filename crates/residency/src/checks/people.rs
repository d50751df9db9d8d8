//! Who may come and who is there: roles, memberships, `pg_hba.conf`, sessions.

use std::net::IpAddr;

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "role-attribute",
        query: Query::Text(
            "SELECT rolname AS role, a.name AS attribute FROM pg_roles CROSS JOIN LATERAL (VALUES ('SUPERUSER', rolsuper), \
             ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls), ('CREATEROLE', rolcreaterole)) a(name, has) \
             WHERE has AND oid <> 10 ORDER BY 1, 2",
        ),
        rule: role_attribute,
        where_: Where::PostgreSql,
        looks_at: "roles that stand above privileges, beside the one that the cluster was made with: superusers, those \
                   that may replicate, that pass by row security, that make roles",
        why: "each of them can copy what no grant gives",
        cannot_see: "who has the password; the superuser that the cluster was made with is taken for its administrator",
    },
    Check {
        name: "membership",
        query: Query::Text(
            "SELECT m.rolname AS role, g.rolname AS of FROM pg_roles m JOIN pg_roles g ON g.rolname IN \
             ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_read_all_data', \
             'pg_write_all_data', 'pg_create_subscription') WHERE NOT m.rolsuper AND m.oid <> g.oid \
             AND m.rolname !~ '^pg_' AND pg_has_role(m.oid, g.oid, 'MEMBER') ORDER BY 1, 2",
        ),
        rule: membership,
        where_: Where::PostgreSql,
        looks_at: "members, at any remove, of the roles by which files, programs and all data are reached",
        why: "pg_execute_server_program is a shell on the server; pg_read_all_data is every row",
        cannot_see: "what superusers do, who need no membership",
    },
    Check {
        name: "function-grant",
        query: Query::Text(
            "SELECT CASE a.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(a.grantee) END AS role, \
             p.oid::regprocedure::text AS function FROM pg_proc p, aclexplode(coalesce(proacl, acldefault('f', proowner))) a \
             WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^(pg_read_(binary_)?file|lo_(ex|im)port|\
             pg_file_(write|rename|unlink|sync)|pg_backup_(start|stop)|pg_start_backup|pg_stop_backup|pg_ls_logdir|\
             pg_current_logfile|pg_promote|pg_switch_wal|pg_reload_conf|pg_rotate_logfile)$' \
             AND a.grantee <> proowner AND a.grantee IS DISTINCT FROM 'pg_monitor'::regrole::oid ORDER BY 1, 2",
        ),
        rule: function_grant,
        where_: Where::PostgreSql,
        looks_at: "who but a superuser may call functions that read or write the server's files, or take backups",
        why: "a grant on pg_read_file is a grant on every file of the cluster",
        cannot_see: "functions with their owner's rights that call these: see `code`",
    },
    Check {
        name: "hba",
        query: Query::Text(
            "SELECT line_number AS line, concat_ws(' ', type, array_to_string(database, ','), \
             array_to_string(user_name, ','), coalesce(address || '/' || netmask, address), auth_method, \
             array_to_string(options, ',')) AS rule, type, array_to_string(database, ',') AS databases, address, netmask, \
             auth_method AS method, error FROM pg_hba_file_rules ORDER BY line_number",
        ),
        rule: hba,
        where_: Where::PostgreSql,
        looks_at: "every line of pg_hba.conf that admits somebody: from where, over what, and by which proof; against the \
                   closed list, where there is one",
        why: "whoever is not admitted cannot copy",
        cannot_see: "lines that were read at the last reload and have been changed in the file since; poolers before the server",
    },
    Check {
        name: "session",
        query: Query::Text(
            "SELECT kind, role, database, application, address, tls FROM {sessions} ORDER BY kind, role, address",
        ),
        rule: session,
        where_: Where::PostgreSql,
        looks_at: "who is connected now and from where, against the closed list, where there is one; and processes of the \
                   server that PostgreSQL does not come with",
        why: "a session is somebody who is reading now",
        cannot_see: "sessions between two checks, which log_connections has; who sits behind a pooler's or tunnel's address",
    },
];

fn role_attribute(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let (role, attribute) = (row.text("role"), row.text("attribute"));
        let advice = format!("ALTER ROLE {} NO{attribute}", wall::names::quoted(role));
        Claim::there(format!("{role} {attribute}"), "stands above privileges", advice)
    })
}

fn membership(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let (role, of) = (row.text("role"), row.text("of"));
        let advice = format!("REVOKE {of} FROM {}", wall::names::quoted(role));
        Claim::there(format!("{role} in {of}"), "is a member, by itself or through another role", advice)
    })
}

fn function_grant(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    // Everybody may ask for the log's name; reading it takes more.
    let harmless =
        |row: &&Row| row.text("role") == "everybody" && row.text("function") == "pg_current_logfile()";
    rows.iter()
        .filter(|row| !harmless(row))
        .map(|row| {
            let (role, function) = (row.text("role"), row.text("function"));
            let advice = format!("REVOKE EXECUTE ON FUNCTION {function} FROM {role}");
            Claim::there(format!("{role} may call {function}"), "reaches the server's files", advice)
        })
        .collect()
}

const LINE: &str = "take the line out of pg_hba.conf and reload";

fn hba(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let rule = row.text("rule");
        if let Some(error) = row.get("error") {
            let object = format!("line {}", row.text("line"));
            claims.push(Claim::there(object, format!("cannot be read: {error}"), LINE));
        } else if row.text("method") == "reject" {
            continue;
        } else if let Some(list) = &expected.hba {
            if !list.iter().any(|one| one == rule) {
                claims.push(Claim::there(rule, "admits somebody who is not on the closed list", LINE));
            }
        } else {
            claims.extend(admits(row, rule));
        }
    }
    claims
}

/// What is wrong with a line where no closed list is known.
fn admits(row: &Row, rule: &str) -> Vec<Claim> {
    let mut claims = Vec::new();
    let local = row.text("type") == "local";
    let proofs: &[&str] = if local { &["peer", "scram-sha-256"] } else { &["scram-sha-256", "cert"] };
    if !proofs.contains(&row.text("method")) {
        let what = format!("`{}` proves nothing that cannot be had otherwise", row.text("method"));
        claims.push(Claim::there(rule, what, "ask for scram-sha-256 or cert"));
    } else if row.text("databases").split(',').any(|one| one == "replication") {
        claims.push(Claim::there(rule, "admits whoever copies the whole cluster", LINE));
    } else if !local && row.text("type") != "hostssl" && !is_here(row.text("address")) {
        claims.push(Claim::there(rule, "admits connections that are readable on their way", "write hostssl"));
    }
    if !local {
        claims.push(match from(row) {
            Some(host) => Claim::reaches(host, rule, "admits from outside the region", LINE),
            None => Claim::there(rule, "admits from anywhere", "name the networks of the region"),
        });
    }
    claims
}

/// From where a line admits, a network or a name; nothing is anywhere.
fn from(row: &Row) -> Option<String> {
    let address = row.text("address");
    match (address.parse::<IpAddr>(), row.text("netmask").parse::<IpAddr>()) {
        (Ok(IpAddr::V4(address)), Ok(IpAddr::V4(mask))) => {
            Some(format!("{}/{}", address & mask, u32::from(mask).leading_ones()))
        }
        (Ok(IpAddr::V6(address)), Ok(IpAddr::V6(mask))) => {
            Some(format!("{}/{}", address & mask, u128::from(mask).leading_ones()))
        }
        // Names of everything and of the machine's own networks, whichever those are.
        _ if ["all", "samehost", "samenet"].contains(&address) || address.starts_with('.') => None,
        _ => Some(address.to_owned()),
    }
}

fn is_here(address: &str) -> bool {
    address == "localhost" || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Processes that PostgreSQL comes with, from 15 to 18, beside those that serve somebody.
const OWN_PROCESSES: &[&str] = &[
    "archiver",
    "autovacuum launcher",
    "autovacuum worker",
    "background writer",
    "checkpointer",
    "io worker",
    "logical replication apply worker",
    "logical replication launcher",
    "logical replication parallel worker",
    "logical replication tablesync worker",
    "logical replication worker",
    "parallel worker",
    "slotsync worker",
    "startup",
    "walreceiver",
    "walsummarizer",
    "walwriter",
];

fn session(rows: &[Row], expected: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let (kind, role) = (row.text("kind"), row.text("role"));
        if !["client backend", "walsender"].contains(&kind) {
            if !OWN_PROCESSES.contains(&kind) {
                let what = format!("a process that PostgreSQL does not come with, as {role}");
                claims.push(Claim::there(kind, what, "find the extension that starts it"));
            }
            continue;
        }
        let from = row.get("address").unwrap_or("this machine");
        let object = format!("{role} from {from}");
        let advice = format!("end it, and find out who it was: {}", row.text("application"));
        let address = row.get("address").map(str::parse::<IpAddr>);
        let closed = expected.identities.as_ref();
        match (closed, address) {
            (_, Some(Err(_))) => claims.push(Claim::unknown(object, "its address cannot be read", advice)),
            (Some(list), address) => {
                let address = address.and_then(Result::ok);
                if !list.iter().any(|identity| identity.admits(role, address)) {
                    claims.push(Claim::there(object, "is not on the closed list", advice));
                }
            }
            (None, Some(Ok(address))) => {
                if !row.yes("tls") && !address.is_loopback() {
                    let what = "is readable on its way";
                    claims.push(Claim::there(
                        format!("{object} in clear"),
                        what,
                        "write hostssl in pg_hba.conf",
                    ));
                }
                claims.push(Claim::reaches(from, object, "comes from outside the region", advice));
            }
            (None, None) => {}
        }
    }
    claims
}
