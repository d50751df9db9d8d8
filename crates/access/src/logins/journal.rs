//! The logins that were judged since the last snapshot, and what analysts said, so that what is learnt survives the gate's being
//! killed. Not here: how lines are sealed (`sealed`), what is learnt from them (`state`).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use risk::{Act, Event, Network, Outcome, Place, Verdict, Why};
use serde::{Deserialize, Serialize};

use super::file::FileError;
use super::sealed::{SEAL_BYTES, Sealed};

/// What is lost without the file.
const HELD: &str = "what was learnt of the last logins";

/// A login as the engine is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// Counts logins, so that none is learnt from twice.
    pub number: u64,
    pub time_ms: i64,
    pub user: String,
    pub ip: IpAddr,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Autonomous system; like what follows, as the files of places said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Latitude and longitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<(f32, f32)>,
    /// Kind of network, by its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    pub agent: Option<String>,
    pub target: Option<String>,
    pub group: Option<String>,
    pub outcome: Ended,
    /// A second proof was given shortly before.
    pub is_confirmed: bool,
    /// What is said of it is done: where it is not let in, nothing is learnt of it.
    pub is_enforced: bool,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The password was theirs.
    Proven,
    /// There is no such principal.
    UnknownUser,
    /// The password was not theirs.
    Password,
    /// It was, and the code was not.
    Code,
    /// It was, and policy permits nothing.
    Denied,
}

impl Logged {
    /// What is known of its address.
    pub fn place(&self) -> Place {
        let network = self.network.as_deref().and_then(Network::of_word).unwrap_or_default();
        let country = self.country.as_deref().and_then(places::code);
        Place { country, asn: self.asn, point: self.point, network }
    }

    /// Likewise, from now on.
    pub fn set_place(&mut self, place: Place) {
        let Place { country, asn, point, network } = place;
        self.country = country.map(|code| code.map(char::from).iter().collect());
        (self.asn, self.point) = (asn, point);
        self.network = (network != Network::Unknown).then(|| network.word().to_owned());
    }

    /// As the engine reads it.
    pub fn event(&self) -> Event<'_> {
        let outcome = match self.outcome {
            Ended::Proven => Outcome::Success,
            Ended::UnknownUser => Outcome::Failure(Why::UnknownUser),
            Ended::Password => Outcome::Failure(Why::Password),
            Ended::Code => Outcome::Failure(Why::Factor),
            Ended::Denied => Outcome::Failure(Why::Other),
        };
        Event {
            time_ms: self.time_ms,
            act: Act::Logon,
            outcome,
            user: &self.user,
            ip: Some(self.ip),
            place: self.place(),
            agent: self.agent.as_deref(),
            host: None,
            target: self.target.as_deref(),
            // A session here is one connection, which cannot be taken elsewhere: whoever comes from elsewhere proves
            // themselves anew. A name for it would never come twice.
            session: None,
            group: self.group.as_deref(),
            rtt_ms: None,
            is_mfa: self.is_confirmed,
            id: None,
        }
    }
}

/// What an analyst says of a login, or takes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marked {
    /// As of a login.
    pub number: u64,
    /// None when it is taken back.
    pub verdict: Option<Verdict>,
    pub marked: Logged,
}

/// A line: what the engine learnt, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Marked(Box<Marked>),
    Login(Box<Logged>),
}

impl Line {
    /// Counts lines, so that none is learnt from twice.
    pub fn number(&self) -> u64 {
        match self {
            Line::Marked(marked) => marked.number,
            Line::Login(logged) => logged.number,
        }
    }
}

/// The file.
pub type Journal = Sealed<Line>;

/// Opens the journal, and gives every line of it to `each`.
pub fn open(folder: &Path, key: &[u8; SEAL_BYTES], each: impl FnMut(Line)) -> Result<Journal, FileError> {
    Sealed::open(path(folder), key, HELD, each)
}

/// In which folder's file it is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn logged(number: u64, user: &str, ip: &str) -> Logged {
        Logged {
            number,
            time_ms: 1_772_366_400_000 + i64::try_from(number).unwrap() * 60_000,
            user: user.to_owned(),
            ip: ip.parse().unwrap(),
            country: Some("IE".to_owned()),
            asn: Some(5_466),
            point: Some((53.3498, -6.2603)),
            network: Some("access".to_owned()),
            agent: Some("psql".to_owned()),
            target: Some("europe/support".to_owned()),
            group: Some("support of fernway".to_owned()),
            outcome: Ended::Proven,
            is_confirmed: false,
            is_enforced: true,
        }
    }

    #[test]
    fn a_place_is_read_again_as_it_was() {
        let (mut one, bare) = (logged(1, "aoife", "192.0.2.7"), Place::default());
        let read =
            |one: &Logged| serde_json::from_slice::<Logged>(&serde_json::to_vec(one).unwrap()).unwrap();
        let place = Place {
            country: Some(*b"DE"),
            asn: Some(u32::MAX),
            point: Some((-0.1, 179.999_98)),
            network: Network::Anonymous,
        };
        for place in [one.place(), place, bare] {
            one.set_place(place);
            assert_eq!((read(&one).place(), one.event().place), (place, place));
        }
        // As a gate wrote it before it looked anything up.
        let text = r#"{"number":1,"time_ms":2,"user":"aoife","ip":"192.0.2.7","country":"IE","agent":null,"target":null,
            "group":null,"outcome":"proven","is_confirmed":false,"is_enforced":true}"#;
        let earlier: Logged = serde_json::from_str(text).unwrap();
        assert_eq!(earlier.place(), Place { country: Some(*b"IE"), ..bare });
    }

    #[test]
    fn a_login_and_a_verdict_are_told_apart() {
        let login = Line::Login(Box::new(logged(1, "aoife", "192.0.2.7")));
        let of = |verdict| {
            Line::Marked(Box::new(Marked { number: 2, verdict, marked: logged(1, "aoife", "192.0.2.7") }))
        };
        for line in [login, of(Some(Verdict::Attack)), of(None)] {
            let text = serde_json::to_vec(&line).unwrap();
            assert_eq!(serde_json::from_slice::<Line>(&text).unwrap(), line);
        }
    }
}
