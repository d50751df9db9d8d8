//! What the configuration sends away or keeps: commands, libraries, logs, addresses, overrides. Settings are read as they
//! are in force and as the files have them, because PostgreSQL hides a command that waits for its switch.

use wall::names::RESIDENCY;
use wall::residency::SESSION_SETTINGS;

use super::{set, written};
use crate::Expectations;
use crate::check::{Check, Claim, Query, Row, Where};
use crate::conninfo;

/// Settings as they are in force and as the files have them.
macro_rules! everywhere {
    ($names:literal) => {
        concat!(
            "SELECT name, setting, file, line FROM {file_settings} WHERE name IN (",
            $names,
            ") UNION ALL SELECT name, setting, NULL, NULL FROM {settings} WHERE name IN (",
            $names,
            ")"
        )
    };
}

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "shell-command",
        query: Query::Text(everywhere!(
            "'archive_command', 'archive_cleanup_command', 'archive_mode', 'restore_command', 'recovery_end_command', \
             'ssl_passphrase_command', 'basebackup_to_shell.command'"
        )),
        rule: shell_command,
        where_: Where::PostgreSql,
        looks_at: "commands that the server runs in a shell, archive_command before all, in force and in every line of \
                   the configuration files: while archive_mode is off, what is in force shows `(disabled)`",
        why: "a command can copy the write-ahead log, and so everything, anywhere",
        cannot_see: "what is in the script that a command names: allow a command that holds its script's hash, such as \
                     `sha256sum -c … && archive %p`",
    },
    Check {
        name: "upstream-setting",
        query: Query::Text(everywhere!(
            "'primary_conninfo', 'primary_slot_name', 'synchronous_standby_names'"
        )),
        rule: upstream_setting,
        where_: Where::PostgreSql,
        looks_at: "settings that name another cluster, to follow or to wait for",
        why: "they take effect at the next start or promotion, when nobody looks",
        cannot_see: "standbys that connect without being named",
    },
    Check {
        name: "pending-config",
        query: Query::Text(
            "SELECT f.name, f.setting, f.file, f.line, f.applied, f.error, s.name AS listed, s.setting AS live, s.kind, \
             s.source, s.file AS live_file, s.line AS live_line, false AS restart FROM (SELECT DISTINCT ON (name) * \
             FROM {file_settings} ORDER BY name, number DESC) f LEFT JOIN (SELECT * FROM {settings}) s ON s.name = f.name \
             UNION ALL SELECT NULL, NULL, file, line, applied, error, NULL, NULL, NULL, NULL, NULL, NULL, false \
             FROM {file_settings} WHERE name IS NULL \
             UNION ALL SELECT name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true \
             FROM pg_settings WHERE pending_restart \
             UNION ALL SELECT name, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true \
             FROM {settings} WHERE pending",
        ),
        rule: pending,
        where_: Where::PostgreSql,
        looks_at: "lines of the configuration files that are not in force: not read yet, wrong, or waiting for a restart",
        why: "what is checked now should be what runs after the next restart",
        cannot_see: "files that are put in place just before a restart; options on the server's command line to come",
    },
    Check {
        name: "library",
        query: Query::Text(
            "SELECT name, setting FROM {settings} WHERE name IN ('shared_preload_libraries', 'session_preload_libraries', \
             'local_preload_libraries', 'archive_library', 'oauth_validator_libraries', 'jit_provider', \
             'dynamic_library_path', 'extension_control_path') ORDER BY name",
        ),
        rule: library,
        where_: Where::PostgreSql,
        looks_at: "libraries that the server loads into itself, and where it looks for them",
        why: "a library is code in the server: it can send anything anywhere",
        cannot_see: "what is in the library's file; libraries that a superuser loads in a session",
    },
    Check {
        name: "override",
        query: Query::Text(
            "SELECT coalesce(r.rolname, 'every role') AS role, coalesce(d.datname, 'every database') AS database, \
             replace(one, '\"', '') AS setting FROM pg_db_role_setting LEFT JOIN pg_roles r ON r.oid = setrole \
             LEFT JOIN pg_database d ON d.oid = setdatabase CROSS JOIN LATERAL unnest(setconfig) one ORDER BY 1, 2, 3",
        ),
        rule: overrides,
        where_: Where::PostgreSql,
        looks_at: "settings that hold for one role or one database alone",
        why: "they are in force in sessions that nobody looks into: a log of every statement, a library, a tablespace",
        cannot_see: "what a session sets for itself",
    },
    Check {
        name: "log",
        query: Query::Text(
            "SELECT name, setting FROM {settings} WHERE name ~ '^(log_|debug_print|auto_explain|logging)'",
        ),
        rule: log,
        where_: Where::PostgreSql,
        looks_at: "where the server's log goes, and whether statements or their parameters are in it",
        why: "a log with statements is a copy of the values in them; syslog sends it to another machine",
        cannot_see: "who reads the log's files, and what ships them",
    },
    Check {
        name: "connection-log",
        query: Query::Text(
            "SELECT name, setting FROM {settings} WHERE name IN ('log_connections', 'log_replication_commands') \
             ORDER BY name",
        ),
        rule: connection_log,
        where_: Where::PostgreSql,
        looks_at: "whether logins and replication commands are logged",
        why: "a backup that has finished between two checks is seen in the log alone",
        cannot_see: "whether anybody reads the log",
    },
    Check {
        name: "listen",
        query: Query::Text(
            "SELECT name, setting FROM {settings} WHERE name IN ('listen_addresses', 'ssl', 'bonjour') ORDER BY name",
        ),
        rule: listen,
        where_: Where::PostgreSql,
        looks_at: "on which addresses the server listens, whether it offers TLS, and whether it announces itself",
        why: "whoever cannot reach the server cannot copy from it",
        cannot_see: "port forwarding, tunnels, and firewalls",
    },
    Check {
        name: "parameter-grant",
        query: Query::Text(
            "SELECT parname AS name, a.grantee::regrole::text AS role, privilege_type AS privilege \
             FROM pg_parameter_acl, aclexplode(paracl) a WHERE a.grantee <> 10 ORDER BY 1, 2, 3",
        ),
        rule: parameter_grant,
        where_: Where::PostgreSql,
        looks_at: "who but a superuser may change settings of the whole server",
        why: "ALTER SYSTEM on archive_command is a copy of everything",
        cannot_see: "who may write the configuration files themselves",
    },
];

