//! The access gate, everything on, against pgbouncer and PostgreSQL: pgbench look-ups, COPY and a long SELECT. Rounds
//! are interleaved: in each, every way to the data is measured once, so that an hour's weather falls on all of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Access;
use super::bulk::{self, Bulk};
use super::disk::{self, Fsync};
use super::lab::{Lab, Target};
use super::pgbench::{self, Load, Run};
use super::report::{Spread, table};

/// Everything measured.
#[derive(Serialize)]
struct Report {
    versions: String,
    cores: usize,
    fdatasync: Vec<Fsync>,
    look_ups: Vec<LookUps>,
    bulk: Vec<BulkLine>,
    /// What could not be measured, and why.
    missing: Vec<String>,
}

/// One way to the data in one setting.
#[derive(Serialize)]
struct LookUps {
    target: &'static str,
    mode: String,
    tls: bool,
    clients: u32,
    rate: Spread,
    p50_us: Spread,
    p99_us: Spread,
    /// How long releases waited for their witness, and that over an fdatasync's under the peer's load, each
    /// quantile over the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_p50_us: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_p99_us: Option<Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_p50_in_fsyncs: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    witness_p99_in_fsyncs: Option<f64>,
    /// Microseconds a transaction, by group of threads.
    cpu_us: BTreeMap<&'static str, Spread>,
    /// Session threads' CPU a transaction over pgbouncer's, of medians; the gate only speaks TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio_vs_pgbouncer: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throughput_ratio_vs_pgbouncer: Option<f64>,
}

#[derive(Serialize)]
struct BulkLine {
    what: &'static str,
    target: &'static str,
    tls: bool,
    bytes: u64,
    megabytes_per_second: Spread,
    cpu_s_per_gb: BTreeMap<&'static str, Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio_vs_pgbouncer: Option<f64>,
}

pub(crate) fn run(asked: &Access) -> Result<(), String> {
    let (rounds, seconds) = if asked.quick { (1, 3) } else { (asked.rounds, asked.seconds) };
    eprintln!("starting the enclave and its peers");
    let lab = Lab::start(asked)?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut report = Report {
        versions: lab.versions.clone(),
        cores,
        fdatasync: vec![disk::measure(&lab.dir)?],
        look_ups: Vec::new(),
        bulk: Vec::new(),
        missing: Vec::new(),
    };
    if !asked.skip.iter().any(|part| part == "pgbench") {
        for mode in &asked.modes {
            for clients in &asked.clients {
                measure_look_ups(&lab, &mut report, mode, *clients, rounds, seconds)?;
            }
        }
    }
    if !asked.skip.iter().any(|part| part == "bulk") {
        measure_bulk(&lab, &mut report, asked, rounds);
    }
    report.fdatasync.push(disk::measure(&lab.dir)?);
    if asked.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        println!("{text}");
    } else {
        print!("{}", as_text(&report));
    }
    Ok(())
}

