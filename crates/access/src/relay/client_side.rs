//! What the client says: each message is judged, noted and passed on, or replaced by one that cannot be parsed, so
//! that the site's transaction and both sides' pipelines take the refusal for what it is, an error. What writes waits
//! for its entry. Not here: the site's answers (`site_side`), COPY data from the client (`copying`).

use std::sync::{MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};
use sql::{Cleared, StatementKind, Transaction, Verdicts};
use tlog::detail::{Committed, WriteStatement};
use tokio::time::Instant;
use wire::codec::{self, Next};
use wire::frontend::{self, Bind, Message, Parse, Tag, Target};
use wire::pipeline::{Expect, Flush, Pushed};

use super::inlet::Before;
use super::refused::Refused;
use super::running::{Running, Source, Token};
use super::statements::{Binding, Bound, Found, Prepared, shown_parameter};
use super::{Phase, Relay, own};
use crate::fault::Fault;

/// The largest message that a client may send.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = frontend::FRONTEND_BYTES_MAX + codec::HEADER_BYTES;
/// Bytes that wait for a slow site before the gate stops listening to the client.
const SITE_BYTES_MAX: usize = 262_144;
/// What goes to the site instead of a refused statement. It is no SQL, whatever the session's state.
const UNPARSABLE: &str = "refused by the gate";

/// What became of a client's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Taken {
    /// It was passed on, replaced or dropped.
    Yes,
    /// As `Yes`, and the client now waits for answers: what it has written so far goes into one entry.
    AndWaits,
    /// What it means depends on what the site has not answered yet.
    Later,
}

