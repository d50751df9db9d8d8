//! What the site answers: each message is matched with what it answers, counted, and held or passed under a window.
//! Nothing is taken in while a release waits for its witness. Not here: what goes out (`outlet`).

use bytes::{Buf, BytesMut};
use sql::StatementKind;
use tlog::detail::Statement;
use tokio::time::Instant;
use wire::backend::{self, CommandTag, Fields, ParameterStatus, Severity, Tag, TransactionStatus};
use wire::codec::{self, HEADER_BYTES, Peek};
use wire::pipeline::{Ended, Expect, Step};

use super::outlet::HELD_BYTES_MAX;
use super::refused::Refused;
use super::running::{Running, Token, statement_bytes};
use super::shown::{self, Meaning};
use super::timing::TOO_LONG_HINT;
use super::{Phase, Relay, own, say_error};
use crate::fault::{Fault, Shown};

/// No message but a row may be larger than this.
const SITE_MESSAGE_BYTES_MAX: usize = 1_048_576;

impl Relay {
    /// Takes in what the site has sent, as far as the client keeps up and nothing waits for a witness.
    pub fn on_site(&mut self, input: &mut BytesMut, now: Instant) -> Result<(), Fault> {
        while self.wants_site() && !input.is_empty() {
            if self.outlet.is_passing() {
                let taken = self.outlet.pass(input);
                input.advance(taken);
                continue;
            }
            let (tag, total) = match codec::peek::<Tag>(input).map_err(|v| broken(&self.facts.site, &v))? {
                Peek::Need(_) => break,
                Peek::Header { tag, body_bytes } => (tag, body_bytes.saturating_add(HEADER_BYTES)),
            };
            let used = match tag {
                Tag::DataRow | Tag::CopyData if !self.answers_by_itself() => {
                    self.on_row(tag, input, total, now)?
                }
                _ => self.on_other(tag, input, total, now)?,
            };
            match used {
                Some(used) => input.advance(used),
                None => break,
            }
        }
        Ok(())
    }

    /// Whether what is being answered is the gate's own to answer.
    fn answers_by_itself(&self) -> bool {
        matches!(self.owed.front(), Some((_, Token::Statement(running)))
            if matches!(running.prepared.kind(), StatementKind::ShowOwn(_)))
    }

    /// Whether more may be taken in from the site.
    pub fn wants_site(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.cut.is_none()
            && self.outlet.client_keeps_up()
            && !self.outlet.is_full()
    }

    /// How many bytes have to be there before the next message can be taken in; 0 when any will do.
    pub fn site_needs(&self) -> usize {
        self.site_needs
    }

    /// A row: passed under the window, held, or the reason to ask for a window. `Some(bytes used)`, or `None` when
    /// it has to wait.
    fn on_row(&mut self, tag: Tag, input: &[u8], total: usize, now: Instant) -> Result<Option<usize>, Fault> {
        self.settle()?;
        // The meter reads a row before it goes; of a huge one, the beginning.
        let needed = total.min(HELD_BYTES_MAX);
        if input.len() < needed {
            self.site_needs = needed;
            return Ok(None);
        }
        self.site_needs = 0;
        if !self.count(tag, input, total)? {
            return Ok(None);
        }
        let named = matches!(self.owed.front(), Some((_, Token::Statement(running))) if running.has_window);
        let used = if named && self.outlet.admit_row(total) {
            0
        } else if self.outlet.has_room(total) {
            self.outlet.hold_row(input.get(..total).unwrap_or_default(), now);
            total
        } else {
            self.phase = Phase::Due(self.outlet.due_in_the_middle(total));
            return Ok(None);
        };
        self.row_is_taken();
        match self.owed.on_reply(tag).map_err(|v| broken(&self.facts.site, &v))? {
            Step::Part { .. } => Ok(Some(used)),
            _ => Err(Fault::site(&self.facts.site, "sends rows that no statement asked for")),
        }
    }

