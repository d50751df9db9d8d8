//! One pool role at one site: what PostgreSQL counted for it against what the record explains. The record is read a
//! little longer than the counters, so that what was executed before and recorded after is explained; and what it
//! explains beyond what was counted is dropped when the role is at rest, so that it explains nothing later.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tlog::{
    detail::Statement,
    entry::{CountState, Micros},
};

use super::SECOND_US;

/// Statements and rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub calls: i64,
    pub rows: i64,
}

impl Count {
    pub fn plus(self, other: Count) -> Count {
        Count { calls: self.calls.saturating_add(other.calls), rows: self.rows.saturating_add(other.rows) }
    }

    pub fn minus(self, other: Count) -> Count {
        Count { calls: self.calls.saturating_sub(other.calls), rows: self.rows.saturating_sub(other.rows) }
    }

    /// What is above nothing.
    fn over(self) -> Count {
        Count { calls: self.calls.max(0), rows: self.rows.max(0) }
    }
}

/// What the counters of a role say beyond the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surplus {
    pub over: Count,
    /// What the record explains of the same time.
    pub due: Count,
    /// A session of the role ended in that time: what it had asked and was not shown is in no entry.
    pub abandoned: bool,
}

/// The account of a role.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// The role's number: one that was made anew counts from nothing.
    number: i64,
    base: Count,
    counted: Count,
    /// What entries explain, with when the monitor received them; older ones are put together.
    due: VecDeque<(i64, Count)>,
    /// What was told already.
    told: Count,
    /// Sessions that are open.
    live: u32,
    /// A session ended since the base.
    ended: bool,
    /// Windows of the result that is being shown, if one is.
    windows: Option<i64>,
    /// Statements that were recorded before they ran, and whose end was not.
    writes: i64,
}

/// Entries that are kept apart; older ones are put together.
const DUE_MAX: usize = 1_024;

impl Account {
    pub fn opened(&mut self) {
        self.live = self.live.saturating_add(1);
    }

    pub fn closed(&mut self) {
        self.live = self.live.saturating_sub(1);
        (self.ended, self.windows, self.writes) = (true, None, 0);
    }

    /// The gate ended: nothing is open.
    pub fn abandon(&mut self) {
        if self.live > 0 {
            (self.live, self.ended, self.windows, self.writes) = (0, true, None, 0);
        }
    }

    /// What the record said is not all known.
    pub fn missed(&mut self) {
        (self.ended, self.windows, self.writes) = (true, None, 0);
    }

    pub fn wrote(&mut self, received: Micros, statements: u64) {
        let calls = whole(statements);
        self.writes = self.writes.saturating_add(calls);
        self.explain(received, Count { calls, rows: 0 });
    }

    pub fn cut(&mut self, received: Micros) {
        // What the site had worked out beyond what was shown is in no entry.
        (self.ended, self.windows) = (true, None);
        self.explain(received, Count { calls: 1, rows: 0 });
    }

    pub fn released(&mut self, received: Micros, state: CountState, rows: u64, statements: &[Statement]) {
        let mut due = Count::default();
        for statement in statements {
            let written = written(statement);
            due.rows = due.rows.saturating_add(match state {
                CountState::Exact => whole(statement.rows).max(written.unwrap_or(0)),
                // Their rows are in the entry's own count.
                CountState::Window | CountState::Total => written.unwrap_or(0),
            });
            if self.writes > 0 && (written.is_some() || statement.error.is_some()) {
                self.writes = self.writes.saturating_sub(1);
            } else {
                due.calls = due.calls.saturating_add(1);
            }
        }
        match state {
            CountState::Exact => {}
            CountState::Window => {
                due.rows = due.rows.saturating_add(whole(rows));
                self.windows = Some(self.windows.unwrap_or(0).saturating_add(whole(rows)));
            }
            CountState::Total => {
                let authorised = self.windows.take().unwrap_or(0);
                due.rows = due.rows.saturating_add(whole(rows).saturating_sub(authorised));
            }
        }
        self.explain(received, due);
    }

    fn explain(&mut self, received: Micros, due: Count) {
        if self.due.len() >= DUE_MAX
            && let (Some((_, first)), Some((_, second))) = (self.due.pop_front(), self.due.front_mut())
        {
            *second = second.plus(first);
        }
        self.due.push_back((received.0, due));
    }

    /// Takes a reading made at `at`, of which the record is known `settle_us` further. Counters that were set back are
    /// `emptied`.
    pub fn read(
        &mut self,
        number: i64,
        counted: Count,
        at: Micros,
        settle_us: i64,
        emptied: bool,
    ) -> Option<Surplus> {
        if number != self.number || emptied {
            // What is counted now was counted since: nothing before it is held against anybody.
            (self.number, self.base, self.told) = (number, Count::default(), Count::default());
        }
        if counted.calls < self.base.calls {
            self.base = counted;
        }
        self.counted = counted;
        let due = self.due.iter().fold(Count::default(), |sum, (_, due)| sum.plus(*due));
        let over = counted.minus(self.base).minus(due).minus(self.told).over();
        let abandoned = self.ended;
        let quiet_since = at.0.saturating_sub(settle_us);
        let quiet = self.due.back().is_none_or(|(received, _)| *received < quiet_since);
        // While a result is on its way, what was worked out of it may be far ahead of what was shown.
        let surplus = self.windows.is_none() && over != Count::default();
        if surplus {
            self.told = self.told.plus(over);
        }
        if self.windows.is_none() && self.writes == 0 && quiet {
            self.rest();
        }
        surplus.then_some(Surplus { over, due: due.over(), abandoned })
    }

    /// Begins anew from what is counted: the role is at rest.
    fn rest(&mut self) {
        (self.base, self.told, self.ended) = (self.counted, Count::default(), false);
        self.due.clear();
    }

    /// Begins with what was counted before the monitor looked for the first time.
    pub fn begin(&mut self, number: i64, counted: Count, at: Micros, settle_us: i64) {
        (self.number, self.base, self.counted) = (number, counted, counted);
        let since = at.0.saturating_sub(settle_us);
        self.due.retain(|(received, _)| *received >= since);
        // What runs just now began before.
        self.ended = true;
    }

    /// Whether the counters of the same role are less than they were.
    pub fn went_back(&self, number: i64, counted: Count) -> bool {
        let back = counted.minus(self.counted);
        number == self.number && (back.calls < 0 || back.rows < 0)
    }

    /// Whether counters of it were ever read.
    pub fn has_base(&self) -> bool {
        self.number != 0
    }

    /// Whether nothing is remembered that a new account would not know.
    pub fn is_idle(&self, now: Micros) -> bool {
        let old = now.0.saturating_sub(600 * SECOND_US);
        self.live == 0 && self.due.back().is_none_or(|(received, _)| *received < old)
    }
}

/// Rows that a statement wrote, by its tag; none when it is no write.
fn written(statement: &Statement) -> Option<i64> {
    let tag = statement.tag.as_deref()?;
    let word = ["INSERT ", "UPDATE ", "DELETE ", "COPY "].iter().find(|word| tag.starts_with(**word))?;
    // A COPY that shows rows has them counted as rows.
    let copied_out = *word == "COPY " && statement.rows > 0;
    (!copied_out).then(|| tag.rsplit(' ').next().and_then(|rows| rows.parse().ok()).unwrap_or(0))
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
