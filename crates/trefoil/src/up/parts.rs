//! The parts of a running enclave and their order: sites, standbys, monitor, gate, the served record, the residency watch
//! to start; the other way to end. A part that ends by itself stays down until `up` is asked again: the monitor belongs to
//! a third party, and a part that fails should be looked at.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tlog::reader::CHECKPOINT_PATH;
use tokio::sync::mpsc;

use crate::enclave::estate::Estate;
use crate::enclave::ports::Ports;
use crate::enclave::probe;
use crate::enclave::ready::HOST;
use crate::enclave::state::{PartState, Phase, State};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::residency::Latest;
use crate::up::process::{self, Process};
use crate::up::progress::Progress;

const READY_SECS_MAX: u64 = 90;
const READY_POLL_MS: u64 = 100;
const RESIDENCY_END_SECS_MAX: u64 = 5;
const RECORD_END_SECS_MAX: u64 = 5;
const GATE_END_SECS_MAX: u64 = 20;
const MONITOR_END_SECS_MAX: u64 = 10;
const SITE_END_SECS_MAX: u64 = 60;

/// What a part is, which decides how it is started, asked and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Site(String),
    /// A site's second server.
    Standby(String),
    Monitor,
    Gate,
    /// What serves the published record.
    Record,
    /// What looks at the sites and has what it found recorded.
    Residency,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    process: Option<Process>,
}

impl Part {
    fn name(&self) -> String {
        match &self.kind {
            Kind::Site(server) | Kind::Standby(server) => format!("site {server}"),
            Kind::Monitor => "monitor".to_owned(),
            Kind::Gate => "gate".to_owned(),
            Kind::Record => "record".to_owned(),
            Kind::Residency => "residency".to_owned(),
        }
    }

    fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(Process::runs)
    }
}

/// All parts, started and ended in order.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: Folder,
    /// Our own program, asked for before anybody can have replaced it.
    program: PathBuf,
    ports: Ports,
    parts: Vec<Part>,
    round: u64,
    ends: mpsc::UnboundedSender<String>,
}

impl Parts {
    /// The parts of an enclave, none of them running, and where their ends are told.
    pub(crate) fn new(folder: &Folder) -> Result<(Self, mpsc::UnboundedReceiver<String>), Ended> {
        let program = std::env::current_exe().or_cannot_tell("finding our own program")?;
        let (ends, ended) = mpsc::unbounded_channel();
        let ports = Ports { gate: [].into(), monitor: 0, record: 0, sites: [].into() };
        Ok((Self { folder: folder.clone(), program, ports, parts: Vec::new(), round: 0, ends }, ended))
    }

    /// Which sites there are and who listens where. Before anything is started.
    pub(crate) fn know(&mut self, estate: &Estate, ports: &Ports) {
        self.ports = ports.clone();
        let sites = estate.clusters().iter().map(|site| Kind::Site(site.server().to_owned()));
        let standbys = estate.standbys().iter().map(|standby| Kind::Standby(standby.server().to_owned()));
        self.parts = sites
            .chain(standbys)
            .chain([Kind::Monitor, Kind::Gate, Kind::Record, Kind::Residency])
            .map(|kind| Part { kind, process: None })
            .collect();
    }

    /// Starts the sites that do not run and waits until each answers.
    pub(crate) async fn start_sites(&mut self, estate: &Estate, progress: &Progress) -> Result<(), Ended> {
        self.start(estate, progress, |kind| matches!(kind, Kind::Site(_))).await
    }

    /// Starts whatever does not run, in order, and waits until each answers.
    pub(crate) async fn start_missing(&mut self, estate: &Estate, progress: &Progress) -> Result<(), Ended> {
        self.start_sites(estate, progress).await?;
        self.start(estate, progress, |kind| matches!(kind, Kind::Standby(_))).await?;
        self.start(estate, progress, |kind| *kind == Kind::Monitor).await?;
        self.start(estate, progress, |kind| *kind == Kind::Gate).await?;
        // It has something to serve once the gate has published its start.
        self.start(estate, progress, |kind| *kind == Kind::Record).await?;
        self.start(estate, progress, |kind| *kind == Kind::Residency).await
    }

    async fn start(
        &mut self,
        estate: &Estate,
        progress: &Progress,
        which: impl Fn(&Kind) -> bool,
    ) -> Result<(), Ended> {
        for part in self.parts.iter_mut().filter(|part| which(&part.kind) && !part.runs()) {
            let name = part.name();
            progress.step(&format!("starting {name}"));
            if part.kind == Kind::Residency {
                Latest::forget(&self.folder);
            }
            let command = command(&part.kind, &self.folder, &self.program, estate, &self.ports)?;
            let log = self.folder.log(&name);
            let process = Process::start(&name, command, &log, self.ends.clone());
            part.process = Some(process.or_not(format!("starting {name}"))?);
        }
        for part in self.parts.iter().filter(|part| which(&part.kind)) {
            self.wait_ready(part, estate, progress).await?;
        }
        Ok(())
    }

