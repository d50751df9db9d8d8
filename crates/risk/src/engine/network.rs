//! Features of where a login comes from: country, autonomous system, prefix and source as levels of one tree, the kind of
//! network, and the way from the last login. Not here: where an address is, which the event says.

use crate::event::Network;
use crate::everybody::{Everybody, Of, kind_key};
use crate::judgement::Value;
use crate::places::Spot;
use crate::store::{History, Net, country_of};

use super::facts::Facts;
use super::features::{Feature, Features, Habit, Level};
use super::trust::Trust;

const COUNTRY: Habit = Habit { doubt: 0.2, novelty: 0.25, copied: 0.3 };
const ASN: Habit = Habit { doubt: 0.5, novelty: 0.5, copied: 0.1 };
const PREFIX: Habit = Habit { doubt: 0.3, novelty: 0.3, copied: 0.02 };
const SOURCE: Habit = Habit { doubt: 0.3, novelty: 0.3, copied: 0.01 };
const KIND: Habit = Habit { doubt: 1.0, novelty: 0.3, copied: 0.3 };
/// Addresses of a prefix that are somebody's, about.
const SOURCE_SHARE: f64 = 1.0 / 32.0;
/// Attackers' networks by kind: unknown, access, mobile, hosting, anonymous, carriage.
const ATTACKERS_KINDS: [f64; 6] = [0.2, 0.338, 0.08, 0.24, 0.14, 0.002];
/// What everybody's are taken for before anything was learnt, in hundreds of logins.
const KINDS: [f64; 6] = [0.2, 0.45, 0.3, 0.03, 0.015, 0.005];
/// Logins of a group before it is compared with.
const GROUP_MIN: u32 = 20;
/// Logins of peers that make a network a place that colleagues use.
const COLLEAGUES_MIN: u32 = 3;
/// Users of a prefix that make it a place that many use.
const CROWD_MIN: u32 = 50;
/// No two points are told apart that are nearer than this.
const NEAR_KM: f64 = 100.0;
/// What nobody travels slower than in an aeroplane.
const TRAVEL_KMH: f64 = 500.0;
/// Clocks that disagree less are the same.
const SKEW_H: f64 = 0.1;

/// Adds all of them.
pub fn add(
    features: &mut Features,
    facts: &Facts,
    history: &History,
    trust: &Trust<'_>,
    everybody: &Everybody,
) {
    kind(features, facts, history, trust, everybody);
    // In the air the address says where a station on the ground is.
    if !facts.has_network() || facts.kind == Network::Carriage {
        return;
    }
    let mut levels = Levels::new(facts, history, trust);
    levels.users = facts.prefix_tag.map_or(0, |tag| everybody.users_of(tag));
    tree(features, facts, history, &levels, everybody);
    company(features, facts, &levels, everybody);
    // Where somebody was last says nothing if an analyst says that it was somebody else.
    if history.networks.first().is_some_and(|last| trust.of_network(last) > 0.0) {
        way(features, facts, history, &levels, everybody);
    }
}

/// A history's networks beside the one that is seen.
#[derive(Default)]
struct Levels {
    country: Level,
    asn: Level,
    prefix: Level,
    source: Level,
    /// Users of the prefix, about.
    users: u32,
}

impl Levels {
    fn new(facts: &Facts, history: &History, trust: &Trust<'_>) -> Self {
        let mut levels = Self::default();
        let networks = history.networks.as_slice();
        for (at, net) in networks.iter().enumerate() {
            let weight = trust.of_network(net);
            let earlier = networks.get(..at).unwrap_or_default();
            let once = weight.min(1.0);
            // Several that are told apart no more were different half of the time.
            let several = |merged: bool| if merged { (weight / 2.0).max(1.0) } else { once };
            levels.country.all += weight;
            if !earlier.iter().any(|other| other.country == net.country) {
                levels.country.distinct += once;
            }
            if net.country != facts.country {
                continue;
            }
            levels.country.seen += weight;
            levels.asn.all += weight;
            if !earlier.iter().any(|other| other.country == net.country && other.asn == net.asn) {
                levels.asn.distinct += once;
            }
            if net.asn != facts.asn {
                continue;
            }
            levels.asn.seen += weight;
            levels.prefix.all += weight;
            if !earlier.iter().any(|other| other.asn == net.asn && other.prefix == net.prefix) {
                levels.prefix.distinct += several(net.prefix == 0);
            }
            if net.prefix == 0 || net.prefix != facts.prefix {
                continue;
            }
            levels.prefix.seen += weight;
            levels.source.all += weight;
            levels.source.distinct += several(net.source == 0);
            levels.source.seen += if net.source != 0 && net.source == facts.source { weight } else { 0.0 };
        }
        levels
    }
}

