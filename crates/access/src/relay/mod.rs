//! The relay of one session, without I/O: what the client and the site say goes in, what may go on comes out.
//! Statements go to the site only with a verdict ([`sql::Cleared`]); a site's answers go to the client only with a
//! witness ([`record::Witnessed`]). Not here: sockets and waiting (`session`), held bytes (`outlet`).
//!
//! # What a driver does
//!
//! It owns the sockets, the clock and the record, and goes round: [`Relay::on_client`] with what the client sent (not
//! while the site is taking note of a cancel), [`Relay::on_site`] with what the site sent, [`Relay::on_time`]; then
//! [`Relay::ask`] until it gives nothing more, appending the drafts of each [`Asking`] at once and in order, and
//! keeping all that is pending; then [`Relay::takes_cancel`], upon which it has the site cancel what runs. It ends in
//! good order when [`Relay::is_over`] and [`Relay::to_client`] is empty. Otherwise it waits for the first of: bytes
//! from the client (it always reads on, within its own bound); bytes from the site if [`Relay::wants_site`], until
//! [`Relay::site_needs`] are there; room to write [`Relay::to_client`] or [`Relay::to_site`], told by
//! [`Relay::sent_to_client`] and [`Relay::sent_to_site`]; an outcome, told by [`Relay::answered`] with the id of what
//! was asked; [`Relay::deadline`]. The end of the client's stream is [`Relay::client_ended`]. Any [`Fault`] ends the
//! session: [`Relay::say_goodbye`], [`Relay::to_client`], close; and cancel at the site if [`Relay::is_busy`].

mod asking;
mod client_side;
mod confirm;
mod copying;
mod inlet;
mod metering;
mod outlet;
mod own;
mod refused;
mod running;
mod shown;
mod site_side;
mod spool;
mod statements;
mod timing;

use std::sync::{Arc, Mutex};

use policy::Permit;
use record::Witnessed;
use sql::Verdicts;
use tlog::detail::{SessionClose, Statement};
use tokio::time::Instant;
use wire::backend::{self, Report, Severity, TransactionStatus};
use wire::pipeline::Expected;

pub use asking::{AskId, Asking};
pub use client_side::CLIENT_MESSAGE_BYTES_MAX;
pub use timing::Deadlines;

use crate::fault::{Fault, Shown};
use crate::meter::{Meter, Shape};
use asking::Constant;
use copying::Copying;
use inlet::Inlet;
use metering::{Cutting, Showing, cut_off};
use outlet::{Due, Outlet, Tally};
use refused::Refused;
use running::Token;
use statements::Names;
use timing::Timing;

/// Statement texts and parameters that one entry's detail takes; more of them are released with an entry of their
/// own before the client is listened to again.
const UNIT_DETAIL_BYTES_MAX: usize = 262_144;

/// What every entry of a session says.
#[derive(Debug, Clone)]
pub struct SessionFacts {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Who asks.
    pub principal: String,
    /// Through which listener.
    pub listener: String,
    /// Which site answers.
    pub site: String,
}

/// Where the present release stands.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Answers are taken in.
    Running,
    /// A release is due, and its entries are not appended yet.
    Due(Due),
    /// The entries are appended; nothing more is taken in until they are witnessed.
    Asked(AskId, Due),
}

