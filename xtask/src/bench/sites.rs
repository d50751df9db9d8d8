//! Three sites that follow each other under a steady load: how far behind the siblings are, as each publisher itself
//! measures it, what of it costs CPU, and how long a failover and a failback take. Nothing is compared: there is no peer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use serde_json::Value;

use super::lab::release_program;
use super::report::print;
use super::{Sites, shell};
use crate::clock;

/// Which site is killed.
const KILLED: &str = "dublin-1";
/// Clients of a site.
const CLIENTS: &str = "4";
/// What a publisher says of each of its subscribers, ten times a second.
const LAGS: &str = "SELECT (extract(epoch FROM replay_lag) * 1000)::numeric(12,3) FROM pg_stat_replication \
    WHERE application_name LIKE 'trefoil_from_%' AND replay_lag IS NOT NULL \\watch 0.1\n";

#[derive(Serialize)]
struct Report {
    cores: usize,
    seconds: u32,
    /// Asked for and done, at all sites together.
    writes_per_second: (u32, f64),
    /// From a commit until a sibling has applied it.
    lag_ms: Quantiles,
    /// Cores that each kind of process of all sites took.
    cores_used: BTreeMap<&'static str, f64>,
    /// From the command until the home is written elsewhere, both entries cosigned.
    failover_seconds: f64,
    /// From the command until the site that was back writes it again, copy included.
    failback_seconds: f64,
    /// Changes that the killed site had committed and not shipped.
    unshipped: u64,
}

#[derive(Serialize)]
struct Quantiles {
    samples: usize,
    p50: f64,
    p99: f64,
    max: f64,
}

struct Lab {
    trefoil: PathBuf,
    psql: PathBuf,
    pgbench: PathBuf,
    dir: PathBuf,
    ready: Value,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = shell::run(Command::new(&self.trefoil).args(["down", "--dir"]).arg(&self.dir));
        let _ = fs::remove_dir_all(&self.dir);
    }
}

pub(crate) fn run(asked: &Sites) -> Result<(), String> {
    let lab = Lab::start(asked)?;
    let rate = asked.writes / 3;
    let mut load = Vec::new();
    let mut lags = Vec::new();
    for (name, url) in lab.sites() {
        load.push(lab.write(&name, &url, rate, asked.seconds + 4)?);
        lags.push(lab.watch(&url)?);
    }
    // Until every client is connected.
    sleep(Duration::from_secs(2));
    let (before, began) = (lab.cpu(), clock::now());
    sleep(Duration::from_secs(u64::from(asked.seconds)));
    let (after, passed) = (lab.cpu(), began.elapsed().as_secs_f64());
    let samples: Vec<f64> = lags.into_iter().flat_map(numbers).collect();
    let done: f64 = load.into_iter().map(throughput).sum();
    let cores_used = after.into_iter().map(|(kind, ns)| {
        let used = ns.saturating_sub(before.get(kind).copied().unwrap_or(0));
        (kind, Duration::from_nanos(used).as_secs_f64() / passed)
    });
    let cores_used = cores_used.collect();
    let (failover_seconds, failback_seconds, unshipped) = lab.fail_over_and_back()?;
    let report = Report {
        cores: super::cores(),
        seconds: asked.seconds,
        writes_per_second: (asked.writes, done),
        lag_ms: quantiles(samples)?,
        cores_used,
        failover_seconds,
        failback_seconds,
        unshipped,
    };
    print(&report, asked.json, as_text)
}

impl Lab {
    fn start(asked: &Sites) -> Result<Self, String> {
        let trefoil = release_program()?;
        let psql = shell::find("psql", &[], "postgresql-client")?;
        let pgbench = shell::find("pgbench", &super::lab::programs(), "postgresql-contrib")?;
        let dir = asked.dir.clone();
        if dir.exists() {
            return Err(format!("{} exists; remove it, or choose another with --dir", dir.display()));
        }
        let mut up = Command::new(&trefoil);
        up.args(["up", "--detach", "--json", "--subjects", &asked.subjects.to_string(), "--dir"]).arg(&dir);
        let said = shell::run(&mut up)?;
        let ready = serde_json::from_str(&said).map_err(|e| format!("trefoil up --json: {e}"))?;
        Ok(Self { trefoil, psql, pgbench, dir, ready })
    }

    /// Names and the administrator's addresses.
    fn sites(&self) -> Vec<(String, String)> {
        let sites = self.ready.get("sites").and_then(Value::as_array).into_iter().flatten();
        let text =
            |site: &Value, key: &str| site.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        sites.map(|site| (text(site, "name"), text(site, "admin_url"))).collect()
    }

