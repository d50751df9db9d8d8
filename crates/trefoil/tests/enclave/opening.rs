//! How connections begin: encryption, protocol versions, passwords, sites, proxies. Not here: what sessions say
//! (`protocol`).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use wire::backend::{Fields, Tag};

use super::lab::{AOIFE, Enclave, Who, psql};
use super::raw::{Opening, Raw};

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];
const PG: Option<&[u8]> = Some(b"postgresql");

#[test]
fn connections_begin_as_they_must() {
    let enclave = Enclave::start();
    encryption_is_asked_for_once_and_for_all(&enclave);
    versions_and_keys_are_negotiated(&enclave);
    a_late_cancel_hits_no_other_statement(&enclave);
    a_site_is_chosen_and_a_full_one_passed_over(&enclave);
    details_are_opened_by_who_has_a_key(&enclave);
    failed_logins_are_few(&enclave);
    anybody_can_check_the_record(&enclave);
    let verified = enclave.trefoil(&["record", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// What plain bytes are answered with before the connection ends, or nothing more comes for a moment.
fn answer(enclave: &Enclave, said: &[u8]) -> String {
    let mut tcp = TcpStream::connect(enclave.listener("ireland")).unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    tcp.write_all(said).unwrap();
    let mut heard = String::new();
    let mut byte = [0];
    loop {
        match tcp.read(&mut byte) {
            Ok(0) => return heard + ".",
            Ok(_) => heard.push(char::from(byte[0])),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return heard + ".",
            Err(_) => return heard,
        }
    }
}

fn encryption_is_asked_for_once_and_for_all(enclave: &Enclave) {
    let plain = [
        ("TLS", SSL_REQUEST.to_vec(), "S"),
        ("GSSAPI", GSSENC_REQUEST.to_vec(), "N"),
        // CVE-2021-23214: what stands behind a request was put there by somebody else.
        ("TLS, and a byte behind it", [&SSL_REQUEST[..], b"Q"].concat(), "."),
        ("TLS, and a request behind it", [SSL_REQUEST, SSL_REQUEST].concat(), "."),
        ("GSSAPI, and a request behind it", [GSSENC_REQUEST, SSL_REQUEST].concat(), "."),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), "."),
        ("a proxy's header that nobody asked for", proxy_header([10, 1, 2, 3]), "."),
    ];
    for (name, said, expected) in plain {
        assert_eq!(answer(enclave, &said), expected, "{name}");
    }
    let mut tcp = TcpStream::connect(enclave.listener("ireland")).unwrap();
    let mut heard = Vec::new();
    for request in [GSSENC_REQUEST, GSSENC_REQUEST] {
        tcp.write_all(&request).unwrap();
        let mut byte = [0];
        heard.push(tcp.read(&mut byte).map_or(0, |read| read));
    }
    assert_eq!(heard, [1, 0], "one request for GSSAPI");

    let open = |opening| Raw::open(enclave, enclave.listener("ireland"), AOIFE, opening).map(drop);
    let direct = Opening { direct: true, ..Opening::default() };
    assert_eq!(open(Opening { alpn: PG, ..direct }), Ok(()));
    assert_eq!(open(Opening { alpn: PG, ..Opening::default() }), Ok(()), "as libpq 17 begins");
    let said = open(direct).unwrap_err();
    assert!(said.contains("08P01") && said.contains("ALPN"), "{said}");
    assert_eq!(open(Opening { alpn: Some(b"h2"), ..direct }), Err("closed".into()));
}

fn versions_and_keys_are_negotiated(enclave: &Enclave) {
    let unknown = Some(("_pq_.test", "on"));
    for (minor, parameter, key_bytes, negotiated) in [
        (0, None, 4, None),
        (2, None, 32, None),
        (0, unknown, 4, Some(b"\0\x03\0\0\0\0\0\x01_pq_.test\0".to_vec())),
        (9_999, unknown, 32, Some(b"\0\x03\0\x02\0\0\0\x01_pq_.test\0".to_vec())),
        (3, None, 32, Some(b"\0\x03\0\x02\0\0\0\0".to_vec())),
    ] {
        let opening = Opening { minor, parameter, ..Opening::default() };
        let mut raw = Raw::open(enclave, enclave.listener("ireland"), AOIFE, opening).unwrap();
        assert_eq!((raw.key.1.len(), &raw.negotiated), (key_bytes, &negotiated), "3.{minor}");
        // The key is right, its first bytes alone are not.
        let long = "SELECT count(*) FROM users a, users b, users c";
        let mut out = Vec::new();
        wire::frontend::query(&mut out, long).unwrap();
        raw.send(&out);
        sleep(Duration::from_millis(200));
        if key_bytes > 4 {
            cancel(enclave, raw.key.0, &raw.key.1[..4]);
            sleep(Duration::from_millis(100));
        }
        cancel(enclave, raw.key.0, &raw.key.1);
        let heard = raw.talk(&[], "T E:57014 Z:I");
        assert!(heard.ends_with("E:57014 Z:I"), "3.{minor}: {heard}");
    }
}

/// Asks for a cancel, and waits until the gate has hung up.
fn cancel(enclave: &Enclave, pid: i32, secret: &[u8]) {
    let mut out = Vec::new();
    wire::frontend::cancel(&mut out, pid, secret).unwrap();
    let mut tcp = TcpStream::connect(enclave.listener("ireland")).unwrap();
    tcp.write_all(&out).unwrap();
    let _ = tcp.read(&mut [0]);
}

/// Cancels are sent around the moment at which a statement ends. When the gate has hung up, the next statement is none
/// that it could still hit.
fn a_late_cancel_hits_no_other_statement(enclave: &Enclave) {
    let mut raw = Raw::connect(enclave, AOIFE);
    let mut hits = 0;
    for round in 0..ROUNDS {
        let (pid, secret) = raw.key.clone();
        std::thread::scope(|scope| {
            let canceller = scope.spawn(move || {
                sleep(Duration::from_millis(round % 40));
                cancel(enclave, pid, &secret);
            });
            hits += u32::from(is_cancelled(&mut raw, "SELECT count(*) FROM generate_series(1, 100000)"));
            canceller.join().unwrap();
        });
        assert!(!is_cancelled(&mut raw, "SELECT count(*) FROM generate_series(1, 2000)"), "round {round}");
    }
    assert!((1..60).contains(&hits), "{hits} of {ROUNDS} cancels hit what they were meant for");
}

const ROUNDS: u64 = 80;

/// Runs a statement to its end; whether it was cancelled.
fn is_cancelled(raw: &mut Raw, statement: &str) -> bool {
    let mut out = Vec::new();
    wire::frontend::query(&mut out, statement).unwrap();
    raw.send(&out);
    let mut cancelled = false;
    loop {
        let (tag, body) = raw.next().expect("the session goes on");
        match tag {
            Tag::ErrorResponse => cancelled |= Fields::read(&body).unwrap().sqlstate() == Some("57014"),
            Tag::ReadyForQuery => return cancelled,
            _ => {}
        }
    }
}

fn a_site_is_chosen_and_a_full_one_passed_over(enclave: &Enclave) {
    let sessions = || -> Vec<(String, u64)> {
        let status = enclave.status();
        let by = status["sessions"]["by_profile_and_site"].as_array().unwrap().clone();
        let of = |of: &Value| (of["site"].as_str().unwrap().to_owned(), of["count"].as_u64().unwrap());
        by.iter().filter(|of| of["profile"] == "support").map(of).collect()
    };
    let at = |site: &'static str| Who {
        options: Box::leak(format!("{} -c trefoil.site={site}", AOIFE.options).into_boxed_str()),
        ..AOIFE
    };
    let wait_for = |expected: &[(&str, u64)]| {
        let expected: Vec<(String, u64)> = expected.iter().map(|(s, n)| ((*s).to_owned(), *n)).collect();
        for _ in 0..50 {
            if sessions() == expected {
                return;
            }
            sleep(Duration::from_millis(100));
        }
        panic!("expected {expected:?}, there are {:?}", sessions());
    };
    wait_for(&[]);
    let chosen = Raw::connect(enclave, at("hamar"));
    wait_for(&[("hamar", 1)]);
    let nearest: Vec<Raw> = (0..9).map(|_| Raw::connect(enclave, AOIFE)).collect();
    wait_for(&[("dublin-1", 8), ("dublin-2", 1), ("hamar", 1)]);
    let full = enclave.gate(at("dublin-1"), &["SELECT 1"]);
    assert!(full.contains("all 8 sessions of profile \"support\" at site dublin-1 are taken"), "{full}");
    let nowhere = enclave.gate(at("atlantis"), &["SELECT 1"]);
    assert!(nowhere.contains("there is no site \"atlantis\" here"), "{nowhere}");
    assert!(nowhere.contains("dublin-1, dublin-2, hamar"), "{nowhere}");
    drop((chosen, nearest));
    wait_for(&[]);

    assert_eq!(enclave.gate(AOIFE, &["SELECT count(*) FROM users LIMIT 1"]).lines().count(), 1);
    sleep(Duration::from_secs(2));
    let status = enclave.status();
    assert_eq!(status["sites"].as_array().unwrap().iter().filter(|site| site["used"] == true).count(), 3);
    for (part, fields) in [
        ("rates", &["statements_per_second", "rows_per_second", "bytes_per_second", "over_seconds"][..]),
        ("waits", &["p50_ms", "p99_ms", "max_ms", "count"]),
        ("lag", &["entries", "staged", "cosigned", "published"]),
        ("totals", &["statements", "rows", "bytes"]),
    ] {
        for field in fields {
            assert!(status[part][field].is_number(), "{part}.{field}: {status}");
        }
    }
    assert!(status["totals"]["statements"].as_u64().unwrap() > 0, "{status}");
    assert!(status["rates"]["rows_per_second"].as_f64().unwrap() > 0.0, "{status}");
    assert!(status["waits"]["p50_ms"].as_f64().unwrap() > 0.0, "{status}");
    assert_eq!(status["lag"]["entries"], 0, "{status}");
    assert!(status["ready"] == true && status["monitor"].is_number(), "{status}");
}

