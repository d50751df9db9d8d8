//! Who opens details beside operator and monitor, and how long details can be opened. Not here: keys, and destroying
//! them (the gate and the monitor).

use std::collections::BTreeMap;

use toml::Spanned;

use crate::error::Problems;
use crate::raw::Text;

/// Classes of details that are forgotten apart from each other.
const RETENTION_CLASSES: [&str; 2] = ["access", "login"];
/// A century.
const DAYS_MAX: u32 = 36_525;
/// An age X25519 recipient: bech32 of 32 bytes.
const RECIPIENT_START: &str = "age1";
const RECIPIENT_BYTES: usize = 62;

pub(super) fn check_auditor(raw: Text, found: &mut Problems<'_>) -> Option<String> {
    let (at, text) = (raw.span(), raw.into_inner());
    let is_letter = |letter: u8| b"qpzry9x8gf2tvdw0s3jn54khce6mua7l".contains(&letter);
    let is_recipient = text.len() == RECIPIENT_BYTES
        && text.strip_prefix(RECIPIENT_START).is_some_and(|rest| rest.bytes().all(is_letter));
    if !is_recipient {
        let problem = format!("{text:?} is no age X25519 recipient");
        let remedy =
            "write what the auditor's `age-keygen -y` prints: age1 and 58 letters and digits; never a key";
        found.at(at, "auditor", problem, remedy);
        return None;
    }
    Some(text)
}

pub(super) fn check(raw: BTreeMap<String, Spanned<u32>>, found: &mut Problems<'_>) -> BTreeMap<String, u32> {
    let mut days_min = BTreeMap::new();
    for (class, days) in raw {
        let (at, days) = (days.span(), days.into_inner());
        if !RETENTION_CLASSES.contains(&class.as_str()) {
            let problem = format!("`{class}` is no retention class");
            found.at(at, "retention_days_min", problem, "write access or login");
        } else if !(1..=DAYS_MAX).contains(&days) {
            let problem = format!("{days} days cannot be waited for");
            let remedy = "use 1 to 36525: the key of the present day is never destroyed";
            found.at(at, "retention_days_min", problem, remedy);
        } else {
            days_min.insert(class, days);
        }
    }
    days_min
}
