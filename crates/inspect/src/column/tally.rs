//! Counts, over a column's values, of what each kind's check says. Not here: what the counts mean.

use std::collections::BTreeMap;

use crate::{Kind, Validation, card, national, phone, scan};

/// One kind's counts.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) kind: Kind,
    pub(super) scheme: &'static str,
    /// Values for which a checksum or a plan speaks.
    pub(super) valid: usize,
    /// Values that only look like it.
    pub(super) formed: usize,
    /// How likely it is that a value of another kind passes.
    pub(super) chance: f64,
    /// The most that values alone are worth.
    pub(super) most: f64,
}

/// Of every kind that any value is.
pub(super) fn tally(values: &[&str]) -> Vec<Tally> {
    let mut counts: BTreeMap<(Kind, &'static str), (usize, usize)> = BTreeMap::new();
    for value in values {
        let mut count = |kind: Kind, scheme: &'static str, validation: Validation| {
            let (valid, formed) = counts.entry((kind, scheme)).or_default();
            let one = if validation == Validation::Form { formed } else { valid };
            *one = one.saturating_add(1);
        };
        of_value(value, &mut count);
    }
    counts
        .into_iter()
        .map(|((kind, scheme), (valid, formed))| {
            let (chance, most) = odds(kind, scheme);
            Tally { kind, scheme, valid, formed, chance, most }
        })
        .collect()
}

fn of_value(value: &str, count: &mut impl FnMut(Kind, &'static str, Validation)) {
    // PostgreSQL prints an inet of a network with its length.
    let bytes = value
        .split_once('/')
        .map_or(value, |(host, rest)| if rest.len() < 4 { host } else { value })
        .as_bytes();
    if let [finding] = scan(bytes).as_slice()
        && usize::try_from(finding.length) == Ok(bytes.len())
        && matches!(finding.kind, Kind::Email | Kind::Iban | Kind::Ip | Kind::Coordinates)
    {
        count(finding.kind, "", finding.validation);
    }
    let bare: Vec<u8> = value.bytes().filter(|byte| !matches!(byte, b' ' | b'-')).collect();
    if card::number(&bare).is_some() {
        count(Kind::Card, "", Validation::Checksum);
    }
    match phone::whole(value.as_bytes()) {
        Some(phone::NATIONAL) => count(Kind::Phone, phone::NATIONAL, Validation::Plan),
        Some(_) => count(Kind::Phone, "", Validation::Plan),
        None => {}
    }
    for (scheme, validation) in national::whole(value.as_bytes()) {
        count(Kind::NationalId, scheme.name, validation);
    }
    if is_hardware(value) {
        count(Kind::Device, "", Validation::Form);
    }
}

/// The chance of a value that is something else, and the most that this kind's values are worth without a name.
fn odds(kind: Kind, scheme: &'static str) -> (f64, f64) {
    match kind {
        Kind::Phone if scheme == phone::NATIONAL => (0.5, 0.4),
        Kind::Phone => (0.01, 0.95),
        Kind::Card => (0.02, 0.97),
        Kind::Ip => (0.01, 0.9),
        Kind::Coordinates => (0.01, 0.9),
        Kind::NationalId => {
            national::one_in(scheme).map_or((1.0, 0.0), |one_in| (1.0 / f64::from(one_in), 0.93))
        }
        _ => (0.001, 0.98),
    }
}

/// Six pairs of hexadecimal digits.
fn is_hardware(value: &str) -> bool {
    let pairs = value.split([':', '-']);
    value.len() == 17
        && pairs.clone().count() == 6
        && pairs.clone().all(|pair| u8::from_str_radix(pair, 16).is_ok())
}

/// Versions of four numbers are written as addresses are.
pub(super) fn is_version(name: &str) -> bool {
    let name = name.to_lowercase();
    ["version", "release", "build", "revision"].iter().any(|word| name.contains(word))
}
