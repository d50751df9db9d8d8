//! The queue of replies that a server owes: which request a reply answers, and when all that was owed before a
//! Flush has come. Each expectation carries a token of the caller's. Not here: reading bodies, holding bytes.

use std::collections::VecDeque;

use crate::Violation;
use crate::backend::Tag;
use crate::codec::Tag as _;
use crate::frontend::{Message, Target};

/// The most expectations and Flush marks that one session may have outstanding.
pub const OWED_MAX: usize = 65_536;

/// A message sent to the server that it must answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    Parse,
    Bind,
    Close,
    DescribeStatement,
    DescribePortal,
    Execute,
    Query,
    Sync,
}

impl Expect {
    /// What a client message makes the server owe. `None` for Flush (`Expected::push_flush`), Terminate, COPY data and
    /// what the gate never relays: FunctionCall, passwords.
    pub fn of(message: &Message<'_>) -> Option<Expect> {
        Some(match message {
            Message::Query(_) => Expect::Query,
            Message::Parse(_) => Expect::Parse,
            Message::Bind(_) => Expect::Bind,
            Message::Describe(Target::Statement(_)) => Expect::DescribeStatement,
            Message::Describe(Target::Portal(_)) => Expect::DescribePortal,
            Message::Execute { .. } => Expect::Execute,
            Message::Close(_) => Expect::Close,
            Message::Sync => Expect::Sync,
            Message::Flush
            | Message::Terminate
            | Message::Password(_)
            | Message::FunctionCall(_)
            | Message::CopyData(_)
            | Message::CopyDone
            | Message::CopyFail(_) => return None,
        })
    }
}

/// What became of an expectation that was pushed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Pushed<T> {
    Owed,
    /// The server has reported an error and skips to the next Sync: this will never be answered.
    Skipped(T),
}

/// What became of a Flush mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flush {
    /// Nothing is owed: what is held is due now.
    Reached,
    /// `Ended::flush_reached` will tell.
    Later,
}

/// What a reply answers.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Step<'q, T> {
    /// A notice, a setting's value or a notification: it answers nothing and uses up nothing.
    Asynchronous,
    /// An ErrorResponse while nothing is owed: the server is about to end the session.
    Unasked,
    /// A part of the answer; more is owed.
    Part { of: Expect, token: &'q mut T },
    /// The end of the answer.
    End(Ended<T>),
}

/// An expectation that has been met, or ended by an error.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended<T> {
    pub of: Expect,
    pub token: T,
    /// The expectations that an ErrorResponse took with it, up to but without the next Sync.
    pub skipped: Vec<(Expect, T)>,
    /// All replies owed before a Flush have come: what is held is due now.
    pub flush_reached: bool,
}

#[derive(Debug)]
enum Owed<T> {
    Reply(Expect, T),
    Flush,
}

/// How far the answer at the front has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Begun,
    /// After a statement's ParameterDescription.
    Described,
    /// Inside the rows of a simple query.
    Rows,
    /// The server gives COPY data.
    CopyOut,
    /// The server takes COPY data. It answers neither Sync nor Flush until that ends: send none.
    CopyIn,
    /// After an error that leaves a ReadyForQuery owed.
    Failed,
}

/// The replies owed to one session, oldest first.
#[derive(Debug)]
pub struct Expected<T> {
    /// Never begins with a Flush mark: a mark that reaches the front is reported and taken off.
    owed: VecDeque<Owed<T>>,
    front: Progress,
    /// The server skips to a Sync that has not been sent yet. The queue is empty then.
    skipping: bool,
}

impl<T> Default for Expected<T> {
    fn default() -> Self {
        Expected { owed: VecDeque::new(), front: Progress::Begun, skipping: false }
    }
}

impl<T> Expected<T> {
    /// Nothing is owed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// How many expectations and Flush marks are outstanding.
    pub fn len(&self) -> usize {
        self.owed.len()
    }

    /// Whether the server is skipping what it is sent, up to a Sync.
    pub fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// The oldest expectation that has not been met.
    pub fn front(&self) -> Option<(Expect, &T)> {
        match self.owed.front() {
            Some(Owed::Reply(of, token)) => Some((*of, token)),
            Some(Owed::Flush) | None => None,
        }
    }

    /// The oldest expectation that has not been met, to be changed.
    pub fn front_mut(&mut self) -> Option<(Expect, &mut T)> {
        match self.owed.front_mut() {
            Some(Owed::Reply(of, token)) => Some((*of, token)),
            Some(Owed::Flush) | None => None,
        }
    }

    /// Notes a message sent to the server.
    pub fn push(&mut self, of: Expect, token: T) -> Result<Pushed<T>, Violation> {
        if self.skipping && of != Expect::Sync {
            return Ok(Pushed::Skipped(token));
        }
        self.room()?;
        self.skipping = false;
        self.owed.push_back(Owed::Reply(of, token));
        Ok(Pushed::Owed)
    }

    /// Notes a Flush sent to the server, which brings no reply of its own.
    pub fn push_flush(&mut self) -> Result<Flush, Violation> {
        match self.owed.back() {
            None => Ok(Flush::Reached),
            Some(Owed::Flush) => Ok(Flush::Later),
            Some(Owed::Reply(..)) => {
                self.room()?;
                self.owed.push_back(Owed::Flush);
                Ok(Flush::Later)
            }
        }
    }

