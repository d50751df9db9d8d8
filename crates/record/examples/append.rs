//! What a record costs alone: so many wait for entries as releases make them, for so many seconds, with the tests' own
//! witness in the same process. Prints one JSON object; `cargo xtask bench record` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use record::{COSIGN_WAIT_MS_MAX, Config, Detail, Draft, Like, Outline, Record};
use serde_json::json;
use tlog::detail::{Counted, Released, Statement, Subjects};
use tlog::entry::{Count, CountState, Decision, Kind, Micros};
use tlog::note::{KeyType, SigningKey};
use tlog::rule::ReleaseRule;
use tokio::time::Instant;

#[allow(dead_code, reason = "only tests need all of its moods")]
#[path = "../src/tests/monitor.rs"]
mod monitor;

use monitor::TestMonitor;

const ORIGIN: &str = "bench.example/gate-1";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let arguments: Vec<u32> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [waiting, seconds] = arguments[..] else {
        eprintln!("say how many wait, and for how many seconds: append 32 5");
        std::process::exit(2);
    };
    let dir = tempfile::tempdir().unwrap();
    let (record, witness) = open(dir.path());
    // The day's key is made by the first entry.
    append(&record, &like(0)).await;
    let (batches, cpu, began) = (witness.state().batches, Cpu::read(), now());
    let until = began + Duration::from_secs(seconds.into());
    let tasks: Vec<_> =
        (0..waiting).map(|session| tokio::spawn(wait(record.clone(), session, until))).collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    let (took, used) = (began.elapsed(), Cpu::read());
    let batches = witness.state().batches - batches;
    record.stop().await.unwrap();
    waits.sort();
    // The one that made the day's key is among them.
    let each = |folder: &str| bytes(&dir.path().join(folder)) as f64 / (waits.len() + 1) as f64;
    let quantile = |percent: usize| waits[(waits.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    let said = json!({
        "entries": waits.len(),
        "batches": batches,
        "seconds": took.as_secs_f64(),
        "record_bytes": each("record"),
        "detail_bytes": each("gate/details"),
        "p50_us": quantile(50),
        "p99_us": quantile(99),
        "writer_ns": used.writer - cpu.writer,
        "publisher_ns": used.publisher - cpu.publisher,
        "witness_ns": used.witness - cpu.witness,
    });
    println!("{said}");
}

/// Bytes of the files in a folder.
fn bytes(folder: &Path) -> u64 {
    let items = fs::read_dir(folder).unwrap().map(|item| item.unwrap());
    let each = |item: fs::DirEntry| match item.file_type().unwrap().is_dir() {
        true => bytes(&item.path()),
        false => item.metadata().unwrap().len(),
    };
    items.map(each).sum()
}

fn open(dir: &Path) -> (Record, TestMonitor) {
    let log_key = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [1; 32]).unwrap();
    let witness = TestMonitor::start(log_key.verifier().clone());
    let [grew, redecided] = &witness.keys;
    let rule =
        ReleaseRule::all_of(log_key.verifier(), &[("witness", grew), ("redecided", redecided)]).unwrap();
    let config = Config {
        origin: ORIGIN.to_owned(),
        gate: "gate-1".to_owned(),
        log_key,
        rule,
        wal_dir: dir.join("gate/wal"),
        details_dir: dir.join("gate/details"),
        keys_dir: dir.join("gate/keys"),
        record_dir: dir.join("record"),
        recipients: vec![age::x25519::Identity::generate().to_public().to_string()],
        monitor_url: Some(witness.url.clone()),
        monitor_tls: None,
        cosign_wait: Duration::from_millis(COSIGN_WAIT_MS_MAX),
        clock: Arc::new(micros),
    };
    (Record::open(config).unwrap(), witness)
}

/// Appends one after the other, as a session does; how long each took.
async fn wait(record: Record, session: u32, until: Instant) -> Vec<Duration> {
    let like = like(session);
    let mut waits = Vec::new();
    while now() < until {
        let began = now();
        append(&record, &like).await;
        waits.push(began.elapsed());
    }
    waits
}

/// With one that is not witnessed there is nothing to measure.
async fn append(record: &Record, like: &Like) {
    if let Err(refused) = record.append_like(like.clone()).await {
        eprintln!("an entry was not witnessed: {refused}");
        std::process::exit(1);
    }
}

/// What a session's releases of one row say.
fn like(session: u32) -> Like {
    let outline = Draft {
        session: Some(format!("{session:032x}")),
        principal: Some("aoife".to_owned()),
        request: Some(
            json!({ "place": "IE", "principal": "aoife", "purpose": "support", "ticket": "SUP-1" }),
        ),
        place: Some("IE".to_owned()),
        policy: Some("5a".repeat(32)),
        profile: Some("a5".repeat(32)),
        classes: vec!["personal".to_owned(), "public".to_owned()],
        ..Draft::new(Kind::AccessRelease)
    };
    let subjects = Subjects { state: Counted::Exact, n: 1, digests: vec!["3c".repeat(16)], sketch: None };
    let statement = Statement {
        text: format!("SELECT full_name, country FROM users WHERE id = {session}"),
        parameters: Vec::new(),
        rows: 1,
        bytes: 60,
        tag: Some("SELECT 1".to_owned()),
        error: None,
        cursor: None,
        subjects: Some(subjects),
    };
    Like {
        outline: Arc::new(Outline::new(outline)),
        kind: Kind::AccessRelease,
        decision: Some(Decision::Permit),
        count: Some(Count { state: CountState::Exact, rows: 1, bytes: 60 }),
        detail: Detail::of(&Released { statements: vec![statement] }).ok(),
    }
}

/// Nanoseconds that the kernel has counted so far for threads of these names.
struct Cpu {
    writer: u64,
    publisher: u64,
    witness: u64,
}

impl Cpu {
    fn read() -> Self {
        let mut cpu = Self { writer: 0, publisher: 0, witness: 0 };
        for task in fs::read_dir("/proc/self/task").unwrap() {
            let task = task.unwrap().path();
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            let used = fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let used = used.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or_default();
            match name.trim() {
                "record-write" => cpu.writer += used,
                "record-publish" => cpu.publisher += used,
                "monitor" => cpu.witness += used,
                _ => {}
            }
        }
        cpu
    }
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the record's clock is an argument, and this is who gives it")]
fn micros() -> Micros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