/// One session's relay.
#[derive(Debug)]
pub struct Relay {
    permit: Permit,
    verdicts: Arc<Mutex<Verdicts>>,
    facts: SessionFacts,
    constant: Arc<Constant>,
    names: Names,
    owed: Expected<Token>,
    outlet: Outlet,
    inlet: Inlet,
    phase: Phase,
    /// More room that was asked for before the open window is used up, and the turn that it is for.
    ahead: Option<(AskId, Due, u64)>,
    /// The entries that what waits for the site needs.
    writing: Option<AskId>,
    copying: Copying,
    meter: Meter,
    /// What is known of the result that is being answered.
    showing: Showing,
    /// The shape of a COPY that was described aside and is not answered yet.
    copy_shape: Option<(sql::Statement, Arc<Shape>)>,
    /// A result that a limit has ended.
    cut: Option<Cutting>,
    /// Whether the last thing sent was a Query or a Sync.
    at_boundary: bool,
    /// Statements that write, sent since no transaction was certainly open: the next COMMIT may commit them.
    writes_open: u64,
    /// The last entry that was witnessed.
    last_entry: Option<u64>,
    /// Statements that have answered since the last entry.
    done: Vec<Statement>,
    /// Refusals whose errors are held, in the order of their gaps.
    refusals: Vec<Refused>,
    /// Bytes of texts and parameters that are under way or that the next entry's detail will hold.
    detail_bytes: usize,
    /// Whether the last message sent makes the site send what it has.
    flushed: bool,
    /// What the site said last.
    transaction: TransactionStatus,
    /// Whether a failed release can be told as an error of this unit, with the session going on.
    soft: Softness,
    /// Bytes of the next message from the site, when it is larger than what is usually read ahead.
    site_needs: usize,
    released: Tally,
    timing: Timing,
    next_ask: u64,
    /// The client has said goodbye.
    over: bool,
    /// The client says nothing more, but waits for what it has asked.
    client_ended: bool,
}

/// Since the last ReadyForQuery: has the client learnt, or the site kept, what an error could not take back?
#[derive(Debug, Default)]
struct Softness {
    released_in_the_middle: bool,
    site_keeps_something: bool,
    at_ready: bool,
}

impl Relay {
    /// A relay under a permit.
    pub fn new(
        permit: Permit,
        facts: SessionFacts,
        deadlines: Deadlines,
        meter: Meter,
        verdicts: Arc<Mutex<Verdicts>>,
        now: Instant,
    ) -> Self {
        Self {
            constant: Arc::new(Constant::new(facts.clone(), &permit)),
            names: Names::new(permit.profile().writes()),
            permit,
            verdicts,
            facts,
            owed: Expected::new(),
            outlet: Outlet::default(),
            inlet: Inlet::default(),
            phase: Phase::Running,
            ahead: None,
            writing: None,
            copying: Copying::No,
            meter,
            showing: Showing::default(),
            copy_shape: None,
            cut: None,
            at_boundary: true,
            writes_open: 0,
            last_entry: None,
            done: Vec::new(),
            refusals: Vec::new(),
            detail_bytes: 0,
            flushed: false,
            transaction: TransactionStatus::Idle,
            soft: Softness::default(),
            site_needs: 0,
            released: Tally::default(),
            timing: Timing::new(deadlines, now),
            next_ask: 0,
            over: false,
            client_ended: false,
        }
    }

    /// Tells the client that it may begin: the site's settings, the gate's own cancel key. The session's opening
    /// was witnessed, and none of this is data.
    pub fn greet(&mut self, settings: &[(String, String)], pid: i32, secret: &[u8]) {
        let principal = self.facts.principal.clone();
        self.outlet.say(|out| {
            for (name, value) in settings {
                // The pool role's name is the gate's business.
                let value = if name == "session_authorization" { &principal } else { value };
                // PostgreSQL's settings hold no NUL; one that did would be left out.
                let _ = backend::parameter_status(out, name, value);
            }
            // A key that could not be written could not be used either; the gate makes none.
            let _ = backend::backend_key_data(out, pid, secret);
            backend::ready(out, TransactionStatus::Idle);
        });
    }

