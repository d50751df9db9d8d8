//! Features of what a login is made with: system and device, browser, family and user agent as levels of one tree, how rare
//! it is at all, and the device that the source names. Not here: how a user agent is read (`agent`).

use crate::agent::Agent;
use crate::everybody::{Everybody, system_key};
use crate::judgement::Value;
use crate::store::{Client, History, Item};

use super::facts::Facts;
use super::features::{Feature, Features, Habit, Level};
use super::trust::Trust;

const SYSTEM: Habit = Habit { doubt: 0.3, novelty: 0.3, copied: 0.2 };
const BROWSER: Habit = Habit { doubt: 0.3, novelty: 0.4, copied: 0.2 };
const FAMILY: Habit = Habit { doubt: 0.4, novelty: 0.5, copied: 0.1 };
const HOST: Habit = Habit { doubt: 0.5, novelty: 0.5, copied: 0.02 };
/// How often a browser is still what it was at the last login; how often an attacker copies its very version.
const SAME_VERSION: f64 = 0.6;
const COPIED_VERSION: f64 = 0.05;
/// Clients that only attackers have are one of so many, and so many of attackers' are.
const RARE_KINDS: f64 = 500.0;
const RARE_SHARE: f64 = 0.1;
const RARITY_MAX: f64 = 4.0;
/// How common a host is among everybody's.
const HOST_SHARE: f64 = 1e-4;

/// Adds all of them.
pub fn add(
    features: &mut Features,
    facts: &Facts,
    history: &History,
    trust: &Trust<'_>,
    everybody: &Everybody,
) {
    if let Some(agent) = &facts.agent {
        tree(features, facts, agent, history, trust, everybody);
    }
    if facts.host != 0 {
        let level = of_items(&history.hosts, facts.host);
        let word = if level.seen > 0.0 { "known device" } else { "new device" };
        let known = Value::Count(history.hosts.len() as u64);
        features.push(Feature::Host, level.surprise(HOST_SHARE, &HOST), Value::Word(word), known);
    }
}

/// What a list of counted items says of one.
pub fn of_items(items: &[Item], tag: u32) -> Level {
    let mut level = Level { distinct: items.len() as f64, ..Level::default() };
    for item in items {
        level.all += f64::from(item.count);
        level.seen += if item.tag == tag { f64::from(item.count) } else { 0.0 };
    }
    level
}

fn tree(
    features: &mut Features,
    facts: &Facts,
    agent: &Agent,
    history: &History,
    trust: &Trust<'_>,
    everybody: &Everybody,
) {
    let (mut system, mut browser, mut family) = (Level::default(), Level::default(), Level::default());
    let mut same: Option<&Client> = None;
    for (at, client) in history.clients.iter().enumerate() {
        let weight = trust.of_client(client);
        let earlier = history.clients.get(..at).unwrap_or_default();
        let is_first =
            |alike: fn(&Client, &Client) -> bool| !earlier.iter().any(|other| alike(other, client));
        let same_system = client.system == agent.system && client.device == agent.device;
        let same_browser = same_system && client.browser == agent.browser;
        let same_family = same_browser && client.family == agent.family;
        let of_system = |a: &Client, b: &Client| a.system == b.system && a.device == b.device;
        let of_browser =
            |a: &Client, b: &Client| a.system == b.system && a.device == b.device && a.browser == b.browser;
        count(&mut system, weight, true, same_system, is_first(of_system));
        count(&mut browser, weight, same_system, same_browser, is_first(of_browser));
        count(&mut family, weight, same_browser, same_family, true);
        same = same.or(Some(client).filter(|_| same_family && weight > 0.0));
    }
    let usual = history.clients.iter().max_by_key(|client| client.count);
    let system_logins = f64::from(everybody.systems.get(system_key(agent)));
    let common = (system_logins + 0.5) / (everybody.systems.total() as f64 + 10.0);
    let expected = usual.map_or(Value::None, |client| Value::Word(Agent::system_word(client.system)));
    let observed = Value::Word(Agent::system_word(agent.system));
    features.push(Feature::System, system.surprise(common, &SYSTEM), observed, expected);

    let browser_logins = f64::from(everybody.browsers.get(agent.browser.into()));
    let common = (browser_logins + 0.5) / (everybody.browsers.total() as f64 + 10.0);
    let expected = usual.map_or(Value::None, |client| Value::Word(Agent::browser_word(client.browser)));
    let observed = Value::Word(Agent::browser_word(agent.browser));
    features.push(Feature::Browser, browser.surprise(common, &BROWSER), observed, expected);

    let logins = f64::from(everybody.families.get(agent.family));
    let among = (logins + 0.2) / (browser_logins.min(system_logins).max(logins) + 10.0);
    features.push(Feature::Family, family.surprise(among, &FAMILY), observed, expected);
    versions(features, facts, same, logins, everybody);
    rarity(features, agent, &family, logins, everybody);
}

fn count(level: &mut Level, weight: f64, in_parent: bool, is_same: bool, is_first: bool) {
    if in_parent {
        level.all += weight;
        level.distinct += if is_first { weight.min(1.0) } else { 0.0 };
        level.seen += if is_same { weight } else { 0.0 };
    }
}

/// The whole user agent, in a family that the user has: a browser that was updated is nearly no surprise.
fn versions(
    features: &mut Features,
    facts: &Facts,
    same: Option<&Client>,
    family_logins: f64,
    everybody: &Everybody,
) {
    let (Some(client), Some(tag)) = (same, facts.agent_tag) else { return };
    let common = (f64::from(everybody.logins_with(tag)) + 0.5) / (family_logins + 5.0);
    let common = common.min(1.0);
    let is_same = client.agent == agent_code(tag);
    let user = if is_same { SAME_VERSION } else { 0.0 } + (1.0 - SAME_VERSION) * common;
    let value = (((1.0 - COPIED_VERSION) * common + COPIED_VERSION * user) / user).ln();
    let word = if is_same { "same version" } else { "other version" };
    features.push(Feature::Agent, value, Value::Word(word), Value::Word("same version"));
}

/// A client that nobody has is an attacker's rather than a user's first with it.
fn rarity(features: &mut Features, agent: &Agent, family: &Level, logins: f64, everybody: &Everybody) {
    if family.seen > 0.0 {
        return;
    }
    let common = (logins + 0.5) / (everybody.families.total() as f64 + 1_000.0);
    let value = ((1.0 - RARE_SHARE) + RARE_SHARE / RARE_KINDS / common).ln().clamp(0.0, RARITY_MAX);
    let observed = Value::Word(Agent::browser_word(agent.browser));
    features.push(Feature::Rarity, value, observed, Value::Share(common));
}

/// A whole user agent as a history has it.
pub fn agent_code(tag: crate::key::Tag) -> u32 {
    tag.0 as u32
}
