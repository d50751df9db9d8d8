//! kill -9 of every part and a full disk, at random under load: no row without its entry, no acknowledged entry lost,
//! and the next start works. `TREFOIL_STORM_SECONDS` and `TREFOIL_STORM_SEED` choose how long and which storm.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::{Pid, Signal, kill_process};

use super::lab::{AOIFE, Enclave};
use super::received::{Got, ask};

const CLIENTS: u64 = 3;
/// The disk of the write-ahead file: enough for a storm, little enough to fill.
const DISK: &str = "size=64m";

/// What happens to an enclave.
type Trouble = (&'static str, fn(&Enclave, &Disk));

/// A row more is a kind of trouble more.
const TROUBLES: &[Trouble] = &[
    ("the gate is killed", |enclave, _| enclave.kill(&["gate"])),
    ("the monitor is killed", |enclave, _| enclave.kill(&["monitor"])),
    ("a site is killed", |enclave, _| enclave.kill(&["site dublin-1"])),
    ("gate and monitor are killed", |enclave, _| enclave.kill(&["gate", "monitor"])),
    ("the supervisor is killed, and all with it", |enclave, _| kill_supervisor(enclave)),
    ("the record's disk is full", |enclave, disk| {
        disk.fill();
        sleep(Duration::from_millis(1_500));
        disk.make_room();
        enclave.kill(&["gate"]);
    }),
];

#[test]
fn nothing_is_lost_or_leaked_in_a_storm() {
    let number = |name: &str, otherwise| std::env::var(name).ok().map_or(otherwise, |n| n.parse().unwrap());
    let (seconds, seed) = (number("TREFOIL_STORM_SECONDS", 25), number("TREFOIL_STORM_SEED", 1));
    let mut chance = StdRng::seed_from_u64(seed);
    let enclave = Enclave::start();
    enclave.kill(&["gate"]);
    let disk = Disk::mount(&enclave.dir.join("gate/wal"));
    enclave.bring_back();
    let over = AtomicBool::new(false);
    let next = AtomicU64::new(0);
    let until = now() + Duration::from_secs(seconds);
    let mut rounds = BTreeMap::new();
    let got: Vec<Got> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (enclave, over, next) = (&enclave, &over, &next);
                scope.spawn(move || load(enclave, seed.wrapping_mul(31).wrapping_add(client), over, next))
            })
            .collect();
        // Also when a strike finds something: the clients would go on for ever.
        let ending = Over(&over);
        while now() < until {
            sleep(Duration::from_millis(chance.random_range(300..2_500)));
            let (name, strike) = TROUBLES[chance.random_range(0..TROUBLES.len())];
            strike(&enclave, &disk);
            enclave.bring_back();
            *rounds.entry(name).or_insert(0) += 1;
        }
        drop(ending);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    eprintln!("seed {seed}: {rounds:?}; {} statements", got.len());
    assert!(got.iter().any(|got| got.rows > 1_000), "no large result got through, so windows were not tried");
    super::received::reconcile(&enclave, &got);
    assert!(enclave.trefoil(&["record", "verify"]).status.success());
    drop(disk);
}

/// A result that breaks in the middle of a window: what came is covered by what was authorised.
#[test]
fn the_authorised_total_bounds_a_broken_result() {
    let enclave = Enclave::start();
    for (name, kills) in [("the client vanishes", false), ("the gate is killed", true)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let got = runtime.block_on(async {
            let client = super::received::connect(&enclave, AOIFE).await.expect("a session");
            let large = "SELECT a.id, a.handle, b.handle FROM users a, users b";
            super::received::ask_for(&client, large, name, 20_000, || strike(&enclave, kills)).await
        });
        // With the runtime the client's connection is gone, in the middle of what it was sent.
        drop(runtime);
        assert!(got.rows >= 20_000 && got.rows < 9_000_000, "{name}: not in the middle: {got:?}");
        enclave.bring_back();
        super::received::reconcile(&enclave, &[got]);
        assert!(enclave.trefoil(&["record", "verify"]).status.success(), "{name}");
    }
}

fn strike(enclave: &Enclave, kills: bool) {
    if kills {
        enclave.kill(&["gate"]);
    }
}

/// Says that the storm is over, however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A client that asks until the storm is over, and connects again when it is thrown out.
fn load(enclave: &Enclave, seed: u64, over: &AtomicBool, next: &AtomicU64) -> Vec<Got> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut chance = StdRng::seed_from_u64(seed);
    runtime.block_on(async {
        let mut got = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let Some(client) = super::received::connect(enclave, AOIFE).await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            while !over.load(Ordering::Relaxed) && !client.is_closed() {
                let mark = format!("storm {seed} {}", next.fetch_add(1, Ordering::Relaxed));
                let statement = match chance.random_range(0..20) {
                    0 => "SELECT a.id, a.handle, b.handle FROM users a, users b WHERE a.id <= 40".to_owned(),
                    1 => "SELECT email FROM data.users".to_owned(),
                    _ => format!("SELECT id, handle FROM users WHERE id <= {}", chance.random_range(1..60)),
                };
                got.push(ask(&client, statement, mark).await);
            }
        }
        got
    })
}

#[expect(clippy::disallowed_methods, reason = "a storm lasts for so many real seconds")]
fn now() -> Instant {
    Instant::now()
}

fn kill_supervisor(enclave: &Enclave) {
    let pid = fs::read_to_string(enclave.dir.join("run/up.pid")).unwrap();
    let _ = kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::KILL);
}

/// A small disk under the write-ahead file; goes with the test.
struct Disk(PathBuf);

impl Disk {
    /// Mounts it in place of a folder, with what was in the folder. The gate must not be running.
    fn mount(folder: &Path) -> Disk {
        let aside = folder.with_extension("aside");
        fs::rename(folder, &aside).unwrap();
        fs::create_dir(folder).unwrap();
        as_root(&["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", folder.to_str().unwrap()]);
        as_root(&["cp", "-a", &format!("{}/.", aside.display()), folder.to_str().unwrap()]);
        Disk(folder.to_owned())
    }

    fn fill(&self) {
        let zeros = fs::File::open("/dev/zero").unwrap();
        let mut filler = fs::File::create(self.0.join("filler")).unwrap();
        let _ = std::io::copy(&mut std::io::BufReader::with_capacity(4_096, zeros), &mut filler);
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        as_root(&["umount", "--lazy", self.0.to_str().unwrap()]);
    }
}

/// Runs a command as root: directly, or through sudo.
fn as_root(words: &[&str]) {
    let words =
        if rustix::process::getuid().is_root() { words.to_vec() } else { [&["sudo", "-n"], words].concat() };
    let status = Command::new(words[0]).args(&words[1..]).status().unwrap();
    assert!(
        status.success(),
        "{words:?}: a full disk needs a small disk, and mounting one needs root or sudo"
    );
}
