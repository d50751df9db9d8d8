//! Real clients, unmodified, against a whole enclave: each is installed by `./test` and run as its users run it. What
//! each must print is data. Here: that they work; not what the gate refuses (`enclave`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod drivers;
#[allow(dead_code, reason = "what other tests need of it is not needed here")]
#[path = "../enclave/lab.rs"]
mod lab;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use lab::{AOIFE, Enclave};

/// A client that is a program: how it is run, and what it prints, line by line.
struct Client {
    name: &'static str,
    command: fn(&Path) -> Command,
    prints: &'static [&'static str],
}

const CLIENTS: &[Client] = &[
    Client {
        name: "psycopg 3",
        command: |here| program("venv/bin/python", here, "psycopg_client.py"),
        prints: &[
            "count 3000",
            "parameter 1 str True",
            "prepared",
            "binary [1, 2, 3]",
            "refused 42501 True",
            "still there 1",
            "copy 3000",
            "cursor 3000",
            "pipeline 5050",
            "rollback IDLE",
        ],
    },
    Client {
        name: "asyncpg",
        command: |here| program("venv/bin/python", here, "asyncpg_client.py"),
        prints: &[
            "count 3000",
            "parameter 1 str True",
            "array [1, 2, 3]",
            "refused 42501",
            "cursor 3000",
            "copy 3000",
            "again 1",
        ],
    },
    Client {
        name: "node-postgres",
        command: |here| {
            let mut node = Command::new("node");
            node.arg(here.join("node.js")).env("NODE_PATH", installed().join("node_modules"));
            node
        },
        prints: &[
            "count 3000",
            "parameter 1 string true",
            "prepared",
            "refused 42501",
            "all 3000",
            "several 1 2",
        ],
    },
    Client {
        name: "pgjdbc",
        command: |here| {
            let mut java = Command::new("java");
            java.args(["-cp", "/usr/share/java/*"]).arg(here.join("Jdbc.java"));
            java
        },
        prints: &[
            "count 3000",
            "prepared",
            "refused 42501",
            "fetch size 3000",
            "copy 3000",
            "schemas [information_schema, pg_catalog, support]",
            "tables [devices, messages, payments, posts, sign_ins, users]",
            "columns [analytics_consent, birth_date, country, created_at, email, followers, full_name, handle, \
             home_site, id, language, phone]",
            "keys []",
            "imported []",
            "indexes []",
            "types true",
        ],
    },
    Client {
        name: "psql, by a cursor",
        command: |_| {
            let mut psql = psql(&["SELECT id FROM users WHERE id <= 250 ORDER BY id"]);
            psql.args(["-t", "-v", "FETCH_COUNT=100"]).arg("-o").arg("/dev/null");
            psql
        },
        prints: &[],
    },
    Client {
        name: "psql \\copy",
        command: |_| {
            psql(&[
                "\\copy (SELECT id, country IS NULL FROM users WHERE id < 4 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)",
            ])
        },
        prints: &["id,?column?", "1,f", "2,f", "3,f"],
    },
    Client {
        name: "psql \\dt",
        command: |_| {
            let mut psql = psql(&["\\d"]);
            psql.arg("-t");
            psql
        },
        prints: &[
            "support|devices|view|",
            "support|messages|view|",
            "support|payments|view|",
            "support|posts|view|",
            "support|sign_ins|view|",
            "support|users|view|",
        ],
    },
];

/// A program of the folder into which `./test` installs clients, with a script of this one.
fn program(name: &str, here: &Path, script: &str) -> Command {
    let mut command = Command::new(installed().join(name));
    command.arg(here.join(script));
    command
}

fn psql(commands: &[&str]) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-A", "-v", "ON_ERROR_STOP=1"]);
    for command in commands {
        psql.args(["-c", command]);
    }
    psql
}

fn installed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients")
}

