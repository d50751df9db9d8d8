//! What a verdict yields: the text that may be sent, and what is known of each of its statements. Only a verdict
//! makes these; how it is reached is in `verdict`, what a statement reads in `reads`.

use std::ops::Range;
use std::sync::Arc;

use crate::reads::Reads;

/// A text that may be sent to a site under the Permit it was judged by. Only [`judge`](crate::judge),
/// [`judge_one`](crate::judge_one) and [`Verdicts`](crate::Verdicts) make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    text: Arc<str>,
    sent: Option<Arc<str>>,
    statements: Vec<Statement>,
}

impl Cleared {
    pub(crate) fn new(text: Arc<str>, sent: Option<Arc<str>>, statements: Vec<Statement>) -> Self {
        Self { text, sent, statements }
    }

    /// The text, byte for byte as it was judged: what the record shows.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text that goes to the site. It differs from [`text`](Self::text) only in the names of catalogs' schemas.
    pub fn sent(&self) -> &str {
        self.sent.as_deref().unwrap_or(&self.text)
    }

    /// Whether what goes to the site is the text as it came.
    pub(crate) fn is_sent_as_it_came(&self) -> bool {
        self.sent.is_none()
    }

    /// Its statements in order, at least one: a text of nothing but white space and comments is one of kind
    /// [`StatementKind::Empty`]. Each brings one answer of its own.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// One statement of a cleared text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    whole: Arc<str>,
    slice: Range<usize>,
    known: Arc<Known>,
}

/// What is known of a statement apart from its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) kind: StatementKind,
    pub(crate) name: Option<String>,
    pub(crate) reads: Reads,
    pub(crate) copy: Option<Copying>,
}

impl Statement {
    pub(crate) fn new(whole: Arc<str>, slice: Range<usize>, known: Arc<Known>) -> Self {
        Self { whole, slice, known }
    }

    pub(crate) fn known(&self) -> &Arc<Known> {
        &self.known
    }

    /// Its own part of the text, without the semicolon and white space at its ends. Judged alone it gets the same
    /// verdict.
    pub fn text(&self) -> &str {
        self.whole.get(self.slice.clone()).unwrap_or_default()
    }

    /// What it does.
    pub fn kind(&self) -> StatementKind {
        self.known.kind
    }

    /// The prepared statement that PREPARE makes, EXECUTE runs or DEALLOCATE forgets, or the cursor that DECLARE
    /// opens, FETCH and MOVE use or CLOSE closes; `None` for DEALLOCATE ALL, CLOSE ALL and any other statement.
    pub fn name(&self) -> Option<&str> {
        self.known.name.as_deref()
    }

    /// What it reads of the profile. For EXECUTE, FETCH and MOVE: nothing by themselves, see the statement they name.
    pub fn reads(&self) -> &Reads {
        &self.known.reads
    }

    /// How COPY writes or reads its rows.
    pub fn copy_options(&self) -> Option<&CopyOptions> {
        self.known.copy.as_ref().map(|copying| &copying.options)
    }

    /// The SELECT of `COPY (SELECT …) TO STDOUT`, to be described: it has been judged, and is as it goes to the site.
    pub fn copy_query(&self) -> Option<&str> {
        self.known.copy.as_ref().and_then(|copying| copying.query.as_deref())
    }

    /// The columns into which COPY FROM STDIN puts its fields, in their order.
    pub fn copy_columns(&self) -> &[String] {
        self.known.copy.as_ref().map_or(&[], |copying| &copying.columns)
    }
}

/// What a COPY adds to a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copying {
    pub(crate) options: CopyOptions,
    pub(crate) query: Option<String>,
    pub(crate) columns: Vec<String>,
}

/// What a cleared statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// SELECT, VALUES or TABLE, also with WITH.
    Read,
    /// BEGIN, COMMIT and their kin.
    Transaction(Transaction),
    /// SET or RESET of an allowed setting.
    Setting,
    /// SHOW of an allowed setting.
    Show,
    /// SHOW of something that the gate answers by itself. It is never sent.
    ShowOwn(Own),
    /// PREPARE name AS a read.
    Prepare,
    /// EXECUTE name.
    Execute,
    /// DEALLOCATE name or ALL.
    Deallocate,
    /// DISCARD ALL or PLANS: a session like new, as pools ask for.
    Discard,
    /// UNLISTEN, which changes nothing, since nobody may LISTEN.
    Unlisten,
    /// COPY (a read) TO STDOUT.
    CopyOut(CopyFormat),
    /// COPY relation (columns) FROM STDIN.
    CopyIn(CopyFormat),
    /// DECLARE name CURSOR FOR a read; it ends with the transaction.
    Declare,
    /// FETCH from a cursor.
    Fetch,
    /// MOVE in a cursor.
    Move,
    /// CLOSE name or ALL.
    CloseCursor,
    /// INSERT, UPDATE or DELETE.
    Write(Write),
    /// Nothing but white space and comments.
    Empty,
}

impl StatementKind {
    /// Whether it changes what a site holds.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write(_) | Self::CopyIn(_))
    }
}

/// Which transaction command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
}

/// What the gate itself answers a SHOW of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// `SHOW trefoil.session`
    Session,
    /// `SHOW trefoil.profile`
    Profile,
    /// `SHOW trefoil.last_entry`
    LastEntry,
}

/// Which write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Insert,
    Update,
    Delete,
}

/// The format of a COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    Text,
    Csv,
    Binary,
}

/// How COPY tells rows and fields apart, with PostgreSQL's defaults filled in. Of the binary format only `format`
/// means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    /// One byte between fields.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: String,
    /// Whether the first row names the columns.
    pub header: bool,
    /// CSV: the byte around a field.
    pub quote: u8,
    /// CSV: the byte before a quote inside a field.
    pub escape: u8,
}
