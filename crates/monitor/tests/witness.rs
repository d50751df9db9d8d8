//! The witness as a black box: raw HTTP against the program, one line a case; then many at once, and killed at any
//! moment. The logs are made here; what is signed and proved is made with `tlog`, and refused by it, in the program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

#[path = "lab/client.rs"]
#[allow(dead_code, reason = "a witness speaks plain HTTP")]
mod client;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tlog::{
    checkpoint::Checkpoint,
    hash::{EMPTY_ROOT, Hash, leaf_hash},
    note::{KeyType, Signature, SignedNote, SigningKey, VerifierKey},
    tree::{Levels, consistency_proof, root_at},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_trefoil-monitor");
const LEAVES: u64 = 400;

fn said(args: &[&str]) -> (i32, String) {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A log that signs what it is asked to.
struct Log {
    key: SigningKey,
    tree: Levels,
}

impl Log {
    fn new(origin: &str) -> Log {
        let mut tree = Levels::new();
        (0..LEAVES).for_each(|number| tree.push(leaf_hash(&number.to_be_bytes())));
        let seed = Hash::of(origin.as_bytes()).0;
        Log { key: SigningKey::from_seed(origin, KeyType::Ed25519, seed).unwrap(), tree }
    }

    fn vkey(&self) -> String {
        self.key.verifier().to_string()
    }

    fn root(&self, size: u64) -> Hash {
        root_at(&self.tree, size).unwrap()
    }

    fn note(&self, size: u64, root: Hash) -> SignedNote {
        let checkpoint = Checkpoint { origin: self.key.name().to_owned(), size, root };
        self.key.sign_note(&checkpoint.to_string()).unwrap()
    }

    fn proof(&self, old: u64, new: u64) -> Vec<String> {
        consistency_proof(&self.tree, old, new).unwrap().iter().map(|hash| hash.to_base64()).collect()
    }

    /// What an honest log posts.
    fn ask(&self, old: u64, new: u64) -> String {
        body(old, &self.proof(old, new), &self.note(new, self.root(new)))
    }
}

fn body(old: u64, proof: &[String], note: &SignedNote) -> String {
    let proof: String = proof.iter().map(|hash| format!("{hash}\n")).collect();
    format!("old {old}\n{proof}\n{note}")
}

/// The program.
struct Running {
    child: Child,
    url: String,
}

impl Running {
    fn start(dir: &Path) -> Running {
        Running::start_with(dir, &["--witness-only"])
    }

    fn start_with(dir: &Path, flags: &[&str]) -> Running {
        let mut child = Command::new(PROGRAM)
            .args(["run", "--json", "--dir", dir.to_str().unwrap()])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready["ready"], true);
        Running { child, url: ready["url"].as_str().unwrap().trim_start_matches("http://").to_owned() }
    }

    /// Status, head and body.
    fn ask(&self, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = client::connect(&self.url, None);
        client::send(&mut *stream, head, body.as_bytes()).unwrap();
        client::answer(&mut *stream).unwrap()
    }

    fn add(&self, body: &str) -> (u16, String, String) {
        self.ask("POST /add-checkpoint", body)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A witness of these logs: its folder, and its verifier key.
fn witness(logs: &[&Log]) -> (TempDir, VerifierKey) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().to_str().unwrap();
    let keys: Vec<String> = logs.iter().map(|log| log.vkey()).collect();
    let mut args = vec!["init", "--json", "--dir", path, "--name", "w.example/w1", "--listen", "127.0.0.1:0"];
    keys.iter().for_each(|key| args.extend(["--log-key", key.as_str()]));
    let (code, text) = said(&args);
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(&["keys", "--dir", path, "--json"]);
    assert_eq!(code, 0, "{text}");
    let keys: Value = serde_json::from_str(&text).unwrap();
    let key = |name: &str| keys[name].as_str().unwrap().parse::<VerifierKey>().unwrap();
    assert_ne!(key("witness").public(), key("redecided").public());
    assert_eq!(key("witness").name(), "w.example/w1");
    (dir, key("witness"))
}

/// The text of the note in a request.
fn text_of(request: &str) -> String {
    SignedNote::parse(request.split_once("\n\n").unwrap().1).unwrap().text
}

/// The lines are cosignatures of the note's text by this key, with a time.
fn cosigned(text: &str, lines: &str, key: &VerifierKey) {
    let signatures = lines.lines().map(|line| Signature::parse(line).unwrap()).collect();
    let note = SignedNote { text: text.to_owned(), signatures };
    let verified = note.verify(std::slice::from_ref(key)).unwrap();
    assert!(verified[0].time.unwrap() > 1_700_000_000, "{verified:?}");
}

#[test]
fn every_case_of_the_specification() {
    let (log, other, unknown) =
        (Log::new("log.example/a"), Log::new("log.example/b"), Log::new("log.example/c"));
    let (dir, key) = witness(&[&log, &other]);
    let running = Running::start(dir.path());
    let forged = SigningKey::from_seed("log.example/a", KeyType::Ed25519, [9; 32]).unwrap();
    let stranger = SigningKey::from_seed("stranger.example", KeyType::Ed25519, [8; 32]).unwrap();
    let note = |size| log.note(size, log.root(size));
    let text = |size| note(size).text;
    let beside = |size| {
        let mut note = note(size);
        note.signatures.extend(stranger.sign_note(&note.text).unwrap().signatures);
        note
    };
    let altered =
        |size| SignedNote { text: text(size).replace("log.example/a\n", "log.example/a\n1"), ..note(size) };
    let extended = log.key.sign_note(&format!("{}extension line\n", text(30))).unwrap();
    let node = Hash::of(b"other").to_base64();
    let long = "x".repeat(100_000);
    let cases: Vec<(&str, String, u16, &str)> = vec![
        // The first of a log, and everything that is wrong with a request.
        ("old without a size", format!("old\n\n{}", note(6)), 400, ""),
        ("nothing", String::new(), 400, ""),
        ("no empty line", format!("old 0\n{}", note(6)), 400, ""),
        ("a size in two spellings", format!("old 00\n\n{}", note(6)), 400, ""),
        ("no hash in the proof", format!("old 0\nabc\n\n{}", note(6)), 400, ""),
        ("64 hashes", body(0, &vec![node.clone(); 64], &note(6)), 400, ""),
        ("no signature", format!("old 0\n\n{}", text(6)), 400, ""),
        ("no checkpoint", body(0, &[], &log.key.sign_note("text\n").unwrap()), 400, ""),
        ("too long", format!("old 0\n\n{long}"), 400, ""),
        ("old is larger", log.ask(6, 6).replace("old 6", "old 7"), 400, ""),
        ("unknown origin", unknown.ask(0, 6), 404, ""),
        ("another's signature alone", body(0, &[], &stranger.sign_note(&text(6)).unwrap()), 403, ""),
        ("a key of the log's name", body(0, &[], &forged.sign_note(&text(6)).unwrap()), 403, ""),
        ("an altered text", body(0, &[], &altered(6)), 403, ""),
        ("a proof from nothing", body(0, std::slice::from_ref(&node), &note(6)), 422, ""),
        ("an empty tree with a root", body(0, &[], &log.note(0, log.root(6))), 422, ""),
        ("what was not cosigned", log.ask(3, 6), 409, "0\n"),
        ("the empty tree", body(0, &[], &log.note(0, EMPTY_ROOT)), 200, ""),
        ("the first", log.ask(0, 6), 200, ""),
        ("the same again", log.ask(6, 6), 200, ""),
        ("the same with a proof", body(6, std::slice::from_ref(&node), &note(6)), 422, ""),
        ("the same with another root", body(6, &[], &log.note(6, log.root(7))), 422, ""),
        ("from before", log.ask(3, 13), 409, "6\n"),
        ("from nothing", log.ask(0, 13), 409, "6\n"),
        ("from later", log.ask(8, 13), 409, "6\n"),
        ("a smaller one", body(6, &[], &note(5)), 400, ""),
        ("no proof", body(6, &[], &note(13)), 422, ""),
        ("a proof of another size", body(6, &log.proof(5, 13), &note(13)), 422, ""),
        ("another root", body(6, &log.proof(6, 13), &log.note(13, log.root(12))), 422, ""),
        ("grown", log.ask(6, 13), 200, ""),
        ("grown, with a stranger's line", body(13, &log.proof(13, 20), &beside(20)), 200, ""),
        ("with an extension line", body(20, &log.proof(20, 30), &extended), 200, ""),
        ("far", log.ask(30, LEAVES), 200, ""),
        ("the other log", other.ask(0, 9), 200, ""),
        ("the first after that", log.ask(LEAVES, LEAVES), 200, ""),
    ];
    for (what, request, status, answer) in cases {
        let (found, head, body) = running.add(&request);
        assert_eq!(found, status, "{what}: {body}");
        match status {
            200 => cosigned(&text_of(&request), &body, &key),
            409 => {
                assert_eq!(body, answer, "{what}");
                assert!(head.contains("content-type: text/x.tlog.size"), "{what}: {head}");
            }
            _ => assert!(!body.contains('\u{2014}'), "{what}: {body}"),
        }
    }
    let of = |log: &Log| format!("/{}/checkpoint", Hash::of(log.key.name().as_bytes()));
    for (method, path, status) in [
        ("GET", of(&log).as_str(), 200),
        ("GET", of(&other).as_str(), 200),
        ("GET", of(&unknown).as_str(), 404),
        ("GET", "/add-checkpoint", 405),
        ("POST", "/", 404),
        ("POST", "/batch", 404),
        ("GET", "/state", 404),
    ] {
        let (found, _, body) = running.ask(&format!("{method} {path}"), "");
        assert_eq!(found, status, "{method} {path}: {body}");
    }
    let (_, _, served) = running.ask(&format!("GET {}", of(&log)), "");
    let served = SignedNote::parse(served).unwrap();
    assert_eq!(served.verify(&[log.key.verifier().clone(), key]).unwrap().len(), 2);
    assert_eq!(Checkpoint::parse(&served.text).unwrap().size, LEAVES);
}

/// Of many who ask to go on from the same size, one is cosigned and the others are told its size.
#[test]
fn compared_and_kept_in_one_step() {
    let (one, other) = (Log::new("log.example/a"), Log::new("log.example/b"));
    let (dir, _) = witness(&[&one, &other]);
    // The folder says that it is a witness's; the flag need not.
    let running = Running::start_with(dir.path(), &[]);
    for round in 0..6_u64 {
        let old = if round == 0 { 0 } else { round * 10 + 8 };
        let requests: Vec<(String, u64)> = (0..18)
            .map(|number| {
                let log = if number % 2 == 0 { &one } else { &other };
                let new = round * 10 + 10 + number / 2;
                (log.ask(old, new), new)
            })
            .collect();
        let asked: Vec<(u16, u64)> = thread::scope(|scope| {
            let ask = |(request, new): &(String, u64)| (running.add(request).0, *new);
            let threads: Vec<_> = requests.iter().map(|request| scope.spawn(move || ask(request))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let cosigned = asked.iter().filter(|(status, _)| *status == 200).count();
        let told = asked.iter().filter(|(status, _)| *status == 409).count();
        assert_eq!((cosigned, told), (2, 16), "{asked:?}");
        // Both go on from one size.
        let next = round * 10 + 18;
        for log in [&one, &other] {
            let held: u64 = running.add(&log.ask(0, LEAVES)).2.trim().parse().unwrap();
            assert_eq!(running.add(&log.ask(held, next)).0, 200);
        }
    }
}

/// Killed at any moment: whatever was answered is held afterwards, and whatever is held can be gone on from.
#[test]
fn killed_before_or_after_the_answer() {
    let log = Log::new("log.example/a");
    let (dir, key) = witness(&[&log]);
    let (mut held, mut kept) = (0, 0);
    for round in 0..12_u64 {
        let running = Running::start(dir.path());
        let next = held + 1 + round;
        let mut pending = client::connect(&running.url, None);
        let request = log.ask(held, next);
        client::send(&mut *pending, "POST /add-checkpoint", request.as_bytes()).unwrap();
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(150 * round));
            running.kill();
        });
        let answered = client::answer(&mut *pending).is_ok_and(|(status, ..)| status == 200);
        killer.join().unwrap();
        let running = Running::start(dir.path());
        let (status, _, body) = running.add(&log.ask(next, next));
        if status == 200 {
            kept += 1;
            held = next;
            cosigned(&log.note(next, log.root(next)).text, &body, &key);
        } else {
            assert!(status == 409 && !answered, "{status}: an answer was forgotten");
            assert_eq!(body, format!("{held}\n"));
        }
        running.kill();
    }
    println!("kept {kept} of 12");
    // What was torn is known; what was damaged is not started from.
    let file = fs::read_dir(dir.path().join("held")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&file).unwrap();
    bytes.truncate(10);
    bytes[0] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (code, text) = said(&["run", "--witness-only", "--dir", dir.path().to_str().unwrap()]);
    assert!(code == 2 && text.contains("damaged"), "{text}");
}

#[test]
fn what_a_witness_is_made_of() {
    let log = Log::new("log.example/a");
    let (dir, _) = witness(&[]);
    let path = dir.path().to_str().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let cosigner =
        SigningKey::from_seed("x", KeyType::CosignatureV1, [1; 32]).unwrap().verifier().to_string();
    let (name, listen, vkey) = ("w.example/w1", "127.0.0.1:0", log.vkey());
    let init = |dir, rest: &[&str]| said(&[&["init", "--dir", dir], rest].concat());
    for (args, code, says) in [
        (init(path, &["--name", name, "--listen", listen]), 2, "exists already"),
        (init(elsewhere, &["--listen", listen]), 2, "--name"),
        (init(elsewhere, &["--name", "a b", "--listen", listen]), 2, "cannot be a cosigner's name"),
        (init(elsewhere, &["--name", name, "--listen", "here"]), 2, "listen"),
        (init(elsewhere, &["--name", name, "--listen", listen, "--log-key", &cosigner]), 2, "type 01"),
        (
            init(elsewhere, &["--name", name, "--listen", listen, "--log-key", &vkey, "--log-key", &vkey]),
            2,
            "twice",
        ),
        (said(&["incidents", "list", "--dir", path]), 0, "has no incidents"),
        (said(&["run", "--dir", elsewhere, "--witness-only"]), 2, "witness.toml"),
        (said(&["check", "--dir", path]), 2, "monitor.toml"),
    ] {
        let (found, text) = args;
        assert!(found == code && text.contains(says), "{says}: {found} {text}");
    }
    // A log may be added later.
    fs::write(dir.path().join("witness.toml"), format!("listen = \"{listen}\"\nlogs = [\"{vkey}\"]\n"))
        .unwrap();
    let running = Running::start(dir.path());
    assert_eq!(running.add(&log.ask(0, 5)).0, 200);
    // One that sends slowly holds up nobody.
    let mut slow = client::connect(&running.url, None);
    slow.write_all(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 500\r\n\r\nold").unwrap();
    assert_eq!(running.add(&log.ask(5, 6)).0, 200);
}
