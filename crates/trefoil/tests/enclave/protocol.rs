//! Protocol transcripts through the gate, and what only a client that speaks the protocol itself can try: cancels,
//! deadlines, halves of connections, pipelines drawn at random. The transcripts are data in `scripts`.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::lab::{AOIFE, BILLING, Enclave, MAEVE, Who};
use super::raw::{Raw, Say};
use super::scripts::{COPIES_IN, LIMITED, READS, Script, WRITES};
use Say::{Bind, Close, CopyData, CopyDone, DescribeStatement, Execute, Flush, Parse, Query, Sync};

#[test]
fn transcripts_come_back_as_they_must() {
    let enclave = Enclave::start();
    check(&enclave, AOIFE, READS);
    check(&enclave, MAEVE, LIMITED);
    check(&enclave, BILLING, WRITES);
    check(&enclave, BILLING, COPIES_IN);
    writes_are_recorded_before_they_run(&enclave);
    half_closed_clients_get_their_answers(&enclave);
    a_slow_reader_takes_no_memory(&enclave);
    a_cancel_ends_the_statement_it_means(&enclave);
    many_executes_without_a_sync_do_not_stall(&enclave);
    a_name_is_recorded_as_what_the_site_runs(&enclave);
    a_write_is_recorded_as_what_the_site_runs(&enclave);
    clients_that_vanish_give_their_roles_back(&enclave);
    random_pipelines_leave_gate_and_monitor_of_one_mind(&enclave);
    let check = enclave.trefoil(&["record", "verify"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

fn check(enclave: &Enclave, who: Who, scripts: &[Script]) {
    let mut wrong = Vec::new();
    for (name, script, expected) in scripts {
        let heard = Raw::connect(enclave, who).talk(script, expected);
        if heard != *expected {
            wrong.push(format!("{name}:\n  expected {expected}\n  heard    {heard}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), enclave.log("gate"));
}

/// What a service writes is in the record before, its commit too, and its results after.
fn writes_are_recorded_before_they_run(enclave: &Enclave) {
    let text = "UPDATE payments SET status = 'marked' WHERE id = -1";
    let said = enclave.gate(BILLING, &["BEGIN", text, "COMMIT"]);
    assert_eq!(said, "BEGIN\nUPDATE 0\nCOMMIT\n");
    std::thread::sleep(Duration::from_millis(500));
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let kinds: Vec<String> = shown
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .skip_while(|line| !line["detail"].to_string().contains("'marked'"))
        .take(4)
        .map(|line| line["entry"]["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["access.write", "access.release", "access.commit", "access.release"]);
}

fn half_closed_clients_get_their_answers(enclave: &Enclave) {
    for (script, expected) in [
        (&[Query("SELECT 1"), Query("SELECT 2")][..], "T D*1 C:SELECT_1 Z:I T D*1 C:SELECT_1 Z:I closed"),
        (&[Query("SELECT count(*) FROM generate_series(1, 2000000)")], "T D*1 C:SELECT_1 Z:I closed"),
        // Nobody will ever say Sync.
        (&[Parse("", "SELECT 1"), Bind("", "", &[]), Execute("", 0)], "1 2 D*1 C:SELECT_1 closed"),
    ] {
        let mut raw = Raw::connect(enclave, AOIFE);
        let mut out = Vec::new();
        script.iter().for_each(|say| say.write(&mut out));
        raw.send(&out);
        raw.end();
        assert_eq!(raw.talk(&[], expected), expected);
    }
}

fn a_slow_reader_takes_no_memory(enclave: &Enclave) {
    let status = enclave.trefoil(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    let parts = status["parts"].as_array().unwrap();
    let gate = parts.iter().find(|part| part["name"] == "gate").unwrap()["pid"].as_u64().unwrap();
    let resident_kib = || {
        let status = std::fs::read_to_string(format!("/proc/{gate}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = resident_kib();
    let mut raw = Raw::connect(enclave, AOIFE);
    let mut out = Vec::new();
    wire::frontend::query(&mut out, "SELECT repeat('x', 10000) FROM generate_series(1, 10000)").unwrap();
    raw.send(&out);
    std::thread::sleep(Duration::from_secs(2));
    let grown_kib = resident_kib().saturating_sub(before);
    assert!(grown_kib < 16_384, "the gate has grown by {grown_kib} KiB");
    assert_eq!(raw.talk(&[], "T D*10000 C:SELECT_10000 Z:I"), "T D*10000 C:SELECT_10000 Z:I");
}

fn a_cancel_ends_the_statement_it_means(enclave: &Enclave) {
    let mut raw = Raw::connect(enclave, AOIFE);
    let cancel = |key: &(i32, Vec<u8>)| {
        let mut out = Vec::new();
        wire::frontend::cancel(&mut out, key.0, &key.1).unwrap();
        TcpStream::connect(enclave.listener("ireland")).unwrap().write_all(&out).unwrap();
    };
    let mut out = Vec::new();
    wire::frontend::query(&mut out, "SELECT count(*) FROM users a, users b, users c").unwrap();
    raw.send(&out);
    std::thread::sleep(Duration::from_millis(300));
    cancel(&(raw.key.0, vec![0; 4]));
    cancel(&raw.key);
    // The row description went out before, when it had been held for long enough.
    assert_eq!(raw.talk(&[], "T E:57014 Z:I"), "T E:57014 Z:I");
    // A cancel that comes when nothing runs hits nothing.
    cancel(&raw.key);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(raw.talk(&[Query("SELECT 1")], "T D*1 C:SELECT_1 Z:I"), "T D*1 C:SELECT_1 Z:I");
}

fn many_executes_without_a_sync_do_not_stall(enclave: &Enclave) {
    let mut raw = Raw::connect(enclave, AOIFE);
    let mut script = vec![Parse("s", "SELECT $1::text")];
    let long: &'static str = Box::leak("v".repeat(2_000).into_boxed_str());
    let values: &'static [&'static str] = Box::leak(vec![long].into_boxed_slice());
    for _ in 0..500 {
        script.push(Bind("", "s", values));
        script.push(Execute("", 0));
    }
    script.push(Sync);
    let one = " 2 D*1 C:SELECT_1";
    let expected = format!("1{} Z:I", one.repeat(500));
    assert_eq!(raw.talk(&script, &expected), expected);
}

/// Whatever a client claims a name to be, the record shows what ran.
fn a_name_is_recorded_as_what_the_site_runs(enclave: &Enclave) {
    let mut raw = Raw::connect(enclave, AOIFE);
    for (script, expected) in [
        // A Parse that fails, or is skipped, leaves the name what it was.
        (&[Parse("s", "SELECT 'first'"), Sync][..], "1 Z:I"),
        (
            &[Parse("s", "SELECT 'second'"), Sync, Bind("", "s", &[]), Execute("", 0), Sync],
            "E:42P05 Z:I 2 D*1 C:SELECT_1 Z:I",
        ),
        (
            &[Parse("", "LISTEN x"), Close("s"), Parse("s", "SELECT 'third'"), Sync, Query("EXECUTE s")],
            "E:42501 Z:I T D*1 C:SELECT_1 Z:I",
        ),
        // Another statement of the name, made by SQL, is none that Bind may reach.
        (&[Query("DEALLOCATE s"), Query("PREPARE s AS SELECT 'fourth'")], "C:DEALLOCATE Z:I C:PREPARE Z:I"),
        (&[Bind("", "s", &[]), Execute("", 0), Sync], "E:42501 Z:I"),
        (&[Query("EXECUTE s")], "T D*1 C:SELECT_1 Z:I"),
    ] {
        assert_eq!(raw.talk(script, expected), expected);
    }
    // The record is published a moment later.
    std::thread::sleep(Duration::from_millis(500));
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let ran = |text: &str, tag: &str| {
        let named = |line: &&str| line.contains(text) && line.contains(tag);
        shown.lines().filter(named).count()
    };
    assert_eq!([ran("'first'", "SELECT 1"), ran("'first'", "PREPARE")], [2, 1]);
    assert_eq!([ran("'second'", "SELECT 1"), ran("'third'", "SELECT 1")], [0, 0]);
}

/// An error keeps the rest of a stretch from being done, and the client has long named what comes after it.
fn a_write_is_recorded_as_what_the_site_runs(enclave: &Enclave) {
    const FIRST: &str = "UPDATE payments SET status = 'before' WHERE id = -1";
    const SECOND: &str = "UPDATE payments SET status = 'after it' WHERE id = -1";
    let mut raw = Raw::connect(enclave, BILLING);
    for (script, expected) in [
        (&[Parse("s", FIRST), Sync][..], "1 Z:I"),
        // What the gate hopes for is that the name is free; the site has the second statement under it.
        (
            &[
                Close("s"),
                Parse("s", SECOND),
                Parse("", "LISTEN x"),
                Close("s"),
                Sync,
                Bind("", "s", &[]),
                Execute("", 0),
                Sync,
            ],
            "3 1 E:42501 Z:I 2 C:UPDATE_0 Z:I",
        ),
        (&[Close("s"), Parse("s", FIRST), Sync], "3 1 Z:I"),
        // Here, that it is the first again.
        (
            &[
                Close("s"),
                Parse("s", SECOND),
                Parse("", "LISTEN x"),
                Close("s"),
                Parse("s", FIRST),
                Sync,
                Bind("", "s", &[]),
                Execute("", 0),
                Sync,
            ],
            "3 1 E:42501 Z:I 2 C:UPDATE_0 Z:I",
        ),
    ] {
        assert_eq!(raw.talk(script, expected), expected);
    }
    std::thread::sleep(Duration::from_millis(500));
    let shown = enclave.trefoil(&["record", "show", "--json"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let written =
        |text| shown.lines().filter(|line| line.contains("access.write") && line.contains(text)).count();
    assert_eq!([written("'before'"), written("'after it'")], [0, 2]);
}

fn clients_that_vanish_give_their_roles_back(enclave: &Enclave) {
    // As many as a profile has roles at a site; half of them wait for a long answer, half do not read theirs.
    let busy: Vec<Raw> = (0..8)
        .map(|number| {
            let mut raw = Raw::connect(enclave, AOIFE);
            let mut out = Vec::new();
            let long = "SELECT count(*) FROM users a, users b, users c";
            let large = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000)";
            wire::frontend::query(&mut out, if number % 2 == 0 { long } else { large }).unwrap();
            raw.send(&out);
            raw
        })
        .collect();
    let here = "-c trefoil.purpose=support -c trefoil.ticket=SUP-1 -c trefoil.site=dublin-1";
    let refused = enclave.gate(Who { options: here, ..AOIFE }, &["SELECT 1"]);
    assert!(refused.contains("all 8 sessions of profile \"support\""), "{refused}");
    drop(busy);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(enclave.gate(AOIFE, &["SELECT 1"]), "1\n");
}

/// A gate that records what the monitor would not have decided is stopped for good, so no order of messages may
/// bring that about. The seed is printed with what fails.
fn random_pipelines_leave_gate_and_monitor_of_one_mind(enclave: &Enclave) {
    for seed in 1..=PIPELINES {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let length = 1 + draw(12);
        let script: Vec<Say> = (0..length).map(|_| any_message(&mut draw)).collect();
        let mut raw = Raw::connect(enclave, if seed % 2 == 0 { AOIFE } else { BILLING });
        let last = [Sync, Query("ROLLBACK"), Query("SELECT 'that was all'")];
        let mut out = Vec::new();
        script.iter().chain(&last).for_each(|say| say.write(&mut out));
        raw.send(&out);
        // A site may end a session that it finds absurd; everything else is answered to the end.
        while let Some((_, body)) = raw.next() {
            if body.windows(12).any(|part| part == b"that was all") {
                break;
            }
        }
        let breaches = enclave.breaches();
        assert!(breaches.is_empty(), "seed {seed}: {breaches:?}");
    }
    assert_eq!(enclave.gate(AOIFE, &["SELECT 'still here'"]).trim(), "still here");
}

const PIPELINES: u64 = 80;

fn any_message(draw: &mut impl FnMut(u64) -> u64) -> Say {
    const TEXTS: [&str; 22] = [
        "SELECT 1",
        "SELECT id, email FROM users LIMIT 3",
        "SELECT repeat('x', 1000) FROM generate_series(1, 400)",
        "SELECT 1 / (g - 3) FROM generate_series(1, 5) g",
        "SELECT CASE WHEN g < 5 THEN g::text ELSE ('none' || g)::regclass::text END FROM generate_series(1, 9) g",
        "SELECT nothing FROM users",
        "LISTEN x",
        "BEGIN",
        "ROLLBACK",
        "SET application_name = 'y'",
        "PREPARE s AS SELECT 2",
        "EXECUTE s",
        "COPY (SELECT id, home_site FROM users LIMIT 5) TO STDOUT (FORMAT csv, HEADER)",
        "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 400)) TO STDOUT",
        "SELECT id FROM users LIMIT 2; SELECT 1 / 0; SELECT 3",
        "BEGIN; DECLARE t CURSOR FOR SELECT id FROM users",
        "FETCH 3 FROM t",
        "SHOW trefoil.last_entry",
        "UPDATE payments SET status = 'x' WHERE id = -1",
        "COMMIT",
        "UPDATE payments SET status = 'y' WHERE id = -1 RETURNING id; SELECT 1; COMMIT",
        "COPY payments (id, user_id, amount_cents, currency, status) FROM STDIN",
    ];
    const NAMES: [&str; 3] = ["", "s", "t"];
    let text = TEXTS[usize::try_from(draw(22)).unwrap()];
    let (a, b) = (NAMES[usize::try_from(draw(3)).unwrap()], NAMES[usize::try_from(draw(3)).unwrap()]);
    match draw(13) {
        12 if draw(2) == 0 => CopyData("-1"),
        12 => CopyDone,
        0..=2 => Query(text),
        3..=4 => Parse(a, text),
        5..=6 => Bind(a, b, &[]),
        7..=8 => Execute(a, i32::try_from(draw(3)).unwrap()),
        9 => DescribeStatement(a),
        10 => Close(a),
        _ if draw(2) == 0 => Flush,
        _ => Sync,
    }
}