    /// What the driver must have witnessed before something waits no longer; to be called until there is nothing.
    pub fn ask(&mut self, now: Instant) -> Option<Asking> {
        match self.cut.take() {
            Some(Cutting::Due(cut)) => {
                let id = self.next_id();
                self.cut = Some(Cutting::Asked(id, cut.clone()));
                return Some(self.asking_to_cut(id, cut));
            }
            Some(asked) => {
                self.cut = Some(asked);
                return None;
            }
            None => {}
        }
        if let Some(before) = self.inlet.ask() {
            let id = self.next_id();
            self.writing = Some(id);
            return Some(self.asking_to_write(id, before));
        }
        if self.ahead.is_none() && self.outlet.runs_low() && self.runs_under_a_window() {
            let ((due, turn), id) = (self.outlet.due_ahead(), self.next_id());
            self.ahead = Some((id, due, turn));
            return Some(self.asking_ahead(id, due));
        }
        if let Phase::Running = self.phase
            && self.outlet.holds_something()
            && (self.outlet.deadline().is_some_and(|deadline| deadline <= now)
                || self.outlet.is_full()
                || self.detail_is_full())
        {
            self.phase = Phase::Due(match self.owed.front() {
                None => self.outlet.due_at_end(),
                Some((_, Token::Statement(_))) => self.outlet.due_in_the_middle(0),
                // Nothing runs, so an entry could name nothing that more room would be for.
                _ => self.outlet.due_without_room(),
            });
        }
        let Phase::Due(due) = self.phase else {
            return None;
        };
        let id = self.next_id();
        self.phase = Phase::Asked(id, due);
        Some(self.asking(id, due))
    }

    fn next_id(&mut self) -> AskId {
        self.next_ask = self.next_ask.wrapping_add(1);
        AskId(self.next_ask)
    }

    /// Whether the window that is open is that of the statement that runs, and it may still give rows.
    fn runs_under_a_window(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && matches!(self.owed.front(), Some((_, Token::Statement(running))) if running.has_window)
    }

    /// The record's answer to what [`Relay::ask`] asked.
    pub fn answered(&mut self, id: AskId, outcome: Result<Vec<Witnessed>, Fault>) -> Result<(), Fault> {
        if let Some(Cutting::Asked(asked, cut)) = &self.cut
            && *asked == id
        {
            let fault = cut_off(cut);
            return outcome.and(Err(fault));
        }
        if self.writing == Some(id) {
            self.writing = None;
            let last = self.last_of(outcome?)?;
            self.inlet.open(last);
            return Ok(());
        }
        if let Some((asked, due, turn)) = self.ahead
            && asked == id
        {
            self.ahead = None;
            let last = self.last_of(outcome?)?;
            let more_of_it = self.runs_under_a_window();
            self.outlet.widen(due, turn, more_of_it, last);
            return Ok(());
        }
        let due = match self.phase {
            Phase::Asked(asked, due) if asked == id => due,
            _ => return Err(Fault::ours("the record answered what nobody asked")),
        };
        self.phase = Phase::Running;
        match outcome {
            Ok(witnessed) => self.release(due, witnessed),
            Err(fault) => self.give_up(fault),
        }
    }

    fn last_of(&mut self, mut witnessed: Vec<Witnessed>) -> Result<Witnessed, Fault> {
        let last = witnessed.pop().ok_or_else(|| Fault::ours("a release without an entry"))?;
        self.last_entry = self.last_entry.max(Some(last.index()));
        Ok(last)
    }

    fn release(&mut self, due: Due, witnessed: Vec<Witnessed>) -> Result<(), Fault> {
        let entries: Vec<u64> = witnessed.iter().map(Witnessed::index).collect();
        let last = self.last_of(witnessed)?;
        let refusals = std::mem::take(&mut self.refusals);
        let profile = &self.permit.profile().name;
        self.outlet.release(due, last, |gap, out| {
            let said = refusals.get(gap.refusal).zip(entries.get(gap.refusal));
            if let Some((refused, entry)) = said {
                refused.say(out, profile, *entry);
            }
        });
        if let Due::Exact(tally) | Due::Total(tally) = due {
            self.released = self.released.plus(tally);
        }
        self.soft.released_in_the_middle |= !self.soft.at_ready;
        if self.soft.at_ready {
            self.soft = Softness::default();
        }
        Ok(())
    }