fn tree(features: &mut Features, facts: &Facts, history: &History, levels: &Levels, everybody: &Everybody) {
    let most = |of: fn(&Net) -> u32| {
        history.networks.iter().filter(|net| of(net) != 0).max_by_key(|net| net.count).map(of)
    };
    let country_share = everybody.countries.share(facts.country, 10.0, 200.0);
    if facts.country != 0 {
        let usual = most(|net| net.country.into()).and_then(|code| country_of(u16::try_from(code).ok()?));
        let value = levels.country.surprise(country_share, &COUNTRY);
        let observed = country_of(facts.country).map_or(Value::Missing, Value::Country);
        features.push(Feature::Country, value, observed, usual.map_or(Value::None, Value::Country));
    }
    let asn_logins = f64::from(everybody.asns.get(facts.asn));
    if facts.asn != 0 {
        let country_logins = f64::from(everybody.countries.get(facts.country)).max(asn_logins);
        let common = ((asn_logins + 0.2) / (country_logins + 10.0)).min(1.0);
        let value = levels.asn.surprise(common, &ASN);
        let observed = facts.asn_given.map_or(Value::Missing, Value::Asn);
        features.push(Feature::Asn, value, observed, most(|net| net.asn).map_or(Value::None, Value::Asn));
    }
    if facts.prefix != 0 {
        let users = f64::from(levels.users);
        let common = ((users + 0.1) / (asn_logins.max(users) + 50.0)).min(1.0);
        let value = levels.prefix.surprise(common, &PREFIX);
        let known = history.networks.iter().filter(|net| net.asn == facts.asn).count() as u64;
        let word = if levels.prefix.seen > 0.0 { "known prefix" } else { "new prefix" };
        features.push(Feature::Prefix, value, Value::Word(word), Value::Count(known));
        let value = levels.source.surprise(SOURCE_SHARE, &SOURCE);
        let word = if levels.source.seen > 0.0 { "known address" } else { "new address" };
        features.push(Feature::Source, value, Value::Word(word), Value::Count(known));
    }
}

/// What peers and others do where the user is new.
fn company(features: &mut Features, facts: &Facts, levels: &Levels, everybody: &Everybody) {
    if levels.prefix.seen > 0.0 {
        return;
    }
    let value = -(1.0 + f64::from(levels.users) / 8.0).ln();
    features.push(Feature::Crowd, value, Value::Count(levels.users.into()), Value::None);
    let all = everybody.of_group(facts.group, Of::All, 0);
    if facts.group == 0 || all < GROUP_MIN || levels.asn.seen > 0.0 {
        return;
    }
    // By its country, if that is new to the user too, and by its system otherwise.
    let (of, code, common) = if levels.country.seen == 0.0 && facts.country != 0 {
        (Of::Country, u32::from(facts.country), everybody.countries.share(facts.country, 10.0, 200.0))
    } else {
        (Of::Asn, facts.asn, everybody.asns.share(facts.asn, 10.0, 1_000.0))
    };
    let peers =
        (f64::from(everybody.of_group(facts.group, of, code)) + 2.0 * common) / (f64::from(all) + 2.0);
    let value = (common / peers).ln().clamp(-4.0, 3.0);
    features.push(Feature::PeersNetwork, value, Value::Share(peers), Value::Share(common));
}

fn kind(features: &mut Features, facts: &Facts, history: &History, trust: &Trust<'_>, everybody: &Everybody) {
    if facts.kind == Network::Unknown {
        return;
    }
    let at = usize::from(kind_key(facts.kind));
    let (Some(attackers), Some(assumed)) = (ATTACKERS_KINDS.get(at), KINDS.get(at)) else { return };
    let common = (f64::from(everybody.kinds.get(kind_key(facts.kind))) + 100.0 * assumed)
        / (everybody.kinds.total() as f64 + 100.0);
    let mut level = Level::default();
    for net in &history.networks {
        let weight = trust.of_network(net);
        level.all += weight;
        if net.kind == facts.kind {
            level.seen += weight;
        } else {
            level.distinct += weight.min(1.0);
        }
    }
    level.distinct = level.distinct.min(3.0);
    let user = level.share(common, &KIND).max(1e-6);
    let value = (((1.0 - KIND.copied) * attackers + KIND.copied * user) / user).ln();
    let usual = history.networks.iter().max_by_key(|net| net.count).map(|net| net.kind);
    let expected = usual.map_or(Value::None, Value::Network);
    features.push(Feature::NetworkKind, value, Value::Network(facts.kind), expected);
}

/// Distance and speed from the last login. Where the address says little of where somebody is, neither is asked: behind a
/// VPN, in the air, in networks that the user or colleagues use.
fn way(features: &mut Features, facts: &Facts, history: &History, levels: &Levels, everybody: &Everybody) {
    let last = history.networks.first();
    let elsewhere = |kind| matches!(kind, Network::Anonymous | Network::Carriage);
    if levels.prefix.seen > 0.0 || elsewhere(facts.kind) || last.is_none_or(|last| elsewhere(last.kind)) {
        return;
    }
    let is_colleagues =
        facts.group != 0 && everybody.of_group(facts.group, Of::Asn, facts.asn) >= COLLEAGUES_MIN;
    let is_crowd = levels.users >= CROWD_MIN;
    let there = facts.spot;
    let here = history
        .point
        .map(Spot::unpacked)
        .or_else(|| last.and_then(|last| country_of(last.country)).and_then(Spot::of_country));
    let (Some(there), Some(here)) = (there, here) else { return };
    if is_colleagues {
        return;
    }
    let km = here.km(&there);
    if km < NEAR_KM {
        return;
    }
    features.push(Feature::Distance, (km / NEAR_KM).ln(), Value::Km(km), Value::Km(NEAR_KM));
    // What many use is an exit of a network rather than a place; and a phone's may be at home while it is abroad.
    if is_crowd {
        return;
    }
    let hours = (facts.time_ms.saturating_sub(i64::from(history.last_s) * 1_000) as f64 / 3_600_000.0)
        .abs()
        .max(SKEW_H);
    let kmh = km / hours;
    if kmh > TRAVEL_KMH {
        let share = if facts.kind == Network::Mobile { 1.0 } else { 2.0 };
        let value = (share * (kmh / TRAVEL_KMH).ln()).min(5.0);
        features.push(Feature::Velocity, value, Value::Kmh(kmh), Value::Kmh(TRAVEL_KMH));
    }
}
