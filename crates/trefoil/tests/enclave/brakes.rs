//! The monitor stops people, sessions and gates; a gate that does not obey is overtaken at the sites; and a monitor that
//! says nothing stops everything.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::lab::{AOIFE, Enclave, LUKAS, MAEVE, Who};
use super::rogue::gates_that_lie_are_found;

/// More than a client is given before the brake is heard.
const LARGE: &str = "COPY (SELECT a.*, b.* FROM users a, users b) TO STDOUT";
/// How often something is looked for that should come.
const TRIES_MAX: u32 = 100;
const POLL_MS: u64 = 100;

#[test]
fn brakes_stop_what_they_name_and_silence_stops_everything() {
    let enclave = Enclave::start();
    a_brake_ends_sessions_and_lets_nobody_in(&enclave);
    a_brake_on_a_session_ends_no_other(&enclave);
    nobody_hides_under_a_certificate_that_is_not_the_last(&enclave);
    a_brake_holds_over_restarts(&enclave);
    a_silent_monitor_is_waited_for_and_then_not(&enclave);
    gates_that_lie_are_found(&enclave);
    assert!(enclave.trefoil(&["record", "verify"]).status.success());
    a_gate_that_does_not_obey_is_overtaken(&enclave);
}

fn a_brake_ends_sessions_and_lets_nobody_in(enclave: &Enclave) {
    let mut stream = Stream::start(enclave, AOIFE);
    let mut idle = Stream::idle(&enclave.target(AOIFE), &enclave.password(AOIFE.name));
    let order = brake(enclave, "principal", "aoife");
    let id = order["id"].as_str().unwrap();
    let said = stream.end();
    assert!(was_ended(&said), "{said}");
    // The reason is not for who is stopped.
    let said = idle.hear();
    assert!(said.contains("57P01") && said.contains(id) && !said.contains("a drill"), "{said}");
    let refused = enclave.gate(AOIFE, &["SELECT 1"]);
    assert!(refused.contains("stopped by the monitor") && refused.contains(id), "{refused}");
    assert_eq!(enclave.gate(MAEVE, &["SELECT 1"]).trim(), "1");
    assert_eq!(sessions(enclave, "dublin-1"), 0);
    until(
        || list(enclave).iter().any(|order| order["id"] == *id && order["obeyed"] == true),
        "no entry of it",
    );
    let [applied] = &enclave.shown("brake.applied")[..] else { panic!("not one brake in the record") };
    let opened = opened(enclave, &applied["index"]);
    assert_eq!(opened["order"]["because"], "a drill", "{opened}");
    let ended = opened["ended"].as_array().unwrap();
    assert!(ended.len() == 2 && ended.iter().all(|session| session["gone"].is_string()), "{opened}");
    let lifted = monitor(enclave, &["lift", id, "--because", "the drill is over"]);
    assert_eq!(lifted["lifted"], true);
    until(|| enclave.gate(AOIFE, &["SELECT 'back'"]).trim() == "back", "aoife stays stopped");
    until(|| enclave.shown("brake.lifted").len() == 1, "no entry that it was lifted");
}

fn a_brake_on_a_session_ends_no_other(enclave: &Enclave) {
    let mut kept = Stream::start(enclave, LUKAS);
    let mut stream = Stream::start(enclave, AOIFE);
    let opened_last = enclave.shown("session.open").pop().unwrap();
    let session = opened_last["entry"]["session"].as_str().unwrap();
    let order = brake(enclave, "session", session);
    let said = stream.end();
    assert!(was_ended(&said), "{said}");
    assert_eq!(enclave.gate(AOIFE, &["SELECT 'again'"]).trim(), "again");
    assert!(kept.child.try_wait().unwrap().is_none());
    monitor(enclave, &["lift", order["id"].as_str().unwrap(), "--because", "over"]);
}

