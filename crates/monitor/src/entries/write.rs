//! access.write and access.commit: what was about to be sent to a site. Each statement is judged again under the
//! session's permit, and must be a write; what is neither recorded nor permitted was not to be written.

use sql::{StatementKind, Transaction};
use tlog::detail::{Committed, Written};

use super::{Examiner, Subject, decision, fault_detail, open_some, session_id};
use crate::{
    entries::release::verdict,
    incident::{Breach, Fault},
    state::{Draft, Session},
};

impl Examiner<'_, '_> {
    pub(super) fn access_write(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let (id, session) = self.named_session(subject)?;
        let written: Written = self.open_as(subject)?;
        if *written.site != *session.site {
            let reason = format!("a session at {} writes at {}", session.site, written.site);
            return Err(decision(reason));
        }
        if written.statements.is_empty() {
            return Err(fault_detail("access.write without a statement"));
        }
        for statement in &written.statements {
            let kinds = self.kinds(&session, &statement.text)?;
            if !kinds.iter().all(|kind| kind.writes()) {
                return Err(verdict("a statement is recorded as a write that writes nothing".to_owned()));
            }
        }
        self.draft.write(id, count(&written))
    }

    pub(super) fn access_commit(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let (_, session) = self.named_session(subject)?;
        let committed: Committed = self.open_as(subject)?;
        let kinds = self.kinds(&session, &committed.text)?;
        if kinds != [StatementKind::Transaction(Transaction::Commit)] {
            return Err(verdict("a statement is recorded as a commit that commits nothing".to_owned()));
        }
        // Those that were rolled back are counted by the monitor and not by the gate.
        if committed.writes == 0 || committed.writes > session.writes() {
            let reason =
                format!("a commit of {} writes, but {} were recorded", committed.writes, session.writes());
            return Err(Fault::new(Breach::Count, reason));
        }
        Ok(())
    }

    /// What the statements of a text do, if they are all cleared.
    fn kinds(&mut self, session: &Session, text: &str) -> Result<Vec<StatementKind>, Fault> {
        let decided = self.decided(session)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
        match self.judge.verdict(permit, text) {
            Ok(cleared) => Ok(cleared.statements().iter().map(sql::Statement::kind).collect()),
            Err(rule) => Err(verdict(format!("a statement was to be written that is refused by {rule}"))),
        }
    }
}

/// Folds an access.write that was checked and stored before.
pub(super) fn recall(draft: &mut Draft<'_>, subject: &Subject<'_>) -> Result<(), Fault> {
    if subject.entry.key.as_deref().is_some_and(|key| draft.is_lost(key)) {
        // The session has ended since: nothing is counted against it any more.
        return Ok(());
    }
    let written: Written = open_some(draft, subject)?;
    draft.write(session_id(subject.entry)?, count(&written))
}

fn count(written: &Written) -> u64 {
    u64::try_from(written.statements.len()).unwrap_or(u64::MAX)
}
