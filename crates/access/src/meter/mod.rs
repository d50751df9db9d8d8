//! The meter: how many rows, bytes and subjects a session is shown, and where a limit cuts it. The gate has one
//! [`Metering`]; each session has a [`Meter`] of it; each statement that answers has a [`Counter`]. Not here: when rows
//! go (the relay), what limits there are (crate `policy`).
//!
//! ```text
//! RowDescription ── Meter::shape ──▶ Shape ── Meter::begin ──▶ Counter ◀── Meter::row, Meter::copy: each row, before it goes
//!                                                                 └── Meter::end ──▶ Subjects, into the entry's detail
//! ```

mod counter;
mod fields;
mod key;
mod limits;
mod shape;
mod sketch;
mod usage;
mod views;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use policy::Permit;
use sql::Reads;
use tlog::detail::Subjects;
use wire::backend::RowDescription;

pub use counter::Counter;
pub use key::SubjectKey;
pub use limits::Exceeded;
pub use shape::Shape;
pub use usage::{Usage, UsageError};
pub use views::Views;

use counter::Total;
use key::ScopeKey;
use limits::{Limits, Taking};
use views::Relations;

/// What the sessions of a gate share.
#[derive(Debug)]
pub struct Metering {
    key: SubjectKey,
    usage: Arc<Usage>,
    /// By site.
    views: RwLock<HashMap<String, Views>>,
}

impl Metering {
    /// A gate's metering with the views of no site yet.
    pub fn new(key: SubjectKey, usage: Usage) -> Self {
        Self { key, usage: Arc::new(usage), views: RwLock::default() }
    }

    /// Notes the views of a site, read at the start and whenever the site was away.
    pub fn set_views(&self, site: &str, views: Views) {
        self.views.write().unwrap_or_else(PoisonError::into_inner).insert(site.to_owned(), views);
    }

    /// The meter of a session at a site. Where views are not known, nothing that is shown has a known origin.
    pub fn session(&self, site: &str, permit: &Permit) -> Meter {
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        let relations = views.get(site).map(|views| views.relations(permit.profile())).unwrap_or_default();
        Meter {
            key: self.key.of_scope(&relations.scope),
            relations,
            limits: Limits::new(permit, Arc::clone(&self.usage)),
            total: Total::default(),
        }
    }

    /// The gate stops: what was reserved and not used of the day's limits is given back.
    pub fn close(&self) -> Result<(), UsageError> {
        self.usage.close()
    }
}

/// The meter of one session.
#[derive(Debug)]
pub struct Meter {
    key: ScopeKey,
    relations: Arc<Relations>,
    limits: Limits,
    total: Total,
}

impl Meter {
    /// What a result shows, by the site's description of it. For COPY: the description of its inner SELECT, then
    /// [`Shape::copied`]; for formats that a Bind asks for, [`Shape::in_formats`].
    pub fn shape(&self, description: &RowDescription<'_>, reads: &Reads) -> Shape {
        Shape::of(description, &self.relations, reads)
    }

    /// A statement begins to answer with rows of this shape. Statements answer one after the other.
    pub fn begin(&mut self, shape: Arc<Shape>) -> Result<Counter, Exceeded> {
        self.limits.begin(&shape)?;
        Ok(Counter::new(shape, self.key.clone()))
    }

    /// Counts a row before it may go: by the body of its DataRow, or as much of it as has arrived, and by the size of
    /// its message. After an error nothing more of the result may go.
    pub fn row(&mut self, counter: &mut Counter, body: &[u8], message_bytes: usize) -> Result<(), Exceeded> {
        counter.row(body);
        self.take(counter, message_bytes)
    }

    /// Counts a CopyData likewise, with whether all of it has arrived. `false` when it is no row: COPY's header or its
    /// trailer.
    pub fn copy(
        &mut self,
        counter: &mut Counter,
        body: &[u8],
        is_whole: bool,
        message_bytes: usize,
    ) -> Result<bool, Exceeded> {
        let is_row = counter.copy(body, is_whole);
        if is_row {
            self.take(counter, message_bytes)?;
        }
        Ok(is_row)
    }

    fn take(&mut self, counter: &Counter, message_bytes: usize) -> Result<(), Exceeded> {
        let bytes = u64::try_from(message_bytes).unwrap_or(u64::MAX);
        self.limits.take(Taking { bytes, fresh: counter.fresh(), unseen: counter.unseen() })
    }

    /// A result has ended, or was cut: whom it showed, for the detail; `None` when it gave no rows.
    pub fn end(&mut self, counter: &Counter) -> Option<Subjects> {
        let shown = counter.total();
        self.total.add(&shown);
        shown.subjects()
    }

    /// Whom the session was shown, for the detail of its close.
    pub fn total(&self) -> Option<Subjects> {
        self.total.subjects()
    }
}

#[cfg(test)]
mod tests;
