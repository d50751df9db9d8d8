//! Login events a core, from a line of JSON to a decision, with so many users known; bytes a user; how long one takes.
//! And the same through NATS, with one process and with two that share the users.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Logins;
use super::part::Part;
use super::report::{Spread, print, spread_of, table};

/// Through NATS it is measured with so many processes,
const WORKERS: [u32; 2] = [1, 2];
/// and with so many users; events of a run are in memory.
const SHARED_USERS: u64 = 1_000_000;
const SHARED_EVENTS_MAX: u64 = 1_000_000;

/// What the example `throughput` says of one run.
#[derive(Deserialize)]
struct Run {
    users: u64,
    /// CPU of the one thread, nanoseconds an event: all of it, and its stages alone.
    all_ns: f64,
    read_ns: f64,
    place_ns: f64,
    judge_ns: f64,
    /// By the clock, events a second.
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    most_us: f64,
    /// By the store's own count, and what the process grew by, each over users.
    counted_bytes: f64,
    resident_bytes: f64,
    snapshot_s: f64,
    snapshot_bytes: f64,
    start_s: f64,
}

/// What the example `shares` says of one run.
#[derive(Deserialize)]
struct SharedRun {
    workers: u32,
    per_second: f64,
    /// CPU of the processes that judge, and of NATS, nanoseconds an event.
    worker_ns: f64,
    server_ns: f64,
}

#[derive(Serialize)]
struct Report {
    cores: usize,
    logins: Vec<Line>,
    nats: Vec<SharedLine>,
}

#[derive(Serialize)]
struct SharedLine {
    workers: u32,
    per_second: Spread,
    worker_ns: Spread,
    server_ns: Spread,
}

#[derive(Serialize)]
struct Line {
    users: u64,
    per_cpu_second: Spread,
    per_second: Spread,
    /// CPU nanoseconds an event.
    read_ns: Spread,
    place_ns: Spread,
    judge_ns: Spread,
    p50_us: Spread,
    p99_us: Spread,
    most_us: Spread,
    counted_bytes: Spread,
    resident_bytes: Spread,
    snapshot_s: Spread,
    snapshot_bytes: Spread,
    start_s: Spread,
}

pub(crate) fn run(asked: &Logins) -> Result<(), String> {
    let places = asked.places.to_str().filter(|places| Path::new(places).is_dir()).ok_or_else(|| {
        format!(
            "{}: no folder of places; `. .ci/install.sh && ensure_city_files` makes target/places, or name another with --places",
            asked.places.display()
        )
    })?;
    let part = Part::build("logins", "throughput", &asked.dir)?;
    let shares = Part::build("logins", "shares", &asked.dir)?;
    let mut shared: Vec<Vec<SharedRun>> = WORKERS.iter().map(|_| Vec::new()).collect();
    let mut runs: Vec<Vec<Run>> = asked.users.iter().map(|_| Vec::new()).collect();
    for round in 1..=asked.rounds {
        for (users, runs) in asked.users.iter().zip(&mut runs) {
            eprintln!("logins of {users} users, round {round}");
            runs.push(part.run(&[users.to_string(), asked.events.to_string(), places.to_owned()])?);
        }
        for (workers, runs) in WORKERS.iter().zip(&mut shared) {
            eprintln!("logins through NATS, {workers} processes, round {round}");
            let events = asked.events.min(SHARED_EVENTS_MAX).to_string();
            runs.push(shares.run(&[SHARED_USERS.to_string(), events, workers.to_string()])?);
        }
    }
    let nats = shared.iter().filter_map(|runs| shared_line(runs)).collect();
    let logins = runs.iter().filter_map(|runs| line(runs)).collect();
    print(&Report { cores: super::cores(), logins, nats }, asked.json, as_text)
}

fn line(runs: &[Run]) -> Option<Line> {
    Some(Line {
        users: runs.first()?.users,
        per_cpu_second: spread_of(runs, |run| 1e9 / run.all_ns)?,
        per_second: spread_of(runs, |run| run.per_second)?,
        read_ns: spread_of(runs, |run| run.read_ns)?,
        place_ns: spread_of(runs, |run| run.place_ns)?,
        judge_ns: spread_of(runs, |run| run.judge_ns)?,
        p50_us: spread_of(runs, |run| run.p50_us)?,
        p99_us: spread_of(runs, |run| run.p99_us)?,
        most_us: spread_of(runs, |run| run.most_us)?,
        counted_bytes: spread_of(runs, |run| run.counted_bytes)?,
        resident_bytes: spread_of(runs, |run| run.resident_bytes)?,
        snapshot_s: spread_of(runs, |run| run.snapshot_s)?,
        snapshot_bytes: spread_of(runs, |run| run.snapshot_bytes)?,
        start_s: spread_of(runs, |run| run.start_s)?,
    })
}

fn shared_line(runs: &[SharedRun]) -> Option<SharedLine> {
    Some(SharedLine {
        workers: runs.first()?.workers,
        per_second: spread_of(runs, |run| run.per_second)?,
        worker_ns: spread_of(runs, |run| run.worker_ns)?,
        server_ns: spread_of(runs, |run| run.server_ns)?,
    })
}

fn as_text(report: &Report) -> String {
    let costs = report.logins.iter().map(|line| {
        let rates = [&line.per_cpu_second, &line.per_second];
        let stages = rates.into_iter().chain([&line.read_ns, &line.place_ns, &line.judge_ns]);
        let times = [&line.p50_us, &line.p99_us, &line.most_us];
        let figures = stages.chain(times).map(Spread::to_string);
        [line.users.to_string()].into_iter().chain(figures).collect()
    });
    let costs: Vec<Vec<String>> = costs.collect();
    let head = [
        "users",
        "a CPU second",
        "a second",
        "read ns",
        "place ns",
        "judge ns",
        "p50 µs",
        "p99 µs",
        "most µs",
    ];
    let sizes = report.logins.iter().map(|line| {
        let bytes = [&line.counted_bytes, &line.resident_bytes, &line.snapshot_bytes];
        let figures = bytes.into_iter().chain([&line.snapshot_s, &line.start_s]).map(Spread::to_string);
        [line.users.to_string()].into_iter().chain(figures).collect()
    });
    let sizes: Vec<Vec<String>> = sizes.collect();
    let heads = ["users", "B a user, counted", "resident", "of a snapshot", "written s", "read s"];
    let nats = report.nats.iter().map(|line| {
        let figures = [&line.per_second, &line.worker_ns, &line.server_ns].map(Spread::to_string);
        [line.workers.to_string()].into_iter().chain(figures).collect()
    });
    let nats: Vec<Vec<String>> = nats.collect();
    let shares = table(&["processes on NATS", "a second", "their CPU ns", "NATS CPU ns"], &nats);
    format!("{} cores\n\n{}\n{}\n{shares}", report.cores, table(&head, &costs), table(&heads, &sizes))
}
