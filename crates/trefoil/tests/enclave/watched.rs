//! What goes past the gate is found by the monitor: the sites' own counters, connections and logs against the record, and
//! subjects who do not exist. And what goes through the gate, however it ends, is not.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use super::lab::{AOIFE, BILLING, Enclave, LUKAS, MAEVE, psql};

/// Longer than a site's counters wait until they are judged: two readings, and what the record may take.
const JUDGED_MS: u64 = 15_000;
const POLL_MS: u64 = 50;
/// Subjects who arrive, and those of them who do not exist.
const ARRIVING: &str = "200";
const PLANTED: &str = "10";

#[test]
fn what_goes_past_the_gate_is_found() {
    let enclave = Enclave::start();
    wait("the sites are read", JUDGED_MS, || enclave.dir.join("monitor/watch/hamar.json").exists());
    traffic(&enclave);
    sleep(Duration::from_millis(JUDGED_MS));
    let unexplained = found(&enclave);
    let unexplained: Vec<_> = unexplained.iter().filter(|found| found.starts_with("unreconciled")).collect();
    assert!(unexplained.is_empty(), "real traffic is explained: {unexplained:#?}");

    a_stolen_login_is_found(&enclave);
    the_administrator_is_seen(&enclave);
    a_refused_login_is_told(&enclave);
    somebody_on_no_list_is_found(&enclave);
    counters_that_are_emptied_are_told(&enclave);
    a_touch_of_the_planted_is_found_and_of_their_neighbours_not(&enclave);
    assert!(enclave.trefoil(&["record", "verify"]).status.success());
}

/// What people and programs do, through the gate: all of it is in the record.
fn traffic(enclave: &Enclave) {
    for _ in 0..3 {
        enclave.gate(
            AOIFE,
            &["SELECT * FROM users LIMIT 700", "SELECT 1/0", "SELECT no FROM users", "SHOW trefoil.session"],
        );
        let cursor = "BEGIN; DECLARE c CURSOR FOR SELECT id, handle FROM users; FETCH 100 FROM c; MOVE 50 IN c; \
                      FETCH 30 FROM c; CLOSE c; COMMIT";
        enclave.gate(AOIFE, &[cursor, "SELECT 1; SELECT 2; SELECT handle FROM users LIMIT 3"]);
        enclave.gate(LUKAS, &["COPY (SELECT country FROM users) TO STDOUT", "SELECT * FROM users"]);
        // Released in windows.
        enclave.gate(AOIFE, &["SELECT a.id, b.handle FROM users a, users b LIMIT 60000"]);
        enclave.gate(
            AOIFE,
            &["PREPARE p AS SELECT handle FROM users WHERE id = $1", "SET statement_timeout = 1000"],
        );
        enclave.gate(AOIFE, &["\\set FETCH_COUNT 50", "SELECT id FROM users LIMIT 400", "\\d", "\\dt"]);
        enclave.gate(
            BILLING,
            &[
                "UPDATE payments SET status = 'refunded' WHERE id < 40",
                "BEGIN; UPDATE payments SET status = 'paid' WHERE id < 9; ROLLBACK",
            ],
        );
        enclave.gate(MAEVE, &["SELECT * FROM users"]);
        killed_client(enclave);
    }
    pgbench(enclave);
}