/// Where a setting holds that is no single database's.
const EVERYWHERE: &str = "every database";
const REMOVE: &str = "take it out of the file, or ALTER SYSTEM RESET it, and reload";

fn shell_command(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    set(rows, &["(disabled)", "off"], "the server runs this, or will once its switch is on", REMOVE)
}

fn upstream_setting(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let (connections, others): (Vec<Row>, Vec<Row>) =
        rows.iter().cloned().partition(|row| row.text("name") == "primary_conninfo");
    let mut claims = set(&others, &[], "this cluster is made to follow or to wait for another", REMOVE);
    for row in connections.iter().filter(|row| !row.text("setting").is_empty()) {
        let hosts = match conninfo::hosts(row.text("setting")) {
            Ok(hosts) => hosts,
            Err(why) => {
                claims.push(Claim::unknown("primary_conninfo", format!("cannot be read: {why}"), REMOVE));
                continue;
            }
        };
        for host in hosts {
            let object = format!("primary_conninfo to {host}");
            let what = format!("this cluster is made to follow another{}", written(row));
            claims.push(Claim::there(object.clone(), what, REMOVE));
            let outside = "this cluster is made to follow one outside the region";
            claims.push(Claim::reaches(host, format!("{object} (outside)"), outside, REMOVE));
        }
    }
    claims
}

fn pending(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    // One wrong line holds up all the others, and is what is told.
    let held_up = rows.iter().any(|row| row.get("error").is_some_and(|error| !error.contains(NOT_APPLIED)));
    let waiting = rows.iter().filter_map(|row| waits(row, held_up).map(|why| (row, why)));
    waiting
        .map(|(row, why)| {
            let name = row.get("name").unwrap_or("a line without a name");
            let what = format!("{why}{}", written(row));
            Claim::there(name, what, "reload or restart the server, or take the line out")
        })
        .collect()
}

/// What PostgreSQL says of a line that waits for a restart.
const NOT_APPLIED: &str = "could not be applied";

/// Why the last line of a setting is not what is in force, if it is not.
fn waits(row: &Row, held_up: bool) -> Option<String> {
    if row.yes("restart") {
        return Some("changed, and waits for a restart".to_owned());
    }
    if let Some(error) = row.get("error") {
        return Some(format!("not in force: {error}"));
    }
    if row.get("applied") == Some("f") && !held_up {
        return Some("not in force".to_owned());
    }
    // Set otherwise, as by the server's command line: then a file does not say what is in force.
    let by_file = matches!(row.text("source"), "configuration file" | "default");
    row.get("listed").filter(|_| by_file)?;
    let elsewhere = (row.get("file"), row.get("line")) != (row.get("live_file"), row.get("live_line"));
    let otherwise = row.text("kind") == "string"
        && row.text("live") != "(disabled)"
        && row.text("setting") != row.text("live");
    (elsewhere || otherwise).then(|| "not read yet".to_owned())
}

/// What PostgreSQL itself comes with.
const OWN_PLACES: &[(&str, &str)] = &[
    ("jit_provider", "llvmjit"),
    ("dynamic_library_path", "$libdir"),
    ("extension_control_path", "$system"),
];

