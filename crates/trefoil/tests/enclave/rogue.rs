//! Gates that lie (`access::rogue`) in the place of the real one, in the enclave of `brakes`: one that decides by itself,
//! one that records less than it shows, one that hears no brakes. What is found, and what stays sound.

use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::brakes::{Stream, brake, list, monitor, monitor_lines, opened, sessions, until};
use super::lab::{AOIFE, Enclave, WEI, try_up};

/// Rows that are shown, of which the record has one: more than may be unexplained.
const READ: &str = "SELECT id, handle FROM users LIMIT 700";
/// Longer than a site's counters wait until they are judged.
const STAY: &str = "\\! sleep 13";
/// A role that was used just before may be excused once.
const READS_MAX: usize = 3;

pub fn gates_that_lie_are_found(enclave: &Enclave) {
    let gate = enclave.process("gate").unwrap();
    kill_process(gate, Signal::TERM).unwrap();
    until(|| enclave.process("gate").is_none(), "the gate stays");
    let rogue = Rogue::start(enclave, "decides");
    a_forbidden_read_gets_no_certificate(enclave);
    rogue.end();
    let rogue = Rogue::start(enclave, "lesser");
    what_the_record_does_not_say_is_found(enclave);
    rogue.end();
    let rogue = Rogue::start(enclave, "brakes");
    let order = a_brake_that_is_not_heard_is_carried_out_at_the_sites(enclave);
    rogue.end();
    the_real_gate_says_what_was_stopped(enclave, &order);
}

/// The monitor decides by itself, and issues nothing. Everybody else is served meanwhile.
fn a_forbidden_read_gets_no_certificate(enclave: &Enclave) {
    let (opened, before) = (enclave.shown("session.open").len(), enclave.breaches());
    let refused = enclave.gate(WEI, &[READ]);
    assert!(refused.contains("would not have decided"), "{refused}");
    assert_eq!(sessions(enclave, "dublin-1"), 0);
    assert_eq!(enclave.shown("session.open").len(), opened, "the record has a session of it");
    let mut breaches = enclave.breaches();
    breaches.retain(|breach| !before.contains(breach));
    let [breach] = &breaches[..] else { panic!("not one breach: {breaches:?}") };
    assert_eq!((&breach["detector"], &breach["severity"]), (&"decision-mismatch".into(), &"critical".into()));
    assert!(breach["reasons"].to_string().contains("wei is denied"), "{breach}");
    assert_eq!(enclave.gate(AOIFE, &["SELECT 'served'"]).trim(), "served");
}

/// The entry says one row of nobody's; the site counted what was shown. The record itself is sound.
fn what_the_record_does_not_say_is_found(enclave: &Enclave) {
    let before = enclave.breaches();
    let found = (0..READS_MAX).any(|_| {
        let said = enclave.gate(AOIFE, &["SELECT session_user", READ, STAY]);
        let role = said.lines().next().unwrap_or_default().to_owned();
        assert!(role.starts_with("tp_") && said.lines().count() == 701, "{said}");
        let last = enclave.shown("access.release").pop().unwrap();
        let told = &opened(enclave, &last["index"])["statements"][0];
        let incidents = incidents(enclave, "unreconciled");
        let is_of_role =
            |found: &Value| found["reasons"].to_string().contains(&format!("rows of {role} at dublin-1"));
        told["text"] == "SELECT 1" && told["rows"] == 1 && incidents.iter().any(is_of_role)
    });
    assert!(found, "{:?}", incidents(enclave, "unreconciled"));
    assert_eq!(enclave.breaches(), before, "the record contradicts itself");
}

fn a_brake_that_is_not_heard_is_carried_out_at_the_sites(enclave: &Enclave) -> String {
    let mut stream = Stream::start(enclave, AOIFE);
    assert_eq!(sessions(enclave, "dublin-1"), 1);
    let id = brake(enclave, "principal", "aoife")["id"].as_str().unwrap().to_owned();
    until(|| sessions(enclave, "dublin-1") == 0, "the session stays at the site");
    stream.end();
    let named = |incident: &Value| incident["reasons"].to_string().contains(&id);
    until(|| incidents(enclave, "brake-disobeyed").iter().any(named), "nobody is told");
    let refused = enclave.gate(AOIFE, &["SELECT 1"]);
    assert!(refused.contains("issued no certificate"), "{refused}");
    assert!(
        enclave
            .shown("brake.applied")
            .iter()
            .all(|applied| opened(enclave, &applied["index"])["order"]["id"] != *id)
    );
    id
}

/// In the monitor's own record it was from the beginning: `brakes` and `incidents` are read from there.
fn the_real_gate_says_what_was_stopped(enclave: &Enclave, id: &str) {
    try_up(&enclave.dir).unwrap();
    until(
        || list(enclave).iter().any(|order| order["id"] == *id && order["obeyed"] == true),
        "no entry of it",
    );
    let applied = enclave.shown("brake.applied").pop().unwrap();
    assert_eq!(opened(enclave, &applied["index"])["order"]["id"], *id);
    let refused = enclave.gate(AOIFE, &["SELECT 1"]);
    assert!(refused.contains("stopped by the monitor") && refused.contains(id), "{refused}");
    monitor(enclave, &["lift", id, "--because", "the gate is the real one again"]);
    until(|| enclave.gate(AOIFE, &["SELECT 'back'"]).trim() == "back", "aoife stays stopped");
}

fn incidents(enclave: &Enclave, detector: &str) -> Vec<Value> {
    let mut incidents = monitor_lines(enclave, &["incidents", "list"]);
    incidents.retain(|incident| incident["detector"] == detector);
    incidents
}

/// A gate that lies, on the real one's files.
struct Rogue(Child);

impl Rogue {
    fn start(enclave: &Enclave, lie: &str) -> Rogue {
        let program = Path::new(env!("CARGO_BIN_EXE_trefoil")).with_file_name("trefoil-rogue");
        let log = enclave.dir.join("logs/rogue.log");
        let log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = Command::new(&program)
            .arg(enclave.dir.join("gate/gate.toml"))
            .env("TREFOIL_ROGUE", lie)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let build = "cargo build -p access --features rogue --bin trefoil-rogue";
        let rogue = Rogue(child.unwrap_or_else(|error| panic!("{}: {error}; {build}", program.display())));
        let answers = || std::net::TcpStream::connect(enclave.listener("ireland")).is_ok();
        until(answers, "the rogue gate does not answer");
        rogue
    }

    fn end(mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Rogue {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}
