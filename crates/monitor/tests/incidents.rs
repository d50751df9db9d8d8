//! Incidents as people and receivers meet them: kept in the monitor's own record, changed from the command line on a
//! monitor that runs and on one that does not, told to receivers that fail, and never lost to a kill. Which state may
//! follow which is tested beside the fold (`incident::store`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;
mod receivers;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use lab::{AOIFE, CLEARED, Lab, REFUSED};
use monitor::{clock, incident::Found};
use receivers::{Receiver, Way};
use serde_json::{Value, json};
use tlog::{
    detail::{About, Reason, Severity},
    entry::{CountState, Kind, Micros},
    note::SigningKey,
    proof::Receipt,
    reader::{Reader, Source},
    rule::ReleaseRule,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-monitor");
const WAIT: Duration = Duration::from_secs(30);

/// Exit code and everything printed.
fn said(dir: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(PROGRAM).args(arguments).arg("--dir").arg(dir).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// What `incidents list --json` prints.
fn listed(dir: &Path) -> Vec<Value> {
    let (code, text) = said(dir, &["incidents", "list", "--json"]);
    assert_eq!(code, 0, "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The program, and the address that it serves.
struct Running(Child, String);

impl Running {
    fn start(dir: &Path) -> Running {
        let mut command = Command::new(PROGRAM);
        command.args(["run", "--json", "--dir"]).arg(dir).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Running(child, ready["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
    }

    /// The head and the body of what anybody gets there.
    fn get(&self, path: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.1).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end + 4..].to_vec())
    }
}

impl Drop for Running {
    /// As a power cut would.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A finding of a detector, `n` of which are different ones.
fn found(n: u64) -> Found {
    Found {
        detector: "volume".to_owned(),
        severity: Severity::High,
        about: About { principal: Some(format!("person-{n}")), ..About::default() },
        at: clock::now(),
        evidence: vec![n],
        reasons: vec![Reason {
            what: "rows in a day".to_owned(),
            observed: "500".to_owned(),
            baseline: "40".to_owned(),
            factor: Some("12.5".to_owned()),
        }],
        exhibit: None,
    }
}

/// A lab in which so many different things were found.
fn lab_with(count: u64) -> (Lab, PathBuf) {
    let mut lab = Lab::at(clock::now());
    let incidents = lab.monitor().incidents().clone();
    for n in 0..count {
        incidents.open_one(found(n), clock::now()).unwrap();
    }
    let dir = lab.monitor_dir();
    (lab, dir)
}

struct Folder(PathBuf);

impl Source for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }
}

/// The kinds of the own record, which has to verify as any record does: by its own signature, and nobody's besides.
fn own_record(dir: &Path) -> BTreeMap<Kind, u64> {
    let rule = ReleaseRule::parse(fs::read(dir.join("own.policy")).unwrap()).unwrap();
    let report = Reader::new(&Folder(dir.join("own/record")), &rule).verify();
    assert!(report.is_clean(), "{:?}", report.findings);
    report.entries_by_kind
}

/// What is refused is in the own record before the gate hears of it, once, and survives everything.
#[test]
fn a_refused_entry_is_an_incident_for_good() {
    let mut lab = Lab::started();
    let session = lab.open(&AOIFE);
    let piece = lab.gate.release(&session, REFUSED, CountState::Exact, 1, 10);
    let forged = [lab.gate.seal(piece)];
    for _ in 0..3 {
        lab.post(&forged);
        lab.restart();
    }
    assert_eq!(lab.refused().len(), 1);
    lab.monitor = None;
    let dir = lab.monitor_dir();
    let [incident] = &listed(&dir)[..] else { panic!("one incident") };
    assert_eq!((&incident["detector"], &incident["state"]), (&json!("decision-mismatch"), &json!("open")));
    assert_eq!((&incident["severity"], &incident["evidence"]), (&json!("critical"), &json!([3])));
    let kinds = own_record(&dir);
    assert_eq!((kinds[&Kind::IncidentOpened], kinds[&Kind::MonitorStart]), (1, 4));

    // What proves it stands alone: the entry, under the log's own signature.
    let out = lab.dir.path().join("proof");
    let id = incident["id"].as_str().unwrap();
    let (code, text) = said(&dir, &["incidents", "show", id, "--receipts", out.to_str().unwrap()]);
    assert!(code == 0 && text.contains("0 receipts, 1 refused entries"), "{text}");
    let receipt = Receipt::parse(fs::read(out.join("refused-0.tlog-proof")).unwrap()).unwrap();
    let rule = ReleaseRule::all_of(lab.gate.log.verifier(), &[]).unwrap();
    let leaf = tlog::hash::leaf_hash(receipt.entry().unwrap());
    assert_eq!(receipt.verify(&rule, &leaf).unwrap().checkpoint.origin, lab::ORIGIN);
}

/// The command line says the same and does the same, whether or not the monitor runs.
#[test]
fn the_command_line() {
    for runs in [false, true] {
        let (mut lab, dir) = lab_with(3);
        lab.monitor = None;
        let running = runs.then(|| Running::start(&dir));
        let ids: Vec<_> = listed(&dir).iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect();
        let [one, two, three] = &ids[..] else { panic!("three incidents") };
        let by = ["--by", "N. Murphy"];
        let table: Vec<(Vec<&str>, i32, &str)> = vec![
            (vec!["ack", one, by[0], by[1]], 0, "acknowledged"),
            (vec!["ack", one, by[0], by[1]], 1, "is acknowledged, so that it cannot be acknowledged"),
            (vec!["ack", "2020-01-01-0001", by[0], by[1]], 1, "there is no incident"),
            (vec!["ack", two, "--by", ""], 1, "--by is empty"),
            (vec!["ack", two], 2, "--by"),
            (vec!["close", two, by[0], by[1], "--because", "a drill"], 0, "closed"),
            (vec!["report", two], 1, "is closed, so that it cannot be reported"),
            (vec!["close", two, by[0], by[1], "--because", "again"], 1, "is closed"),
            (vec!["report", one], 0, "# Notification of a personal data breach"),
            (vec!["show", one], 0, "rows in a day: 500 (against 40, 12.5 times)"),
            (vec!["list", "--state", "open"], 0, three),
            (vec!["list", "--state", "opened"], 2, "write open, acknowledged"),
            (vec!["list"], 0, "2 incidents not closed, 1 of them not reported"),
        ];
        for (arguments, code, part) in table {
            let all = [&["incidents"][..], &arguments].concat();
            let (exit, text) = said(&dir, &all);
            assert!(exit == code && text.contains(part), "runs: {runs}: {arguments:?}: {exit}: {text}");
        }
        let states: Vec<_> = listed(&dir).into_iter().map(|incident| incident["state"].clone()).collect();
        assert_eq!(states, ["reported", "closed", "open"]);
        if let Some(running) = &running {
            let (head, body) = running.get("/own/checkpoint");
            assert!(
                head.starts_with("HTTP/1.1 200") && body.starts_with(b"europe-monitor.example/incidents\n"),
                "{head}"
            );
            for path in ["/own/tile/0/000", "/own/../own.key", "/own/%2e%2e/%2e%2e/own.key", "/own/"] {
                assert!(running.get(path).0.starts_with("HTTP/1.1 404"), "{path}");
            }
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(dir.join("control")).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(running);
        assert_eq!(own_record(&dir)[&Kind::IncidentOpened], 3);
        assert_eq!(said(&dir, &["check"]).0, 0);
        // An own record that lost something it said is found, and does not start.
        let bundle = dir.join("own/record/tile/entries/000.p");
        let newest = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().parse::<u32>().unwrap();
        let bundle =
            fs::read_dir(&bundle).unwrap().map(|file| file.unwrap().path()).max_by_key(newest).unwrap();
        let mut bytes = fs::read(&bundle).unwrap();
        bytes[40] ^= 1;
        fs::write(&bundle, bytes).unwrap();
        let (code, text) = said(&dir, &["check"]);
        assert!(code == 1 && text.contains("own record"), "{code} {text}");
    }
}

/// The notification has what the law asks for, from the record as far as it goes, and says what is not known.
#[test]
fn the_notification() {
    let mut lab = Lab::at(clock::now());
    let items = lab.gate.first();
    lab.accept(&items);
    let session = lab.open(&AOIFE);
    let piece = lab.gate.release(&session, CLEARED, CountState::Exact, 3, 90);
    let items = [lab.gate.seal(piece)];
    lab.accept(&items);
    let incidents = lab.monitor().incidents().clone();
    let id = incidents.open_one(Found { evidence: vec![2, 3], ..found(1) }, clock::now()).unwrap();
    let long_ago = Micros(clock::now().0 - 75 * 3_600 * lab::SECOND);
    let late = incidents.open_one(found(2), long_ago).unwrap();
    drop(incidents);
    lab.monitor = None;
    let dir = lab.monitor_dir();
    let (_, text) = said(&dir, &["incidents", "list"]);
    assert!(text.contains("OVERDUE by 3 h") && text.contains("2 of them not reported, 1 OVERDUE"), "{text}");
    let (code, text) = said(&dir, &["incidents", "report", &late, "--delay-because", "It was a holiday."]);
    assert!(
        code == 0 && text.contains("**Late by:** 3 hours. Reasons for the delay: It was a holiday."),
        "{text}"
    );
    let out = lab.dir.path().join("out");
    let arguments = ["incidents", "report", &id, "--out", out.to_str().unwrap(), "--by", "N. Murphy"];
    let more = ["--measure", "The account was closed."];
    let config = fs::read_to_string(dir.join("monitor.toml")).unwrap();
    assert!(config.contains("[report]\n"), "{config}");
    let report = "[report]\ncontact = \"DPO, dpo@example.com\"\n";
    fs::write(dir.join("monitor.toml"), config.replace("[report]\n", report)).unwrap();
    let (code, text) = said(&dir, &[&arguments[..], &more].concat());
    assert_eq!(code, 0, "{text}");

    let markdown = fs::read_to_string(out.join(format!("{id}.md"))).unwrap();
    for part in [
        "Article 33",
        "(a) Nature of the breach",
        "**Approximate number of records:** 3 rows",
        "(b) Contact point\n\nDPO, dpo@example.com",
        "(c) Likely consequences\n\nnot known (to be assessed by the controller)",
        "- The account was closed.",
        "Not known yet",
        "Art. 33(4)",
    ] {
        assert!(markdown.contains(part), "{part:?} is missing:\n{markdown}");
    }
    assert!(!markdown.contains("person-1") && !markdown.contains("Reasons for the delay"), "{markdown}");
    let written: Value = serde_json::from_slice(&fs::read(out.join(format!("{id}.json"))).unwrap()).unwrap();
    assert_eq!(written["nature"]["number_of_records"], "3 rows");
    let missing: Vec<&str> =
        written["not_known"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    for part in ["authority", "controller", "likely consequences", "categories of data subjects"] {
        assert!(missing.contains(&part), "{part}: {missing:?}");
    }

    // The own record names exactly this notification, and the receipts prove the evidence to anybody.
    let digest = monitor::incident::desk::digest(&written).unwrap();
    let all = listed(&dir);
    let step = &all.iter().find(|incident| incident["id"] == *id).unwrap()["history"][0];
    assert_eq!((&step["to"], &step["notification"]), (&json!("reported"), &json!(digest)));
    let cosigners: Vec<SigningKey> = ["witness.key", "redecided.key"]
        .map(|name| fs::read_to_string(dir.join(name)).unwrap().trim().parse().unwrap())
        .into();
    let witnesses = [("witness", cosigners[0].verifier()), ("redecided", cosigners[1].verifier())];
    let rule = ReleaseRule::all_of(lab.gate.log.verifier(), &witnesses).unwrap();
    for index in [2u64, 3] {
        let receipt = Receipt::parse(fs::read(out.join(format!("{index}.tlog-proof"))).unwrap()).unwrap();
        let leaf = tlog::hash::leaf_hash(receipt.entry().unwrap());
        assert_eq!(receipt.verify(&rule, &leaf).unwrap().checkpoint.size, 4);
        assert_eq!(receipt.index, index);
    }
}

/// A monitor that is killed again and again keeps every change that it confirmed, and makes none twice.
#[test]
fn killed_while_it_is_asked() {
    let (mut lab, dir) = lab_with(12);
    lab.monitor = None;
    let ids: Vec<_> = listed(&dir).iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect();
    let mut confirmed = BTreeSet::new();
    for (round, pair) in ids.chunks(2).enumerate() {
        let running = Running::start(&dir);
        let mut asking: Vec<_> = pair
            .iter()
            .map(|id| {
                let mut command = Command::new(PROGRAM);
                command.args(["incidents", "ack", id, "--by", "N. Murphy", "--dir"]).arg(&dir);
                (id, command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
            })
            .collect();
        sleep(Duration::from_millis(3 * u64::try_from(round).unwrap()));
        drop(running);
        for (id, child) in &mut asking {
            if child.wait().unwrap().success() {
                confirmed.insert((*id).clone());
            }
        }
    }
    let after = listed(&dir);
    for incident in &after {
        let (id, acknowledged) = (incident["id"].as_str().unwrap(), incident["state"] == "acknowledged");
        assert!(acknowledged || !confirmed.contains(id), "{id} was confirmed");
        assert!(incident["history"].as_array().unwrap().len() <= 1, "{incident}");
    }
    own_record(&dir);
    println!("confirmed: {} of {}", confirmed.len(), ids.len());
}

/// Adds outputs to a monitor's configuration.
fn tell(dir: &Path, outputs: &str) {
    let path = dir.join("monitor.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{config}\n{outputs}\n")).unwrap();
}

/// Waits until the receiver has taken so many different messages.
fn wait_for(way: Way, receiver: &Receiver, count: usize) {
    let until = clock::instant() + WAIT;
    while receiver.ids().len() < count {
        assert!(clock::instant() < until, "{way:?}: {} of {count} messages came", receiver.ids().len());
        sleep(Duration::from_millis(20));
    }
}

/// Every way out: the receiver is away, fails, dies with the message unread, and gets everything in the end, in order,
/// while the monitor is killed twice. What comes twice carries the same id and says the same.
#[test]
fn nothing_is_lost_on_the_way() {
    let (mut lab, dir) = lab_with(4);
    lab.monitor = None;
    let work = lab.dir.path();
    let secret = work.join("secret");
    fs::write(&secret, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let receivers: Vec<(Way, Receiver)> =
        Way::ALL.into_iter().map(|way| (way, Receiver::start(way, work))).collect();
    let outputs: Vec<_> = receivers.iter().map(|(way, receiver)| receiver.config(*way, work)).collect();
    tell(&dir, &outputs.join("\n"));
    tell(&dir, "[notify.siem]\nto = \"file\"\nformat = \"ocsf\"\npath = \"findings.ndjson\"\n");

    drop(Running::start(&dir));
    let running = Running::start(&dir);
    sleep(Duration::from_millis(300));
    drop(running);
    let running = Running::start(&dir);
    let ids: Vec<_> = listed(&dir).iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(said(&dir, &["incidents", "ack", &ids[0], "--by", "N. Murphy"]).0, 0);
    assert_eq!(
        said(&dir, &["incidents", "close", &ids[0], "--by", "N. Murphy", "--because", "a drill"]).0,
        0
    );
    for (way, receiver) in &receivers {
        wait_for(*way, receiver, 6);
        let told = receiver.told();
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        let mut order = Vec::new();
        for message in told {
            let id = message["id"].as_str().or(message["metadata"]["uid"].as_str()).unwrap().to_owned();
            match seen.insert(id.clone(), message.clone()) {
                None => order.push(id),
                Some(before) => assert_eq!(before, message, "{way:?}: the same id says the same"),
            }
        }
        assert_eq!(order.len(), 6, "{way:?}");
        let numbers: Vec<u64> =
            order.iter().map(|id| id.rsplit('-').next().unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "{way:?}: {numbers:?}");
        assert!(receiver.failures() > 0 || !way.can_tell(), "{way:?}: it failed at first");
    }
    let findings = fs::read_to_string(dir.join("findings.ndjson")).unwrap();
    let findings: Vec<Value> = findings.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = findings.iter().map(|f| f["type_uid"].as_u64().unwrap()).collect();
    assert_eq!(events, [200_401, 200_401, 200_401, 200_401, 200_402, 200_403]);
    assert_eq!(findings[5]["comment"], "a drill");
    for finding in &findings {
        ocsf(finding);
    }
    drop(running);
}

/// What OCSF 1.1 requires of a Detection Finding.
fn ocsf(finding: &Value) {
    let whole = |name: &str| finding[name].as_u64().unwrap_or_else(|| panic!("{name}: {finding}"));
    assert_eq!((whole("class_uid"), whole("category_uid")), (2004, 2));
    assert_eq!(whole("type_uid"), 200_400 + whole("activity_id"));
    assert!((1..=3).contains(&whole("activity_id")) && (1..=6).contains(&whole("severity_id")));
    assert!([1, 2, 4].contains(&whole("status_id")) && whole("time") > 1_700_000_000_000);
    assert!(finding["metadata"]["version"].as_str().unwrap().starts_with("1.1"));
    assert!(finding["metadata"]["product"]["vendor_name"].is_string());
    for name in ["uid", "title"] {
        assert!(finding["finding_info"][name].is_string(), "finding_info.{name}");
    }
    assert!(!finding["evidences"][0]["data"].is_null());
}

/// What protects an output has no default: a monitor with less does not start, and says which key it is.
#[test]
fn an_output_that_protects_nothing_is_refused() {
    let (mut lab, dir) = lab_with(0);
    lab.monitor = None;
    let whole = fs::read_to_string(dir.join("monitor.toml")).unwrap();
    fs::write(dir.join("short"), "c2hvcnQ=").unwrap();
    fs::set_permissions(dir.join("short"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let webhook = |url: &str, more: &str| {
        format!("[notify.soc]\nto = \"webhook\"\nformat = \"incident\"\nurl = \"{url}\"\n{more}")
    };
    let syslog = |over: &str, address: &str| {
        format!(
            "[notify.soc]\nto = \"syslog\"\nformat = \"ocsf\"\nover = \"{over}\"\naddress = \"{address}\"\n"
        )
    };
    let cases = [
        (webhook("https://soc.example/", ""), "secret_file"),
        (webhook("https://soc.example/", "secret_file = \"nowhere\""), "nowhere"),
        (webhook("https://soc.example/", "secret_file = \"monitor.toml\""), "roots_file is missing"),
        (webhook("http://soc.example/", "secret_file = \"own.key\""), "in clear"),
        (webhook("http://127.0.0.1/", "secret_file = \"short\""), "at least 16 bytes"),
        (webhook("nonsense", "secret_file = \"short\""), "not an address"),
        (syslog("tls", "soc.example:6514"), "roots_file"),
        (syslog("udp", "soc.example"), "host:port"),
        (syslog("carrier-pigeon", "x:1"), "unknown variant"),
        ("[notify.UP]\nto = \"file\"\nformat = \"ocsf\"\npath = \"x\"".to_owned(), "lower-case"),
        ("[notify.soc]\nto = \"file\"\npath = \"x\"".to_owned(), "format"),
    ];
    for (outputs, part) in cases {
        fs::write(dir.join("monitor.toml"), format!("{whole}\n{outputs}\n")).unwrap();
        let (code, text) = said(&dir, &["run"]);
        assert!(code == 2 && text.contains(part), "{outputs}: {code} {text}");
    }
}
