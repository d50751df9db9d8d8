//! Writes logins as OCSF events: what importers and simulated worlds make. Reading gives the same login again, except
//! that the class for changes of accounts has no field for a target, a round trip or a second factor. Captions that the
//! schema itself gives for a number are left out: there are millions of lines.

use std::io::{self, Write};
use std::net::IpAddr;

use risk::{Act, Event, Network, Outcome, Why};
use serde::Serialize;

use super::whence::{DESKTOP, is_host};
use super::{ACCOUNT_CHANGE, AUTHENTICATION, NOT_KNOWN, OTHER, PROMPT, REUSE, SCHEMA};
use crate::login::Aside;
use crate::why::OTHER_REASON;

/// Where events come from: `metadata.product`.
#[derive(Debug, Clone, Serialize)]
pub struct Product {
    /// What it is.
    pub name: String,
    /// Who makes it.
    pub vendor_name: String,
}

impl Product {
    /// A product of a vendor.
    pub fn new(name: &str, vendor_name: &str) -> Self {
        Self { name: name.to_owned(), vendor_name: vendor_name.to_owned() }
    }
}

/// Writes an event as a line.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    out: &mut impl Write,
    event: &Event<'_>,
    aside: &Aside<'_>,
    product: &Product,
) -> io::Result<()> {
    written(out, event, aside, product, None)
}

/// The truth about an event, which nothing that scores can read: it is in `unmapped`.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Who did it.
    pub label: &'a str,
    /// Which harmless thing that looks like an attack it belongs to.
    pub trap: Option<&'a str>,
}

/// Writes an event as a line, with the truth about it.
///
/// # Errors
/// When it cannot be written.
pub fn write_labelled(
    out: &mut impl Write,
    event: &Event<'_>,
    product: &Product,
    told: Told<'_>,
) -> io::Result<()> {
    written(out, event, &Aside::default(), product, Some(told))
}

fn written(
    out: &mut impl Write,
    event: &Event<'_>,
    aside: &Aside<'_>,
    product: &Product,
    told: Option<Told<'_>>,
) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &line(event, aside, product, told))?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Line<'a> {
    class_uid: u32,
    category_uid: u32,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
    severity_id: u32,
    time: i64,
    status_id: u32,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'static str>,
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_endpoint: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<Device<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Name<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_request: Option<Request<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Uid<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<Actor<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_mfa: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logon_type_id: Option<u8>,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmapped: Option<Unmapped<'a>>,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<[Name<'a>; 1]>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Uid<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Request<'a> {
    user_agent: &'a str,
}

#[derive(Serialize)]
struct Actor<'a> {
    session: Uid<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    autonomous_system: Option<Number>,
}

#[derive(Serialize)]
struct Device<'a> {
    hostname: &'a str,
    type_id: u32,
}

#[derive(Serialize)]
struct Location<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lat: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    long: Option<f32>,
}

#[derive(Serialize)]
struct Number {
    number: u32,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: &'a Product,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_code: Option<&'a str>,
}

#[derive(Serialize)]
struct Unmapped<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<&'a str>,
}

fn line<'a>(
    event: &'a Event<'a>,
    aside: &'a Aside<'_>,
    product: &'a Product,
    told: Option<Told<'a>>,
) -> Line<'a> {
    let kind = kind(event.act);
    let is_login = kind.class == AUTHENTICATION;
    let (status_id, status, status_detail) = status(event);
    // An endpoint's name is read as a workstation's only where nothing else says what the client is.
    let (hostname, device) =
        if event.agent.is_none() && event.host.is_some_and(|host| is_host(host, event.ip)) {
            (event.host, None)
        } else {
            (None, event.host)
        };
    let session = event.session.map(|uid| Uid { uid });
    let (session, actor) =
        if is_login { (session, None) } else { (None, session.map(|session| Actor { session })) };
    Line {
        class_uid: kind.class,
        category_uid: 3,
        activity_id: kind.activity,
        activity_name: kind.activity_name,
        type_uid: kind.class * 100 + kind.activity,
        severity_id: 1,
        time: event.time_ms,
        status_id,
        status,
        status_code: aside.status_code.as_deref(),
        status_detail,
        user: User { name: event.user, groups: event.group.map(|name| [Name { name }]) },
        src_endpoint: source(event, hostname),
        device: device.map(|hostname| Device { hostname, type_id: DESKTOP }),
        // The class for logins asks for one; where none is known its name is empty, which reads as none.
        service: is_login.then(|| Name { name: event.target.unwrap_or_default() }),
        http_request: event.agent.map(|user_agent| Request { user_agent }),
        session,
        actor,
        is_mfa: (is_login && event.is_mfa).then_some(true),
        logon_type_id: aside.logon_type.filter(|_| is_login),
        metadata: Metadata {
            version: SCHEMA,
            product,
            uid: event.id,
            event_code: aside.event_code.as_deref(),
        },
        unmapped: unmapped(event, told, is_login),
    }
}

struct Class {
    class: u32,
    activity: u32,
    activity_name: &'static str,
}

fn kind(act: Act) -> Class {
    let (class, activity, activity_name) = match act {
        Act::Logon => (AUTHENTICATION, 1, "Logon"),
        Act::Logoff => (AUTHENTICATION, 2, "Logoff"),
        Act::Reuse => (AUTHENTICATION, OTHER, REUSE),
        Act::Prompt => (AUTHENTICATION, OTHER, PROMPT),
        Act::PasswordChange => (ACCOUNT_CHANGE, 3, "Password Change"),
        Act::FactorChange => (ACCOUNT_CHANGE, 10, "MFA Factor Enable"),
    };
    Class { class, activity, activity_name }
}

fn status(event: &Event<'_>) -> (u32, &'static str, Option<&'static str>) {
    match event.outcome {
        Outcome::Success => (1, "Success", None),
        Outcome::Unknown => (0, "Unknown", (event.is_mfa || event.session.is_some()).then_some(NOT_KNOWN)),
        Outcome::Failure(why) => {
            let detail = match why {
                Why::UnknownUser => Some("USER_DOES_NOT_EXIST"),
                Why::Password => Some("INVALID_CREDENTIALS"),
                Why::Factor => Some("MFA_FAILED"),
                Why::Locked => Some("ACCOUNT_LOCKED_OUT"),
                Why::Other => event.is_mfa.then_some(OTHER_REASON),
            };
            (2, "Failure", detail)
        }
    }
}

fn source<'a>(event: &'a Event<'a>, hostname: Option<&'a str>) -> Option<Source<'a>> {
    let place = &event.place;
    let country = place.country.as_ref().and_then(|code| std::str::from_utf8(code).ok());
    let (lat, long) = place.point.unzip();
    let location = (country.is_some() || lat.is_some()).then_some(Location { country, lat, long });
    let autonomous_system = place.asn.map(|number| Number { number });
    let is_known =
        event.ip.is_some() || hostname.is_some() || location.is_some() || autonomous_system.is_some();
    is_known.then_some(Source { ip: event.ip, hostname, location, autonomous_system })
}

fn unmapped<'a>(event: &Event<'_>, told: Option<Told<'a>>, is_login: bool) -> Option<Unmapped<'a>> {
    let rtt_ms = event.rtt_ms.filter(|_| is_login);
    let network = (event.place.network != Network::Unknown).then(|| event.place.network.word());
    let (label, trap) = (told.map(|told| told.label), told.and_then(|told| told.trap));
    (rtt_ms.is_some() || network.is_some() || told.is_some()).then_some(Unmapped {
        rtt_ms,
        network,
        label,
        trap,
    })
}
