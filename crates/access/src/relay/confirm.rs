//! What the site's answers say about names: what a statement that is being answered really is, and what the site has
//! prepared, bound, opened and forgotten by now. Not here: the names themselves (`statements`).

use sql::StatementKind;
use tlog::detail::Statement;
use wire::frontend::Target;

use super::Relay;
use super::running::{Source, Token, statement_bytes};
use super::statements::{Parameters, Prepared};
use crate::fault::Fault;

impl Relay {
    /// Before the site's answer to a statement is taken in, or a window names it: all that was asked for before has
    /// been answered, so that what the site has under a name is known, whatever was hoped for.
    pub(super) fn settle(&mut self) -> Result<(), Fault> {
        let Some((_, Token::Statement(running))) = self.owed.front_mut() else {
            return Ok(());
        };
        if running.is_settled {
            return Ok(());
        }
        let confirmed: Option<(Prepared, Parameters)> = match &running.source {
            Source::Text => None,
            Source::Portal(name) => {
                let bound = self.names.confirmed_portal(name)?;
                Some((bound.prepared.clone(), bound.parameters.clone()))
            }
            Source::Prepared(name) => Some((self.names.confirmed_statement(name)?.clone(), [].into())),
        };
        let was = running.detail_bytes();
        if let Some((prepared, parameters)) = confirmed {
            if *running.statement.text != *prepared.text() || running.statement.parameters != *parameters {
                let tag = running.statement.tag.take();
                running.statement =
                    Statement { tag, parameters: parameters.to_vec(), ..prepared.statement() };
            }
            running.prepared = prepared;
        }
        let name = running.prepared.judged().name();
        match (running.prepared.kind(), &running.source, name) {
            // A description runs nothing.
            (_, Source::Prepared(_), _) => {}
            // EXECUTE of what Parse prepared: its own text does not say what it runs.
            (StatementKind::Execute, _, Some(name)) => {
                if let Ok(prepared) = self.names.confirmed_statement(name) {
                    let runs = Statement { tag: Some("PREPARE".into()), ..prepared.statement() };
                    self.detail_bytes = self.detail_bytes.saturating_add(statement_bytes(&runs));
                    self.done.push(runs);
                }
            }
            (StatementKind::Fetch | StatementKind::Move, _, Some(name)) => {
                let (declared, parameters) = self.names.confirmed_cursor(name)?;
                running.statement.cursor = Some(declared.text().to_owned());
                running.statement.parameters = parameters.to_vec();
            }
            _ => {}
        }
        if !matches!(running.source, Source::Prepared(_)) {
            running.runs = self.names.runs(&running.prepared).cloned();
        }
        running.is_settled = true;
        let is = running.detail_bytes();
        self.detail_bytes = self.detail_bytes.saturating_sub(was).saturating_add(is);
        Ok(())
    }

    /// The site has done what no statement of its own is recorded for.
    pub(super) fn confirm(&mut self, token: Token) -> Result<(), Fault> {
        self.detail_bytes = self.detail_bytes.saturating_sub(token.detail_bytes());
        match token {
            Token::Parsed { name, prepared } => {
                self.soft.site_keeps_something |= !name.is_empty();
                let shape = self.shape_of_copy(prepared.judged());
                let prepared = prepared.shaped(shape);
                self.names.has_prepared(name, prepared);
            }
            Token::Bound(binding) => self.names.has_bound(&binding)?,
            Token::Closed(Source::Prepared(name)) => self.names.has_closed(Target::Statement(&name)),
            Token::Closed(Source::Portal(name)) => self.names.has_closed(Target::Portal(&name)),
            Token::Closed(Source::Text)
            | Token::Silent
            | Token::Portal(_)
            | Token::Aside(_)
            | Token::Statement(_)
            | Token::Refused(_) => {}
        }
        Ok(())
    }

    /// The site has completed a command; some leave behind what an error told afterwards would not take back.
    pub(super) fn has_done(&mut self, tag: &str, done: &Prepared) -> Result<(), Fault> {
        let name = done.judged().name();
        match done.kind() {
            StatementKind::Prepare => {
                if let Some(name) = name {
                    self.names.has_sql_prepared(name, done.clone())?;
                }
            }
            StatementKind::Deallocate => self.names.has_forgotten(name),
            StatementKind::Discard if tag == "DISCARD ALL" => {
                self.names.has_forgotten(None);
                self.names.has_shut(None);
            }
            StatementKind::Declare => {
                if let Some(name) = name {
                    self.names.has_declared(name, done.clone())?;
                }
            }
            StatementKind::CloseCursor => self.names.has_shut(name),
            StatementKind::Setting | StatementKind::Write(_) | StatementKind::CopyIn(_) => {}
            StatementKind::Transaction(_)
            | StatementKind::Discard
            | StatementKind::Read
            | StatementKind::Show
            | StatementKind::ShowOwn(_)
            | StatementKind::Execute
            | StatementKind::Unlisten
            | StatementKind::CopyOut(_)
            | StatementKind::Fetch
            | StatementKind::Move
            | StatementKind::Empty => return Ok(()),
        }
        self.soft.site_keeps_something = true;
        Ok(())
    }
}
