//! How a successful login becomes history. What was judged risky is on probation: it weighs little until a second factor
//! or use on several days says that it is the user's, and nothing else of such a login is learnt. Not here: what a history
//! is worth (`trust`).

use arrayvec::ArrayVec;

use crate::agent::Agent;
use crate::everybody::{Everybody, Of, kind_key};
use crate::store::{Client, History, Item, Net, PROBATION_DAYS, TRUSTED, is_old};

use super::client::agent_code;
use super::facts::Facts;

/// Networks of one prefix, and of one autonomous system, that are told apart.
const OF_PREFIX_MAX: usize = 4;
const OF_ASN_MAX: usize = 7;
const WEEK_COUNT_MAX: u8 = 15;

/// How a login is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As the user's, with a proof: whatever was on probation of it is no more.
    Proved,
    /// As the user's.
    Trusted,
    /// On probation.
    Probation,
}

/// Adds a login to a user's history.
pub fn learn(history: &mut History, facts: &Facts, how: How) {
    let today = facts.day();
    history.networks.retain(|net| !is_old(net.day, today));
    history.clients.retain(|client| !is_old(client.day, today));
    if facts.has_network() {
        learn_network(history, facts, how);
    }
    learn_client(history, facts, how);
    if how == How::Probation {
        // A history that begins with one still needs a time, by which it is forgotten.
        if history.last_s == 0 {
            history.last_s = seconds(facts.time_ms);
        }
        return;
    }
    if history.logins == 0 {
        history.first_day = today;
    }
    history.first_day = history.first_day.min(today);
    history.logins = history.logins.saturating_add(1);
    if facts.group != 0 {
        history.group = facts.group;
    }
    if facts.host != 0 {
        add_item(&mut history.hosts, facts.host);
    }
    if facts.target != 0 {
        add_item(&mut history.targets, facts.target);
    }
    if let Some(ms) = facts.rtt_ms {
        history.rtt.learn(ms);
    }
    if let Some(count) = history.week.get_mut(usize::from(facts.week_bin())) {
        *count += 1;
        if *count > WEEK_COUNT_MAX {
            history.week.iter_mut().for_each(|count| *count /= 2);
        }
    }
    // Where somebody was last is not where a login was that came late.
    if history.logins == 1 || seconds(facts.time_ms) >= history.last_s {
        history.last_s = seconds(facts.time_ms);
        if facts.spot.is_some() {
            history.point = facts.spot.and_then(|spot| spot.packed());
        }
    }
}

/// Adds a login that is the user's to what everybody does.
pub fn learn_everybody(everybody: &mut Everybody, facts: &Facts, is_new_prefix: bool) {
    if facts.country != 0 {
        everybody.countries.add(facts.country);
    }
    if facts.asn != 0 {
        everybody.asns.add(facts.asn);
    }
    everybody.kinds.add(kind_key(facts.kind));
    everybody.week.add(facts.week_bin().into());
    if let (Some(tag), Some(agent)) = (facts.agent_tag, &facts.agent) {
        everybody.add_agent(tag, agent);
    }
    if facts.target != 0 {
        everybody.targets.add(facts.target);
    }
    if let Some(prefix) = facts.prefix_tag.filter(|_| is_new_prefix) {
        everybody.add_user_of(prefix);
    }
    if facts.group != 0 {
        everybody.add_to_group(facts.group, Of::All, 0);
        for (of, code) in
            [(Of::Country, u32::from(facts.country)), (Of::Asn, facts.asn), (Of::Target, facts.target)]
        {
            if code != 0 {
                everybody.add_to_group(facts.group, of, code);
            }
        }
    }
}

fn learn_network(history: &mut History, facts: &Facts, how: How) {
    let new = Net {
        source: facts.source,
        prefix: facts.prefix,
        asn: facts.asn,
        country: facts.country,
        kind: facts.kind,
        trust: if how == How::Probation { 0 } else { TRUSTED },
        count: 1,
        day: facts.day(),
    };
    let networks = &mut history.networks;
    let place = |net: &Net| (net.source, net.prefix, net.asn, net.country);
    if let Some(at) = networks.iter().position(|net| place(net) == place(&new)) {
        bring_forward(networks, at);
        if let Some(net) = networks.first_mut() {
            used(&mut net.trust, &mut net.count, &mut net.day, new.day, how);
            net.kind = new.kind;
        }
        return;
    }
    // Too many of a kind become one that stands for several, so that what is rarer keeps its room.
    if networks.iter().filter(|net| net.prefix == new.prefix && new.prefix != 0).count() >= OF_PREFIX_MAX {
        merge(networks, |net| (net.prefix == new.prefix).then_some((net.prefix, net.asn, net.country)));
    } else if networks.iter().filter(|net| net.asn == new.asn).count() >= OF_ASN_MAX || networks.is_full() {
        merge(networks, |net| Some((0, net.asn, net.country)));
    }
    if networks.is_full() {
        let least = (0..networks.len()).min_by_key(|at| networks.get(*at).map_or(0, usefulness));
        least.and_then(|at| networks.pop_at(at));
    }
    let _ = networks.try_insert(0, new);
}

