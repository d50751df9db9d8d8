//! `trefoil status`: which parts run and answer, what the gate does, and how far the record is. It asks the parts
//! themselves; what the supervisor says is only used to tell how a part ended.

use access::GateStatus;
use serde::Serialize;

use crate::cli::Report;
use crate::enclave::estate::Estate;
use crate::enclave::ports::Ports;
use crate::enclave::probe;
use crate::enclave::state::{PartState, State, is_alive};
use crate::ended::{Ended, OrEnded};
use crate::folder::{Folder, STATUS_SOCKET};
use crate::record_log;
use crate::residency::Latest;
use crate::terminal::{self, Paint};

/// The parts of an enclave as they answer now. The field names are a promise.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    dir: std::path::PathBuf,
    /// True when every part answers.
    pub(crate) ready: bool,
    pub(crate) parts: Vec<PartStatus>,
    /// Entries under the published checkpoint.
    record: u64,
    /// Where the published record is served.
    record_url: String,
    /// Entries that the monitor holds; absent when it does not answer.
    monitor: Option<u64>,
    /// What the residency watch found last; absent when it has not looked yet.
    residency: Option<Latest>,
    /// What the gate says of itself: `sessions`, `sites`, `totals`, `rates`, `waits`, `lag`; absent when it does not
    /// answer.
    #[serde(flatten)]
    gate: Option<GateStatus>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PartStatus {
    pub(crate) name: String,
    pub(crate) answers: bool,
    pid: Option<i32>,
    /// How it ended, when it ended by itself.
    ended: Option<String>,
}

pub(crate) fn run(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let status = Status::ask(&folder)?;
    if asked.json {
        terminal::say_json(&status)?;
    } else {
        status.print();
    }
    if status.ready { Ok(()) } else { Err(Ended::not("")) }
}

impl Status {
    pub(crate) fn ask(folder: &Folder) -> Result<Self, Ended> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.or_cannot_tell("starting")?.block_on(ask(folder))
    }

    fn print(&self) {
        let paint = Paint::for_stdout();
        for part in &self.parts {
            let word = if part.answers { paint.good("runs ") } else { paint.bad("down ") };
            let how = part.ended.as_ref().map(|how| format!(" ended: {how}")).unwrap_or_default();
            let pid = part.pid.map(|pid| format!(" process {pid}")).unwrap_or_default();
            terminal::say(&format!("{word} {}{pid}{how}", part.name));
        }
        let held = self.monitor.map_or_else(
            || "the monitor does not answer".to_owned(),
            |size| format!("the monitor holds {size}"),
        );
        terminal::say(&format!("record {} entries published at {}; {held}", self.record, self.record_url));
        if let Some(latest) = &self.residency {
            print_residency(latest, paint);
        }
        if let Some(gate) = &self.gate {
            print_gate(gate, paint);
        }
    }
}

fn print_residency(latest: &Latest, paint: Paint) {
    let Latest { pass, fail, unknown, findings, entry, problem, .. } = latest;
    let age = latest.age_seconds().unwrap_or_default();
    let entry = entry.map_or_else(|| "in no entry yet".to_owned(), |entry| format!("entry {entry}"));
    let counts = format!("{pass} pass, {fail} fail, {unknown} unknown");
    let counts = if *fail + *unknown == 0 { paint.good(&counts) } else { paint.bad(&counts) };
    terminal::say(&format!("residency {counts}, {age} s ago, {entry}"));
    findings.iter().chain(problem).for_each(|line| terminal::say(&format!("  {line}")));
}

fn print_gate(gate: &GateStatus, paint: Paint) {
    for site in gate.sites.iter().filter(|site| !site.used) {
        let why = site.reason.as_deref().unwrap_or("no reason is known");
        terminal::say(&format!("{} site {}: {why}", paint.bad("closed"), site.name));
    }
    let lag = gate.lag.entries;
    terminal::say(&format!(
        "{lag} {} for the monitor",
        if lag == 1 { "entry waits" } else { "entries wait" }
    ));
    terminal::say(&format!("{} sessions", gate.sessions.count));
    for of in &gate.sessions.by_profile_and_site {
        terminal::say(&format!("  {:>5} of {} at {}", of.count, of.profile, of.site));
    }
    let rates = &gate.rates;
    terminal::say(&format!(
        "{} statements/s, {} rows/s, {} bytes/s over the last {} s",
        rates.statements_per_second, rates.rows_per_second, rates.bytes_per_second, rates.over_seconds
    ));
    let waits = &gate.waits;
    terminal::say(&format!(
        "witnesses took {} ms (median) and {} ms (99 of 100) for the last {} releases",
        waits.p50_ms, waits.p99_ms, waits.count
    ));
}

async fn ask(folder: &Folder) -> Result<Status, Ended> {
    let ports = Ports::read(folder)?;
    let estate = Estate::read(folder)?;
    let said = State::of_running(folder)?.map(|state| state.parts).unwrap_or_default();
    let part = |name: String, answers: bool| {
        let said = said.iter().find(|part| part.name == name);
        let pid = said.and_then(|part| part.pid).filter(|_| answers);
        let ended = said.and_then(|part| part.ended.clone()).filter(|_| !answers);
        PartStatus { name, answers, pid, ended }
    };
    let mut parts = Vec::new();
    for site in estate.servers().map(sites::Cluster::server) {
        let answers = estate.answers(site).await;
        parts.push(part(format!("site {site}"), answers));
    }
    let monitor = probe::monitor_state(folder, &ports).await.map(|state| state.size);
    parts.push(part("monitor".to_owned(), monitor.is_some()));
    parts.push(part("gate".to_owned(), probe::gate_answers(&ports).await));
    parts.push(part("record".to_owned(), probe::record_answers(&ports).await));
    let latest = Latest::read(folder);
    let watches = |part: &&PartState| part.name == "residency" && part.pid.is_some_and(is_alive);
    let answers = said.iter().any(|part| watches(&part)) && latest.as_ref().is_some_and(Latest::is_recent);
    parts.push(part("residency".to_owned(), answers));
    let record = record_log::published_size(folder)?;
    let ready = parts.iter().all(|part| part.answers);
    let gate = access::ask_status(&folder.gate(STATUS_SOCKET)).await.ok();
    let record_url = ports.record_url();
    let dir = folder.dir().to_owned();
    Ok(Status { dir, ready, parts, record, record_url, monitor, residency: latest, gate })
}
