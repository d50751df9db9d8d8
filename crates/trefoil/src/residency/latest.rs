//! What the watch found last, in DIR/run/residency.json, for `status` to say.

use serde::{Deserialize, Serialize};
use tlog::detail::{CheckResult, ResidencyEvidence};
use tlog::entry::Micros;

use super::evidence;
use crate::ended::Ended;
use crate::folder::{self, Folder};

const FILE: &str = "residency.json";
/// How much later than asked for a look may be before the watch does not answer any more.
const LATE_SECONDS_MAX: i64 = 30;
const SECOND_US: i64 = 1_000_000;

/// The last look. The field names are a promise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Latest {
    /// When it ended: RFC 3339 UTC.
    pub(crate) at: String,
    pub(crate) every_seconds: u32,
    pub(crate) took_ms: u64,
    pub(crate) pass: u64,
    pub(crate) fail: u64,
    pub(crate) unknown: u64,
    /// What did not pass: site, check, object.
    pub(crate) findings: Vec<String>,
    /// The entry that is its evidence; absent where it is in no record yet.
    pub(crate) entry: Option<u64>,
    /// Why nothing was seen, or nothing recorded.
    pub(crate) problem: Option<String>,
}

impl Latest {
    pub(super) fn of(found: &ResidencyEvidence, every_seconds: u32) -> Self {
        let counts = found.counts();
        let checks = found.sites.iter().flat_map(|site| site.checks.iter().map(move |check| (site, check)));
        let wrong = checks.filter(|(_, check)| check.result != CheckResult::Pass);
        let findings = wrong.flat_map(|(site, check)| {
            let word = check.result.as_str();
            let line = move |object: &str| format!("{word} {} at {}: {object}", check.name, site.site);
            check.findings.iter().map(move |finding| line(&finding.object))
        });
        Self {
            at: evidence::now().to_string(),
            every_seconds,
            took_ms: found.took_ms,
            pass: counts.pass,
            fail: counts.fail,
            unknown: counts.unknown,
            findings: findings.collect(),
            entry: None,
            problem: None,
        }
    }

    /// Nothing was seen.
    pub(super) fn blind(every_seconds: u32, why: String) -> Self {
        let at = evidence::now().to_string();
        let (findings, problem) = (Vec::new(), Some(why));
        Self { at, every_seconds, took_ms: 0, pass: 0, fail: 0, unknown: 0, findings, entry: None, problem }
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), Ended> {
        folder::write_public(&folder.run(FILE), &folder::json_bytes(self)?)
    }

    /// What was found last, if anything was.
    pub(crate) fn read(folder: &Folder) -> Option<Self> {
        folder::read_json(&folder.run(FILE)).ok()
    }

    /// What an earlier watch found is nobody's last look.
    pub(crate) fn forget(folder: &Folder) {
        // Where there is none, there is none to forget.
        let _ = std::fs::remove_file(folder.run(FILE));
    }

    /// Whether it is no older than the watch looks again.
    pub(crate) fn is_recent(&self) -> bool {
        let age = self.age_seconds();
        age.is_some_and(|age| age <= i64::from(self.every_seconds) + LATE_SECONDS_MAX)
    }

    pub(crate) fn age_seconds(&self) -> Option<i64> {
        let at = Micros::parse_rfc3339(&self.at)?;
        Some(evidence::now().0.saturating_sub(at.0) / SECOND_US)
    }
}
