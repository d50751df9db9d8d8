//! Large results: COPY out and a long SELECT, as CPU time for each gigabyte that passes.

use std::process::{Command, Stdio};

use serde::Serialize;

use super::cpu;
use super::lab::{Lab, Target};
use crate::clock::now;

const READ_BYTES: usize = 1 << 18;

/// One large result by one way.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bulk {
    pub(crate) what: &'static str,
    pub(crate) target: &'static str,
    pub(crate) tls: bool,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// CPU seconds a gigabyte, by group.
    pub(crate) cpu_s_per_gb: std::collections::BTreeMap<&'static str, f64>,
}

pub(crate) fn copy(lab: &Lab, target: &Target, megabytes: u32, subjects: u32) -> Result<Bulk, String> {
    // A row of the view is about 100 bytes of text.
    let times = (u64::from(megabytes) * 1_000_000 / (u64::from(subjects) * 100)).max(1);
    let sql = format!("COPY (SELECT u.* FROM users u, generate_series(1, {times}) g) TO STDOUT");
    measure(lab, target, "copy", &sql)
}

pub(crate) fn select(lab: &Lab, target: &Target) -> Result<Bulk, String> {
    measure(lab, target, "select", "SELECT * FROM users")
}

fn measure(lab: &Lab, target: &Target, what: &'static str, sql: &str) -> Result<Bulk, String> {
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
