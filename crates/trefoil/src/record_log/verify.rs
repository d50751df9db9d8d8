//! `trefoil record verify`: checks a record from its files and a rule alone, and says what is wrong and where. Where
//! the record is is in `target`, what it showed before in `seen`, a single entry's receipt in `receipt`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use tlog::checkpoint::Checkpoint;
use tlog::reader::{CHECKPOINT_PATH, Finding, Reader, Report};
use tlog::rule::ReleaseRule;

use super::FolderSource;
use super::receipt;
use super::seen::{Compared, Seen};
use super::target::{Files, Target, Watched};
use crate::cli::Verify;
use crate::ended::Ended;
use crate::terminal::{self, Paint};

pub(crate) fn verify(asked: &Verify) -> Result<(), Ended> {
    let target = Target::find(asked.target.as_deref(), &asked.enclave)?;
    let rule = target.rule(asked.rule.as_deref(), &asked.enclave)?;
    let seen = Seen::of(&target, asked.state.as_deref());
    if let Target::Receipt(file) = &target {
        return receipt::verify(asked, file, &rule, seen.as_ref());
    }
    let files = target.open(asked.ca.as_deref())?;
    let watched = Watched::new(&files);
    let reader = Reader::new(&watched, &rule);
    let mut report = if target.folder().is_some() { reader.verify() } else { reader.verify_served() };
    let compared = compare(&watched, &rule, seen.as_ref(), &mut report);
    if let Some(unread) = watched.finish() {
        return Err(Ended::cannot_tell(format!("{}: {unread}", target.name())));
    }
    let printed = Printed::of(&target, &report, compared?);
    if asked.json {
        terminal::say_json(&printed)?;
    } else {
        printed.print();
    }
    if report.is_clean() { Ok(()) } else { Err(Ended::not("")) }
}

/// Checks the record in a folder under a rule.
pub(crate) fn report(record: &Path, rule: &ReleaseRule) -> Report {
    Reader::new(&FolderSource::new(record), rule).verify()
}

/// Compares the checkpoint with what was seen before, and remembers it. That of a record which is damaged elsewhere is
/// remembered too: its log has signed it. One that the rule does not accept is nobody's word.
fn compare(
    watched: &Watched<'_, Files>,
    rule: &ReleaseRule,
    seen: Option<&Seen>,
    report: &mut Report,
) -> Result<Option<Compared>, Ended> {
    let (Some(seen), Some(note), false) = (seen, watched.checkpoint(), report.signers.is_empty()) else {
        return Ok(None);
    };
    let new = Checkpoint { origin: report.origin.clone(), size: report.size, root: report.root };
    let compared = seen.compare(watched, rule, &new)?;
    if let Compared::Not { why, .. } = &compared {
        report.findings.push(Finding { where_: CHECKPOINT_PATH.to_owned(), what: why.clone() });
    }
    seen.keep(rule, &note, &compared)?;
    Ok(Some(compared))
}

#[derive(Debug, Serialize)]
struct Printed {
    record: String,
    clean: bool,
    origin: String,
    size: u64,
    root: String,
    entries: BTreeMap<&'static str, u64>,
    /// Lines of the checkpoint that nobody checks.
    extension_lines: usize,
    signers: Vec<String>,
    /// The older checkpoint that this one was compared with; absent when none was seen.
    seen: Option<PrintedSeen>,
    findings: Vec<PrintedFinding>,
    findings_omitted: u64,
}

#[derive(Debug, Serialize)]
struct PrintedSeen {
    size: u64,
    root: String,
    /// Whether the record has only grown since.
    consistent: bool,
}

#[derive(Debug, Serialize)]
struct PrintedFinding {
    #[serde(rename = "where")]
    place: String,
    what: String,
}

impl Printed {
    fn of(target: &Target, report: &Report, compared: Option<Compared>) -> Self {
        let finding =
            |finding: &Finding| PrintedFinding { place: finding.where_.clone(), what: finding.what.clone() };
        let seen = compared.and_then(|compared| {
            let (from, consistent) = match compared {
                Compared::First => return None,
                Compared::Grew { from } => (from, true),
                Compared::Not { from, .. } => (from, false),
            };
            Some(PrintedSeen { size: from.size, root: from.root.to_string(), consistent })
        });
        Self {
            record: target.name(),
            clean: report.is_clean(),
            origin: report.origin.clone(),
            size: report.size,
            root: report.root.to_string(),
            entries: report.entries_by_kind.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
            extension_lines: report.extension_lines,
            signers: report.signers.iter().map(|signer| signer.name.clone()).collect(),
            seen,
            findings: report.findings.iter().map(finding).collect(),
            findings_omitted: report.findings_omitted,
        }
    }

    fn print(&self) {
        let paint = Paint::for_stdout();
        terminal::say(&format!("{} of {}", self.record, self.origin));
        for (kind, count) in &self.entries {
            terminal::say(&format!("  {count:>9} {kind}"));
        }
        for signer in &self.signers {
            terminal::say(&format!("  signed by {signer}"));
        }
        if self.extension_lines > 0 {
            let lines = self.extension_lines;
            terminal::say(&format!("  {lines} more lines in the checkpoint, which nobody checks"));
        }
        if let Some(seen) = self.seen.as_ref().filter(|seen| seen.consistent) {
            terminal::say(&format!("  has only grown since {} entries were seen", seen.size));
        }
        for PrintedFinding { place, what } in &self.findings {
            terminal::say(&format!("{} {place}: {what}", paint.bad("wrong:")));
        }
        if self.findings_omitted > 0 {
            terminal::say(&format!("and {} more findings", self.findings_omitted));
        }
        let said = if self.clean {
            paint.good(&format!("the record is whole: {} entries, root {}", self.size, self.root))
        } else {
            paint.bad("the record is not whole")
        };
        terminal::say(&said);
    }
}
