//! Rules on answers that a test's cluster does not give: those of distributed engines, as their documentation prints them,
//! and those that take an hour or a build of another kind. What can be planted is planted (`tests/seeded.rs`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use policy::Network;

use crate::check::{Claim, Row};
use crate::checks::{all, named};
use crate::{Expectations, Identity};

/// What a check claims of these rows, in words: the host that is asked about, or the object.
fn check(name: &str, rows: &[&[(&str, &str)]], expected: &[&str]) {
    check_with(name, &Expectations::default(), rows, expected);
}

fn check_with(name: &str, by: &Expectations, rows: &[&[(&str, &str)]], expected: &[&str]) {
    let rows = rows.iter().map(|row| Row::new(row.iter().map(|(column, value)| (*column, Some(*value)))));
    let claims = (named(name).unwrap().rule)(&rows.collect::<Vec<_>>(), by);
    let said: BTreeSet<String> = claims
        .into_iter()
        .map(|claim| match claim {
            Claim::There(told) => format!("there {}", told.object),
            Claim::Reaches { host, told } => format!("reaches {host} as {}", told.object),
            Claim::Unknown(told) => format!("unknown {}", told.object),
        })
        .collect();
    assert_eq!(said, expected.iter().map(|text| (*text).to_owned()).collect(), "{name}");
}

#[test]
fn names_are_unique_and_every_check_explains_itself() {
    let names: BTreeSet<&str> = all().map(|check| check.name).collect();
    assert_eq!(names.len(), all().count());
    for check in all() {
        assert!(check.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", check.name);
        for text in [check.looks_at, check.why, check.cannot_see] {
            assert!(text.len() > 20 && !text.contains("  "), "{}: {text}", check.name);
        }
    }
}

#[test]
fn sessions() {
    let rows: &[&[(&str, &str)]] = &[
        &[("kind", "autovacuum launcher")],
        &[("kind", "pg_cron launcher"), ("role", "postgres")],
        &[("kind", "client backend"), ("role", "app"), ("address", "10.1.0.7"), ("tls", "f")],
        &[("kind", "client backend"), ("role", "app"), ("address", "10.1.0.8"), ("tls", "t")],
        &[("kind", "walsender"), ("role", "postgres")],
        &[("kind", "client backend"), ("role", "odd"), ("address", "nowhere")],
    ];
    check(
        "session",
        rows,
        &[
            "there pg_cron launcher",
            "there app from 10.1.0.7 in clear",
            "reaches 10.1.0.7 as app from 10.1.0.7",
            "reaches 10.1.0.8 as app from 10.1.0.8",
            "unknown odd from nowhere",
        ],
    );
    let identity = |role: &str, from: &str| Identity {
        role: role.to_owned(),
        from: Network::parse(from).into_iter().collect(),
    };
    let closed = Expectations {
        identities: Some(vec![identity("app", "10.1.0.8/32"), identity("postgres", "")]),
        ..Expectations::default()
    };
    check_with(
        "session",
        &closed,
        rows,
        &["there pg_cron launcher", "there app from 10.1.0.7", "unknown odd from nowhere"],
    );
}

#[test]
fn lines_of_pg_hba() {
    let line = |rule: &'static str,
                kind: &'static str,
                address: &'static str,
                mask: &'static str,
                method: &'static str| {
        vec![
            ("rule", rule),
            ("type", kind),
            ("databases", "app"),
            ("address", address),
            ("netmask", mask),
            ("method", method),
        ]
    };
    let rows = [
        line("a", "local", "", "", "peer"),
        line("b", "local", "", "", "md5"),
        line("c", "hostssl", "10.1.2.3", "255.255.0.0", "cert"),
        line("d", "hostssl", "db.example", "", "scram-sha-256"),
        line("e", "hostssl", ".example", "", "scram-sha-256"),
        line("f", "hostssl", "2001:db8::1", "ffff:ffff::", "scram-sha-256"),
        line("g", "host", "all", "", "reject"),
        line("h", "host", "127.0.0.1", "255.255.255.255", "ldap"),
    ];
    let rows: Vec<&[(&str, &str)]> = rows.iter().map(Vec::as_slice).collect();
    check(
        "hba",
        &rows,
        &[
            "there b",
            "reaches 10.1.0.0/16 as c",
            "reaches db.example as d",
            "there e",
            "reaches 2001:db8::/32 as f",
            "there h",
            "reaches 127.0.0.1/32 as h",
        ],
    );
    let closed = Expectations { hba: Some(vec!["a".to_owned(), "c".to_owned()]), ..Expectations::default() };
    check_with("hba", &closed, &rows, &["there b", "there d", "there e", "there f", "there h"]);
    check("hba", &[&[("line", "7"), ("error", "invalid")]], &["there line 7"]);
}

