//! The record alone: entries as releases make them, appended by so many who each wait for their own, with a witness in
//! the same process that only checks that the log grew. Beside it, what the disk's own fdatasync costs.

use serde::{Deserialize, Serialize};

use super::Record;
use super::disk::{self, Fsync};
use super::part::Part;
use super::report::{Spread, print, spread_of, table};

/// What the example `append` says of one run.
#[derive(Deserialize)]
struct Run {
    entries: u32,
    batches: u32,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
    /// CPU of these threads.
    writer_ns: f64,
    publisher_ns: f64,
    witness_ns: f64,
}

#[derive(Serialize)]
struct Report {
    cores: usize,
    fdatasync: Vec<Fsync>,
    record: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    waiting: u32,
    entries_per_second: Spread,
    entries_per_writer_cpu_second: Spread,
    entries_per_batch: Spread,
    p50_us: Spread,
    p99_us: Spread,
    /// Each quantile over an fdatasync's, of medians.
    p50_in_fsyncs: f64,
    p99_in_fsyncs: f64,
    /// CPU an entry.
    writer_cpu_us: Spread,
    publisher_cpu_us: Spread,
    witness_cpu_us: Spread,
}

pub(crate) fn run(asked: &Record) -> Result<(), String> {
    let part = Part::build("record", "append", &asked.dir)?;
    let mut fdatasync = Vec::new();
    let mut runs: Vec<Vec<Run>> = asked.waiting.iter().map(|_| Vec::new()).collect();
    for round in 1..=asked.rounds {
        fdatasync.push(disk::measure(part.place())?);
        for (waiting, runs) in asked.waiting.iter().zip(&mut runs) {
            eprintln!("the record, {waiting} waiting, round {round}");
            runs.push(part.run(&[waiting.to_string(), asked.seconds.to_string()])?);
        }
    }
    fdatasync.push(disk::measure(part.place())?);
    let lines = asked.waiting.iter().zip(&runs);
    let record = lines.filter_map(|(waiting, runs)| line(*waiting, runs, &fdatasync)).collect();
    print(&Report { cores: super::cores(), fdatasync, record }, asked.json, as_text)
}

fn line(waiting: u32, runs: &[Run], fdatasync: &[Fsync]) -> Option<Line> {
    let (p50_us, p99_us) = (spread_of(runs, |run| run.p50_us)?, spread_of(runs, |run| run.p99_us)?);
    let each =
        |total: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| total(run) / f64::from(run.entries)));
    Some(Line {
        waiting,
        entries_per_second: spread_of(runs, |run| f64::from(run.entries) / run.seconds)?,
        entries_per_writer_cpu_second: spread_of(runs, |run| f64::from(run.entries) / run.writer_ns * 1e9)?,
        entries_per_batch: spread_of(runs, |run| f64::from(run.entries) / f64::from(run.batches))?,
        p50_us,
        p99_us,
        p50_in_fsyncs: p50_us.median / spread_of(fdatasync, |f| f.p50_us)?.median,
        p99_in_fsyncs: p99_us.median / spread_of(fdatasync, |f| f.p99_us)?.median,
        writer_cpu_us: each(|run| run.writer_ns / 1e3)?,
        publisher_cpu_us: each(|run| run.publisher_ns / 1e3)?,
        witness_cpu_us: each(|run| run.witness_ns / 1e3)?,
    })
}

fn as_text(report: &Report) -> String {
    let row = |line: &Line| {
        vec![
            line.waiting.to_string(),
            line.entries_per_second.to_string(),
            line.entries_per_writer_cpu_second.to_string(),
            line.entries_per_batch.to_string(),
            line.p50_us.to_string(),
            line.p99_us.to_string(),
            format!("{:.1} / {:.1}", line.p50_in_fsyncs, line.p99_in_fsyncs),
            line.writer_cpu_us.to_string(),
            line.publisher_cpu_us.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = report.record.iter().map(row).collect();
    let head = [
        "waiting",
        "entries/s",
        "entries per CPU s of the writer",
        "a batch",
        "p50 µs",
        "p99 µs",
        "in fsyncs",
        "writer CPU µs",
        "publisher CPU µs",
    ];
    format!("{} cores\n\n{}\n{}", report.cores, table(&head, &rows), disk::as_text(&report.fdatasync))
}
