//! What is shown to whom, as answers go by: the shape of each result, by the site's own description of it, and each row
//! counted before it may go. Where a client asks for rows without a description, the gate asks for one itself and keeps
//! the answer to itself. Not here: how rows are counted and what limits there are (`meter`).

use std::sync::Arc;

use sql::{Counting, StatementKind};
use tlog::detail::{Cut, Subjects};
use wire::backend::{RowDescription, Tag};
use wire::codec::HEADER_BYTES;
use wire::frontend::{self, Target};
use wire::pipeline::Expect;

use super::outlet::Tally;
use super::running::{Aside, Source, Token};
use super::statements::Bound;
use super::{AskId, Relay};
use crate::fault::{Fault, Shown, Whose};
use crate::meter::{Counter, Exceeded, Shape};

/// Under this name the gate prepares what it has described for itself, and closes it at once.
const ASIDE: &str = "trefoil aside";

/// What is known of the result that is being answered.
#[derive(Debug, Default)]
pub struct Showing {
    shape: Option<Arc<Shape>>,
    counter: Option<Counter>,
    /// Whether the row at the front of what the site has sent is counted already.
    counted: bool,
}

/// A result that a limit has ended.
#[derive(Debug)]
pub enum Cutting {
    /// Its entry is not appended yet.
    Due(Box<Cut>),
    /// The entry is appended; when it is witnessed the session ends.
    Asked(AskId, Box<Cut>),
}

impl Relay {
    /// Before a COPY of a read is sent: its rows have no description of their own, so the read is described first.
    pub(super) fn describe_copy(&mut self, judged: &sql::Statement, simple: bool) -> Result<(), Fault> {
        let Some(query) = judged.copy_query() else {
            return Ok(());
        };
        // In the middle of a stretch a Sync of ours would end what an error makes the site skip.
        if judged.reads().subjects == Counting::None
            || (simple && !self.at_boundary)
            || self.owed.is_skipping()
        {
            return Ok(());
        }
        let out = self.inlet.tail();
        frontend::parse(out, ASIDE, query, &[]).map_err(unwritable)?;
        frontend::describe(out, Target::Statement(ASIDE)).map_err(unwritable)?;
        frontend::close(out, Target::Statement(ASIDE)).map_err(unwritable)?;
        // In a stretch of its own its error is not the client's business: the COPY has the same.
        let shown = !simple;
        let copy = Aside::Copy { shown, judged: judged.clone() };
        self.expect(Expect::Parse, Token::Aside(Aside::Step { shown }))?;
        self.expect(Expect::DescribeStatement, Token::Aside(copy))?;
        self.expect(Expect::Close, Token::Aside(Aside::Step { shown }))?;
        if simple {
            frontend::sync(self.inlet.tail());
            self.expect(Expect::Sync, Token::Aside(Aside::Step { shown }))?;
        }
        Ok(())
    }

    /// Before a portal is executed: unless its rows are described already, or show nothing of the profile.
    pub(super) fn describe_portal(&mut self, portal: &str, bound: &Bound) -> Result<(), Fault> {
        let wanted = match bound.prepared.kind() {
            StatementKind::Read | StatementKind::Write(_) => {
                bound.prepared.judged().reads().subjects != Counting::None
            }
            StatementKind::Execute | StatementKind::Fetch => true,
            _ => false,
        };
        if !wanted || bound.is_described || self.owed.is_skipping() {
            return Ok(());
        }
        frontend::describe(self.inlet.tail(), Target::Portal(portal)).map_err(unwritable)?;
        self.names.hopes_described(Target::Portal(portal));
        self.expect(Expect::DescribePortal, Token::Aside(Aside::Portal(portal.to_owned())))
    }

    /// The site has described the rows that a token is about.
    pub(super) fn has_described(&mut self, token: &Token, body: &[u8]) -> Result<(), Fault> {
        let description =
            RowDescription::read(body).map_err(|v| Fault::site(&self.facts.site, v.to_string()))?;
        match token {
            Token::Statement(running) => {
                let shape = Arc::new(self.meter.shape(&description, running.reads()));
                match &running.source {
                    Source::Prepared(name) => self.names.has_described_statement(name, &shape),
                    Source::Text => self.showing.shape = Some(shape),
                    Source::Portal(_) => {}
                }
            }
            Token::Aside(Aside::Portal(name)) | Token::Portal(name) => {
                if let Ok(bound) = self.names.confirmed_portal(name) {
                    let runs = self.names.runs(&bound.prepared).unwrap_or(&bound.prepared);
                    let shape = Arc::new(self.meter.shape(&description, runs.judged().reads()));
                    self.names.has_described_portal(name, &shape);
                }
            }
            Token::Aside(Aside::Copy { judged, .. }) => {
                let shape = self.meter.shape(&description, judged.reads());
                let options = judged.copy_options().cloned();
                let shape = options.map(|options| Arc::new(shape.copied(options)));
                self.copy_shape = shape.map(|shape| (judged.clone(), shape));
            }
            _ => {}
        }
        Ok(())
    }

