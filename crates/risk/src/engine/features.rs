//! The features of a login: each the logarithm of how much likelier what was seen is of somebody else than of this user,
//! 0 where nothing can be said. Before any weight, so that weights can be learnt from them. Not here: how they are
//! computed (`network`, `client`, `habit`), what they weigh (`weights`).

use arrayvec::ArrayVec;

use crate::judgement::{Term, Value};

/// How many there are.
pub const FEATURES: usize = Feature::ALL.len();

/// How many of the attackers copy all that can be.
const COPIED: f64 = 0.08;

/// One thing that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Feature {
    /// Country, among the user's.
    Country,
    /// Autonomous system, in the country.
    Asn,
    /// Prefix, in the autonomous system.
    Prefix,
    /// Address or /64, in the prefix.
    Source,
    /// Kilometres from the last login, where the prefix is new.
    Distance,
    /// Speed from the last login.
    Velocity,
    /// Kind of network.
    NetworkKind,
    /// System and kind of device.
    System,
    /// Browser, on the system.
    Browser,
    /// User agent without versions, of the browser.
    Family,
    /// User agent, whole, of the family.
    Agent,
    /// How rare the user agent is at all.
    Rarity,
    /// Device or workstation that the source names.
    Host,
    /// Hour of the week.
    Hour,
    /// Round trip.
    Rtt,
    /// Days without a login.
    Dormancy,
    /// Whether peers use the network, where the user does not.
    PeersNetwork,
    /// Whether peers use the target, where the user does not.
    PeersTarget,
    /// How many others come from the prefix, where the user does not.
    Crowd,
    /// Target.
    Target,
    /// How many logins are known: attackers choose among users, so that of the logins of who logs in often fewer are theirs.
    Logins,
}

impl Feature {
    /// All, in order.
    pub const ALL: [Self; 21] = [
        Self::Country,
        Self::Asn,
        Self::Prefix,
        Self::Source,
        Self::Distance,
        Self::Velocity,
        Self::NetworkKind,
        Self::System,
        Self::Browser,
        Self::Family,
        Self::Agent,
        Self::Rarity,
        Self::Host,
        Self::Hour,
        Self::Rtt,
        Self::Dormancy,
        Self::PeersNetwork,
        Self::PeersTarget,
        Self::Crowd,
        Self::Target,
        Self::Logins,
    ];

    /// Its name in a file of weights.
    pub fn word(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Asn => "asn",
            Self::Prefix => "prefix",
            Self::Source => "source",
            Self::Distance => "distance",
            Self::Velocity => "velocity",
            Self::NetworkKind => "network_kind",
            Self::System => "system",
            Self::Browser => "browser",
            Self::Family => "family",
            Self::Agent => "agent",
            Self::Rarity => "rarity",
            Self::Host => "host",
            Self::Hour => "hour",
            Self::Rtt => "rtt",
            Self::Dormancy => "dormancy",
            Self::PeersNetwork => "peers_network",
            Self::PeersTarget => "peers_target",
            Self::Crowd => "crowd",
            Self::Target => "target",
            Self::Logins => "logins",
        }
    }

    /// Whether somebody who knows the victim gets it right.
    fn is_copied(self) -> bool {
        use Feature::*;
        matches!(self, Country | Asn | System | Browser | Family | Agent | Rarity)
    }

    /// The term that it is part of.
    pub fn term(self) -> Term {
        match self {
            Self::Country | Self::Distance => Term::Place,
            Self::Asn | Self::Prefix | Self::Source => Term::Network,
            Self::Velocity => Term::Velocity,
            Self::NetworkKind => Term::NetworkKind,
            Self::System | Self::Browser | Self::Family | Self::Agent | Self::Rarity | Self::Host => {
                Term::Device
            }
            Self::Hour => Term::Hour,
            Self::Rtt => Term::Rtt,
            Self::Dormancy => Term::Dormancy,
            Self::PeersNetwork | Self::PeersTarget | Self::Crowd => Term::Peers,
            Self::Target => Term::Target,
            Self::Logins => Term::Prior,
        }
    }
}

/// How much is known of a user: a weight for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bucket {
    /// No login.
    #[default]
    None,
    /// One to four.
    Few,
    /// Five and more.
    Many,
}

impl Bucket {
    /// The bucket of so many logins.
    pub fn of(logins: u16) -> Self {
        match logins {
            0 => Self::None,
            1..=4 => Self::Few,
            _ => Self::Many,
        }
    }

    /// Its place among three.
    pub fn place(self) -> usize {
        self as usize
    }
}

/// A feature that says something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raw {
    pub feature: Feature,
    /// Log-likelihood ratio before any weight; positive speaks against the user.
    pub value: f64,
    pub observed: Value,
    pub expected: Value,
}

/// All features of one event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Features {
    /// How much was known of the user.
    pub bucket: Bucket,
    /// Those that say something.
    pub raw: ArrayVec<Raw, FEATURES>,
}

impl Features {
    /// Adds one that is not 0.
    pub(super) fn push(&mut self, feature: Feature, value: f64, observed: Value, expected: Value) {
        if value != 0.0 && value.is_finite() {
            // Each feature is pushed once, so that there is room.
            let _ = self.raw.try_push(Raw { feature, value, observed, expected });
        }
    }

    /// Bounds what all evidence for the user together is worth that an attacker can copy: whoever knows the victim has
    /// the country, the provider and the browser right, all at once.
    pub(super) fn bound_copied(&mut self) {
        let copied: f64 = self.raw.iter().filter(|raw| raw.feature.is_copied()).map(|raw| raw.value).sum();
        if copied >= 0.0 {
            return;
        }
        let bounded = ((1.0 - COPIED) * copied.exp() + COPIED).ln();
        for raw in self.raw.iter_mut().filter(|raw| raw.feature.is_copied()) {
            raw.value *= bounded / copied;
        }
    }

    /// The value of every feature in the order of [`Feature::ALL`], 0 where it says nothing.
    pub fn values(&self) -> [f64; FEATURES] {
        let mut values = [0.0; FEATURES];
        for raw in &self.raw {
            if let Some(value) = values.get_mut(raw.feature as usize) {
                *value = raw.value;
            }
        }
        values
    }
}

/// How a user's values repeat: a Pitman-Yor process per level, whose base is how common a value is.
#[derive(Debug, Clone, Copy)]
pub struct Habit {
    /// Logins' worth of doubt that the history is all there is.
    pub doubt: f64,
    /// How much each value that was new once makes another new one likelier.
    pub novelty: f64,
    /// How often an attacker gets this right on purpose.
    pub copied: f64,
}

/// What a history says of one value at one level: weights of logins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Level {
    /// With this value.
    pub seen: f64,
    /// With any value under the same parent.
    pub all: f64,
    /// Different values under the same parent.
    pub distinct: f64,
}

impl Level {
    /// How likely the value is of the user, if it is so common among everybody.
    pub fn share(&self, common: f64, habit: &Habit) -> f64 {
        let new = habit.doubt + habit.novelty * self.distinct;
        ((self.seen - habit.novelty).max(0.0) + new * common) / (self.all + habit.doubt)
    }

    /// The logarithm of how much likelier the value is of somebody else. 0 without history.
    pub fn surprise(&self, common: f64, habit: &Habit) -> f64 {
        if self.all == 0.0 {
            return 0.0;
        }
        let user = self.share(common, habit).max(1e-12);
        (((1.0 - habit.copied) * common + habit.copied * user) / user).ln()
    }
}
