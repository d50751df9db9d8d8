//! From the monitor's signature to the last byte and the backend's end: somebody streams a large result, the monitor
//! stops them, and the record says when the gate had written its last byte and when the site had confirmed that the
//! backend was gone. Beside it, others stream all the time. Clocks: one machine's, of monitor and gate.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::Brake;
use super::lab::release_program;
use super::report::print;
use super::shell;

/// Who is stopped, and who streams beside: nobody whom a day's limit would stop.
const STOPPED: (&str, &str) = ("lukas", "-c trefoil.purpose=analytics");
const BESIDE: (&str, &str) = ("billing", "-c trefoil.purpose=billing");
/// What is streamed, in turn: more than anybody takes before the brake.
const ROWS: &str = "SELECT a.*, b.* FROM users a, users b";
const COPY: &str = "COPY (SELECT a.*, b.* FROM users a, users b) TO STDOUT";
const COPY_BESIDE: &str = "COPY (SELECT a.*, b.* FROM payments a, payments b) TO STDOUT";
/// Bytes that are read before the brake.
const READ_BYTES: usize = 2_000_000;
/// How often it is looked whether a session may be opened again.
const AGAIN_TRIES_MAX: u32 = 200;
const AGAIN_POLL_MS: u64 = 50;
const DAY_US: i64 = 86_400_000_000;

#[derive(Serialize)]
struct Report {
    cores: usize,
    tries: u32,
    streaming_beside: u32,
    /// Milliseconds from the monitor's signature.
    last_byte_ms: Quantiles,
    backend_gone_ms: Quantiles,
    /// Sessions whose end the site did not confirm.
    unconfirmed: usize,
}

#[derive(Serialize)]
struct Quantiles {
    p50: f64,
    p99: f64,
    max: f64,
}

struct Lab {
    trefoil: PathBuf,
    monitor: PathBuf,
    psql: PathBuf,
    dir: PathBuf,
    ready: Value,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = shell::run(Command::new(&self.trefoil).args(["down", "--dir"]).arg(&self.dir));
        let _ = fs::remove_dir_all(&self.dir);
    }
}

pub(crate) fn run(asked: &Brake) -> Result<(), String> {
    let lab = Lab::start(asked)?;
    let over = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        for _ in 0..asked.beside {
            scope.spawn(|| lab.stream_until(&over));
        }
        let done = (0..asked.tries).try_for_each(|number| {
            eprint!("\rtry {} of {}", number + 1, asked.tries);
            lab.brake_once(number)
        });
        over.store(true, Relaxed);
        done
    });
    eprintln!();
    done?;
    let (silent, gone, unconfirmed) = lab.times()?;
    let report = Report {
        cores: super::cores(),
        tries: asked.tries,
        streaming_beside: asked.beside,
        last_byte_ms: quantiles(silent)?,
        backend_gone_ms: quantiles(gone)?,
        unconfirmed,
    };
    print(&report, asked.json, as_text)
}

impl Lab {
    fn start(asked: &Brake) -> Result<Self, String> {
        let trefoil = release_program()?;
        let monitor = trefoil.with_file_name("trefoil-monitor");
        let psql = shell::find("psql", &[], "postgresql-client")?;
        let dir = asked.dir.clone();
        if dir.exists() {
            return Err(format!("{} exists; remove it, or choose another with --dir", dir.display()));
        }
        let mut up = Command::new(&trefoil);
        up.args(["up", "--detach", "--json", "--subjects", &asked.subjects.to_string(), "--dir"]).arg(&dir);
        let said = shell::run(&mut up)?;
        let ready = serde_json::from_str(&said).map_err(|e| format!("trefoil up --json: {e}"))?;
        Ok(Self { trefoil, monitor, psql, dir, ready })
    }

    fn psql(&self, (name, options): (&str, &str), statement: &str) -> Result<Child, String> {
        let list = |list: &str, key: &str, name: &str| {
            let list = self.ready.get(list).and_then(Value::as_array).into_iter().flatten();
            list.clone().find(|item| item.get(key).and_then(Value::as_str) == Some(name)).cloned()
        };
        let missing = || format!("the enclave has no principal {name}, as whom this measures");
        let principal = list("principals", "name", name).ok_or_else(missing)?;
        let text = |key: &str| principal.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let listener = list("listeners", "place", &text("place")).ok_or_else(missing)?;
        let port = listener.get("port").and_then(Value::as_u64).ok_or_else(missing)?;
        let target = format!(
            "host=127.0.0.1 port={port} dbname=trefoil user={name} password={} sslmode=require options='{options}'",
            text("password")
        );
        let mut command = Command::new(&self.psql);
        // In large pieces: psql would take all of a result before it shows any.
        command.args(["-X", "-v", "FETCH_COUNT=50000", &target, "-c", statement]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|e| format!("psql: {e}"))
    }

