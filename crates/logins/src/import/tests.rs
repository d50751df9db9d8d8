//! Records of each format, written after what the formats' makers say of them, and the logins they are. A login is shown
//! as its time, what was done, how it ended, who did it, and what else is known of it.

mod evtx;
mod microsoft;
mod sshd;
mod streams;
mod table;
mod windows;

use std::fmt::Write as _;
use std::io::Cursor;

use risk::{Act, Network, Outcome};

use super::*;

/// The middle of 2024.
const NOW_MS: i64 = 1_718_000_000_000;

fn options() -> Options {
    Options { zone: TimeZone::UTC, year: None, now_ms: NOW_MS, map: None }
}

/// Everything that comes out of a text, and the counts.
fn all(format: Format, text: impl Into<Vec<u8>>, options: &Options) -> (Vec<String>, Counts) {
    let mut items = Vec::new();
    let input = Input::Stream(Box::new(Cursor::new(text.into())));
    let counts = read(format, input, options, &mut |item| {
        items.push(match item {
            Item::Login(_, login) => shown(login),
            Item::Problem(problem) => problem.to_string(),
        });
        ControlFlow::Continue(())
    });
    (items, counts.unwrap())
}

fn check_with(format: Format, options: &Options, text: &str, wanted: &[&str]) -> Counts {
    let (items, counts) = all(format, text, options);
    assert_eq!(items, wanted, "of {text}");
    counts
}

fn check(format: Format, text: &str, wanted: &[&str]) -> Counts {
    check_with(format, &options(), text, wanted)
}

fn shown(login: &Login<'_>) -> String {
    let time = jiff::Timestamp::from_millisecond(login.time_ms).unwrap();
    let act = match login.act {
        Act::Logon => "logon",
        Act::Logoff => "logoff",
        Act::Reuse => "reuse",
        Act::Prompt => "prompt",
        Act::PasswordChange => "password change",
        Act::FactorChange => "factor change",
    };
    let outcome = match login.outcome {
        Outcome::Success => "ok".to_owned(),
        Outcome::Unknown => "?".to_owned(),
        Outcome::Failure(why) => format!("{why:?}"),
    };
    let mut shown = format!("{time} {act} {outcome} {}", login.user);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(shown, " {name}={value}");
        }
    };
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    add("ip", login.ip.map(|ip| ip.to_string()));
    add("country", login.place.country.map(|code| String::from_utf8_lossy(&code).into_owned()));
    add("asn", login.place.asn.map(|asn| asn.to_string()));
    add("point", login.place.point.map(|(lat, long)| format!("{lat},{long}")));
    add(
        "network",
        Some(login.place.network).filter(|kind| *kind != Network::Unknown).map(|kind| kind.word().to_owned()),
    );
    add("agent", text(&login.agent));
    add("host", text(&login.host));
    add("target", text(&login.target));
    add("session", text(&login.session));
    add("group", text(&login.group));
    add("rtt", login.rtt_ms.map(|rtt| rtt.to_string()));
    add("mfa", login.is_mfa.then(|| "yes".to_owned()));
    add("id", text(&login.id));
    add("code", text(&login.aside.status_code));
    shown
}