impl Relay {
    /// Takes whole messages off what the client has sent.
    pub fn on_client(&mut self, input: &mut BytesMut, now: Instant) -> Result<(), Fault> {
        let violation = |v: wire::Violation| Fault::protocol(v.to_string());
        while self.takes_client() {
            let Next::Frame { frame, whole, .. } = codec::next::<Tag>(input).map_err(violation)? else {
                self.end_of_client();
                break;
            };
            let message = Message::read(frame).map_err(violation)?;
            let (used, taken) = (whole.len(), self.on_message(message, whole)?);
            if taken == Taken::Later {
                self.ask_for_answers();
                break;
            }
            input.advance(used);
            self.timing.word(now);
            if taken == Taken::AndWaits && self.inlet.waits() {
                break;
            }
        }
        if !self.owed.is_empty() {
            self.timing.owed(now);
        }
        if self.detail_is_full() {
            self.ask_for_answers();
        }
        Ok(())
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn takes_client(&self) -> bool {
        !self.over
            && self.inlet.len() < SITE_BYTES_MAX
            && !self.detail_is_full()
            && !self.inlet.has_asked()
            && !self.copying.is_awaited()
    }

    /// A client that says nothing more gets what it has asked for; a COPY it has not finished cannot go on.
    fn end_of_client(&mut self) {
        if self.client_ended {
            self.over |= self.copying.takes_data();
            self.ask_for_answers();
        }
    }

    /// A site keeps its answers until a Sync or a Flush. When no more is taken from the client until they are there,
    /// and it has sent neither, they have to be asked for.
    fn ask_for_answers(&mut self) {
        if !self.flushed && !self.owed.is_empty() {
            frontend::flush(self.inlet.tail());
            self.flushed = true;
        }
    }

    fn on_message(&mut self, message: Message<'_>, whole: &[u8]) -> Result<Taken, Fault> {
        if self.copying.takes_data() {
            return self.on_copy_message(message, whole);
        }
        match message {
            Message::Query(text) => {
                let verdict = self.verdicts().judge(&self.permit, text);
                return match verdict {
                    Ok(cleared) => self.run_query(&cleared),
                    Err(refusal) => self.replace_query(Refused::by_verdict(text, refusal)),
                };
            }
            Message::Parse(parse) => {
                let verdict = self.verdicts().judge_one(&self.permit, parse.text);
                match verdict {
                    Ok(cleared) => self.run_parse(&parse, &cleared)?,
                    Err(refusal) => self.replace_parse(Refused::by_verdict(parse.text, refusal))?,
                }
            }
            Message::Bind(bind) => return self.on_bind(&bind, whole),
            Message::Describe(Target::Statement(name)) => return self.on_describe(name, whole),
            Message::Describe(Target::Portal(name)) => {
                self.names.hopes_described(Target::Portal(name));
                self.pass_on(Expect::DescribePortal, Token::Portal(name.to_owned()), whole)?;
            }
            Message::Execute { portal, .. } => return self.on_execute(portal, whole),
            Message::Close(target) => {
                self.names.close(target);
                self.pass_on(Expect::Close, Token::Closed(Source::of(target)), whole)?;
            }
            Message::Sync => {
                self.pass_on(Expect::Sync, Token::Silent, whole)?;
                self.names.next_stretch();
                return Ok(Taken::AndWaits);
            }
            Message::Flush => {
                self.on_flush(whole)?;
                return Ok(Taken::AndWaits);
            }
            Message::FunctionCall(_) => return self.replace_query(Refused::function_call()),
            Message::Terminate => self.over = true,
            // A COPY has failed while the client was still sending.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => {}
            Message::Password(_) => {
                return Err(Fault::protocol("a password that nothing asked for"));
            }
        }
        Ok(Taken::Yes)
    }

    fn on_bind(&mut self, bind: &Bind<'_>, whole: &[u8]) -> Result<Taken, Fault> {
        // PREPARE makes statements that Bind could reach without a text that the record can show.
        let prepared = match self.names.find_prepared(bind.statement, self.owed.is_empty()) {
            Found::Known(prepared) => prepared,
            Found::Unsure => return Ok(Taken::Later),
            Found::Unknown => {
                self.replace_parse(Refused::unknown("prepared statement", bind.statement))?;
                return Ok(Taken::Yes);
            }
        };
        let parameters: Vec<_> =
            bind.values().map(|(format, value)| shown_parameter(format, value)).collect();
        let results = bind.results();
        let binding = Binding {
            portal: bind.portal.to_owned(),
            statement: bind.statement.to_owned(),
            parameters: parameters.into(),
            formats: (0..results.count()).map(|index| results.of(index)).collect(),
        };
        self.names.bind(prepared, &binding)?;
        self.pass_on(Expect::Bind, Token::Bound(binding), whole)?;
        Ok(Taken::Yes)
    }

    fn on_describe(&mut self, name: &str, whole: &[u8]) -> Result<Taken, Fault> {
        match self.names.find_prepared(name, self.owed.is_empty()) {
            Found::Known(prepared) => {
                self.names.hopes_described(Target::Statement(name));
                let running = Running::description(&prepared, name);
                self.pass_on(Expect::DescribeStatement, Token::Statement(Box::new(running)), whole)?;
            }
            Found::Unsure => return Ok(Taken::Later),
            Found::Unknown => self.replace_parse(Refused::unknown("prepared statement", name))?,
        }
        Ok(Taken::Yes)
    }

    fn on_execute(&mut self, portal: &str, whole: &[u8]) -> Result<Taken, Fault> {
        let bound: Bound = match self.names.find_portal(portal, self.owed.is_empty()) {
            Found::Known(bound) => bound,
            Found::Unsure => return Ok(Taken::Later),
            Found::Unknown => {
                self.replace_parse(Refused::unknown("portal", portal))?;
                return Ok(Taken::Yes);
            }
        };
        match self.hides_more_than_a_read([bound.prepared.judged()]) {
            Found::Known(false) => {}
            Found::Known(true) => {
                self.replace_parse(Refused::more_than_a_read(bound.prepared.text()))?;
                return Ok(Taken::Yes);
            }
            Found::Unknown | Found::Unsure => return Ok(Taken::Later),
        }
        self.describe_portal(portal, &bound)?;
        self.needs_entry(bound.prepared.judged(), &bound.parameters);
        let running = Running::execution(&bound, portal);
        self.pass_on(Expect::Execute, Token::Statement(Box::new(running)), whole)?;
        self.copying_begins([bound.prepared.kind()].into_iter());
        Ok(Taken::Yes)
    }

    fn on_flush(&mut self, whole: &[u8]) -> Result<(), Fault> {
        self.inlet.tail().extend_from_slice(whole);
        self.flushed = true;
        let pushed = self.owed.push_flush().map_err(|v| Fault::protocol(v.to_string()))?;
        if pushed == Flush::Reached && matches!(self.phase, Phase::Running) && self.outlet.holds_something() {
            self.phase = Phase::Due(self.outlet.due_at_end());
        }
        Ok(())
    }

    /// What writes, and the end of a transaction that wrote, is not sent before its entry is witnessed.
    fn needs_entry(&mut self, judged: &sql::Statement, parameters: &[Option<String>]) {
        if self.owed.is_skipping() {
            return;
        }
        if judged.kind().writes() {
            self.writes_open = self.writes_open.saturating_add(1);
            let written = WriteStatement { text: judged.text().to_owned(), parameters: parameters.to_vec() };
            self.inlet.needs(Before::Writes(vec![written]));
        } else if judged.kind() == StatementKind::Transaction(Transaction::Commit) && self.writes_open > 0 {
            let text = judged.text().to_owned();
            self.inlet.needs(Before::Commit(Committed { writes: self.writes_open, text }));
        }
    }

    /// EXECUTE, FETCH and MOVE run what only a name says: nothing that would need an entry before it.
    fn hides_more_than_a_read<'s>(
        &self,
        statements: impl IntoIterator<Item = &'s sql::Statement>,
    ) -> Found<bool> {
        if self.owed.is_skipping() {
            return Found::Known(false);
        }
        let quiet = self.owed.is_empty();
        let mut found = statements.into_iter().map(|judged| self.names.hides_more_than_a_read(judged, quiet));
        found.find(|found| !matches!(found, Found::Known(false))).unwrap_or(Found::Known(false))
    }

