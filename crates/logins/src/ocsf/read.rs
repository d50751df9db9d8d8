//! Reads one line, three times at most: as most lines are (`scan`), as any JSON may be, and, when that fails, to say which
//! key is wrong.

use std::borrow::Cow;

use risk::Act;

use super::raw::{Destination, Named, Raw, User};
use super::scan::scan;
use super::whence::{address, host, place};
use crate::login::{Aside, Login, TIME_MS_MAX, TIME_MS_MIN, is_seconds};
use crate::problem::Wrong;
use crate::text::Text;

/// Reads a line: a login, or nothing when it is an event of another kind.
///
/// # Errors
/// When it is no JSON object, and when the class, the time or the user is missing or none.
pub fn read(line: &[u8]) -> Result<Option<Login<'_>>, Wrong> {
    let text = std::str::from_utf8(line).map_err(|error| Wrong::new("", format!("not UTF-8: {error}")))?;
    let mut raw = Raw::default();
    match scan(text, &mut raw) {
        Some(()) => {
            let login = raw.login();
            // Tests and fuzzing compare the two on every line; what is shipped reads once.
            debug_assert_eq!(login, read_any(text), "{text}");
            login
        }
        None => read_any(text),
    }
}

/// Reads a line in any form that JSON has.
fn read_any(text: &str) -> Result<Option<Login<'_>>, Wrong> {
    match serde_json::from_str::<Raw<'_>>(text) {
        Ok(mut raw) => raw.login(),
        Err(error) => Err(located(text, &error)),
    }
}

/// What kind of event a line is that is no login, to tell it: its class and activity, by number and name.
pub fn kind(line: &[u8]) -> Option<String> {
    let raw: Raw<'_> = serde_json::from_slice(line).ok()?;
    let (class, activity) = raw.class_and_activity().ok()?;
    let name = raw.activity_name.as_deref().filter(|name| !name.is_empty());
    let name = name.map_or_else(String::new, |name| format!(" ({})", shown(name)));
    Some(format!("class {class}, activity {activity}{name}"))
}

/// What a line is to the quick reader, if it is anything to that, and to the other.
#[cfg(test)]
pub fn both(text: &str) -> (Option<Answer<'_>>, Answer<'_>) {
    let mut raw = Raw::default();
    (scan(text, &mut raw).map(|()| raw.login()), read_any(text))
}

/// What reading a line gives.
#[cfg(test)]
pub type Answer<'a> = Result<Option<Login<'a>>, Wrong>;

/// The key at which reading fails.
fn located(text: &str, error: &serde_json::Error) -> Wrong {
    let mut json = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, Raw<'_>>(&mut json) {
        Err(error) if error.inner().is_data() => Wrong::new(key(error.path()), reason(error.inner())),
        _ if error.is_data() => Wrong::new("", reason(error)),
        _ => Wrong::new("", format!("not one JSON object a line: {error}")),
    }
}

fn key(path: &serde_path_to_error::Path) -> String {
    let path = path.to_string();
    if path == "." { String::new() } else { path }
}

/// What serde says, without the position in the line, which the key is better than.
fn reason(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rfind(" at line ") {
        Some(at) => said.get(..at).unwrap_or(&said).to_owned(),
        None => said,
    }
}