    fn on_other(
        &mut self,
        tag: Tag,
        input: &[u8],
        total: usize,
        now: Instant,
    ) -> Result<Option<usize>, Fault> {
        if total > SITE_MESSAGE_BYTES_MAX {
            return Err(Fault::site(&self.facts.site, format!("sends a {tag:?} of {total} bytes")));
        }
        let Some(whole) = input.get(..total) else {
            self.site_needs = total;
            return Ok(None);
        };
        self.site_needs = 0;
        self.on_reply(tag, whole, now)?;
        Ok(Some(total))
    }

    fn on_reply(&mut self, tag: Tag, whole: &[u8], now: Instant) -> Result<(), Fault> {
        let body = whole.get(HEADER_BYTES..).unwrap_or_default();
        let settled = self.settle();
        if !matches!(
            tag,
            Tag::ErrorResponse | Tag::NoticeResponse | Tag::ParameterStatus | Tag::NotificationResponse
        ) {
            settled?;
        }
        match self.owed.on_reply(tag).map_err(|v| broken(&self.facts.site, &v))? {
            Step::Asynchronous => self.on_asynchronous(tag, whole, body, now),
            Step::Unasked => Err(ended_by_site(&self.facts.site, body)),
            Step::Part { token, of } => {
                let token = std::mem::replace(token, Token::Silent);
                let token = self.on_part(of, token, tag, whole, now)?;
                if let Some((_, front)) = self.owed.front_mut() {
                    *front = token;
                }
                Ok(())
            }
            Step::End(ended) => self.on_end(ended, tag, whole, now),
        }
    }

    /// A part of an answer; returns what the rest of the answer belongs to.
    fn on_part(
        &mut self,
        of: Expect,
        token: Token,
        tag: Tag,
        whole: &[u8],
        now: Instant,
    ) -> Result<Token, Fault> {
        if tag == Tag::ErrorResponse {
            self.on_error(token, whole, now)?;
            return Ok(Token::Silent);
        }
        match (token, tag) {
            (Token::Statement(running), Tag::CommandComplete | Tag::EmptyQueryResponse) => {
                let next = self.on_complete(*running, tag, whole, now)?;
                Ok(next.map_or(Token::Silent, |next| Token::Statement(Box::new(next))))
            }
            (Token::Statement(running), Tag::DataRow) => {
                self.show_own(&running, now)?;
                Ok(Token::Statement(running))
            }
            (Token::Statement(running), Tag::CopyOutResponse)
                if matches!(running.prepared.kind(), StatementKind::CopyOut(_)) =>
            {
                self.outlet.hold(whole, now);
                Ok(Token::Statement(running))
            }
            (Token::Statement(running), Tag::CopyInResponse)
                if matches!(running.prepared.kind(), StatementKind::CopyIn(_)) =>
            {
                self.outlet.hold(whole, now);
                self.copying_takes_data(of == Expect::Query);
                // The client sends nothing before it is told that it may.
                self.phase = Phase::Due(self.outlet.due_at_end());
                Ok(Token::Statement(running))
            }
            (_, Tag::CopyOutResponse | Tag::CopyInResponse) => {
                Err(Fault::site(&self.facts.site, "begins a COPY that was not cleared"))
            }
            (token @ Token::Aside(_), _) => Ok(token),
            (Token::Refused(_), _) => Err(Fault::site(&self.facts.site, "understood what cannot be parsed")),
            (token, _) => {
                if tag == Tag::RowDescription {
                    self.has_described(&token, whole.get(HEADER_BYTES..).unwrap_or_default())?;
                }
                self.outlet.hold(whole, now);
                Ok(token)
            }
        }
    }

