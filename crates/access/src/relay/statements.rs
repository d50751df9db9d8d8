//! What a session has prepared and bound, so that every Execute can be recorded with its text and parameters.
//! Not here: verdicts (crate `sql`); only texts that were cleared get in.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sql::StatementKind;
use tlog::detail::Statement;
use wire::codec::Format;
use wire::frontend::Target;

use crate::fault::Fault;
use crate::meter::Shape;

/// Prepared statements and portals of a session together.
const NAMES_MAX: usize = 4_096;
/// Cursors, and statements made by PREPARE, of a session; a text of each is kept.
const SQL_NAMES_MAX: usize = 256;
/// Texts and parameters that a session may have prepared and bound.
const PREPARED_BYTES_MAX: usize = 16_777_216;
/// A longer parameter is recorded by its digest.
const PARAMETER_BYTES_MAX: usize = 16_384;

/// Names of the extended protocol and what they stand for, twice.
///
/// A Parse can fail, be skipped, or name what exists already, while the client has long sent what comes after it. So
/// the record goes by what the site has *confirmed*; what is *hoped* for decides what may be asked at all, and how
/// much memory it takes. Where something may be written, hope is not enough: see [`Names::find_prepared`].
#[derive(Debug)]
pub struct Names {
    confirmed: Side,
    hoped: Side,
    /// Cursors that DECLARE opened, by what the site has confirmed.
    cursors: HashMap<String, Prepared>,
    /// Statements that PREPARE made, likewise.
    sql_prepared: HashMap<String, Prepared>,
    /// Whether something that was hoped for did not come, or was undone by SQL.
    parted: bool,
    /// Whether some statement of the session may write.
    writes: bool,
    /// Messages up to a Sync are a stretch: after an error the site skips the rest of it.
    stretch: u64,
    /// Whether what is not answered yet changes what some name stands for.
    statements_move: bool,
    portals_move: bool,
}

#[derive(Debug, Clone, Default)]
struct Side {
    prepared: HashMap<String, Prepared>,
    portals: HashMap<String, Bound>,
    bytes: usize,
}

/// A statement that was cleared.
#[derive(Debug, Clone)]
pub struct Prepared {
    judged: sql::Statement,
    stretch: u64,
    /// What the site says of its rows, when it has said so.
    shape: Option<Arc<Shape>>,
    /// Whether its rows are described, or will be.
    is_described: bool,
}

/// The values of a Bind, as the record shows them.
pub type Parameters = Arc<[Option<String>]>;

/// A portal: a statement with its parameters.
#[derive(Debug, Clone)]
pub struct Bound {
    pub prepared: Prepared,
    pub parameters: Parameters,
    /// The statement's name.
    of: String,
    /// Of the columns of the result: none, one for all, or one for each.
    formats: Arc<[Format]>,
    /// Whether its rows are described, or will be.
    pub is_described: bool,
    stretch: u64,
}

/// What a Bind says, as it is kept.
#[derive(Debug, Clone)]
pub struct Binding {
    pub portal: String,
    pub statement: String,
    pub parameters: Parameters,
    pub formats: Arc<[Format]>,
}

/// What a name stands for when a message that uses it is sent.
#[derive(Debug)]
pub enum Found<T> {
    Known(T),
    Unknown,
    /// It depends on what the site has not answered yet.
    Unsure,
}

impl Names {
    /// No names. `writes`: whether some statement may write.
    pub fn new(writes: bool) -> Self {
        Self {
            confirmed: Side::default(),
            hoped: Side::default(),
            cursors: HashMap::new(),
            sql_prepared: HashMap::new(),
            parted: false,
            writes,
            stretch: 0,
            statements_move: false,
            portals_move: false,
        }
    }

    /// A Sync was sent.
    pub fn next_stretch(&mut self) {
        self.stretch = self.stretch.saturating_add(1);
    }

