//! access.release: what was let out. Every statement is judged again under the session's permit, and the counts must
//! add up: a total exceeds the windows that were authorised before it by no more than a gate may hold.

use tlog::{
    detail::Released,
    entry::{Count, CountState, Decision},
};

use super::{Examiner, Subject, decision, fault_detail, open_detail, typed};
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
            Some(value) => self.check_statements(&session, &typed(value)?, count)?,
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
        let decided = self.decide(&session.question)?;
        let permit = decided.as_ref().as_ref().map_err(|denial| decision(denial.sentence.clone()))?;
        let mut counted = Amount::default();
        for statement in &released.statements {
            if let Err(rule) = self.judge.verdict(permit, &statement.text) {
                let reason = format!("a statement was released that is refused by {rule}");
                return Err(Fault::new(Breach::Verdict, reason));
            }
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
}