    /// A statement has ended well; returns the next one of its text.
    fn on_complete(
        &mut self,
        mut running: Running,
        tag: Tag,
        whole: &[u8],
        now: Instant,
    ) -> Result<Option<Running>, Fault> {
        self.detail_bytes = self.detail_bytes.saturating_sub(running.detail_bytes());
        match (tag, running.prepared.kind()) {
            (Tag::CommandComplete, StatementKind::ShowOwn(_)) => {
                running.statement.tag = Some(own::TAG.to_owned());
                let mut out = Vec::new();
                backend::command_complete(&mut out, own::TAG).map_err(|e| Fault::ours(e.to_string()))?;
                self.outlet.hold(&out, now);
            }
            (Tag::CommandComplete, _) => {
                let body = whole.get(HEADER_BYTES..).unwrap_or_default();
                let done = CommandTag::read(body).map_err(|v| broken(&self.facts.site, &v))?.text.to_owned();
                self.has_done(&done, &running.prepared)?;
                running.statement.tag = Some(done);
                self.outlet.hold(whole, now);
            }
            _ => self.outlet.hold(whole, now),
        }
        running.statement.subjects = self.end_result();
        self.timing.answered(true, now);
        let (done, next) = running.end();
        self.detail_bytes = self.detail_bytes.saturating_add(statement_bytes(&done));
        self.done.push(done);
        self.detail_bytes = self.detail_bytes.saturating_add(next.as_ref().map_or(0, Running::detail_bytes));
        Ok(next)
    }

    /// The row of a SHOW that the gate answers: it is no data of the site's.
    fn show_own(&mut self, running: &Running, now: Instant) -> Result<(), Fault> {
        let StatementKind::ShowOwn(own) = running.prepared.kind() else {
            return Err(Fault::site(&self.facts.site, "sends rows that no statement asked for"));
        };
        let value = match own {
            sql::Own::Session => self.facts.id.clone(),
            sql::Own::Profile => self.permit.profile().name.clone(),
            sql::Own::LastEntry => self.last_entry.map_or_else(String::new, |entry| entry.to_string()),
        };
        let mut out = Vec::new();
        backend::data_row(&mut out, &[&value]).map_err(|e| Fault::ours(e.to_string()))?;
        self.outlet.hold(&out, now);
        Ok(())
    }

    fn on_end(&mut self, ended: Ended<Token>, tag: Tag, whole: &[u8], now: Instant) -> Result<(), Fault> {
        let body = whole.get(HEADER_BYTES..).unwrap_or_default();
        let aside = matches!(ended.token, Token::Aside(_));
        let due = (tag == Tag::ReadyForQuery && !aside)
            || (ended.flush_reached && (!aside || self.outlet.holds_something()));
        if tag == Tag::RowDescription {
            self.has_described(&ended.token, body)?;
        }
        for (_, token) in &ended.skipped {
            self.detail_bytes = self.detail_bytes.saturating_sub(token.detail_bytes());
        }
        match ended.token {
            token if tag == Tag::ErrorResponse => self.on_error(token, whole, now)?,
            Token::Refused(_) if tag != Tag::ReadyForQuery => {
                return Err(Fault::site(&self.facts.site, "understood what cannot be parsed"));
            }
            Token::Statement(running) if matches!(tag, Tag::CommandComplete | Tag::EmptyQueryResponse) => {
                self.on_complete(*running, tag, whole, now)?;
            }
            Token::Statement(mut running) => {
                running.statement.subjects = self.end_result();
                self.done.push(running.statement);
                self.outlet.hold(whole, now);
            }
            Token::Aside(_) => {}
            token => {
                self.confirm(token)?;
                self.outlet.hold(whole, now);
            }
        }
        if tag == Tag::ReadyForQuery {
            self.transaction = backend::ready_for_query(body).map_err(|v| broken(&self.facts.site, &v))?;
            self.soft.at_ready |= !aside;
            if self.transaction == TransactionStatus::Idle {
                let quiet = self.owed.is_empty();
                self.names.transaction_ended(quiet);
                if quiet {
                    self.writes_open = 0;
                }
            }
        }
        if self.owed.is_empty() {
            self.names.all_is_answered();
        }
        self.copying_may_end();
        self.timing.answered(!self.owed.is_empty(), now);
        if due {
            self.phase = Phase::Due(self.outlet.due_at_end());
        }
        Ok(())
    }

