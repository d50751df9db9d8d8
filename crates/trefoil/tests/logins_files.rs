//! `trefoil logins …` on files and standard input: what is read, printed, told and answered by the exit code. Formats
//! and scores are tested where they are made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const AUTH_LOG: &str = "\
May  1 10:00:00 gw sshd[7]: Accepted publickey for ana from 193.0.6.139 port 5 ssh2: ED25519 SHA256:k
May  1 10:00:01 gw CRON[8]: pam_unix(cron:session): session opened for user root
May  1 10:00:02 gw sshd[9]: Failed password for bo from 5.9.0.1 port 5 ssh2
";

fn trefoil(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_trefoil"))
        .arg("logins")
        .args(arguments)
        .env_remove("TREFOIL_PLACES")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // From beside, because a child that is not read from stops reading.
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // One that was refused its arguments reads nothing.
    let _ = writing.join().unwrap();
    output
}

/// The lines of JSON on standard output, and what is on standard error, of a run that ended so.
fn run(arguments: &[&str], input: &str, code: i32) -> (Vec<Value>, String) {
    let output = trefoil(arguments, input);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    (lines.map(|line| serde_json::from_str(line).unwrap()).collect(), told)
}

#[test]
fn what_is_imported_can_be_scored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("logins.ndjson");
    let out = out.to_str().unwrap();
    let (lines, told) = run(&["import", "--format", "sshd", "--year", "2024"], AUTH_LOG, 0);
    assert_eq!(told, "standard input: 2 logins, 1 records of other kinds\n");
    assert_eq!(lines[0]["class_uid"], 3002);
    assert_eq!(lines[0]["user"]["name"], "ana");
    assert_eq!(lines[1]["status_detail"], "INVALID_CREDENTIALS");
    run(&["import", "--format", "sshd", "--year", "2024", "--out", out], AUTH_LOG, 0);
    let written: Vec<Value> =
        fs::read_to_string(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(written, lines);

    // The log itself and what was made of it are judged the same.
    let (direct, told) = run(&["score", "--format", "sshd", "--year", "2024"], AUTH_LOG, 0);
    assert!(told.starts_with("addresses are not looked up"), "{told}");
    let (imported, _) = run(&["score", "--format", "ocsf", "--input", out, "--baseline"], "", 0);
    assert_eq!((direct.len(), imported.len()), (2, 2));
    for (direct, imported) in direct.iter().zip(&imported) {
        for key in ["index", "user", "score", "action", "reasons"] {
            assert_eq!(direct[key], imported[key]);
            assert!(!direct[key].is_null());
        }
        assert!(imported.as_object().unwrap().contains_key("baseline"));
        let sum: f64 = direct["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|reason| reason["log_odds"].as_f64())
            .sum();
        assert!((sum - direct["score"].as_f64().unwrap()).abs() < 1e-4, "{direct}");
    }
    let (none, _) = run(&["score", "--format", "ocsf", "--input", out, "--above", "revoke"], "", 0);
    assert_eq!(none, Vec::<Value>::new());
}

#[test]
fn addresses_are_looked_up() {
    let places = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/places"));
    let arguments = ["score", "--format", "sshd", "--year", "2024", "--places", places.to_str().unwrap()];
    let (lines, _) = run(&arguments, AUTH_LOG, 0);
    let seen: BTreeSet<&str> = lines
        .iter()
        .flat_map(|line| line["reasons"].as_array().unwrap())
        .filter_map(|reason| reason["observed"].as_str())
        .collect();
    assert!(seen.contains("hosting"), "{seen:?}");
}

/// What a folder holds, byte for byte.
fn held(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut held: Vec<_> = files
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    held.sort();
    held
}

#[test]
fn a_log_is_judged_by_what_a_state_has_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (world, first, state) = (path("world"), path("first"), path("state"));
    run(&["simulate", "--seed", "5", "--users", "150", "--days", "6", "--out", &world], "", 0);
    let text = fs::read_to_string(&world).unwrap();
    let half = text.lines().count() / 2;
    let learnt: String = text.lines().take(half).map(|line| format!("{line}\n")).collect();
    let judged: String = text.lines().skip(half).map(|line| format!("{line}\n")).collect();
    fs::write(&first, learnt).unwrap();
    run(&["watch", "--state", &state, "--input", &first], "", 0);
    let before = held(Path::new(&state));
    let score = || run(&["score", "--state", &state], &judged, 0);
    let (by_state, told) = score();
    assert!(told.contains(&format!("judged by what was learnt up to line {half}")), "{told}");
    assert_eq!(score().0, by_state, "nothing was kept");
    assert_eq!(held(Path::new(&state)), before, "nothing was written");
    let (alone, _) = run(&["score"], &judged, 0);
    let scores = |lines: &[Value]| lines.iter().map(|line| line["score"].clone()).collect::<Vec<_>>();
    assert_ne!(scores(&by_state), scores(&alone));

    // As a watch that goes on would.
    fs::write(&first, text).unwrap();
    let (all, _) = run(&["watch", "--state", &state, "--input", &first, "--above", "allow"], "", 0);
    let of = |lines: &[Value]| -> Vec<_> {
        let judgements = lines.iter().filter(|line| line.get("finding").is_none());
        judgements
            .map(|line| (line["user"].clone(), line["score"].clone(), line["reasons"].clone()))
            .collect()
    };
    assert_eq!(of(&by_state), of(&all));
}

