//! What the site's answers say about names: what a statement that is being answered really is, and what the site has
//! prepared, bound and forgotten by now. Not here: the names themselves (`statements`).

use tlog::detail::Statement;
use wire::frontend::Target;

use super::client_side::statement_bytes;
use super::statements::{About, Bound};
use super::{Relay, Source, Token};
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
        let confirmed = match &running.source {
            Source::Text => None,
            Source::Portal(name) => Some(self.names.confirmed_portal(name)?.clone()),
            Source::Prepared(name) => {
                let prepared = self.names.confirmed_statement(name)?.clone();
                Some(Bound { prepared, parameters: [].into() })
            }
        };
        running.is_settled = true;
        let was = statement_bytes(&running.statement);
        if let Some(bound) = confirmed {
            running.about.clone_from(&bound.prepared.about);
            if *running.statement.text != *bound.prepared.text
                || running.statement.parameters != *bound.parameters
            {
                running.statement = Statement { tag: running.statement.tag.take(), ..bound.statement() };
            }
        }
        let is = statement_bytes(&running.statement);
        self.detail_bytes = self.detail_bytes.saturating_sub(was).saturating_add(is);
        // EXECUTE of what Parse prepared: its own text does not say what it runs.
        if let Some(About::Runs(name)) = &running.about
            && let Ok(prepared) = self.names.confirmed_statement(name)
        {
            let runs = Statement { tag: Some("PREPARE".into()), ..prepared.statement() };
            self.detail_bytes = self.detail_bytes.saturating_add(statement_bytes(&runs));
            self.done.push(runs);
        }
        Ok(())
    }

    /// The site has done what no statement of its own is recorded for.
    pub(super) fn confirm(&mut self, token: Token) -> Result<(), Fault> {
        self.detail_bytes = self.detail_bytes.saturating_sub(token.detail_bytes());
        match token {
            Token::Parsed { name, prepared } => {
                self.soft.site_keeps_something |= !name.is_empty();
                self.names.has_prepared(name, prepared);
            }
            Token::Bound { portal, statement, parameters } => {
                self.names.has_bound(portal, &statement, parameters)?;
            }
            Token::Closed(Source::Prepared(name)) => self.names.has_closed(Target::Statement(&name)),
            Token::Closed(Source::Portal(name)) => self.names.has_closed(Target::Portal(&name)),
            Token::Closed(Source::Text) | Token::Silent | Token::Statement(_) | Token::Refused(_) => {}
        }
        Ok(())
    }

    /// The site has completed a command; some leave behind what an error told afterwards would not take back.
    pub(super) fn has_done(&mut self, tag: &str, about: Option<&About>) {
        match tag {
            "DISCARD ALL" | "DEALLOCATE ALL" => self.names.has_forgotten(None),
            "SET" | "RESET" => {}
            _ => match about {
                Some(About::Takes(name)) => self.names.has_forgotten(Some(name)),
                Some(About::Runs(_)) | None => return,
            },
        }
        self.soft.site_keeps_something = true;
    }
}
