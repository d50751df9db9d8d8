//! What the client says: each message is judged, noted and passed on, or replaced by one that cannot be parsed, so
//! that the site's transaction and both sides' pipelines take the refusal for what it is, an error.
//! Not here: the site's answers.

use bytes::{Buf, BytesMut};
use sql::{Cleared, Refusal};
use tlog::detail::{Stage, Statement};
use tokio::time::Instant;
use wire::codec::{self, Next};
use wire::frontend::{self, Bind, Message, Parse, Tag, Target};
use wire::pipeline::{Expect, Flush, Pushed};

use super::statements::{Bound, Prepared, parameters_bytes, shown_parameter};
use super::{Phase, Refused, Relay, Running, Source, Token};
use crate::fault::Fault;

/// The largest message that a client may send.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = frontend::FRONTEND_BYTES_MAX + codec::HEADER_BYTES;
/// Bytes that wait for a slow site before the gate stops listening to the client.
const SITE_BYTES_MAX: usize = 262_144;
/// What goes to the site instead of a refused statement. It is no SQL, whatever the session's state.
const UNPARSABLE: &str = "refused by the gate";

impl Relay {
    /// Takes whole messages off what the client has sent.
    pub fn on_client(&mut self, input: &mut BytesMut, now: Instant) -> Result<(), Fault> {
        // What made it full has been recorded since: the next time it is full, the site has to be asked again.
        self.flushed &= self.detail_is_full();
        while !self.over && self.to_site.len() < SITE_BYTES_MAX && !self.detail_is_full() {
            let violation = |v: wire::Violation| Fault::protocol(v.to_string());
            let used = match codec::next::<Tag>(input).map_err(violation)? {
                Next::Need(_) => break,
                Next::Frame { frame, whole, .. } => {
                    let message = Message::read(frame).map_err(violation)?;
                    self.on_message(message, whole)?;
                    whole.len()
                }
            };
            input.advance(used);
            self.timing.word(now);
        }
        if !self.owed.is_empty() {
            self.timing.owed(now);
        }
        self.keep_detail_bounded();
        Ok(())
    }

    /// A site keeps its answers until a Sync or a Flush. When no more is taken from the client until they are
    /// recorded, and it has sent neither, they have to be asked for.
    fn keep_detail_bounded(&mut self) {
        if self.detail_is_full() && !self.flushed {
            frontend::flush(self.to_site.tail());
        }
        self.flushed = self.detail_is_full();
    }

    fn on_message(&mut self, message: Message<'_>, whole: &[u8]) -> Result<(), Fault> {
        match message {
            Message::Query(text) => match sql::judge_one(&self.permit, text) {
                Ok(cleared) => self.run_query(&cleared),
                Err(refusal) => self.replace_query(Refused::by_verdict(text, refusal)),
            },
            Message::Parse(parse) => self.on_parse(&parse),
            Message::Bind(bind) => self.on_bind(&bind, whole),
            Message::Describe(Target::Statement(name)) => self.on_describe(name, whole),
            Message::Describe(Target::Portal(_)) => {
                self.pass_on(Expect::DescribePortal, Token::Silent, whole)
            }
            Message::Execute { portal, .. } => match self.names.portal(portal) {
                Some(bound) => {
                    let running =
                        Running::of(&bound.prepared, bound.statement(), Source::Portal(portal.to_owned()));
                    self.pass_on(Expect::Execute, Token::Statement(running), whole)
                }
                None => self.replace_parse(Refused::unknown("portal", portal)),
            },
            Message::Close(target) => {
                self.names.close(target);
                self.pass_on(Expect::Close, Token::Closed(Source::of(target)), whole)
            }
            Message::Sync => self.pass_on(Expect::Sync, Token::Silent, whole),
            Message::Flush => self.on_flush(whole),
            Message::FunctionCall(_) => self.replace_query(Refused::function_call()),
            Message::Terminate => {
                self.over = true;
                Ok(())
            }
            Message::Password(_) | Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => Err(
                Fault::protocol("a message that nothing asked for: no authentication or COPY is going on"),
            ),
        }
    }

    fn on_parse(&mut self, parse: &Parse<'_>) -> Result<(), Fault> {
        match sql::judge_one(&self.permit, parse.text) {
            Ok(cleared) => {
                let prepared = Prepared::of(&cleared);
                self.names.prepare(parse.name, prepared.clone())?;
                self.run_parse(parse, &cleared, prepared)
            }
            Err(refusal) => self.replace_parse(Refused::by_verdict(parse.text, refusal)),
        }
    }

    fn on_bind(&mut self, bind: &Bind<'_>, whole: &[u8]) -> Result<(), Fault> {
        // PREPARE makes statements that Bind could reach without a text that the record can show.
        let Some(prepared) = self.names.prepared(bind.statement) else {
            return self.replace_parse(Refused::unknown("prepared statement", bind.statement));
        };
        let parameters: Vec<_> =
            bind.values().map(|(format, value)| shown_parameter(format, value)).collect();
        let bound = Bound { prepared, parameters: parameters.into() };
        let token = Token::Bound {
            portal: bind.portal.to_owned(),
            statement: bind.statement.to_owned(),
            parameters: bound.parameters.clone(),
        };
        self.names.bind(bind.portal, bound)?;
        self.pass_on(Expect::Bind, token, whole)
    }

