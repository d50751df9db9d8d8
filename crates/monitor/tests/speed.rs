//! What it costs to decide an entry again when its like was decided before; run by hand, in a release build.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it measures, and a test that cannot go on may end"
)]

mod lab;

use lab::{AOIFE, Lab, Sealed};
use monitor::monitor::Answer;
use tlog::entry::CountState;

const BATCHES: u32 = 20;
const ENTRIES_PER_BATCH: u32 = 512;

#[test]
#[ignore = "measures; run it in a release build"]
fn an_entry() {
    let mut lab = Lab::started();
    let session = lab.open(&AOIFE);
    let request = lab.gate.bundle.request(&lab.gate.ask(&AOIFE));
    let mut took = std::time::Duration::ZERO;
    for batch in 0..=BATCHES {
        let items: Vec<Sealed> = (0..ENTRIES_PER_BATCH)
            .map(|n| {
                let text = format!("SELECT handle FROM users WHERE id = {}", batch * ENTRIES_PER_BATCH + n);
                let mut piece = lab.gate.release(&session, &text, CountState::Exact, 1, 60);
                piece.entry.principal = Some(lab.gate.key.principal(AOIFE.principal));
                piece.entry.request = Some(lab.gate.key.request(&request).unwrap());
                lab.gate.seal(piece)
            })
            .collect();
        let body = lab.gate.batch(&items);
        let began = std::time::Instant::now();
        let answer = lab.submit(&body);
        // The first batch is decided afresh.
        if batch > 0 {
            took += began.elapsed();
        }
        assert!(matches!(answer, Answer::Cosigned(_)));
        lab.gate.tree = lab.gate.tree_with(&items);
    }
    println!("{:?} an entry, storing and cosigning included", took / (BATCHES * ENTRIES_PER_BATCH));
}
