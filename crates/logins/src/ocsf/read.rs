//! Reads one line, three times at most: as most lines are (`scan`), as any JSON may be, and, when that fails, to say which
//! key is wrong.

use std::borrow::Cow;
use std::net::IpAddr;

use risk::{Act, Network, Outcome, Place};

use super::raw::{Destination, Location, Named, Raw, System, User};
use super::scan::scan;
use super::{ACCOUNT_CHANGE, AUTHENTICATION, OTHER, PROMPT, REUSE, USER_MANAGEMENT};
use crate::login::{Aside, Login, TIME_MS_MAX, TIME_MS_MIN};
use crate::problem::Wrong;
use crate::text::Text;

/// Reads a line: a login, or nothing when it is an event of another kind.
///
/// # Errors
/// When it is no JSON, when a key that is needed is missing, and when one has a value that it cannot have.
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
        let Some(act) = self.act()? else { return Ok(None) };
        let time_ms = self.time_ms()?;
        let outcome = self.outcome()?;
        let (user, group) = self.user.get_or_insert_default().who()?;
        let source = self.src_endpoint.get_or_insert_default();
        let device = self.device.get_or_insert_default();
        let of_actor = || self.actor.take().and_then(|actor| actor.session);
        let session = self.session.take().or_else(of_actor).unwrap_or_default();
        let unmapped = self.unmapped.get_or_insert_default();
        let is_mfa = self.is_mfa == Some(true)
            || session.is_mfa == Some(true)
            || (act != Act::FactorChange && self.auth_factors.as_ref().is_some_and(|factors| factors.0 > 1));
        Ok(Some(Login {
            time_ms,
            act,
            outcome,
            user,
            ip: address(source.ip.as_deref())?,
            place: place(
                source.location.as_ref(),
                source.autonomous_system.as_ref(),
                unmapped.network.as_deref(),
            )?,
            agent: first([&mut self.http_request.get_or_insert_default().user_agent]),
            host: first([
                &mut source.hostname,
                &mut source.name,
                &mut source.uid,
                &mut device.uid,
                &mut device.hostname,
                &mut device.name,
            ]),
            target: target(self.service.get_or_insert_default(), self.dst_endpoint.get_or_insert_default()),
            session: session.uid.map(|uid| uid.0).filter(|uid| !uid.is_empty()),
            group,
            rtt_ms: rtt(unmapped.rtt_ms)?,
            is_mfa,
            id: first([&mut self.metadata.get_or_insert_default().uid]),
            aside: Aside::default(),
        }))
    }

    /// What was done, or nothing when it is no event of ours.
    fn act(&self) -> Result<Option<Act>, Wrong> {
        let class = match (self.class_uid, self.type_uid) {
            (Some(class), _) => class,
            // Defined as class_uid times 100 plus activity_id.
            (None, Some(type_uid)) => u32::try_from(type_uid / 100).unwrap_or(0),
            (None, None) => {
                return Err(Wrong::new("class_uid", "missing: 3002 for an event of authentication"));
            }
        };
        let activity = self.activity_id.unwrap_or(0);
        Ok(match (class, activity) {
            (AUTHENTICATION, 2) => Some(Act::Logoff),
            (AUTHENTICATION, 5) => Some(Act::Reuse),
            (AUTHENTICATION, OTHER) => Some(match self.activity_name.as_deref() {
                Some(name) if name.eq_ignore_ascii_case(REUSE) => Act::Reuse,
                Some(name) if name.eq_ignore_ascii_case(PROMPT) => Act::Prompt,
                _ => Act::Logon,
            }),
            (AUTHENTICATION, _) => Some(Act::Logon),
            (ACCOUNT_CHANGE, 3 | 4) | (USER_MANAGEMENT, 8 | 9) => Some(Act::PasswordChange),
            (ACCOUNT_CHANGE, 10 | 11) | (USER_MANAGEMENT, 12 | 13) => Some(Act::FactorChange),
            _ => None,
        })
    }

    fn time_ms(&self) -> Result<i64, Wrong> {
        if let Some(time) = self.time {
            return if (TIME_MS_MIN..=TIME_MS_MAX).contains(&time) {
                Ok(time)
            } else {
                Err(Wrong::new(
                    "time",
                    format!("{time} is not milliseconds since 1970, before the year 10000"),
                ))
            };
        }
        let Some(time) = self.time_dt.as_deref() else {
            return Err(Wrong::new("time", "missing: milliseconds since 1970, or time_dt in RFC 3339"));
        };
        let parsed = time.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond).ok();
        parsed.filter(|time| (TIME_MS_MIN..=TIME_MS_MAX).contains(time)).ok_or_else(|| {
            Wrong::new("time_dt", format!("`{}` is no time in RFC 3339 since 1970", shown(time)))
        })
    }

    fn outcome(&self) -> Result<Outcome, Wrong> {
        let failed = || {
            let said = [&self.status_code, &self.status_detail, &self.message];
            Outcome::Failure(crate::why::why(said.map(Option::as_deref)))
        };
        Ok(match self.status_id {
            Some(1) => Outcome::Success,
            Some(2) => failed(),
            Some(0 | OTHER) => Outcome::Unknown,
            Some(id) => return Err(Wrong::new("status_id", format!("{id} is none of 0, 1, 2 and 99"))),
            None => match self.status.as_deref() {
                Some(status) if status.eq_ignore_ascii_case("success") => Outcome::Success,
                Some(status) if status.eq_ignore_ascii_case("failure") => failed(),
                _ => Outcome::Unknown,
            },
        })
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
fn first<'a, const N: usize>(texts: [&mut Option<Text<'a>>; N]) -> Option<Cow<'a, str>> {
    let said = texts.into_iter().find(|text| text.as_deref().is_some_and(|text| !text.is_empty()))?;
    said.take().map(|text| text.0)
}

