//! The residency watch at three sites, as `trefoil up` runs it but once a second: how long a look takes, and what it costs
//! the checker, the servers, and those who record it. What the servers do without it is measured before and taken off.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;

use super::Residency;
use super::cpu::{self, Watched};
use super::lab::release_program;
use super::report::{print, quantile, table};
use super::shell;

/// What the watch looks at a minute's cadence.
const CADENCE_SECONDS: f64 = 60.0;
const POLL_MS: u64 = 200;
/// The kernel counts a process's and its children's time in these.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Serialize)]
struct Report {
    cores: usize,
    sites: usize,
    checks: u64,
    looks: usize,
    /// From the first connection to the last answer, milliseconds.
    wall_p50_ms: f64,
    wall_max_ms: f64,
    /// CPU of one look, milliseconds.
    checker_cpu_ms: f64,
    servers_cpu_ms: f64,
    recording_cpu_ms: f64,
    /// Hundredths of a core at a look a minute, all three together.
    percent_of_a_core: f64,
}

struct Lab {
    trefoil: PathBuf,
    dir: PathBuf,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = shell::run(Command::new(&self.trefoil).args(["down", "--dir"]).arg(&self.dir));
        let _ = fs::remove_dir_all(&self.dir);
    }
}

pub(crate) fn run(asked: &Residency) -> Result<(), String> {
    let lab = Lab::start(asked)?;
    lab.end_watch()?;
    let before = lab.servers()?;
    sleep(Duration::from_secs(u64::from(asked.seconds)));
    let alone = lab.servers()? - before;
    lab.look_every_second()?;
    let measured = lab.measure(asked.seconds)?;
    let looks = measured.took_ms.len();
    if looks < 2 {
        return Err("the watch did not look twice; see logs/residency.log".to_owned());
    }
    let a_look = |seconds: f64| seconds.max(0.0) * 1_000.0 / looks as f64;
    let mut took: Vec<f64> = measured.took_ms.values().map(|ms| *ms as f64).collect();
    took.sort_by(f64::total_cmp);
    let (checker, servers) = (a_look(measured.checker), a_look(measured.servers - alone));
    let recording = a_look(measured.recording);
    let report = Report {
        cores: super::cores(),
        sites: measured.sites,
        checks: measured.checks,
        looks,
        wall_p50_ms: quantile(&took, 0.5),
        wall_max_ms: quantile(&took, 1.0),
        checker_cpu_ms: checker,
        servers_cpu_ms: servers,
        recording_cpu_ms: recording,
        percent_of_a_core: (checker + servers + recording) / (CADENCE_SECONDS * 10.0),
    };
    print(&report, asked.json, as_text)
}

/// What was seen in a span: seconds of CPU, and how long each look took.
struct Measured {
    sites: usize,
    checks: u64,
    took_ms: BTreeMap<String, u64>,
    checker: f64,
    servers: f64,
    recording: f64,
}

impl Lab {
    fn start(asked: &Residency) -> Result<Self, String> {
        let trefoil = release_program()?;
        let dir = asked.dir.clone();
        if dir.exists() {
            return Err(format!("{} exists; remove it, or choose another with --dir", dir.display()));
        }
        let mut up = Command::new(&trefoil);
        up.args(["up", "--detach", "--json", "--subjects", &asked.subjects.to_string(), "--dir"]).arg(&dir);
        shell::run(up.arg("--country-file").arg(&asked.country_file))?;
        Ok(Self { trefoil, dir })
    }

    fn status(&self) -> Result<Value, String> {
        let output = Command::new(&self.trefoil).args(["status", "--json", "--dir"]).arg(&self.dir).output();
        let output = output.map_err(|e| format!("trefoil status: {e}"))?;
        serde_json::from_slice(&output.stdout).map_err(|e| format!("trefoil status --json: {e}"))
    }

    /// Process of each part that runs, by its name.
    fn parts(&self) -> Result<BTreeMap<String, u32>, String> {
        let status = self.status()?;
        let parts = status.get("parts").and_then(Value::as_array).into_iter().flatten();
        let part = |part: &Value| {
            let name = part.get("name")?.as_str()?.to_owned();
            Some((name, u32::try_from(part.get("pid")?.as_u64()?).ok()?))
        };
        Ok(parts.filter_map(part).collect())
    }