    /// All that was sent is answered.
    pub fn all_is_answered(&mut self) {
        (self.statements_move, self.portals_move) = (false, false);
    }

    /// A statement that was cleared, as of now.
    pub fn cleared(&self, judged: &sql::Statement) -> Prepared {
        Prepared { judged: judged.clone(), stretch: self.stretch, shape: None, is_described: false }
    }

    /// Hopes for a statement under a name; the empty name is replaced at will.
    pub fn prepare(&mut self, name: &str, prepared: Prepared) -> Result<(), Fault> {
        self.statements_move = true;
        self.hoped.prepare(name.to_owned(), prepared);
        self.check_bounds()
    }

    /// Hopes for a portal of a statement that is known.
    pub fn bind(&mut self, prepared: Prepared, binding: &Binding) -> Result<(), Fault> {
        let bound = Bound::new(prepared, binding, self.stretch);
        self.portals_move = true;
        self.hoped.bind(binding.portal.clone(), bound);
        self.check_bounds()
    }

    /// Hopes that the rows of a statement or a portal are described.
    pub fn hopes_described(&mut self, target: Target<'_>) {
        let of = match target {
            Target::Statement(name) => Some(name.to_owned()),
            Target::Portal(name) => self.hoped.portals.get_mut(name).map(|bound| {
                bound.is_described = true;
                bound.of.clone()
            }),
        };
        if let Some(prepared) = of.and_then(|of| self.hoped.prepared.get_mut(&of)) {
            prepared.is_described = prepared.is_always_shaped_alike();
        }
    }

    /// Hopes that a name is free again.
    pub fn close(&mut self, target: Target<'_>) {
        match target {
            Target::Statement(_) => self.statements_move = true,
            Target::Portal(_) => self.portals_move = true,
        }
        self.hoped.close(target);
    }

    /// What a statement's name stands for, if all goes well.
    ///
    /// Where something may be written, its entry comes first and must name what will run: what was hoped for in this
    /// stretch either comes or the rest of the stretch is skipped; otherwise it has to be what the site confirmed, with
    /// nothing under way: an error may keep any part of a stretch from being done. `quiet`: the site owes nothing.
    pub fn find_prepared(&self, name: &str, quiet: bool) -> Found<Prepared> {
        let (hoped, confirmed) = (self.hoped.prepared.get(name), self.confirmed.prepared.get(name));
        let of_this_stretch = hoped.is_some_and(|hoped| hoped.stretch == self.stretch);
        if !of_this_stretch && !quiet && self.writes && self.statements_move {
            return Found::Unsure;
        }
        self.find(hoped, confirmed, of_this_stretch, quiet, |a, b| a.text() == b.text())
    }

    /// What a portal's name stands for, likewise.
    pub fn find_portal(&self, name: &str, quiet: bool) -> Found<Bound> {
        let (hoped, confirmed) = (self.hoped.portals.get(name), self.confirmed.portals.get(name));
        let of_this_stretch = hoped.is_some_and(|hoped| hoped.stretch == self.stretch);
        if !of_this_stretch && !quiet && self.writes && self.portals_move {
            return Found::Unsure;
        }
        let same =
            |a: &Bound, b: &Bound| a.prepared.text() == b.prepared.text() && a.parameters == b.parameters;
        self.find(hoped, confirmed, of_this_stretch, quiet, same)
    }

    fn find<T: Clone>(
        &self,
        hoped: Option<&T>,
        confirmed: Option<&T>,
        of_this_stretch: bool,
        quiet: bool,
        same: impl Fn(&T, &T) -> bool,
    ) -> Found<T> {
        let alike = || hoped.zip(confirmed).is_some_and(|(hoped, confirmed)| same(hoped, confirmed));
        let found = if !self.writes || of_this_stretch {
            hoped.or(confirmed)
        } else if quiet || hoped.is_none() || alike() {
            confirmed
        } else {
            return Found::Unsure;
        };
        found.map_or(Found::Unknown, |found| Found::Known(found.clone()))
    }

