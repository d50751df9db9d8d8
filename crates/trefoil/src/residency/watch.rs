//! `trefoil residency watch`: looks at every site, has the gate record what was found, and does so again, until it is
//! ended. A look that fails is told and done again the next time: what is missed, the monitor sees.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Checker, Latest, evidence};
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::terminal;

/// How soon it tries again when it does not even know how often it should.
const TRY_AGAIN_SECONDS: u32 = 10;

pub(super) fn run(folder: &Folder) -> Result<(), Ended> {
    folder.require_complete()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_cannot_tell("starting")?.block_on(watch(folder))
}

async fn watch(folder: &Folder) -> Result<(), Ended> {
    let mut interrupt = signal(SignalKind::interrupt()).or_cannot_tell("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).or_cannot_tell("listening for signals")?;
    let mut checker = None;
    let mut every = Every::new(TRY_AGAIN_SECONDS);
    let mut said = String::new();
    loop {
        tokio::select! {
            _ = every.interval.tick() => {}
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        }
        let latest = look(folder, &mut checker).await;
        every.set(latest.every_seconds);
        tell(&latest, &mut said);
        latest.write(folder)?;
    }
}

/// One look.
async fn look(folder: &Folder, checker: &mut Option<Checker>) -> Latest {
    let seconds = checker.as_ref().map_or(TRY_AGAIN_SECONDS, |checker| checker.every_seconds);
    let read = |checker: Option<Checker>| -> Result<Checker, Ended> {
        let basis = Checker::basis(folder)?;
        match checker.filter(|checker| checker.basis == basis) {
            Some(same) => Ok(same),
            None => Checker::read(folder),
        }
    };
    let by = match read(checker.take()) {
        Ok(by) => checker.insert(by),
        Err(ended) => return Latest::blind(seconds, ended.to_string()),
    };
    let began = evidence::now();
    let report = ::residency::run(&by.sites, &by.hosts).await;
    let found = match evidence::of_report(&report, by, began) {
        Ok(found) => found,
        Err(ended) => return Latest::blind(seconds, ended.to_string()),
    };
    let mut latest = Latest::of(&found, by.every_seconds);
    match evidence::record(folder, found).await {
        Ok(index) => latest.entry = Some(index),
        Err(ended) => latest.problem = Some(ended.to_string()),
    }
    latest
}

/// Writes to the log what is not as it was.
fn tell(latest: &Latest, said: &mut String) {
    let Latest { pass, fail, unknown, findings, problem, .. } = latest;
    let mut now = format!("{pass} pass, {fail} fail, {unknown} unknown");
    findings.iter().chain(problem).for_each(|line| now.push_str(&format!("\n  {line}")));
    if *said != now {
        terminal::note(&format!("{} {now}", latest.at));
        *said = now;
    }
}

/// The beat, which never catches up on what was missed.
struct Every {
    seconds: u32,
    interval: Interval,
}

impl Every {
    fn new(seconds: u32) -> Self {
        let mut interval = interval(Duration::from_secs(u64::from(seconds.max(1))));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { seconds, interval }
    }

    fn set(&mut self, seconds: u32) {
        if self.seconds != seconds {
            *self = Self::new(seconds);
            // The first tick of a new beat is at once, and the look that set it has just been.
            self.interval.reset();
        }
    }
}