    /// Sends statements that were cleared: the text of the verdict, not the client's.
    fn run_query(&mut self, cleared: &Cleared) -> Result<Taken, Fault> {
        match self.hides_more_than_a_read(cleared.statements()) {
            Found::Known(false) => {}
            Found::Known(true) => return self.replace_query(Refused::more_than_a_read(cleared.text())),
            Found::Unknown | Found::Unsure => return Ok(Taken::Later),
        }
        let sent = match own_of(cleared) {
            Own::No => cleared.sent(),
            Own::Alone(own) => own::stand_in(own),
            Own::AmongOthers => return self.replace_query(Refused::own_among_others()),
        };
        if let [only] = cleared.statements() {
            self.describe_copy(only, true)?;
        }
        for judged in cleared.statements() {
            self.needs_entry(judged, &[]);
        }
        frontend::query(self.inlet.tail(), sent).map_err(unwritable)?;
        let statements = cleared.statements().iter().map(|judged| self.names.cleared(judged)).collect();
        let running = Running::text(statements).ok_or_else(|| Fault::ours("a text of no statement"))?;
        self.expect(Expect::Query, Token::Statement(Box::new(running)))?;
        self.copying_begins(cleared.statements().iter().map(sql::Statement::kind));
        Ok(Taken::AndWaits)
    }

    /// Likewise, to be bound and executed later.
    fn run_parse(&mut self, parse: &Parse<'_>, cleared: &Cleared) -> Result<(), Fault> {
        let types: Vec<u32> = parse.types.collect();
        if types.iter().any(|oid| sql::is_name_type(*oid)) {
            return self.replace_parse(Refused::parameter_of_a_name(parse.text));
        }
        let sent = match own_of(cleared) {
            Own::Alone(own) => own::stand_in(own),
            Own::No | Own::AmongOthers => cleared.sent(),
        };
        let judged = cleared.statements().first().ok_or_else(|| Fault::ours("a text of no statement"))?;
        let prepared: Prepared = self.names.cleared(judged);
        self.names.prepare(parse.name, prepared.clone())?;
        self.describe_copy(judged, false)?;
        frontend::parse(self.inlet.tail(), parse.name, sent, &types).map_err(unwritable)?;
        self.expect(Expect::Parse, Token::Parsed { name: parse.name.to_owned(), prepared })
    }

    /// Sends a message that carries no statement text.
    fn pass_on(&mut self, expect: Expect, token: Token, whole: &[u8]) -> Result<(), Fault> {
        self.inlet.tail().extend_from_slice(whole);
        self.expect(expect, token)
    }

    fn replace_query(&mut self, refused: Refused) -> Result<Taken, Fault> {
        frontend::query(self.inlet.tail(), UNPARSABLE).map_err(unwritable)?;
        self.expect(Expect::Query, Token::Refused(refused))?;
        Ok(Taken::AndWaits)
    }

    fn replace_parse(&mut self, refused: Refused) -> Result<(), Fault> {
        frontend::parse(self.inlet.tail(), "", UNPARSABLE, &[]).map_err(unwritable)?;
        self.expect(Expect::Parse, Token::Refused(refused))
    }

    pub(super) fn expect(&mut self, expect: Expect, token: Token) -> Result<(), Fault> {
        self.at_boundary = matches!(expect, Expect::Query | Expect::Sync);
        self.flushed = self.at_boundary;
        self.detail_bytes = self.detail_bytes.saturating_add(token.detail_bytes());
        match self.owed.push(expect, token).map_err(|v| Fault::protocol(v.to_string()))? {
            Pushed::Owed => {}
            // The site skips it, so nothing of it will be answered, nor recorded.
            Pushed::Skipped(token) => {
                self.detail_bytes = self.detail_bytes.saturating_sub(token.detail_bytes())
            }
        }
        Ok(())
    }
}

/// Whether a text asks for what the gate itself shows.
enum Own {
    No,
    Alone(sql::Own),
    AmongOthers,
}

fn own_of(cleared: &Cleared) -> Own {
    let own = |judged: &sql::Statement| match judged.kind() {
        StatementKind::ShowOwn(own) => Some(own),
        _ => None,
    };
    match cleared.statements() {
        [only] => own(only).map_or(Own::No, Own::Alone),
        several if several.iter().any(|judged| own(judged).is_some()) => Own::AmongOthers,
        _ => Own::No,
    }
}

fn unwritable(error: wire::Unwritable) -> Fault {
    Fault::ours(error.to_string())
}
