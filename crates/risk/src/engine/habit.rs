//! Features of when a login is, how far the client answers from, how long the account slept, and where to. Not here: where
//! from (`network`), with what (`client`).

use crate::everybody::{Everybody, Of};
use crate::judgement::Value;
use crate::store::{History, Rtt, WEEK_BINS};

use super::client::of_items;
use super::facts::Facts;
use super::features::{Feature, Features, Habit};

const TARGET: Habit = Habit { doubt: 0.7, novelty: 0.6, copied: 0.2 };
/// Hours' worth of doubt that a user's week is known; how often an attacker comes at the user's hours on purpose.
const HOUR_DOUBT: f64 = 4.0;
const HOUR_COPIED: f64 = 0.3;
/// Attackers' round trips: ln(ms) and its deviation. How well a user's are known at best.
const ATTACKERS_RTT: (f64, f64) = (4.8, 1.0);
const RTT_DEVIATION_MIN: f64 = 0.25;
/// Days without a login that are nothing yet.
const IDLE_DAYS: f64 = 30.0;
const GROUP_MIN: u32 = 20;

/// Of whoever logs in more often than this no smaller share is taken for attackers': a country never seen stays one.
const LOGINS_MAX: u16 = 40;

/// Adds all of them.
pub fn add(features: &mut Features, facts: &Facts, history: &History, everybody: &Everybody) {
    logins(features, history);
    hour(features, facts, history, everybody);
    rtt(features, facts, history);
    dormancy(features, facts, history);
    target(features, facts, history, everybody);
}

fn logins(features: &mut Features, history: &History) {
    let known = history.logins.min(LOGINS_MAX);
    features.push(
        Feature::Logins,
        -f64::from(known).ln_1p(),
        Value::Count(history.logins.into()),
        Value::None,
    );
}

fn hour(features: &mut Features, facts: &Facts, history: &History, everybody: &Everybody) {
    let all: u32 = history.week.iter().map(|count| u32::from(*count)).sum();
    if all == 0 {
        return;
    }
    let bin = facts.week_bin();
    let common = everybody.week.share(bin.into(), 50.0, WEEK_BINS as f64);
    // An hour beside a usual one is half as usual.
    let round = if bin < 12 { 0..12u8 } else { 12..16 };
    let at = |bin: u8| f64::from(history.week.get(usize::from(bin)).copied().unwrap_or(0));
    let before = if bin == round.start { round.end - 1 } else { bin - 1 };
    let after = if bin + 1 == round.end { round.start } else { bin + 1 };
    let near = 0.5 * at(bin) + 0.25 * (at(before) + at(after));
    let user = (near + HOUR_DOUBT * common) / (f64::from(all) + HOUR_DOUBT);
    let value = (((1.0 - HOUR_COPIED) * common + HOUR_COPIED * user) / user).ln();
    features.push(Feature::Hour, value, Value::HourOfWeek(facts.hour_of_week()), Value::Share(user));
}

fn rtt(features: &mut Features, facts: &Facts, history: &History) {
    let (Some(ms), true) = (facts.rtt_ms, history.rtt.count > 0) else { return };
    let (mean, deviation) = history.rtt.normal();
    let user = density(ms.ln(), mean, deviation);
    let other = density(ms.ln(), ATTACKERS_RTT.0, ATTACKERS_RTT.1);
    let value = (other - user).clamp(-2.0, 4.0);
    features.push(Feature::Rtt, value, Value::Ms(ms), Value::Ms(mean.exp()));
}

/// The logarithm of a normal density, without what all of them have.
fn density(value: f64, mean: f64, deviation: f64) -> f64 {
    let off = (value - mean) / deviation;
    -off * off / 2.0 - deviation.ln()
}

fn dormancy(features: &mut Features, facts: &Facts, history: &History) {
    let idle = facts.time_ms.saturating_sub(i64::from(history.last_s) * 1_000) as f64 / 86_400_000.0;
    if history.logins > 0 && idle > IDLE_DAYS {
        features.push(Feature::Dormancy, (idle / IDLE_DAYS).ln(), Value::Days(idle), Value::Days(IDLE_DAYS));
    }
}

fn target(features: &mut Features, facts: &Facts, history: &History, everybody: &Everybody) {
    if facts.target == 0 || history.logins == 0 {
        return;
    }
    let level = of_items(&history.targets, facts.target);
    let common = everybody.targets.share(facts.target, 10.0, 100.0);
    let word = if level.seen > 0.0 { "known target" } else { "new target" };
    let known = Value::Count(history.targets.len() as u64);
    features.push(Feature::Target, level.surprise(common, &TARGET), Value::Word(word), known);
    let all = everybody.of_group(facts.group, Of::All, 0);
    if facts.group != 0 && all >= GROUP_MIN && level.seen == 0.0 {
        let peers = f64::from(everybody.of_group(facts.group, Of::Target, facts.target));
        let peers = (peers + 2.0 * common) / (f64::from(all) + 2.0);
        let value = (common / peers).ln().clamp(-4.0, 3.0);
        features.push(Feature::PeersTarget, value, Value::Share(peers), Value::Share(common));
    }
}

impl Rtt {
    /// Mean and deviation of ln(ms), wider the fewer there are.
    pub fn normal(&self) -> (f64, f64) {
        let mean = f64::from(self.mean) / 16.0 - 3.0;
        let deviation = f64::from(self.deviation) / 8.0;
        (mean, deviation.max(RTT_DEVIATION_MIN) * (1.0 + 1.0 / f64::from(self.count.max(1))))
    }

    /// One more round trip.
    pub fn learn(&mut self, ms: f64) {
        let step = 1.0 / f64::from(self.count.min(15) + 1);
        let mean = f64::from(self.mean) / 16.0 - 3.0;
        let off = ms.ln() - mean;
        let old = f64::from(self.deviation) / 8.0;
        let mean = if self.count == 0 { ms.ln() } else { mean + step * off };
        let off = if self.count == 0 { 0.0 } else { off.abs() };
        self.mean = ((mean + 3.0) * 16.0).round().clamp(0.0, 255.0) as u8;
        self.deviation = ((old + step * (off - old)) * 8.0).round().clamp(0.0, 15.0) as u8;
        self.count = (self.count + 1).min(15);
    }
}
