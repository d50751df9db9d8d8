//! What it costs to decide an entry again, whose statement's verdict is remembered or is worked out afresh, and to decide a
//! request that was not decided before; and how long a monitor takes to start with as many entries in its copy as it is
//! told. Prints one JSON object; `cargo xtask bench redecide` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lab::{AOIFE, Lab, Sealed};
use monitor::bundle;
use monitor::clock::instant;
use monitor::monitor::Answer;
use policy::{Ask, Bundle};
use serde_json::{Value, json};
use tlog::entry::CountState;

const BATCHES: u32 = 40;
const ENTRIES_PER_BATCH: u32 = 512;
/// Entries of the copy that a monitor starts with, unless another number is asked for.
const START_ENTRIES: u64 = 200_000;
/// Bundles that are asked everything once.
const BUNDLES: u32 = 8;
/// Policies beside the example's, which makes fifty.
const MORE_POLICIES: usize = 8;

fn main() {
    let entries = std::env::args().nth(1).map_or(Ok(START_ENTRIES), |text| text.parse()).unwrap();
    let mut lab = Lab::started();
    let session = lab.open(&AOIFE);
    // Texts that differ in such an integer share one verdict; those that differ in a name do not.
    let remembered = measure(&mut lab, &session, |n| format!("SELECT handle FROM users WHERE id = {n}"));
    let fresh = measure(&mut lab, &session, |n| format!("SELECT handle AS h{n} FROM users WHERE id = {n}"));
    let start = start(&mut lab, &session, entries);
    println!("{}", json!({ "remembered": remembered, "fresh": fresh, "decided": decided(), "start": start }));
}

/// Seconds from nothing to a monitor that can be posted to: with the snapshot of a clean stop, and from the copy alone.
fn start(lab: &mut Lab, session: &str, entries: u64) -> Value {
    let mut batch = BATCHES + 1;
    while lab.monitor().size() < entries {
        let body = body(lab, session, batch, |n| format!("SELECT handle FROM users WHERE id = {n}"));
        submit(lab, &body);
        batch += 1;
    }
    let size = lab.monitor().size();
    lab.monitor().stop().unwrap();
    let open = |lab: &mut Lab| {
        lab.monitor = None;
        let began = instant();
        lab.restart();
        began.elapsed().as_secs_f64()
    };
    let snapshot_s = open(lab);
    fs::remove_file(lab.folder().snapshot()).unwrap();
    let copy_s = open(lab);
    json!({ "entries": size, "snapshot_s": snapshot_s, "copy_s": copy_s })
}

/// Microseconds a decision that is new to the bundle and permits, under fifty policies.
fn decided() -> Value {
    let files = fifty();
    let first = Bundle::read(&files).unwrap();
    let names: Vec<&str> =
        first.directory().principals.iter().map(|principal| principal.name.as_str()).collect();
    let purposes = first.enclave().purposes.iter().map(|purpose| Some(purpose.as_str()));
    let mut asks = Vec::new();
    for (purpose, name) in purposes.flat_map(|purpose| names.iter().map(move |name| (purpose, *name))) {
        for (listener, ticket) in
            ["ireland", "germany"].into_iter().flat_map(|at| [(at, None), (at, Some("T-1"))])
        {
            let ask = Ask { principal: name, place: first.place_of(listener), purpose, ticket };
            asks.extend(first.decide(&ask).is_ok().then_some(ask));
        }
    }
    let bundles: Vec<Bundle> = (0..BUNDLES).map(|_| Bundle::read(&files).unwrap()).collect();
    let (used, began) = (cpu_ns(), instant());
    bundles.iter().for_each(|bundle| asks.iter().for_each(|ask| assert!(bundle.decide(ask).is_ok())));
    let (took, used) = (began.elapsed(), cpu_ns() - used);
    let decisions = f64::from(BUNDLES) * asks.len() as f64;
    json!({ "wall_us": took.as_secs_f64() * 1e6 / decisions, "cpu_us": used as f64 / 1e3 / decisions })
}

/// The example's bundle with as many policies as make fifty.
fn fifty() -> BTreeMap<String, Vec<u8>> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    let mut files = bundle::read_files(&example).unwrap();
    let policies = |files: &BTreeMap<String, Vec<u8>>| -> usize {
        let texts = files.iter().filter(|(path, _)| path.starts_with("policy/"));
        texts.map(|(_, text)| String::from_utf8_lossy(text).matches("@id(").count()).sum()
    };
    let more: String = (0..MORE_POLICIES)
        .map(|n| {
            format!(
                "@id(\"more-{n}\")\n@needs(\"nothing\")\nforbid (principal, action == Action::\"clear\", resource)\n\
                 when {{ resource.class == Class::\"restricted\" && !context.place.known }};\n"
            )
        })
        .collect();
    files.insert("policy/more.cedar".to_owned(), more.into_bytes());
    assert_eq!(policies(&files), 50);
    files
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
