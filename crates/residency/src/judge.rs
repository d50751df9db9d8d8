//! What becomes of claims: hosts are asked for once, what is allowed is left out, and the rest are lines of the report. Not
//! here: making claims (`checks`).

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::check::{Claim, Told};
use crate::run::Answer;
use crate::{Finding, Hosts, Outcome, Site, Standing};

/// What is told of one check at one site, at most: a thousand triggers are told as some and a number.
const OBJECTS_PER_CHECK_MAX: usize = 100;

/// Where every host stands that claims speak of.
pub(crate) async fn standings<'a>(
    claims: impl Iterator<Item = &'a Claim>,
    hosts: &Hosts,
) -> BTreeMap<String, Standing> {
    let named: BTreeSet<&str> = claims
        .filter_map(|claim| match claim {
            Claim::Reaches { host, .. } => Some(host.as_str()),
            Claim::There(_) | Claim::Unknown(_) => None,
        })
        .collect();
    join_all(named.into_iter().map(async |host| (host.to_owned(), hosts.judge(host).await)))
        .await
        .into_iter()
        .collect()
}

/// Lines of a report: one when the check passes, one an object otherwise.
pub(crate) fn judge(site: &Site, answer: &Answer, standings: &BTreeMap<String, Standing>) -> Vec<Finding> {
    let line = |result, told: Option<Told>| {
        let told =
            told.map(|told| (Some(told.object).filter(|object| !object.is_empty()), told.what, told.advice));
        let (object, what, advice) = told.map_or((None, None, None), |(o, w, a)| (o, Some(w), Some(a)));
        let (name, query) = (answer.check.name, answer.query.clone());
        Finding { name, site: site.name.clone(), result, object, what, advice, query }
    };
    if let Some(problem) = &answer.problem {
        return vec![line(Outcome::Unknown, Some(problem.clone()))];
    }
    let mut found: Vec<(Outcome, Told)> = Vec::new();
    for (outcome, told) in answer.claims.iter().filter_map(|claim| wrong(claim, standings)) {
        if site.expectations.allows(answer.check.name, &told.object) {
            continue;
        }
        // Of one object the first thing that is wrong is told, unless a later one is worse.
        match found.iter_mut().find(|(_, held)| held.object == told.object) {
            Some(held) if held.0 < outcome => *held = (outcome, told),
            Some(_) => {}
            None => found.push((outcome, told)),
        }
    }
    if found.is_empty() {
        return vec![line(Outcome::Pass, None)];
    }
    let left = found.split_off(found.len().min(OBJECTS_PER_CHECK_MAX));
    if let Some(worst) = left.iter().map(|(outcome, _)| *outcome).max() {
        let more = Told::new(format!("{} more", left.len()), "of the same kind", "see all by the query");
        found.push((worst, more));
    }
    found.into_iter().map(|(outcome, told)| line(outcome, Some(told))).collect()
}

/// How a claim ends, if it is not that all is well.
fn wrong(claim: &Claim, standings: &BTreeMap<String, Standing>) -> Option<(Outcome, Told)> {
    match claim {
        Claim::There(told) => Some((Outcome::Fail, told.clone())),
        Claim::Unknown(told) => Some((Outcome::Unknown, told.clone())),
        Claim::Reaches { host, told } => {
            let (outcome, what) = match standings.get(host) {
                Some(Standing::Inside) => return None,
                Some(Standing::Outside(why)) => (Outcome::Fail, format!("{}: {why}", told.what)),
                Some(Standing::Unknown(why)) => (Outcome::Unknown, format!("{}, perhaps: {why}", told.what)),
                None => (Outcome::Unknown, format!("{}, perhaps: {host} was not judged", told.what)),
            };
            Some((outcome, Told { what, ..told.clone() }))
        }
    }
}
