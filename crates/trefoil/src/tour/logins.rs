//! Suspicious logins: many names tried from one address are found and told, the principal whose name it is goes on, and a
//! one-time code is a second proof, once.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, UNIX_EPOCH};

use access::totp::STEP_SECONDS;
use access::{Answer, CONTROL_SOCKET, Order};
use futures_util::future::join_all;

use crate::clock;
use crate::tour::client;
use crate::tour::monitor;
use crate::tour::people::AOIFE;
use crate::tour::{Seen, Story};
use crate::up::Secrets;

/// Names that somebody tries; fewer than an address may fail with at once.
const NAMES: u32 = 24;
const FOUND_MS_MAX: u64 = 20_000;
const LOOK_MS: u64 = 250;
const DETECTOR: &str = "suspicious-logins";
const KIND: &str = "spray";
/// An address of this machine from which nobody else comes.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STOPPED: &str = "are stopped until";

pub(crate) async fn tell(story: &mut Story<'_>) {
    story.chapter("Suspicious logins");
    let seen = spray(story).await;
    story.observe("many names tried from one address", seen);
    let seen = owner(story).await;
    story.observe("aoife connects from where she usually does", seen);
    let (first, again) = second_proof(story).await;
    story.observe("aoife gives a second proof by a one-time code", first);
    story.observe("the same code again", again);
}

/// One password for everybody, tried at once: whoever tries one name after the other is slowed down first.
async fn spray(story: &Story<'_>) -> Seen {
    let guess = |name: String| async move {
        let tried = client::try_from(story.ready, ELSEWHERE, AOIFE.place, &name, "Spring2026!").await;
        tried.map(|_session| name).map_err(|refused| refused.message)
    };
    let guesses = join_all((0..NAMES).map(|n| guess(format!("guess-{n}")))).await;
    let last = match guesses.into_iter().find_map(Result::ok) {
        Some(name) => Ok(name),
        None => guess(AOIFE.who.to_owned()).await,
    };
    let last = match last {
        Ok(name) => return Ok((false, format!("{name} was let in"))),
        Err(message) => message,
    };
    for _ in 0..FOUND_MS_MAX / LOOK_MS {
        let incidents = monitor::incidents(story.folder, DETECTOR).await?;
        if let Some(incident) = incidents.iter().find(|incident| monitor::says(incident, KIND)) {
            return Ok((last.contains(STOPPED), format!("{last}; {}", monitor::line(incident))));
        }
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
    }
    Ok((false, format!("{last}; nobody was told")))
}

async fn owner(story: &Story<'_>) -> Seen {
    let session = client::ask(story.ready, AOIFE).await.map_err(|refused| refused.to_string())?;
    let rows = session.rows("SELECT 1").await.map_err(|refused| refused.to_string())?;
    Ok((rows.len() == 1, "an owner is never locked out by others".to_owned()))
}

/// Codes are set up for the time of it; what the operator had set up comes back.
async fn second_proof(story: &Story<'_>) -> (Seen, Seen) {
    let enrolled = Secrets::read(story.folder).and_then(|mut secrets| {
        let before = secrets.totp_of(AOIFE.who);
        let secret = secrets.make_totp(AOIFE.who);
        secrets.write(story.folder)?;
        Ok((before, secret))
    });
    let (before, secret) = match enrolled.map_err(|ended| ended.to_string()) {
        Ok(enrolled) => enrolled,
        Err(why) => return (Err(why.clone()), Err(why)),
    };
    let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let step = now / STEP_SECONDS;
    let options = format!("-c trefoil.confirm={}", secret.code(step));
    let first = confirmed(story, &options).await;
    let again = match client::log_in(story.ready, AOIFE.place, AOIFE.who, &password(story), &options).await {
        Err(refused) => Ok((refused.message.contains("used before"), refused.to_string())),
        Ok(_) => Ok((false, "it held again".to_owned())),
    };
    let restored = Secrets::read(story.folder).and_then(|mut secrets| {
        secrets.set_totp(AOIFE.who, before);
        secrets.write(story.folder)
    });
    (first, restored.map_err(|ended| ended.to_string()).and(again))
}

async fn confirmed(story: &Story<'_>, options: &str) -> Seen {
    // A connection that opens no session.
    drop(
        client::log_in(story.ready, AOIFE.place, AOIFE.who, &password(story), options)
            .await
            .map_err(|r| r.to_string())?,
    );
    let socket = story.folder.gate(CONTROL_SOCKET);
    let asked = access::ask_gate(&socket, &Order::Responses).await.map_err(|error| error.to_string())?;
    let Answer::Responses(responses) = asked else { return Err("the gate says something else".to_owned()) };
    let passes = |name: &Option<String>| name.as_deref() == Some(AOIFE.who);
    let pass = responses.into_iter().find(|response| passes(&response.principal));
    Ok(match pass {
        Some(pass) => (true, format!("a login from {} passes until {}", pass.source, pass.until)),
        None => (false, "no login of theirs passes".to_owned()),
    })
}

fn password(story: &Story<'_>) -> String {
    let of = story.ready.principals.iter().find(|principal| principal.name == AOIFE.who);
    of.map(|principal| principal.password.clone()).unwrap_or_default()
}
