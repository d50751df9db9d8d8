//! What subjects do: devices they have, sign-ins from those, posts and messages they write. Drawn from a stream of its
//! own, so that who the subjects are does not depend on it. Addresses are those that are kept for documentation
//! (RFC 5737, RFC 3849). Not here: the subjects themselves, payments.

use rand_chacha::ChaCha8Rng;

use super::numbers::{below, one};
use super::{DAY_SECONDS, LAST_DAY, Person, moment};

/// Posts of one subject.
const POSTS_MAX: u64 = 2;

const MODELS: &[(&str, &str)] = &[
    ("Aster 12", "Android 15"),
    ("Aster 9 Lite", "Android 13"),
    ("Borea Tab", "Android 14"),
    ("Corvo X", "Android 15"),
    ("Delta Air", "iOS 18"),
    ("Delta Mini", "iOS 17"),
    ("Desk", "Windows 11"),
    ("Desk", "Linux"),
];
const NETWORKS: &[&str] = &["192.0.2", "198.51.100", "203.0.113"];
const OPENINGS: &[&str] = &[
    "Just finished",
    "Does anybody else like",
    "Thinking about",
    "Never again",
    "So happy with",
    "My whole weekend went into",
    "Looking for people who know",
    "Here is part two of",
];
const THINGS: &[&str] = &[
    "sourdough with rye",
    "the night train north",
    "learning the accordion",
    "the swimming spot behind the harbour",
    "repairing an old bicycle",
    "this season's mushrooms",
    "a very small greenhouse",
    "the match on Saturday",
    "knitting with four colours",
    "that film everybody talks about",
];
const LINES: &[&str] = &[
    "see you at eight?",
    "did you get home all right",
    "happy birthday!!",
    "can you send me the recipe",
    "I will be a little late",
    "call me when you can",
    "look what I found",
    "thank you for yesterday",
];

/// A device that a subject signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Unique in the enclave.
    pub id: i64,
    /// What it is called in shops.
    pub model: &'static str,
    /// What it runs.
    pub os: &'static str,
    /// 16 hexadecimal digits.
    pub identifier: String,
    /// Where it was last.
    pub ip: String,
    /// Unix time in microseconds.
    pub last_seen_at_micros: i64,
}

/// A sign-in, or an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Unique in the enclave.
    pub id: i64,
    /// From which of the subject's devices.
    pub device_id: i64,
    /// From where.
    pub ip: String,
    /// ISO 3166, two letters.
    pub country: String,
    /// Whether the password was right.
    pub succeeded: bool,
    /// Unix time in microseconds.
    pub at_micros: i64,
}

/// What a subject writes for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Unique in the enclave.
    pub id: i64,
    /// What it says.
    pub body: String,
    /// ISO 639, two letters.
    pub language: String,
    /// How many liked it.
    pub likes: i32,
    /// Unix time in microseconds.
    pub created_at_micros: i64,
}

/// What a subject writes to another, who may be at home elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Unique in the enclave.
    pub id: i64,
    /// A subject who was there before.
    pub recipient_id: i64,
    /// What it says.
    pub body: &'static str,
    /// Unix time in microseconds.
    pub sent_at_micros: i64,
}

/// What is used up while all this is made.
#[derive(Debug, Clone)]
pub(super) struct Life {
    random: ChaCha8Rng,
    devices: i64,
    sign_ins: i64,
    posts: i64,
    messages: i64,
}

impl Life {
    pub(super) const fn new(random: ChaCha8Rng) -> Self {
        Self { random, devices: 0, sign_ins: 0, posts: 0, messages: 0 }
    }

    /// One device, and one sign-in from it.
    pub(super) fn device(&mut self, person: &Person) -> Option<(Device, SignIn)> {
        let (model, os) = *one(&mut self.random, MODELS)?;
        let ip = self.address()?;
        let at = self.after(person)?;
        let device = Device {
            id: next(&mut self.devices),
            model,
            os,
            identifier: format!("{:016x}", below(&mut self.random, u64::MAX)),
            ip: ip.clone(),
            last_seen_at_micros: at,
        };
        let sign_in = SignIn {
            id: next(&mut self.sign_ins),
            device_id: device.id,
            ip,
            country: person.country.clone(),
            succeeded: below(&mut self.random, 100) < 96,
            at_micros: at,
        };
        Some((device, sign_in))
    }

    pub(super) fn posts(&mut self, person: &Person) -> Option<Vec<Post>> {
        let count = below(&mut self.random, POSTS_MAX.saturating_add(1));
        let post = |_| {
            let (opening, thing) = (one(&mut self.random, OPENINGS)?, one(&mut self.random, THINGS)?);
            Some(Post {
                id: next(&mut self.posts),
                body: format!("{opening} {thing}"),
                language: person.language.clone(),
                likes: i32::try_from(below(&mut self.random, 400)).ok()?,
                created_at_micros: self.after(person)?,
            })
        };
        (0..count).map(post).collect()
    }

    /// Every other subject has written one, to one of the `before` who were there before.
    pub(super) fn message(&mut self, person: &Person, before: u64) -> Option<Option<Message>> {
        if before == 0 || below(&mut self.random, 2) == 0 {
            return Some(None);
        }
        Some(Some(Message {
            id: next(&mut self.messages),
            recipient_id: i64::try_from(below(&mut self.random, before).saturating_add(1)).ok()?,
            body: one(&mut self.random, LINES)?,
            sent_at_micros: self.after(person)?,
        }))
    }

    fn after(&mut self, person: &Person) -> Option<i64> {
        let joined_day = person.created_at_micros / 1_000_000 / DAY_SECONDS;
        moment(&mut self.random, joined_day.saturating_add(1), LAST_DAY.saturating_add(1))
    }

    fn address(&mut self) -> Option<String> {
        let host = below(&mut self.random, 254).saturating_add(1);
        if below(&mut self.random, 4) == 0 {
            let network = below(&mut self.random, 65_536);
            return Some(format!("2001:db8:{network:x}::{host:x}"));
        }
        Some(format!("{}.{host}", one(&mut self.random, NETWORKS)?))
    }
}

fn next(id: &mut i64) -> i64 {
    *id = id.saturating_add(1);
    *id
}
