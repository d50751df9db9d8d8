//! Many events at once. What is remembered of an event lies in some twenty places of memory, far from each other where
//! users are many. For the next few events these are read together, before the first is judged: waits for memory that do
//! not depend on each other pass at the same time. Not here: anything that changes a judgement.

use std::hint::black_box;

use arrayvec::ArrayVec;

use crate::event::Event;
use crate::judgement::Judgement;
use crate::seen::Seen;

use super::Engine;
use super::features::Features;

/// Events whose memory is read together: what they touch fits the nearest caches.
const TOGETHER: usize = 16;

impl Engine {
    /// Judges events in their order, each by what came before it, as [`Engine::judge`] does one alone, and sooner.
    pub fn judge_all(&mut self, events: &[Event<'_>]) -> Vec<Judgement> {
        let mut judgements = Vec::with_capacity(events.len());
        for events in events.chunks(TOGETHER) {
            let seen: ArrayVec<Seen<'_>, TOGETHER> =
                events.iter().map(|event| Seen::new(&self.key, event)).collect();
            self.reach(&seen);
            judgements.extend(seen.iter().map(|seen| self.judge_seen(seen, &mut Features::default())));
        }
        judgements
    }

    /// Reads where things are said to be, then users' histories. Campaigns' evidence is not worth it: much of what is
    /// asked for is not held.
    fn reach(&self, seen: &[Seen<'_>]) {
        let mut read = 0;
        for seen in seen {
            read ^= self.store.reach_index(seen.user) ^ self.repeats.reach(seen.id);
            read ^= seen.prefix.map_or(0, |prefix| self.everybody.reach(prefix));
            read ^= self.campaigns.reach(seen);
        }
        for seen in seen {
            read ^= self.store.reach_record(seen.user);
        }
        // Nothing is done with it, and it is read all the same.
        black_box(read);
    }
}
