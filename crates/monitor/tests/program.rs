//! The program as it is run: command line, exit codes, HTTP, signals, and being killed at any moment. What is cosigned
//! is tested in `batches`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;
#[path = "lab/running.rs"]
mod running;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use lab::client;
use lab::{AOIFE, CLEARED, Lab, Sealed, signed_bundle};
use monitor::{clock, monitor::Monitor};
use running::Running;
use rustls::ClientConfig;
use serde_json::Value;
use tlog::entry::CountState;

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-monitor");

fn program(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

/// Exit code and everything printed.
fn said(args: &[&str]) -> (i32, String) {
    let output = program(args);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A lab at this moment whose monitor is left to the program.
fn lab() -> (Lab, String) {
    let mut lab = Lab::at(clock::now());
    lab.monitor = None;
    let dir = lab.monitor_dir().to_str().unwrap().to_owned();
    (lab, dir)
}

fn release(lab: &mut Lab, session: &str) -> Vec<Sealed> {
    lab.gate.now = clock::now();
    let piece = lab.gate.release(session, CLEARED, CountState::Exact, 1, 10);
    vec![lab.gate.seal(piece)]
}

#[test]
fn init_makes_secrets_once() {
    let (lab, _) = lab();
    let [dir, bundle] = ["m", "bundle"].map(|name| lab.dir.path().join(name).to_str().unwrap().to_owned());
    let (log, operator) = (lab.gate.log.verifier().to_string(), lab.operator.verifier().to_string());
    let init = |dir: &str, bundle: &str, log: &str, listen: &str| {
        said(&[
            "init",
            "--json",
            "--dir",
            dir,
            "--origin",
            lab::ORIGIN,
            "--log-vkey",
            log,
            "--bundle",
            bundle,
            "--bundle-vkey",
            &operator,
            "--listen",
            listen,
        ])
    };
    let listen = "127.0.0.1:0";
    assert_eq!(init(&dir, &bundle, "nonsense", listen).0, 2);
    assert_eq!(init(&dir, &bundle, &log, "somewhere").0, 2);
    assert_eq!(init(&dir, "/nowhere", &log, listen).0, 2);
    let altered = lab.dir.path().join("altered");
    signed_bundle(&altered, &lab.operator, "");
    fs::write(
        altered.join("enclave.toml"),
        fs::read_to_string(altered.join("enclave.toml")).unwrap() + "# \n",
    )
    .unwrap();
    let (code, text) = init(&dir, altered.to_str().unwrap(), &log, listen);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("signed something else"), "{text}");
    fs::write(altered.join("bundle.note"), "unsigned").unwrap();
    assert_eq!(init(&dir, altered.to_str().unwrap(), &log, listen).0, 1);
    assert!(!Path::new(&dir).exists(), "nothing is made of what is refused");

    let (code, text) = init(&dir, &bundle, &log, listen);
    assert_eq!(code, 0, "{text}");
    let made: Value = serde_json::from_str(&text).unwrap();
    assert!(made["witness"].as_str().unwrap().starts_with("europe-monitor.example/witness+"));
    assert!(made["recipient"].as_str().unwrap().starts_with("age1"));
    for secret in ["witness.key", "redecided.key", "ca.key", "detail.age", "monitor.toml"] {
        let mode = fs::metadata(Path::new(&dir).join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    let (code, text) = init(&dir, &bundle, &log, listen);
    assert!(code == 2 && text.contains("exists already"), "{text}");
    assert_eq!(said(&["check", "--dir", &dir]).0, 0);
    assert_eq!(said(&["run"; 2]).0, 2, "bad arguments");
}

/// Without any one of its parts, whole and secret, the monitor does not start, and says which it is.
#[test]
fn nothing_missing() {
    let (lab, dir) = lab();
    let accepted = lab.monitor_dir().join("bundle").join(lab.gate.bundle.hash().to_string());
    let missing = |path: &Path| fs::remove_file(path).unwrap();
    let exposed = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    let altered = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    type Harm<'a> = &'a dyn Fn(&Path);
    let m = lab.monitor_dir();
    let files: Vec<(std::path::PathBuf, Vec<Harm<'_>>, &str)> = vec![
        (m.join("monitor.toml"), vec![&missing, &altered], "monitor.toml"),
        (m.join("witness.key"), vec![&missing, &altered, &exposed], "witness.key"),
        (m.join("redecided.key"), vec![&missing, &altered, &exposed], "redecided.key"),
        (m.join("ca.key"), vec![&missing, &exposed], "ca.key"),
        (m.join("ca.pem"), vec![&missing, &altered], "ca.pem"),
        (m.join("detail.age"), vec![&missing, &altered, &exposed], "detail.age"),
        (m.join("bundle/accepted"), vec![&missing], "accepted"),
        (accepted.join("directory.toml"), vec![&missing, &altered], "bundle"),
        (accepted.join("catalog.toml"), vec![&missing, &altered], "bundle"),
        (accepted.join("policy/support.cedar"), vec![&missing, &altered], "bundle"),
        (accepted.join("bundle.note"), vec![&missing, &altered], "bundle.note"),
    ];
    for (path, harms, named) in files {
        let (whole, mode) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().permissions());
        for harm in harms {
            harm(&path);
            let error = Monitor::open(&lab.folder(), lab.gate.now).err().unwrap().to_string();
            assert!(error.contains(named), "{}: {error}", path.display());
            fs::write(&path, &whole).unwrap();
            fs::set_permissions(&path, mode.clone()).unwrap();
        }
    }
    fs::copy(m.join("witness.key"), m.join("redecided.key")).unwrap();
    assert_eq!(said(&["run", "--dir", &dir]).0, 2, "one key for two statements");
}

#[test]
fn http() {
    let (mut lab, dir) = lab();
    let gate = client::enrolled(&lab.folder(), "gate-1");
    let monitor = Running::start(&lab.monitor_dir(), &gate);
    let (code, text) = said(&["run", "--dir", &dir]);
    assert!(code == 2 && text.contains("in use"), "{text}");

    let items = lab.gate.first();
    let body = lab.gate.batch(&items);
    let (status, answer) = monitor.post(&body);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answer["cosignatures"].as_array().unwrap().len()), (200, 2));
    assert_eq!(monitor.post(&body), (409, "2\n".to_owned()));
    lab.gate.tree = lab.gate.tree_with(&items);
    assert_eq!(monitor.post(b"nonsense").0, 400);
    assert_eq!(monitor.post(&lab::encode("no note", 0, &[])).0, 400);
    assert_eq!(monitor.ask("GET /batch", b"").0, 405);
    assert_eq!(monitor.ask("GET /", b"").0, 404);
    let forged = release(&mut lab, &"0".repeat(32));
    let (status, answer) = monitor.post(&lab.gate.batch(&forged));
    assert_eq!(status, 422, "{answer}");
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["index"], 2);
    let opening = lab.gate.session_id();
    let piece = lab.gate.open(&AOIFE, &opening);
    let items = [lab.gate.seal(piece)];
    let (status, answer) = monitor.post(&lab.gate.batch(&items));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(status, 200, "{answer}");
    assert!(answer["certificates"]["2"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(monitor.size(), 3);
    // A client that never ends does not hold up the stop.
    let mut silent = client::connect(&monitor.url, Some(&gate));
    silent.write_all(b"POST /batch HTTP/1.1\r\nHost: m\r\nContent-Length: 9\r\n\r\n").unwrap();
    assert_eq!(monitor.stop(), 0);
    assert_eq!(said(&["check", "--dir", &dir]).0, 0);
}

/// Batches are a gate's that is enrolled, and the last checkpoint is everybody's.
#[test]
fn who_is_let_in() {
    let elsewhere = lab();
    let (mut lab, dir) = lab();
    let folder = lab.folder();
    let gate = client::enrolled(&folder, "gate-1");
    let other = client::enrolled(&folder, "gate-2");
    let monitor = Running::start(&lab.monitor_dir(), &gate);
    let items = lab.gate.first();
    assert_eq!(monitor.post(&lab.gate.batch(&items)).0, 200);
    // A session's certificate is of the other authority, and one of another monitor's door is nobody's here.
    let stranger = client::enrolled(&elsewhere.0.folder(), "gate-1");
    let ca = monitor::ca::Ca::read(
        &fs::read_to_string(folder.ca_cert()).unwrap(),
        &fs::read_to_string(folder.ca_key()).unwrap(),
        clock::now(),
    );
    let key = rcgen::KeyPair::generate().unwrap();
    let request = lab::csr_of("role", &key);
    let request = monitor::ca::Request::read(&request, "role").unwrap();
    let session = ca.unwrap().issue(&request, "role", [1; 16], clock::now()).unwrap();
    let session = client::with(&folder, &session, &key.serialize_pem());
    let ask = |tls: Option<&Arc<ClientConfig>>, head: &str| {
        let mut stream = client::connect(&monitor.url, tls);
        let sent = client::send(&mut *stream, head, b"");
        sent.and_then(|()| client::answer(&mut *stream)).ok().map(|(status, ..)| status)
    };
    let public = format!("GET /{}/checkpoint", tlog::hash::Hash::of(lab::ORIGIN.as_bytes()));
    let nobody = client::nobody(&folder);
    for (who, tls, path, expected) in [
        ("a gate", Some(&gate), "GET /state", Some(200)),
        ("a gate, by its name", Some(&gate), "GET /state?gate=gate-1", Some(200)),
        ("a gate, in another's name", Some(&gate), "GET /state?gate=gate-2", Some(403)),
        ("a gate, in another's name", Some(&gate), "GET /brakes?gate=gate-2", Some(403)),
        ("a gate that does not write this log", Some(&other), "GET /state", Some(403)),
        ("a gate", Some(&gate), "POST /add-checkpoint", Some(404)),
        ("nobody, in TLS", Some(&nobody), "GET /state", None),
        ("another monitor's gate", Some(&stranger), "GET /state", None),
        ("a session", Some(&session), "GET /state", None),
        ("anybody", None, "GET /state", Some(404)),
        ("anybody", None, "POST /batch", Some(404)),
        ("anybody", None, "GET /brakes", Some(404)),
        ("anybody", None, "POST /add-checkpoint", Some(404)),
        ("anybody", None, public.as_str(), Some(200)),
        ("anybody", None, "GET /0000/checkpoint", Some(404)),
    ] {
        assert_eq!(ask(tls, path), expected, "{who}: {path}");
    }
    let mut stream = client::connect(&monitor.url, None);
    client::send(&mut *stream, &public, b"").unwrap();
    let note = tlog::note::SignedNote::parse(client::answer(&mut *stream).unwrap().2).unwrap();
    let keys = [lab.made.witness.parse().unwrap(), lab.made.redecided.parse().unwrap()];
    assert_eq!(note.verify(&keys).unwrap().len(), 2);
    // Nor does a gate post what another writes, or ask what became of it.
    let from_other = |body: &[u8]| {
        let mut stream = client::connect(&monitor.url, Some(&other));
        client::send(&mut *stream, "POST /batch", body).unwrap();
        client::answer(&mut *stream).unwrap()
    };
    lab.gate.tree = lab.gate.tree_with(&items);
    let stopping = lab.gate.stop();
    let stopping = [lab.gate.seal(stopping)];
    let mut own = lab.gate.stop();
    own.entry.gate = "gate-2".to_owned();
    let own = [lab.gate.seal(own)];
    for (what, items, says) in [
        ("another's entry", &stopping[..], "by its certificate"),
        ("a heartbeat", &[], "by its certificate"),
        ("its own entry", &own, "writes into the log of"),
    ] {
        let (status, _, answer) = from_other(&lab.gate.batch(items));
        assert!(status == 422 && answer.contains(says), "{what}: {status} {answer}");
    }
    let (code, listed) = said(&["incidents", "list", "--json", "--dir", &dir]);
    assert!(code == 0 && listed.contains("decision-mismatch"), "{listed}");
    assert_eq!(monitor.post(&lab.gate.batch(&stopping)).0, 200);
    // Whose certificate is taken out is shut out, at the next connection.
    fs::remove_file(folder.gates().join("gate-2.pem")).unwrap();
    assert_eq!((ask(Some(&other), "GET /state"), ask(Some(&gate), "GET /state")), (None, Some(200)));
    let csr = lab.dir.path().join("csr.pem");
    let csr = csr.to_str().unwrap();
    fs::write(csr, lab::csr("gate-3")).unwrap();
    let enrol = |gate: &str| said(&["enrol", "--json", "--dir", &dir, "--gate", gate, "--csr", csr]);
    for (gate, code, says) in [
        ("gate-3", 0, "BEGIN CERTIFICATE"),
        ("gate-3", 2, "enrolled already"),
        ("gate-4", 2, "names"),
        ("../gate-3", 2, "cannot be a gate's name"),
    ] {
        let (found, text) = enrol(gate);
        assert!(found == code && text.contains(says), "{gate}: {found} {text}");
    }
}

/// Killed at any moment of a batch, before or after it was stored, the monitor goes on with the log where it was.
#[test]
fn killed_between_store_and_answer() {
    let (mut lab, dir) = lab();
    let mut items = lab.gate.first().to_vec();
    let session = lab.gate.session_id();
    let piece = lab.gate.open(&AOIFE, &session);
    items.push(lab.gate.seal(piece));
    let mut stored = 0;
    let gate = client::enrolled(&lab.folder(), "gate-1");
    for round in 0..8 {
        let mut monitor = Running::start(&lab.monitor_dir(), &gate);
        let (before, body) = (lab.gate.tree.size(), lab.gate.batch(&items));
        let after = before + u64::try_from(items.len()).unwrap();
        let pending = monitor.send("POST /batch", &body);
        sleep(Duration::from_micros(400 * round));
        monitor.child.kill().unwrap();
        monitor.child.wait().unwrap();
        drop(pending);

        let monitor = Running::start(&lab.monitor_dir(), &gate);
        let size = monitor.size();
        assert!(size == before || size == after, "{before} {size} {after}");
        let expected = if size == after { 409 } else { 200 };
        stored += u64::from(size == after);
        assert_eq!(monitor.post(&body).0, expected);
        lab.gate.tree = lab.gate.tree_with(&items);
        let (status, answer) = monitor.post(&lab.gate.batch(&[]));
        assert_eq!(status, 200, "{answer}");
        drop(monitor);
        items = release(&mut lab, &session);
    }
    let (code, text) = said(&["check", "--json", "--dir", &dir]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["size"], lab.gate.tree.size());
    println!("stored but not answered: {stored} of 8");
}

#[test]
fn check_finds_damage() {
    let (mut lab, dir) = lab();
    lab.restart();
    let items = lab.gate.first();
    lab.accept(&items);
    lab.open(&AOIFE);
    lab.monitor = None;
    let segment = lab.monitor_dir().join("copy").join(format!("{:020}.seg", 0));
    let whole = fs::read(&segment).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 12) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        fs::write(&segment, damaged).unwrap();
        let (code, text) = said(&["check", "--dir", &dir]);
        assert_eq!(code, 1, "byte {at}: {text}");
        assert_eq!(said(&["run", "--dir", &dir]).0, 2, "byte {at}");
    }
    fs::write(&segment, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(said(&["check", "--dir", &dir]).0, 1, "a copy that lost its end");
    fs::write(&segment, &whole).unwrap();
    assert_eq!(said(&["check", "--dir", &dir]).0, 0);
}