    /// Waits until a part answers. A monitor that says how far it has read its copy is waited for as long as it does.
    async fn wait_ready(&self, part: &Part, estate: &Estate, progress: &Progress) -> Result<(), Ended> {
        let name = part.name();
        let log = self.folder.log(&name);
        let (mut read, mut waited_ms) = (process::copy_read(&log), 0);
        while waited_ms < READY_SECS_MAX * 1000 {
            if let Some(how) = part.process.as_ref().and_then(Process::ended) {
                let why = process::tail(&log);
                return Err(Ended::not(format!("{name} ended ({how}); from {}:\n{why}", log.display())));
            }
            if self.answers(&part.kind, estate).await {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(READY_POLL_MS)).await;
            waited_ms += READY_POLL_MS;
            let further = process::copy_read(&log);
            if part.kind == Kind::Monitor
                && further != read
                && let Some((done, of)) = further
            {
                progress.advance("the monitor reads its copy of the record", done, of);
                (read, waited_ms) = (further, 0);
            }
        }
        Err(Ended::not(format!("{name} does not answer after {READY_SECS_MAX} s; see {}", log.display())))
    }

    async fn answers(&self, kind: &Kind, estate: &Estate) -> bool {
        match kind {
            Kind::Site(server) | Kind::Standby(server) => estate.answers(server).await,
            Kind::Monitor => probe::monitor_state(&self.folder, &self.ports).await.is_some(),
            // And its start is published, so that whoever looks finds a record.
            Kind::Gate => {
                self.folder.record().join(CHECKPOINT_PATH).is_file() && probe::gate_answers(&self.ports).await
            }
            Kind::Record => probe::record_answers(&self.ports).await,
            // It has looked once.
            Kind::Residency => Latest::read(&self.folder).is_some(),
        }
    }

    /// Ends everything in order: whoever serves people first, whoever holds data last.
    pub(crate) async fn end_all(&mut self) {
        self.end(|kind| *kind == Kind::Residency, Signal::TERM, RESIDENCY_END_SECS_MAX).await;
        self.end(|kind| *kind == Kind::Record, Signal::TERM, RECORD_END_SECS_MAX).await;
        self.end(|kind| *kind == Kind::Gate, Signal::TERM, GATE_END_SECS_MAX).await;
        self.end(|kind| *kind == Kind::Monitor, Signal::TERM, MONITOR_END_SECS_MAX).await;
        // PostgreSQL's fast shutdown: sessions are ended, nothing is lost.
        self.end(|kind| matches!(kind, Kind::Standby(_)), Signal::INT, SITE_END_SECS_MAX).await;
        self.end(|kind| matches!(kind, Kind::Site(_)), Signal::INT, SITE_END_SECS_MAX).await;
    }

    async fn end(&mut self, which: impl Fn(&Kind) -> bool, signal: Signal, secs_max: u64) {
        let processes = || {
            let parts = self.parts.iter().filter(|part| which(&part.kind));
            parts.filter_map(|part| part.process.as_ref())
        };
        for process in processes() {
            process.signal(signal);
        }
        for process in processes() {
            if !process.wait(Duration::from_secs(secs_max)).await {
                process.signal(Signal::KILL);
                process.wait(Duration::from_secs(secs_max)).await;
            }
        }
    }

    /// Says why a part is down, when one has ended by itself.
    pub(crate) fn obituary(&self, name: &str) -> Option<String> {
        let part = self.parts.iter().find(|part| part.name() == name)?;
        let how = part.process.as_ref()?.ended()?;
        let log = self.folder.log(name);
        Some(format!("{name} ended ({how}); `trefoil up` starts it again; its log is {}", log.display()))
    }

    /// Marks the end of a round of starting.
    pub(crate) fn round_is_over(&mut self) {
        self.round += 1;
    }

    /// Tells other processes how things stand.
    pub(crate) fn publish(&self, phase: Phase) -> Result<(), Ended> {
        let parts = self.parts.iter().map(|part| {
            let process = part.process.as_ref();
            let pid = process.filter(|process| process.runs()).map(Process::pid);
            PartState { name: part.name(), pid, ended: process.and_then(Process::ended) }
        });
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        folder::write_public(&self.folder.run("up.pid"), format!("{pid}\n").as_bytes())?;
        State { pid, round: self.round, phase, parts: parts.collect() }.write(&self.folder)
    }
}

fn command(
    kind: &Kind,
    folder: &Folder,
    program: &Path,
    estate: &Estate,
    ports: &Ports,
) -> Result<Command, Ended> {
    match kind {
        Kind::Site(server) | Kind::Standby(server) => estate.command(server),
        Kind::Monitor => {
            let monitor =
                process::program_beside(program, "trefoil-monitor").or_cannot_tell("starting the monitor")?;
            Ok(process::tied_to_us(&monitor, &["run", "--dir", &folder.monitor().to_string_lossy()]))
        }
        Kind::Gate => {
            let dir = folder.dir().to_string_lossy();
            Ok(process::tied_to_us(program, &["access", "run", "--dir", &dir]))
        }
        Kind::Record => {
            let (dir, listen) = (folder.dir().to_string_lossy(), format!("{HOST}:{}", ports.record));
            Ok(process::tied_to_us(program, &["record", "serve", "--dir", &dir, "--listen", &listen]))
        }
        Kind::Residency => {
            let dir = folder.dir().to_string_lossy();
            Ok(process::tied_to_us(program, &["residency", "watch", "--dir", &dir]))
        }
    }
}
