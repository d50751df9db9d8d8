//! What logins cost through NATS: a server of its own, so many events in its stream, and so many processes that share the
//! users. Prints one JSON object; `cargo xtask bench logins` runs it and says what it means.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on may end")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::collections::HashSet;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use logins::answer::Above;
use logins::nats::{self, Estate, Publisher, Worker};
use logins::share::Judging;
use logins::state::Secret;
use places::Places;
use risk::{Action, Outcome, Settings, Weights};
use serde_json::json;

#[allow(dead_code, reason = "only the other example needs histories")]
mod made;

use made::{Chance, START_MS};

const SHARES: u32 = 16;
const BLOCK: usize = 20_000;
/// Until every process has its part of the shares.
const TO_SHARE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(50);
/// Processes that used no more than a heartbeat for so many polls have nothing left to do.
const IDLE_POLLS: u32 = 100;
const HEARTBEAT_TICKS: u64 = 1;
/// The kernel counts a process's time in these.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["work", url, key] => block_on(work(url, Path::new(key))),
        [users, events, workers] => {
            measure(users.parse().unwrap(), events.parse().unwrap(), workers.parse().unwrap());
        }
        _ => {
            eprintln!("say users, events and workers: shares 1000000 2000000 2");
            std::process::exit(2);
        }
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work);
}

/// One process: judges what falls to it until its standard input ends.
async fn work(url: &str, key: &Path) {
    let settings = nats::Settings::new(judging(key), |said| eprintln!("{said}"));

    let worker = Worker::new(open(url).await, settings).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read(&mut [0]);
        stop.send_replace(true);
    });
    worker.run(stopped).await.unwrap();
}

fn judging(key: &Path) -> Judging {
    Judging {
        secret: Secret::read_or_make(key).unwrap(),
        weights: Arc::new(Weights::shipped()),
        settings: Settings::default(),
        places: Arc::new(RwLock::new(Places::default())),
        above: Above::Action(Action::StepUp),
    }
}

async fn open(url: &str) -> Estate {
    let server = nats::Server { url: url.to_owned(), credentials: None, authorities: None, identity: None };
    Estate::open(&server, Some(SHARES)).await.unwrap()
}

fn measure(users: u64, events: usize, workers: u32) {
    let dir = tempfile::tempdir().unwrap();
    let (server, url) = start_server(dir.path());
    let server = Ends(server);
    let key = dir.path().join("key");
    Secret::read_or_make(&key).unwrap();
    block_on(async { drop(open(&url).await) });
    let (texts, known) = make(users, events);
    let program = std::env::current_exe().unwrap();
    let start = || {
        let mut command = Command::new(&program);
        command.args(["work", &url]).arg(&key).stdin(Stdio::piped()).stdout(Stdio::null());
        Ends(command.spawn().unwrap())
    };
    let mut processes: Vec<Ends> = (0..workers).map(|_| start()).collect();
    sleep(TO_SHARE);
    let used = |processes: &[Ends]| processes.iter().map(|process| ticks(&process.0)).sum::<u64>();
    let (before, server_before, from) = (used(&processes), ticks(&server.0), Instant::now());
    let mut last = before;
    block_on(publish(&url, &texts));
    let (mut idle, mut took) = (0, from.elapsed());
    while idle < IDLE_POLLS {
        sleep(POLL);
        let now = used(&processes);
        let is_at_work = now > last + HEARTBEAT_TICKS;
        (idle, took) = if is_at_work { (0, from.elapsed()) } else { (idle + 1, took) };
        last = now;
    }
    let server_used = ticks(&server.0) - server_before;
    for process in &mut processes {
        drop(process.0.stdin.take());
        assert!(process.0.wait().unwrap().success(), "a process failed");
    }
    block_on(check(&url, &key, known));
    let each = |ticks: u64| ticks as f64 / TICKS_PER_SECOND * 1e9 / (texts.len() * BLOCK) as f64;
    let said = json!({
        "workers": workers,
        "users": users,
        "per_second": (texts.len() * BLOCK) as f64 / took.as_secs_f64(),
        "worker_ns": each(last - before),
        "server_ns": each(server_used),
    });
    println!("{said}");
}

/// The events, and how many users they let in.
fn make(users: u64, events: usize) -> (Vec<String>, u64) {
    let mut chance = Chance(1);
    let mut known = HashSet::new();
    let mut block = |block: usize| {
        let text = made::lines(BLOCK, users, START_MS + block as i64 * 1_000, &mut chance);
        for line in text.lines() {
            let login = logins::ocsf::read(line.as_bytes()).unwrap().unwrap();
            if login.outcome == Outcome::Success {
                known.insert(login.user.into_owned());
            }
        }
        text
    };
    let texts = (0..events.div_ceil(BLOCK)).map(&mut block).collect();
    (texts, known.len() as u64)
}

fn start_server(dir: &Path) -> (Child, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("nats-server");
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]).arg(dir.join("nats"));
    let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_secs(1));
    (server, format!("nats://127.0.0.1:{port}"))
}

/// What was learnt is of everybody who was let in: nothing was left out.
async fn check(url: &str, key: &Path, known: u64) {
    let (estate, judging) = (open(url).await, judging(key));
    let mut learnt = 0;
    for share in 0..SHARES {
        let somebody =
            (0..).map(|n| format!("{n}")).find(|name| nats::share_of(name, SHARES) == share).unwrap();
        let newest = nats::newest(&estate, &judging, &somebody).await.unwrap();
        learnt += newest.map_or(0, |(_, share)| share.users());
    }
    assert_eq!(learnt, known, "users that were learnt, and that were let in");
}

async fn publish(url: &str, texts: &[String]) {
    let mut publisher = Publisher::new(open(url).await).unwrap();
    for line in texts.iter().flat_map(|text| text.lines()) {
        let login = logins::ocsf::read(line.as_bytes()).unwrap().unwrap();
        publisher.add(&login.user, line.as_bytes()).await.unwrap();
    }
    publisher.flush().await.unwrap();
}

/// CPU that a process used.
fn ticks(process: &Child) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    let (_, fields) = text.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

/// A process that ends with this.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}
