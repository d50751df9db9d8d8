//! A login as it was read: an event of `risk` that owns what it could not borrow, and what only OCSF has a field for.
//! Not here: how it is read (`ocsf`, `import`).

use std::borrow::Cow;
use std::net::IpAddr;

use risk::{Act, Event, Outcome, Place};

/// An event of authentication, borrowed from the text it was read from as far as that goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Login<'a> {
    /// Milliseconds since 1970: from [`TIME_MS_MIN`] to [`TIME_MS_MAX`].
    pub time_ms: i64,
    /// What was done.
    pub act: Act,
    /// How it ended.
    pub outcome: Outcome,
    /// Who it was, as the source spells it.
    pub user: Cow<'a, str>,
    /// Where from.
    pub ip: Option<IpAddr>,
    /// What the source says of the address.
    pub place: Place,
    /// The user agent, or what else names the client's software.
    pub agent: Option<Cow<'a, str>>,
    /// The device or workstation it came from.
    pub host: Option<Cow<'a, str>>,
    /// The service or destination.
    pub target: Option<Cow<'a, str>>,
    /// The session.
    pub session: Option<Cow<'a, str>>,
    /// The user's peers.
    pub group: Option<Cow<'a, str>>,
    /// Round trip to the client, milliseconds.
    pub rtt_ms: Option<f32>,
    /// A second factor was given and held.
    pub is_mfa: bool,
    /// The source's own identifier of the event.
    pub id: Option<Cow<'a, str>>,
    /// What is said in OCSF and not looked at by `risk`.
    pub aside: Aside<'a>,
}

/// What a source says that has a field in OCSF, and does not matter to a score.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aside<'a> {
    /// The source's name for the kind of event: `4625`, `UserLoginFailed`.
    pub event_code: Option<Cow<'a, str>>,
    /// The source's code of how it ended: `0xC000006A`, `50126`.
    pub status_code: Option<Cow<'a, str>>,
    /// Kind of Windows logon, by Windows' number.
    pub logon_type: Option<u8>,
}

/// The first of 1970.
pub const TIME_MS_MIN: i64 = 0;
/// The last millisecond of the year 9999.
pub const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// The first second of 1990. So many milliseconds after the first of 1970 it was that year's January still, and no event
/// of authentication is so old: a number from here to the first millisecond of 1990 counts seconds.
const SECONDS_MIN: i64 = 631_152_000;

/// Whether a time is in seconds: as milliseconds it would be before 1990, as seconds it is not.
pub fn is_seconds(time: i64) -> bool {
    (SECONDS_MIN..SECONDS_MIN * 1_000).contains(&time)
}

impl<'a> Login<'a> {
    /// A login of which nothing else is known.
    pub fn new(time_ms: i64, user: impl Into<Cow<'a, str>>, act: Act, outcome: Outcome) -> Self {
        Self {
            time_ms,
            act,
            outcome,
            user: user.into(),
            ip: None,
            place: Place::default(),
            agent: None,
            host: None,
            target: None,
            session: None,
            group: None,
            rtt_ms: None,
            is_mfa: false,
            id: None,
            aside: Aside::default(),
        }
    }

    /// What `risk` looks at.
    pub fn event(&self) -> Event<'_> {
        Event {
            time_ms: self.time_ms,
            act: self.act,
            outcome: self.outcome,
            user: &self.user,
            ip: self.ip,
            place: self.place,
            agent: self.agent.as_deref(),
            host: self.host.as_deref(),
            target: self.target.as_deref(),
            session: self.session.as_deref(),
            group: self.group.as_deref(),
            rtt_ms: self.rtt_ms,
            is_mfa: self.is_mfa,
            id: self.id.as_deref(),
        }
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> Login<'static> {
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        Login {
            time_ms: self.time_ms,
            act: self.act,
            outcome: self.outcome,
            user: Cow::Owned(self.user.into_owned()),
            ip: self.ip,
            place: self.place,
            agent: owned(self.agent),
            host: owned(self.host),
            target: owned(self.target),
            session: owned(self.session),
            group: owned(self.group),
            rtt_ms: self.rtt_ms,
            is_mfa: self.is_mfa,
            id: owned(self.id),
            aside: Aside {
                event_code: owned(self.aside.event_code),
                status_code: owned(self.aside.status_code),
                logon_type: self.aside.logon_type,
            },
        }
    }
}
