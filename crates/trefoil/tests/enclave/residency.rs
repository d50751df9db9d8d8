//! Residency, with all parts: a clean enclave passes every check, what is planted at a site is found by the watch, recorded,
//! and an incident at the monitor, and a watch that is gone is missed. Which paths there are is the `residency` crate's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use super::lab::{AOIFE, BILLING, Enclave, try_up_with};

/// How often the watch of this test looks, and how long the monitor of this test waits for it.
const EVERY_SECONDS: u32 = 2;
const MISSED_MINUTES: u32 = 1;
const POLL_MS: u64 = 250;

/// Where `./test` puts the country file.
fn countries() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/country/dbip-country.mmdb");
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_leaves_a_site_is_found_recorded_and_told() {
    let up = |dir: &Path| try_up_with(dir, &["--country-file", &countries()]).unwrap();
    let enclave = Enclave::start_with(up);
    nobody_is_connected_but_the_closed_list(&enclave);
    a_clean_enclave_passes(&enclave);
    look_often(&enclave);
    let before = enclave.shown("residency.evidence").len();
    assert!(before > 0, "{}", enclave.log("residency"));

    // What a superuser can do and no checker prevents.
    enclave.admin(
        "hamar",
        &[
            "SELECT pg_create_physical_replication_slot('to_elsewhere', true)",
            "CREATE EXTENSION postgres_fdw SCHEMA trefoil",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '1.2.4.8', dbname 'copy')",
        ],
    );
    let wrong = wait("the watch finds what was planted", || {
        let said = findings(&enclave);
        (said.len() >= 3).then_some(said)
    });
    for planted in [
        "fail replication-slot at hamar: to_elsewhere",
        "fail extension at hamar: postgres_fdw",
        "fail foreign-server at hamar: ",
    ] {
        assert!(wrong.iter().any(|said| said.starts_with(planted)), "{planted}: {wrong:?}");
    }
    assert!(wrong.iter().all(|said| said.contains("at hamar")), "and nothing at other sites: {wrong:?}");
    let (code, report) = check(&enclave);
    assert_eq!(code, 1, "{report}");
    let reasons = wait("an incident names it", || incident(&enclave, Some("hamar")));
    for object in ["replication-slot: to_elsewhere", "extension: postgres_fdw", "foreign-server: elsewhere"] {
        assert!(reasons.contains(object), "{object}: {reasons}");
    }
    assert!(!enclave.trefoil(&["check"]).status.success());

    enclave.admin(
        "hamar",
        &["DROP EXTENSION postgres_fdw CASCADE", "SELECT pg_drop_replication_slot('to_elsewhere')"],
    );
    wait("and passes again", || findings(&enclave).is_empty().then_some(()));
    assert_eq!(check(&enclave).0, 0);
    evidence_is_in_the_record(&enclave, before);

    enclave.kill(&["residency"]);
    let reasons = wait("a watch that is gone is missed", || incident(&enclave, None));
    assert!(reasons.contains("without evidence of residency"), "{reasons}");
    assert_eq!(enclave.status()["ready"], false);
    enclave.is_of_one_mind();
}

/// The report of a check on all sites, and its exit code.
fn check(enclave: &Enclave) -> (i32, Value) {
    let output = enclave.trefoil(&["residency", "check", "--json"]);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), report)
}

