//! What one address may take before anybody is known: so many connections at once, so many failed logins. Memory is
//! bounded, whoever comes. Not here: proofs (`login`), how long one may take (`client`).

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::{Duration, Instant};

/// Failed logins of one address under one name that are let pass at once,
const FAILED_OF_NAME_MAX: u32 = 10;
/// and how long until another one is.
const FAILED_OF_NAME_EVERY_MS: u64 = 10_000;
/// Failed logins of one address under any name,
const FAILED_OF_ADDRESS_MAX: u32 = 60;
/// and how long until another one is let pass.
const FAILED_OF_ADDRESS_EVERY_MS: u64 = 1_000;
/// How many addresses and names are remembered; past it, those who failed least are forgotten.
const REMEMBERED_MAX: usize = 16_384;
/// Of an IPv6 address, what a network hands to one customer.
const IPV6_PREFIX_BITS: u32 = 64;

/// Connections and failed logins of everybody.
#[derive(Debug)]
pub struct Attempts {
    connections_max: u32,
    connections: Arc<Mutex<HashMap<IpAddr, u32>>>,
    failed: Mutex<HashMap<Who, Failed>>,
    names: RandomState,
}

/// One connection's share of what its address may have; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    address: IpAddr,
    connections: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// Who failed: an address, or an address under a name. Names are hashed, since they may be long, or not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Name(IpAddr, u64),
}

/// When all of somebody's failures are forgotten, and whether it was told that they are too many.
#[derive(Debug)]
struct Failed {
    until: Instant,
    is_told: bool,
}

/// An attempt that is not made because too many have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// When the next one is let pass.
    pub seconds: u64,
    /// Whether this is the first since then: one entry says it, not one for each attempt.
    pub is_first: bool,
}

impl Attempts {
    /// Nobody has come yet.
    pub fn new(connections_max: u32) -> Self {
        Self {
            connections_max,
            connections: Arc::default(),
            failed: Mutex::default(),
            names: RandomState::new(),
        }
    }

    /// Room for a connection of this address, if it has not too many.
    pub fn sit(&self, address: IpAddr) -> Option<Seat> {
        let address = shared(address);
        let mut connections = lock(&self.connections);
        let count = connections.entry(address).or_default();
        if *count >= self.connections_max {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Seat { address, connections: Arc::clone(&self.connections) })
    }

    /// Counts an attempt as failed before its proof is looked at, so that a thousand at once are not a thousand
    /// guesses. A proof that holds gives it back.
    pub fn fail(&self, address: IpAddr, name: &str, now: Instant) -> Result<(), TooMany> {
        let mut failed = lock(&self.failed);
        for (who, max, every) in self.limits(address, name) {
            let known = failed.get_mut(&who).filter(|known| known.until > now);
            let Some(known) = known else { continue };
            let over = known.until.duration_since(now).saturating_sub(every.saturating_mul(max - 1));
            if !over.is_zero() {
                let is_first = !std::mem::replace(&mut known.is_told, true);
                let seconds = over.as_secs() + u64::from(over.subsec_nanos() > 0);
                return Err(TooMany { seconds, is_first });
            }
        }
        for (who, _, every) in self.limits(address, name) {
            make_room(&mut failed, now);
            let known = failed.entry(who).or_insert(Failed { until: now, is_told: false });
            if known.until <= now {
                *known = Failed { until: now, is_told: false };
            }
            known.until += every;
        }
        Ok(())
    }

    /// Whether an attempt would be let pass now.
    pub fn may_try(&self, address: IpAddr, name: &str, now: Instant) -> Result<(), TooMany> {
        self.fail(address, name, now)?;
        self.succeed(address, name);
        Ok(())
    }

    /// Takes back what [`Attempts::fail`] counted.
    pub fn succeed(&self, address: IpAddr, name: &str) {
        let mut failed = lock(&self.failed);
        for (who, _, every) in self.limits(address, name) {
            if let Entry::Occupied(mut known) = failed.entry(who) {
                known.get_mut().until -= every;
            }
        }
    }

