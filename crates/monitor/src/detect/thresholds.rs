//! The detectors' thresholds: `[detect.<name>]` in monitor.toml. There are no defaults: `init` writes the shipped values,
//! and a key that is missing or unknown refuses the start, and so does a factor that is not above zero.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::Value;

use super::{
    dormant, drift, honey, hours, logins, order, outside, person, place, probing, residency, suspicion,
    unmatched, volume,
};

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Thresholds {
    pub record_order: order::Limits,
    pub unmatched: unmatched::Limits,
    pub volume: volume::Limits,
    pub single_person: person::Limits,
    pub probing: probing::Limits,
    pub off_hours: hours::Limits,
    pub new_place: place::Limits,
    pub dormant: dormant::Limits,
    pub honeytoken: honey::Limits,
    pub unreconciled: outside::Limits,
    pub clock_drift: drift::Limits,
    pub logins: logins::Limits,
    pub residency: residency::Limits,
    pub suspicious_logins: suspicion::Limits,
}

/// What `init` writes.
pub const SHIPPED: Thresholds = Thresholds {
    record_order: order::SHIPPED,
    unmatched: unmatched::SHIPPED,
    volume: volume::SHIPPED,
    single_person: person::SHIPPED,
    probing: probing::SHIPPED,
    off_hours: hours::SHIPPED,
    new_place: place::SHIPPED,
    dormant: dormant::SHIPPED,
    honeytoken: honey::SHIPPED,
    unreconciled: outside::SHIPPED,
    clock_drift: drift::SHIPPED,
    logins: logins::SHIPPED,
    residency: residency::SHIPPED,
    suspicious_logins: suspicion::SHIPPED,
};

/// A threshold that would say nothing, or everything.
#[derive(Debug, Error, PartialEq)]
#[error(
    "detect.{detector}.{key}: {value} is not above zero; write a number such as `trefoil-monitor init` does"
)]
pub struct NotAbove {
    pub detector: String,
    pub key: String,
    pub value: String,
}

impl Thresholds {
    /// A count of zero allows none; a factor of zero would mean nothing.
    pub fn check(self) -> Result<Thresholds, NotAbove> {
        let tables = Value::try_from(&self).unwrap_or(Value::Boolean(false));
        let tables = tables.as_table().into_iter().flatten();
        for (detector, limits) in tables {
            for (key, value) in limits.as_table().into_iter().flatten() {
                if value.as_float().is_some_and(|factor| !factor.is_finite() || factor <= 0.0) {
                    let (detector, key) = (detector.clone(), key.clone());
                    return Err(NotAbove { detector, key, value: value.to_string() });
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn every_key_is_asked_for_and_must_mean_something() {
        let text = toml::to_string(&SHIPPED).unwrap();
        assert_eq!(toml::from_str::<Thresholds>(&text).unwrap().check(), Ok(SHIPPED));
        for line in text.lines().filter(|line| line.contains(" = ")) {
            let without = text.replacen(line, "", 1);
            assert!(toml::from_str::<Thresholds>(&without).is_err(), "{line}");
            let (key, value) = line.split_once(" = ").unwrap();
            let zero = if value.contains('.') { "0.0" } else { "-1" };
            let zeroed = text.replacen(line, &format!("{key} = {zero}"), 1);
            let checked = toml::from_str::<Thresholds>(&zeroed).map(Thresholds::check);
            assert!(!matches!(checked, Ok(Ok(_))), "{line}");
            let unknown = text.replacen(line, &format!("{line}\n{key}s = 1"), 1);
            assert!(toml::from_str::<Thresholds>(&unknown).is_err(), "{line}");
        }
    }
}