fn measure_look_ups(
    lab: &Lab,
    report: &mut Report,
    mode: &str,
    clients: u32,
    rounds: u32,
    seconds: u32,
) -> Result<(), String> {
    let mut runs: Vec<Vec<Run>> = lab.targets.iter().map(|_| Vec::new()).collect();
    let mut fsyncs = Vec::new();
    for round in 1..=rounds {
        for (target, runs) in lab.targets.iter().zip(&mut runs) {
            eprintln!("{mode}, {clients} clients, round {round}: {}{}", target.name, tls(target.tls));
            let load = Load {
                program: &lab.pgbench,
                target: &target.connection,
                script: &lab.script,
                mode,
                clients,
                seconds,
                scratch: &lab.scratch,
            };
            let run = || pgbench::run(&load, &target.watched);
            // Beside the peer, and not beside what shares the disk with it.
            let mut run = if target.name == "pgbouncer" && target.tls {
                let (run, fsync) = disk::measure_during(&lab.dir, run);
                fsyncs.push(fsync?);
                run?
            } else {
                run()?
            };
            if target.name == "trefoil" {
                run.witness_us = lab.witness_waits();
            }
            runs.push(run);
        }
    }
    let mut lines: Vec<LookUps> = lab
        .targets
        .iter()
        .zip(&runs)
        .filter_map(|(target, runs)| look_ups(target, mode, clients, runs))
        .collect();
    let peer = lines.iter().find(|line| line.target == "pgbouncer" && line.tls);
    let peer = peer.and_then(|line| Some((line.cpu_us.get("pgbouncer")?.median, line.rate.median)));
    let fsync = |figure: fn(&Fsync) -> f64| Spread::of(fsyncs.iter().map(figure)).map(|spread| spread.median);
    for line in lines.iter_mut().filter(|line| line.target == "trefoil") {
        let in_fsyncs = |wait: Option<Spread>, fsync: Option<f64>| Some(wait?.median / fsync?);
        line.witness_p50_in_fsyncs = in_fsyncs(line.witness_p50_us, fsync(|f| f.p50_us));
        line.witness_p99_in_fsyncs = in_fsyncs(line.witness_p99_us, fsync(|f| f.p99_us));
        let own = line.cpu_us.get("gate").map(|cpu| cpu.median);
        line.cpu_ratio_vs_pgbouncer = own.zip(peer).map(|(own, (cpu, _))| own / cpu);
        line.throughput_ratio_vs_pgbouncer = peer.map(|(_, rate)| line.rate.median / rate);
    }
    report.look_ups.extend(lines);
    Ok(())
}

fn look_ups(target: &Target, mode: &str, clients: u32, runs: &[Run]) -> Option<LookUps> {
    let spread = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(figure));
    Some(LookUps {
        target: target.name,
        mode: mode.to_owned(),
        tls: target.tls,
        clients,
        rate: spread(|run| run.rate)?,
        p50_us: spread(|run| run.p50_us)?,
        p99_us: spread(|run| run.p99_us)?,
        witness_p50_us: Spread::of(runs.iter().filter_map(|run| run.witness_us).map(|(p50, _)| p50)),
        witness_p99_us: Spread::of(runs.iter().filter_map(|run| run.witness_us).map(|(_, p99)| p99)),
        witness_p50_in_fsyncs: None,
        witness_p99_in_fsyncs: None,
        cpu_us: by_group(runs.iter().map(|run| &run.cpu_us)),
        cpu_ratio_vs_pgbouncer: None,
        throughput_ratio_vs_pgbouncer: None,
    })
}

fn by_group<'a>(
    runs: impl Iterator<Item = &'a BTreeMap<&'static str, f64>> + Clone,
) -> BTreeMap<&'static str, Spread> {
    let groups = runs.clone().flat_map(BTreeMap::keys).copied();
    let spread = |group| Spread::of(runs.clone().filter_map(|cpu| cpu.get(group).copied()));
    groups.filter_map(|group| Some((group, spread(group)?))).collect()
}

fn measure_bulk(lab: &Lab, report: &mut Report, asked: &Access, rounds: u32) {
    let megabytes = if asked.quick { asked.copy_megabytes.min(60) } else { asked.copy_megabytes };
    let mut found: Vec<Bulk> = Vec::new();
    for round in 1..=rounds {
        for target in &lab.targets {
            eprintln!("large results, round {round}: {}{}", target.name, tls(target.tls));
            let outcomes = [bulk::copy(lab, target, megabytes, asked.subjects), bulk::select(lab, target)];
            for outcome in outcomes {
                match outcome {
                    Ok(bulk) => found.push(bulk),
                    Err(problem) if report.missing.contains(&problem) => {}
                    Err(problem) => report.missing.push(problem),
                }
            }
        }
    }
    for what in ["copy", "select"] {
        let mut lines: Vec<BulkLine> =
            lab.targets.iter().filter_map(|target| bulk_line(target, what, &found)).collect();
        let peer = lines.iter().find(|line| line.target == "pgbouncer" && line.tls);
        let peer = peer.and_then(|line| Some(line.cpu_s_per_gb.get("pgbouncer")?.median));
        for line in lines.iter_mut().filter(|line| line.target == "trefoil") {
            let own = line.cpu_s_per_gb.get("gate").map(|cpu| cpu.median);
            line.cpu_ratio_vs_pgbouncer = own.zip(peer).map(|(own, peer)| own / peer);
        }
        report.bulk.extend(lines);
    }
}

