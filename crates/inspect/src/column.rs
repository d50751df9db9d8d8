//! What a column of a table holds, judged by its values: how many of them a checksum or a plan speaks for, how likely
//! that is by chance, how distinct they are; the column's name is only further evidence. Not here: classes and tables.

mod hint;
mod tally;

use std::collections::BTreeSet;

use crate::{Kind, names};
pub use hint::{Hint, hint};
use tally::{Tally, tally};

/// Distinct values that are judged; more tell nothing new.
const DISTINCT_MAX: usize = 2_000;
/// Fewer distinct values than this are weak evidence of anything.
const DISTINCT_ENOUGH: usize = 5;
/// What a column's own name is worth when no value says anything.
const BY_NAME_ALONE: f64 = 0.5;

/// A column and some of its values.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// As the database has it.
    pub name: &'a str,
    /// Of some rows, as text, without NULLs; may repeat.
    pub values: &'a [&'a str],
}

/// What a column seems to hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Judgement {
    /// Nothing that identifies, or this.
    pub kind: Option<Kind>,
    /// As in [`crate::Finding`].
    pub scheme: &'static str,
    /// From 0, nothing speaks for it, to 1.
    pub confidence: f64,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
}

impl Judgement {
    fn of(kind: Kind, scheme: &'static str, confidence: f64, reason: String) -> Self {
        Self { kind: Some(kind), scheme, confidence, reasons: vec![reason] }
    }
}

/// Judges a column.
pub fn judge(column: &Column<'_>) -> Judgement {
    let values = column.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
    let distinct: BTreeSet<&str> = values.clone().collect();
    let total = values.count();
    let sample: Vec<&str> = spread(&distinct);
    let hint = hint(column.name);
    let tally = tally(&sample);
    let version = tally::is_version(column.name);
    let mut candidates: Vec<Judgement> = tally
        .iter()
        .filter(|tally| !(version && tally.kind == Kind::Ip))
        .filter_map(|tally| by_values(tally, sample.len(), hint))
        .collect();
    candidates.extend(by_shape(&sample, total, hint));
    candidates.extend(hint.and_then(|hint| by_name(hint, &sample)));
    let best = candidates
        .into_iter()
        .reduce(|best, next| if next.confidence > best.confidence { next } else { best });
    let mut judgement = best.unwrap_or_else(|| nothing(&sample));
    judgement.confidence = (judgement.confidence * 100.0).round() / 100.0;
    if let Some(hint) = hint.filter(|hint| judgement.kind == Some(hint.kind)) {
        judgement.reasons.push(format!("the column's name says {:?}", hint.word));
    }
    judgement
}

/// Not the first ones, which in sorted values are alike.
fn spread<'a>(distinct: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let step = distinct.len().div_ceil(DISTINCT_MAX).max(1);
    distinct.iter().step_by(step).copied().collect()
}

fn nothing(sample: &[&str]) -> Judgement {
    let (confidence, reason) = match sample.len() {
        0 => (0.2, "no values to judge by".to_owned()),
        count => (0.7, format!("none of {count} distinct values is an identifier")),
    };
    Judgement { kind: None, scheme: "", confidence, reasons: vec![reason] }
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { number(part) / number(whole) }
}

/// What values say that can be checked.
fn by_values(tally: &Tally, count: usize, hint: Option<Hint>) -> Option<Judgement> {
    let named = hint.is_some_and(|hint| hint.kind == tally.kind && hint.fits(tally.scheme));
    // Any nine digits are somebody's number in some country.
    if tally.most < BY_NAME_ALONE && !named {
        return None;
    }
    let valid = share(tally.valid, count);
    let formed = share(tally.valid.saturating_add(tally.formed), count);
    // Many kinds of numbers pass a weak check by chance; a column of them passes as a whole or not at all.
    let least = if tally.chance > 0.005 && !named { 0.9 } else { 0.5 };
    let says = |share: f64, what: &str| format!("{:.0} % of {count} distinct values {what}", share * 100.0);
    let kind = describe(tally);
    if valid >= least {
        let luck = tally.chance.powi(i32::try_from(tally.valid.min(64)).unwrap_or(64));
        let alone = valid * (1.0 - luck) * if count < DISTINCT_ENOUGH { 0.7 } else { 1.0 };
        let capped = if named { alone.max(1.0 - (1.0 - alone) / 2.0) } else { alone.min(tally.most) };
        return Some(Judgement::of(
            tally.kind,
            tally.scheme,
            capped.min(0.99),
            says(valid, &format!("are {kind}")),
        ));
    }
    (named && formed >= 0.5).then(|| {
        let reason = says(formed, &format!("look like {kind}, without a checksum that holds"));
        Judgement::of(tally.kind, tally.scheme, 0.5 + formed * 0.2, reason)
    })
}

