//! What reaches other servers, files and programs from inside the database: foreign servers and tables, extensions,
//! scheduled jobs, other databases.

use super::each;
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};
use crate::conninfo;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "extension",
        query: Query::Text(
            "SELECT extname, extversion FROM pg_extension WHERE oid >= 16384 ORDER BY extname",
        ),
        rule: extension,
        where_: Where::PostgreSql,
        looks_at: "extensions of the database that did not come with it",
        why: "dblink, postgres_fdw, pg_net, aws_s3, pg_cron and their kin are made to reach elsewhere",
        cannot_see: "what an extension's code does; extensions of the cluster's other databases",
    },
    Check {
        name: "foreign-server",
        query: Query::Text(
            "SELECT srvname, fdwname, (SELECT option_value FROM pg_options_to_table(srvoptions) \
             WHERE option_name = 'hostaddr') AS hostaddr, (SELECT option_value FROM pg_options_to_table(srvoptions) \
             WHERE option_name IN ('host', 'servername', 'address', 'endpoint') LIMIT 1) AS host \
             FROM pg_foreign_server s JOIN pg_foreign_data_wrapper f ON f.oid = srvfdw ORDER BY srvname",
        ),
        rule: foreign_server,
        where_: Where::PostgreSql,
        looks_at: "foreign servers and the hosts that they name, resolved now",
        why: "a foreign server reads from and writes to another host with a plain statement",
        cannot_see: "hosts that a wrapper hides in options of its own",
    },
    Check {
        name: "foreign-table",
        query: Query::Text(
            "SELECT format('%s.%s', nspname, relname) AS name, srvname, (SELECT format('%s %s', option_name, option_value) \
             FROM pg_options_to_table(ftoptions) WHERE option_name IN ('program', 'filename') LIMIT 1) AS reaches \
             FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid JOIN pg_namespace n ON n.oid = relnamespace \
             JOIN pg_foreign_server s ON s.oid = ftserver ORDER BY 1",
        ),
        rule: foreign_table,
        where_: Where::PostgreSql,
        looks_at: "foreign tables, and the program or file behind those of file_fdw",
        why: "a foreign table's program runs as the server at every read",
        cannot_see: "what the program does",
    },
    Check {
        name: "user-mapping",
        query: Query::Text("SELECT usename, srvname FROM pg_user_mappings ORDER BY srvname, usename"),
        rule: user_mapping,
        where_: Where::PostgreSql,
        looks_at: "who has a login at a foreign server; not which",
        why: "a mapping is a stored password for another server",
        cannot_see: "passwords in connection strings that code makes up",
    },
    Check {
        name: "database",
        query: Query::Text(
            "SELECT datname, CASE WHEN dattablespace = 1663 THEN (SELECT count(*) FROM pg_ls_dir('base/' || oid, true, false) f \
             WHERE f ~ '^[0-9]+$' AND f::bigint >= 16384) END AS files FROM pg_database \
             WHERE datallowconn AND datname <> current_database() ORDER BY datname",
        ),
        rule: database,
        where_: Where::PostgreSql,
        looks_at: "the cluster's other databases, and whether there are tables of somebody's in those that every cluster has",
        why: "what is per database (tables, code, extensions, publications) was looked at in one database alone",
        cannot_see: "code in `postgres` and `template1`; check those by a connection string of their own",
    },
    Check {
        name: "scheduled-job",
        query: Query::Text("SELECT jobid, nodename, database, username FROM cron.job ORDER BY jobid"),
        rule: scheduled_job,
        where_: Where::Extension("pg_cron"),
        looks_at: "jobs of pg_cron, and the node on which each runs",
        why: "a job can copy data every night while nobody looks",
        cannot_see: "what the job's statement calls",
    },
    Check {
        name: "pglogical-node",
        query: Query::Text("SELECT if_name, if_dsn FROM pglogical.node_interface ORDER BY if_name"),
        rule: pglogical_node,
        where_: Where::Extension("pglogical"),
        looks_at: "the nodes of pglogical and their hosts, resolved now",
        why: "pglogical replicates past publications and subscriptions",
        cannot_see: "nodes that connect here and are not known here",
    },
];

fn extension(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let name = row.text("extname");
        let what = format!("version {} is installed", row.text("extversion"));
        Claim::there(name, what, format!("DROP EXTENSION {}", wall::names::quoted(name)))
    })
}

fn foreign_server(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("srvname");
        let drop = format!("DROP SERVER {} CASCADE", wall::names::quoted(name));
        let host = row.get("hostaddr").or_else(|| row.get("host"));
        let to = host.map(|host| format!(" to {host}")).unwrap_or_default();
        claims.push(Claim::there(name, format!("a server of {}{to}", row.text("fdwname")), drop.clone()));
        if let Some(host) = host {
            let object = format!("{name} to {host}");
            claims.push(Claim::reaches(host, object, "reaches a host outside the region", drop));
        }
    }
    claims
}

fn foreign_table(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let what = match row.get("reaches") {
            Some(reaches) => format!("reads from {reaches}"),
            None => format!("reads from server {}", row.text("srvname")),
        };
        Claim::there(row.text("name"), what, "DROP FOREIGN TABLE it")
    })
}

fn user_mapping(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    each(rows, |row| {
        let (role, server) = (row.text("usename"), row.text("srvname"));
        let advice = format!("DROP USER MAPPING FOR {role} SERVER {}", wall::names::quoted(server));
        Claim::there(format!("{role} at {server}"), "a stored login at another server", advice)
    })
}

/// What every cluster is made with.
const OWN_DATABASES: &[&str] = &["postgres", "template1"];

fn database(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("datname");
        if !OWN_DATABASES.contains(&name) {
            let advice = "check it by a connection string of its own and allow it here, or drop it";
            claims.push(Claim::there(name, "a database that was not looked into", advice));
        } else if row.number("files") != Some(0) {
            let what = format!(
                "it should be empty, and has {} files of tables",
                row.get("files").unwrap_or("unknown")
            );
            let advice = "check it by a connection string of its own and allow it here";
            claims.push(Claim::there(format!("{name} (used)"), what, advice));
        }
    }
    claims
}

fn scheduled_job(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let job = format!("job {}", row.text("jobid"));
        let unschedule = format!("SELECT cron.unschedule({})", row.text("jobid"));
        let what = format!("runs as {} in {}", row.text("username"), row.text("database"));
        claims.push(Claim::there(job.clone(), what, unschedule.clone()));
        if let Some(host) = row.get("nodename") {
            let object = format!("{job} at {host}");
            claims.push(Claim::reaches(host, object, "runs outside the region", unschedule));
        }
    }
    claims
}

fn pglogical_node(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let advice = "drop the node: SELECT pglogical.drop_node(…)";
    let mut claims = Vec::new();
    for row in rows {
        let name = row.text("if_name");
        claims.push(Claim::there(name, "a node of pglogical", advice));
        match conninfo::hosts(row.text("if_dsn")) {
            Ok(hosts) => claims.extend(hosts.into_iter().map(|host| {
                let object = format!("{name} to {host}");
                Claim::reaches(host, object, "a node outside the region", advice)
            })),
            Err(why) => {
                claims.push(Claim::unknown(name, format!("its connection cannot be read: {why}"), advice))
            }
        }
    }
    claims
}
