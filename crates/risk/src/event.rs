//! One event of authentication, as far as risk needs it, borrowed from wherever it was read. Everything but the time,
//! the user and the outcome may be missing. Not here: formats (`logins::ocsf`, `logins::import`).

use core::net::IpAddr;

/// An event of authentication, or a change of somebody's password or factors.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Milliseconds since 1970, by the clock of whoever saw it.
    pub time_ms: i64,
    /// What was done.
    pub act: Act,
    /// How it ended.
    pub outcome: Outcome,
    /// Who it was, or claimed to be, as the source spells it.
    pub user: &'a str,
    /// Where from.
    pub ip: Option<IpAddr>,
    /// What is known of the address: looked up, or said by the source.
    pub place: Place,
    /// The user agent, or what else names the client's software.
    pub agent: Option<&'a str>,
    /// The device or workstation it came from, where the source names one.
    pub host: Option<&'a str>,
    /// The service or destination logged in to.
    pub target: Option<&'a str>,
    /// The session, where the source names one: a token that comes from two places is one session.
    pub session: Option<&'a str>,
    /// The user's peers: department, role, or what else says who behaves alike.
    pub group: Option<&'a str>,
    /// Round trip to the client, milliseconds.
    pub rtt_ms: Option<f32>,
    /// A second factor was given and held.
    pub is_mfa: bool,
    /// The source's own identifier of the event, by which a second delivery is known.
    pub id: Option<&'a str>,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A login, or the ticket of one.
    Logon,
    /// The end of a session.
    Logoff,
    /// A request in a session that was opened before: its token is used again.
    Reuse,
    /// A second factor was asked for: each prompt of a phone is one.
    Prompt,
    /// The password was changed or reset.
    PasswordChange,
    /// A factor was added, removed or replaced.
    FactorChange,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was let in, or done.
    Success,
    /// It was not.
    Failure(Why),
    /// The source does not say.
    Unknown,
}

/// Why it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The user is none.
    UnknownUser,
    /// The user is one, the password is not theirs.
    Password,
    /// The password held; the second factor was denied or never given.
    Factor,
    /// The account is locked, disabled or expired.
    Locked,
    /// Refused for another reason, or for none that the source gives.
    Other,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place {
    /// ISO 3166-1 alpha-2, upper case.
    pub country: Option<[u8; 2]>,
    /// The autonomous system's number.
    pub asn: Option<u32>,
    /// Latitude and longitude, degrees; of the city where that is known.
    pub point: Option<(f32, f32)>,
    /// What kind of network it is.
    pub network: Network,
}

/// Kinds of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// Not known.
    #[default]
    Unknown,
    /// Homes and offices.
    Access,
    /// Phones: many customers behind few addresses.
    Mobile,
    /// Machines for rent.
    Hosting,
    /// A VPN, a proxy or Tor.
    Anonymous,
    /// In the air or at sea.
    Carriage,
}