impl<'a> Raw<'a> {
    /// The login. What is in here is large, and its parts are taken out rather than moved together.
    fn login(&mut self) -> Result<Option<Login<'a>>, Wrong> {
        let Some((act, outcome)) = self.done()? else { return Ok(None) };
        let time_ms = self.time_ms()?;
        let (session, is_session_mfa) = self.session(act);
        let (user, group) = self.user.get_or_insert_default().who()?;
        let source = self.src_endpoint.get_or_insert_default();
        let unmapped = self.unmapped.get_or_insert_default();
        let ip = source.ip.as_deref().and_then(address);
        let agent = first([&mut self.http_request.get_or_insert_default().user_agent]);
        let is_mfa = self.is_mfa == Some(true)
            || is_session_mfa
            || (act != Act::FactorChange
                && self.auth_factors.as_ref().is_some_and(|factors| factors.count > 1));
        Ok(Some(Login {
            time_ms,
            act,
            outcome,
            user,
            ip,
            place: place(
                source.location.as_ref(),
                source.autonomous_system.as_ref(),
                unmapped.network.as_deref(),
            ),
            host: host(source, self.device.as_mut(), agent.is_some(), ip),
            agent,
            target: target(self.service.get_or_insert_default(), self.dst_endpoint.get_or_insert_default()),
            session,
            group,
            rtt_ms: unmapped.rtt_ms.filter(|rtt| *rtt >= 0.0),
            is_mfa,
            id: first([&mut self.metadata.get_or_insert_default().uid]),
            aside: Aside::default(),
        }))
    }

    fn time_ms(&self) -> Result<i64, Wrong> {
        const KNOWN: std::ops::RangeInclusive<i64> = TIME_MS_MIN..=TIME_MS_MAX;
        if let Some(time) = self.time {
            let time_ms = if is_seconds(time) { time * 1_000 } else { time };
            return KNOWN.contains(&time_ms).then_some(time_ms).ok_or_else(|| {
                let why = format!("{time} is not milliseconds since 1970, or seconds, before the year 10000");
                Wrong::new("time", why)
            });
        }
        let Some(time) = self.time_dt.as_deref() else {
            let why = "missing, or no number: milliseconds since 1970, or time_dt in RFC 3339";
            return Err(Wrong::new("time", why));
        };
        let parsed = time.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).ok();
        // What would be taken for seconds when it is written as milliseconds is no time of a login.
        parsed.filter(|time| KNOWN.contains(time) && !is_seconds(*time)).ok_or_else(|| {
            Wrong::new("time_dt", format!("`{}` is no time in RFC 3339 since 1990", shown(time)))
        })
    }

    /// The session, and whether a second factor was given for it. A change is done in its actor's session, which is the
    /// user's only where they are the same.
    fn session(&mut self, act: Act) -> (Option<Cow<'a, str>>, bool) {
        if self.session.is_none() && self.actor.is_none() {
            return (None, false);
        }
        let mut actor = self.actor.take().unwrap_or_default();
        let is_change = matches!(act, Act::PasswordChange | Act::FactorChange);
        let is_others = is_change && actor.user.as_ref().is_some_and(|actor| !self.is_user(actor));
        let own = [self.session.take(), actor.session.take().filter(|_| !is_others)];
        let mut is_mfa = false;
        let mut uid = None;
        for mut session in own.into_iter().flatten() {
            is_mfa |= session.is_mfa == Some(true);
            uid = uid.or_else(|| {
                first([
                    &mut session.uid,
                    &mut session.uuid,
                    &mut session.uid_alt,
                    &mut session.credential_uid,
                ])
            });
        }
        (uid, is_mfa)
    }

    /// Whether an actor may be the user: nothing that is told of both differs.
    fn is_user(&self, actor: &Named<'_>) -> bool {
        let Some(user) = &self.user else { return true };
        let same = |a: &Option<Text<'_>>, b: &Option<Text<'_>>| match (a.as_deref(), b.as_deref()) {
            (Some(a), Some(b)) => a.is_empty() || b.is_empty() || a.eq_ignore_ascii_case(b),
            _ => true,
        };
        same(&user.name, &actor.name) && same(&user.uid, &actor.uid)
    }
}

impl<'a> User<'a> {
    /// The user and the group.
    fn who(&mut self) -> Result<(Cow<'a, str>, Option<Cow<'a, str>>), Wrong> {
        let user = first([&mut self.name, &mut self.uid, &mut self.email_addr]).ok_or_else(|| {
            Wrong::new("user", "missing: `name`, `uid` or `email_addr`, one of them not empty")
        })?;
        let group = self.groups.take().and_then(|groups| groups.0);
        if group.is_none() && self.org.is_none() {
            return Ok((user, None));
        }
        let (mut group, mut org) = (group.unwrap_or_default(), self.org.take().unwrap_or_default());
        let group = first([&mut org.ou_name, &mut group.name, &mut group.uid, &mut org.name]);
        Ok((user, group))
    }
}

fn target<'a>(service: &mut Named<'a>, to: &mut Destination<'a>) -> Option<Cow<'a, str>> {
    first([
        &mut service.name,
        &mut service.uid,
        &mut to.hostname,
        &mut to.svc_name,
        &mut to.name,
        &mut to.uid,
        &mut to.ip,
    ])
}

/// Takes out the first that says something.
pub(super) fn first<'a, const N: usize>(texts: [&mut Option<Text<'a>>; N]) -> Option<Cow<'a, str>> {
    let said = texts.into_iter().find(|text| text.as_deref().is_some_and(|text| !text.is_empty()))?;
    said.take().map(|text| text.0)
}

/// The beginning of what was given.
fn shown(given: &str) -> Cow<'_, str> {
    crate::text::shown(given)
}
