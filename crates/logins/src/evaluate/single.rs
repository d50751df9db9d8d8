//! Figures about single logins: how often users are asked again when a share of the attackers is to be stopped, and how
//! well the two are told apart at all. Not here: how they were scored (`replay`).
//!
//! What counts. A login of a user of whom no login is known is compared with nothing, and counts neither as a user's nor
//! as an attacker's. A threshold is set on the attackers of the first half of the log's time, for each kind of attacker
//! by itself: the highest by which the share is stopped. The share that it stops is then measured on the attackers of the
//! second half, whose victims are not those of the first. How often a user is asked is counted over the user's first 12
//! and first 39 logins, of all users who have so many; no login of a user had a part in any threshold.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::replay::{Replay, Scored};

/// Shares of attackers to be stopped, as they are named in JSON.
pub const SHARES: [(&str, f64); 3] = [("0.98", 0.98), ("0.99", 0.99), ("0.995", 0.995)];
/// How many logins of each user are looked at.
const AFTER: [usize; 2] = [12, 39];
/// Of fewer attackers, or users, no figure is given.
pub const ATTACKERS_MIN: usize = 10;
pub const USERS_MIN: usize = 5;
const RESAMPLES: u64 = 200;

/// A figure with its interval of 95%, by drawing the attacks again.
#[derive(Debug, Clone, Serialize, Default)]
pub struct Reauth {
    /// Median over users of how often they are asked in their first 12 logins.
    pub after_12: Option<f64>,
    /// In their first 39.
    pub after_39: Option<f64>,
    /// Intervals of both.
    pub interval_12: Option<[f64; 2]>,
    pub interval_39: Option<[f64; 2]>,
    /// Users who have so many logins.
    pub users_12: usize,
    pub users_39: usize,
    /// Share of all users' logins that are asked about, of users with some before.
    pub asked: Option<f64>,
    /// The same by how many logins came before: 1 to 4, and more.
    pub asked_after_few: Option<f64>,
    pub asked_after_many: Option<f64>,
    /// And by how often the user logs in at all: less than 12 times, less than 39, more.
    pub asked_by_frequency: [Option<f64>; 3],
    /// Share of the attackers of the second half that are stopped, and of those whose victims had few logins, or many.
    pub stopped: Option<f64>,
    pub stopped_after_few: Option<f64>,
    pub stopped_after_many: Option<f64>,
    /// Attackers by which the threshold was set, and by which its share was measured.
    pub attackers: [usize; 2],
    /// Why a figure is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// Which of the two scores.
pub(super) type Score = fn(&Scored) -> Option<f32>;

/// A replay's logins as figures need them.
pub(super) struct Singles<'a> {
    legitimate: Vec<&'a Scored>,
    /// Scores of the first logins of each user who has enough, in order.
    first: BTreeMap<u32, Vec<Option<f32>>>,
    logins_of: BTreeMap<u32, u32>,
    attacks: BTreeMap<u16, Halves<'a>>,
    score: Score,
}

#[derive(Default)]
struct Halves<'a> {
    first: Vec<&'a Scored>,
    second: Vec<&'a Scored>,
    /// Attacks at users of whom nothing was known.
    unknown: usize,
}

impl<'a> Singles<'a> {
    pub(super) fn new(replay: &'a Replay, score: Score) -> Self {
        let first_ms = replay.first_ms.unwrap_or(0);
        let middle = first_ms + (replay.last_ms - first_ms) / 2;
        let mut new = Self {
            legitimate: Vec::new(),
            first: BTreeMap::new(),
            logins_of: BTreeMap::new(),
            attacks: BTreeMap::new(),
            score,
        };
        // All of an attack is in the half in which it began.
        let mut begun: BTreeMap<u32, i64> = BTreeMap::new();
        let mut victims = HashSet::new();
        for scored in &replay.scored {
            let Some((kind, cluster)) = scored.attack else {
                *new.logins_of.entry(scored.user).or_default() += 1;
                let first = new.first.entry(scored.user).or_default();
                if first.len() < AFTER[1] {
                    first.push(score(scored).filter(|_| scored.before > 0));
                }
                if scored.before > 0 {
                    new.legitimate.push(scored);
                }
                continue;
            };
            let halves = new.attacks.entry(kind).or_default();
            if scored.before == 0 || score(scored).is_none() {
                halves.unknown += 1;
            } else if *begun.entry(cluster).or_insert(scored.time_ms) < middle {
                victims.insert(scored.user);
                halves.first.push(scored);
            } else if !victims.contains(&scored.user) {
                halves.second.push(scored);
            }
        }
        new
    }

    /// Kinds of attackers who logged in.
    pub(super) fn kinds(&self) -> impl Iterator<Item = u16> {
        self.attacks.keys().copied()
    }

    /// Of how many attackers of a kind nothing can be said, because nothing was known of the victim.
    pub(super) fn unknown(&self, kind: u16) -> usize {
        self.attacks.get(&kind).map_or(0, |halves| halves.unknown)
    }

    /// Chance that an attacker of a kind scores above a user, over the second half of the attackers.
    pub(super) fn auc(&self, kind: u16) -> Option<f64> {
        let second = &self.attacks.get(&kind)?.second;
        let mut users: Vec<f32> = self.legitimate.iter().filter_map(|scored| (self.score)(scored)).collect();
        if second.len() < ATTACKERS_MIN || users.is_empty() {
            return None;
        }
        users.sort_by(f32::total_cmp);
        let wins = second.iter().filter_map(|scored| (self.score)(scored)).map(|score| {
            let below = users.partition_point(|user| *user < score);
            let equal = users.partition_point(|user| *user <= score) - below;
            (below as f64 + equal as f64 / 2.0) / users.len() as f64
        });
        Some(wins.sum::<f64>() / second.len() as f64)
    }

