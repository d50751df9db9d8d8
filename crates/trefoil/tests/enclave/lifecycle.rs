//! What happens around the queries: the tour, kill -9, the next start, tampering.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::lab::{AOIFE, BILLING, Enclave, Who, up};

#[test]
fn the_tour_finds_everything_as_promised() {
    let enclave = Enclave::start();
    let tour = enclave.trefoil(&["tour"]);
    let said = String::from_utf8_lossy(&tour.stdout).into_owned();
    assert!(tour.status.success(), "{said}\n{}", String::from_utf8_lossy(&tour.stderr));
    assert!(said.trim_end().ends_with("observations as promised"), "{said}");
    // The gates that lie are there: ./test builds them.
    assert!(said.contains("a rogue gate records less") && !said.contains("not shown"), "{said}");
    let check = enclave.trefoil(&["check"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[test]
fn kill_leaves_no_orphan_and_loses_nothing() {
    let mut enclave = Enclave::start();
    assert!(enclave.gate(AOIFE, &["SELECT count(*) FROM users"]).trim().parse::<u32>().is_ok());
    let before = entries(&enclave);
    let parts = processes(&enclave);
    assert_eq!(parts.len(), 7, "three sites, the monitor, the gate, the served record, the watch: {parts:?}");
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
    a_home_is_written_on_while_its_site_is_gone(&enclave);
}

/// A site is killed under a session; its home moves; whoever writes for that home goes on elsewhere; it comes back.
fn a_home_is_written_on_while_its_site_is_gone(enclave: &Enclave) {
    let here = Who { options: "-c trefoil.purpose=billing -c trefoil.site=dublin-1", ..BILLING };
    let home = Who { options: "-c trefoil.purpose=billing -c trefoil.home=dublin-1", ..BILLING };
    let first = enclave.admin("hamar", &["SELECT min(id) FROM data.payments WHERE home_site = 'dublin-1'"]);
    let write = format!("UPDATE payments SET status = 'moved' WHERE id = {}", first.trim());
    let write = [write.as_str()];
    let mut psql = enclave.open(here);
    psql.say("SELECT 'before';");
    psql.wait_for("before");
    enclave.kill(&["site dublin-1"]);
    // A backend that has not yet heard of its server's death may answer once more.
    wait_for_the_last_process_in(&enclave.dir.join("sites/dublin-1"));
    psql.say("SELECT 'after';");
    let said = psql.end();
    assert!(said.contains("site dublin-1") && said.contains("Connect again"), "{said}");
    assert!(["08006", "57P01"].iter().any(|sqlstate| said.contains(sqlstate)), "{said}");
    assert_eq!(enclave.gate(AOIFE, &["SELECT 'next'"]), "next\n", "the next connection works");
    let refused = enclave.gate(home, &write);
    assert!(refused.contains("dublin-1"), "{refused}");
    let moved = enclave.sites_command(&["failover", "dublin-1"]);
    let holder = moved["moves"][0]["to"].as_str().unwrap().to_owned();
    assert_eq!(moved["moves"][0]["course"], "taken_over");
    assert_eq!(enclave.gate(home, &write), "UPDATE 1\n");
    assert_eq!(
        enclave.gate(home, &["SELECT DISTINCT status FROM payments WHERE status = 'moved'"]),
        "moved\n"
    );
    let elsewhere = if holder == "hamar" { "dublin-2" } else { "hamar" };
    let options = format!("-c trefoil.purpose=billing -c trefoil.site={elsewhere}");
    let wrong = enclave.gate(Who { options: options.leak(), ..BILLING }, &write);
    assert!(wrong.contains("trefoil.home"), "{wrong}");
    up(&enclave.dir);
    // It is there again, and nobody is sent to it before it is told what has happened.
    let closed = enclave.gate(here, &["SELECT 1"]);
    assert!(closed.contains("site dublin-1 is closed"), "{closed}");
    let back = enclave.sites_command(&["failback", "dublin-1"]);
    assert_eq!(back["moves"].as_array().unwrap().len(), 2, "{back}");
    let kinds = |kind: &str| enclave.shown(kind).len();
    assert_eq!((kinds("sites.failover"), kinds("sites.failback")), (2, 4));
    let mut said = String::new();
    for _ in 0..100 {
        let check = enclave.trefoil(&["check"]);
        said = String::from_utf8_lossy(&check.stdout).into_owned();
        if check.status.success() && enclave.gate(here, &["SELECT 1"]) == "1\n" {
            assert_eq!(enclave.gate(home, &write), "UPDATE 1\n");
            return enclave.is_of_one_mind();
        }
        sleep(Duration::from_millis(200));
    }
    panic!("{said}\n{}", enclave.log("gate"));
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

/// A server's processes all work in its data folder.
fn wait_for_the_last_process_in(folder: &Path) {
    let folder = fs::canonicalize(folder).unwrap();
    let works_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|place| place.starts_with(&folder))
    };
    for _ in 0..200 {
        if !fs::read_dir("/proc").unwrap().flatten().any(|process| works_there(&process)) {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("a process of {} is still there", folder.display());
}

/// A process that has ended and that nobody has waited for has no command line any more.
fn runs(pid: &u64) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}
