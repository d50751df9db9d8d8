//! From a report to evidence: what the record keeps of a look, and handing it to the gate, the record's only writer. What
//! is complete, gate and monitor decide.

use std::time::UNIX_EPOCH;

use access::{Answer, CONTROL_SOCKET, Order};
use residency::{Finding, Outcome, Report};
use tlog::detail::{
    CheckEvidence, CheckResult, FINDINGS_MAX, FindingEvidence, ResidencyEvidence, SiteEvidence,
};
use tlog::entry::Micros;
use tlog::hash::{Hash, hex};

use super::Checker;
use crate::clock;
use crate::ended::{Ended, OrEnded};
use crate::folder::Folder;

/// Longest text of an object or a reason that the record keeps.
const TEXT_CHARS_MAX: usize = 400;

/// Now, as the record has it.
pub(super) fn now() -> Micros {
    let since = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// What the record keeps of a report on all sites.
pub(super) fn of_report(
    report: &Report,
    checker: &Checker,
    began: Micros,
) -> Result<ResidencyEvidence, Ended> {
    let took_us = now().0.saturating_sub(began.0);
    let began = began.to_rfc3339().ok_or_else(|| Ended::cannot_tell("the clock shows no time"))?;
    Ok(ResidencyEvidence {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        began,
        took_ms: u64::try_from(took_us / 1_000).unwrap_or(0),
        country_file: checker.country_file.clone(),
        sites: checker.sites.iter().map(|site| of_site(report, &site.name)).collect(),
    })
}

fn of_site(report: &Report, site: &str) -> SiteEvidence {
    let mut checks: Vec<CheckEvidence> = Vec::new();
    let mut asked = String::new();
    for line in report.checks.iter().filter(|line| line.site == site) {
        let at = checks.iter().position(|check| check.name == line.name);
        match at.and_then(|at| checks.get_mut(at)) {
            Some(check) => add(check, line),
            None => {
                asked.push_str(&format!("{}\n{}\n", line.name, line.query));
                let mut check = CheckEvidence {
                    name: line.name.to_owned(),
                    result: CheckResult::Pass,
                    findings: Vec::new(),
                    more: 0,
                };
                add(&mut check, line);
                checks.push(check);
            }
        }
    }
    SiteEvidence { site: site.to_owned(), queries: hex(&Hash::of(asked.as_bytes()).0), checks }
}

/// A check is as bad as the worst of its lines.
fn add(check: &mut CheckEvidence, line: &Finding) {
    let result = match line.result {
        Outcome::Pass => return,
        Outcome::Fail => CheckResult::Fail,
        Outcome::Unknown => CheckResult::Unknown,
    };
    if check.result != CheckResult::Fail {
        check.result = result;
    }
    if check.findings.len() == FINDINGS_MAX {
        check.more = check.more.saturating_add(1);
        return;
    }
    let short = |text: &str| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    let object = line.object.as_deref().map_or_else(|| format!("site {}", line.site), short);
    let reason = short(line.what.as_deref().unwrap_or("no reason was given"));
    check.findings.push(FindingEvidence { object, reason });
}

/// Has the running gate append it; answers the entry's index.
pub(super) async fn record(folder: &Folder, found: ResidencyEvidence) -> Result<u64, Ended> {
    let socket = folder.gate(CONTROL_SOCKET);
    let answered = access::ask_gate(&socket, &Order::Evidence(Box::new(found))).await;
    let doing = || format!("asking the gate at {}; see that it runs (`trefoil status`)", socket.display());
    match answered.or_cannot_tell(doing())? {
        Answer::Recorded(index) => Ok(index),
        Answer::Refused(why) => Err(Ended::not(format!("the gate does not record it: {why}"))),
        Answer::Failed(why) => Err(Ended::cannot_tell(format!("it is not recorded yet: {why}"))),
        _ => Err(Ended::cannot_tell(
            "the gate answered something else than it was asked; is it of another version?",
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    fn line(name: &'static str, result: Outcome, object: Option<&str>) -> Finding {
        let what = (result != Outcome::Pass).then(|| "it is there".to_owned());
        let (site, object) = ("hamar".to_owned(), object.map(str::to_owned));
        Finding { name, site, result, object, what, advice: None, query: "SELECT 1".to_owned() }
    }

    /// Gate and monitor go by a list of names; what is asked at every site is that list.
    #[test]
    fn what_is_asked_at_every_site_is_what_evidence_must_have() {
        use residency::check::Where;
        // Asked of those who check without an enclave, and wrote down what they expect: rows, and where files are.
        let everywhere = |check: &&residency::Check| {
            check.where_ == Where::PostgreSql && !["home-row", "data-directory"].contains(&check.name)
        };
        let asked: Vec<&str> = residency::checks::all().filter(everywhere).map(|check| check.name).collect();
        assert_eq!(asked, wall::residency::CHECKS);
    }

    #[test]
    fn lines_of_a_check_are_one_and_the_worst_of_them() {
        let (pass, fail, unknown) = (Outcome::Pass, Outcome::Fail, Outcome::Unknown);
        let mut checks = vec![
            line("slot", pass, None),
            line("hba", unknown, None),
            line("code", unknown, Some("f()")),
            line("code", fail, Some("g()")),
            line("code", unknown, Some("h()")),
        ];
        checks.extend((0..40).map(|_| line("trigger", fail, Some("t"))));
        let site = of_site(&Report { checks }, "hamar");
        let said: Vec<_> = site
            .checks
            .iter()
            .map(|check| (check.name.as_str(), check.result, check.findings.len(), check.more))
            .collect();
        assert_eq!(
            said,
            [
                ("slot", CheckResult::Pass, 0, 0),
                ("hba", CheckResult::Unknown, 1, 0),
                ("code", CheckResult::Fail, 3, 0),
                ("trigger", CheckResult::Fail, FINDINGS_MAX, 8),
            ]
        );
        let hba = &site.checks.get(1).unwrap().findings;
        assert_eq!(hba.first().unwrap().object, "site hamar");
        let names: Vec<&str> = site.checks.iter().map(|check| check.name.as_str()).collect();
        let evidence = ResidencyEvidence {
            version: String::new(),
            began: String::new(),
            took_ms: 0,
            country_file: None,
            sites: vec![site.clone()],
        };
        evidence.check_complete(&["hamar"], &names).unwrap();
    }
}