fn address(ip: Option<&str>) -> Result<Option<IpAddr>, Wrong> {
    match ip {
        None | Some("") => Ok(None),
        Some(ip) => match ip.parse::<IpAddr>() {
            Ok(ip) => Ok(Some(ip.to_canonical())),
            Err(_) => Err(Wrong::new("src_endpoint.ip", format!("`{}` is no IP address", shown(ip)))),
        },
    }
}

fn place(
    location: Option<&Location<'_>>,
    system: Option<&System>,
    kind: Option<&str>,
) -> Result<Place, Wrong> {
    let mut place = Place { asn: system.and_then(|system| system.number), ..Place::default() };
    if let Some(kind) = kind.filter(|kind| !kind.is_empty()) {
        place.network = Network::of_word(kind).ok_or_else(|| {
            Wrong::new("unmapped.network", format!("`{}` is no kind of network", shown(kind)))
        })?;
    }
    let Some(location) = location else { return Ok(place) };
    if let Some(country) = location.country.as_deref().filter(|country| !country.is_empty()) {
        place.country = Some(crate::words::country(country).ok_or_else(|| {
            let why = format!("`{}` is no country of two letters (ISO 3166-1 alpha-2)", shown(country));
            Wrong::new("src_endpoint.location.country", why)
        })?);
    }
    let point = location.lat.zip(location.long);
    let point = point.or_else(|| location.coordinates.map(|(long, lat)| (lat, long)));
    if let Some((lat, long)) = point
        && !(lat.abs() <= 90.0 && long.abs() <= 180.0)
    {
        return Err(Wrong::new(
            "src_endpoint.location",
            format!("{lat}, {long} is no latitude and longitude"),
        ));
    }
    place.point = point;
    Ok(place)
}

fn rtt(rtt_ms: Option<f32>) -> Result<Option<f32>, Wrong> {
    match rtt_ms {
        Some(rtt) if !(rtt.is_finite() && rtt >= 0.0) => {
            Err(Wrong::new("unmapped.rtt_ms", format!("{rtt} is no number of milliseconds")))
        }
        rtt => Ok(rtt),
    }
}

/// The beginning of what was given.
fn shown(given: &str) -> Cow<'_, str> {
    crate::text::shown(given)
}