/// A new policy counts for new sessions; those opened under the old one go on under it.
#[test]
fn accept_a_new_policy() {
    let (mut lab, dir) = lab();
    lab.restart();
    let items = lab.gate.first();
    lab.accept(&items);
    let old = lab.open(&AOIFE);
    lab.monitor = None;
    let new = lab.dir.path().join("new");
    let bundle = signed_bundle(&new, &lab.operator, "# reviewed\n");
    let new = new.to_str().unwrap();
    let accept = || said(&["accept", "--json", "--dir", &dir, "--bundle", new]);
    assert_eq!((accept().0, accept().0), (0, 0));
    let note = fs::read_to_string(format!("{new}/bundle.note")).unwrap();
    fs::write(format!("{new}/bundle.note"), note.replace("trefoil", "trefail")).unwrap();
    assert_eq!(accept().0, 1, "the signature is not on this");

    lab.restart();
    assert_eq!(lab.monitor().policy(), bundle.hash().to_string());
    let items = release(&mut lab, &old);
    lab.accept(&items);
    let before = lab.gate.bundle.hash();
    lab.gate.bundle = bundle;
    lab.open(&AOIFE);
    assert_ne!(lab.gate.bundle.hash(), before);
    assert_eq!(said(&["check", "--dir", &dir]).0, 0);
}
