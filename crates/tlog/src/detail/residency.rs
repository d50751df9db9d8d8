//! Evidence of residency: what every check of every site of an enclave said at one time, as the record seals it. What the
//! checks look at is `wall::residency`'s; running them is the `residency` crate's.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::entry::Checks;

/// Most findings that a check's evidence names.
pub const FINDINGS_MAX: usize = 32;

/// Of `residency.evidence`: every check of every site, in the order of the bundle's sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidencyEvidence {
    /// The checker's version.
    pub version: String,
    /// When it began to look, by the checker's clock: RFC 3339 UTC, as in an entry's `time`.
    pub began: String,
    pub took_ms: u64,
    /// By which addresses were placed that no configured network holds; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_file: Option<CountryFile>,
    pub sites: Vec<SiteEvidence>,
}

/// Which country file it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryFile {
    /// When it was built, by its own word: seconds of Unix time.
    pub built: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// What was found at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteEvidence {
    pub site: String,
    /// SHA-256 of what was asked, in hexadecimal: of each check in order, its name and the text of its query, a line each.
    pub queries: String,
    pub checks: Vec<CheckEvidence>,
}

/// What a check said at a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckEvidence {
    pub name: String,
    pub result: CheckResult,
    /// Why it did not pass; at most [`FINDINGS_MAX`]. None of a check that passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingEvidence>,
    /// Findings beyond those.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

/// Whether a path by which a copy could leave is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    Pass,
    Fail,
    /// It could not be seen, which is not a pass.
    Unknown,
}

impl CheckResult {
    pub fn as_str(self) -> &'static str {
        match self {
            CheckResult::Pass => "pass",
            CheckResult::Fail => "fail",
            CheckResult::Unknown => "unknown",
        }
    }
}

/// An object that is not as it should be, or that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingEvidence {
    pub object: String,
    /// What is the matter with it.
    pub reason: String,
}

impl ResidencyEvidence {
    /// The counts that its entry shows to everybody.
    pub fn counts(&self) -> Checks {
        let mut counts = Checks::default();
        for check in self.sites.iter().flat_map(|site| &site.checks) {
            let count = match check.result {
                CheckResult::Pass => &mut counts.pass,
                CheckResult::Fail => &mut counts.fail,
                CheckResult::Unknown => &mut counts.unknown,
            };
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Whether these are all the sites, each with all of these checks and none twice, and each says why if it did not
    /// pass. A site may have been asked more: what it holds decides that.
    ///
    /// # Errors
    /// What is missing, or too much.
    pub fn check_complete(&self, sites: &[&str], checks: &[&str]) -> Result<(), String> {
        let ours: Vec<&str> = self.sites.iter().map(|site| site.site.as_str()).collect();
        if ours != sites {
            return Err(format!("the sites are {}, not {}", ours.join(", "), sites.join(", ")));
        }
        for SiteEvidence { site, queries, checks: done } in &self.sites {
            if crate::hash::unhex::<32>(queries).is_none() {
                return Err(format!("what {site} was asked is not named by a hash"));
            }
            let missing = checks.iter().find(|name| !done.iter().any(|check| check.name == **name));
            if let Some(missing) = missing {
                return Err(format!("the check {missing} of {site} is left out"));
            }
            let names: BTreeSet<&str> = done.iter().map(|check| check.name.as_str()).collect();
            if names.len() != done.len() {
                return Err(format!("a check of {site} is there twice"));
            }
            for check in done {
                check.is_reasoned().map_err(|problem| format!("{} of {site}: {problem}", check.name))?;
            }
        }
        Ok(())
    }
}

impl CheckEvidence {
    fn is_reasoned(&self) -> Result<(), String> {
        let found = self.findings.len();
        match self.result {
            CheckResult::Pass if found > 0 || self.more > 0 => Err("it passed, and has findings".to_owned()),
            CheckResult::Fail | CheckResult::Unknown if found == 0 => {
                Err("it did not pass, and names nothing".to_owned())
            }
            _ if found > FINDINGS_MAX => Err(format!("more than {FINDINGS_MAX} findings are written out")),
            _ => Ok(()),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut ResidencyEvidence);

    fn evidence() -> ResidencyEvidence {
        let check = |name: &str| CheckEvidence {
            name: name.to_owned(),
            result: CheckResult::Pass,
            findings: Vec::new(),
            more: 0,
        };
        let site = |site: &str| SiteEvidence {
            site: site.to_owned(),
            queries: "5a".repeat(32),
            checks: vec![check("slot"), check("extension")],
        };
        ResidencyEvidence {
            version: "0.1.0".to_owned(),
            began: "2026-01-31T23:59:59.000001Z".to_owned(),
            took_ms: 80,
            country_file: None,
            sites: vec![site("hamar"), site("dublin-1")],
        }
    }

    fn fails(evidence: &mut ResidencyEvidence, result: CheckResult, findings: usize) {
        let finding = FindingEvidence { object: "slot x".to_owned(), reason: "nobody's".to_owned() };
        let check = &mut evidence.sites[0].checks[0];
        (check.result, check.findings) = (result, vec![finding; findings]);
    }

    #[test]
    fn evidence_is_complete_or_says_what_is_not() {
        let cases: [(&str, Change); 13] = [
            ("", |_| ()),
            ("", |e| fails(e, CheckResult::Fail, 1)),
            ("", |e| fails(e, CheckResult::Unknown, FINDINGS_MAX)),
            ("the sites are hamar, not", |e| drop(e.sites.pop())),
            ("the sites are dublin-1, hamar, not", |e| e.sites.reverse()),
            ("the check extension of dublin-1 is left out", |e| drop(e.sites[1].checks.pop())),
            ("", |e| e.sites[1].checks.reverse()),
            ("", |e| {
                let more = CheckEvidence { name: "cron-job".to_owned(), ..e.sites[1].checks[0].clone() };
                e.sites[1].checks.push(more);
            }),
            ("is there twice", |e| {
                let again = e.sites[0].checks[0].clone();
                e.sites[0].checks.push(again);
            }),
            ("is not named by a hash", |e| e.sites[1].queries.truncate(60)),
            ("names nothing", |e| fails(e, CheckResult::Fail, 0)),
            ("has findings", |e| fails(e, CheckResult::Pass, 1)),
            ("more than", |e| fails(e, CheckResult::Fail, FINDINGS_MAX + 1)),
        ];
        for (problem, change) in cases {
            let mut evidence = evidence();
            change(&mut evidence);
            let checked = evidence.check_complete(&["hamar", "dublin-1"], &["slot", "extension"]);
            match checked {
                Ok(()) => assert_eq!(problem, ""),
                Err(said) => assert!(!problem.is_empty() && said.contains(problem), "{said}"),
            }
        }
    }

    #[test]
    fn counts_are_of_all_sites() {
        let mut evidence = evidence();
        fails(&mut evidence, CheckResult::Unknown, 1);
        evidence.sites[1].checks[1].result = CheckResult::Fail;
        assert_eq!(evidence.counts(), Checks { pass: 2, fail: 1, unknown: 1 });
    }
}