fn bulk_line(target: &Target, what: &'static str, found: &[Bulk]) -> Option<BulkLine> {
    let runs = || found.iter().filter(|b| b.what == what && b.target == target.name && b.tls == target.tls);
    Some(BulkLine {
        what,
        target: target.name,
        tls: target.tls,
        bytes: runs().next()?.bytes,
        megabytes_per_second: Spread::of(runs().map(|run| run.bytes as f64 / 1e6 / run.seconds))?,
        cpu_s_per_gb: by_group(runs().map(|run| &run.cpu_s_per_gb)),
        cpu_ratio_vs_pgbouncer: None,
    })
}

fn as_text(report: &Report) -> String {
    let ratio = |ratio: Option<f64>| ratio.map(|r| format!("{r:.2}")).unwrap_or_default();
    let cpu = |cpu: &BTreeMap<&'static str, Spread>, group: &str| {
        cpu.get(group).map(ToString::to_string).unwrap_or_default()
    };
    let rows: Vec<Vec<String>> = report
        .look_ups
        .iter()
        .map(|line| {
            let front = if line.target == "pgbouncer" { "pgbouncer" } else { "gate" };
            vec![
                line.mode.clone(),
                line.clients.to_string(),
                format!("{}{}", line.target, tls(line.tls)),
                line.rate.to_string(),
                line.p50_us.to_string(),
                line.p99_us.to_string(),
                cpu(&line.cpu_us, front),
                cpu(&line.cpu_us, "record"),
                cpu(&line.cpu_us, "monitor"),
                [line.witness_p50_us, line.witness_p99_us]
                    .iter()
                    .flatten()
                    .map(|wait| format!("{:.0}", wait.median))
                    .collect::<Vec<_>>()
                    .join(" / "),
                [line.witness_p50_in_fsyncs, line.witness_p99_in_fsyncs]
                    .iter()
                    .flatten()
                    .map(|fsyncs| format!("{fsyncs:.1}"))
                    .collect::<Vec<_>>()
                    .join(" / "),
                ratio(line.cpu_ratio_vs_pgbouncer),
                ratio(line.throughput_ratio_vs_pgbouncer),
            ]
        })
        .collect();
    let head = [
        "mode",
        "clients",
        "by",
        "tx/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/tx",
        "record",
        "monitor",
        "witness p50 / p99 µs",
        "in fsyncs",
        "CPU ×",
        "rate ×",
    ];
    let mut text = format!("{}; {} cores\n\n{}\n", report.versions, report.cores, table(&head, &rows));
    let rows: Vec<Vec<String>> = report
        .bulk
        .iter()
        .map(|line| {
            let front = if line.target == "pgbouncer" { "pgbouncer" } else { "gate" };
            vec![
                line.what.to_owned(),
                format!("{}{}", line.target, tls(line.tls)),
                format!("{:.0}", line.bytes as f64 / 1e6),
                line.megabytes_per_second.to_string(),
                cpu(&line.cpu_s_per_gb, front),
                cpu(&line.cpu_s_per_gb, "record"),
                cpu(&line.cpu_s_per_gb, "monitor"),
                ratio(line.cpu_ratio_vs_pgbouncer),
            ]
        })
        .collect();
    let head = ["what", "by", "MB", "MB/s", "CPU s/GB", "record", "monitor", "CPU ×"];
    text.push_str(&table(&head, &rows));
    let fsync = |figure: fn(&Fsync) -> f64| Spread::of(report.fdatasync.iter().map(figure));
    if let (Some(p50), Some(p99)) = (fsync(|f| f.p50_us), fsync(|f| f.p99_us)) {
        text.push_str(&format!("\nfdatasync of an appended batch: p50 {p50} µs, p99 {p99} µs\n"));
    }
    for problem in &report.missing {
        text.push_str(&format!("not measured: {problem}\n"));
    }
    text
}

fn tls(tls: bool) -> &'static str {
    if tls { ", TLS" } else { "" }
}