    fn room(&self) -> Result<(), Violation> {
        if self.owed.len() < OWED_MAX { Ok(()) } else { Err(Violation::TooManyOwed { max: OWED_MAX }) }
    }

    /// Says what a reply answers.
    pub fn on_reply(&mut self, tag: Tag) -> Result<Step<'_, T>, Violation> {
        if matches!(tag, Tag::NoticeResponse | Tag::ParameterStatus | Tag::NotificationResponse) {
            return Ok(Step::Asynchronous);
        }
        let Some(Owed::Reply(of, _)) = self.owed.front() else {
            return match tag {
                Tag::ErrorResponse => Ok(Step::Unasked),
                _ => Err(Violation::NotOwed { tag: tag.name() }),
            };
        };
        let of = *of;
        match advance(of, self.front, tag).ok_or(Violation::NotOwed { tag: tag.name() })? {
            Advance::Part(progress) => {
                self.front = progress;
                self.front_token(tag).map(|token| Step::Part { of, token })
            }
            Advance::End => self.end(tag, Vec::new(), false),
            Advance::Abort => self.abort(tag),
        }
    }

    fn front_token(&mut self, tag: Tag) -> Result<&mut T, Violation> {
        match self.owed.front_mut() {
            Some(Owed::Reply(_, token)) => Ok(token),
            Some(Owed::Flush) | None => Err(Violation::NotOwed { tag: tag.name() }),
        }
    }

    /// Takes the front off, and the Flush marks behind it.
    fn end(
        &mut self,
        tag: Tag,
        skipped: Vec<(Expect, T)>,
        flush_skipped: bool,
    ) -> Result<Step<'_, T>, Violation> {
        let Some(Owed::Reply(of, token)) = self.owed.pop_front() else {
            return Err(Violation::NotOwed { tag: tag.name() });
        };
        self.front = Progress::Begun;
        let mut flush_reached = flush_skipped;
        while matches!(self.owed.front(), Some(Owed::Flush)) {
            self.owed.pop_front();
            flush_reached = true;
        }
        Ok(Step::End(Ended { of, token, skipped, flush_reached }))
    }

    /// Ends the front by an error of the extended protocol: the server skips everything, simple queries and
    /// Flushes too, up to the next Sync, be it in the queue or still to come.
    fn abort(&mut self, tag: Tag) -> Result<Step<'_, T>, Violation> {
        let is_sync = |owed: &Owed<T>| matches!(owed, Owed::Reply(Expect::Sync, _));
        let sync = self.owed.iter().position(is_sync);
        self.skipping = sync.is_none();
        let mut skipped = Vec::new();
        let mut flush_skipped = false;
        // The front itself stays for `end`.
        for owed in self.owed.drain(1..sync.unwrap_or(self.owed.len())) {
            match owed {
                Owed::Reply(of, token) => skipped.push((of, token)),
                Owed::Flush => flush_skipped = true,
            }
        }
        self.end(tag, skipped, flush_skipped)
    }
}

enum Advance {
    Part(Progress),
    End,
    Abort,
}

/// The protocol's grammar of answers (PostgreSQL, "Message Flow"); `None` when `tag` does not fit.
fn advance(of: Expect, front: Progress, tag: Tag) -> Option<Advance> {
    use Progress::{Begun, CopyIn, CopyOut, Described, Failed, Rows};
    Some(match (of, front, tag) {
        (Expect::Query | Expect::Sync, Failed, Tag::ReadyForQuery) => Advance::End,
        (_, Failed, _) => return None,
        // A Sync can fail as well: it commits.
        (Expect::Query | Expect::Sync, _, Tag::ErrorResponse) => Advance::Part(Failed),
        (_, _, Tag::ErrorResponse) => Advance::Abort,
        (Expect::Execute | Expect::Query, Begun, Tag::CopyOutResponse) | (_, CopyOut, Tag::CopyData) => {
            Advance::Part(CopyOut)
        }
        (_, CopyOut, Tag::CopyDone) => Advance::Part(Begun),
        (Expect::Execute | Expect::Query, Begun, Tag::CopyInResponse) => Advance::Part(CopyIn),
        (_, CopyOut, _) => return None,
        (Expect::Query, CopyIn, Tag::CommandComplete) => Advance::Part(Begun),
        (Expect::Execute, CopyIn, Tag::CommandComplete) => Advance::End,
        (_, CopyIn, _) => return None,
        (Expect::Parse, _, Tag::ParseComplete)
        | (Expect::Bind, _, Tag::BindComplete)
        | (Expect::Close, _, Tag::CloseComplete)
        | (Expect::Sync, _, Tag::ReadyForQuery)
        | (Expect::DescribePortal, _, Tag::RowDescription | Tag::NoData)
        | (Expect::DescribeStatement, Described, Tag::RowDescription | Tag::NoData)
        | (Expect::Execute, _, Tag::CommandComplete | Tag::EmptyQueryResponse | Tag::PortalSuspended)
        | (Expect::Query, Begun, Tag::ReadyForQuery) => Advance::End,
        (Expect::DescribeStatement, Begun, Tag::ParameterDescription) => Advance::Part(Described),
        (Expect::Execute, _, Tag::DataRow) => Advance::Part(Begun),
        (Expect::Query, _, Tag::RowDescription) | (Expect::Query, Rows, Tag::DataRow) => Advance::Part(Rows),
        (Expect::Query, _, Tag::CommandComplete | Tag::EmptyQueryResponse) => Advance::Part(Begun),
        _ => return None,
    })
}
