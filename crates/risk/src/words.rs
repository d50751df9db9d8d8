//! The words for what is said of an event: one word a term, a kind and an action, on every command line and in every
//! record, and the text of a value. Words are promises to tools: added, never renamed.

use std::fmt;

use crate::event::Network;
use crate::judgement::{Action, Kind, Term, Value};

impl Action {
    /// Every action, mildest first.
    pub const ALL: [Self; 5] = [Self::Allow, Self::StepUp, Self::Throttle, Self::Block, Self::Revoke];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::StepUp => "step_up",
            Self::Throttle => "throttle",
            Self::Block => "block",
            Self::Revoke => "revoke",
        }
    }

    /// The action of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

impl Term {
    /// Every term, in their order.
    pub const ALL: [Self; 18] = [
        Self::Prior,
        Self::Network,
        Self::Place,
        Self::Velocity,
        Self::Device,
        Self::Hour,
        Self::Rtt,
        Self::Dormancy,
        Self::Peers,
        Self::NetworkKind,
        Self::Target,
        Self::Mark,
        Self::Source,
        Self::Campaign,
        Self::Siege,
        Self::Session,
        Self::Prompts,
        Self::Takeover,
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prior => "prior",
            Self::Network => "network",
            Self::Place => "place",
            Self::Velocity => "velocity",
            Self::Device => "device",
            Self::Hour => "hour",
            Self::Rtt => "rtt",
            Self::Dormancy => "dormancy",
            Self::Peers => "peers",
            Self::NetworkKind => "network_kind",
            Self::Target => "target",
            Self::Mark => "mark",
            Self::Source => "source",
            Self::Campaign => "campaign",
            Self::Siege => "siege",
            Self::Session => "session",
            Self::Prompts => "prompts",
            Self::Takeover => "takeover",
        }
    }

    /// The term of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|term| term.word() == word)
    }
}

impl Kind {
    /// Every kind, in their order.
    pub const ALL: [Self; 6] =
        [Self::Spray, Self::Stuffing, Self::BruteForce, Self::Replay, Self::MfaFatigue, Self::Takeover];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spray => "spray",
            Self::Stuffing => "stuffing",
            Self::BruteForce => "brute_force",
            Self::Replay => "replay",
            Self::MfaFatigue => "mfa_fatigue",
            Self::Takeover => "takeover",
        }
    }
}

impl Network {
    /// Every kind of network.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Access, Self::Mobile, Self::Hosting, Self::Anonymous, Self::Carriage];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Access => "access",
            Self::Mobile => "mobile",
            Self::Hosting => "hosting",
            Self::Anonymous => "anonymous",
            Self::Carriage => "carriage",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.word() == word)
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// What people read: a country's code, `AS3320`, a share, a number and its unit, `Mon 08 UTC`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Missing => f.write_str("missing"),
            Self::Country([a, b]) => write!(f, "{}{}", char::from(*a), char::from(*b)),
            Self::Asn(number) => write!(f, "AS{number}"),
            Self::Share(share) if *share == 0.0 => f.write_str("0"),
            Self::Share(share) if *share < 0.001 => write!(f, "{share:.1e}"),
            Self::Share(share) => write!(f, "{share:.3}"),
            Self::Kmh(speed) => write!(f, "{speed:.0} km/h"),
            Self::Km(distance) => write!(f, "{distance:.0} km"),
            Self::Ms(time) => write!(f, "{time:.0} ms"),
            Self::Days(days) => write!(f, "{days:.1} days"),
            Self::HourOfWeek(hour) => {
                let day = DAYS.get(usize::from(hour / 24)).copied().unwrap_or("?");
                write!(f, "{day} {:02} UTC", hour % 24)
            }
            Self::Count(count) => write!(f, "{count}"),
            Self::Network(network) => f.write_str(network.word()),
            Self::Word(word) => f.write_str(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_one_thing() {
        assert!(Term::ALL.iter().all(|term| Term::of_word(term.word()) == Some(*term)));
        assert!(Action::ALL.iter().all(|action| Action::of_word(action.word()) == Some(*action)));
        assert!(Network::ALL.iter().all(|network| Network::of_word(network.word()) == Some(*network)));
    }

    #[test]
    fn values_read_as_people_write_them() {
        let check = |value: Value, wanted: &str| assert_eq!(value.to_string(), wanted);
        check(Value::Country(*b"DE"), "DE");
        check(Value::Asn(3320), "AS3320");
        check(Value::Share(0.25), "0.250");
        check(Value::Share(0.0), "0");
        check(Value::Share(0.000_012), "1.2e-5");
        check(Value::Kmh(812.4), "812 km/h");
        check(Value::HourOfWeek(8), "Mon 08 UTC");
        check(Value::HourOfWeek(167), "Sun 23 UTC");
        check(Value::Days(91.25), "91.2 days");
        check(Value::Missing, "missing");
    }
}
