//! How many entries a second are witnessed, with the test's own monitor in the same process. Not run by default;
//! prints, and asserts nothing. The threads' CPU time is what counts on a machine that does other things too.

use std::collections::BTreeMap;
use std::fs;

use std::time::Duration;

use super::fixture::Fixture;
use crate::clock::now;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: run it alone, with --nocapture"]
async fn witnessed_entries_a_second() {
    for waiters in [1_u32, 32, 512] {
        let mut fixture = Fixture::new();
        let record = fixture.open();
        let (_, draft) = fixture.draft();
        let (began, time) = (now(), Duration::from_secs(3));
        let tasks: Vec<_> = (0..waiters)
            .map(|_| {
                let (record, draft) = (record.clone(), draft.clone());
                tokio::spawn(async move {
                    let mut waits = Vec::new();
                    while began.elapsed() < time {
                        let start = now();
                        let _ = record.append(draft.clone()).await.unwrap();
                        waits.push(start.elapsed());
                    }
                    waits
                })
            })
            .collect();
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await.unwrap());
        }
        waits.sort();
        let rate = waits.len() as f64 / began.elapsed().as_secs_f64();
        let (p50, p99) = (waits[waits.len() / 2], waits[waits.len() * 99 / 100]);
        let batches = fixture.monitor.state().batches;
        println!(
            "{waiters} waiting: {rate:.0}/s, p50 {p50:?}, p99 {p99:?}, {batches} batches, {:?}",
            record.lag()
        );
        println!("  CPU in 1/100 s: {:?}", cpu_of_threads());
        record.stop().await.unwrap();
        assert!(fixture.verify().is_clean());
    }
}

/// User and system time of this process's threads by name, in clock ticks, as Linux counts them.
fn cpu_of_threads() -> BTreeMap<String, u64> {
    let mut cpu = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
        let name = head.split_once('(').map_or("", |(_, name)| name);
        // Fields 14 and 15 of the whole line; the name was the second.
        let ticks = rest.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
        *cpu.entry(name.to_owned()).or_default() += ticks.sum::<u64>();
    }
    cpu
}
