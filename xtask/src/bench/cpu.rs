//! CPU time of processes by what their threads do. The kernel counts it per thread, in nanoseconds, so that a busy
//! machine changes it little.

use std::collections::BTreeMap;
use std::fs;

/// Nanoseconds by group.
pub(crate) type Cpu = BTreeMap<&'static str, u64>;

/// A process whose threads are counted, and the group of each by its name.
pub(crate) struct Watched {
    pub(crate) pid: u32,
    pub(crate) group: fn(&str) -> &'static str,
}

/// What has been used so far.
pub(crate) fn read(watched: &[Watched]) -> Cpu {
    let mut cpu = Cpu::new();
    for process in watched {
        let folder = format!("/proc/{}/task", process.pid);
        for task in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let schedstat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let used = schedstat.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
            *cpu.entry((process.group)(name.trim())).or_default() += used;
        }
    }
    cpu
}

/// What was used between two readings.
pub(crate) fn between(before: &Cpu, after: &Cpu) -> Cpu {
    let used = |(group, ns): (&&'static str, &u64)| {
        (*group, ns.saturating_sub(before.get(group).copied().unwrap_or(0)))
    };
    after.iter().map(used).collect()
}

/// The gate's threads: those of sessions, and those of the record.
pub(crate) fn gate(thread: &str) -> &'static str {
    if thread.starts_with("record") { "record" } else { "gate" }
}

pub(crate) fn monitor(_: &str) -> &'static str {
    "monitor"
}

pub(crate) fn pgbouncer(_: &str) -> &'static str {
    "pgbouncer"
}
