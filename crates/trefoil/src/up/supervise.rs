//! The supervisor: holds the enclave's lock, starts the parts, reports one that ends, starts what is missing when it
//! is asked (SIGUSR1), and ends everything in order (SIGINT, SIGTERM, SIGHUP). It runs on the main thread alone, because the
//! kernel's parent-death signal, which ends the parts if we are killed, is tied to the thread that started them.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::cli::Up;
use crate::enclave::estate::{self, Estate};
use crate::enclave::ports::Ports;
use crate::enclave::ready::Ready;
use crate::enclave::state::{Lock, Phase};
use crate::ended::{Ended, OrEnded};
use crate::folder::{Folder, Stage};
use crate::residency;
use crate::terminal;
use crate::up::first;
use crate::up::grow;
use crate::up::leftovers;
use crate::up::parts::Parts;
use crate::up::progress::Progress;
use crate::up::rule;

pub(crate) fn run(folder: &Folder, asked: &Up, lock: Lock) -> Result<(), Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime.or_cannot_tell("starting")?.block_on(supervise(folder, asked));
    // Held to the very end: whoever takes it next finds no part of ours running.
    drop(lock);
    result
}

#[derive(Debug, PartialEq, Eq)]
enum Wish {
    End,
    StartMissing,
}

struct Asked {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    start_missing: Signal,
}

impl Asked {
    fn listen() -> Result<Self, Ended> {
        let listen = |kind| signal(kind).or_cannot_tell("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
            start_missing: listen(SignalKind::user_defined1())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::End,
            _ = self.terminate.recv() => Wish::End,
            _ = self.hangup.recv() => Wish::End,
            _ = self.start_missing.recv() => Wish::StartMissing,
        }
    }

    /// While parts are being started, a wish to start them changes nothing.
    async fn end(&mut self) {
        while self.next().await != Wish::End {}
    }
}

async fn supervise(folder: &Folder, asked: &Up) -> Result<(), Ended> {
    let mut signals = Asked::listen()?;
    // Before anything is published: what the last supervisor published says who they are.
    leftovers::wait(folder).await?;
    let (mut parts, mut ends) = Parts::new(folder)?;
    parts.publish(Phase::Starting)?;
    let progress = Progress::new();
    let started = tokio::select! {
        started = start(folder, asked, &mut parts, &progress) => started,
        () = signals.end() => Err(Ended::not("ended before everything was ready")),
    };
    progress.finish();
    let result = match started {
        Ok(estate) => watch(folder, asked, &mut parts, &estate, &mut signals, &mut ends).await,
        Err(ended) => Err(ended),
    };
    parts.publish(Phase::Stopping)?;
    progress.step("ending every part");
    parts.end_all().await;
    progress.finish();
    result
}

/// Brings everything up, making the enclave first when it is not there yet.
async fn start(folder: &Folder, asked: &Up, parts: &mut Parts, progress: &Progress) -> Result<Estate, Ended> {
    let estate = if folder.stage() == Stage::Complete {
        if asked.enclave_files.is_some() {
            return Err(Ended::cannot_tell(
                "--enclave is for the first start; this folder has its files already",
            ));
        }
        again(folder, asked, parts, progress).await?
    } else {
        first::start(folder, asked, parts, progress).await?
    };
    parts.start_missing(&estate, progress).await?;
    Ok(estate)
}

/// Prepares another start from what is there: what a killed supervisor left is ended, ports taken meanwhile change, and
/// sites that enclave.toml names since the last start come to those that are there.
async fn again(folder: &Folder, asked: &Up, parts: &mut Parts, progress: &Progress) -> Result<Estate, Ended> {
    residency::write_checker(folder, asked.country_file.as_deref())?;
    let kept = Ports::read(folder)?;
    let bundle = estate::read_bundle(folder)?;
    rule::write_again(folder, &bundle)?;
    first::complete_gate(folder)?;
    let ports = Ports::choose(Some(&kept), &first::places(&bundle), &first::servers(&bundle))?;
    let new: Vec<&String> = ports.sites.keys().filter(|server| !kept.sites.contains_key(*server)).collect();
    if !new.is_empty() {
        grow::prepare(folder, &new)?;
    }
    let estate = if ports == kept { Estate::at(folder, &ports)? } else { first::move_to(folder, &ports)? };
    first::configure_sites(folder, &estate)?;
    parts.know(&estate, &ports);
    parts.start_sites(&estate, progress).await?;
    grow::finish(folder, &estate, !new.is_empty(), progress).await?;
    if kept.sites.iter().any(|(site, port)| ports.sites.get(site).is_some_and(|now| now != port)) {
        // Replication remembers where the siblings were.
        follow_again(&estate).await?;
    }
    first::prepare_standbys(folder, &estate, progress).await?;
    Ok(estate)
}

/// Tells every site where its siblings are now. A worker that waits for somebody else's answer at an old port would
/// not hear of it, so it is ended; PostgreSQL starts another.
async fn follow_again(estate: &Estate) -> Result<(), Ended> {
    let doing = "telling the sites where their siblings are";
    let homes = estate.homes()?;
    sites::mesh::join(estate.bundle(), estate.clusters(), homes.now()).await.or_not(doing)?;
    for cluster in estate.clusters() {
        let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_subscription WHERE pid IS NOT NULL";
        cluster.admin().await.or_not(doing)?.batch_execute(ended).await.or_not(doing)?;
    }
    Ok(())
}

/// Waits for what happens to a running enclave until it is to be ended.
async fn watch(
    folder: &Folder,
    asked: &Up,
    parts: &mut Parts,
    estate: &Estate,
    signals: &mut Asked,
    ends: &mut mpsc::UnboundedReceiver<String>,
) -> Result<(), Ended> {
    parts.round_is_over();
    parts.publish(Phase::Ready)?;
    // In the background, whoever asked for it prints this: passwords do not belong in a log.
    if !asked.detached {
        Ready::read(folder)?.print(asked.json)?;
    }
    loop {
        let asked = signals.next();
        tokio::select! {
            asked = asked => {
                if asked == Wish::End || !start_missing(parts, estate, signals).await? {
                    return Ok(());
                }
            }
            Some(name) = ends.recv() => {
                if let Some(said) = parts.obituary(&name) {
                    terminal::complain(&said);
                    parts.publish(Phase::Incomplete(said))?;
                }
            }
        }
    }
}

/// False when everything is to be ended instead.
async fn start_missing(parts: &mut Parts, estate: &Estate, signals: &mut Asked) -> Result<bool, Ended> {
    let progress = Progress::new();
    let started = tokio::select! {
        started = parts.start_missing(estate, &progress) => started,
        () = signals.end() => return Ok(false),
    };
    parts.round_is_over();
    match started {
        Ok(()) => parts.publish(Phase::Ready)?,
        Err(Ended::Not(why) | Ended::CannotTell(why)) => {
            terminal::complain(&why);
            parts.publish(Phase::Incomplete(why))?;
        }
    }
    Ok(true)
}
