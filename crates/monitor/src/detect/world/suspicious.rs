//! Suspicious logins of the simulated enclave: what its gate judges of attackers, and of those who travel and give a second
//! proof. Kept apart from what people do, so that it changes nothing of when they do it.

use tlog::{
    detail::{
        Judged, JudgedLogin, JudgedReason, LoginAction, LoginFinding, LoginFindingKind, LoginResponded,
        LoginResponse, Proof, ResponseChange, ResponseKind,
    },
    entry::Micros,
};

use super::{
    attacks::Act,
    dice::mix,
    staff::Person,
    stream::{HOUR, MINUTE, SECOND, Shown, Stream},
};
use crate::detect::observation::{Asker, What};

/// Of a person's working days, one in so many is one on which the gate asks for a second proof,
const ASKED_EVERY: u64 = 400;
/// and one in so many is one on which they have no phone with them, and give up.
const GIVEN_UP_EVERY: u64 = 8_000;
const AFAR: &str = "203.0.113.77";

/// Whether the gate asks this person for a second proof on this day; it does not depend on chance that others use.
pub fn unusual(stream: &mut Stream, person: &Person, at: usize, day: i64, noon: i64) {
    let drawn = mix(mix(at as u64) ^ day.unsigned_abs());
    let (asked, gives_up) = (drawn.is_multiple_of(ASKED_EVERY), drawn.is_multiple_of(GIVEN_UP_EVERY));
    if person.is_service() || !asked {
        return;
    }
    let asker = Asker { address: Some(AFAR.to_owned()), ..person.asker(day, None) };
    judge(stream, noon, &asker, LoginAction::StepUp, Vec::new());
    if !gives_up {
        let pass = response(noon + MINUTE, ResponseKind::Pass, AFAR, Some(&asker.principal));
        stream.push(noon + MINUTE, None, What::Responded(Box::new(pass)));
    }
}

impl Act<'_> {
    /// A spray that the gate finds and, later, a password that holds.
    pub fn found_spray(&mut self) {
        let from = self.midnight + 12 * HOUR;
        let asker =
            Asker { known: false, principal: "guess".to_owned(), ..self.person.asker(self.day, None) };
        for (after, successes) in [(0, 0), (20 * MINUTE, 1)] {
            let finding = LoginFinding {
                kind: LoginFindingKind::Spray,
                id: format!("{:016x}", mix(self.day.unsigned_abs())),
                since: Micros(from).to_string(),
                attempts: 60,
                users: 60,
                sources: 1,
                successes,
                action: LoginAction::Block,
            };
            judge(self.stream, from + after, &asker, LoginAction::Block, vec![finding]);
        }
    }

    /// A right password, judged so; nothing more comes of it.
    pub fn judged(&mut self, action: LoginAction) {
        let asker = Asker { address: Some(AFAR.to_owned()), ..self.person.asker(self.day, None) };
        judge(self.stream, self.midnight + 11 * HOUR, &asker, action, Vec::new());
    }

    /// The gate says that it stops a source, and lets somebody in from there.
    pub fn let_in(&mut self, after: i64) {
        let from = self.midnight + 10 * HOUR;
        let block = response(from, ResponseKind::Block, AFAR, None);
        self.stream.push(from, None, What::Responded(Box::new(block)));
        let ticket = Some("SUP-77".to_owned());
        let asker = Asker { address: Some(AFAR.to_owned()), ..self.person.asker(self.day, ticket) };
        self.stream.work(from + after, asker, &[("SELECT id FROM users", Shown::Rows(5))]);
    }
}

fn judge(stream: &mut Stream, time: i64, asker: &Asker, action: LoginAction, findings: Vec<LoginFinding>) {
    let reason = JudgedReason {
        term: "place".to_owned(),
        log_odds: "6.000".to_owned(),
        observed: "SG".to_owned(),
        expected: "IE".to_owned(),
    };
    let login = JudgedLogin {
        principal: asker.principal.clone(),
        listener: asker.place.clone(),
        purpose: None,
        ticket: None,
        address: AFAR.to_owned(),
        agent: None,
        proof: if asker.known { Proof::Held } else { Proof::Unknown },
        confirmed: false,
        observed: false,
        judged: Judged { score: "6.000".to_owned(), action, reasons: vec![reason], findings },
    };
    stream.push(time, None, What::Judged { asker: Box::new(asker.clone()), login: Box::new(login) });
}

fn response(time: i64, kind: ResponseKind, source: &str, principal: Option<&str>) -> LoginResponded {
    let lasts = if kind == ResponseKind::Pass { 300 * SECOND } else { HOUR };
    let response = LoginResponse {
        id: format!("{:016x}", mix(time.unsigned_abs())),
        kind,
        principal: principal.map(str::to_owned),
        source: source.to_owned(),
        since: Micros(time).to_string(),
        until: Micros(time + lasts).to_string(),
        because: "simulated".to_owned(),
    };
    LoginResponded { response, change: ResponseChange::Begun, because: None, ended: Vec::new() }
}