/// A client that is gone in the middle of a result, and one that is gone before it.
fn killed_client(enclave: &Enclave) {
    for (statement, read) in [
        ("COPY (SELECT a.id, a.handle, b.handle FROM users a, users b) TO STDOUT", true),
        ("SELECT handle FROM users LIMIT 900", false),
    ] {
        let mut command = Command::new("psql");
        command.args(["-X", "-A", "-t", &enclave.target(AOIFE), "-c", statement]);
        command.env("PGPASSWORD", enclave.password(AOIFE.name)).stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        if read {
            child.stdout.as_mut().unwrap().read_exact(&mut [0; 4_096]).unwrap();
        } else {
            sleep(Duration::from_millis(150));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

fn pgbench(enclave: &Enclave) {
    let script = enclave.dir.parent().unwrap().join("lookup.sql");
    fs::write(&script, "\\set id random(1, 3000)\nSELECT id, handle, country FROM users WHERE id = :id;\n")
        .unwrap();
    for mode in ["simple", "extended", "prepared"] {
        let mut command = Command::new("pgbench");
        command.args(["-n", "-c", "4", "-j", "2", "-T", "3", "-M", mode, "-f"]).arg(&script);
        command.arg(enclave.target(AOIFE)).env("PGPASSWORD", enclave.password(AOIFE.name));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The gate's password and a certificate that the monitor did not issue: as one who has its authority's key would.
fn a_stolen_login_is_found(enclave: &Enclave) {
    let role = enclave.role("support", "dublin-1", 8);
    let said = enclave.wall(
        "support",
        8,
        &["SELECT count(*) FROM support.users", "SELECT * FROM support.users", "SELECT pg_sleep(9)"],
    );
    assert!(said.lines().count() > 1_000, "{said}");
    for measure in ["connections", "certificates", "rows"] {
        expect(enclave, &format!("{measure} of {role} at dublin-1"));
    }
}

fn the_administrator_is_seen(enclave: &Enclave) {
    enclave.admin("dublin-2", &["SELECT full_name, email FROM data.users"]);
    expect(enclave, "low: logins by the Unix socket of trefoil_admin at dublin-2");
}

fn a_refused_login_is_told(enclave: &Enclave) {
    let site = enclave.site("hamar");
    let target = format!("host=127.0.0.1 port={} dbname=trefoil user=mallory sslmode=require", site["port"]);
    assert!(psql(&target, &[("PGPASSWORD", "guess")], &["SELECT 1"]).contains("rejects"));
    expect(enclave, "refused logins of mallory at hamar");
}

/// A service that the bundle does not name, made by somebody who can write the site's files.
fn somebody_on_no_list_is_found(enclave: &Enclave) {
    let site = enclave.site("dublin-2");
    enclave.admin(
        "dublin-2",
        &[
            "CREATE ROLE ts_rogue LOGIN PASSWORD 'rogue'; GRANT CONNECT ON DATABASE trefoil TO ts_rogue",
            "COPY (SELECT 'host trefoil ts_rogue 127.0.0.1/32 scram-sha-256' UNION ALL \
         SELECT pg_read_file('pg_hba.conf')) TO PROGRAM 'cat > rogue_hba.conf'",
            "ALTER SYSTEM SET hba_file = 'rogue_hba.conf'",
            "COPY (SELECT 'host trefoil ts_rogue 127.0.0.1/32 scram-sha-256') TO PROGRAM \
         'cat - pg_hba.conf > next_hba && mv next_hba pg_hba.conf'",
            "SELECT pg_reload_conf()",
        ],
    );
    let target = format!("host=127.0.0.1 port={} dbname=trefoil user=ts_rogue sslmode=require", site["port"]);
    wait("the rogue is in", JUDGED_MS, || {
        psql(&target, &[("PGPASSWORD", "rogue")], &["SELECT 1"]).trim() == "1"
    });
    expect(enclave, "critical: connections of ts_rogue at dublin-2");
}

fn counters_that_are_emptied_are_told(enclave: &Enclave) {
    enclave.admin("hamar", &["SELECT trefoil_stats.pg_stat_statements_reset()"]);
    expect(enclave, "resets of counters of every role at hamar");
}

fn a_touch_of_the_planted_is_found_and_of_their_neighbours_not(enclave: &Enclave) {
    let folder = enclave.dir.parent().unwrap();
    let (coming, load) = (folder.join("coming.ndjson"), folder.join("load.ndjson"));
    let run = |output: std::process::Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    run(enclave.trefoil(&["subjects", "make", ARRIVING, "--out", coming.to_str().unwrap()]));
    let (among, out) = (coming.to_str().unwrap(), load.to_str().unwrap());
    let (status, said) = monitor(enclave, &["plant", PLANTED, "--among", among, "--out", out]);
    assert!(status, "{said}");
    run(enclave.trefoil(&["subjects", "load", out]));
    let planted = planted(enclave);
    let arrived: BTreeSet<String> = fs::read_to_string(&load)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["users"][0]["id"].to_string())
        .collect();
    assert!(planted.len() == 10 && planted.is_subset(&arrived) && arrived.len() == 210, "{planted:?}");
    let read = |id: &String| enclave.gate(AOIFE, &[&format!("SELECT id, handle FROM users WHERE id = {id}")]);
    for id in arrived.difference(&planted).take(5) {
        assert!(read(id).starts_with(&format!("{id}|")));
    }
    sleep(Duration::from_secs(2));
    assert!(!found(enclave).iter().any(|found| found.starts_with("honeytoken")));
    let touched = planted.iter().next().unwrap();
    assert!(read(touched).starts_with(&format!("{touched}|")), "it looks like any other");
    wait("the touch is found", 5_000, || found(enclave).iter().any(|found| found.starts_with("honeytoken")));
}

/// As the monitor alone can open it.
fn planted(enclave: &Enclave) -> BTreeSet<String> {
    let identity = fs::read_to_string(enclave.dir.join("monitor/detail.age")).unwrap();
    let identity: age::x25519::Identity = identity.trim().parse().unwrap();
    let sealed = fs::read(enclave.dir.join("monitor/planted.age")).unwrap();
    let opened = age::Decryptor::new_buffered(&*sealed).unwrap();
    let mut text = String::new();
    opened
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    let kept: Value = serde_json::from_str(&text).unwrap();
    kept["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn monitor(enclave: &Enclave, arguments: &[&str]) -> (bool, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_trefoil")).with_file_name("trefoil-monitor");
    let mut command = Command::new(program);
    command.arg("--json").args(arguments).arg("--dir").arg(enclave.dir.join("monitor"));
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// `detector: severity: reason`, of every incident.
fn found(enclave: &Enclave) -> BTreeSet<String> {
    let (_, said) = monitor(enclave, &["incidents", "list"]);
    let incidents = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = incidents.flat_map(|incident| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let head = format!("{}: {}", text(&incident["detector"]), text(&incident["severity"]));
        let reasons = incident["reasons"].as_array().cloned().unwrap_or_default();
        reasons
            .into_iter()
            .map(move |reason| format!("{head}: {}", text(&reason["what"])))
            .collect::<Vec<_>>()
    });
    told.collect()
}

fn expect(enclave: &Enclave, part: &str) {
    let told = || found(enclave).iter().any(|found| found.contains(part));
    let mut last = BTreeSet::new();
    for _ in 0..2 * JUDGED_MS / 500 {
        if told() {
            return;
        }
        last = found(enclave);
        sleep(Duration::from_millis(500));
    }
    panic!("{part} is not found: {last:#?}\n{}", enclave.log("monitor"));
}

fn wait(what: &str, ms: u64, done: impl Fn() -> bool) {
    for _ in 0..ms / POLL_MS {
        if done() {
            return;
        }
        sleep(Duration::from_millis(POLL_MS));
    }
    panic!("waited in vain: {what}");
}