    fn on_describe(&mut self, name: &str, whole: &[u8]) -> Result<(), Fault> {
        let Some(prepared) = self.names.prepared(name) else {
            return self.replace_parse(Refused::unknown("prepared statement", name));
        };
        let mut running = Running::of(&prepared, prepared.statement(), Source::Prepared(name.to_owned()));
        running.statement.tag = Some("DESCRIBE".into());
        self.pass_on(Expect::DescribeStatement, Token::Statement(running), whole)
    }

    fn on_flush(&mut self, whole: &[u8]) -> Result<(), Fault> {
        self.to_site.tail().extend_from_slice(whole);
        let pushed = self.owed.push_flush().map_err(|v| Fault::protocol(v.to_string()))?;
        if pushed == Flush::Reached && matches!(self.phase, Phase::Running) && self.outlet.holds_something() {
            self.phase = Phase::Due(self.outlet.due_at_end());
        }
        Ok(())
    }

    /// Sends a statement that was cleared: the text of the verdict, not the client's.
    fn run_query(&mut self, cleared: &Cleared) -> Result<(), Fault> {
        frontend::query(self.to_site.tail(), cleared.sent()).map_err(unwritable)?;
        let prepared = Prepared::of(cleared);
        let running = Running::of(&prepared, prepared.statement(), Source::Text);
        self.expect(Expect::Query, Token::Statement(running))
    }

    /// Likewise, to be bound and executed later.
    fn run_parse(&mut self, parse: &Parse<'_>, cleared: &Cleared, prepared: Prepared) -> Result<(), Fault> {
        let types: Vec<u32> = parse.types.collect();
        frontend::parse(self.to_site.tail(), parse.name, cleared.sent(), &types).map_err(unwritable)?;
        self.expect(Expect::Parse, Token::Parsed { name: parse.name.to_owned(), prepared })
    }

    /// Sends a message that carries no statement text.
    fn pass_on(&mut self, expect: Expect, token: Token, whole: &[u8]) -> Result<(), Fault> {
        self.to_site.tail().extend_from_slice(whole);
        self.expect(expect, token)
    }

    fn replace_query(&mut self, refused: Refused) -> Result<(), Fault> {
        frontend::query(self.to_site.tail(), UNPARSABLE).map_err(unwritable)?;
        self.expect(Expect::Query, Token::Refused(refused))
    }

    fn replace_parse(&mut self, refused: Refused) -> Result<(), Fault> {
        frontend::parse(self.to_site.tail(), "", UNPARSABLE, &[]).map_err(unwritable)?;
        self.expect(Expect::Parse, Token::Refused(refused))
    }

    fn expect(&mut self, expect: Expect, token: Token) -> Result<(), Fault> {
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

fn unwritable(error: wire::Unwritable) -> Fault {
    Fault::ours(error.to_string())
}

impl Token {
    /// What is kept until this is answered, and how much an entry's detail may grow by it.
    pub(super) fn detail_bytes(&self) -> usize {
        match self {
            Token::Silent | Token::Closed(_) => 0,
            Token::Parsed { prepared, .. } => prepared.text.len().saturating_add(64),
            Token::Bound { parameters, .. } => parameters_bytes(parameters),
            Token::Statement(running) => statement_bytes(&running.statement),
            Token::Refused(refused) => refused.detail_bytes(),
        }
    }
}

impl Running {
    fn of(prepared: &Prepared, statement: Statement, source: Source) -> Self {
        Self { statement, source, is_settled: false, about: prepared.about.clone(), has_window: false }
    }
}

impl Source {
    fn of(target: Target<'_>) -> Self {
        match target {
            Target::Statement(name) => Source::Prepared(name.to_owned()),
            Target::Portal(name) => Source::Portal(name.to_owned()),
        }
    }
}

/// How much an entry's detail grows by a statement; its fixed part is a guess.
pub(super) fn statement_bytes(statement: &Statement) -> usize {
    let parameters: usize = statement.parameters.iter().flatten().map(String::len).sum();
    statement.text.len().saturating_add(parameters).saturating_add(64)
}

/// As much of a refused text as a detail has room for: one that is too long still is.
fn recorded(text: &str) -> &str {
    let end = (sql::STATEMENT_BYTES_MAX + 1..text.len()).find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

impl Refused {
    /// How much an entry's detail grows by this.
    pub(super) fn detail_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, String::len).saturating_add(256)
    }

    fn by_verdict(text: &str, refusal: Refusal) -> Self {
        Self {
            stage: Stage::Statement,
            text: Some(recorded(text).to_owned()),
            rule: refusal.rule.to_owned(),
            sentence: refusal.sentence,
            needs: refusal.needs,
        }
    }

    fn unknown(what: &str, name: &str) -> Self {
        Self {
            stage: Stage::Wall,
            text: None,
            rule: "unknown-name".into(),
            sentence: format!("the gate knows no {what} \"{name}\", so it could not record what runs"),
            needs:
                "Parse and bind it in this session first; what SQL's PREPARE makes is run by SQL's EXECUTE."
                    .into(),
        }
    }

    fn function_call() -> Self {
        Self {
            stage: Stage::Wall,
            text: None,
            rule: "function-call".into(),
            sentence: "the fast-path function call runs functions without a statement that could be judged"
                .into(),
            needs: "Call the function in a SELECT.".into(),
        }
    }
}
