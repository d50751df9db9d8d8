//! What happens around the queries: the tour, kill -9, the next start, tampering.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

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
    let marker = enclave.dir.to_string_lossy().into_owned();
    let supervisor = fs::read_to_string(enclave.dir.join("run/up.pid")).unwrap();
    assert!(Command::new("kill").args(["-9", supervisor.trim()]).status().unwrap().success());
    let since = Instant::now();
    while !processes_of(&marker).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(20), "still there: {:?}", processes_of(&marker));
        sleep(Duration::from_millis(100));
    }
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

/// Processes whose command line names the enclave's folder.
fn processes_of(marker: &str) -> Vec<String> {
    let listed = Command::new("ps").args(["-eo", "pid,args"]).output().unwrap();
    let all = String::from_utf8_lossy(&listed.stdout).into_owned();
    all.lines().filter(|line| line.contains(marker)).map(str::to_owned).collect()
}
