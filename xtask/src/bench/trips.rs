//! Round trips: one statement a transaction by pgbench, through the gate and around it, and how they compare. Rounds
//! are interleaved: in each, every way to the data is measured once, so that an hour's weather falls on all of them.

use std::collections::BTreeMap;
use std::fs;

use serde::Serialize;

use super::disk::{self, Fsync};
use super::lab::{Lab, Target};
use super::pgbench::{self, Load, Run};
use super::report::{Spread, by_group, ratio, spread_of, table, tls};

/// What is asked, and by which ways.
pub(crate) struct Trip<'a> {
    pub(crate) what: &'static str,
    pub(crate) sql: &'a str,
    pub(crate) targets: Vec<&'a Target>,
    pub(crate) rounds: u32,
    pub(crate) seconds: u32,
}

/// One way to the data in one setting.
#[derive(Serialize)]
pub(crate) struct Trips {
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

/// By every way, in these modes and with so many clients each.
pub(crate) fn measure(
    lab: &Lab,
    trip: &Trip<'_>,
    modes: &[String],
    clients: &[u32],
) -> Result<Vec<Trips>, String> {
    let mut lines = Vec::new();
    for mode in modes {
        for clients in clients {
            lines.extend(in_one_setting(lab, trip, mode, *clients)?);
        }
    }
    Ok(lines)
}

fn in_one_setting(lab: &Lab, trip: &Trip<'_>, mode: &str, clients: u32) -> Result<Vec<Trips>, String> {
    let script = lab.scratch.join("script.sql");
    fs::write(&script, trip.sql).map_err(|e| format!("{}: {e}", script.display()))?;
    let mut runs: Vec<Vec<Run>> = trip.targets.iter().map(|_| Vec::new()).collect();
    let mut fsyncs = Vec::new();
    for round in 1..=trip.rounds {
        for (target, runs) in trip.targets.iter().zip(&mut runs) {
            let (what, name) = (trip.what, target.name);
            eprintln!("{what}, {mode}, {clients} clients, round {round}: {name}{}", tls(target.tls));
            let load = Load {
                program: &lab.pgbench,
                target: &target.connection,
                script: &script,
                mode,
                clients,
                seconds: trip.seconds,
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
    let lines = trip.targets.iter().zip(&runs).filter_map(|(target, runs)| line(target, mode, clients, runs));
    Ok(compared(lines.collect(), &fsyncs))
}

fn line(target: &Target, mode: &str, clients: u32, runs: &[Run]) -> Option<Trips> {
    let waits = |quantile: fn((f64, f64)) -> f64| {
        Spread::of(runs.iter().filter_map(|run| run.witness_us).map(quantile))
    };
    Some(Trips {
        target: target.name,
        mode: mode.to_owned(),
        tls: target.tls,
        clients,
        rate: spread_of(runs, |run| run.rate)?,
        p50_us: spread_of(runs, |run| run.p50_us)?,
        p99_us: spread_of(runs, |run| run.p99_us)?,
        witness_p50_us: waits(|(p50, _)| p50),
        witness_p99_us: waits(|(_, p99)| p99),
        witness_p50_in_fsyncs: None,
        witness_p99_in_fsyncs: None,
        cpu_us: by_group(runs.iter().map(|run| &run.cpu_us)),
        cpu_ratio_vs_pgbouncer: None,
        throughput_ratio_vs_pgbouncer: None,
    })
}

/// The gate's lines beside pgbouncer's with TLS and beside the disk.
fn compared(mut lines: Vec<Trips>, fsyncs: &[Fsync]) -> Vec<Trips> {
    let peer = lines.iter().find(|line| line.target == "pgbouncer" && line.tls);
    let peer = peer.and_then(|line| Some((line.cpu_us.get("pgbouncer")?.median, line.rate.median)));
    let in_fsyncs = |wait: Option<Spread>, fsync: fn(&Fsync) -> f64| {
        Some(wait?.median / spread_of(fsyncs, fsync)?.median)
    };
    for line in lines.iter_mut().filter(|line| line.target == "trefoil") {
        line.witness_p50_in_fsyncs = in_fsyncs(line.witness_p50_us, |f| f.p50_us);
        line.witness_p99_in_fsyncs = in_fsyncs(line.witness_p99_us, |f| f.p99_us);
        let own = line.cpu_us.get("gate").map(|cpu| cpu.median);
        line.cpu_ratio_vs_pgbouncer = own.zip(peer).map(|(own, (cpu, _))| own / cpu);
        line.throughput_ratio_vs_pgbouncer = peer.map(|(_, rate)| line.rate.median / rate);
    }
    lines
}

/// A table; nothing of nothing.
pub(crate) fn as_text(what: &str, lines: &[Trips]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
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
    format!("{what}:\n\n{}\n", table(&head, &rows))
}

fn row(line: &Trips) -> Vec<String> {
    let front = if line.target == "pgbouncer" { "pgbouncer" } else { "gate" };
    let cpu = |group: &str| line.cpu_us.get(group).map(ToString::to_string).unwrap_or_default();
    let both = |p50: Option<String>, p99| p50.zip(p99).map(|(p50, p99)| format!("{p50} / {p99}"));
    let wait = |wait: Option<Spread>| wait.map(|wait| format!("{:.0}", wait.median));
    let fsyncs = |fsyncs: Option<f64>| fsyncs.map(|fsyncs| format!("{fsyncs:.1}"));
    vec![
        line.mode.clone(),
        line.clients.to_string(),
        format!("{}{}", line.target, tls(line.tls)),
        line.rate.to_string(),
        line.p50_us.to_string(),
        line.p99_us.to_string(),
        cpu(front),
        cpu("record"),
        cpu("monitor"),
        both(wait(line.witness_p50_us), wait(line.witness_p99_us)).unwrap_or_default(),
        both(fsyncs(line.witness_p50_in_fsyncs), fsyncs(line.witness_p99_in_fsyncs)).unwrap_or_default(),
        ratio(line.cpu_ratio_vs_pgbouncer),
        ratio(line.throughput_ratio_vs_pgbouncer),
    ]
}
