//! `trefoil check`: compares what is with what was promised. Schema and roles at every site, columns that the catalog
//! does not know, parts that should run, paths by which a copy could leave, the monitor's policy, and the record.

use ::residency::Outcome;
use serde::Serialize;

use crate::cli::Report;
use crate::enclave::estate::Estate;
use crate::enclave::ports::Ports;
use crate::enclave::probe;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;
use crate::record_log;
use crate::residency::Checker;
use crate::status::Status;
use crate::terminal::{self, Paint};

/// Everything that was looked at; `as_promised` when nothing is wrong. Unknown columns are withheld, so they are told
/// and not wrong.
#[derive(Debug, Serialize)]
struct Checked {
    as_promised: bool,
    sites: Vec<SiteChecked>,
    /// What keeps the sites from following each other.
    replication: Vec<String>,
    /// Parts that do not answer.
    down: Vec<String>,
    policy: String,
    /// Hash of the bundle that the monitor has accepted; absent when it does not answer.
    monitor_policy: Option<String>,
    record: RecordChecked,
    /// What `trefoil residency check` finds now.
    residency: ::residency::Report,
}

#[derive(Debug, Serialize)]
struct SiteChecked {
    name: String,
    drift: Vec<String>,
    unknown_columns: Vec<String>,
    /// Why the site could not be looked at.
    problem: Option<String>,
}

#[derive(Debug, Serialize)]
struct RecordChecked {
    entries: u64,
    findings: Vec<String>,
}

pub(crate) fn run(asked: &Report) -> Result<(), Ended> {
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let status = Status::ask(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.or_cannot_tell("starting")?;
    let checked = runtime.block_on(check(&folder, &status))?;
    if asked.json {
        terminal::say_json(&checked)?;
    } else {
        checked.print();
    }
    if checked.as_promised { Ok(()) } else { Err(Ended::not("")) }
}

async fn check(folder: &Folder, status: &Status) -> Result<Checked, Ended> {
    let estate = Estate::read(folder)?;
    let mut sites = Vec::new();
    let homes = estate.homes()?;
    for cluster in estate.servers() {
        let name = cluster.server().to_owned();
        sites.push(match sites::check(cluster, estate.bundle(), &homes).await {
            Ok(found) => SiteChecked {
                name,
                drift: found.drift.iter().map(ToString::to_string).collect(),
                unknown_columns: found.unknown_columns,
                problem: None,
            },
            Err(error) => SiteChecked {
                name,
                drift: Vec::new(),
                unknown_columns: Vec::new(),
                problem: Some(error.to_string()),
            },
        });
    }
    let replication = sites::status(estate.bundle(), estate.clusters(), &homes).await.problems;
    let down = status.parts.iter().filter(|part| !part.answers).map(|part| part.name.clone()).collect();
    let monitor = probe::monitor_state(folder, &Ports::read(folder)?).await;
    let report = record_log::report(&folder.record(), &record_log::rule(folder)?);
    let checker = Checker::read(folder)?;
    let residency = ::residency::run(&checker.sites, &checker.hosts).await;
    let mut checked = Checked {
        as_promised: false,
        sites,
        replication,
        down,
        policy: estate.bundle().hash().to_string(),
        monitor_policy: monitor.map(|state| state.policy),
        record: RecordChecked {
            entries: report.size,
            findings: report.findings.iter().map(ToString::to_string).collect(),
        },
        residency,
    };
    checked.as_promised = checked.judge();
    Ok(checked)
}

impl Checked {
    fn judge(&self) -> bool {
        self.sites.iter().all(|site| site.problem.is_none() && site.drift.is_empty())
            && self.replication.is_empty()
            && self.down.is_empty()
            && self.monitor_policy.as_ref() == Some(&self.policy)
            && self.record.findings.is_empty()
            && self.residency.outcome() == Outcome::Pass
    }

    fn print(&self) {
        let paint = Paint::for_stdout();
        let line = |good: bool, text: String| {
            let word = if good { paint.good("ok ") } else { paint.bad("NOT") };
            terminal::say(&format!("{word} {text}"));
        };
        for site in &self.sites {
            let name = &site.name;
            match &site.problem {
                Some(problem) => line(false, format!("site {name}: {problem}")),
                None if site.drift.is_empty() => {
                    line(true, format!("site {name} is as compiled from policy"))
                }
                None => {
                    let differences = site.drift.len();
                    line(false, format!("site {name} differs from policy in {differences} places:"));
                }
            }
            for drift in &site.drift {
                terminal::say(&format!("      {drift}"));
            }
            for column in &site.unknown_columns {
                terminal::say(&format!("      {column} is not in the catalog: withheld from everybody"));
            }
        }
        for problem in &self.replication {
            line(false, format!("replication: {problem}"));
        }
        if self.replication.is_empty() {
            line(true, "every site follows every other".to_owned());
        }
        for part in &self.down {
            line(false, format!("{part} does not answer"));
        }
        match &self.monitor_policy {
            Some(policy) if *policy == self.policy => {
                line(true, format!("the monitor decides by policy {policy}"))
            }
            Some(policy) => {
                line(false, format!("the monitor decides by policy {policy}, not {}", self.policy))
            }
            None => {}
        }
        let looked = self.residency.checks.len();
        for found in self.residency.checks.iter().filter(|found| found.result != Outcome::Pass) {
            let object = found.object.as_deref().unwrap_or_default();
            let what = found.what.as_deref().unwrap_or_default();
            let (result, name) = (found.result.as_str(), found.name);
            line(false, format!("residency at {}: {result}: {name} {object}: {what}", found.site));
        }
        if self.residency.outcome() == Outcome::Pass {
            line(true, format!("no path by which a copy could leave is open: {looked} checks pass"));
        }
        for finding in &self.record.findings {
            line(false, format!("record {finding}"));
        }
        if self.record.findings.is_empty() {
            line(true, format!("the record is whole: {} entries", self.record.entries));
        }
    }
}