    /// The site has prepared it.
    pub fn has_prepared(&mut self, name: String, prepared: Prepared) {
        self.confirmed.prepare(name, prepared);
    }

    /// The site has bound what it has under the statement's name.
    pub fn has_bound(&mut self, binding: &Binding) -> Result<(), Fault> {
        let prepared = self.confirmed_statement(&binding.statement)?.clone();
        self.cursors.remove(&binding.portal);
        let bound = Bound::new(prepared, binding, self.stretch);
        self.confirmed.bind(binding.portal.clone(), bound);
        Ok(())
    }

    /// The site has described a statement's rows.
    pub fn has_described_statement(&mut self, name: &str, shape: &Arc<Shape>) {
        if let Some(prepared) = self.confirmed.prepared.get_mut(name)
            && prepared.is_always_shaped_alike()
        {
            prepared.shape = Some(Arc::clone(shape));
            prepared.is_described = true;
        }
    }

    /// The site has described a portal's rows, and with them its statement's.
    pub fn has_described_portal(&mut self, name: &str, shape: &Arc<Shape>) {
        let Some(bound) = self.confirmed.portals.get_mut(name) else {
            return;
        };
        bound.prepared.shape = Some(Arc::clone(shape));
        if let Some(prepared) = self.confirmed.prepared.get_mut(&bound.of)
            && prepared.text() == bound.prepared.text()
            && prepared.is_always_shaped_alike()
        {
            prepared.shape = Some(Arc::clone(shape));
            prepared.is_described = true;
        }
    }

    /// SQL has made a prepared statement.
    pub fn has_sql_prepared(&mut self, name: &str, prepared: Prepared) -> Result<(), Fault> {
        self.has_forgotten(Some(name));
        self.sql_prepared.insert(name.to_owned(), prepared);
        self.check_bounds()
    }

    /// What EXECUTE, FETCH or MOVE runs; `None` for other statements, and where the name is not known.
    pub fn runs(&self, prepared: &Prepared) -> Option<&Prepared> {
        let name = prepared.judged.name()?;
        match prepared.kind() {
            StatementKind::Execute => {
                self.sql_prepared.get(name).or_else(|| self.confirmed.prepared.get(name))
            }
            StatementKind::Fetch | StatementKind::Move => {
                let bound = || self.confirmed.portals.get(name).map(|bound| &bound.prepared);
                self.cursors.get(name).or_else(bound)
            }
            _ => None,
        }
    }

    /// Whether EXECUTE, FETCH or MOVE would run under this name what has an entry of its own before it runs: a write or
    /// a COMMIT that Parse prepared or Bind bound. What SQL prepares and declares only reads. Unsure until the site
    /// owes nothing.
    pub fn hides_more_than_a_read(&self, judged: &sql::Statement, quiet: bool) -> Found<bool> {
        let Some(name) = judged.name().filter(|_| self.writes) else {
            return Found::Known(false);
        };
        let kind = match judged.kind() {
            StatementKind::Execute => self.confirmed.prepared.get(name).map(Prepared::kind),
            StatementKind::Fetch | StatementKind::Move => {
                self.confirmed.portals.get(name).map(|bound| bound.prepared.kind())
            }
            _ => return Found::Known(false),
        };
        if !quiet {
            return Found::Unsure;
        }
        Found::Known(kind.is_some_and(|kind| kind != StatementKind::Read))
    }

    /// The site has closed it.
    pub fn has_closed(&mut self, target: Target<'_>) {
        if let Target::Portal(name) = target {
            self.cursors.remove(name);
        }
        self.confirmed.close(target);
    }

    /// SQL has opened a cursor.
    pub fn has_declared(&mut self, name: &str, declared: Prepared) -> Result<(), Fault> {
        self.parted |= self.confirmed.portals.contains_key(name);
        self.confirmed.close(Target::Portal(name));
        self.cursors.insert(name.to_owned(), declared);
        self.check_bounds()
    }