fn describe(tally: &Tally) -> String {
    let name = match tally.kind {
        Kind::Email => "e-mail addresses",
        Kind::Phone => "telephone numbers",
        Kind::Iban => "IBANs",
        Kind::Card => "card numbers",
        Kind::Ip => "internet addresses",
        Kind::Coordinates => "coordinates",
        Kind::Device => "hardware addresses",
        _ => "national numbers",
    };
    if tally.kind == Kind::NationalId { format!("{name} ({})", tally.scheme) } else { name.to_owned() }
}

/// What values look like that cannot be checked: names, and what somebody wrote.
fn by_shape(sample: &[&str], total: usize, hint: Option<Hint>) -> Vec<Judgement> {
    let count = sample.len();
    let of = |such: &dyn Fn(&str) -> bool| share(sample.iter().filter(|value| such(value)).count(), count);
    let mut found = Vec::new();
    let (like, given) = (of(&names::is_like), of(&names::has_given));
    let named = hint.is_some_and(|hint| hint.kind == Kind::Name);
    if count >= DISTINCT_ENOUGH && like >= 0.8 && given >= if named { 0.05 } else { 0.25 } {
        let percent = given * 100.0;
        let reason = format!(
            "{percent:.0} % of {count} distinct values hold a common given name, and all look like names"
        );
        let confidence = if named { 0.85 + given * 0.13 } else { 0.45 + given * 0.45 };
        found.push(Judgement::of(Kind::Name, "", confidence, reason));
    }
    let wordy = of(&|value| value.split_whitespace().count() >= 5);
    let distinct = share(count, total);
    // What a browser says of itself has many words too.
    let other = hint.is_some_and(|hint| hint.whole && hint.kind != Kind::Content);
    if count >= DISTINCT_ENOUGH && wordy >= 0.5 && distinct >= 0.5 && !other {
        let reason = format!("{:.0} % of {count} distinct values are five words or more", wordy * 100.0);
        found.push(Judgement::of(Kind::Content, "", 0.5 + wordy * 0.3, reason));
    }
    let inside = share(sample.iter().filter(|value| holds_inside(value)).count(), count);
    if inside >= 0.02 && count >= DISTINCT_ENOUGH {
        let reason =
            format!("{:.0} % of {count} distinct values hold an identifier among other text", inside * 100.0);
        found.push(Judgement::of(Kind::Content, "", 0.7 + (inside * 0.25).min(0.2), reason));
    }
    found
}

/// Whether an identifier stands in it that is not all of it.
fn holds_inside(value: &str) -> bool {
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    value.len() > 12
        && crate::scan(value.as_bytes()).iter().any(|finding| finding.valid() && finding.length < length / 2)
}

/// What the column's name says, if no value speaks against it.
fn by_name(hint: Hint, sample: &[&str]) -> Option<Judgement> {
    if sample.is_empty() {
        let reason = "no values to judge by; only its name".to_owned();
        return Some(Judgement::of(hint.kind, "", BY_NAME_ALONE, reason));
    }
    let checkable = matches!(
        hint.kind,
        Kind::Email | Kind::Iban | Kind::Card | Kind::Ip | Kind::Phone | Kind::NationalId
    );
    if checkable && !hint.whole {
        return None;
    }
    let fits = |value: &&str| match hint.kind {
        Kind::Name => !value.chars().any(|c| c.is_ascii_digit()) && value.chars().any(char::is_alphabetic),
        Kind::Handle => !value.contains(' ') && value.len() <= 64,
        Kind::Date => value.len() <= 32 && value.bytes().filter(u8::is_ascii_digit).count() >= 4,
        Kind::Coordinates => value.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= 180.0),
        Kind::Content => value.chars().any(char::is_alphabetic),
        Kind::Address => value.chars().any(char::is_alphanumeric),
        Kind::Device => value.len() >= 8,
        Kind::Secret => value.len() >= 4,
        Kind::Phone => value.bytes().filter(u8::is_ascii_digit).count() >= 5 && value.len() <= 24,
        _ => false,
    };
    let fitting = share(sample.iter().filter(|value| fits(value)).count(), sample.len());
    // One value or two of many rows are a code.
    let varied = if sample.len() < 3 { 0.6 } else { 1.0 };
    let worth = if checkable { 0.45 } else { 0.75 };
    (fitting >= 0.5).then(|| {
        let reason =
            format!("{:.0} % of {} distinct values do not speak against it", fitting * 100.0, sample.len());
        Judgement::of(hint.kind, "", worth * fitting * varied * if hint.whole { 1.0 } else { 0.75 }, reason)
    })
}
