//! Deadlines and limits that an operator sets and the monitor accepts: how a statement and a session end that take too
//! long, and a day's limit that a gate's death does not lift. Not here: which statements a limit cuts (`scripts`), what
//! a gate's file of usage holds (`access`).

use std::collections::BTreeSet;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use wire::backend::Tag;

use super::lab::{AOIFE, BILLING, Enclave, LUKAS, MAEVE, Who, up};
use super::raw::{Raw, Say};
use super::scripts::Script;
use Say::{Bind, CopyData, Execute, Parse, Query, Sync};

const INGRID: Who =
    Who { name: "ingrid", place: "norway", options: "-c trefoil.purpose=security -c trefoil.ticket=SEC-1" };

/// What the operator changes in `enclave.toml`: the text that is there, and what takes its place.
const CHANGES: &[(&str, &str)] = &[
    ("statement_seconds_max = 300\n", "statement_seconds_max = 1\n"),
    ("idle_seconds_max = 3_600\n", "idle_seconds_max = 2\n"),
    (
        "limits = [\n",
        "limits = [
    { name = \"aoife-day\", principal = \"aoife\", class = \"personal\", per = \"day\", rows = 480 },
    { name = \"lukas-day\", principal = \"lukas\", per = \"day\", bytes = 16_000 },
    { name = \"ingrid-day\", principal = \"ingrid\", per = \"day\", rows = 2_400 },
",
    ),
];

#[test]
fn what_an_operator_bounds_stays_bounded() {
    let mut enclave = Enclave::start();
    change_the_bundle(&mut enclave);
    a_long_statement_ends_and_its_session_goes_on(&enclave);
    what_takes_too_long_ends(&enclave);
    a_day_goes_on_after_the_gate_is_killed(&enclave);
    enclave.is_of_one_mind();
}

/// The four steps of `docs/operations.md`.
fn change_the_bundle(enclave: &mut Enclave) {
    let file = enclave.dir.join("bundle/enclave.toml");
    let mut text = fs::read_to_string(&file).unwrap();
    for (old, new) in CHANGES {
        assert!(text.contains(old), "the example no longer says {old}");
        text = text.replace(old, new);
    }
    fs::write(&file, text).unwrap();
    for step in [&["policy", "sign"][..], &["policy", "apply"]] {
        let done = enclave.trefoil(step);
        assert!(done.status.success(), "{step:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    enclave.accept();
    assert!(enclave.trefoil(&["down"]).status.success());
    enclave.info = up(&enclave.dir);
}

/// Nobody waits for the end of this.
const LONG: &str = "SELECT count(*) FROM users a, users b, users c";
const LONG_WRITE: &str = "UPDATE payments SET status = 'late' WHERE amount_cents < (SELECT count(*) FROM \
                          generate_series(1, 30000) a, generate_series(1, 30000) b)";
const LONG_RESULT: &str = "SELECT repeat('x', 1000), generate_series(1, 100000000)";
const COPY_IN: &str = "COPY payments (id, user_id, amount_cents, currency, status) FROM STDIN";
const TOO_LONG: &str = "the statement took longer than 1 s, the most this enclave allows";
const TOO_QUIET: &str = "nothing was asked for 2 s";

fn a_long_statement_ends_and_its_session_goes_on(enclave: &Enclave) {
    let said = enclave.gate(AOIFE, &[LONG, "SELECT 'still here'"]);
    assert!(said.contains(&format!("ERROR:  57014: {TOO_LONG}\n")), "{said}");
    assert!(said.contains("statement_seconds_max in enclave.toml") && said.contains("still here"), "{said}");
    let mut raw = Raw::connect(enclave, AOIFE);
    assert_eq!(raw.talk(&[Query(LONG)], "T E:57014 Z:I"), "T E:57014 Z:I");
    // The session is there, and its backend has nothing to do.
    assert_eq!(backends(enclave, "state = 'active'"), 0);
    assert_eq!(backends(enclave, "state = 'idle'"), 1);
    assert_eq!(raw.talk(&[Query("SELECT 1")], "T D*1 C:SELECT_1 Z:I"), "T D*1 C:SELECT_1 Z:I");
}

/// Backends of people's sessions, at all sites.
fn backends(enclave: &Enclave, which: &str) -> u32 {
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'tp\\_%' AND {which}");
    let sites = enclave.info["sites"].as_array().unwrap();
    let of = |site: &Value| enclave.admin(site["name"].as_str().unwrap(), &[&count]);
    sites.iter().map(|site| of(site).trim().parse::<u32>().unwrap()).sum()
}

/// All of them at once, each on a session of its own: every one takes its deadline.
const TOO_LONG_SCRIPTS: &[(Who, Script)] = &[
    (
        AOIFE,
        (
            "what was asked behind it is answered",
            &[Query(LONG), Query("SELECT 1")],
            "T E:57014 Z:I T D*1 C:SELECT_1 Z:I E:57P05 closed",
        ),
    ),
    (
        AOIFE,
        (
            "its transaction has failed",
            &[Query("BEGIN"), Query(LONG), Query("SELECT 1"), Query("ROLLBACK"), Query("SELECT 1")],
            "C:BEGIN Z:T T E:57014 Z:E E:25P02 Z:E C:ROLLBACK Z:I T D*1 C:SELECT_1 Z:I",
        ),
    ),
    (
        AOIFE,
        (
            "its pipeline skips to the Sync",
            &[
                Parse("", LONG),
                Bind("", "", &[]),
                Execute("", 0),
                Parse("", "SELECT 1"),
                Bind("", "", &[]),
                Execute("", 0),
                Sync,
                Query("SELECT 2"),
            ],
            "1 2 E:57014 Z:I T D*1 C:SELECT_1 Z:I",
        ),
    ),
    (
        AOIFE,
        (
            "one of several in a text",
            &[Query("SELECT 1; SELECT count(*) FROM users a, users b, users c; SELECT 2")],
            "T D*1 C:SELECT_1 T E:57014 Z:I",
        ),
    ),
    (AOIFE, ("in the middle of a result", &[Query(LONG_RESULT)], "T D*n E:57014 Z:I")),
    (BILLING, ("a write", &[Query(LONG_WRITE), Query("SELECT 1")], "E:57014 Z:I T D*1 C:SELECT_1 Z:I")),
    // PostgreSQL does not hear a cancel while it waits for data.
    (
        BILLING,
        (
            "a copy whose data does not come",
            &[Query(COPY_IN), CopyData("-9\t1\t100\tEUR\topen\n")],
            "G E:57014 closed",
        ),
    ),
    (AOIFE, ("nothing was ever asked", &[], "E:57P05 closed")),
    (AOIFE, ("a transaction that nobody ends", &[Query("BEGIN")], "C:BEGIN Z:T E:57P05 closed")),
];

fn what_takes_too_long_ends(enclave: &Enclave) {
    let open = |who, script: &[Say]| {
        let (mut raw, mut out) = (Raw::connect(enclave, who), Vec::new());
        script.iter().for_each(|say| say.write(&mut out));
        raw.send(&out);
        raw
    };
    // Who does not read what was asked for does not keep the site busy either.
    let unread = open(AOIFE, &[Query(LONG_RESULT)]);
    let mut sessions: Vec<_> =
        TOO_LONG_SCRIPTS.iter().map(|(who, (_, script, _))| open(*who, script)).collect();
    for (session, (_, (name, _, expected))) in sessions.iter_mut().zip(TOO_LONG_SCRIPTS) {
        let heard = session.talk(&[], expected);
        let mut words: Vec<&str> = heard.split(' ').collect();
        // How many rows come in a second is not known.
        for (word, expected) in words.iter_mut().zip(expected.split(' ')) {
            if expected == "D*n" && word.starts_with("D*") {
                *word = expected;
            }
        }
        assert_eq!(words.join(" "), *expected, "{name}\n{}\n{}", enclave.log("up"), enclave.log("gate"));
    }
    let quiet = (0..50).any(|_| {
        sleep(Duration::from_millis(200));
        backends(enclave, "true") == 0
    });
    assert!(quiet, "a backend is still there, although every session was ended");
    drop(unread);
    let unwritten = "SELECT count(*) FROM data.payments WHERE status = 'late' OR id = -9";
    assert_eq!(enclave.admin("dublin-1", &[unwritten]), "0\n");
    every_end_is_in_the_record(enclave);
}

fn every_end_is_in_the_record(enclave: &Enclave) {
    let released = enclave.shown("access.release");
    let statements = released.iter().flat_map(|entry| entry["detail"]["statements"].as_array().unwrap());
    let ended: Vec<&Value> = statements.filter(|statement| statement["error"] == "57014").collect();
    let count = |text: &str| ended.iter().filter(|statement| statement["text"] == text).count();
    // psql's, that of the session that went on, and those of the scripts, one of them as a part of a longer text.
    assert_eq!((ended.len(), count(LONG)), (8, 6), "{ended:?}");
    assert_eq!((count(LONG_RESULT), count(LONG_WRITE)), (1, 1), "{ended:?}");
    let closed = enclave.shown("session.close");
    let closed = |why| closed.iter().filter(|entry| entry["detail"]["reason"] == why).count();
    // The copy, and who did not read.
    assert_eq!(closed(TOO_LONG), 2);
    assert!(closed(TOO_QUIET) >= 3, "{}", enclave.log("gate"));
}

/// Somebody who reads until the day is over.
struct Reader {
    who: Who,
    /// The limit, and what is said when it is reached.
    limit: &'static str,
    sentence: &'static str,
    most: u64,
    /// The n-th of the statements that are asked.
    page: fn(u32) -> String,
    /// What the limit counts, of all the rows that came.
    taken: fn(&[String]) -> u64,
    /// What came that day, where nobody is in the middle of a result: each death costs what was reserved and not
    /// taken, and a page that is cut comes as a whole or not at all.
    in_all: Option<u64>,
}

const READERS: &[Reader] = &[
    Reader {
        who: AOIFE,
        limit: "aoife-day",
        sentence: "480 rows of class personal a day",
        most: 480,
        page: |_| "SELECT id, full_name FROM users ORDER BY id LIMIT 10".to_owned(),
        taken: |rows| u64::try_from(rows.len()).unwrap(),
        // 50, then from 62, then from 124.
        in_all: Some(50 + 50 + 350),
    },
    Reader {
        who: MAEVE,
        limit: "trainee-day",
        sentence: "50 subjects a day",
        most: 50,
        page: |n| format!("SELECT id FROM users ORDER BY id LIMIT 1 OFFSET {n}"),
        taken: |rows| u64::try_from(rows.iter().collect::<BTreeSet<_>>().len()).unwrap(),
        // 5, then from 8, then from 16.
        in_all: Some(5 + 5 + 34),
    },
    Reader {
        who: LUKAS,
        limit: "lukas-day",
        sentence: "16000 bytes a day",
        most: 16_000,
        page: |_| "SELECT repeat('x', 89) FROM generate_series(1, 10)".to_owned(),
        // With the head of the message, the number of fields, and the field's length.
        taken: |rows| rows.iter().map(|row| u64::try_from(5 + 2 + 4 + row.len()).unwrap()).sum(),
        // 5 000, then from 5 500, then from 11 000.
        in_all: Some(15_000),
    },
    Reader {
        who: INGRID,
        limit: "ingrid-day",
        sentence: "2400 rows a day",
        most: 2_400,
        page: |_| "SELECT handle FROM users ORDER BY id LIMIT 50".to_owned(),
        taken: |rows| u64::try_from(rows.len()).unwrap(),
        in_all: None,
    },
];
/// Of each reader, between two deaths of the gate.
const PAGES_PER_LIFE: u32 = 5;
/// More than any reader may be shown in a day.
const PAGES_PER_DAY: u32 = 60;
/// A result in windows: more than fits between the gate and a client that does not read.
const LARGE: &str = "SELECT repeat(handle, 1000) FROM users";
/// So much of it has come when the gate is killed.
const ROWS_BEFORE_DEATH: usize = 40;

fn a_day_goes_on_after_the_gate_is_killed(enclave: &Enclave) {
    let mut got: Vec<Vec<String>> = READERS.iter().map(|_| Vec::new()).collect();
    for life in 0..2 {
        for (reader, got) in READERS.iter().zip(&mut got) {
            let (rows, error) = read(enclave, reader, life * PAGES_PER_LIFE, PAGES_PER_LIFE);
            assert_eq!(error, "", "{}, life {life}", reader.limit);
            got.extend(rows);
        }
        let broken = read_until_the_gate_is_killed(enclave);
        got.last_mut().unwrap().extend(vec![String::new(); broken]);
        enclave.bring_back();
    }
    for (reader, got) in READERS.iter().zip(&mut got) {
        let (rows, error) = read(enclave, reader, 2 * PAGES_PER_LIFE, PAGES_PER_DAY);
        got.extend(rows);
        assert!(error.contains(&reached(reader)), "{}: {error}", reader.limit);
        let taken = (reader.taken)(got);
        assert!(taken <= reader.most, "{}: {taken}", reader.limit);
        assert!(reader.in_all.is_none_or(|in_all| in_all == taken), "{}: {taken}", reader.limit);
    }
    // A limit that is reached is reached after another death as well.
    enclave.kill(&["gate"]);
    enclave.bring_back();
    for reader in READERS {
        let (rows, error) = read(enclave, reader, PAGES_PER_DAY, 1);
        assert!(rows.is_empty() && error.contains(&reached(reader)), "{}: {rows:?} {error}", reader.limit);
    }
    let cut = enclave.shown("access.cut");
    for Reader { limit, sentence, .. } in READERS {
        let of: Vec<&Value> = cut.iter().filter(|entry| entry["detail"]["limit"] == *limit).collect();
        assert_eq!(of.len(), 2, "{limit}: {cut:?}");
        assert!(of.iter().all(|entry| entry["detail"]["reason"].as_str().unwrap().contains(sentence)));
    }
}

fn reached(reader: &Reader) -> String {
    format!("FATAL:  53400: the limit \"{}\" is reached: {}\n", reader.limit, reader.sentence)
}

/// The rows that came, and what was said instead of more.
fn read(enclave: &Enclave, reader: &Reader, from: u32, pages: u32) -> (Vec<String>, String) {
    let pages: Vec<String> = (from..from + pages).map(reader.page).collect();
    let said = enclave.gate(reader.who, &pages.iter().map(String::as_str).collect::<Vec<_>>());
    let rows = said.find("FATAL:").or_else(|| said.find("ERROR:")).unwrap_or(said.len());
    (said[..rows].lines().map(str::to_owned).collect(), said[rows..].to_owned())
}

/// Rows of a large result that came, in the middle of which the gate was killed.
fn read_until_the_gate_is_killed(enclave: &Enclave) -> usize {
    let gate = enclave.process("gate").unwrap();
    let mut raw = Raw::connect(enclave, INGRID);
    let mut out = Vec::new();
    Query(LARGE).write(&mut out);
    raw.send(&out);
    let mut rows = 0;
    while let Some((tag, _)) = raw.next() {
        assert!(matches!(tag, Tag::RowDescription | Tag::DataRow), "not in the middle: {tag:?}");
        rows += usize::from(tag == Tag::DataRow);
        if rows == ROWS_BEFORE_DEATH {
            kill_process(gate, Signal::KILL).unwrap();
        }
    }
    assert!(rows >= ROWS_BEFORE_DEATH, "{rows}");
    rows
}