    /// Changes a row of the site's own subjects, so many times a second.
    fn write(&self, site: &str, url: &str, rate: u32, seconds: u32) -> Result<Child, String> {
        let script = self.dir.join(format!("run/{site}.pgbench"));
        let text = format!(
            "\\set n random(1, 1000000000)\nUPDATE data.\"users_{site}\" SET followers = followers + 1 WHERE id = \
             (SELECT id FROM data.\"users_{site}\" OFFSET :n % 500 LIMIT 1);\n"
        );
        fs::write(&script, text).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut command = Command::new(&self.pgbench);
        command.args([
            "-n",
            "-c",
            CLIENTS,
            "-M",
            "prepared",
            "-R",
            &rate.to_string(),
            "-T",
            &seconds.to_string(),
            "-f",
        ]);
        command.arg(&script).arg(url).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|e| format!("pgbench: {e}"))
    }

    fn watch(&self, url: &str) -> Result<Child, String> {
        let script = self.dir.join("run/lags.sql");
        fs::write(&script, LAGS).map_err(|e| format!("{}: {e}", script.display()))?;
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-A", "-t", "-f"]).arg(&script).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|e| format!("psql: {e}"))
    }

    /// Nanoseconds that the sites' processes have used, by what they do.
    fn cpu(&self) -> BTreeMap<&'static str, u64> {
        let sites = fs::canonicalize(self.dir.join("sites")).unwrap_or_else(|_| self.dir.join("sites"));
        let mut used = BTreeMap::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let path = process.path();
            if !fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&sites)) {
                continue;
            }
            let title = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            let kind = match title {
                title if title.contains("walsender") => "senders",
                title if title.contains("logical replication worker") => "appliers",
                title if title.contains("[local]") => "clients' backends",
                _ => "the rest",
            };
            let spent = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            let spent = spent.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
            *used.entry(kind).or_default() += spent;
        }
        used
    }

    fn fail_over_and_back(&self) -> Result<(f64, f64, u64), String> {
        self.kill()?;
        let began = clock::now();
        self.sites_command("failover")?;
        let failover = began.elapsed().as_secs_f64();
        let mut up = Command::new(&self.trefoil);
        shell::run(up.args(["up", "--detach", "--dir"]).arg(&self.dir))?;
        let began = clock::now();
        let back = self.sites_command("failback")?;
        let unshipped = back.get("unshipped").and_then(Value::as_u64).unwrap_or(0);
        Ok((failover, began.elapsed().as_secs_f64(), unshipped))
    }

    fn sites_command(&self, what: &str) -> Result<Value, String> {
        let mut command = Command::new(&self.trefoil);
        let said = shell::run(command.args(["sites", what, KILLED, "--json", "--dir"]).arg(&self.dir))?;
        serde_json::from_str(&said).map_err(|e| format!("trefoil sites {what} --json: {e}"))
    }

    fn kill(&self) -> Result<(), String> {
        let state = read_json(&self.dir.join("run/supervisor.json"))?;
        let parts = state.get("parts").and_then(Value::as_array).into_iter().flatten();
        let name = format!("site {KILLED}");
        let part = parts.clone().find(|part| part.get("name").and_then(Value::as_str) == Some(&name));
        let pid = part.and_then(|part| part.get("pid")?.as_i64()).and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).ok_or_else(|| format!("{name} does not run"))?;
        kill_process(pid, Signal::KILL).map_err(|e| format!("killing {name}: {e}"))
    }
}

fn read_json(path: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Ends it; the numbers that it printed.
fn numbers(mut child: Child) -> Vec<f64> {
    let _ = child.kill();
    let said = child.wait_with_output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Waits for it; transactions a second.
fn throughput(child: Child) -> f64 {
    let said = child.wait_with_output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    let line = said.lines().find_map(|line| line.strip_prefix("tps = "));
    line.and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0.0)
}

fn quantiles(mut values: Vec<f64>) -> Result<Quantiles, String> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1).ok_or("no site said how far its siblings are")?;
    let at = |hundredths: usize| values.get(last * hundredths / 100).copied().unwrap_or_default();
    Ok(Quantiles { samples: values.len(), p50: at(50), p99: at(99), max: at(100) })
}

fn as_text(report: &Report) -> String {
    let Report { lag_ms: lag, writes_per_second: (asked, done), .. } = report;
    let mut lines = vec![
        format!(
            "{} s at {asked} writes/s over three sites ({done:.0} done), {} cores",
            report.seconds, report.cores
        ),
        format!(
            "lag, ms: p50 {:.1}, p99 {:.1}, most {:.1}; {} samples",
            lag.p50, lag.p99, lag.max, lag.samples
        ),
    ];
    lines.extend(report.cores_used.iter().map(|(kind, cores)| format!("{kind}: {cores:.2} cores")));
    lines.push(format!(
        "failover of a killed site {:.1} s, failback {:.1} s; {} changes were not shipped\n",
        report.failover_seconds, report.failback_seconds, report.unshipped
    ));
    lines.join("\n")
}
