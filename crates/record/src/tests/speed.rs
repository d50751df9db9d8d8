//! How many entries a second are witnessed, with the test's own monitor in the same process. Not run by default;
//! prints, and asserts nothing.

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
        record.stop().await.unwrap();
        assert!(fixture.verify().is_clean());
    }
}