#[test]
fn settings_that_take_a_restart_or_another_build() {
    let setting = |name: &'static str, value: &'static str| [("name", name), ("setting", value)];
    check(
        "listen",
        &[
            &setting("listen_addresses", "localhost, 10.1.0.5,::1,db.example"),
            &setting("ssl", "off"),
            &setting("bonjour", "on"),
        ],
        &[
            "reaches 10.1.0.5 as 10.1.0.5",
            "reaches ::1 as ::1",
            "reaches db.example as db.example",
            "there ssl=off",
            "there bonjour=on",
        ],
    );
    check(
        "library",
        &[
            &setting("jit_provider", "other"),
            &setting("archive_library", "basic_archive"),
            &setting("shared_preload_libraries", "\"a\", b"),
            &setting("extension_control_path", "$system"),
        ],
        &["there jit_provider=other", "there basic_archive", "there a", "there b"],
    );
    check("shell-command", &[&setting("archive_mode", "always")], &["there archive_mode=always"]);
    check(
        "log",
        &[
            &setting("log_destination", "stderr"),
            &setting("log_statement", "none"),
            &setting("log_parameter_max_length_on_error", "0"),
            &setting("logging_collector", "on"),
            &setting("log_directory", "/mnt/us"),
            &setting("auto_explain.log_min_duration", "5"),
            &setting("debug_print_plan", "on"),
        ],
        &[
            "there log_directory=/mnt/us",
            "there auto_explain.log_min_duration=5",
            "there log_parameter_max_length=",
            "there debug_print_plan=on",
        ],
    );
}

#[test]
fn what_takes_an_hour_or_an_inventory() {
    let snapshot = |pid: &'static str, seconds: &'static str| {
        [("pid", pid), ("role", "app"), ("snapshot_seconds", seconds)]
    };
    check("old-snapshot", &[&snapshot("7", "3600"), &snapshot("8", "3601")], &["there app process 8"]);
    let inventory = Expectations {
        data_directory: Some(PathBuf::from("/srv/pg")),
        system_identifier: Some("7".to_owned()),
        ..Expectations::default()
    };
    for (found, expected) in
        [("/srv/pg", &[][..]), ("/mnt/pg", &["there /mnt/pg"]), ("", &["unknown /srv/pg"])]
    {
        check_with("data-directory", &inventory, &[&[("setting", found)]], expected);
    }
    check_with("cluster", &inventory, &[&[("identifier", "7")]], &[]);
    check_with("cluster", &inventory, &[&[("identifier", "8")]], &["there 8"]);
    check("upstream", &[&[("recovering", "t")]], &["there recovery"]);
}

#[test]
fn other_programs() {
    check(
        "scheduled-job",
        &[&[("jobid", "3"), ("nodename", "localhost"), ("database", "app"), ("username", "app")]],
        &["there job 3", "reaches localhost as job 3 at localhost"],
    );
    check(
        "pglogical-node",
        &[
            &[("if_name", "us"), ("if_dsn", "host=198.51.100.7")],
            &[("if_name", "odd"), ("if_dsn", "service=x")],
        ],
        &["there us", "reaches 198.51.100.7 as us to 198.51.100.7", "there odd", "unknown odd"],
    );
}

#[test]
fn citus() {
    check(
        "citus-placement",
        &[
            &[("nodename", "10.1.0.5"), ("nodeport", "5432"), ("noderack", "dublin"), ("placements", "16")],
            &[
                ("nodename", "worker-2.example"),
                ("nodeport", "5433"),
                ("noderack", "default"),
                ("placements", "0"),
            ],
        ],
        &[
            "there 10.1.0.5:5432",
            "reaches 10.1.0.5 as 10.1.0.5:5432 (outside)",
            "there worker-2.example:5433",
            "reaches worker-2.example as worker-2.example:5433 (outside)",
        ],
    );
    check("citus-placement", &[], &[]);
}

#[test]
fn yugabyte() {
    check(
        "yugabyte-server",
        &[
            &[
                ("host", "127.0.0.1"),
                ("node_type", "primary"),
                ("cloud", "aws"),
                ("region", "eu-west-1"),
                ("zone", "a"),
            ],
            &[
                ("host", "127.0.0.2"),
                ("node_type", "read_replica"),
                ("cloud", "aws"),
                ("region", "us-east-1"),
                ("zone", "a"),
            ],
        ],
        &[
            "there aws.eu-west-1",
            "reaches 127.0.0.1 as 127.0.0.1",
            "there aws.us-east-1",
            "reaches 127.0.0.2 as 127.0.0.2",
        ],
    );
    let block =
        |region: &str| format!(r#"{{"cloud":"aws","region":"{region}","zone":"a","min_num_replicas":1}}"#);
    let two =
        format!(r#"{{"num_replicas":2,"placement_blocks":[{},{}]}}"#, block("eu-west-1"), block("us-east-1"));
    check(
        "yugabyte-tablespace",
        &[
            &[("spcname", "eu"), ("placement", &two)],
            &[("spcname", "odd"), ("placement", r#"{"num_replicas":3}"#)],
            &[("spcname", "none")],
        ],
        &["there aws.eu-west-1", "there aws.us-east-1", "unknown odd", "unknown none"],
    );
}

#[test]
fn cockroach() {
    check(
        "cockroach-placement",
        &[
            &[
                ("of", "this database"),
                ("table_name", "users"),
                ("localities", "region=europe-west1,zone=europe-west1-b;region=us-east1,zone=us-east1-d"),
            ],
            &[
                ("of", "system"),
                ("table_name", "descriptor"),
                ("localities", "cloud=gce,region=europe-west1"),
            ],
            &[("of", "system"), ("table_name", "odd"), ("localities", "dc=dublin")],
            &[("of", "system"), ("table_name", "none"), ("localities", "")],
        ],
        &["there region=europe-west1", "there region=us-east1", "there dc=dublin", "unknown no locality"],
    );
}