fn details_are_opened_by_who_has_a_key(enclave: &Enclave) {
    let statement = "SELECT 'for the auditor'";
    enclave.gate(AOIFE, &[statement]);
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = shown.lines().find(|line| line.contains("for the auditor")).expect("it is recorded");
    let index = serde_json::from_str::<Value>(line).unwrap()["index"].to_string();
    let key = enclave.dir.join("operator/detail.age");
    let open = |index: &str, key: &std::path::Path| {
        let opened = enclave.trefoil(&["record", "open", index, "--key", key.to_str().unwrap()]);
        let said = [&opened.stdout[..], &opened.stderr].concat();
        (opened.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, detail) = open(&index, &key);
    assert_eq!(code, Some(0), "{detail}");
    assert_eq!(serde_json::from_str::<Value>(&detail).unwrap()["statements"][0]["text"], statement);
    for (index, key, expected) in [
        ("999999", key.clone(), "numbered from 0"),
        (&index, enclave.dir.join("gate/log.key"), "not an age X25519 identity"),
        ("0", key.clone(), "is about a day key"),
    ] {
        let (code, said) = open(index, &key);
        assert!(code == Some(2) && said.contains(expected), "{index}: {code:?} {said}");
    }

    let mut follow = super::lab::trefoil();
    follow.args(["record", "show", "--follow", "--dir"]).arg(&enclave.dir);
    let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();
    sleep(Duration::from_secs(1));
    assert!(follow.try_wait().unwrap().is_none(), "it goes on");
    enclave.gate(AOIFE, &["SELECT 1"]);
    sleep(Duration::from_secs(1));
    follow.kill().unwrap();
    let said = String::from_utf8(follow.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.lines().count() >= 13, "ten from before, and three of a session:\n{said}");
    let numbers: Vec<u64> =
        said.lines().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{said}");
}

/// With the rule, the record's URL and a receipt, from elsewhere than the enclave's folder; by our program and by one in
/// Python that shares nothing with it.
fn anybody_can_check_the_record(enclave: &Enclave) {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    let (rule, receipt, state) = (file("rule.policy"), file("r.tlog-proof"), file("state"));
    let keys: Value = serde_json::from_slice(&enclave.trefoil(&["record", "keys", "--json"]).stdout).unwrap();
    std::fs::write(&rule, keys["policy"].as_str().unwrap()).unwrap();
    let made = enclave.trefoil(&["record", "prove", "1"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::write(&receipt, &made.stdout).unwrap();
    let url = enclave.info["record_url"].as_str().unwrap();
    assert_eq!(enclave.status()["record_url"], url);
    let verify = [url, &receipt].map(|what| {
        let mut ours = super::lab::trefoil();
        ours.args(["record", "verify", what, "--rule", &rule, "--state", &state, "--dir", &file("nowhere")]);
        let mut theirs = std::process::Command::new("python3");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/verify_record.py");
        theirs.args([script, &rule, what]);
        [ours, theirs]
    });
    for mut command in verify.into_iter().flatten() {
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
    }
}

fn failed_logins_are_few(enclave: &Enclave) {
    let (host, port) = enclave.listener("norway");
    let ca = enclave.info["ca"].as_str().unwrap();
    let try_as = |name: &str, password: &str| {
        let target = format!(
            "host={host} port={port} dbname=trefoil user={name} sslmode=verify-full sslrootcert={ca} \
             options='-c trefoil.purpose=security -c trefoil.ticket=SEC-1'"
        );
        psql(&target, &[("PGPASSWORD", password)], &["SELECT 1"])
    };
    let judged = || {
        let shown = enclave.trefoil(&["record", "show", "--json"]);
        String::from_utf8_lossy(&shown.stdout).matches("login.judged").count()
    };
    let (real, before) = (enclave.password("ingrid"), judged());
    assert_eq!(try_as("ingrid", &real), "1\n");
    let tries: Vec<String> = (0..13).map(|_| try_as("ingrid", "guess")).collect();
    let wrong = tries.iter().filter(|said| said.contains("the password is wrong")).count();
    let slowed = tries.iter().filter(|said| said.contains("too many failed logins")).count();
    assert_eq!(wrong + slowed, 13, "{tries:#?}");
    assert!((10..=12).contains(&wrong), "{tries:#?}");
    assert!(try_as("ingrid", &real).contains("too many failed logins"), "a guess that is right helps nobody");
    assert!(try_as("nobody", "guess").contains("the password is wrong"), "others are let try");
    // One entry says that there were too many, whatever came after it.
    assert!((wrong + 1..=wrong + 3).contains(&(judged() - before - 1)), "{} for {wrong}", judged() - before);
}

/// A header of version 2 that says that the client has this address.
pub fn proxy_header(address: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(address);
    header.extend([127, 0, 0, 1, 0x30, 0x39, 0x15, 0x38]);
    header
}
