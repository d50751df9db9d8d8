//! SCRAM-SHA-256 with a client: who it is that it says it is. Failed logins are recorded, and too many of them are not
//! let pass. Not here: what comes before and after (`client`).

use std::sync::Arc;

use bytes::BytesMut;
use rand::RngCore;
use tlog::detail::{Refused, Stage};
use tlog::entry::Kind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::backend;
use wire::codec::{self, Frame};
use wire::frontend::{SaslInitial, Tag};
use wire::scram::{Exchange, ITERATIONS_DEFAULT, MECHANISM, NONCE_BYTES, ScramError, Verifier};

use crate::admit::Asker;
use crate::attempts::TooMany;
use crate::client::OpenError;
use crate::clock;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::logins::{self, Ended};

/// The rule that a failed proof is recorded under.
const RULE_PROOF: &str = "authentication";
/// The rule under which attempts are not let pass.
const RULE_TOO_MANY: &str = "failed-logins";

/// Why somebody is not who they say they are, and under which rule that is recorded, if it is.
struct Unproven {
    fault: Fault,
    rule: Option<&'static str>,
}

/// Authenticates the asker, or records why not.
pub async fn log_in<S>(gate: &Arc<Gate>, stream: &mut S, asker: &Asker) -> Result<(), OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let unproven = match prove(gate, stream, asker).await? {
        Ok(()) => return Ok(()),
        Err(unproven) => unproven,
    };
    if let Some(rule) = unproven.rule {
        record(gate, asker, rule, &unproven.fault).await;
    }
    if unproven.rule == Some(RULE_PROOF) {
        let is_known = gate.config.secrets.principals.contains_key(&asker.principal);
        logins::failed(gate, asker, if is_known { Ended::Password } else { Ended::UnknownUser }).await;
    }
    Err(OpenError::Refused(unproven.fault))
}

async fn prove<S>(gate: &Gate, stream: &mut S, asker: &Asker) -> Result<Result<(), Unproven>, OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Asker { principal, address, .. } = asker;
    if let Err(too_many) = gate.attempts.may_try(*address, principal, clock::instant()) {
        return Ok(Err(slow_down(too_many)));
    }
    let verifier = verifier(gate, principal)?;
    let mut nonce = [0; NONCE_BYTES];
    rand::rng().fill_bytes(&mut nonce);
    let mut input = BytesMut::new();
    let mut out = Vec::new();
    backend::authentication_sasl(&mut out, &[MECHANISM]).map_err(unwritable)?;
    say(stream, &mut out).await?;

    let body = password_body(stream, &mut input).await?;
    let initial = SaslInitial::read(&body)?;
    if initial.mechanism != MECHANISM {
        return Err(protocol("a SASL mechanism that was not offered"));
    }
    let first = initial.data.unwrap_or_default();
    let (challenged, server_first) = match Exchange::new(verifier).on_first(first, &nonce) {
        Ok(challenged) => challenged,
        Err(error) => {
            let counted = gate.attempts.fail(*address, principal, clock::instant());
            return Ok(Err(counted.map_or_else(slow_down, |()| failed(principal, &error))));
        }
    };
    backend::authentication_sasl_continue(&mut out, server_first.as_bytes()).map_err(unwritable)?;
    say(stream, &mut out).await?;

    let body = password_body(stream, &mut input).await?;
    if let Err(too_many) = gate.attempts.fail(*address, principal, clock::instant()) {
        return Ok(Err(slow_down(too_many)));
    }
    let proven = match challenged.on_final(&body) {
        Ok(proven) => proven,
        Err(error) => return Ok(Err(failed(principal, &error))),
    };
    gate.attempts.succeed(*address, principal);
    backend::authentication_sasl_final(&mut out, proven.server_final().as_bytes()).map_err(unwritable)?;
    backend::authentication_ok(&mut out);
    say(stream, &mut out).await?;
    if input.is_empty() { Ok(Ok(())) } else { Err(protocol("speaks before it may")) }
}

fn verifier(gate: &Gate, principal: &str) -> Result<Verifier, OpenError> {
    let verifier = match gate.config.secrets.principals.get(principal) {
        Some(text) => text.parse(),
        // An unknown principal is asked for a password like any other, and fails like a wrong one.
        None => Verifier::mock(&gate.mock_secret, principal, ITERATIONS_DEFAULT),
    };
    verifier.map_err(|e| OpenError::Refused(Fault::ours(format!("secrets: {principal}: {e}"))))
}

fn failed(principal: &str, error: &ScramError) -> Unproven {
    let message = format!("authentication failed for \"{principal}\": {error}");
    Unproven { fault: Fault::client("28P01", message, None), rule: Some(RULE_PROOF) }
}

fn slow_down(too_many: TooMany) -> Unproven {
    let TooMany { seconds, is_first } = too_many;
    let message = format!("too many failed logins; the next one is let pass in {seconds} s");
    let hint = "Wait, and check the user name and the password.";
    Unproven { fault: Fault::client("28000", message, Some(hint)), rule: is_first.then_some(RULE_TOO_MANY) }
}

/// Has a proof that failed recorded.
pub async fn record(gate: &Gate, asker: &Asker, rule: &str, fault: &Fault) {
    let detail = Refused {
        principal: asker.principal.clone(),
        listener: asker.listener.clone(),
        purpose: asker.purpose.clone(),
        ticket: asker.ticket.clone(),
        stage: Stage::Login,
        statement: None,
        rule: rule.to_owned(),
        sentence: format!("{}, from {}", fault.internal, asker.address),
    };
    let entry = gate.append_refusal(Kind::LoginJudged, &detail, None).await;
    tracing::info!(principal = asker.principal, place = asker.listener, entry, "login refused");
}

fn unwritable(error: wire::Unwritable) -> OpenError {
    OpenError::Refused(Fault::ours(error.to_string()))
}

fn protocol(problem: &str) -> OpenError {
    OpenError::Refused(Fault::protocol(problem))
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), out: &mut Vec<u8>) -> std::io::Result<()> {
    stream.write_all(out).await?;
    out.clear();
    stream.flush().await
}

async fn password_body(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Vec<u8>, OpenError> {
    loop {
        match codec::next::<Tag>(input)? {
            codec::Next::Frame { frame: Frame { tag: Tag::Password, body }, whole, .. } => {
                let (body, used) = (body.to_vec(), whole.len());
                bytes::Buf::advance(input, used);
                return Ok(body);
            }
            codec::Next::Frame { .. } => return Err(protocol("something else than a SASL message")),
            codec::Next::Need(_) => {
                if stream.read_buf(input).await? == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
            }
        }
    }
}