fn a_clean_enclave_passes(enclave: &Enclave) {
    enclave.gate(AOIFE, &["SELECT * FROM users LIMIT 700"]);
    enclave.gate(BILLING, &["UPDATE payments SET status = 'paid' WHERE id < 9"]);
    let (code, report) = check(enclave);
    let checks = report["checks"].as_array().unwrap();
    let wrong: Vec<&Value> = checks.iter().filter(|line| line["result"] != "pass").collect();
    assert!(code == 0 && wrong.is_empty(), "{wrong:#?}");
    let sites: BTreeSet<&str> = checks.iter().map(|line| line["site"].as_str().unwrap()).collect();
    assert_eq!(sites.into_iter().collect::<Vec<_>>(), ["dublin-1", "dublin-2", "hamar"]);
    // The list that gate and monitor hold evidence against is what is asked.
    for site in ["dublin-1", "dublin-2", "hamar"] {
        let of_site = checks.iter().filter(|line| line["site"] == site);
        let asked: Vec<&str> = of_site.map(|line| line["name"].as_str().unwrap()).collect();
        assert_eq!(asked, wall::residency::CHECKS, "{site}");
    }
    let checked = enclave.trefoil(&["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let status = enclave.status();
    assert_eq!((&status["ready"], &status["residency"]["fail"]), (&Value::Bool(true), &0.into()), "{status}");
    assert!(
        incident(enclave, None).is_none() && incident(enclave, Some("hamar")).is_none(),
        "no false alarm"
    );
}

/// Promise 1: `pg_hba.conf` admits a closed list and nobody else, and nobody else is connected.
fn nobody_is_connected_but_the_closed_list(enclave: &Enclave) {
    let lines = enclave.admin(
        "dublin-1",
        &["SELECT DISTINCT type || ' ' || unnest(user_name) FROM pg_hba_file_rules WHERE auth_method <> 'reject'"],
    );
    let admitted: BTreeSet<&str> = lines.lines().collect();
    let expected = [
        "hostssl +trefoil_pool",
        "hostssl trefoil_repl_dublin-2",
        "hostssl trefoil_repl_hamar",
        "hostssl trefoil_residency",
        "hostssl trefoil_stats",
        "hostssl trefoil_stop",
        "hostssl trefoil_watch",
        "hostssl ts_payouts",
        "local trefoil_admin",
    ];
    let unexpected: Vec<_> = admitted.iter().filter(|line| !expected.contains(*line)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    for name in &expected[..7] {
        assert!(admitted.contains(name), "{name}: {admitted:?}");
    }
    let connected = enclave.admin(
        "dublin-1",
        &["SELECT DISTINCT usename FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid()"],
    );
    let known =
        |role: &str| role.starts_with("trefoil_") || role.starts_with("tp_") || role.starts_with("ts_");
    let strange: Vec<&str> = connected.lines().filter(|role| !known(role)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// Has watch and monitor of this test work in seconds: both read their configuration when they start.
fn look_often(enclave: &Enclave) {
    let checker = enclave.dir.join("residency/checker.toml");
    let text = fs::read_to_string(&checker).unwrap();
    assert!(
        text.contains("every_seconds = 60") && text.contains("country_file = \"country.mmdb\""),
        "{text}"
    );
    fs::write(&checker, text.replace("every_seconds = 60", &format!("every_seconds = {EVERY_SECONDS}")))
        .unwrap();
    let monitor = enclave.dir.join("monitor/monitor.toml");
    let text = fs::read_to_string(&monitor).unwrap();
    let shipped = "missed_minutes = 10";
    assert!(text.contains(shipped), "{text}");
    fs::write(&monitor, text.replace(shipped, &format!("missed_minutes = {MISSED_MINUTES}"))).unwrap();
    for part in ["residency", "monitor"] {
        kill_process(enclave.process(part).unwrap(), Signal::TERM).unwrap();
    }
    wait("both have ended", || {
        let status = enclave.status();
        let down = status["parts"].as_array().unwrap().iter().filter(|part| part["answers"] == false).count();
        (down >= 2).then_some(())
    });
    enclave.bring_back();
}

/// What the watch says did not pass.
fn findings(enclave: &Enclave) -> Vec<String> {
    let status = enclave.status();
    let said = status["residency"]["findings"].as_array().unwrap().iter();
    said.map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Everything that the monitor's incidents of this detector say about a site, or about the gate.
fn incident(enclave: &Enclave, site: Option<&str>) -> Option<String> {
    let listed = enclave.monitor(&["incidents", "list", "--json"]);
    let incidents = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of = incidents.filter(|one| one["detector"] == "residency" && one["about"]["site"].as_str() == site);
    let shown: Vec<String> = of
        .map(|one| enclave.monitor(&["incidents", "show", one["id"].as_str().unwrap(), "--json"]))
        .collect();
    (!shown.is_empty()).then(|| shown.concat())
}

/// Each look is an entry with its counts for everybody, cosigned, and with what was found for whoever holds a key.
fn evidence_is_in_the_record(enclave: &Enclave, before: usize) {
    let shown = enclave.shown("residency.evidence");
    assert!(shown.len() > before);
    let all = u64::try_from(3 * wall::residency::CHECKS.len()).unwrap();
    let failed = shown.iter().filter(|entry| entry["entry"]["checks"]["fail"].as_u64() > Some(0)).count();
    assert!(failed > 0, "{shown:#?}");
    for entry in &shown {
        let counts = &entry["entry"]["checks"];
        let count = |word: &str| counts[word].as_u64().unwrap();
        assert_eq!(count("pass") + count("fail") + count("unknown"), all, "{entry}");
    }
    let with = shown.iter().find(|entry| entry["entry"]["checks"]["fail"].as_u64() > Some(0)).unwrap();
    let key = enclave.dir.join("auditor/detail.age");
    let index = with["index"].to_string();
    let opened = enclave.trefoil(&["record", "open", &index, "--key", key.to_str().unwrap()]);
    let detail = String::from_utf8(opened.stdout).unwrap();
    assert!(opened.status.success() && detail.contains("to_elsewhere"), "{detail}");
    assert!(detail.contains("country_file"), "{detail}");
    a_report_that_leaves_something_out_is_not_taken(enclave, serde_json::from_str(&detail).unwrap());
    assert!(enclave.trefoil(&["record", "verify"]).status.success());
}

/// As a checker would hand it in that was told to look away.
fn a_report_that_leaves_something_out_is_not_taken(enclave: &Enclave, mut report: Value) {
    report["sites"][1]["checks"].as_array_mut().unwrap().remove(3);
    let said = enclave.order(&json!({ "evidence": report })).to_string();
    assert!(said.contains("refused") && said.contains("is left out"), "{said}");
}

/// What is asked for, within a minute and a half.
fn wait<T>(what: &str, mut asked: impl FnMut() -> Option<T>) -> T {
    for _ in 0..90_000 / POLL_MS {
        if let Some(found) = asked() {
            return found;
        }
        sleep(Duration::from_millis(POLL_MS));
    }
    panic!("{what}: it does not happen");
}
