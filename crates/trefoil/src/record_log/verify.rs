//! `trefoil record verify`: checks a record from its files and a rule alone, and says what is wrong and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tlog::reader::{Reader, Report};
use tlog::rule::ReleaseRule;

use super::{FolderSource, RULE_FILE, read_rule};
use crate::cli::Verify;
use crate::ended::Ended;
use crate::folder::Folder;
use crate::terminal::{self, Paint};

pub(crate) fn verify(asked: &Verify) -> Result<(), Ended> {
    let record = record_folder(asked)?;
    let rule = read_rule(&rule_file(asked, &record)?)?;
    let report = report(&record, &rule);
    if asked.json {
        terminal::say_json(&Printed::of(&record, &report))?;
    } else {
        print(&record, &report);
    }
    if report.is_clean() { Ok(()) } else { Err(Ended::not("")) }
}

/// Checks the record in a folder under a rule.
pub(crate) fn report(record: &Path, rule: &ReleaseRule) -> Report {
    Reader::new(&FolderSource::new(record), rule).verify()
}

/// The record that is meant: of an enclave's folder, or the folder itself.
fn record_folder(asked: &Verify) -> Result<PathBuf, Ended> {
    let target = match &asked.target {
        Some(target) => Folder::at(target.clone()),
        None => asked.enclave.folder(),
    };
    if target.record().is_dir() {
        return Ok(target.record());
    }
    if target.dir().is_dir() {
        return Ok(target.dir().to_owned());
    }
    Err(Ended::cannot_tell(format!("{} is no folder", target.dir().display())))
}

/// The rule asked for; else that of the enclave around the record; else that of the enclave's folder.
fn rule_file(asked: &Verify, record: &Path) -> Result<PathBuf, Ended> {
    if let Some(file) = &asked.policy {
        return Ok(file.clone());
    }
    let around = record.parent().map(|dir| Folder::at(dir.to_owned()).gate(RULE_FILE));
    let own = asked.enclave.folder().gate(RULE_FILE);
    around.into_iter().chain([own]).find(|file| file.is_file()).ok_or_else(|| {
        let remedy = "name the keys to trust with --policy FILE (`trefoil record keys` prints them)";
        Ended::cannot_tell(format!("no rule to check {} by: {remedy}", record.display()))
    })
}

#[derive(Debug, Serialize)]
struct Printed {
    record: PathBuf,
    clean: bool,
    origin: String,
    size: u64,
    root: String,
    entries: BTreeMap<&'static str, u64>,
    signers: Vec<String>,
    findings: Vec<PrintedFinding>,
    findings_omitted: u64,
}

#[derive(Debug, Serialize)]
struct PrintedFinding {
    #[serde(rename = "where")]
    place: String,
    what: String,
}

impl Printed {
    fn of(record: &Path, report: &Report) -> Self {
        let finding = |finding: &tlog::reader::Finding| PrintedFinding {
            place: finding.where_.clone(),
            what: finding.what.clone(),
        };
        Self {
            record: record.to_owned(),
            clean: report.is_clean(),
            origin: report.origin.clone(),
            size: report.size,
            root: report.root.to_string(),
            entries: report.entries_by_kind.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            signers: report.signers.iter().map(|signer| signer.name.clone()).collect(),
            findings: report.findings.iter().map(finding).collect(),
            findings_omitted: report.findings_omitted,
        }
    }
}

fn print(record: &Path, report: &Report) {
    let paint = Paint::for_stdout();
    terminal::say(&format!("{} of {}", record.display(), report.origin));
    for (kind, count) in &report.entries_by_kind {
        terminal::say(&format!("  {count:>9} {}", kind.as_str()));
    }
    for signer in &report.signers {
        terminal::say(&format!("  signed by {}", signer.name));
    }
    for finding in &report.findings {
        terminal::say(&format!("{} {finding}", paint.bad("wrong:")));
    }
    if report.findings_omitted > 0 {
        terminal::say(&format!("and {} more findings", report.findings_omitted));
    }
    let said = if report.is_clean() {
        paint.good(&format!("the record is whole: {} entries, root {}", report.size, report.root))
    } else {
        paint.bad("the record is not whole")
    };
    terminal::say(&said);
}
