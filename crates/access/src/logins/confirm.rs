//! A second proof, out of band: SCRAM never shows a password to whom a code could be appended to, so a connection that
//! brings a code in its startup options proves both, opens no session, and lets the next login from there pass. Not here:
//! what a code is (`totp`), which hold (`codes`).

use std::sync::Arc;

use tlog::detail::ResponseKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Duration, timeout};
use wire::backend::{self, Report, Severity, TransactionStatus};

use super::codes::NoCode;
use super::journal::Ended;
use super::judge;
use super::responses::New;
use crate::admit::Asker;
use crate::client::OpenError;
use crate::clock;
use crate::fault::Fault;
use crate::gate::Gate;
use crate::login;

/// The rule under which a code that does not hold is recorded.
const RULE: &str = "confirmation";
/// How long a client may take to say goodbye.
const GOODBYE_MS_MAX: u64 = 2_000;

/// Takes the code of somebody whose password was right.
pub async fn confirm<S>(gate: &Arc<Gate>, stream: &mut S, asker: &Asker, code: &str) -> Result<(), OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Err(fault) = check(gate, asker, code).await {
        return Err(OpenError::Refused(fault));
    }
    let logins = &gate.logins;
    let (principal, lasts) = (Some(asker.principal.as_str()), logins.settings.pass);
    let because = "a one-time code";
    let new = New { kind: ResponseKind::Pass, source: asker.address, principal, because, lasts };
    // One that holds already will do.
    if let Ok((response, entry)) = judge::begin_pass(gate, new).await {
        tracing::info!(id = response.id, entry, "a second proof was given");
    }
    let minutes = lasts.as_secs() / 60;
    let message =
        format!("confirmed: a login of \"{}\" from here passes within {minutes} minutes", asker.principal);
    say_and_close(stream, &message).await?;
    Ok(())
}

async fn check(gate: &Arc<Gate>, asker: &Asker, code: &str) -> Result<(), Fault> {
    let principal = &asker.principal;
    let refused = |message: String, hint: &str| Fault::client("28000", message, Some(hint));
    let Some(secret) = gate.config.totp(principal)? else {
        let message = format!("no one-time codes are set up for \"{principal}\"");
        return Err(refused(message, "Ask the gate's operator, who runs `trefoil principal totp`."));
    };
    let seconds = u64::try_from(clock::now().0 / 1_000_000).unwrap_or_default();
    let held = gate.logins.codes.hold(principal, &secret, code, seconds);
    let fault = match held.map_err(|error| Fault::ours(error.to_string()))? {
        Ok(()) => return Ok(()),
        Err(NoCode::Wrong) => refused(
            "the code is wrong".to_owned(),
            "Take the code that your app shows now, and check the clock.",
        ),
        Err(NoCode::Used) => {
            refused("the code was used before".to_owned(), "Wait for the next one: each holds once.")
        }
        Err(NoCode::TooMany(seconds)) => {
            let message = format!("too many wrong codes; the next one is let pass in {seconds} s");
            return Err(refused(message, "Wait, or ask the gate's operator."));
        }
    };
    login::record(gate, asker, RULE, &fault).await;
    judge::failed(gate, asker, Ended::Code).await;
    Err(fault)
}

/// A session that is over before it began: any client of PostgreSQL shows the notice.
async fn say_and_close<S>(stream: &mut S, message: &str) -> Result<(), OpenError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = Vec::new();
    let report = Report { severity: Severity::Notice, sqlstate: "00000", message, detail: None, hint: None };
    backend::notice_response(&mut out, &report);
    backend::ready(&mut out, TransactionStatus::Idle);
    stream.write_all(&out).await?;
    stream.flush().await?;
    // Until it says goodbye, or anything else: there is no session to say it to.
    let _ = timeout(Duration::from_millis(GOODBYE_MS_MAX), stream.read(&mut [0; 256])).await;
    stream.shutdown().await?;
    Ok(())
}
