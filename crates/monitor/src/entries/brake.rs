//! Entries about brakes: brake.applied and brake.lifted. The gate says what it did with the monitor's orders, and from
//! then on nothing but the end of a session may come of what is stopped.

use tlog::{
    brake::{Subject as Stoppable, Word},
    detail::{BrakeApplied, BrakeLifted},
    hash::hex,
};

use super::{Examiner, Subject, fault_detail};
use crate::{
    incident::{Breach, Fault},
    state::SessionId,
};

impl Examiner<'_, '_> {
    /// The gate has carried out an order; it holds the monitor's word for it.
    pub(super) fn brake_applied(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let BrakeApplied { order, note, .. } = self.open_as(subject)?;
        let Some(brakes) = self.brakes else { return Ok(()) };
        match Word::verify(&note, brakes.verifier()) {
            Ok(Word::Brake { order: signed, .. }) if signed == order => {
                self.obeyed.push(order.id);
                Ok(())
            }
            Ok(_) => Err(fault_detail("the brake is another than the one that was signed")),
            Err(problem) => Err(fault_detail(format!("no brake of this monitor: {problem}"))),
        }
    }

    /// The gate has taken a stop back, which it may when the monitor has.
    pub(super) fn brake_lifted(&mut self, subject: &Subject<'_>) -> Result<(), Fault> {
        let BrakeLifted { id, .. } = self.open_as(subject)?;
        if self.brakes.is_some_and(|brakes| brakes.get(&id).is_some()) {
            return Err(Fault::new(Breach::Brake, format!("brake {id} is in force, and the gate lifts it")));
        }
        Ok(())
    }

    /// What the gate has said that it stopped goes on no more. What was on its way when it was ordered still comes.
    pub(super) fn check_brakes(
        &self,
        subject: &Subject<'_>,
        session: &SessionId,
        principal: &str,
    ) -> Result<(), Fault> {
        let session = hex(session);
        let stoppable = Stoppable { session: Some(&session), principal, gate: &subject.entry.gate };
        match self.brakes.and_then(|brakes| brakes.disobeyed(stoppable)) {
            None => Ok(()),
            Some(order) => {
                let reason =
                    format!("brake {} on {} was carried out, and it goes on", order.id, order.target);
                Err(Fault::new(Breach::Brake, reason))
            }
        }
    }
}
