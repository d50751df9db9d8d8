//! What becomes of a login: it is judged, and what is judged is done, and recorded. A source is stopped or slowed down for
//! what it does to many; a principal is asked for a second proof, or refused from that source alone. Not here: how a
//! score comes about (crate `risk`), what is in force (`responses`).

use std::sync::Arc;

use policy::Ask;
use risk::{Action, Judgement, Place, Term};
use tlog::detail::{JudgedLogin, LoginResponded, LoginResponse, Proof, ResponseChange, ResponseKind};
use tlog::entry::{Decision, Kind};
use tokio::time::Duration;

use super::journal::{Ended, Logged};
use super::responses::{Begun, New};
use super::{Mode, written};
use crate::admit::Asker;
use crate::attempts;
use crate::brake;
use crate::clock;
use crate::entries::detail_of;
use crate::fault::Fault;
use crate::gate::Gate;

/// Refuses whoever comes from where logins are stopped or slowed down, before a proof is asked for.
pub fn check_source(gate: &Gate, asker: &Asker) -> Result<(), Fault> {
    check_stopped(gate, asker)?;
    let Asker { principal, address, .. } = asker;
    let wait = gate.logins.responses.slowed(*address, principal, clock::now(), clock::instant());
    let Some(seconds) = wait else { return Ok(()) };
    let message = format!("logins from {address} are slowed down; the next one is let pass in {seconds} s");
    Err(Fault::client("28000", message, Some("Wait, and check the user name and the password.")))
}

fn check_stopped(gate: &Gate, asker: &Asker) -> Result<(), Fault> {
    let stopping = gate.logins.responses.stopping(asker.address, &asker.principal, clock::now());
    let Some((response, is_first)) = stopping else { return Ok(()) };
    if is_first {
        tracing::info!(
            response = response.id,
            "a login from a stopped source is refused; others are not told"
        );
    }
    Err(Fault::blocked(&response))
}

/// Judges an attempt that ended otherwise than with a proof that policy goes with.
pub async fn failed(gate: &Arc<Gate>, asker: &Asker, ended: Ended) {
    let observed = gate.logins.settings.mode == Mode::Observe;
    let logged = logged(gate, asker, ended);
    let judgement = gate.logins.learn(logged.clone());
    // A failed attempt is in the record anyway. What is thought of it is when it shows or begins something.
    let begun = !observed && respond(gate, asker, &judgement, judgement.action, false);
    if has_news(&judgement) || begun {
        let (action, proof) = (judgement.action, proof_of(ended));
        let judgement = &judgement;
        note_judged(gate, asker, Noted { logged, judgement, action, proof, confirmed: false, observed })
            .await;
    }
}

/// Judges a login whose password was right and that policy permits, and lets it in or says why not.
pub async fn proven(gate: &Arc<Gate>, asker: &Asker) -> Result<(), Fault> {
    let Asker { principal, address, .. } = asker;
    let logins = &gate.logins;
    // It may have been stopped while it proved itself.
    check_stopped(gate, asker)?;
    let confirmed = logins.responses.passes(*address, principal, clock::now());
    // Nothing is done about what is unusual of a principal who is not known yet. What a source does to many is another
    // matter.
    let is_lenient = logins.settings.mode == Mode::Observe || logins.is_learning(principal);
    let logged =
        Logged { is_confirmed: confirmed, is_enforced: !is_lenient, ..logged(gate, asker, Ended::Proven) };
    let judgement = logins.learn(logged.clone());
    let is_many = logins.settings.is_many(*address);
    let action = if is_many { own_action(gate, &judgement, confirmed) } else { judgement.action };
    if action == Action::Allow && !has_news(&judgement) {
        return Ok(());
    }
    let is_campaign = !is_many && judgement.findings.iter().any(|finding| finding.action >= Action::Throttle);
    let observed = logins.settings.mode == Mode::Observe || (is_lenient && !is_campaign);
    let noted = Noted { logged, judgement: &judgement, action, proof: Proof::Held, confirmed, observed };
    let (entry, lets_in) = note_judged(gate, asker, noted).await;
    if !observed {
        respond(gate, asker, &judgement, action, true);
    }
    if lets_in { Ok(()) } else { Err(refused(gate, asker, action, &entry)) }
}

/// What is due by what is unusual of the principal alone: where many are behind one address, nobody answers for what others
/// do there.
fn own_action(gate: &Gate, judgement: &Judgement, confirmed: bool) -> Action {
    let of_others =
        judgement.reasons.iter().filter(|reason| matches!(reason.term, Term::Source | Term::Campaign));
    let score = judgement.score - of_others.map(|reason| reason.log_odds).sum::<f64>();
    let settings = &gate.logins.settings;
    match score {
        // Nor is one refused who gave the second proof, for what is only unusual.
        score if score >= settings.block && (!confirmed || judgement.action >= Action::Block) => {
            Action::Block
        }
        score if score >= settings.step_up && !confirmed => Action::StepUp,
        _ => Action::Allow,
    }
}