    /// Nothing of what is held may go. If an error can still say so truthfully, the session goes on.
    fn give_up(&mut self, fault: Fault) -> Result<(), Fault> {
        let soft = self.soft.at_ready
            && !self.soft.released_in_the_middle
            && !self.soft.site_keeps_something
            && !self.outlet.has_run()
            && self.transaction == TransactionStatus::Idle;
        self.outlet.forget_held();
        self.refusals.clear();
        if !soft {
            return Err(fault);
        }
        self.soft = Softness::default();
        self.outlet.say(|out| {
            say_error(out, Severity::Error, &fault.shown);
            backend::ready(out, TransactionStatus::Idle);
        });
        Ok(())
    }

    /// Says why the session ends, unless the client is in the middle of a row.
    pub fn say_goodbye(&mut self, shown: &Shown) {
        if !self.outlet.is_passing() {
            self.outlet.say(|out| say_error(out, Severity::Fatal, shown));
        }
    }

    /// Drops what was released and not sent yet, but for the rest of the message that is being sent.
    pub fn drop_what_waits(&mut self) {
        self.outlet.drop_what_waits();
    }

    /// What was released, and why the session ends.
    pub fn closing(&self, reason: String) -> SessionClose {
        let released = self.released.plus(self.outlet.run());
        SessionClose { reason, rows: released.rows, bytes: released.bytes, subjects: self.meter.total() }
    }

    /// Whether the site owes an answer.
    pub fn is_busy(&self) -> bool {
        !self.owed.is_empty()
    }

    /// The client says nothing more; it may still listen, so what it has asked for is answered.
    pub fn client_ended(&mut self) {
        self.client_ended = true;
    }

    /// Whether the client has said goodbye, or has been given all it asked for and cannot ask for more.
    pub fn is_over(&self) -> bool {
        let given =
            || self.owed.is_empty() && matches!(self.phase, Phase::Running) && !self.outlet.holds_something();
        self.over || (self.client_ended && given())
    }

    /// The next time at which something is due although nobody says anything: what is held, or a deadline's end.
    pub fn deadline(&self) -> Option<Instant> {
        let held = match self.phase {
            Phase::Running => self.outlet.deadline(),
            Phase::Due(_) | Phase::Asked(..) => None,
        };
        [held, self.timing.next()].into_iter().flatten().min()
    }

    /// Looks at the deadlines; a fault ends the session.
    pub fn on_time(&mut self, now: Instant) -> Result<(), Fault> {
        self.timing.check(now)
    }

    /// Whether the site is to be asked to cancel what runs; says so once.
    pub fn takes_cancel(&mut self) -> bool {
        self.timing.takes_cancel()
    }

    /// What may go to the client.
    pub fn to_client(&self) -> &[u8] {
        self.outlet.to_client()
    }

    /// Notes what was sent; whether it may still have to be flushed.
    pub fn sent_to_client(&mut self, count: usize) -> bool {
        self.outlet.sent(count);
        if self.owed.is_empty() {
            self.outlet.relax();
            self.inlet.relax();
        }
        count > 0
    }

    /// What goes to the site.
    pub fn to_site(&self) -> &[u8] {
        self.inlet.to_site()
    }

    /// Notes what was sent; whether it may still have to be flushed.
    pub fn sent_to_site(&mut self, count: usize) -> bool {
        self.inlet.sent(count);
        count > 0
    }

    fn detail_is_full(&self) -> bool {
        self.detail_bytes > UNIT_DETAIL_BYTES_MAX
    }
}

fn say_error(out: &mut Vec<u8>, severity: Severity, shown: &Shown) {
    let report = Report {
        severity,
        sqlstate: shown.sqlstate,
        message: &shown.message,
        detail: None,
        hint: shown.hint.as_deref(),
    };
    backend::error_response(out, &report);
}