    /// SQL has closed a cursor, which may be a portal, or all.
    pub fn has_shut(&mut self, name: Option<&str>) {
        self.parted = true;
        match name {
            Some(name) => self.has_closed(Target::Portal(name)),
            None => {
                self.cursors.clear();
                self.confirmed.close_portals();
            }
        }
    }

    /// What FETCH reads: a cursor or a portal.
    pub fn confirmed_cursor(&self, name: &str) -> Result<(&Prepared, Parameters), Fault> {
        if let Some(declared) = self.cursors.get(name) {
            return Ok((declared, [].into()));
        }
        let bound = self.confirmed.portals.get(name).ok_or_else(|| unknown("cursor"))?;
        Ok((&bound.prepared, bound.parameters.clone()))
    }

    /// SQL made or forgot the statement of this name, or forgot all: none that Parse made has the name now.
    pub fn has_forgotten(&mut self, name: Option<&str>) {
        self.parted = true;
        match name {
            Some(name) => {
                self.sql_prepared.remove(name);
                self.confirmed.close(Target::Statement(name));
            }
            None => {
                self.sql_prepared.clear();
                self.confirmed.close_statements();
            }
        }
    }

    /// Something that was asked for was not done.
    pub fn has_failed(&mut self) {
        self.parted = true;
    }

    /// A transaction has ended, and its portals with it. `quiet`: nothing more is under way.
    pub fn transaction_ended(&mut self, quiet: bool) {
        self.confirmed.close_portals();
        self.cursors.clear();
        if !quiet {
            return;
        }
        if std::mem::take(&mut self.parted) {
            self.hoped = self.confirmed.clone();
        } else {
            self.hoped.close_portals();
        }
    }

    /// What the site has under a statement's name.
    pub fn confirmed_statement(&self, name: &str) -> Result<&Prepared, Fault> {
        self.confirmed.prepared.get(name).ok_or_else(|| unknown("prepared statement"))
    }

    /// What the site has under a portal's name.
    pub fn confirmed_portal(&self, name: &str) -> Result<&Bound, Fault> {
        self.confirmed.portals.get(name).ok_or_else(|| unknown("portal"))
    }

    fn check_bounds(&self) -> Result<(), Fault> {
        let too_much_of_sql = self.cursors.len() > SQL_NAMES_MAX || self.sql_prepared.len() > SQL_NAMES_MAX;
        if self.hoped.is_too_much() || self.confirmed.is_too_much() || too_much_of_sql {
            let message = format!(
                "more than {NAMES_MAX} prepared statements and portals, or {PREPARED_BYTES_MAX} bytes of them, in one session"
            );
            return Err(Fault::client("54000", message, Some("Close statements that are no longer used.")));
        }
        Ok(())
    }
}

/// The site did something under a name that only SQL can have made since the gate looked. What it gave cannot be
/// recorded, so it is not released.
fn unknown(what: &str) -> Fault {
    Fault::client("08P01", format!("the site used a {what} whose text the gate does not know"), None)
}

impl Side {
    fn prepare(&mut self, name: String, prepared: Prepared) {
        self.bytes = self.bytes.saturating_add(name.len() + prepared.bytes());
        let size = name.len();
        if let Some(old) = self.prepared.insert(name, prepared) {
            self.bytes = self.bytes.saturating_sub(size + old.bytes());
        }
    }

    fn bind(&mut self, name: String, bound: Bound) {
        self.bytes = self.bytes.saturating_add(name.len() + bound.bytes());
        let size = name.len();
        if let Some(old) = self.portals.insert(name, bound) {
            self.bytes = self.bytes.saturating_sub(size + old.bytes());
        }
    }

