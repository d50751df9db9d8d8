//! Names, addresses and user agents as keyed hashes: what is remembered holds no other form of them. Not here: where
//! the key is kept.

use siphasher::sip::SipHasher13;

/// The secret that makes hashes of one estate useless to whoever finds a snapshot without it.
#[derive(Clone, Copy)]
pub struct Key(u64, u64);

/// A keyed 64-bit hash of something that is not to be remembered in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Tag(pub u64);

/// What kind of thing a tag is of, so that a user and a host of the same name differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Of {
    /// A user's name.
    User = 1,
    /// An address, as [`std::net::IpAddr`] writes it.
    Address,
    /// What one customer of a network has: the address for IPv4, the /64 for IPv6.
    Source,
    /// A network around an address: /24 for IPv4, /48 for IPv6.
    Prefix,
    /// A user agent, whole.
    Agent,
    /// A user agent without its versions.
    Family,
    /// A service or a destination.
    Target,
    /// A session.
    Session,
    /// A device or workstation.
    Host,
    /// A peer group.
    Group,
    /// An event's own identifier.
    Event,
}

impl Key {
    /// A key of these bytes, which the caller draws from a secure source and keeps.
    pub fn new(bytes: [u8; 16]) -> Self {
        let [low, high] = [0, 64].map(|at| (u128::from_le_bytes(bytes) >> at) as u64);
        Self(low, high)
    }

    /// The tag of some bytes.
    pub fn tag(&self, of: Of, bytes: &[u8]) -> Tag {
        // The kind is part of the key, so that bytes stay aligned.
        Tag(SipHasher13::new_with_keys(self.0, self.1 ^ of as u64).hash(bytes))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
