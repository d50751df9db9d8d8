//! An event whose names, addresses and agents are tags already: what every room of this crate looks at. Each is hashed
//! once. Not here: what is remembered of it.

use core::net::IpAddr;

use crate::event::{Act, Event, Outcome};
use crate::key::{Key, Of, Tag};

/// An event and its tags. A name that is missing or empty has none.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// As it came.
    pub event: &'a Event<'a>,
    /// Who it was, or claimed to be.
    pub user: Tag,
    /// What one customer of a network has: the address for IPv4, the /64 for IPv6.
    pub source: Option<Tag>,
    /// The network around the source: /24 for IPv4, /48 for IPv6.
    pub prefix: Option<Tag>,
    /// The user agent, whole.
    pub agent: Option<Tag>,
    /// The device or workstation.
    pub host: Option<Tag>,
    /// The service or destination.
    pub target: Option<Tag>,
    /// The session.
    pub session: Option<Tag>,
    /// The user's peers.
    pub group: Option<Tag>,
    /// Of the source's own identifier; where it names none, of what the event says.
    pub id: Tag,
}

impl<'a> Seen<'a> {
    /// Hashes what an event names.
    pub fn new(key: &Key, event: &'a Event<'a>) -> Self {
        let named = |of, name: Option<&str>| {
            name.filter(|name| !name.is_empty()).map(|name| key.tag(of, name.as_bytes()))
        };
        let user = key.tag(Of::User, event.user.as_bytes());
        let (source, prefix) = match event.ip.map(|ip| ip.to_canonical()) {
            None => (None, None),
            Some(ip) => {
                let (source, prefix) = tags_of(key, ip);
                (Some(source), Some(prefix))
            }
        };
        let agent = named(Of::Agent, event.agent);
        let target = named(Of::Target, event.target);
        let id = named(Of::Event, event.id).unwrap_or_else(|| id_of(key, event, user, source, agent, target));
        Self {
            event,
            user,
            source,
            prefix,
            agent,
            host: named(Of::Host, event.host),
            target,
            session: named(Of::Session, event.session),
            group: named(Of::Group, event.group),
            id,
        }
    }

    /// Whether it let somebody in.
    pub fn is_entry(&self) -> bool {
        self.event.act == Act::Logon && self.event.outcome == Outcome::Success
    }

    /// Whether the source names the event itself, so that a second one of the same name is the same.
    pub fn is_named(&self) -> bool {
        self.event.id.is_some_and(|id| !id.is_empty())
    }
}

/// Source and prefix of an address.
fn tags_of(key: &Key, ip: IpAddr) -> (Tag, Tag) {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (key.tag(Of::Source, &[4, a, b, c, d]), key.tag(Of::Prefix, &[4, a, b, c]))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h, ..] = ip.octets();
            (key.tag(Of::Source, &[6, a, b, c, d, e, f, g, h]), key.tag(Of::Prefix, &[6, a, b, c, d, e, f]))
        }
    }
}

/// An identifier of what has none: its time, act, outcome, user, source, agent and target.
fn id_of(
    key: &Key,
    event: &Event<'_>,
    user: Tag,
    source: Option<Tag>,
    agent: Option<Tag>,
    target: Option<Tag>,
) -> Tag {
    let outcome = match event.outcome {
        Outcome::Success => 0,
        Outcome::Unknown => 1,
        Outcome::Failure(why) => 2 + why as u64,
    };
    let parts = [
        event.time_ms as u64,
        event.act as u64,
        outcome,
        user.0,
        source.unwrap_or_default().0,
        agent.unwrap_or_default().0,
        target.unwrap_or_default().0,
    ];
    let mut bytes = [0u8; 7 * 8];
    for (slot, part) in bytes.chunks_exact_mut(8).zip(parts) {
        slot.copy_from_slice(&part.to_le_bytes());
    }
    key.tag(Of::Event, &bytes)
}
