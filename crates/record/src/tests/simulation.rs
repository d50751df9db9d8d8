//! Seeded runs of everything at once: appends, failures of single steps, power cuts, restarts, a monitor in any
//! mood or restored from a backup. At the end nothing that was acknowledged is missing.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::fixture::{Fault, Fixture};
use super::monitor::Mood;
use crate::Record;
use crate::steps::{Step, When};

const SEEDS: u64 = 6;
const EVENTS: usize = 40;

async fn run(seed: u64) {
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut fixture = Fixture::new();
    fixture.cosign_wait = Duration::from_millis(100);
    let mut record = fixture.open();
    for _ in 0..EVENTS {
        match random.random_range(0..10) {
            0..5 => {
                let count = random.random_range(1..80);
                let _ = fixture.append(&record, count).await;
            }
            5 => {
                let step = Step::ALL[random.random_range(0..Step::ALL.len())];
                let side = if random.random() { When::Before } else { When::After };
                *fixture.fault.lock().unwrap() = Some(Fault::Once(step, side));
            }
            6 => {
                *fixture.fault.lock().unwrap() = Some(Fault::Off);
                let _ = fixture.append(&record, 3).await;
                record = restart(&fixture, record).await;
            }
            7 => record = restart(&fixture, record).await,
            8 => {
                let moods = [Mood::Honest, Mood::Busy, Mood::HalfHearted];
                fixture.monitor.set(moods[random.random_range(0..moods.len())].clone());
            }
            _ => {
                let size = fixture.monitor.state().entries.len();
                fixture.monitor.restore(random.random_range(0..=size));
            }
        }
    }
    fixture.monitor.set(Mood::Honest);
    fixture.cosign_wait = Duration::from_millis(crate::COSIGN_WAIT_MS_MAX);
    fixture.settle(record).await;
    fixture.check_whole();
}

/// Lets the record go, with whatever fault is set, and opens it again without one.
async fn restart(fixture: &Fixture, record: Record) -> Record {
    let _ = record.stop().await;
    drop(record);
    *fixture.fault.lock().unwrap() = None;
    fixture.reopen().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_ever_missing() {
    for seed in 0..SEEDS {
        run(seed).await;
    }
}
