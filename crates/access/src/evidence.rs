//! Evidence of residency: the checker hands in what it found, and the gate, which is the record's only writer, appends it.
//! A report that leaves out a site or a check is not evidence. Not here: looking (the `residency` crate), and judging what
//! was found (the monitor).

use record::Draft;
use tlog::detail::ResidencyEvidence;
use tlog::entry::Kind;

use crate::control::Answer;
use crate::entries::detail_of;
use crate::gate::Gate;

/// Appends it; answers the entry's index.
pub(crate) async fn append(gate: &Gate, found: &ResidencyEvidence) -> Result<u64, Answer> {
    let bundle = &gate.config.bundle;
    let sites: Vec<&str> = bundle.enclave().sites.iter().map(|site| site.name.as_str()).collect();
    let complete = found.check_complete(&sites, wall::residency::CHECKS);
    complete.map_err(|problem| Answer::Refused(format!("the report is not complete: {problem}")))?;
    let mut draft = Draft::new(Kind::ResidencyEvidence);
    draft.policy = Some(bundle.hash().to_string());
    draft.checks = Some(found.counts());
    draft.detail = Some(detail_of(found).map_err(|fault| Answer::Failed(fault.internal))?);
    match gate.record.append(draft).await {
        Ok(witnessed) => Ok(witnessed.index()),
        Err(not) => Err(Answer::Failed(not.to_string())),
    }
}
