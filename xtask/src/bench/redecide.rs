//! The monitor's second decision: entries of one session in large batches, whose statements are remembered or are new
//! each time. Checking the log, storing and cosigning are in it; HTTP is not. And what policy takes for a request that
//! was not decided before.

use serde::{Deserialize, Serialize};

use super::Redecide;
use super::part::Part;
use super::report::{Spread, print, spread_of, table};

/// What the example `redecide` says of one run.
#[derive(Deserialize)]
struct Run {
    remembered: Cost,
    fresh: Cost,
    decided: Cost,
    start: Start,
}

/// Seconds until a monitor can be posted to.
#[derive(Deserialize)]
struct Start {
    entries: u64,
    snapshot_s: f64,
    copy_s: f64,
}

/// Microseconds an entry.
#[derive(Deserialize)]
struct Cost {
    wall_us: f64,
    cpu_us: f64,
}

#[derive(Serialize)]
struct Report {
    cores: usize,
    remembered: Line,
    fresh: Line,
    decided: Line,
    start: StartLine,
}

#[derive(Serialize)]
struct StartLine {
    entries: u64,
    snapshot_s: Spread,
    copy_s: Spread,
}

#[derive(Serialize)]
struct Line {
    wall_us: Spread,
    cpu_us: Spread,
}

pub(crate) fn run(asked: &Redecide) -> Result<(), String> {
    let part = Part::build("monitor", "redecide", &asked.dir)?;
    let mut runs: Vec<Run> = Vec::new();
    for round in 1..=asked.rounds {
        eprintln!("the second decision, round {round}");
        runs.push(part.run(&[])?);
    }
    let remembered = line(&runs, |run| run.remembered.wall_us, |run| run.remembered.cpu_us);
    let fresh = line(&runs, |run| run.fresh.wall_us, |run| run.fresh.cpu_us);
    let decided = line(&runs, |run| run.decided.wall_us, |run| run.decided.cpu_us);
    let (Some(remembered), Some(fresh), Some(decided), Some(start)) =
        (remembered, fresh, decided, start(&runs))
    else {
        return Err("nothing to measure: ask for one round or more".to_owned());
    };
    print(&Report { cores: super::cores(), remembered, fresh, decided, start }, asked.json, as_text)
}

fn line(runs: &[Run], wall_us: fn(&Run) -> f64, cpu_us: fn(&Run) -> f64) -> Option<Line> {
    Some(Line { wall_us: spread_of(runs, wall_us)?, cpu_us: spread_of(runs, cpu_us)? })
}

fn start(runs: &[Run]) -> Option<StartLine> {
    Some(StartLine {
        entries: runs.first()?.start.entries,
        snapshot_s: spread_of(runs, |run| run.start.snapshot_s)?,
        copy_s: spread_of(runs, |run| run.start.copy_s)?,
    })
}

fn as_text(report: &Report) -> String {
    let row =
        |what: &str, line: &Line| vec![what.to_owned(), line.wall_us.to_string(), line.cpu_us.to_string()];
    let rows = [
        row("an entry, its statement remembered", &report.remembered),
        row("an entry, its statement new", &report.fresh),
        row("a decision that is new, 50 policies", &report.decided),
    ];
    let StartLine { entries, snapshot_s, copy_s } = &report.start;
    let start =
        format!("start with {entries} entries: {snapshot_s} s by the snapshot, {copy_s} s without it");
    format!("{} cores\n\n{}\n{start}\n", report.cores, table(&["again", "µs", "CPU µs"], &rows))
}