/// What goes on under a role that the gate has given back, or never had, is ended with any brake; who holds theirs goes on.
fn nobody_hides_under_a_certificate_that_is_not_the_last(enclave: &Enclave) {
    let mut kept = Stream::start(enclave, AOIFE);
    let role = enclave.role("engineering", "dublin-1", 8);
    let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    let (said, order) = std::thread::scope(|scope| {
        let stray = scope.spawn(|| enclave.wall("engineering", 8, &["SELECT pg_sleep(30)"]));
        until(|| enclave.admin("dublin-1", &[&connected]).trim() == "1", "the site lets nobody in");
        let order = brake(enclave, "principal", "ingrid");
        (stray.join().unwrap(), order)
    });
    assert!(said.contains("57P01"), "{said}");
    assert!(kept.child.try_wait().unwrap().is_none());
    let id = order["id"].as_str().unwrap();
    let named = |incident: &Value| {
        incident["detector"] == "brake-disobeyed" && incident["reasons"].to_string().contains(id)
    };
    until(|| monitor_lines(enclave, &["incidents", "list"]).iter().any(named), "nobody is told");
    monitor(enclave, &["lift", id, "--because", "over"]);
}

fn a_brake_holds_over_restarts(enclave: &Enclave) {
    let order = brake(enclave, "principal", "maeve");
    until(|| enclave.gate(MAEVE, &["SELECT 1"]).contains("stopped by the monitor"), "maeve is not stopped");
    enclave.kill(&["gate", "monitor"]);
    enclave.bring_back();
    let refused = enclave.gate(MAEVE, &["SELECT 1"]);
    assert!(refused.contains(order["id"].as_str().unwrap()), "{refused}");
    monitor(enclave, &["lift", order["id"].as_str().unwrap(), "--because", "over"]);
    until(|| enclave.gate(MAEVE, &["SELECT 'back'"]).trim() == "back", "maeve stays stopped");
}

