//! What a login costs, from a line of OCSF to a decision, when so many users have a history: one thread, lines in memory;
//! addresses are looked up in the files of a folder, if one is named.
//! Prints one JSON object; `cargo xtask bench logins` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::Instant;

use logins::login::Login;
use places::Places;
use risk::{Action, Engine, Event, Key, Settings, Weights};
use serde_json::json;

mod made;

use made::{Chance, DAY_MS, START_MS, lines, with};

/// As the programs have it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Lines that are made at a time; making them is not measured.
const BLOCK: usize = 20_000;
/// Attempts per user have this median and this spread of their logarithm: median 2, p90 9, p99 30.
const LOGINS_LN_MEDIAN: f64 = 0.693;
const LOGINS_LN_SPREAD: f64 = 1.17;

/// Lines that are judged together, as a watch does.
const TOGETHER: usize = 16;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let users: u64 = arguments.next().unwrap().parse().unwrap();
    let events: usize = arguments.next().unwrap().parse().unwrap();
    let places = arguments.next().map(|folder| Places::open(folder.as_ref()).unwrap()).unwrap_or_default();
    let idle = resident();
    let mut engine = Engine::new(Key::new([7; 16]), Weights::shipped(), Settings::default());
    let mut chance = Chance(1);
    let made = make_histories(&mut engine, &places, users, &mut chance);
    let (counted, _) = engine.bytes();
    let grown = resident() - idle;
    let mut costs = Costs::default();
    // Every second block is measured as a whole, the others event by event, so that there are two at least.
    let blocks = events.div_ceil(BLOCK).max(2);
    for block in 0..blocks {
        let text = lines(BLOCK, users, START_MS + 60 * DAY_MS + block as i64 * 1_000, &mut chance);
        costs.measure_block(&text, block % 2 == 0, &mut engine, &places);
    }
    let Costs { asked, all, read, place, wall, mut waits } = costs;
    waits.sort_by(f64::total_cmp);
    let whole = (blocks.div_ceil(2) * BLOCK) as f64;
    let quantile = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    let all_ns = all as f64 / whole;
    let [read_ns, place_ns] = [read, place].map(|stage| stage as f64 / (blocks * BLOCK) as f64);
    let (snapshot, snapshot_s) = timed(|| {
        let mut bytes = Vec::new();
        engine.write(&mut bytes).unwrap();
        bytes
    });
    drop(engine);
    let (again, start_s) = timed(|| {
        Engine::read(&mut &snapshot[..], Key::new([7; 16]), Weights::shipped(), Settings::default()).unwrap()
    });
    assert_eq!(again.users(), users);
    let said = json!({
        "users": users,
        "history": made,
        "asked": asked,
        "all_ns": all_ns,
        "read_ns": read_ns,
        "place_ns": place_ns,
        "judge_ns": all_ns - read_ns - place_ns,
        "per_second": whole / wall,
        "p50_us": quantile(0.5),
        "p99_us": quantile(0.99),
        "most_us": quantile(1.0),
        "counted_bytes": counted as f64 / users as f64,
        "resident_bytes": grown as f64 / users as f64,
        "snapshot_s": snapshot_s,
        "snapshot_bytes": snapshot.len() as f64 / users as f64,
        "start_s": start_s,
    });
    println!("{said}");
}

/// What was measured so far: CPU nanoseconds of all and of the stages alone, seconds by the clock, microseconds of events.
#[derive(Default)]
struct Costs {
    asked: usize,
    all: u64,
    read: u64,
    place: u64,
    wall: f64,
    waits: Vec<f64>,
}

impl Costs {
    fn measure_block(&mut self, text: &str, is_whole: bool, engine: &mut Engine, places: &Places) {
        let began = cpu_ns();
        for (_, line) in logins::lines::of(text.as_bytes()) {
            drop(logins::ocsf::read(line).unwrap());
        }
        self.read += cpu_ns() - began;
        let read: Vec<Login<'_>> = logins::lines::of(text.as_bytes()).map(|(_, line)| login(line)).collect();
        let began = cpu_ns();
        read.iter().for_each(|login| {
            places.fill(&mut black_box(login.event()));
        });
        self.place += cpu_ns() - began;
        let mut lines = logins::lines::of(text.as_bytes()).map(|(_, line)| line).peekable();
        let (began, from) = (cpu_ns(), Instant::now());
        if is_whole {
            while lines.peek().is_some() {
                self.asked += decide(engine, places, lines.by_ref().take(TOGETHER));
            }
            self.all += cpu_ns() - began;
            self.wall += from.elapsed().as_secs_f64();
        } else {
            for line in lines {
                let from = Instant::now();
                self.asked += decide(engine, places, std::iter::once(line));
                self.waits.push(from.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let from = Instant::now();
    let done = work();
    (done, from.elapsed().as_secs_f64())
}

fn login(line: &[u8]) -> Login<'_> {
    logins::ocsf::read(line).unwrap().unwrap()
}

/// Judges lines; of how many something is asked.
fn decide<'l>(engine: &mut Engine, places: &Places, lines: impl Iterator<Item = &'l [u8]>) -> usize {
    let logins: Vec<Login<'_>> = lines.map(login).collect();
    let mut events: Vec<Event<'_>> = logins.iter().map(Login::event).collect();
    events.iter_mut().for_each(|event| places.fill(event));
    engine.judge_all(&events).iter().filter(|judgement| judgement.action != Action::Allow).count()
}

/// Gives every user a history of two months; how many logins that took.
fn make_histories(engine: &mut Engine, places: &Places, users: u64, chance: &mut Chance) -> u64 {
    let mut count = 0;
    let mut left: Vec<u16> = (0..users).map(|_| logins_of(chance)).collect();
    let mut round = 0;
    while left.iter().any(|left| *left > 0) {
        for user in 0..users {
            let left = &mut left[user as usize];
            if *left == 0 {
                continue;
            }
            *left -= 1;
            count += 1;
            // A heavy user's logins are as far apart as those of everybody else.
            let time_ms = START_MS + (round * 997 % 50) * DAY_MS / 50 + round * DAY_MS;
            with(user, chance, |login| {
                let mut event = login.event(time_ms);
                places.fill(&mut event);
                engine.judge(&event);
            });
        }
        round += 1;
    }
    count
}

fn logins_of(chance: &mut Chance) -> u16 {
    let normal = (0..12).map(|_| chance.share()).sum::<f64>() - 6.0;
    (LOGINS_LN_MEDIAN + LOGINS_LN_SPREAD * normal).exp().round().clamp(1.0, 60.0) as u16
}

/// CPU of this thread so far, by the kernel.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

/// Bytes of memory that this process holds.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}
