//! Verdicts of analysts. They lie over what was learnt and change none of it, so that taking one back leaves nothing: a
//! source marked as an attacker's is held against everybody's logins from it for a while, and what a user's history has of
//! it weighs nothing; what is marked legitimate is the user's. Not here: who may mark.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::bytes;
use crate::everybody::Mix;
use crate::judgement::{Reason, Term, Value};
use crate::key::Tag;

use super::facts::Facts;

/// Verdicts that are held.
pub const MARKS_MAX: usize = 65_536;
/// For how long a verdict is held against or for a source, from the event on.
const SOURCE_MS: i64 = 30 * 86_400_000;
const SAME_USER: f64 = 4.0;
const SAME_CLIENT: f64 = 1.0;
const SOURCE_ATTACK: f64 = 3.0;
const SOURCE_LEGITIMATE: f64 = 1.0;
const ALL_MAX: f64 = 6.0;

/// What an analyst says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It was the user.
    Legitimate,
    /// It was somebody else.
    Attack,
}

/// A verdict and what it is about, in the codes of a history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mark {
    pub id: Tag,
    pub verdict: Verdict,
    pub source: u32,
    pub family: u32,
    pub time_ms: i64,
}

/// There is no room for another verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{MARKS_MAX} verdicts are held and no more fit: take some back with `unmark`")]
pub struct Full;

type Map<V> = HashMap<u64, V, BuildHasherDefault<Mix>>;

/// All verdicts.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    by_user: Map<Vec<Mark>>,
    /// Verdicts about a source, by whom they were about.
    by_source: Map<Vec<(Tag, Tag)>>,
    count: usize,
}

impl Marks {
    /// Keeps a verdict about an event, in place of an earlier one.
    pub fn mark(&mut self, user: Tag, id: Tag, facts: &Facts, verdict: Verdict) -> Result<(), Full> {
        self.unmark(user, id);
        if self.count >= MARKS_MAX {
            return Err(Full);
        }
        let family = facts.agent.map_or(0, |agent| agent.family);
        let mark = Mark { id, verdict, source: facts.source, family, time_ms: facts.time_ms };
        self.insert(user, mark);
        Ok(())
    }

    /// Takes a verdict back. Whether there was one.
    pub fn unmark(&mut self, user: Tag, id: Tag) -> bool {
        let Some(marks) = self.by_user.get_mut(&user.0) else { return false };
        let Some(at) = marks.iter().position(|mark| mark.id == id) else { return false };
        let mark = marks.remove(at);
        if marks.is_empty() {
            self.by_user.remove(&user.0);
        }
        let source = u64::from(mark.source);
        if let Some(sources) = self.by_source.get_mut(&source) {
            sources.retain(|about| *about != (user, id));
            if sources.is_empty() {
                self.by_source.remove(&source);
            }
        }
        self.count -= 1;
        true
    }

    /// Verdicts about a user.
    pub fn of(&self, user: Tag) -> &[Mark] {
        // Nearly always there is none at all.
        if self.count == 0 { &[] } else { self.by_user.get(&user.0).map_or(&[], Vec::as_slice) }
    }

    /// What verdicts say of a login.
    pub fn reason(&self, user: Tag, facts: &Facts) -> Option<Reason> {
        if self.count == 0 {
            return None;
        }
        let family = facts.agent.map_or(0, |agent| agent.family);
        let mut log_odds = 0.0;
        let mut verdicts = 0u64;
        // The last verdict about the same is the one that counts.
        let own = self.of(user).iter().rev();
        if let Some(mark) = own.clone().find(|mark| mark.source != 0 && mark.source == facts.source) {
            log_odds += sign(mark.verdict) * SAME_USER;
            verdicts += 1;
        }
        let is_client =
            |mark: &&Mark| mark.family != 0 && mark.family == family && mark.verdict == Verdict::Legitimate;
        if own.clone().any(|mark| is_client(&mark)) {
            log_odds -= SAME_CLIENT;
            verdicts += 1;
        }
        for (other, id) in self.by_source.get(&u64::from(facts.source)).into_iter().flatten() {
            let marks = self.of(*other);
            let Some(mark) = marks.iter().find(|mark| mark.id == *id && *other != user) else { continue };
            let age = facts.time_ms.saturating_sub(mark.time_ms).max(0);
            let left = 1.0 - age as f64 / SOURCE_MS as f64;
            let weight = if mark.verdict == Verdict::Attack { SOURCE_ATTACK } else { -SOURCE_LEGITIMATE };
            log_odds += weight * left.max(0.0);
            verdicts += 1;
        }
        let log_odds = log_odds.clamp(-ALL_MAX, ALL_MAX);
        let word = if log_odds > 0.0 { "attack" } else { "legitimate" };
        let (observed, expected) = (Value::Word(word), Value::Count(verdicts));
        (log_odds != 0.0).then_some(Reason { term: Term::Mark, log_odds, observed, expected })
    }

    /// Appends them to a snapshot.
    pub fn write(&self, into: &mut Vec<u8>) {
        let mut users: Vec<(&u64, &Vec<Mark>)> = self.by_user.iter().collect();
        users.sort_unstable_by_key(|(user, _)| **user);
        into.extend_from_slice(&(self.count as u64).to_le_bytes());
        for (user, mark) in users.iter().flat_map(|(user, marks)| marks.iter().map(move |mark| (user, mark)))
        {
            into.extend_from_slice(&user.to_le_bytes());
            into.extend_from_slice(&mark.id.0.to_le_bytes());
            into.extend_from_slice(&mark.time_ms.to_le_bytes());
            into.extend_from_slice(&mark.source.to_le_bytes());
            into.extend_from_slice(&mark.family.to_le_bytes());
            into.push(u8::from(mark.verdict == Verdict::Attack));
        }
    }

    /// Reads what [`Marks::write`] wrote, from the front of `from`.
    pub fn read(from: &mut &[u8]) -> Option<Self> {
        let mut new = Self::default();
        for _ in 0..bytes::u64(from)? {
            let (user, id) = (Tag(bytes::u64(from)?), Tag(bytes::u64(from)?));
            let time_ms = i64::from_le_bytes(bytes::take(from)?);
            let (source, family) = (bytes::u32(from)?, bytes::u32(from)?);
            let verdict = match bytes::take(from)? {
                [0] => Verdict::Legitimate,
                [1] => Verdict::Attack,
                _ => return None,
            };
            new.insert(user, Mark { id, verdict, source, family, time_ms });
        }
        Some(new)
    }

    fn insert(&mut self, user: Tag, mark: Mark) {
        if mark.source != 0 {
            // In one order, whatever order they came in, so that their sum is the same after a snapshot.
            let about = self.by_source.entry(mark.source.into()).or_default();
            about.insert(about.partition_point(|other| *other < (user, mark.id)), (user, mark.id));
        }
        self.by_user.entry(user.0).or_default().push(mark);
        self.count += 1;
    }
}

fn sign(verdict: Verdict) -> f64 {
    match verdict {
        Verdict::Legitimate => -1.0,
        Verdict::Attack => 1.0,
    }
}
