//! `trefoil residency`: the checks at an enclave's own sites, with what its bundle says may be there; the watch that goes
//! on looking; and evidence, which the gate puts into the record. The checks are the crate `residency`'s.

mod checker;
mod evidence;
mod latest;
mod watch;

use ::residency::cli::{self, Explain, Grants};

use crate::cli::residency::{Check, ResidencyCommand};
use crate::ended::{Ended, OrEnded};
use crate::terminal;

pub(crate) use checker::{Checker, write_first as write_checker};
pub(crate) use latest::Latest;

pub(crate) fn run(asked: &ResidencyCommand) -> Result<(), Ended> {
    match asked {
        ResidencyCommand::Check(asked) => check(asked),
        ResidencyCommand::Explain(asked) => explain(asked),
        ResidencyCommand::Grants(asked) => grants(asked),
        ResidencyCommand::Watch(asked) => watch::run(&asked.folder()),
    }
}

fn explain(asked: &Explain) -> Result<(), Ended> {
    cli::explain(asked).map_err(Ended::cannot_tell)
}

fn grants(asked: &Grants) -> Result<(), Ended> {
    cli::grants(asked).map_err(Ended::cannot_tell)
}

fn check(asked: &Check) -> Result<(), Ended> {
    if let Some((sites, hosts)) = cli::sites(&asked.asked).map_err(Ended::cannot_tell)? {
        let report = cli::check(&sites, &hosts, asked.asked.json).map_err(Ended::cannot_tell)?;
        return ended(report.outcome());
    }
    let folder = asked.enclave.folder();
    folder.require_complete()?;
    let checker = Checker::read(&folder)?;
    let only = cli::only(checker.sites.clone(), asked.asked.site.as_deref()).map_err(Ended::cannot_tell)?;
    let began = evidence::now();
    let report = cli::check(&only, &checker.hosts, asked.asked.json).map_err(Ended::cannot_tell)?;
    if asked.record {
        let found = evidence::of_report(&report, &checker, began)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let index = runtime.or_cannot_tell("starting")?.block_on(evidence::record(&folder, found))?;
        terminal::note(&format!("recorded as entry {index}"));
    }
    ended(report.outcome())
}

/// Everything was said already.
fn ended(outcome: ::residency::Outcome) -> Result<(), Ended> {
    match outcome {
        ::residency::Outcome::Pass => Ok(()),
        ::residency::Outcome::Fail => Err(Ended::not("")),
        ::residency::Outcome::Unknown => Err(Ended::cannot_tell("")),
    }
}
