//! Large results: COPY out and a long SELECT, as CPU time for each gigabyte that passes.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::Access;
use super::cpu;
use super::lab::{Lab, Target};
use super::report::{Spread, by_group, ratio, table, tls};
use crate::clock::now;

const READ_BYTES: usize = 1 << 18;

/// One kind of large result by one way.
#[derive(Serialize)]
pub(crate) struct BulkLine {
    what: &'static str,
    target: &'static str,
    tls: bool,
    bytes: u64,
    megabytes_per_second: Spread,
    cpu_s_per_gb: BTreeMap<&'static str, Spread>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ratio_vs_pgbouncer: Option<f64>,
}

/// One large result by one way.
struct Bulk {
    what: &'static str,
    target: &'static str,
    tls: bool,
    bytes: u64,
    seconds: f64,
    /// CPU seconds a gigabyte, by group.
    cpu_s_per_gb: BTreeMap<&'static str, f64>,
}

/// By every way; beside it, what could not be measured, and why.
pub(crate) fn measure(lab: &Lab, asked: &Access, rounds: u32) -> (Vec<BulkLine>, Vec<String>) {
    let megabytes = if asked.quick { asked.copy_megabytes.min(60) } else { asked.copy_megabytes };
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        for target in &lab.readers {
            eprintln!("large results, round {round}: {}{}", target.name, tls(target.tls));
            let outcomes = [copy(lab, target, megabytes, asked.subjects), select(lab, target)];
            for outcome in outcomes {
                match outcome {
                    Ok(bulk) => found.push(bulk),
                    Err(problem) if missing.contains(&problem) => {}
                    Err(problem) => missing.push(problem),
                }
            }
        }
    }
    let mut all = Vec::new();
    for what in ["copy", "select"] {
        let mut lines: Vec<BulkLine> =
            lab.readers.iter().filter_map(|target| bulk_line(target, what, &found)).collect();
        let peer = lines.iter().find(|line| line.target == "pgbouncer" && line.tls);
        let peer = peer.and_then(|line| Some(line.cpu_s_per_gb.get("pgbouncer")?.median));
        for line in lines.iter_mut().filter(|line| line.target == "trefoil") {
            let own = line.cpu_s_per_gb.get("gate").map(|cpu| cpu.median);
            line.cpu_ratio_vs_pgbouncer = own.zip(peer).map(|(own, peer)| own / peer);
        }
        all.extend(lines);
    }
    (all, missing)
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

fn copy(lab: &Lab, target: &Target, megabytes: u32, subjects: u32) -> Result<Bulk, String> {
    // A row of the view is about 100 bytes of text.
    let times = (u64::from(megabytes) * 1_000_000 / (u64::from(subjects) * 100)).max(1);
    let sql = format!("COPY (SELECT u.* FROM users u, generate_series(1, {times}) g) TO STDOUT");
    large(lab, target, "copy", &sql)
}

fn select(lab: &Lab, target: &Target) -> Result<Bulk, String> {
    large(lab, target, "select", "SELECT * FROM users")
}

fn large(lab: &Lab, target: &Target, what: &'static str, sql: &str) -> Result<Bulk, String> {
    let before = cpu::read(&target.watched);
    let start = now();
    let mut command = Command::new(&lab.psql);
    // Unaligned and without the pager: psql then does little with what it gets.
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, &target.connection]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|e| format!("psql: {e}"))?;
    let bytes = drain(child.stdout.take().ok_or("psql has no standard output")?);
    let output = child.wait_with_output().map_err(|e| format!("psql: {e}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        return Err(format!("{what} by {}: {said}", target.name));
    }
    let used = cpu::between(&before, &cpu::read(&target.watched));
    let cpu_s_per_gb = used.into_iter().map(|(group, ns)| (group, ns as f64 / bytes as f64)).collect();
    Ok(Bulk { what, target: target.name, tls: target.tls, bytes, seconds, cpu_s_per_gb })
}

fn drain(mut from: impl std::io::Read) -> u64 {
    let mut buffer = vec![0; READ_BYTES];
    let mut bytes = 0;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        bytes += count as u64;
    }
    bytes
}

/// A table; nothing of nothing.
pub(crate) fn as_text(lines: &[BulkLine]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    let head = ["what", "by", "MB", "MB/s", "CPU s/GB", "record", "monitor", "CPU ×"];
    format!("large results:\n\n{}\n", table(&head, &rows))
}

fn row(line: &BulkLine) -> Vec<String> {
    let front = if line.target == "pgbouncer" { "pgbouncer" } else { "gate" };
    let cpu = |group: &str| line.cpu_s_per_gb.get(group).map(ToString::to_string).unwrap_or_default();
    vec![
        line.what.to_owned(),
        format!("{}{}", line.target, tls(line.tls)),
        format!("{:.0}", line.bytes as f64 / 1e6),
        line.megabytes_per_second.to_string(),
        cpu(front),
        cpu("record"),
        cpu("monitor"),
        ratio(line.cpu_ratio_vs_pgbouncer),
    ]
}