    fn end_watch(&self) -> Result<(), String> {
        let pid = self.parts()?.get("residency").copied().ok_or("the watch does not run")?;
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("the watch has no process")?;
        kill_process(pid, Signal::TERM).map_err(|e| format!("ending the watch: {e}"))?;
        sleep(Duration::from_secs(1));
        Ok(())
    }

    /// Starts the watch again, in a hurry.
    fn look_every_second(&self) -> Result<(), String> {
        let path = self.dir.join("residency/checker.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let text = text.replace("every_seconds = 60", "every_seconds = 1");
        fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut up = Command::new(&self.trefoil);
        shell::run(up.args(["up", "--detach", "--json", "--dir"]).arg(&self.dir)).map(drop)
    }

    /// CPU seconds of all sites' servers, those that have ended included.
    fn servers(&self) -> Result<f64, String> {
        let parts = self.parts()?;
        let sites = parts.iter().filter(|(name, _)| name.starts_with("site ")).map(|(_, pid)| *pid);
        Ok(sites.map(tree_seconds).sum())
    }

    fn measure(&self, seconds: u32) -> Result<Measured, String> {
        let parts = self.parts()?;
        let pid = |name: &str| parts.get(name).copied().ok_or_else(|| format!("{name} does not run"));
        let one = |pid, group| Watched { pid, group };
        let watch = [one(pid("residency")?, |_| "checker")];
        let recording = [one(pid("gate")?, |_| "recording"), one(pid("monitor")?, |_| "recording")];
        let used = |of: &[Watched]| cpu::read(of).values().sum::<u64>() as f64 / 1e9;
        let before = (used(&watch), used(&recording), self.servers()?);
        let (mut took_ms, mut checks) = (BTreeMap::new(), 0);
        for _ in 0..u64::from(seconds) * 1_000 / POLL_MS {
            sleep(Duration::from_millis(POLL_MS));
            let Ok(text) = fs::read_to_string(self.dir.join("run/residency.json")) else { continue };
            let Ok(latest) = serde_json::from_str::<Value>(&text) else { continue };
            let number = |key: &str| latest.get(key).and_then(Value::as_u64).unwrap_or(0);
            checks = number("pass") + number("fail") + number("unknown");
            let at = latest.get("at").and_then(Value::as_str).unwrap_or_default();
            took_ms.insert(at.to_owned(), number("took_ms"));
        }
        let after = (used(&watch), used(&recording), self.servers()?);
        let sites = parts.keys().filter(|name| name.starts_with("site ")).count();
        let (checker, recording) = (after.0 - before.0, after.1 - before.1);
        Ok(Measured { sites, checks, took_ms, checker, servers: after.2 - before.2, recording })
    }
}

/// CPU seconds of a process, its children, and those of its children that have ended.
fn tree_seconds(root: u32) -> f64 {
    let stat = |pid: &str| -> Option<(u32, f64, f64)> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold anything; what follows its last parenthesis is numbers.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let parent = fields.get(1)?.parse().ok()?;
        Some((parent, number(11)? + number(12)?, number(13)? + number(14)?))
    };
    let own = stat(&root.to_string()).map_or(0.0, |(_, own, ended)| own + ended);
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| entry.file_name().into_string().ok());
    let children = numbers.filter_map(|pid| stat(&pid)).filter(|(parent, ..)| *parent == root);
    (own + children.map(|(_, own, ended)| own + ended).sum::<f64>()) / TICKS_PER_SECOND
}

fn as_text(report: &Report) -> String {
    let Report { sites, checks, looks, wall_p50_ms, wall_max_ms, percent_of_a_core, .. } = report;
    let head = [
        "looks",
        "wall p50 ms",
        "wall max ms",
        "checker CPU ms",
        "servers CPU ms",
        "recording CPU ms",
        "% of a core, once a minute",
    ];
    let row = vec![
        looks.to_string(),
        format!("{wall_p50_ms:.0}"),
        format!("{wall_max_ms:.0}"),
        format!("{:.1}", report.checker_cpu_ms),
        format!("{:.1}", report.servers_cpu_ms),
        format!("{:.1}", report.recording_cpu_ms),
        format!("{percent_of_a_core:.2}"),
    ];
    format!("{checks} checks at {sites} sites, {} cores\n\n{}", report.cores, table(&head, &[row]))
}
