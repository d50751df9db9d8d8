//! What happens around the queries: the tour, kill -9, the next start, tampering.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::lab::{AOIFE, Enclave, up};

#[test]
fn the_tour_finds_everything_as_promised() {
    let enclave = Enclave::start();
    let tour = enclave.trefoil(&["tour"]);
    let said = String::from_utf8_lossy(&tour.stdout).into_owned();
    assert!(tour.status.success(), "{said}\n{}", String::from_utf8_lossy(&tour.stderr));
    assert!(said.trim_end().ends_with("observations as promised"), "{said}");
    let check = enclave.trefoil(&["check"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn kill_leaves_no_orphan_and_loses_nothing() {
    let mut enclave = Enclave::start();
    assert!(enclave.gate(AOIFE, &["SELECT count(*) FROM users"]).trim().parse::<u32>().is_ok());
    let before = entries(&enclave);
    let parts = processes(&enclave);
    assert_eq!(parts.len(), 6, "three sites, the monitor, the gate, the served record: {parts:?}");
    let supervisor = fs::read_to_string(enclave.dir.join("run/up.pid")).unwrap();
    let supervisor = Pid::from_raw(supervisor.trim().parse().unwrap()).unwrap();
    kill_process(supervisor, Signal::KILL).unwrap();
    for _ in 0..200 {
        if !parts.iter().any(runs) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(!parts.iter().any(runs), "one of {parts:?} is still there");
    let info = up(&enclave.dir);
    assert_eq!(info["dir"], enclave.info["dir"]);
    enclave.info = info;
    assert!(enclave.gate(AOIFE, &["SELECT count(*) FROM users"]).trim().parse::<u32>().is_ok());
    let after = entries(&enclave);
    assert!(after.len() > before.len(), "{} entries before, {} after", before.len(), after.len());
    assert_eq!(&after[..before.len()], &before[..], "the record lost or changed entries");
    assert!(enclave.trefoil(&["record", "verify"]).status.success());
}

/// The published entries, as `record show --json` prints them.
fn entries(enclave: &Enclave) -> Vec<String> {
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8_lossy(&shown.stdout).lines().map(str::to_owned).collect()
}

/// The parts' process ids.
fn processes(enclave: &Enclave) -> Vec<u64> {
    let status = enclave.trefoil(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    status["parts"].as_array().unwrap().iter().filter_map(|part| part["pid"].as_u64()).collect()
}

/// A process that has ended and that nobody has waited for has no command line any more.
fn runs(pid: &u64) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}
