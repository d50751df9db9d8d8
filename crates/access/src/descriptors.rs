//! How many connections this process can hold. Whoever can reach a listener takes a file descriptor, and the record
//! needs some of its own: when it cannot open a file it stops for good. So connections never get the last of them.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Client connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: u64 = 2_048;
/// A session's client, its site, a probe of the site or a cancellation.
const DESCRIPTORS_PER_CONNECTION: u64 = 3;
/// For the record, the monitor, the listeners and what else is open.
const DESCRIPTORS_KEPT: u64 = 256;

/// Raises the limit on open files as far as connections can use it and the system allows, and says how many
/// connections fit under it.
pub fn connections() -> usize {
    let wanted = CONNECTIONS_MAX * DESCRIPTORS_PER_CONNECTION + DESCRIPTORS_KEPT;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let raised = wanted.min(most).max(limit.current.unwrap_or(u64::MAX));
    let set = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    let now = set.map_or(limit.current.unwrap_or(u64::MAX), |()| raised);
    fitting(now)
}

fn fitting(descriptors: u64) -> usize {
    let connections = descriptors.saturating_sub(DESCRIPTORS_KEPT) / DESCRIPTORS_PER_CONNECTION;
    usize::try_from(connections.clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_keeps_some() {
        let most = usize::try_from(CONNECTIONS_MAX).unwrap_or_default();
        for (descriptors, connections) in [(0, 1), (256, 1), (1_024, 256), (6_400, 2_048), (u64::MAX, most)] {
            assert_eq!(fitting(descriptors), connections, "{descriptors}");
        }
    }
}