    fn close(&mut self, target: Target<'_>) {
        let (name, old) = match target {
            Target::Statement(name) => (name, self.prepared.remove(name).map(|old| old.bytes())),
            Target::Portal(name) => (name, self.portals.remove(name).map(|old| old.bytes())),
        };
        if let Some(old) = old {
            self.bytes = self.bytes.saturating_sub(name.len() + old);
        }
    }

    fn close_statements(&mut self) {
        for (name, prepared) in self.prepared.drain() {
            self.bytes = self.bytes.saturating_sub(name.len() + prepared.bytes());
        }
    }

    fn close_portals(&mut self) {
        for (name, bound) in self.portals.drain() {
            self.bytes = self.bytes.saturating_sub(name.len() + bound.bytes());
        }
    }

    fn is_too_much(&self) -> bool {
        self.prepared.len() + self.portals.len() > NAMES_MAX || self.bytes > PREPARED_BYTES_MAX
    }
}

impl Prepared {
    /// What was judged.
    pub fn judged(&self) -> &sql::Statement {
        &self.judged
    }

    /// Notes the shape of its rows.
    #[must_use]
    pub fn shaped(mut self, shape: Option<Arc<Shape>>) -> Self {
        self.shape = shape.or(self.shape);
        self
    }

    /// Its text, as it is recorded.
    pub fn text(&self) -> &str {
        self.judged.text()
    }

    /// What it does.
    pub fn kind(&self) -> StatementKind {
        self.judged.kind()
    }

    /// Whether a description of it holds for all its executions: what a name stands for in EXECUTE or FETCH changes.
    fn is_always_shaped_alike(&self) -> bool {
        !matches!(self.kind(), StatementKind::Execute | StatementKind::Fetch | StatementKind::Move)
    }

    fn bytes(&self) -> usize {
        self.text().len()
    }

    /// The record of it, without parameters.
    pub fn statement(&self) -> Statement {
        record_of(self.text(), Vec::new())
    }
}

impl Bound {
    fn new(prepared: Prepared, binding: &Binding, stretch: u64) -> Self {
        Self {
            is_described: prepared.is_described,
            prepared,
            parameters: binding.parameters.clone(),
            of: binding.statement.clone(),
            formats: binding.formats.clone(),
            stretch,
        }
    }

    /// The shape of its rows, in the formats that it asks for; COPY writes in its own.
    pub fn shape(&self) -> Option<Arc<Shape>> {
        let shape = self.prepared.shape.as_ref()?;
        match self.prepared.kind() {
            StatementKind::CopyOut(_) => Some(Arc::clone(shape)),
            _ => Some(Arc::new(Shape::clone(shape).in_formats(&self.formats))),
        }
    }

    fn bytes(&self) -> usize {
        self.prepared.bytes() + parameters_bytes(&self.parameters) + size_of_val(&*self.formats)
    }

    /// The record of one execution.
    pub fn statement(&self) -> Statement {
        record_of(self.prepared.text(), self.parameters.to_vec())
    }
}

/// Memory that parameters take.
pub fn parameters_bytes(parameters: &[Option<String>]) -> usize {
    let texts: usize = parameters.iter().flatten().map(String::len).sum();
    texts + size_of_val(parameters)
}

/// The record of a statement that has not answered yet.
fn record_of(text: &str, parameters: Vec<Option<String>>) -> Statement {
    Statement {
        text: text.to_owned(),
        parameters,
        rows: 0,
        bytes: 0,
        tag: None,
        error: None,
        cursor: None,
        subjects: None,
    }
}

/// A parameter as the record shows it: text as it is, binary as `\\x…`, a large one by its digest.
pub fn shown_parameter(format: Format, value: Option<&[u8]>) -> Option<String> {
    let value = value?;
    if value.len() > PARAMETER_BYTES_MAX {
        return Some(format!("sha256 {} of {} bytes", hex(&Sha256::digest(value)), value.len()));
    }
    match std::str::from_utf8(value) {
        Ok(text) if format == Format::Text => Some(text.to_owned()),
        _ => Some(format!("\\x{}", hex(value))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
