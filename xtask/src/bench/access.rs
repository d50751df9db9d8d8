//! The access gate, everything on, against pgbouncer and PostgreSQL: look-ups by a person, COPY and a long SELECT, and
//! writes by a service.

use serde::Serialize;

use super::Access;
use super::bulk::{self, BulkLine};
use super::disk::{self, Fsync};
use super::lab::Lab;
use super::report::print;
use super::trips::{self, Trip, Trips};
use super::writes;

/// Everything measured.
#[derive(Serialize)]
struct Report {
    versions: String,
    cores: usize,
    fdatasync: Vec<Fsync>,
    look_ups: Vec<Trips>,
    bulk: Vec<BulkLine>,
    writes: Vec<Trips>,
    /// What could not be measured, and why.
    missing: Vec<String>,
}

pub(crate) fn run(asked: &Access) -> Result<(), String> {
    let (rounds, seconds) = if asked.quick { (1, 3) } else { (asked.rounds, asked.seconds) };
    let wanted = |part: &str| !asked.skip.iter().any(|skipped| skipped == part);
    eprintln!("starting the enclave and its peers");
    let lab = Lab::start(asked)?;
    let mut report = Report {
        versions: lab.versions.clone(),
        cores: super::cores(),
        fdatasync: vec![disk::measure(&lab.dir)?],
        look_ups: Vec::new(),
        bulk: Vec::new(),
        writes: Vec::new(),
        missing: Vec::new(),
    };
    if wanted("pgbench") {
        let sql = format!(
            "\\set id random(1, {})\nSELECT full_name, country FROM users WHERE id = :id\n",
            asked.subjects
        );
        let targets = lab.readers.iter().collect();
        let trip = Trip { what: "look-up", sql: &sql, targets, rounds, seconds };
        report.look_ups = trips::measure(&lab, &trip, &asked.modes, &asked.clients)?;
    }
    if wanted("bulk") {
        (report.bulk, report.missing) = bulk::measure(&lab, asked, rounds);
    }
    // Last, so that nothing above reads beside what vacuuming and replication have to do afterwards.
    if wanted("writes") {
        report.writes = writes::measure(&lab, asked, rounds, seconds)?;
    }
    report.fdatasync.push(disk::measure(&lab.dir)?);
    print(&report, asked.json, as_text)
}

fn as_text(report: &Report) -> String {
    let mut text = format!("{}; {} cores\n\n", report.versions, report.cores);
    text.push_str(&trips::as_text("look-ups", &report.look_ups));
    text.push_str(&bulk::as_text(&report.bulk));
    text.push_str(&trips::as_text("service writes", &report.writes));
    text.push_str(&disk::as_text(&report.fdatasync));
    for problem in &report.missing {
        text.push_str(&format!("not measured: {problem}\n"));
    }
    text
}