    /// The shape of a COPY that was described aside.
    pub(super) fn shape_of_copy(&mut self, judged: &sql::Statement) -> Option<Arc<Shape>> {
        let (described, shape) = self.copy_shape.take()?;
        (described.text() == judged.text()).then_some(shape)
    }

    /// Counts the row at the front of what the site has sent, once. `false`: a limit does not allow it.
    pub(super) fn count(&mut self, tag: Tag, input: &[u8], total: usize) -> Result<bool, Fault> {
        if std::mem::replace(&mut self.showing.counted, true) {
            return Ok(true);
        }
        if self.showing.counter.is_none() {
            let shape = self.shape();
            match self.meter.begin(shape) {
                Ok(counter) => self.showing.counter = Some(counter),
                Err(exceeded) => return Ok(self.cut(exceeded)),
            }
        }
        let (Some(counter), Some((_, Token::Statement(running)))) =
            (&mut self.showing.counter, self.owed.front_mut())
        else {
            return Err(Fault::site(&self.facts.site, "sends rows that no statement asked for"));
        };
        let body = input.get(HEADER_BYTES..total.min(input.len())).unwrap_or_default();
        let counted = if tag == Tag::CopyData {
            self.meter.copy(counter, body, input.len() >= total, total)
        } else {
            self.meter.row(counter, body, total).map(|()| true)
        };
        match counted {
            Ok(is_row) => {
                let statement = &mut running.statement;
                statement.rows = statement.rows.saturating_add(u64::from(is_row));
                statement.bytes = statement.bytes.saturating_add(Tally::row(total).bytes);
                Ok(true)
            }
            Err(exceeded) => Ok(self.cut(exceeded)),
        }
    }

    /// The row that was counted has been taken in.
    pub(super) fn row_is_taken(&mut self) {
        self.showing.counted = false;
    }

    /// The shape of the result at the front.
    fn shape(&mut self) -> Arc<Shape> {
        if let Some(shape) = self.showing.shape.take() {
            return shape;
        }
        let Some((_, Token::Statement(running))) = self.owed.front() else {
            return Arc::new(Shape::nothing());
        };
        let undescribed = Arc::new(Shape::undescribed(running.reads()));
        let known = match &running.source {
            Source::Portal(name) => self.names.confirmed_portal(name).ok().and_then(Bound::shape),
            Source::Text => {
                let judged = running.prepared.judged().clone();
                self.shape_of_copy(&judged)
            }
            Source::Prepared(_) => None,
        };
        known.unwrap_or(undescribed)
    }

    /// A result has ended: whom it showed.
    pub(super) fn end_result(&mut self) -> Option<Subjects> {
        let ended = std::mem::take(&mut self.showing);
        ended.counter.and_then(|counter| self.meter.end(&counter))
    }

    /// A limit ends the result: nothing more of it goes, and the session ends when the entry about it is witnessed.
    fn cut(&mut self, exceeded: Exceeded) -> bool {
        let statement = match self.owed.front() {
            Some((_, Token::Statement(running))) => Some(running.statement.text.clone()),
            _ => None,
        };
        let released = self.outlet.run();
        let subjects = self.end_result();
        self.outlet.forget_held();
        self.cut = Some(Cutting::Due(Box::new(Cut {
            limit: Some(exceeded.limit),
            reason: exceeded.sentence,
            rows: released.rows,
            bytes: released.bytes,
            subjects,
            statement,
        })));
        false
    }
}

/// The end of a session whose result was cut.
pub fn cut_off(cut: &Cut) -> Fault {
    Fault {
        whose: Whose::Policy,
        internal: format!("cut: {}", cut.reason),
        shown: Shown {
            sqlstate: "53400",
            message: cut.reason.clone(),
            hint: Some("Ask for less, or have the limit changed in enclave.toml; `limits` there says why it is there.".into()),
        },
    }
}

fn unwritable(error: wire::Unwritable) -> Fault {
    Fault::ours(error.to_string())
}
