//! What an expected reply belongs to, and a statement from when it is sent until it has ended.
//! Not here: what the replies do (`site_side`), what names stand for (`statements`).

use std::collections::VecDeque;

use tlog::detail::Statement;
use wire::frontend::Target;

use super::refused::Refused;
use super::statements::{Binding, Bound, Prepared, parameters_bytes};

/// What an expected reply belongs to.
#[derive(Debug)]
pub enum Token {
    /// Nothing that is accounted: Sync, the rest of a text whose statements have ended.
    Silent,
    /// The description of a portal.
    Portal(String),
    /// What the gate asks for itself; the client is not shown the answer.
    Aside(Aside),
    /// A Parse, recorded only when it fails.
    Parsed { name: String, prepared: Prepared },
    /// A Bind.
    Bound(Binding),
    /// A Close of a statement or a portal.
    Closed(Source),
    /// A text, an execution, or a description of a statement.
    Statement(Box<Running>),
    /// A statement that was replaced by one that cannot be parsed; its error becomes ours.
    Refused(Refused),
}

impl Token {
    /// What is kept until this is answered, and how much an entry's detail may grow by it.
    pub fn detail_bytes(&self) -> usize {
        match self {
            Token::Silent | Token::Closed(_) | Token::Portal(_) | Token::Aside(_) => 0,
            Token::Parsed { prepared, .. } => prepared.text().len().saturating_add(64),
            Token::Bound(binding) => parameters_bytes(&binding.parameters),
            Token::Statement(running) => running.detail_bytes(),
            Token::Refused(refused) => refused.detail_bytes(),
        }
    }
}

/// What the gate asks the site for in the middle of what the client asks for.
#[derive(Debug)]
pub enum Aside {
    /// A description of a portal that the client executes undescribed.
    Portal(String),
    /// The description of the read of a COPY. `shown`: an error of it is shown, as it is the client's.
    Copy { shown: bool, judged: sql::Statement },
    /// What goes with it.
    Step { shown: bool },
}

impl Aside {
    /// Whether an error in answer to this is shown to the client, who misses what it has skipped.
    pub fn is_shown_failing(&self) -> bool {
        match self {
            Aside::Portal(_) => true,
            Aside::Copy { shown, .. } | Aside::Step { shown } => *shown,
        }
    }
}

/// A statement that has not ended, with those that follow it in its text.
#[derive(Debug)]
pub struct Running {
    /// What was judged; `source` says whether that has to be looked at again.
    pub prepared: Prepared,
    /// What it runs, where its own text does not say so: EXECUTE, FETCH.
    pub runs: Option<Prepared>,
    /// Its record, as far as it has come.
    pub statement: Statement,
    /// What comes after it in its text.
    rest: VecDeque<Prepared>,
    pub source: Source,
    /// Whether what is known of it is what the site runs.
    pub is_settled: bool,
    /// Whether an entry has named it and the window that is open is its own: no other statement's rows may use it.
    pub has_window: bool,
}

/// Where a statement comes from.
#[derive(Debug)]
pub enum Source {
    /// Its own text.
    Text,
    /// The extended protocol's name for a statement, which is described.
    Prepared(String),
    /// The extended protocol's name for a portal.
    Portal(String),
}

impl Running {
    /// The statements of a text; `None` if there are none.
    pub fn text(mut statements: VecDeque<Prepared>) -> Option<Self> {
        let first = statements.pop_front()?;
        let statement = first.statement();
        Some(Self { rest: statements, ..Self::new(first, statement, Source::Text) })
    }

    /// An execution of a portal.
    pub fn execution(bound: &Bound, portal: &str) -> Self {
        Self::new(bound.prepared.clone(), bound.statement(), Source::Portal(portal.to_owned()))
    }

    /// A description of a prepared statement.
    pub fn description(prepared: &Prepared, name: &str) -> Self {
        let statement = Statement { tag: Some("DESCRIBE".into()), ..prepared.statement() };
        Self::new(prepared.clone(), statement, Source::Prepared(name.to_owned()))
    }

    fn new(prepared: Prepared, statement: Statement, source: Source) -> Self {
        let rest = VecDeque::new();
        Self { prepared, runs: None, statement, rest, source, is_settled: false, has_window: false }
    }

    /// What it reads.
    pub fn reads(&self) -> &sql::Reads {
        self.runs.as_ref().unwrap_or(&self.prepared).judged().reads()
    }

    /// Its record, and the next statement of the text.
    pub fn end(self) -> (Statement, Option<Self>) {
        (self.statement, Self::text(self.rest))
    }

    /// How much an entry's detail may grow by this.
    pub fn detail_bytes(&self) -> usize {
        let rest: usize = self.rest.iter().map(|next| next.text().len().saturating_add(64)).sum();
        statement_bytes(&self.statement).saturating_add(rest)
    }
}

impl Source {
    /// Of what a Close names.
    pub fn of(target: Target<'_>) -> Self {
        match target {
            Target::Statement(name) => Source::Prepared(name.to_owned()),
            Target::Portal(name) => Source::Portal(name.to_owned()),
        }
    }
}

/// How much an entry's detail grows by a statement; its fixed part is a guess.
pub fn statement_bytes(statement: &Statement) -> usize {
    let parameters: usize = statement.parameters.iter().flatten().map(String::len).sum();
    let cursor = statement.cursor.as_ref().map_or(0, String::len);
    statement.text.len().saturating_add(parameters).saturating_add(cursor).saturating_add(64)
}
