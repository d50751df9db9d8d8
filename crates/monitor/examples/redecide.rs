//! What it costs to decide an entry again, whose statement's verdict is remembered or is worked out afresh. Prints one
//! JSON object; `cargo xtask bench redecide` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::fs;

use lab::{AOIFE, Lab, Sealed};
use monitor::clock::instant;
use monitor::monitor::Answer;
use serde_json::{Value, json};
use tlog::entry::CountState;

const BATCHES: u32 = 40;
const ENTRIES_PER_BATCH: u32 = 512;

fn main() {
    let mut lab = Lab::started();
    let session = lab.open(&AOIFE);
    // Texts that differ in such an integer share one verdict; those that differ in a name do not.
    let remembered = measure(&mut lab, &session, |n| format!("SELECT handle FROM users WHERE id = {n}"));
    let fresh = measure(&mut lab, &session, |n| format!("SELECT handle AS h{n} FROM users WHERE id = {n}"));
    println!("{}", json!({ "remembered": remembered, "fresh": fresh }));
}

/// Microseconds an entry.
fn measure(lab: &mut Lab, session: &str, text: impl Fn(u32) -> String) -> Value {
    let bodies: Vec<Vec<u8>> = (0..=BATCHES).map(|batch| body(lab, session, batch, &text)).collect();
    let (first, rest) = bodies.split_first().unwrap();
    // What the first batch says is new in either case.
    submit(lab, first);
    let (used, began) = (cpu_ns(), instant());
    rest.iter().for_each(|body| submit(lab, body));
    let (took, used) = (began.elapsed(), cpu_ns() - used);
    let entries = f64::from(BATCHES * ENTRIES_PER_BATCH);
    json!({ "wall_us": took.as_secs_f64() * 1e6 / entries, "cpu_us": used as f64 / 1e3 / entries })
}

/// A batch as the gate posts it, which goes on where the last one ended.
fn body(lab: &mut Lab, session: &str, batch: u32, text: impl Fn(u32) -> String) -> Vec<u8> {
    let numbers = (0..ENTRIES_PER_BATCH).map(|n| batch * ENTRIES_PER_BATCH + n);
    let items: Vec<Sealed> = numbers.map(|n| release(lab, session, &text(n))).collect();
    let body = lab.gate.batch(&items);
    lab.gate.tree = lab.gate.tree_with(&items);
    body
}

fn submit(lab: &mut Lab, body: &[u8]) {
    let answer = lab.submit(body);
    assert!(matches!(answer, Answer::Cosigned(_)), "{answer:?}");
}

/// A release as the gate writes it, of one row.
fn release(lab: &mut Lab, session: &str, text: &str) -> Sealed {
    let request = lab.gate.bundle.request(&lab.gate.ask(&AOIFE));
    let mut piece = lab.gate.release(session, text, CountState::Exact, 1, 60);
    piece.entry.principal = Some(lab.gate.key.principal(AOIFE.principal));
    piece.entry.request = Some(lab.gate.key.request(&request).unwrap());
    lab.gate.seal(piece)
}

/// What this thread has used: the monitor checks a batch in the thread that submits it. The kernel counts it up a few
/// times in a hundredth of a second, so that it is read around all batches and not around each.
fn cpu_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
