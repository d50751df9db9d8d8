//! Figures about campaigns: how many are found, how soon, and how many findings are of nothing. Not here: single logins
//! (`single`).

use std::collections::BTreeMap;

use risk::Kind;
use serde::Serialize;

use super::replay::{Campaign, Replay};
use super::truth::Truths;

/// How campaigns of one kind are found.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Group {
    /// Share of the campaigns at one of whose events there is a finding of a kind that fits.
    pub recall: Option<f64>,
    /// Its interval of 95 % (Wilson's): each campaign counts once.
    pub recall_interval: Option<[f64; 2]>,
    /// Median seconds from a campaign's first event to that.
    pub seconds_to_detect: Option<f64>,
    /// Findings of the kinds that fit which begin at a user's own event, for a million of users' attempts: as many a day
    /// as a service of a million attempts a day would see.
    pub false_per_million_per_day: Option<f64>,
    /// What that is at most, with 95 % confidence: in a small log also where there is none.
    pub false_at_most: Option<f64>,
    /// How many campaigns there are.
    pub campaigns: usize,
    /// Share of them that has a finding of any kind.
    pub found_as_any: Option<f64>,
    /// Findings that fit and begin at a user's own event.
    pub false_findings: u64,
    /// Nobody knows which findings fit what the log calls this: any of them counts as one that does.
    pub by_any: bool,
    /// Campaigns of which no event could be read; they are not found.
    pub unread: usize,
    /// Why a figure is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// Which findings fit a kind of attack, whatever a log calls it; none where nobody would know.
fn fitting(kind: &str) -> Option<&'static [Kind]> {
    let word: String =
        kind.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
    // A spray and a stuffing are the same to whoever sees single tries at many users: each fits the other.
    const MANY: &[Kind] = &[Kind::Spray, Kind::Stuffing];
    const WORDS: [(&[&str], &[Kind]); 6] = [
        (&["spray", "stuff", "lowandslow", "lowslow", "distributed"], MANY),
        (&["brute", "guess", "dictionary"], &[Kind::BruteForce]),
        (&["replay", "hijack", "token", "session", "cookie"], &[Kind::Replay]),
        (&["mfa", "fatigue", "prompt", "push"], &[Kind::MfaFatigue]),
        (&["takeover", "ato"], &[Kind::Takeover]),
        (&["poison"], &[Kind::Takeover]),
    ];
    WORDS.iter().find(|(words, _)| words.iter().any(|part| word.contains(part))).map(|(_, kinds)| *kinds)
}

/// Every kind of attack that has a finding, or that is of more than single events, in figures.
pub(super) fn groups(replay: &Replay, truths: &Truths) -> BTreeMap<String, Group> {
    let mut by_kind: BTreeMap<u16, (usize, Vec<&Campaign>)> = BTreeMap::new();
    for (kind, cluster) in truths.clusters() {
        let (unread, campaigns) = by_kind.entry(kind).or_default();
        match replay.campaigns.get(&cluster) {
            Some(campaign) => campaigns.push(campaign),
            None => *unread += 1,
        }
    }
    by_kind
        .into_iter()
        .filter(|(kind, (_, campaigns))| {
            fitting(truths.kind(*kind)).is_some() || campaigns.iter().any(|campaign| campaign.events > 1)
        })
        .map(|(kind, (unread, campaigns))| {
            let kind = truths.kind(kind);
            (kind.to_owned(), group(replay, kind, &campaigns, unread))
        })
        .collect()
}

fn group(replay: &Replay, kind: &str, campaigns: &[&Campaign], unread: usize) -> Group {
    let fitting = fitting(kind);
    let kinds = fitting.unwrap_or(&Kind::ALL);
    let mut seconds: Vec<f64> = campaigns
        .iter()
        .filter_map(|campaign| {
            let found = kinds.iter().filter_map(|kind| campaign.found.get(kind)).min()?;
            Some((*found - campaign.first_ms) as f64 / 1000.0)
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let count = campaigns.len() + unread;
    let false_findings = kinds.iter().filter_map(|kind| replay.false_findings.get(kind)).sum();
    let any = campaigns.iter().filter(|campaign| !campaign.found.is_empty()).count();
    Group {
        recall: (count > 0).then(|| seconds.len() as f64 / count as f64),
        recall_interval: interval(seconds.len(), count),
        seconds_to_detect: seconds.get(seconds.len() / 2).copied(),
        false_per_million_per_day: (replay.attempts > 0)
            .then(|| false_findings as f64 * 1e6 / replay.attempts as f64),
        false_at_most: (replay.attempts > 0).then(|| at_most(false_findings) * 1e6 / replay.attempts as f64),
        campaigns: count,
        found_as_any: (count > 0).then(|| any as f64 / count as f64),
        false_findings,
        by_any: fitting.is_none(),
        unread,
        left_out: None,
    }
}

/// Wilson's interval of a share, 95 %.
fn interval(found: usize, of: usize) -> Option<[f64; 2]> {
    const Z: f64 = 1.96;
    let (share, n) = (found as f64 / of as f64, of as f64);
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (of > 0).then(|| [middle - half, middle + half].map(|end| (end / (1.0 + Z * Z / n)).clamp(0.0, 1.0)))
}

/// The highest mean of which so few are seen once in twenty times (Poisson's; Wilson and Hilferty's approximation).
fn at_most(seen: u64) -> f64 {
    const Z: f64 = 1.645;
    let more = seen as f64 + 1.0;
    more * (1.0 - 1.0 / (9.0 * more) + Z / (3.0 * more.sqrt())).powi(3)
}

/// The same kinds for whoever has no findings at all.
pub(super) fn none(groups: &BTreeMap<String, Group>) -> BTreeMap<String, Group> {
    let why = "the baseline looks at one login at a time and finds no campaign";
    let none = |group: &Group| Group {
        campaigns: group.campaigns,
        left_out: Some(why.to_owned()),
        ..Group::default()
    };
    groups.iter().map(|(kind, group)| (kind.clone(), none(group))).collect()
}

#[cfg(test)]
mod tests {
    use super::{at_most, interval};

    #[test]
    fn intervals_are_as_in_tables() {
        for (found, of, wanted) in [(30, 30, [0.886, 1.0]), (0, 10, [0.0, 0.278]), (15, 30, [0.331, 0.669])] {
            let got = interval(found, of).unwrap();
            assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 2e-3), "{got:?}");
        }
        assert_eq!(interval(0, 0), None);
        for (seen, wanted) in [(0, 3.0), (1, 4.74), (5, 10.51), (20, 29.06)] {
            assert!((at_most(seen) - wanted).abs() < 0.05, "{seen}: {}", at_most(seen));
        }
    }
}