    /// Streams again and again, and throws away what comes.
    fn stream_until(&self, over: &AtomicBool) {
        while !over.load(Relaxed) {
            let Ok(mut child) = self.psql(BESIDE, COPY_BESIDE) else { return };
            let mut some = vec![0; 65_536];
            let read = |child: &mut Child, some: &mut Vec<u8>| {
                child.stdout.as_mut().and_then(|out| out.read(some).ok()).unwrap_or(0)
            };
            while !over.load(Relaxed) && read(&mut child, &mut some) > 0 {}
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn brake_once(&self, number: u32) -> Result<(), String> {
        let mut child = self.streaming(if number.is_multiple_of(2) { COPY } else { ROWS })?;
        let order: Value = serde_json::from_str(&self.monitor(&[
            "--json",
            "brake",
            "principal",
            STOPPED.0,
            "--for",
            "1h",
            "--because",
            "measured",
        ])?)
        .map_err(|e| format!("trefoil-monitor brake: {e}"))?;
        if let Some(out) = child.stdout.as_mut() {
            let _ = std::io::copy(out, &mut std::io::sink());
        }
        let _ = child.wait();
        let id = order.get("id").and_then(Value::as_str).unwrap_or_default();
        self.monitor(&["lift", id, "--because", "measured"]).map(drop)
    }

    /// A client that has read so much; until the last brake is lifted at the gate, it does not come so far.
    fn streaming(&self, statement: &str) -> Result<Child, String> {
        for _ in 0..AGAIN_TRIES_MAX {
            let mut child = self.psql(STOPPED, statement)?;
            let mut some = vec![0; READ_BYTES];
            if child.stdout.as_mut().is_some_and(|out| out.read_exact(&mut some).is_ok()) {
                return Ok(child);
            }
            let _ = child.wait();
            sleep(Duration::from_millis(AGAIN_POLL_MS));
        }
        Err(format!("{} gets no result to stream", STOPPED.0))
    }

    fn monitor(&self, arguments: &[&str]) -> Result<String, String> {
        let folder = self.dir.join("monitor");
        shell::run(Command::new(&self.monitor).args(arguments).arg("--dir").arg(folder))
    }

    /// From the record: milliseconds until the last byte, until the backend was gone, and how often that was not said.
    fn times(&self) -> Result<(Vec<f64>, Vec<f64>, usize), String> {
        let shown = self.record(&["show", "--json"])?;
        let key = self.dir.join("operator/detail.age");
        let (mut silent, mut gone, mut unconfirmed) = (Vec::new(), Vec::new(), 0);
        for line in shown.lines() {
            let entry: Value = serde_json::from_str(line).map_err(|e| format!("record show: {e}"))?;
            if entry.pointer("/entry/kind").and_then(Value::as_str) != Some("brake.applied") {
                continue;
            }
            let index = entry.get("index").map(Value::to_string).unwrap_or_default();
            let opened = self.record(&["open", &index, "--json", "--key", &key.display().to_string()])?;
            let opened: Value = serde_json::from_str(&opened).map_err(|e| format!("record open: {e}"))?;
            let at = |value: Option<&Value>| value.and_then(Value::as_str).and_then(micros_of_day);
            let given = at(opened.pointer("/detail/order/given")).ok_or("a brake without a time")?;
            let ended = opened.pointer("/detail/ended").and_then(Value::as_array).into_iter().flatten();
            for session in ended {
                silent.extend(at(session.get("silent")).map(|at| after_ms(given, at)));
                let confirmed = at(session.get("gone")).map(|at| after_ms(given, at));
                unconfirmed += usize::from(confirmed.is_none());
                gone.extend(confirmed);
            }
        }
        Ok((silent, gone, unconfirmed))
    }

    fn record(&self, arguments: &[&str]) -> Result<String, String> {
        shell::run(Command::new(&self.trefoil).arg("record").args(arguments).arg("--dir").arg(&self.dir))
    }
}

/// Of `2026-01-31T23:59:59.000001Z`.
fn micros_of_day(time: &str) -> Option<i64> {
    let clock = time.split_once('T')?.1.strip_suffix('Z')?;
    let (seconds, micros) = clock.split_once('.')?;
    let parts = seconds.split(':').map(str::parse).collect::<Result<Vec<i64>, _>>().ok()?;
    let seconds = parts.iter().fold(0, |sum, part| sum * 60 + part);
    Some(seconds * 1_000_000 + micros.parse::<i64>().ok()?)
}

fn after_ms(from: i64, to: i64) -> f64 {
    let us = (to - from).rem_euclid(DAY_US);
    f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1_000.0
}

fn quantiles(mut values: Vec<f64>) -> Result<Quantiles, String> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1).ok_or("no session was ended")?;
    let at = |hundredths: usize| values.get(last * hundredths / 100).copied().unwrap_or_default();
    Ok(Quantiles { p50: at(50), p99: at(99), max: at(100) })
}

fn as_text(report: &Report) -> String {
    let line = |what: &str, q: &Quantiles| format!("{what:<34} {:>8.1} {:>8.1} {:>8.1}", q.p50, q.p99, q.max);
    let heading = format!(
        "{} tries, {} streaming beside, {} cores; ms after the monitor's signature",
        report.tries, report.streaming_beside, report.cores
    );
    [
        heading,
        format!("{:<34} {:>8} {:>8} {:>8}", "", "p50", "p99", "most"),
        line("last byte written to the client", &report.last_byte_ms),
        line("backend gone, said by the site", &report.backend_gone_ms),
        format!("not confirmed: {}", report.unconfirmed),
    ]
    .join("\n")
}
