//! How a start is told on standard error: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sites::Event;

use crate::terminal;

const TICK_MS: u64 = 120;
/// A plain line is printed for every such part of a long step.
const PLAIN_PERCENT: u64 = 25;

/// Tables that sites have still to copy, told by each of them in turn.
#[derive(Debug, Default)]
struct Copying {
    left: BTreeMap<String, u64>,
    total: u64,
}

impl Copying {
    /// How many are done, of how many.
    fn note(&mut self, site: String, left: i64) -> (u64, u64) {
        self.left.insert(site, u64::try_from(left).unwrap_or_default());
        let left: u64 = self.left.values().sum();
        self.total = self.total.max(left);
        (self.total - left, self.total)
    }
}

/// What is being done now. One step at a time: a new one finishes the one before.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    on_terminal: bool,
    now: Arc<Mutex<Option<Now>>>,
}

#[derive(Debug)]
struct Now {
    name: String,
    bar: Option<ProgressBar>,
    percent_told: u64,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { on_terminal: std::io::stderr().is_terminal(), now: Arc::default() }
    }

    /// Begins a step of unknown length, unless it is the step of the moment.
    pub(crate) fn step(&self, name: &str) {
        if self.now().as_ref().is_some_and(|now| now.name == name) {
            return;
        }
        self.finish();
        let bar = self.on_terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{spinner} {msg}"));
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(TICK_MS));
            bar
        });
        if bar.is_none() {
            terminal::note(name);
        }
        *self.now() = Some(Now { name: name.to_owned(), bar, percent_told: 0 });
    }

    /// How far a long step is. Begins it when it is not the step of the moment.
    pub(crate) fn advance(&self, name: &str, done: u64, total: u64) {
        if self.now().as_ref().is_none_or(|now| now.name != name) {
            self.step(name);
        }
        let mut now = self.now();
        let Some(now) = now.as_mut() else { return };
        if let Some(bar) = &now.bar {
            if bar.length().is_none() {
                bar.set_style(style("{spinner} {msg:40} [{wide_bar}] {pos}/{len}"));
                bar.set_length(total);
            }
            bar.set_position(done);
            return;
        }
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if percent >= now.percent_told + PLAIN_PERCENT && percent < 100 {
            now.percent_told = percent - percent % PLAIN_PERCENT;
            terminal::note(&format!("{name}: {}%", now.percent_told));
        }
    }

    /// Tells what provisioning the sites has come to.
    pub(crate) fn watcher(&self) -> sites::Watcher {
        let progress = self.clone();
        let copying = Mutex::new(Copying::default());
        Arc::new(move |event| match event {
            Event::Loading { subjects, of } => progress.advance("making people", subjects, of),
            Event::Copying { site, tables_left } => {
                let (done, total) =
                    copying.lock().unwrap_or_else(PoisonError::into_inner).note(site, tables_left);
                progress.advance("copying tables to the sibling sites", done, total);
            }
            Event::Applying { profile, .. } => progress.step(&format!("making profile {profile}")),
            Event::Moving { home, step } => progress.step(&format!("home {home}: {step}")),
        })
    }

    /// Ends the step of the moment, if any, and takes its bar away.
    pub(crate) fn finish(&self) {
        let now = self.now().take();
        if let Some(bar) = now.and_then(|now| now.bar) {
            bar.finish_and_clear();
        }
    }
}

impl Progress {
    fn now(&self) -> MutexGuard<'_, Option<Now>> {
        // Whoever failed while telling has left nothing half told.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