fn library(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let mut claims = Vec::new();
    for row in rows {
        let (name, setting) = (row.text("name"), row.text("setting"));
        if let Some((_, own)) = OWN_PLACES.iter().find(|(own, _)| *own == name) {
            if setting != *own {
                let advice = format!("set {name} = '{own}'");
                claims.push(Claim::there(format!("{name}={setting}"), "code may come from there", advice));
            }
            continue;
        }
        let libraries =
            setting.split(',').map(|one| one.trim().trim_matches('"')).filter(|one| !one.is_empty());
        claims.extend(libraries.map(|library| {
            Claim::there(library, format!("loaded by {name}"), format!("take it out of {name} and restart"))
        }));
    }
    claims
}

fn overrides(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    // The checker's own, which `residency grants` prints.
    let own = |row: &&Row| {
        let set = |(name, value): &(&str, &str)| row.text("setting") == format!("{name}={value}");
        row.text("role") == RESIDENCY
            && row.text("database") == EVERYWHERE
            && SESSION_SETTINGS.iter().any(set)
    };
    let others = rows.iter().filter(|row| !own(row));
    others
        .map(|row| {
            let (role, database) = (row.text("role"), row.text("database"));
            let object = format!("{role} in {database}: {}", row.text("setting"));
            let advice = "ALTER ROLE … RESET or ALTER DATABASE … RESET it";
            Claim::there(object, "in force in these sessions alone", advice)
        })
        .collect()
}

fn log(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let of =
        |name: &str| rows.iter().find(|row| row.text("name") == name).map_or("", |row| row.text("setting"));
    let mut claims = Vec::new();
    let mut say = |name: &str, what: &str, advice: &str| {
        claims.push(Claim::there(format!("{name}={}", of(name)), what, advice));
    };
    let local = ["stderr", "csvlog", "jsonlog"];
    if of("log_destination").split(',').any(|one| !local.contains(&one.trim().trim_matches('"'))) {
        say("log_destination", "the log goes to another program", "set it to stderr, csvlog or jsonlog");
    }
    let directory = of("log_directory");
    if of("logging_collector") == "on" && directory.starts_with('/') {
        say("log_directory", "the log is outside the data folder", "allow the folder, or set it to `log`");
    }
    let mut statements = of("log_statement") != "none";
    if statements {
        say("log_statement", "statements, and the values in them, are in the log", "set it to none");
    }
    for name in ["log_min_duration_statement", "log_min_duration_sample", "auto_explain.log_min_duration"] {
        if !matches!(of(name), "-1" | "") {
            statements = true;
            say(name, "slow statements, and the values in them, are in the log", "set it to -1");
        }
    }
    if !matches!(of("log_transaction_sample_rate"), "0" | "") {
        statements = true;
        say("log_transaction_sample_rate", "statements of some transactions are in the log", "set it to 0");
    }
    if statements && of("log_parameter_max_length") != "0" {
        say("log_parameter_max_length", "parameters of statements are in the log", "set it to 0");
    }
    if of("log_parameter_max_length_on_error") != "0" {
        say(
            "log_parameter_max_length_on_error",
            "parameters of failed statements are in the log",
            "set it to 0",
        );
    }
    for name in ["debug_print_parse", "debug_print_rewritten", "debug_print_plan"] {
        if of(name) == "on" {
            say(name, "trees of statements, with the values in them, are in the log", "set it to off");
        }
    }
    claims
}

fn connection_log(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let off = rows.iter().filter(|row| matches!(row.text("setting"), "off" | ""));
    off.map(|row| {
        let name = row.text("name");
        Claim::there(
            format!("{name}=off"),
            "what comes and goes between two checks leaves no trace",
            format!("set {name} = on"),
        )
    })
    .collect()
}

fn listen(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    let of =
        |name: &str| rows.iter().find(|row| row.text("name") == name).map_or("", |row| row.text("setting"));
    let mut claims = Vec::new();
    let mut reachable = false;
    for address in of("listen_addresses").split(',').map(str::trim).filter(|address| !address.is_empty()) {
        if ["*", "0.0.0.0", "::"].contains(&address) {
            let advice = "name the addresses of the region's network in listen_addresses";
            claims.push(Claim::there(address, "listens on every address that the machine has", advice));
            reachable = true;
        } else if address != "localhost" {
            let loopback = address.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
            reachable |= !loopback;
            let advice = "take it out of listen_addresses";
            claims.push(Claim::reaches(address, address, "listens outside the region", advice));
        }
    }
    if reachable && of("ssl") != "on" {
        claims.push(Claim::there(
            "ssl=off",
            "connections over the network are readable on their way",
            "set ssl = on",
        ));
    }
    if of("bonjour") == "on" {
        claims.push(Claim::there("bonjour=on", "announces itself to the network", "set bonjour = off"));
    }
    claims
}

fn parameter_grant(rows: &[Row], _: &Expectations) -> Vec<Claim> {
    super::each(rows, |row| {
        let (privilege, name, role) = (row.text("privilege"), row.text("name"), row.text("role"));
        let object = format!("{privilege} on {name} to {role}");
        Claim::there(
            object,
            "may be changed without a superuser",
            format!("REVOKE {privilege} ON PARAMETER {name} FROM {role}"),
        )
    })
}
