//! The campaigns that are under way: their numbers, counts, and what was told of them. Not here: what makes a campaign
//! (`crowd`, `siege`, `session`).

use super::count::{DAY_MS, Distinct, bits};
use super::crowd::Crowd;
use super::store::{Kept, Table, mix, stored};
use crate::judgement::{Action, Finding, Kind};

/// A campaign of which nothing was seen for this long is over: what comes next is another.
const QUIET_MS: i64 = DAY_MS;
/// It is told again when it has grown by this factor.
const GROWN: u64 = 4;

stored! {
    /// A campaign.
    pub(super) struct Campaign {
        kind: u8,
        since_ms: i64,
        last_ms: i64,
        attempts: u64,
        successes: u64,
        users: Distinct,
        sources: Distinct,
        told_attempts: u64,
        told_successes: u64,
    }
}

impl Kept for Campaign {
    fn worth_ms(&self) -> i64 {
        self.last_ms
    }
}

/// How an event adds to a campaign.
#[derive(Clone, Copy)]
pub(super) struct Added {
    pub(super) now_ms: i64,
    pub(super) user: u64,
    pub(super) source: u64,
    pub(super) is_success: bool,
}

/// What a campaign had counted when it was found.
pub(super) struct Begun {
    pub(super) since_ms: i64,
    pub(super) attempts: u64,
    pub(super) successes: u64,
    pub(super) users: Distinct,
    pub(super) sources: Distinct,
}

impl Begun {
    /// Of a crowd. The event that completes it is still to be added.
    pub(super) fn of(crowd: &Crowd) -> Self {
        Self {
            since_ms: crowd.since_ms,
            attempts: u64::from(crowd.tries.saturating_sub(1)),
            successes: u64::from(crowd.hits),
            users: crowd.users,
            sources: crowd.sources,
        }
    }

    /// Of what was done to one user, by these sources (a set of bits). The event that completes it is still to be added, with
    /// its source, which is one of them.
    pub(super) fn at(user: u64, since_ms: i64, attempts: u32, sources: u64) -> Self {
        let mut begun = Self {
            since_ms,
            attempts: u64::from(attempts.saturating_sub(1)),
            successes: 0,
            users: Distinct::default(),
            sources: Distinct::default(),
        };
        begun.users.add(user);
        (1..bits(sources)).for_each(|source| begun.sources.add(mix(source, user)));
        begun
    }
}

/// All campaigns under way.
pub(super) struct Ledger(pub(super) Table<Campaign>);

impl Ledger {
    /// Whether a campaign is under way.
    pub(super) fn is_live(&self, id: u64, now_ms: i64) -> bool {
        id != 0 && self.0.get(id).is_some_and(|campaign| now_ms - campaign.last_ms < QUIET_MS)
    }

    /// Whether a campaign is of a kind.
    pub(super) fn is_of(&self, id: u64, kind: Kind) -> bool {
        self.0.get(id).is_some_and(|campaign| campaign.kind == kind as u8)
    }

    /// Opens a campaign of what has this key. The event that completes it is counted by `add`.
    pub(super) fn open(&mut self, kind: Kind, key: u64, begun: Begun) -> u64 {
        let id = mix(mix(key, kind as u64 + 1), begun.since_ms as u64).max(1);
        *self.0.entry(id, begun.since_ms) = Campaign {
            kind: kind as u8,
            since_ms: begun.since_ms,
            attempts: begun.attempts,
            successes: begun.successes,
            users: begun.users,
            sources: begun.sources,
            ..Campaign::default()
        };
        id
    }

    /// Counts an event and gives the finding where there is something to tell: a new campaign, a new part of it
    /// (`is_joined`), a first success, much growth, or another kind.
    pub(super) fn add(
        &mut self,
        id: u64,
        added: Added,
        (kind, action): (Kind, Action),
        is_joined: bool,
    ) -> Option<Finding> {
        let campaign = self.0.get_mut(id)?;
        campaign.last_ms = campaign.last_ms.max(added.now_ms);
        campaign.attempts += u64::from(!added.is_success);
        campaign.successes += u64::from(added.is_success);
        campaign.users.add(added.user);
        if added.source != 0 {
            campaign.sources.add(added.source);
        }
        let is_new = campaign.told_attempts == 0;
        let has_grown = campaign.attempts >= GROWN * campaign.told_attempts.max(1)
            || campaign.successes >= (GROWN * campaign.told_successes).max(1);
        // More of it may show better what it is.
        let is_other = campaign.kind != kind as u8 && campaign.attempts >= 2 * campaign.told_attempts;
        if !is_new && !is_joined && !has_grown && !is_other {
            return None;
        }
        campaign.kind = kind as u8;
        campaign.told_attempts = campaign.attempts.max(1);
        campaign.told_successes = campaign.successes;
        Some(Finding {
            kind,
            id,
            is_new,
            since_ms: campaign.since_ms,
            attempts: campaign.attempts + campaign.successes,
            users: campaign.users.count(),
            sources: campaign.sources.count(),
            successes: campaign.successes,
            action,
        })
    }
}