    fn limits(&self, address: IpAddr, name: &str) -> [(Who, u32, Duration); 2] {
        let address = shared(address);
        let name = Who::Name(address, self.names.hash_one(name));
        [
            (Who::Address(address), FAILED_OF_ADDRESS_MAX, Duration::from_millis(FAILED_OF_ADDRESS_EVERY_MS)),
            (name, FAILED_OF_NAME_MAX, Duration::from_millis(FAILED_OF_NAME_EVERY_MS)),
        ]
    }
}

/// Forgets who has nothing left to remember, and an eighth of the others at once, those who would be forgotten first:
/// when everybody comes, looking for each one's place would take longer than the attempt.
fn make_room(failed: &mut HashMap<Who, Failed>, now: Instant) {
    if failed.len() < REMEMBERED_MAX {
        return;
    }
    let mut untils: Vec<Instant> = failed.values().map(|known| known.until).collect();
    let (_, eighth, _) = untils.select_nth_unstable(REMEMBERED_MAX / 8);
    let oldest = now.max(*eighth);
    failed.retain(|_, known| known.until > oldest);
}

/// The address as it is counted: of IPv6, what a network hands to one customer.
pub(crate) fn shared(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> (128 - IPV6_PREFIX_BITS) << (128 - IPV6_PREFIX_BITS);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 => v4,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = lock(&self.connections).entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn failures_are_counted_by_address_and_name_and_forgotten() {
        let attempts = Attempts::new(1);
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        let start = crate::clock::instant();
        let passed = |from, name: &str, tries, after_s| {
            let now = start + Duration::from_secs(after_s);
            (0..tries).filter(|_| attempts.fail(from, name, now).is_ok()).count()
        };
        assert_eq!(passed(here, "aoife", 50, 0), 10, "under one name");
        assert_eq!(passed(here, "lukas", 50, 0), 10, "under another");
        assert_eq!(passed(there, "aoife", 50, 0), 10, "from elsewhere, nobody is locked out");
        let names: Vec<String> = (0..100).map(|n| format!("guess-{n}")).collect();
        assert_eq!(names.iter().map(|name| passed(here, name, 1, 0)).sum::<usize>(), 40, "from one address");
        assert_eq!(attempts.fail(here, "aoife", start), Err(TooMany { seconds: 1, is_first: false }));

        assert_eq!(passed(here, "aoife", 5, 10), 1, "one every ten seconds");
        // Proofs that hold cost nothing.
        for _ in 0..1_000 {
            attempts.fail(here, "ingrid", start + Duration::from_secs(10)).unwrap();
            attempts.succeed(here, "ingrid");
        }
        assert_eq!(passed(here, "aoife", 50, 1_000), 10, "all is forgotten");
        let now = start + Duration::from_secs(1_000);
        assert_eq!(attempts.may_try(here, "wei", now), Ok(()));
        assert!(!attempts.may_try(here, "aoife", now).unwrap_err().is_first);
    }

    #[test]
    fn memory_is_bounded_whoever_comes() {
        let attempts = Attempts::new(1);
        let start = crate::clock::instant();
        for n in 0..40_000_u32 {
            let now = start + Duration::from_micros(n.into());
            let _ = attempts.fail(IpAddr::V4((0x0a00_0000 + n).into()), "aoife", now);
        }
        let remembered = lock(&attempts.failed).len();
        assert!((REMEMBERED_MAX / 2..=REMEMBERED_MAX).contains(&remembered), "{remembered}");
    }

    #[test]
    fn an_address_has_so_many_connections() {
        let attempts = Attempts::new(2);
        let sit = |text| attempts.sit(address(text));
        let (first, second) = (sit("2001:db8::1"), sit("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(sit("2001:db8::3").is_none(), "one customer's network counts as one address");
        assert!(sit("2001:db8:0:1::1").is_some() && sit("::ffff:192.0.2.1").is_some());
        drop(second);
        assert!(sit("2001:db8::3").is_some());
        drop(first);
        assert!(lock(&attempts.connections).is_empty());
    }
}