fn has_news(judgement: &Judgement) -> bool {
    judgement.findings.iter().any(|finding| finding.is_new)
}

/// Says what to do, and not what was found: it may be somebody else.
fn refused(gate: &Gate, asker: &Asker, action: Action, entry: &str) -> Fault {
    let Asker { principal, address, .. } = asker;
    if action >= Action::Block {
        let message = format!("this login of \"{principal}\" is not let in ({entry})");
        let hint = "Connect from where you usually do, or ask the gate's operator, and name the entry.";
        return Fault::client("28000", message, Some(hint));
    }
    let message = format!("this login of \"{principal}\" is unusual and needs a second proof ({entry})");
    let has_codes = gate.config.has_totp(principal);
    let minutes = gate.logins.settings.pass.as_secs() / 60;
    let hint = if has_codes {
        format!(
            "Run `trefoil confirm` from here with a code of your authenticator app, then connect again within {minutes} \
             minutes."
        )
    } else {
        format!(
            "No one-time codes are set up for you: ask the gate's operator, who runs `trefoil principal totp \
             {principal}`, or answers for you with `trefoil logins pass {principal} --from {address}`."
        )
    };
    Fault::client("28000", message, Some(&hint))
}

/// Does about the source what is due; whether something began.
fn respond(gate: &Arc<Gate>, asker: &Asker, judgement: &Judgement, action: Action, is_proven: bool) -> bool {
    if action < Action::Throttle {
        return false;
    }
    // What a campaign is answered with is about its source. What is thought of one principal's own login is about that
    // principal from there: others behind the same address go on.
    let found = judgement.findings.iter().filter(|finding| finding.action >= Action::Throttle);
    match found.max_by_key(|finding| finding.action) {
        Some(worst) => begin(gate, asker, kind_of(worst.action), None, &written::named(worst)),
        None if is_proven => {
            let because = format!("a login judged {}", action.word());
            begin(gate, asker, kind_of(action), Some(&asker.principal), &because)
        }
        None => begin(gate, asker, kind_of(action), None, "what its network does to others"),
    }
}

fn kind_of(action: Action) -> ResponseKind {
    if action >= Action::Block { ResponseKind::Block } else { ResponseKind::Throttle }
}

/// Puts a response in force about where somebody comes from; whether it is new.
fn begin(
    gate: &Arc<Gate>,
    asker: &Asker,
    kind: ResponseKind,
    principal: Option<&str>,
    because: &str,
) -> bool {
    let settings = &gate.logins.settings;
    let source = attempts::shared(asker.address);
    if principal.is_none() && settings.is_many(asker.address) {
        tracing::warn!(%source, because, "this source is many people and is never stopped");
        return false;
    }
    start(gate, New { kind, source, principal, because, lasts: settings.response })
}

/// Puts a response in force, ends the sessions that it stops, and has it recorded in the background.
fn start(gate: &Arc<Gate>, new: New<'_>) -> bool {
    let logins = &gate.logins;
    let id = format!("{:016x}", rand::random::<u64>());
    let Begun { response, gone, lost } = match logins.responses.begin(new, id, clock::now()) {
        Ok(Some(begun)) => begun,
        Ok(None) => return false,
        Err(error) => {
            tracing::error!(%error, "a response to suspicious logins is not in force");
            return false;
        }
    };
    if let Some(error) = lost {
        tracing::error!(%error, "a response to suspicious logins is in force, and ends with the gate");
    }
    // Sessions end before anything is waited for.
    let ending =
        if response.kind == ResponseKind::Block { gate.brakes.respond(&response) } else { Vec::new() };
    tracing::warn!(
        id = response.id,
        kind = response.kind.as_str(),
        source = response.source,
        because = response.because,
        sessions = ending.len(),
        "a response to suspicious logins begins"
    );
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        let ended = brake::ended(ending).await;
        note_begun(&gate, response, ended).await;
        note_gone(&gate, gone).await;
    });
    true
}

/// Lets a principal's logins from a source pass, and says so in the record first.
pub async fn begin_pass(gate: &Gate, new: New<'_>) -> Result<(LoginResponse, String), String> {
    let id = format!("{:016x}", rand::random::<u64>());
    let begun = gate.logins.responses.begin(new, id, clock::now()).map_err(|error| error.to_string())?;
    let Begun { response, gone, .. } = begun.ok_or("a second proof of theirs holds there already")?;
    let entry = note_begun(gate, response.clone(), Vec::new()).await;
    note_gone(gate, gone).await;
    Ok((response, entry))
}

/// What had to make room for another is over, which the record holds like every end.
async fn note_gone(gate: &Gate, gone: Option<LoginResponse>) {
    let Some(gone) = gone else { return };
    let because = Some("there was no room for it".to_owned());
    note(gate, gone, ResponseChange::Undone, because, Vec::new()).await;
}

/// Says in the record what began and was not said: the run that began it may not have come to that.
pub async fn note_at_start(gate: &Gate) {
    for response in gate.logins.responses.unnoted() {
        note_begun(gate, response, Vec::new()).await;
    }
}

