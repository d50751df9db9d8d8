//! An input of logins, read to its end: opened, shown to move on a terminal, its problems told and counted.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use logins::import::{self, Counts, Input, Item, Map, Options};
use logins::login::Login;

use crate::cli::logins::read::{Format, Source};
use crate::ended::{Ended, OrEnded};
use crate::terminal;

const STANDARD_INPUT: &str = "-";
/// Problems that are told one by one; more are counted.
const TOLD_MAX: u64 = 100;
/// Logins between two looks at the clock for the sake of a progress bar.
const LOGINS_BETWEEN: u64 = 4_096;

impl Format {
    pub(crate) const fn of_logins(self) -> import::Format {
        match self {
            Self::Ocsf => import::Format::Ocsf,
            Self::Evtx => import::Format::Evtx,
            Self::EvtxJson => import::Format::EvtxJson,
            Self::Sshd => import::Format::Sshd,
            Self::Entra => import::Format::Entra,
            Self::O365 => import::Format::O365,
            Self::Csv => import::Format::Csv,
        }
    }
}

/// What the arguments say of a source, checked.
pub(crate) fn options(source: &Source) -> Result<Options, Ended> {
    let zone = import::zone(&source.zone);
    let zone = zone.ok_or_else(|| {
        Ended::cannot_tell(format!("--zone {}: not known; such as UTC, Europe/Berlin, +02:00", source.zone))
    })?;
    let map = source.map.as_deref().map(Map::open).transpose().or_cannot_tell("--map")?;
    Ok(Options { zone, year: source.year, now_ms: logins::clock::now_ms(), map })
}

/// Reads a file, or standard input for `-`, giving each login to `take`. Ended with Not when some of it could not be
/// read; an output whose reader is gone is no failure of ours.
pub(crate) fn read(
    file: &Path,
    format: Format,
    options: &Options,
    mut take: impl FnMut(u64, &Login<'_>) -> io::Result<()>,
) -> Result<(), Ended> {
    let name =
        if file == Path::new(STANDARD_INPUT) { "standard input".into() } else { file.display().to_string() };
    let input = if file == Path::new(STANDARD_INPUT) {
        Input::Stream(Box::new(io::stdin().lock()))
    } else {
        Input::File(File::open(file).or_cannot_tell(format!("reading {name}"))?)
    };
    let progress = progress();
    let mut told = 0;
    let mut failed = None;
    let read = import::read(format.of_logins(), input, options, &mut |item| match item {
        Item::Login(index, login) => {
            if index % LOGINS_BETWEEN == 0 {
                progress.set_position(index);
            }
            match take(index, login) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        }
        Item::Problem(problem) => {
            told += 1;
            if told <= TOLD_MAX {
                progress.suspend(|| terminal::complain(&format!("{name}: {problem}")));
            }
            ControlFlow::Continue(())
        }
    });
    progress.finish_and_clear();
    let counts = read.or_cannot_tell(&name)?;
    match failed {
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        Some(error) => return Err(Ended::cannot_tell(format!("writing: {error}"))),
        None => {}
    }
    sum(&name, counts)
}

/// Says what was in an input. Nobody waits for that when there is nothing to say but that all went well.
fn sum(name: &str, counts: Counts) -> Result<(), Ended> {
    let Counts { logins, others, problems } = counts;
    let others = if others > 0 { format!(", {others} records of other kinds") } else { String::new() };
    if problems == 0 {
        terminal::note(&format!("{name}: {logins} logins{others}"));
        return Ok(());
    }
    let untold = problems.saturating_sub(TOLD_MAX);
    let untold = if untold > 0 { format!(" ({untold} of them not told)") } else { String::new() };
    Err(Ended::not(format!("{name}: {logins} logins{others}, {problems} records could not be read{untold}")))
}

fn progress() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {human_pos} logins, {per_sec}");
    let bar = ProgressBar::new_spinner();
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