/// Puts the least useful network that is like another together with it: prefix, system and country are what `like` says.
fn merge(
    networks: &mut ArrayVec<Net, { crate::store::NETWORKS_MAX }>,
    like: impl Fn(&Net) -> Option<(u32, u32, u16)>,
) {
    // What is trusted is never put together with what is not.
    let group = |net: &Net| like(net).map(|group| (group, net.trust == TRUSTED));
    let has_twin = |at: usize, net: &Net| {
        group(net).is_some()
            && networks.iter().enumerate().any(|(other, twin)| other != at && group(twin) == group(net))
    };
    let candidates = networks.iter().enumerate().filter(|(at, net)| has_twin(*at, net));
    let Some(least) = candidates.min_by_key(|(_, net)| usefulness(net)).map(|(at, _)| at) else { return };
    let Some(gone) = networks.pop_at(least) else { return };
    let wanted = group(&gone);
    let twins = networks.iter_mut().filter(|twin| group(twin) == wanted);
    // Into one that stands for several already, or the next that is used least.
    let into = twins.min_by_key(|twin| (twin.source != 0, usefulness(twin)));
    if let (Some(into), Some((prefix, ..))) = (into, like(&gone)) {
        into.source = 0;
        into.prefix = prefix;
        into.count = into.count.saturating_add(gone.count);
        into.day = into.day.max(gone.day);
        into.trust = into.trust.min(gone.trust);
    }
}

/// Logins and the day of the last, in one number.
fn usefulness(net: &Net) -> u32 {
    let trusted = u32::from(net.trust == TRUSTED) * 60;
    u32::from(net.count).min(200) + u32::from(net.day) + trusted
}

fn learn_client(history: &mut History, facts: &Facts, how: How) {
    let (Some(agent), Some(tag)) = (&facts.agent, facts.agent_tag) else { return };
    let clients = &mut history.clients;
    let day = facts.day();
    let agent_code = agent_code(tag);
    if let Some(at) = clients.iter().position(|client| client.family == agent.family) {
        bring_forward(clients, at);
        if let Some(client) = clients.first_mut() {
            used(&mut client.trust, &mut client.count, &mut client.day, day, how);
            // A version is the user's only with what is the user's.
            if how != How::Probation || client.trust != TRUSTED {
                client.agent = agent_code;
            }
        }
        return;
    }
    if clients.is_full() {
        let worth = |client: &Client| u32::from(client.count).min(200) + u32::from(client.day);
        let least = (0..clients.len()).min_by_key(|at| clients.get(*at).map_or(0, worth));
        least.and_then(|at| clients.pop_at(at));
    }
    let Agent { family, browser, system, device } = *agent;
    let trust = if how == How::Probation { 0 } else { TRUSTED };
    let new = Client { agent: agent_code, family, browser, system, device, trust, count: 1, day };
    let _ = clients.try_insert(0, new);
}

/// Puts what was used now before what was used earlier.
fn bring_forward<T>(list: &mut [T], at: usize) {
    if let Some(moved) = list.get_mut(..=at).filter(|_| at > 0) {
        moved.rotate_right(1);
    }
}

/// Once more, on a day; another day is a step towards trust.
fn used(trust: &mut u8, count: &mut u16, day: &mut u16, today: u16, how: How) {
    *count = count.saturating_add(1);
    if *trust != TRUSTED && today > *day {
        *trust += 1;
        // Nobody who only waits gains: what is risky every time stays on probation.
        if how == How::Probation {
            *trust = (*trust).min(PROBATION_DAYS - 2);
        }
    }
    if how == How::Proved || *trust >= PROBATION_DAYS - 1 {
        *trust = TRUSTED;
    }
    *day = (*day).max(today);
}

fn add_item(items: &mut ArrayVec<Item, { crate::store::ITEMS_MAX }>, tag: u32) {
    if let Some(at) = items.iter().position(|item| item.tag == tag) {
        bring_forward(items, at);
        if items.first().is_some_and(|item| item.count == u8::MAX) {
            items.iter_mut().for_each(|item| item.count /= 2);
        }
        if let Some(item) = items.first_mut() {
            item.count += 1;
        }
        return;
    }
    if items.is_full() {
        let least = (0..items.len()).rev().min_by_key(|at| items.get(*at).map_or(0, |item| item.count));
        least.and_then(|at| items.pop_at(at));
    }
    let _ = items.try_insert(0, Item { tag, count: 1 });
}

fn seconds(time_ms: i64) -> u32 {
    u32::try_from(time_ms.div_euclid(1_000).clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX)
}