/// Has the beginning of a response recorded, and remembers that it was.
pub async fn note_begun(gate: &Gate, response: LoginResponse, ended: Vec<tlog::detail::Ended>) -> String {
    let id = response.id.clone();
    let entry = note(gate, response, ResponseChange::Begun, None, ended).await;
    if let Err(error) = gate.logins.responses.noted(&id) {
        tracing::error!(%error, "that a response was recorded is not kept");
    }
    entry
}

/// Has a response's beginning or end recorded; says under which number.
pub async fn note(
    gate: &Gate,
    response: LoginResponse,
    change: ResponseChange,
    because: Option<String>,
    ended: Vec<tlog::detail::Ended>,
) -> String {
    let principal = response.principal.clone();
    let mut draft = record::Draft::new(Kind::LoginResponded);
    draft.principal = principal;
    draft.policy = Some(gate.config.bundle.hash().to_string());
    draft.detail = match detail_of(&LoginResponded { response, change, because, ended }) {
        Ok(detail) => Some(detail),
        Err(fault) => return fault.internal,
    };
    gate.append_said(draft).await
}

/// A judgement that is recorded.
struct Noted<'a> {
    logged: Logged,
    judgement: &'a Judgement,
    action: Action,
    proof: Proof,
    confirmed: bool,
    observed: bool,
}

/// Has a judgement recorded; says under which number, and whether a login that is judged so is let in.
async fn note_judged(gate: &Gate, asker: &Asker, noted: Noted<'_>) -> (String, bool) {
    let Noted { logged, judgement, action, proof, confirmed, observed } = noted;
    let login = JudgedLogin {
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        purpose: asker.purpose.clone(),
        ticket: asker.ticket.clone(),
        address: asker.address.to_string(),
        agent: asker.agent().map(str::to_owned),
        proof,
        confirmed,
        observed,
        judged: written::judged(judgement, action),
    };
    let (bundle, lets_in) = (&gate.config.bundle, login.is_let_in());
    let mut draft = gate.draft(Kind::LoginJudged, &asker.principal, &asker.listener);
    draft.decision = Some(if lets_in { Decision::Permit } else { Decision::Deny });
    draft.request = Some(bundle.request(&Ask {
        principal: &asker.principal,
        place: bundle.place_of(&asker.listener),
        purpose: asker.purpose.as_deref(),
        ticket: asker.ticket.as_deref(),
    }));
    draft.detail = match detail_of(&login) {
        Ok(detail) => Some(detail),
        Err(fault) => return (fault.internal, lets_in),
    };
    let (index, said) = gate.append_told(draft).await;
    if let Some(index) = index {
        gate.logins.tell(index, logged);
    }
    (said, lets_in)
}

fn proof_of(ended: Ended) -> Proof {
    match ended {
        Ended::Proven | Ended::Denied => Proof::Held,
        Ended::UnknownUser => Proof::Unknown,
        Ended::Password | Ended::Code => Proof::Failed,
    }
}

/// What the engine is told of a login.
fn logged(gate: &Gate, asker: &Asker, outcome: Ended) -> Logged {
    let bundle = &gate.config.bundle;
    let known = bundle.directory().principal(&asker.principal);
    let group = known.map(|one| {
        let roles: Vec<&str> = one.roles.iter().map(String::as_str).collect();
        format!("{} of {}", roles.join("+"), one.employer)
    });
    // A place without a country is `unknown`.
    let country = places::code(&bundle.place_of(&asker.listener).to_string());
    let mut place = Place { country, ..Place::default() };
    gate.logins.look_up(asker.address, &mut place);
    let mut logged = Logged {
        number: 0,
        time_ms: clock::now().0 / 1_000,
        user: asker.principal.clone(),
        ip: asker.address.to_canonical(),
        country: None,
        asn: None,
        point: None,
        network: None,
        agent: asker.agent().map(str::to_owned),
        // Whoever fails has no profile: with one, those who fail and those who do not would be two crowds, and no share of
        // failures would surprise.
        target: Some(bundle.enclave().name.clone()),
        group,
        outcome,
        is_confirmed: false,
        is_enforced: true,
    };
    logged.set_place(place);
    logged
}

/// Puts out of force what has come to its end, until the gate stops; takes a snapshot when much was learnt.
pub async fn keep(gate: Arc<Gate>, mut stop: tokio::sync::watch::Receiver<bool>) {
    let mut looked = clock::instant();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(Duration::from_millis(super::LOOK_MS)) => {}
        }
        match gate.logins.responses.expire(clock::now()) {
            Ok(over) => {
                for response in over {
                    note(&gate, response, ResponseChange::Expired, None, Vec::new()).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "a response that is over is not put out of force on the disk")
            }
        }
        gate.logins.snapshot_if_due();
        if let Some(places) = &gate.logins.places
            && looked.elapsed() >= Duration::from_millis(super::PLACES_LOOK_MS)
        {
            super::reload_places(Arc::clone(places)).await;
            looked = clock::instant();
        }
    }
}