    /// How often users are asked when a share of a kind of attackers is to be stopped.
    pub(super) fn reauth(&self, kind: u16, share: f64) -> Reauth {
        let Some(halves) = self.attacks.get(&kind) else { return Reauth::default() };
        let attackers = [halves.first.len(), halves.second.len()];
        if halves.first.len() < ATTACKERS_MIN {
            let left_out = format!(
                "{} attackers of the first half logged in to known users; a threshold wants {ATTACKERS_MIN}",
                halves.first.len()
            );
            return Reauth { attackers, left_out: Some(left_out), ..Reauth::default() };
        }
        let threshold = threshold(self.scores(&halves.first), share);
        let medians = AFTER.map(|after| self.median(after, threshold));
        let intervals = self.intervals(&halves.first, share);
        let [users_12, users_39] =
            AFTER.map(|after| self.first.values().filter(|first| first.len() >= after).count());
        let few = |scored: &Scored| scored.before < 5;
        let many = |scored: &Scored| scored.before >= 5;
        let of_user = |scored: &Scored| self.logins_of.get(&scored.user).copied().unwrap_or(0);
        let left_out = (medians.iter().any(Option::is_none)).then(|| {
            format!("{users_12} users have 12 logins and {users_39} have 39; a median wants {USERS_MIN}")
        });
        Reauth {
            after_12: medians[0],
            after_39: medians[1],
            interval_12: intervals[0].filter(|_| medians[0].is_some()),
            interval_39: intervals[1].filter(|_| medians[1].is_some()),
            users_12,
            users_39,
            asked: self.above(&self.legitimate, threshold, |_| true),
            asked_after_few: self.above(&self.legitimate, threshold, few),
            asked_after_many: self.above(&self.legitimate, threshold, many),
            asked_by_frequency: [
                self.above(&self.legitimate, threshold, |scored| of_user(scored) < 12),
                self.above(&self.legitimate, threshold, |scored| (12..39).contains(&of_user(scored))),
                self.above(&self.legitimate, threshold, |scored| of_user(scored) >= 39),
            ],
            stopped: self.above(&halves.second, threshold, |_| true),
            stopped_after_few: self.above(&halves.second, threshold, few),
            stopped_after_many: self.above(&halves.second, threshold, many),
            attackers,
            left_out,
        }
    }

    fn scores(&self, attacks: &[&Scored]) -> Vec<f32> {
        attacks.iter().filter_map(|scored| (self.score)(scored)).collect()
    }

    fn above(&self, of: &[&Scored], threshold: f32, is_of: impl Fn(&Scored) -> bool) -> Option<f64> {
        let scores: Vec<f32> =
            of.iter().filter(|scored| is_of(scored)).filter_map(|scored| (self.score)(scored)).collect();
        let above = scores.iter().filter(|score| **score >= threshold).count();
        (!scores.is_empty()).then(|| above as f64 / scores.len() as f64)
    }

    /// Median over users of how many of their first logins are at a threshold or above.
    fn median(&self, after: usize, threshold: f32) -> Option<f64> {
        let mut asked: Vec<usize> = self
            .first
            .values()
            .filter_map(|first| first.get(..after))
            .map(|first| first.iter().flatten().filter(|score| **score >= threshold).count())
            .collect();
        asked.sort_unstable();
        let (low, high) = (asked.get(asked.len().saturating_sub(1) / 2)?, asked.get(asked.len() / 2)?);
        (asked.len() >= USERS_MIN).then(|| (*low + *high) as f64 / 2.0)
    }

    /// What the medians are when the attacks of the first half are drawn again, each as often as it comes.
    fn intervals(&self, attacks: &[&Scored], share: f64) -> [Option<[f64; 2]>; 2] {
        let mut clusters: BTreeMap<u32, Vec<f32>> = BTreeMap::new();
        for scored in attacks {
            let Some((_, cluster)) = scored.attack else { continue };
            clusters.entry(cluster).or_default().extend((self.score)(scored));
        }
        let clusters: Vec<Vec<f32>> = clusters.into_values().collect();
        let mut state = 0x5eed_u64;
        let mut thresholds: Vec<f32> = (0..RESAMPLES)
            .map(|_| {
                let drawn = (0..clusters.len()).flat_map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    clusters.get((state >> 33) as usize % clusters.len()).into_iter().flatten().copied()
                });
                threshold(drawn.collect(), share)
            })
            .collect();
        // The higher the threshold, the less is asked: medians need be counted at the interval's ends alone.
        thresholds.sort_by(|a, b| b.total_cmp(a));
        let at = |share: f64| thresholds.get((thresholds.len() as f64 * share) as usize).copied();
        AFTER.map(|after| Some([self.median(after, at(0.025)?)?, self.median(after, at(0.975)?)?]))
    }
}

/// The highest score that at least a share of the attackers reaches.
fn threshold(mut scores: Vec<f32>, share: f64) -> f32 {
    scores.sort_by(f32::total_cmp);
    let missed = ((1.0 - share) * scores.len() as f64 + 1e-9) as usize;
    scores.get(missed).copied().unwrap_or(f32::NEG_INFINITY)
}

/// A kind of attacker in figures: by share to be stopped.
pub(super) fn reauth_of(singles: &Singles<'_>, kind: u16) -> BTreeMap<&'static str, Reauth> {
    SHARES.iter().map(|(name, share)| (*name, singles.reauth(kind, *share))).collect()
}