    /// An error: a refusal's becomes ours, one about what is not shown becomes a refusal, any other is reduced.
    fn on_error(&mut self, token: Token, whole: &[u8], now: Instant) -> Result<(), Fault> {
        let body = whole.get(HEADER_BYTES..).unwrap_or_default();
        let fields = Fields::read(body).map_err(|v| broken(&self.facts.site, &v))?;
        if fields.is_fatal() {
            return Err(ended_by_site(&self.facts.site, body));
        }
        self.names.has_failed();
        self.detail_bytes = self.detail_bytes.saturating_sub(token.detail_bytes());
        let sqlstate = fields.sqlstate().unwrap_or("XX000");
        let subjects = self.end_result();
        let statement = match token {
            Token::Refused(refused) => {
                self.refuse(refused, now);
                return Ok(());
            }
            Token::Aside(aside) if !aside.is_shown_failing() => return Ok(()),
            Token::Statement(running) => Some(Statement { subjects, ..running.statement }),
            Token::Parsed { prepared, .. } => Some(prepared.statement()),
            Token::Silent | Token::Portal(_) | Token::Aside(_) | Token::Bound(_) | Token::Closed(_) => None,
        };
        let profile = self.permit.profile();
        // Casts such as regclass fail like this in the middle of a result: rows that were counted need a statement.
        let nothing_given = statement.as_ref().is_none_or(|statement| statement.rows == 0);
        if shown::meaning(sqlstate) == Meaning::NotShown && nothing_given {
            let text = statement.map(|statement| statement.text);
            let refused = Refused::by_the_wall(text, sqlstate, &profile.name);
            self.refuse(refused, now);
            return Ok(());
        }
        if sqlstate == "57014" && self.timing.has_cancelled() {
            let message = self.timing.too_long();
            let hint = Some(TOO_LONG_HINT.to_owned());
            let mut out = Vec::new();
            say_error(&mut out, Severity::Error, &Shown { sqlstate: "57014", message, hint });
            self.outlet.hold(&out, now);
        } else if profile.all_clear() && fields.get(b'P').is_some() {
            // About the client's own text, before anything ran.
            let mut message = Vec::new();
            shown::in_own_words(&mut message, fields);
            self.outlet.hold(&message, now);
        } else {
            let mut message = Vec::new();
            shown::reduced(&mut message, fields);
            self.outlet.hold(&message, now);
        }
        if let Some(statement) = statement {
            self.detail_bytes = self.detail_bytes.saturating_add(statement_bytes(&statement));
            self.done.push(Statement { error: Some(sqlstate.to_owned()), tag: None, ..statement });
        }
        Ok(())
    }

    fn refuse(&mut self, refused: Refused, now: Instant) {
        self.detail_bytes = self.detail_bytes.saturating_add(refused.detail_bytes());
        self.outlet.hold_gap(self.refusals.len(), now);
        self.refusals.push(refused);
    }

    /// Notices can quote values and plans, notifications are a channel between sessions: neither is passed on.
    fn on_asynchronous(&mut self, tag: Tag, whole: &[u8], body: &[u8], now: Instant) -> Result<(), Fault> {
        if tag == Tag::ParameterStatus {
            let status = ParameterStatus::read(body).map_err(|v| broken(&self.facts.site, &v))?;
            if status.name != "session_authorization" {
                self.outlet.hold(whole, now);
            }
        }
        Ok(())
    }
}

fn broken(site: &str, violation: &wire::Violation) -> Fault {
    Fault::site(site, violation.to_string())
}

fn ended_by_site(site: &str, body: &[u8]) -> Fault {
    let sqlstate = Fields::read(body).ok().and_then(|fields| fields.sqlstate().map(str::to_owned));
    Fault::site(site, format!("ended the session: {}", sqlstate.as_deref().unwrap_or("no SQLSTATE")))
}
