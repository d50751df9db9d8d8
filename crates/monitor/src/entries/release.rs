//! access.release: what was let out. Every statement is judged again under the session's permit, and the counts must
//! add up: a total exceeds the windows that were authorised before it by no more than a gate may hold.

use tlog::{
    detail::{Cut, Released, Statement},
    entry::{Count, CountState, Decision},
};

use super::{Examiner, Subject, decision, fault_detail, open_detail, subjects};
use crate::{
    incident::{Breach, Fault},
    state::{Amount, Session},
};

impl Examiner<'_, '_> {
    pub(super) fn access_release(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let (id, session) = self.named_session(subject)?;
        if subject.entry.decision == Some(Decision::Deny) {
            return Err(decision("a release by a denial"));
        }
        let count = subject
            .entry
            .count
            .as_ref()
            .ok_or_else(|| Fault::new(Breach::Count, "access.release without a count"))?;
        match open_detail(&self.draft, subject)? {
            Some(released) => self.check_statements(&session, &released, count)?,
            // A further window, or the total, of a result whose statement was in its first window.
            None if session.windowed() && count.state != CountState::Exact => {}
            None => return Err(fault_detail("access.release without a detail")),
        }
        self.draft.release(id, count)
    }

    fn check_statements(
        &mut self,
        session: &Session,
        released: &Released,
        count: &Count,
    ) -> Result<(), Fault> {
        let decided = self.decided(session)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
        let mut counted = Amount::default();
        for statement in &released.statements {
            let mut says_so = false;
            for text in [Some(&statement.text), statement.cursor.as_ref()].into_iter().flatten() {
                let writes = match self.judge.verdict(permit, text) {
                    Ok(cleared) => cleared.statements().iter().any(|one| one.kind().writes()),
                    Err(rule) => {
                        return Err(verdict(format!("a statement was released that is refused by {rule}")));
                    }
                };
                says_so |= writes;
                if writes && session.writes() == 0 && has_run(statement) {
                    return Err(verdict(
                        "a write was released that was not recorded before it ran".to_owned(),
                    ));
                }
            }
            if has_written(statement) && !says_so {
                return Err(verdict("a statement wrote whose text does not say so".to_owned()));
            }
            check_subjects(statement)?;
            counted.rows = counted.rows.saturating_add(statement.rows);
            counted.bytes = counted.bytes.saturating_add(statement.bytes);
        }
        // A window may open before the statement whose rows will use it is known: its total names it.
        if released.statements.is_empty() && count.rows > 0 && count.state == CountState::Exact {
            return Err(fault_detail("rows were released without a statement"));
        }
        // A window bounds what is to come; statements that ended before it used up earlier ones.
        if count.state != CountState::Window && !Amount::from(count).covers(counted) {
            let reason = format!(
                "the statements released {} rows, {} bytes, the entry counts {} rows, {} bytes",
                counted.rows, counted.bytes, count.rows, count.bytes
            );
            return Err(Fault::new(Breach::Count, reason));
        }
        Ok(())
    }

    /// A result that was ended by a limit of the session's policy. What it had given, windows had authorised.
    pub(super) fn access_cut(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let (_, session) = self.named_session(subject)?;
        let cut: Cut = self.open_as(subject)?;
        let decided = self.decided(&session)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
        let is_known = |name: &String| permit.limits().iter().any(|limit| limit.name == *name);
        if let Some(name) = cut.limit.as_ref().filter(|name| !is_known(name)) {
            return Err(decision(format!("the session has no limit {name:?}")));
        }
        if let Some(Err(rule)) = cut.statement.as_ref().map(|text| self.judge.verdict(permit, text)) {
            return Err(verdict(format!("a statement was cut that is refused by {rule}")));
        }
        if let Some(said) = &cut.subjects {
            // Those of rows that were held and did not go are among them.
            subjects::check(said, None)?;
        }
        if session.authorised().covers(Amount { rows: cut.rows, bytes: cut.bytes }) {
            return Ok(());
        }
        let reason = format!("a cut after {} rows, {} bytes that no window held", cut.rows, cut.bytes);
        Err(Fault::new(Breach::Count, reason))
    }
}

pub(super) fn verdict(reason: String) -> Fault {
    Fault::new(Breach::Verdict, reason)
}

/// Whether the statement was executed, as the site said: one that is described or prepared has another tag.
fn has_run(statement: &Statement) -> bool {
    has_written(statement) || tag(statement).starts_with("COPY ")
}

/// Whether the site said that it wrote: EXECUTE says what it has run.
fn has_written(statement: &Statement) -> bool {
    ["INSERT ", "UPDATE ", "DELETE "].iter().any(|word| tag(statement).starts_with(word))
}

fn tag(statement: &Statement) -> &str {
    statement.tag.as_deref().unwrap_or_default()
}

/// Rows are about somebody, nobody or nobody knows whom; which of them must be said.
fn check_subjects(statement: &Statement) -> Result<(), Fault> {
    match &statement.subjects {
        Some(said) => subjects::check(said, Some(statement.rows)),
        None if statement.rows == 0 => Ok(()),
        None => Err(fault_detail("rows were released without their subjects")),
    }
}
