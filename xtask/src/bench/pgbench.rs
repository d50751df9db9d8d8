//! One run of pgbench: a look-up by key, its rate and latencies, and the CPU that the watched processes used while it
//! ran steadily. Connecting and leaving are not measured.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use super::cpu::{self, Watched};
use super::report::quantile;
use crate::clock::now;

/// Longer than connecting and measuring take.
const SECONDS_MAX: u32 = 3_600;

/// What is asked.
pub(crate) struct Load<'a> {
    pub(crate) program: &'a Path,
    /// A libpq connection string.
    pub(crate) target: &'a str,
    pub(crate) script: &'a Path,
    pub(crate) mode: &'a str,
    pub(crate) clients: u32,
    pub(crate) seconds: u32,
    /// Where latencies are logged.
    pub(crate) scratch: &'a Path,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// Transactions a second.
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// How long releases waited for their witness, of the gate alone.
    pub(crate) witness_us: Option<(f64, f64)>,
    /// Microseconds a transaction, by group.
    pub(crate) cpu_us: std::collections::BTreeMap<&'static str, f64>,
}

pub(crate) fn run(load: &Load<'_>, watched: &[Watched]) -> Result<Run, String> {
    clear_logs(load.scratch);
    let mut command = Command::new(load.program);
    // It is ended when enough was seen: its own time also runs while it connects, which with many clients takes long.
    let seconds = SECONDS_MAX.to_string();
    let (clients, threads) = (load.clients.to_string(), load.clients.min(2).to_string());
    command.args(["-n", "-l", "-P", "1", "-M", load.mode, "-c", &clients, "-j", &threads, "-T", &seconds]);
    command.arg("-f").arg(load.script).arg("--log-prefix").arg(load.scratch.join("latency"));
    command.arg(load.target).current_dir(load.scratch);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("pgbench: {e}"))?;
    let said = child.stderr.take().ok_or("pgbench has no standard error")?;
    let steady = follow(said, load.seconds, watched);
    if let Some(pid) = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default()) {
        let _ = kill_process(pid, Signal::INT);
    }
    child.wait().map_err(|e| format!("pgbench: {e}"))?;
    let steady = steady?;
    let latencies = latencies(load.scratch);
    clear_logs(load.scratch);
    let transactions = steady.rate * steady.seconds;
    let cpu_us = steady.cpu.iter().map(|(group, ns)| (*group, *ns as f64 / 1_000.0 / transactions));
    Ok(Run {
        rate: steady.rate,
        p50_us: quantile(&latencies, 0.5),
        p99_us: quantile(&latencies, 0.99),
        witness_us: None,
        cpu_us: cpu_us.collect(),
    })
}

struct Steady {
    rate: f64,
    seconds: f64,
    cpu: cpu::Cpu,
}

/// Reads pgbench's progress: the first line ends settling, the last ends the measurement.
fn follow(said: impl Read, seconds: u32, watched: &[Watched]) -> Result<Steady, String> {
    let mut begun = None;
    let mut ended = None;
    let (mut rates, mut others) = (Vec::new(), Vec::new());
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let Some(rate) = progress(&line) else {
            others.push(line);
            continue;
        };
        if begun.is_none() {
            begun = Some((now(), cpu::read(watched)));
            continue;
        }
        rates.push(rate);
        ended = Some((now(), cpu::read(watched)));
        if rates.len() >= usize::try_from(seconds).unwrap_or(usize::MAX) {
            break;
        }
    }
    let (Some((from, before)), Some((to, after))) = (begun, ended) else {
        let last: Vec<&str> = others.iter().rev().take(3).map(String::as_str).collect();
        return Err(format!("pgbench made no progress: {}", last.join(" | ")));
    };
    let rate = rates.iter().sum::<f64>() / rates.len() as f64;
    let seconds = to.duration_since(from).as_secs_f64();
    Ok(Steady { rate, seconds, cpu: cpu::between(&before, &after) })
}

/// The rate in `progress: 2.0 s, 1699.3 tps, lat 4.691 ms …`.
fn progress(line: &str) -> Option<f64> {
    let rest = line.strip_prefix("progress: ")?;
    rest.split(", ").nth(1)?.strip_suffix(" tps")?.parse().ok()
}

/// Microseconds of every transaction, sorted.
fn latencies(folder: &Path) -> Vec<f64> {
    let mut found = Vec::new();
    for file in logs(folder) {
        let text = fs::read_to_string(file).unwrap_or_default();
        found.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<f64>().ok()));
    }
    found.sort_by(f64::total_cmp);
    found
}

fn clear_logs(folder: &Path) {
    for file in logs(folder) {
        let _ = fs::remove_file(file);
    }
}

fn logs(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    files
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("latency.")))
        .collect()
}
