//! The record alone: entries as releases make them, appended by so many who each wait for their own, with a witness in
//! the same process that only checks that the log grew. Beside it, what the disk's own fdatasync costs, and, where it is
//! installed, siglog: a log that answers before an entry is in its tree, and a witness that cosigns.

use std::path::{Path, PathBuf};

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
    /// Of an entry: published, and its sealed detail.
    record_bytes: f64,
    detail_bytes: f64,
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
    /// Absent where siglog is not installed.
    siglog: Option<Siglog>,
}

/// What the example `siglog` says of one run.
#[derive(Deserialize)]
struct PeerRun {
    log: PeerCost,
    witness: PeerCost,
}

#[derive(Deserialize)]
struct PeerCost {
    per_second: f64,
    p50_us: f64,
    p99_us: f64,
    /// Seconds until the log's checkpoint had all that it had taken.
    behind_s: Option<f64>,
    /// What it refused before it took it.
    refused: Option<f64>,
}

#[derive(Serialize)]
struct Siglog {
    log: Vec<PeerLine>,
    witness: PeerLine,
}

#[derive(Serialize)]
struct PeerLine {
    waiting: u32,
    per_second: Spread,
    p50_us: Spread,
    p99_us: Spread,
    behind_s: Option<Spread>,
    refused: Option<Spread>,
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
    /// Bytes an entry.
    record_bytes: Spread,
    detail_bytes: Spread,
}

pub(crate) fn run(asked: &Record) -> Result<(), String> {
    let part = Part::build("record", "append", &asked.dir)?;
    let peer = peer(&asked.dir)?;
    let mut peers: Vec<Vec<PeerRun>> = asked.waiting.iter().map(|_| Vec::new()).collect();
    let mut fdatasync = Vec::new();
    let mut runs: Vec<Vec<Run>> = asked.waiting.iter().map(|_| Vec::new()).collect();
    for round in 1..=asked.rounds {
        fdatasync.push(disk::measure(part.place())?);
        for (waiting, runs) in asked.waiting.iter().zip(&mut runs) {
            eprintln!("the record, {waiting} waiting, round {round}");
            runs.push(part.run(&[waiting.to_string(), asked.seconds.to_string()])?);
        }
        let Some((part, programs)) = &peer else { continue };
        for (waiting, runs) in asked.waiting.iter().zip(&mut peers) {
            eprintln!("siglog, {waiting} waiting, round {round}");
            let programs = programs.display().to_string();
            runs.push(part.run(&[programs, waiting.to_string(), asked.seconds.to_string()])?);
        }
    }
    fdatasync.push(disk::measure(part.place())?);
    let lines = asked.waiting.iter().zip(&runs);
    let record = lines.filter_map(|(waiting, runs)| line(*waiting, runs, &fdatasync)).collect();
    let siglog = siglog(&asked.waiting, &peers);
    print(&Report { cores: super::cores(), fdatasync, record, siglog }, asked.json, as_text)
}

/// The example that drives siglog, and where its programs are; none where they are not installed.
fn peer(dir: &Path) -> Result<Option<(Part, PathBuf)>, String> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin");
    if ["siglog", "witness"].iter().all(|program| programs.join(program).is_file()) {
        return Ok(Some((Part::build("record", "siglog", dir)?, programs)));
    }
    eprintln!("siglog is not installed and left out; `. .ci/install.sh; ensure_bench` installs it");
    Ok(None)
}

fn siglog(waiting: &[u32], peers: &[Vec<PeerRun>]) -> Option<Siglog> {
    let log = waiting.iter().zip(peers).filter_map(|(waiting, runs)| {
        peer_line(*waiting, &runs.iter().map(|run| &run.log).collect::<Vec<_>>())
    });
    // Whoever waits for the log's entries does not change what its witness does.
    let witness: Vec<&PeerCost> = peers.iter().flatten().map(|run| &run.witness).collect();
    Some(Siglog { log: log.collect(), witness: peer_line(1, &witness)? })
}

fn peer_line(waiting: u32, runs: &[&PeerCost]) -> Option<PeerLine> {
    Some(PeerLine {
        waiting,
        per_second: spread_of(runs, |run| run.per_second)?,
        p50_us: spread_of(runs, |run| run.p50_us)?,
        p99_us: spread_of(runs, |run| run.p99_us)?,
        behind_s: Spread::of(runs.iter().filter_map(|run| run.behind_s)),
        refused: Spread::of(runs.iter().filter_map(|run| run.refused)),
    })
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
        record_bytes: spread_of(runs, |run| run.record_bytes)?,
        detail_bytes: spread_of(runs, |run| run.detail_bytes)?,
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
            format!("{:.0} + {:.0}", line.record_bytes.median, line.detail_bytes.median),
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
        "bytes, record + detail",
    ];
    let siglog = report.siglog.as_ref().map(siglog_as_text).unwrap_or_default();
    let fdatasync = disk::as_text(&report.fdatasync);
    format!("{} cores\n\n{}\n{fdatasync}{siglog}", report.cores, table(&head, &rows))
}

fn siglog_as_text(siglog: &Siglog) -> String {
    let row = |what: &str, line: &PeerLine| {
        vec![
            what.to_owned(),
            line.waiting.to_string(),
            line.per_second.to_string(),
            line.p50_us.to_string(),
            line.p99_us.to_string(),
            line.behind_s.map(|behind| behind.to_string()).unwrap_or_default(),
            line.refused.map(|refused| refused.to_string()).unwrap_or_default(),
        ]
    };
    let log = siglog.log.iter().map(|line| row("log, entries", line));
    let rows: Vec<Vec<String>> = log.chain([row("witness, cosignatures", &siglog.witness)]).collect();
    let head = ["siglog", "waiting", "a second", "p50 µs", "p99 µs", "published s later", "refused at first"];
    format!("\n{}", table(&head, &rows))
}