/// What libpq and its likes read from their environment.
fn environment(enclave: &Enclave) -> Vec<(&'static str, String)> {
    let (host, port) = enclave.listener(AOIFE.place);
    vec![
        ("PGHOST", host),
        ("PGPORT", port.to_string()),
        ("PGUSER", AOIFE.name.into()),
        ("PGPASSWORD", enclave.password(AOIFE.name)),
        ("PGDATABASE", "trefoil".into()),
        ("PGSSLMODE", "verify-full".into()),
        ("PGSSLROOTCERT", enclave.info["ca"].as_str().unwrap().into()),
        ("PGOPTIONS", AOIFE.options.into()),
    ]
}

/// Runs a client; what went wrong, if something did.
fn check(client: &Client, environment: &[(&'static str, String)]) -> Result<(), String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut command = (client.command)(&here);
    command.envs(environment.iter().map(|(name, value)| (*name, value.as_str()))).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("{}: {error}; ./test installs it", client.name))?;
    let said = String::from_utf8_lossy(&output.stdout);
    // The role that owns a profile's views is named after its hash.
    let lines: Vec<&str> = said.lines().map(|line| line.split("to_").next().unwrap_or(line)).collect();
    if output.status.success() && lines == client.prints {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}\nprinted {lines:#?}\nerrors {errors}", client.name, output.status))
}

#[test]
fn clients_work_unmodified() {
    let enclave = Enclave::start();
    let environment = environment(&enclave);
    let mut wrong = Vec::new();
    for group in CLIENTS.chunks(3) {
        // A few at a time: fewer than there are roles in the profile.
        let outcomes = thread::scope(|scope| {
            let running: Vec<_> =
                group.iter().map(|client| scope.spawn(|| check(client, &environment))).collect();
            running.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        wrong.extend(outcomes.into_iter().filter_map(Result::err));
    }
    wrong.extend(pgbench(&environment).err());
    wrong.extend(pg_dump(&environment).err());
    wrong.extend(hidden_names(&environment).err());
    wrong.extend(drivers::tokio_postgres(&enclave).err());
    wrong.extend(drivers::sqlx(&enclave).err());
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n\n"), enclave.log("gate"));
}

/// pgbench in its three modes, two clients each.
fn pgbench(environment: &[(&'static str, String)]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("lookup.sql");
    std::fs::write(&script, "\\set id random(1, 3000)\nSELECT handle, country FROM users WHERE id = :id;\n")
        .unwrap();
    for mode in ["simple", "extended", "prepared"] {
        let output = Command::new("pgbench")
            .args(["-n", "-M", mode, "-c", "2", "-j", "2", "-t", "100", "-f"])
            .arg(&script)
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .output()
            .map_err(|error| format!("pgbench: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !said.contains("transactions actually processed: 200/200") {
            return Err(format!("pgbench -M {mode}: {said}\n{}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(())
}

/// A dump is refused, in words that its user understands.
fn pg_dump(environment: &[(&'static str, String)]) -> Result<(), String> {
    let output = Command::new("pg_dump")
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
        .output()
        .map_err(|error| format!("pg_dump: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("pg_dump") || !said.contains("refused: ") {
        return Err(format!("pg_dump is not refused with a reason of its own: {said}"));
    }
    Ok(())
}

/// What psql's commands print, in which no name of what the profile does not show may occur.
fn hidden_names(environment: &[(&'static str, String)]) -> Result<(), String> {
    const HIDDEN: &[&str] =
        &["data.", "trefoil_subject", "pseudonym", "analytics.", "engineering", "users_dublin"];
    for command in [
        "\\d users",
        "\\d+ users",
        "\\d+",
        "\\dt+ *.*",
        "\\dn+",
        "\\df *.*",
        "\\dp",
        "\\sv users",
        "\\dT *.*",
    ] {
        let output = psql(&[command])
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            .output()
            .map_err(|error| format!("psql: {error}"))?;
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if let Some(name) = HIDDEN.iter().find(|name| said.contains(**name)) {
            return Err(format!("psql {command} shows {name}:\n{said}"));
        }
        if !output.status.success() && command != "\\sv users" {
            return Err(format!("psql {command}: {said}"));
        }
    }
    Ok(())
}
