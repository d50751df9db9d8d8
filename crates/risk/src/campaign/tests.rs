//! Every attack is found, as what it is, and soon; nothing else is. Streams are made of a seed.

mod properties;
mod scenarios;
mod traps;
mod world;

use super::{Campaigns, Settings};
use crate::judgement::{Finding, Kind};
use scenarios::ATTACKS;
use traps::TRAPS;
use world::{Login, Memory, QUIET_DAYS, World, observe};

const PEOPLE: u64 = 1_000;
const SEED: u64 = 1;

/// Small tables, so that many may run.
fn settings() -> Settings {
    Settings {
        sources: 1 << 13,
        networks: 1 << 11,
        cohorts: 1 << 11,
        targets: 16,
        pairs: 1 << 14,
        users: 1 << 12,
        sessions: 1 << 11,
        campaigns: 1 << 8,
        ..Settings::default()
    }
}

/// Ordinary life with a scenario in it, in the order of time.
fn stream(seed: u64, scenario: fn(&mut World)) -> Vec<Login> {
    let mut world = World::new(seed, PEOPLE);
    world.live(0..QUIET_DAYS + 4);
    scenario(&mut world);
    world.logins.sort_by_key(|login| login.time_ms);
    world.logins
}

/// What was found, with the login that completed it.
fn found(logins: &[Login]) -> Vec<(usize, Finding)> {
    let mut campaigns = Campaigns::new(&settings());
    let mut memory = Memory::default();
    let mut found = Vec::new();
    for (at, login) in logins.iter().enumerate() {
        let said = observe(&mut campaigns, &mut memory, login);
        found.extend(said.findings.into_iter().map(|finding| (at, finding)));
    }
    found
}

#[test]
fn every_attack_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, scenario, kind, within) in ATTACKS {
        wrong.extend(check(name, &stream(SEED, *scenario), Some((*kind, *within))));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn what_only_looks_like_an_attack_is_none() {
    let mut wrong = Vec::new();
    for (name, scenario) in TRAPS {
        wrong.extend(check(name, &stream(SEED, *scenario), None));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// What is wrong with what was found: a kind not found after so many events of its own, or a finding of anything else.
fn check(name: &str, logins: &[Login], wanted: Option<(Kind, usize)>) -> Vec<String> {
    let found = found(logins);
    let mut wrong = Vec::new();
    let bystands = |finding: &Finding| wanted.is_some_and(|(kind, _)| kind == finding.kind);
    let strangers = found.iter().filter(|(at, finding)| finding.is_new && logins[*at].label.is_none());
    for (at, finding) in strangers.filter(|(_, finding)| !bystands(finding)) {
        wrong.push(format!("{name}: event {at} of {} is no attack: {finding:?}", logins.len()));
    }
    let Some((kind, within)) = wanted else { return wrong };
    let is_it = |(_, finding): &&(usize, Finding)| finding.kind == kind;
    match found.iter().find(is_it) {
        None => wrong.push(format!("{name}: not found; {found:?}")),
        Some((at, finding)) => {
            let events = logins[..=*at].iter().filter(|login| login.label == Some(kind)).count();
            let told = found.iter().filter(|(_, finding)| finding.is_new).count();
            println!(
                "{name}: after {events} of its events, {told} findings, {:?}; {finding:?}",
                logins[*at].label
            );
            if events > within {
                wrong.push(format!("{name}: found after {events} of its events; {within} are enough"));
            }
        }
    }
    wrong
}