/// A statement waits for its witness for most of the lease; one that has waited longer fails, and says why.
fn a_silent_monitor_is_waited_for_and_then_not(enclave: &Enclave) {
    let pid = enclave.process("monitor").unwrap();
    for (silent_ms, expected) in [(600, "shown"), (4_000, "57P03")] {
        let session = Command::new("psql")
            .args(["-X", "-A", "-t", "-v", "VERBOSITY=verbose", &enclave.target(AOIFE)])
            .args(["-c", "SELECT 1", "-c", "\\! sleep 1", "-c", "SELECT 'shown'"])
            .env("PGPASSWORD", enclave.password(AOIFE.name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It is connected by then, and asks again when it has slept.
        sleep(Duration::from_millis(700));
        kill_process(pid, Signal::STOP).unwrap();
        sleep(Duration::from_millis(silent_ms));
        kill_process(pid, Signal::CONT).unwrap();
        let output = session.wait_with_output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(expected), "silent for {silent_ms} ms: {said}");
    }
    // Whoever was told so connects again.
    until(|| enclave.gate(AOIFE, &["SELECT 'back'"]).trim() == "back", "nothing goes on");
}

/// A gate that is stopped in its tracks obeys nobody; its sessions at the site are ended all the same.
fn a_gate_that_does_not_obey_is_overtaken(enclave: &Enclave) {
    let gate = enclave.process("gate").unwrap();
    let mut stream = Stream::start(enclave, AOIFE);
    assert_eq!(sessions(enclave, "dublin-1"), 1);
    kill_process(gate, Signal::STOP).unwrap();
    let order = brake(enclave, "principal", "aoife");
    until(|| sessions(enclave, "dublin-1") == 0, "the session stays at the site");
    let incidents = monitor_lines(enclave, &["incidents", "list"]);
    assert!(incidents.iter().any(|incident| incident["detector"] == "brake-disobeyed"), "{incidents:?}");
    kill_process(gate, Signal::CONT).unwrap();
    stream.end();
    let id = order["id"].as_str().unwrap();
    until(
        || list(enclave).iter().any(|order| order["id"] == *id && order["obeyed"] == true),
        "no entry of it",
    );
}

/// A client in the middle of a large result, or one that has nothing to do.
pub struct Stream {
    child: Child,
}

/// Whether the gate ended it. Who is in the middle of a large result and does not take it may be told no more than that
/// it is over.
pub fn was_ended(said: &str) -> bool {
    ["57P01", "connection to server was lost"].iter().any(|why| said.contains(why))
}

impl Stream {
    pub fn start(enclave: &Enclave, who: Who) -> Stream {
        Stream::at(&enclave.target(who), &enclave.password(who.name))
    }

    /// Likewise, wherever psql is to find the gate.
    pub fn at(target: &str, password: &str) -> Stream {
        let mut stream = Stream::of(target, password, &["-c", LARGE]);
        stream.reads(1_000_000);
        stream
    }

    /// Has had one answer, and waits. It is always told why it ends.
    pub fn idle(target: &str, password: &str) -> Stream {
        let mut idle = Stream::of(target, password, &["-A", "-t"]);
        idle.asks().unwrap();
        idle.reads("1\n".len());
        idle
    }

    fn of(target: &str, password: &str, asks: &[&str]) -> Stream {
        let child = Command::new("psql")
            .args(["-X", "-v", "VERBOSITY=verbose", target])
            .args(asks)
            .env("PGPASSWORD", password)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Stream { child }
    }

    /// Fails once psql has ended.
    fn asks(&mut self) -> std::io::Result<()> {
        self.child.stdin.as_mut().unwrap().write_all(b"SELECT 1;\n")
    }

    fn reads(&mut self, count: usize) {
        self.child.stdout.as_mut().unwrap().read_exact(&mut vec![0; count]).unwrap();
    }

    /// Of an idle one: asks until it is told that it has ended.
    pub fn hear(&mut self) -> String {
        until(|| self.asks().is_err(), "nobody ends it");
        self.end()
    }

    /// Reads to the end; what was said then.
    pub fn end(&mut self) -> String {
        std::io::copy(self.child.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
        let mut said = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
        self.child.wait().unwrap();
        said
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn brake(enclave: &Enclave, kind: &str, name: &str) -> Value {
    monitor(enclave, &["brake", kind, name, "--for", "2h", "--because", "a drill", "--by", "ada"])
}

pub fn list(enclave: &Enclave) -> Vec<Value> {
    monitor_lines(enclave, &["brakes", "list"])
}

/// The monitor's own program; its JSON.
pub fn monitor(enclave: &Enclave, arguments: &[&str]) -> Value {
    let mut lines = monitor_lines(enclave, arguments);
    assert_eq!(lines.len(), 1, "{arguments:?}: {lines:?}");
    lines.remove(0)
}

pub fn monitor_lines(enclave: &Enclave, arguments: &[&str]) -> Vec<Value> {
    let program = Path::new(env!("CARGO_BIN_EXE_trefoil")).with_file_name("trefoil-monitor");
    let mut command = Command::new(program);
    let output =
        command.arg("--json").args(arguments).arg("--dir").arg(enclave.dir.join("monitor")).output().unwrap();
    let (said, wrong) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {wrong}");
    said.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The detail of an entry, as the operator opens it.
pub fn opened(enclave: &Enclave, index: &Value) -> Value {
    let (index, key) = (index.to_string(), enclave.dir.join("operator/detail.age"));
    let opened = enclave.trefoil(&["record", "open", &index, "--json", "--key", key.to_str().unwrap()]);
    assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
    let opened: Value = serde_json::from_slice(&opened.stdout).unwrap();
    opened.get("detail").cloned().unwrap_or(opened)
}

/// Sessions of pool roles at a site.
pub fn sessions(enclave: &Enclave, site: &str) -> usize {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'tp\\_%'";
    enclave.admin(site, &[count]).trim().parse().unwrap()
}

pub fn until(mut holds: impl FnMut() -> bool, otherwise: &str) {
    for _ in 0..TRIES_MAX {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(POLL_MS));
    }
    panic!("{otherwise}");
}