#[test]
fn a_world_may_be_in_real_networks() {
    let places = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/places");
    let arguments = ["simulate", "--seed", "5", "--users", "150", "--days", "3", "--places", places];
    let (events, _) = run(&arguments, "", 0);
    assert_eq!(run(&arguments, "", 0).0, events, "the same seed makes the same world");
    let known = places::Places::open(Path::new(places)).unwrap();
    let (mut seen, mut asns) = (0, BTreeSet::new());
    for endpoint in
        events.iter().map(|event| &event["src_endpoint"]).filter(|endpoint| endpoint["ip"].is_string())
    {
        let place = known.of(endpoint["ip"].as_str().unwrap().parse().unwrap());
        let asn = endpoint["autonomous_system"]["number"].as_u64().unwrap();
        assert_eq!(place.asn.map(u64::from), Some(asn), "{endpoint}");
        asns.insert(asn);
        seen += 1;
    }
    assert!(seen > 200 && asns.len() > 20, "{seen} events of {} networks", asns.len());
    let folder = tempfile::tempdir().unwrap();
    let lacking = ["simulate", "--places", folder.path().to_str().unwrap()];
    assert!(run(&lacking, "", 2).1.contains("no networks in the world's home, NO"));
}

#[test]
fn labels_change_no_score() {
    let world = ["simulate", "--seed", "5", "--users", "150", "--days", "3"];
    let world = String::from_utf8(trefoil(&world, "").stdout).unwrap();
    let stripped: String = world
        .lines()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            assert!(event["unmapped"].as_object_mut().unwrap().remove("label").is_some(), "{line}");
            format!("{event}\n")
        })
        .collect();
    let score = ["score", "--format", "ocsf"];
    let (labelled, _) = run(&score, &world, 0);
    assert!(labelled.len() > 1_000);
    assert!(labelled == run(&score, &stripped, 0).0);
}

#[test]
fn what_cannot_be_read_is_told_and_the_rest_is_judged() {
    let log = format!("nonsense\n{AUTH_LOG}");
    let (lines, told) = run(&["score", "--format", "sshd", "--year", "2024"], &log, 1);
    assert_eq!(lines.len(), 2);
    assert!(told.contains("standard input: line 1: no time at the beginning: `nonsense`"), "{told}");
    assert!(told.contains("2 logins, 1 records of other kinds, 1 records could not be read"), "{told}");
}

#[test]
fn what_cannot_be_begun_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("m.toml");
    fs::write(&map, "[columns]\ntime = \"t\"\nuser = \"u\"\nwho = \"w\"\n").unwrap();
    let map = map.to_str().unwrap();
    let out = folder.path().join("out.ndjson");
    let out = out.to_str().unwrap();
    for (arguments, wanted) in [
        (&["import", "--format", "csv"][..], "--map"),
        (&["import", "--format", "csv", "--map", map], "m.toml: "),
        (&["import", "--format", "ocsf"], "nothing to import"),
        (&["import", "--format", "sshd", "/nowhere"], "reading /nowhere: "),
        (&["import", "--format", "evtx", "--out", out], "no Windows event log"),
        (&["import", "--format", "sshd", "--zone", "Mars"], "--zone Mars: not known"),
        (&["score", "--format", "sshd", "--places", "/nowhere"], "/nowhere"),
        (&["score", "--format", "telnet"], "possible values"),
        (&["score", "--state", "/nowhere"], "/nowhere"),
        (&["watch", "--state", out, "--nats", "nats://127.0.0.1:1", "--dir", out], "`trefoil up` makes one"),
    ] {
        let (lines, told) = run(arguments, "", 2);
        assert!(lines.is_empty() && told.contains(wanted), "{arguments:?}: {told}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing half written is left");
}
